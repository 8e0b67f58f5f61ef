"""Selection: the rows that the command line leaves in view, and therefore in the plan's writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches

from msgspec import Struct
from msgspec.structs import replace

from drybill.billing.agreement import Agreement, Segment
from drybill.billing.causes import causes
from drybill.billing.invoice import InvoiceKey
from drybill.billing.money import EXACT
from drybill.billing.policy import Policy
from drybill.billing.row import QUIET, IgnoredUsage, Row, UnmappedUsage
from drybill.billing.usage import Receipt
from drybill.errors import InputError, Problem
from drybill.plan.plan import Plan


class Selection(Struct, frozen=True, kw_only=True):
    """What the command line leaves in view, and therefore in the plan's writes. Empty: all."""

    clients: frozenset[str] = frozenset()  # ids or exact names
    vendors: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()
    buckets: frozenset[str] = frozenset()
    min_money: Decimal | None = None

    def __bool__(self) -> bool:
        return bool(
            self.clients or self.vendors or self.products or self.buckets
            or self.min_money is not None
        )  # fmt: skip

    def keeps(self, row: Row, payer_id: str, payer: str) -> bool:
        """A client's rows are those of its agreements, and those that it is billed for."""
        if self.clients and not self.clients & {row.client_id, row.client, payer_id, payer}:
            return False
        if self.vendors and not any(use.vendor in self.vendors for use in row.usage):
            return False
        if self.products and not self.products & {row.product, row.product_key}:
            return False
        if self.buckets and row.bucket.value not in self.buckets:
            return False
        return self.min_money is None or money_at_stake(row) >= self.min_money

    def keeps_use(self, use: UnmappedUsage | IgnoredUsage) -> bool:
        if self.clients and not self.clients & {use.client_id or "", use.customer_id}:
            return False
        if self.vendors and use.vendor not in self.vendors:
            return False
        if self.products and use.sku not in self.products:
            return False
        bucket = "unmapped" if isinstance(use, UnmappedUsage) else "ignored"
        if self.buckets and bucket not in self.buckets:
            return False
        return self.min_money is None or (use.cost or Decimal(0)) >= self.min_money


def with_ids(selection: Selection, policy: Policy, agreements: Iterable[Agreement]) -> Selection:
    """Names of the mapping and of the PSA stand for their clients' ids."""
    names = {(client.name, client.id) for client in policy.clients.values()}
    names |= {(agreement.company_name, agreement.company_id) for agreement in agreements}
    ids = {id for name, id in names if name and name in selection.clients}
    return replace(selection, clients=selection.clients | ids)


def money_at_stake(row: Row) -> Decimal:
    """What a row moves, wanted, leaked, or leaves unchecked; for ranking and --min-money."""
    if row.wanted is not None and row.wanted.difference is not None:
        return abs(row.wanted.difference)
    if row.bucket.differs:
        return abs(row.difference)
    if row.bucket in QUIET and row.leak:
        return abs(row.leak)
    return abs(row.amount_before or Decimal(0))


class HiddenRows(Struct, frozen=True, kw_only=True):
    """What a selection keeps from view."""

    rows: int
    money: tuple[tuple[str, Decimal], ...]  # (currency, sum of the absolute differences)
    of: dict[InvoiceKey, tuple[Row, ...]]  # by invoice


def narrow(
    plan: Plan, selection: Selection, quiet: Mapping[InvoiceKey, Sequence[Row]]
) -> tuple[Plan, HiddenRows]:
    """The plan as it is shown: rows that the selection leaves out are hidden, totals stay whole.

    `quiet` are the unchanged and fixed rows that will be shown, already narrowed.
    """
    hidden = 0
    money: dict[str, Decimal] = {}
    of: dict[InvoiceKey, tuple[Row, ...]] = {}
    invoices = []
    for invoice in plan.invoices:
        kept, left_out = [], []
        for row in invoice.rows:
            if selection.keeps(row, invoice.client_id, invoice.client):
                kept.append(row)
                continue
            left_out.append(row)
            hidden += 1
            moved = abs(row.difference)
            money[row.currency] = EXACT.add(money.get(row.currency, Decimal(0)), moved)
        if kept or quiet.get(invoice.key):
            invoices.append(replace(invoice, rows=tuple(kept)))
            of[invoice.key] = tuple(left_out)
    unmapped = tuple(use for use in plan.unmapped if selection.keeps_use(use))
    ignored = tuple(use for use in plan.ignored if selection.keeps_use(use))
    hidden += len(plan.unmapped) - len(unmapped) + len(plan.ignored) - len(ignored)
    near = [row for invoice in invoices if invoice.horizon == "now" for row in invoice.rows]
    shown = replace(
        plan,
        invoices=tuple(invoices),
        unmapped=unmapped,
        ignored=ignored,
        causes=tuple(causes(near, unmapped)),
    )
    return shown, HiddenRows(rows=hidden, money=tuple(sorted(money.items())), of=of)


def check_names(
    selection: Selection,
    policy: Policy,
    agreements: Iterable[Agreement],
    segments: Iterable[Segment],
    receipts: Mapping[str, Receipt],
) -> None:
    """A filter that names nobody would show an empty, clean-looking table.

    Raises:
        InputError: for each name that neither the mapping nor a source knows.
    """
    if not selection:
        return
    clients = {name for client in policy.clients.values() for name in (client.id, client.name)}
    for agreement in agreements:
        clients |= {agreement.company_id, agreement.company_name}
        clients |= {agreement.bill_to or "", agreement.bill_to_name}
    products = set(policy.products) | {segment.product for segment in segments}
    for receipt in receipts.values():
        clients |= receipt.customers
        products |= {sku for sku, _ in receipt.product_names}
    problems = [
        Problem(
            f"unknown-{what}", None, f"--{what}: nothing is called `{name}`", _near(name, known)
        )
        for what, names, known in (
            ("client", selection.clients, clients),
            ("product", selection.products, products),
            ("vendor", selection.vendors, set(receipts)),
        )
        for name in sorted(names - (known - {""}))
    ]
    if problems:
        raise InputError(problems)


def _near(name: str, known: set[str]) -> str:
    near = get_close_matches(name, sorted(known), 1)
    return f"a similar one exists: `{near[0]}`" if near else ""
