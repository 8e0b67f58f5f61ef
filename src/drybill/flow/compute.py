"""Compute: from what was fetched to a plan. Pure: the same arguments give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import partial

from msgspec.structs import replace

from drybill.billing.agreement import Agreement
from drybill.billing.balance import check_lines, check_money, check_uses
from drybill.billing.causes import causes
from drybill.billing.comparison import compare
from drybill.billing.counting import Clock, Sources
from drybill.billing.invoice import Invoice, WitnessedLine, WitnessLine
from drybill.billing.invoicing import invoices as lay_out
from drybill.billing.invoicing import settle, totals, unbilled_periods
from drybill.billing.matching import Contract, contracts
from drybill.billing.money import EXACT, round_money
from drybill.billing.policy import GuardLimits, Policy, Product, RowLimits
from drybill.billing.quiet import QuietLine
from drybill.billing.row import QUIET, Reason, Row
from drybill.billing.usage import Receipt, UsageRecord
from drybill.errors import InputError, Problem, RefusedError
from drybill.flow.names import (
    names_told,
    newly_trusted,
    other_names,
    rename_notes,
    renames,
)
from drybill.flow.run import Computed, Fetched, Past, Request
from drybill.mapping.load import Mapping as MappingFile
from drybill.plan.build import count_buckets, planned
from drybill.plan.decisions import PlanWrite, accept, plan_writes, switch
from drybill.plan.guards import Allowance, guard_rows, guard_run, hold_creates
from drybill.plan.plan import PLAN_VERSION, Plan, SourceSummary
from drybill.psa.planning import plan_write


def clock_for(mapping: MappingFile, as_of: date | datetime) -> Clock:
    """Today is a date in the mapping's time zone."""
    zone = mapping.policy.timezone
    if isinstance(as_of, datetime):
        return Clock(as_of.astimezone(zone).date(), zone, as_of)
    return Clock(as_of, zone)


def compute(mapping: MappingFile, fetched: Fetched, request: Request, past: Past) -> Computed:
    """The plan for what was fetched. Pure: the same arguments give the same bytes."""
    policy = mapping.policy
    clock = clock_for(mapping, request.as_of)
    claimed = {name: usage.receipt for name, usage in fetched.usages.items()}
    receipts, source_notes = _held(claimed, past.complete, policy.guards, request.allowances)
    told = {name: reading.receipt for name, reading in fetched.readings.items()}
    psa_receipts, psa_notes = _held(told, past.complete_psa, policy.guards, request.allowances)
    slots = slots_of(policy, fetched)
    found: dict[tuple[str, str], Contract] = {}
    try:
        for reading in fetched.readings.values():
            found |= contracts(reading.agreements, reading.segments, request.period, slots)
    except OverflowError as error:
        raise InputError([Problem("date-out-of-range", None, str(error))]) from None
    _check_period(request.period, found)
    sources = Sources(receipts, clock, past.absent_since)
    records = _records(fetched)
    comparison = compare(policy, found, records, sources, _currencies(mapping), request.every_row)
    rows = comparison.rows

    accept(rows, policy.accepted, clock.today)
    plan_writes(rows, planners(fetched))
    laid_out = lay_out(
        found,
        fetched.agreements,
        rows,
        comparison.quiet,
        clock.today,
        request.horizon_days,
        {name: reader.capabilities.not_projected for name, reader in fetched.readers.items()},
    )
    names = names_told(fetched)
    renamed = renames(names, past.names)
    hold_creates(rows, {name for name in psa_notes if not psa_receipts[name].complete})
    for source, note in (*rename_notes(renamed), *other_names(names, policy)):
        source_notes[source] = "; ".join(filter(None, (source_notes.get(source), note)))
    hear(laid_out, fetched, comparison.quiet)
    guard_rows(
        rows,
        policy.guards,
        _product_limits(policy.products),
        past.highest,
        renamed,
        _overdue(laid_out, found, clock.today, request.period),
        _other_currency(laid_out, fetched.agreements),
        _contradicted(laid_out, past, mapping, request.period),
        request.allowances,
    )
    _note_margins(rows, policy.guards)
    selected = None
    if request.selection:
        selected = {
            row.id
            for invoice in laid_out
            for row in invoice.rows
            if request.selection.keeps(row, invoice.client_id, invoice.client)
        }
    switch(rows, policy.writes, selected)
    for invoice in laid_out:
        settle(invoice)
    sums = totals(laid_out)
    check_lines(found, rows, comparison.quiet)
    check_uses(comparison)
    check_money(laid_out, sums)
    near = [row for invoice in laid_out if invoice.horizon == "now" for row in invoice.rows]
    frozen = tuple(planned(invoice) for invoice in laid_out)
    plan = Plan(
        version=PLAN_VERSION,
        mapping_digest=mapping.digest,
        today=clock.today,
        timezone=str(policy.timezone),
        options=_options(request),
        sources=summaries(fetched, psa_receipts, receipts, {**source_notes, **psa_notes}),
        causes=tuple(causes(near, comparison.unmapped)),
        invoices=frozen,
        ignored=tuple(comparison.ignored),
        unmapped=tuple(comparison.unmapped),
        totals=tuple(sums),
        guards=tuple(guard_run(frozen, policy.guards, past.recent, request.allowances)),
        buckets=count_buckets(comparison),
        complete=all(r.complete for r in (*receipts.values(), *psa_receipts.values()))
        and not request.without,
        targets=tuple((name, reader.target) for name, reader in sorted(fetched.readers.items())),
    )
    return Computed(
        plan=plan,
        invoices=laid_out,
        quiet_lines=comparison.quiet,
        receipts=receipts,
        psa_receipts=psa_receipts,
        names=names,
        newly_trusted=newly_trusted(renamed, rows, request.allowances),
        absent_now=sources.absent_now,
    )


def slots_of(policy: Policy, fetched: Fetched) -> dict[tuple[str, str], str]:
    """(agreement, line) -> the name that `[[lines]]` gives it."""
    named = {(line.psa, line.line_id): line.name for line in policy.lines if line.name}
    if not named:
        return {}
    return {
        (segment.agreement_id, segment.line_id): name
        for psa, reading in fetched.readings.items()
        for segment in reading.segments
        if (name := named.get((psa, segment.line_id)))
    }


def planners(fetched: Fetched) -> dict[str, PlanWrite | None]:
    """Who plans the writes of each PSA; None for one that is read only."""
    return {
        name: partial(plan_write, reader) if reader.capabilities.writable else None
        for name, reader in fetched.readers.items()
    }


def hear(laid_out: Sequence[Invoice], fetched: Fetched, quiet: Sequence[QuietLine]) -> None:
    """Puts the PSA's own figure beside an invoice, where it speaks of the same day."""
    told = {
        (name, witness.agreement_id): witness
        for name, reading in fetched.readings.items()
        for witness in reading.witnesses
    }
    quiet_of: dict[tuple[str, str], list[QuietLine]] = {}
    for line in quiet if any(witness.lines for witness in told.values()) else ():
        agreement = line.contract.agreement
        quiet_of.setdefault((agreement.psa, agreement.id), []).append(line)
    for invoice in laid_out:
        witness = told.get((invoice.psa, invoice.agreement_id))
        if witness is None or witness.amount is None:
            continue
        if witness.invoice_date == invoice.invoice_date:
            rounded = round_money(witness.amount, invoice.currency)
            invoice.witness = rounded if rounded == witness.amount else witness.amount
            if witness.lines:
                here = quiet_of.get((invoice.psa, invoice.agreement_id), ())
                invoice.witness_lines = _heard(witness.lines, invoice, here)


def _heard(
    said: Sequence[WitnessLine], invoice: Invoice, quiet: Sequence[QuietLine]
) -> tuple[WitnessedLine, ...]:
    """Each line of which the PSA speaks, beside what was projected of it."""
    here = {row.line_id: (row.quantity_before, row.amount_before) for row in invoice.rows}
    here |= {each.line.id: (each.line.last.quantity, each.amount) for each in quiet}
    return tuple(WitnessedLine(line, *here.get(line.line_id, (None, None))) for line in said)


def _records(fetched: Fetched) -> list[UsageRecord]:
    lists = [usage.records for _, usage in sorted(fetched.usages.items())]
    return lists[0] if len(lists) == 1 else [record for found in lists for record in found]


def _held(
    claimed: Mapping[str, Receipt],
    complete: Mapping[str, int],
    limits: GuardLimits,
    allowances: Sequence[Allowance],
) -> tuple[dict[str, Receipt], dict[str, str]]:
    """The receipts; one that shrank too far since the last complete answer counts as incomplete."""
    receipts: dict[str, Receipt] = {}
    notes: dict[str, str] = {}
    percent = limits.source_shrink_percent
    for name, claim in claimed.items():
        receipt, before = claim, complete.get(name)
        if receipt.complete and before and percent is not None:
            lost = before - receipt.records
            if lost * 100 > percent * before:
                note = (
                    f"SOURCE_SHRUNK: {receipt.records} rows, the last complete answer had {before} "
                    f"(limit {percent:f} %)"
                )
                lifted = next((a for a in allowances if a.lifts("source", "shrink_percent")), None)
                if lifted is None:
                    note += "; lift with --allow source.shrink_percent --reason TEXT"
                    receipt = replace(receipt, complete=False)
                else:
                    note += f"; lifted: {lifted.reason}"
                notes[name] = note
        receipts[name] = receipt
    return receipts, notes


def summaries(
    fetched: Fetched,
    psa_receipts: Mapping[str, Receipt],
    receipts: Mapping[str, Receipt],
    notes: Mapping[str, str],
) -> tuple[SourceSummary, ...]:
    found = []
    for role, source in (("psa", psa_receipts), ("vendor", receipts)):
        for name, receipt in sorted(source.items()):
            note = (notes[name],) if name in notes else ()
            found.append(
                SourceSummary(
                    name=name,
                    role=role,
                    kind=receipt.kind,
                    measure=receipt.measure,
                    complete=receipt.complete,
                    customers=len(receipt.customers),
                    records=receipt.records,
                    as_of=receipt.as_of.isoformat().replace("+00:00", "Z")
                    if receipt.as_of
                    else None,
                    problems=(*note, *receipt.problems),
                    asked=name not in fetched.unreachable,
                    denied=len(receipt.denied),
                )
            )
    return tuple(found)


def _currencies(mapping: MappingFile) -> dict[str, str]:
    return {
        name: str(settings["currency"])
        for name, settings in mapping.psas.items()
        if settings.get("currency")
    }


def _product_limits(products: Mapping[str, Product]) -> dict[str, RowLimits]:
    return {key: product.limits for key, product in products.items() if product.limits is not None}


def _check_period(period: date | None, found: Mapping[tuple[str, str], Contract]) -> None:
    """A period that no agreement has to invoice: already invoiced, or never a first day."""
    if period is None or any(contract.period.start == period for contract in found.values()):
        return
    starts = sorted({contract.period.start.isoformat() for contract in found.values()})
    raise RefusedError(
        [
            Problem(
                "period-not-open",
                None,
                f"--period {period}: no agreement has a period not yet invoiced that starts then",
                "the next ones start on " + ", ".join(starts[:8]),
            )
        ]
    )


def _overdue(
    laid_out: Sequence[Invoice],
    found: Mapping[tuple[str, str], Contract],
    today: date,
    period: date | None,
) -> dict[str, tuple[date, ...]]:
    """Rows of agreements with two or more overdue invoices, unless --period names this one."""
    waiting = {
        key: periods
        for key, contract in found.items()
        if contract.period.start != period and (periods := unbilled_periods(contract, today))
    }
    if not waiting:
        return {}
    return {
        row.id: waiting[row.psa, row.agreement_id]
        for invoice in laid_out
        for row in invoice.rows
        if (row.psa, row.agreement_id) in waiting
    }


def _other_currency(laid_out: Sequence[Invoice], agreements: Sequence[Agreement]) -> dict[str, str]:
    """Row -> currency of the root agreement, where the row's own agreement has another one."""
    currencies = {(agreement.psa, agreement.id): agreement.currency for agreement in agreements}
    return {
        row.id: currency
        for invoice in laid_out
        if (currency := currencies[invoice.psa, invoice.agreement_id]) != invoice.currency
        for row in invoice.rows
    }


def _contradicted(
    laid_out: Sequence[Invoice], past: Past, mapping: MappingFile, period: date | None
) -> dict[str, tuple[str, str]]:
    """Row -> (what the PSA itself says, what is projected), where a witness that the mapping lets
    block has agreed in an earlier run and does not now: one that says nothing any more neither,
    unless `period` names another invoice than the one of which it speaks."""
    blocks = {name for name, each in mapping.psas.items() if each.get("witness") == "block"}
    found: dict[str, tuple[str, str]] = {}
    for invoice in laid_out:
        agreed = (invoice.psa, invoice.agreement_id) in past.agreed
        if not agreed or invoice.psa not in blocks:
            continue
        settle(invoice)
        said = "nothing any more"
        if invoice.witness is not None:
            said = f"{invoice.witness:f} {invoice.currency}"
        elif period is not None:
            continue
        if invoice.witness != invoice.before:
            projected = f"{invoice.before:f} {invoice.currency}"
            found |= {row.id: (said, projected) for row in invoice.rows}
    return found


def _note_margins(rows: Sequence[Row], limits: GuardLimits) -> None:
    """Prices with less margin than the floor are said; quantities are not held for them."""
    for row in rows:
        if row.bucket in QUIET or row.unit_price is None or row.unit_cost is None:
            continue
        margin = EXACT.multiply(EXACT.subtract(row.unit_price, row.unit_cost), Decimal(100))
        if margin < EXACT.multiply(limits.margin_percent, row.unit_price):
            detail = f"price {row.unit_price:f}, cost {row.unit_cost:f}"
            row.reasons += (Reason("MARGIN_BELOW_FLOOR", detail),)


def _options(request: Request) -> tuple[tuple[str, str], ...]:
    """What the command line changed, as part of the plan."""
    chosen: list[tuple[str, str]] = []
    if request.period is not None:
        chosen.append(("period", request.period.isoformat()))
    if request.horizon_days != 31:
        chosen.append(("horizon", str(request.horizon_days)))
    chosen += [("without", name) for name in sorted(request.without)]
    for allowance in sorted(request.allowances, key=lambda a: (a.guard, a.row)):
        name = f"{allowance.row}:{allowance.guard}" if allowance.row else allowance.guard
        chosen.append(("allow", f"{name}: {allowance.reason}"))
    selection = request.selection
    for name, values in (
        ("client", selection.clients),
        ("vendor", selection.vendors),
        ("product", selection.products),
        ("bucket", selection.buckets),
    ):
        chosen += [(name, value) for value in sorted(values)]
    if selection.min_money is not None:
        chosen.append(("min-money", f"{selection.min_money:f}"))
    return tuple(chosen)
