"""Invoicing: which rows stand on which invoice, and what everything sums to per currency."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from drybill.billing.agreement import Agreement
from drybill.billing.invoice import Horizon, Invoice, Totals
from drybill.billing.matching import Contract
from drybill.billing.money import EXACT, round_money
from drybill.billing.period import invoice_date, period_from
from drybill.billing.quantity import ZERO
from drybill.billing.quiet import QuietLine
from drybill.billing.row import Bucket, Row


def payers_and_roots(agreements: Iterable[Agreement]) -> dict[tuple[str, str], tuple[str, str]]:
    """(psa, agreement id) -> (who pays, id of the root agreement whose invoice the lines are on).

    A child's lines appear on its parent's invoice, unless another company is billed: then the
    child is a root of its own.
    """
    by_id = {(a.psa, a.id): a for a in agreements}
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for agreement in by_id.values():
        family: list[Agreement] = []  # walked, each once: a family may be thousands deep
        at: Agreement | None = agreement
        while at is not None and (at.psa, at.id) not in found:
            family.append(at)
            at = by_id.get((at.psa, at.parent_id)) if at.parent_id else None
        above = found[at.psa, at.id] if at is not None else None
        for member in reversed(family):
            if above is None:
                above = member.bill_to or member.company_id, member.id
            elif member.bill_to and member.bill_to != above[0]:
                above = member.bill_to, member.id
            found[member.psa, member.id] = above
    return found


def unbilled_periods(contract: Contract, today: date) -> tuple[date, ...]:
    """First days of the periods whose invoice date has passed unissued, the oldest first.

    An invoice dated today is due, not overdue. One overdue invoice is simply the next one; from
    two on, a person has to say which one is meant.
    """
    agreement = contract.agreement
    overdue: list[date] = []
    period = period_from(agreement, agreement.next_period_start)
    while invoice_date(agreement, period) < today and len(overdue) < 1000:
        if agreement.end_date is not None and period.start > agreement.end_date:
            break
        overdue.append(period.start)
        period = period_from(agreement, period.end)
    return tuple(overdue) if len(overdue) > 1 else ()


def invoices(
    contracts: Mapping[tuple[str, str], Contract],
    agreements: Iterable[Agreement],
    rows: Sequence[Row],
    quiet: Sequence[QuietLine],
    today: date,
    horizon_days: int,
    not_projected: Mapping[str, tuple[str, ...]],
) -> list[Invoice]:
    """One invoice per group (root, payer, currency) and date, in content order, not yet summed."""
    by_id = {(a.psa, a.id): a for a in agreements}
    families = payers_and_roots(by_id.values())
    names: dict[str, str] = {}
    told = [(a.company_id, a.company_name) for a in by_id.values()]
    told += [(a.bill_to, a.bill_to_name) for a in by_id.values() if a.bill_to]
    for company, name in told:
        if name:
            names[company] = min(names.get(company, name), name)
    last = today + timedelta(days=horizon_days)
    found: dict[tuple[str, str, str, str, date], Invoice] = {}
    of_agreement: dict[tuple[str, str], Invoice] = {}
    for key, contract in sorted(contracts.items()):
        agreement = contract.agreement
        payer, root_id = families[key]
        root = by_id[agreement.psa, root_id]
        day = invoice_date(agreement, contract.period)
        group = (agreement.psa, root_id, payer, agreement.currency, day)
        invoice = found.get(group)
        if invoice is None:
            horizon: Horizon = "now" if day <= last else "later"
            invoice = found[group] = Invoice(
                psa=agreement.psa,
                client_id=payer,
                client=_company(payer, root, agreement, names),
                agreement_id=root_id,
                agreement=root.name,
                currency=agreement.currency,
                period_start=contract.period.start,
                period_end=contract.period.end,
                invoice_date=day,
                horizon=horizon,
                base_amount=round_money(ZERO, agreement.currency),
                rows=[],
                not_projected=not_projected.get(agreement.psa, ()),
            )
        if agreement.id == root_id:
            invoice.period_start = contract.period.start
            invoice.period_end = contract.period.end
        if agreement.base_amount is not None:
            invoice.base_amount = EXACT.add(
                invoice.base_amount, round_money(agreement.base_amount, agreement.currency)
            )
        waiting = unbilled_periods(contract, today)
        if waiting and (agreement.id == root_id or not invoice.unbilled_periods):
            invoice.unbilled_periods = waiting
        of_agreement[key] = invoice
    for row in rows:
        of_agreement[row.psa, row.agreement_id].rows.append(row)
    for line in quiet:
        invoice = of_agreement[line.contract.agreement.psa, line.contract.agreement.id]
        invoice.quiet_lines += 1
        invoice.quiet_amount = EXACT.add(invoice.quiet_amount, line.amount)
    return [found[key] for key in sorted(found)]


def _company(
    payer: str,
    root: Agreement,
    agreement: Agreement,
    names: Mapping[str, str],
) -> str:
    for candidate in (root, agreement):
        if candidate.company_id == payer and candidate.company_name:
            return candidate.company_name
    return names.get(payer, "")


def settle(invoice: Invoice) -> None:
    """Sums an invoice from its rows; every level is the sum of the one below."""
    before = after = EXACT.add(invoice.base_amount, invoice.quiet_amount)
    leak: Decimal | None = None
    unknown = 0
    for row in invoice.rows:
        if row.amount_before is None or row.amount_after is None:
            unknown += 1
        else:
            before = EXACT.add(before, row.amount_before)
            after = EXACT.add(after, row.amount_after)
        if row.leak is not None:
            leak = row.leak if leak is None else EXACT.add(leak, row.leak)
    invoice.before, invoice.after = before, after
    invoice.leak, invoice.unknown_lines = leak, unknown


def totals(settled: Iterable[Invoice]) -> list[Totals]:
    """One per currency and horizon; currencies are never added to one another."""
    groups: dict[tuple[Horizon, str], list[Invoice]] = {}
    for invoice in settled:
        groups.setdefault((invoice.horizon, invoice.currency), []).append(invoice)
    return [
        _total(currency, horizon, groups[horizon, currency])
        for horizon, currency in sorted(groups, key=lambda key: (key[0] == "later", key[1]))
    ]


def _total(currency: str, horizon: Horizon, members: Sequence[Invoice]) -> Totals:
    zero = round_money(ZERO, currency)
    up = down = held_up = held_down = accepted_up = accepted_down = leak_up = leak_down = (
        unchecked
    ) = zero
    before = after = zero
    held_unknown = 0
    for invoice in members:
        before = EXACT.add(before, invoice.before)
        after = EXACT.add(after, invoice.after)
        for row in invoice.rows:
            if row.quiet:
                continue
            difference = row.difference
            if difference > 0:
                up = EXACT.add(up, difference)
            elif difference < 0:
                down = EXACT.add(down, difference)
            wanted = row.wanted.difference if row.wanted else None
            if row.bucket is Bucket.BLOCKED and wanted is None:
                held_unknown += 1
            elif wanted is not None and row.bucket is Bucket.BLOCKED:
                if wanted > 0:
                    held_up = EXACT.add(held_up, wanted)
                else:
                    held_down = EXACT.add(held_down, wanted)
            if row.accepted_difference is not None:
                if row.accepted_difference > 0:
                    accepted_up = EXACT.add(accepted_up, row.accepted_difference)
                else:
                    accepted_down = EXACT.add(accepted_down, row.accepted_difference)
            if row.leak is not None:
                if row.leak > 0:
                    leak_up = EXACT.add(leak_up, row.leak)
                else:
                    leak_down = EXACT.add(leak_down, row.leak)
            if row.bucket is Bucket.UNKNOWN and row.amount_before is not None:
                unchecked = EXACT.add(unchecked, row.amount_before)
    return Totals(
        currency=currency,
        horizon=horizon,
        before=before,
        after=after,
        difference=EXACT.subtract(after, before),
        under_billed=up,
        over_billed=down,
        held_up=held_up,
        held_down=held_down,
        held_unknown=held_unknown,
        accepted_up=accepted_up,
        accepted_down=accepted_down,
        leak_up=leak_up,
        leak_down=leak_down,
        not_checked=unchecked,
        incomplete_invoices=sum(1 for invoice in members if invoice.unknown_lines),
    )
