"""From AlgaPSA's documents to agreements and segments; what they leave open is said.

A contract line has a frequency, a timing and windows of its own: it is the agreement. Each service
on it is a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec import field as new_field

from drybill.billing.agreement import Agreement, Cycle, Segment, Status, Timing
from drybill.billing.change import Refusal
from drybill.billing.money import EXACT, is_currency, minor_units
from drybill.billing.period import period_from, shift
from drybill.billing.projection import in_force
from drybill.billing.quantity import UNKNOWN, plain
from drybill.psa.algapsa import wire
from drybill.psa.algapsa.settings import Settings
from drybill.psa.algapsa.windows import Invoiced, key_of, midnight
from drybill.psa.notes import Notes

# Frequencies of the document; `bi-weekly` says neither "every two" nor "twice a".
_CYCLES = {
    "weekly": Cycle.WEEKLY,
    "monthly": Cycle.MONTHLY,
    "quarterly": Cycle.QUARTERLY,
    "semi-annually": Cycle.SEMI_ANNUAL,
    "annually": Cycle.ANNUAL,
}
_ENDED = {
    "expired": Status.EXPIRED,
    "terminated": Status.CANCELLED,
    "cancelled": Status.CANCELLED,
}
_ONE_DAY = timedelta(days=1)


class Billed(Struct, frozen=True):
    """Where a service stands on a contract line, and why it is not to be written, if so."""

    service_id: str
    says: str  # "Huntress Managed EDR on Security"
    next_period_start: date
    refusal: Refusal | None = None


class Directory(Struct):
    """What lines refer to, by id."""

    clients: dict[str, wire.Client]
    contracts: dict[str, wire.Contract]
    catalog: dict[str, wire.CatalogEntry]
    invoiced: dict[str, Invoiced]  # by client
    assigned: dict[str, set[str]]  # contract line -> clients to which it is, as far as was read
    issues: bool = True  # whether invoices may be read

    def clients_on(self, line: wire.ContractLine) -> int:
        """How many clients a change of the line would bill."""
        contract = self.contracts.get(line.contract_id or "")
        listed = len(self.assigned.get(line.contract_line_id, ()))
        return max(listed, (contract.clients_using_contract if contract else None) or 0)


class Found(Notes):
    """Agreements and segments, and what could not be read as a bill."""

    agreements: list[Agreement] = new_field(default_factory=list)
    lines: list[wire.ContractLine] = new_field(default_factory=list)  # of each agreement
    segments: list[Segment] = new_field(default_factory=list)
    billed: dict[str, Billed] = new_field(default_factory=dict)  # by configuration id


def read_lines(
    psa: str,
    lines: Iterable[wire.ContractLine],
    known: Directory,
    settings: Settings,
    found: Found,
) -> None:
    """Fills `found.agreements` and, beside them, `found.lines`."""
    for line in lines:
        agreement = _agreement(psa, line, known, settings, found)
        if agreement is not None:
            found.agreements.append(agreement)
            found.lines.append(line)


def agreement_id(line: wire.ContractLine, known: Directory) -> str:
    """The contract line's id; where several clients share it, their contract's beside it."""
    return key_of(line) if known.clients_on(line) > 1 else line.contract_line_id


def _agreement(
    psa: str, line: wire.ContractLine, known: Directory, settings: Settings, found: Found
) -> Agreement | None:
    id = line.contract_line_id
    client = known.clients.get(line.client_id)
    contract = known.contracts.get(line.contract_id or "")
    if contract is None:
        found.note("contract lines are not projected, their contract is not listed", id)
        return None
    if line.is_template or contract.is_template:
        found.note("contract lines are not projected, they are templates", id)
        return None
    cycle = _CYCLES.get(line.billing_frequency or "")
    if cycle is None:
        frequency = line.billing_frequency or "no frequency"
        found.note(f"contract lines are not projected, they are billed `{frequency}`", id)
        return None
    if line.billing_timing not in ("advance", "arrears"):
        found.note("contract lines are not projected, their billing timing is not said", id)
        return None
    currency = (client.default_currency_code if client else None) or settings.currency or ""
    if not is_currency(currency):
        said = "contract lines are not projected, their client names no currency; set `currency`"
        found.note(said, id)
        return None
    start = midnight(line.start_date)
    end = midnight(line.end_date)
    if (line.end_date and end is None) or (line.start_date and start is None):
        found.note("contract lines are not projected, they have a date that cannot be read", id)
        return None
    until = _next_period(line, start, known, found)
    if until is None:
        return None
    if end is not None and settings.end_date == "first_day_off":
        end -= _ONE_DAY
    if start is not None and start < until and shift(until, cycle, 0, start.day) != until:
        start = None  # it has begun, and its periods begin on another day than it did
    name = line.contract_line_name or ""
    return Agreement(
        psa=psa,
        id=agreement_id(line, known),
        company_id=line.client_id,
        currency=currency,
        next_period_start=until,
        name=": ".join(filter(None, (contract.contract_name, name))),
        company_name=(client.client_name if client else None) or "",
        type=name,
        status=_status(line, contract, client),
        cycle=cycle,
        timing=Timing(line.billing_timing),
        start_date=start,
        end_date=end,
        prorate=bool(line.enable_proration),
    )


def _status(line: wire.ContractLine, contract: wire.Contract, client: wire.Client | None) -> Status:
    said = contract.status or ""
    active = (
        line.is_active is True
        and line.contract_is_active is not False
        and contract.is_active is not False
        and said in ("active", "")
        and not (client is not None and client.is_inactive)
    )
    return Status.ACTIVE if active else _ENDED.get(said, Status.INACTIVE)


def _next_period(
    line: wire.ContractLine, start: date | None, known: Directory, found: Found
) -> date | None:
    """The first day not yet invoiced; None: nobody says, and it is not guessed."""
    if not known.issues:
        said = "contract lines are not projected, the key may not read invoices, and nothing else "
        found.note(said + "says what is invoiced", line.contract_line_id)
        return None
    of_client = known.invoiced.get(line.client_id, Invoiced())
    key, id = key_of(line), line.contract_line_id
    invoice = of_client.untold.get(key)
    if invoice is not None:
        said = f"contract lines are not projected, invoice {invoice} does not tell which it bills"
        found.note(said, id)
        return None
    until = of_client.until.get(key)
    if until is not None:
        return until
    if line.cadence_owner != "contract":
        said = "contract lines are not projected, their windows are those of the client's cycle, "
        found.note(said + "and no invoice tells where it stands", id)
        return None
    if start is None:
        found.note("contract lines are not projected, they have no start date", id)
    return start


def read_services(
    agreement: Agreement,
    line: wire.ContractLine,
    services: Sequence[wire.LineService],
    products: frozenset[str],
    known: Directory,
    settings: Settings,
    found: Found,
) -> None:
    """Fills `found.segments` with the services of one contract line, and `found.billed`."""
    shared = known.clients_on(line)
    refusal = _refusal(agreement, shared)
    digits = minor_units(agreement.currency)
    for each in services:
        service, configuration = each.service, each.configuration
        entry = known.catalog.get(service.service_id)
        quantity = configuration.quantity
        id = configuration.config_id
        if shared > 1:  # it stands on the agreement of each client
            id = f"{id}@{line.client_contract_id or line.client_id}"
        unsupported = _unsupported(line, each)
        rate = None if unsupported else _rate(each, entry, agreement.currency, settings)
        if rate is None and not unsupported:
            found.note(f"services have no price in {agreement.currency}", id)
        name = service.service_name or service.service_id
        found.billed[id] = Billed(
            service.service_id,
            f"{name} on {line.contract_line_name or line.contract_line_id}",
            agreement.next_period_start,
            refusal,
        )
        found.segments.append(
            Segment(
                line_id=id,
                agreement_id=agreement.id,
                product=_product(service, entry, products, known.catalog),
                quantity=UNKNOWN if quantity is None else plain(quantity),
                unit_price=None if rate is None else major(rate, digits),
                description=service.service_name or "",
                updated_at=configuration.updated_at or "",
                unsupported=unsupported,
            )
        )


def _refusal(agreement: Agreement, clients: int) -> Refusal | None:
    if clients > 1:
        return Refusal("LINE_SHARED", f"{clients} clients are billed by this contract")
    period = period_from(agreement, agreement.next_period_start)
    if agreement.prorate and in_force(agreement, period) != period:
        said = "it is prorated and begins or ends inside the period; how is not proven"
        return Refusal("LINE_KIND_UNSUPPORTED", said)
    return None


def _unsupported(line: wire.ContractLine, each: wire.LineService) -> str:
    """Why a service's amount is not its quantity times its rate; empty: it is."""
    configured = each.configuration.configuration_type
    if line.contract_line_type != "Fixed":
        return f"the contract line's type is {line.contract_line_type or 'not said'}"
    if configured != "Fixed":
        return f"its configuration's type is {configured or 'not said'}"
    if each.rate_tiers:
        return "it has rate tiers"
    if line.custom_rate is not None:
        return "the contract line has a rate of its own, whatever the quantities"
    if each.type_config is not None and each.type_config.base_rate is not None:
        return "it has a base rate, whose role is not proven"
    return ""


def _rate(
    each: wire.LineService, entry: wire.CatalogEntry | None, currency: str, settings: Settings
) -> Decimal | None:
    """Minor units per unit; None: the catalog has prices, and none in this currency."""
    custom = each.configuration.custom_rate
    if custom is not None and settings.custom_rate == "unit_price":
        return custom
    prices = entry.prices if entry is not None else None
    if prices:
        return next((price.rate for price in prices if price.currency_code == currency), None)
    return each.service.default_rate


def major(minor: Decimal, digits: int) -> Decimal:
    """450 -> 4.50 for two digits: exact, with the currency's digits."""
    return EXACT.scaleb(minor, -digits)


def _product(
    service: wire.Service,
    entry: wire.CatalogEntry | None,
    products: frozenset[str],
    catalog: Mapping[str, wire.CatalogEntry],
) -> str:
    """The service's id; its SKU or name, where the mapping names it so and no other has it."""
    if service.service_id in products or entry is None:
        return service.service_id
    for name in (entry.sku, entry.service_name):
        if name and name in products:
            same = [e for e in catalog.values() if name in (e.sku, e.service_name)]
            if len(same) == 1:
                return name
    return service.service_id
