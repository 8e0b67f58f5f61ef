"""Tryton's reader: what it can do, what it reads, and the steps that would make a change."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from pathlib import Path

from msgspec import Struct
from msgspec import field as new_field
from msgspec.structs import replace

from drybill import plugins
from drybill.billing.change import Change, ChangeField, Refusal, WriteStep
from drybill.billing.invoice import Witness
from drybill.billing.quantity import plain
from drybill.psa.port import Capabilities, Probe, PsaReader, PsaWriter, Reading, Scope
from drybill.transport.errors import Denied, NotFound
from drybill_tryton import wire
from drybill_tryton.api import CONSUMPTION, LINE, SERVICE, SUBSCRIPTION, Api, Domain
from drybill_tryton.reading import (
    ROUNDING,
    RUNNING,
    Known,
    Signed,
    read_subscriptions,
    services_by_product,
)
from drybill_tryton.schedule import Consuming, delay_of, schedule_of
from drybill_tryton.settings import Settings
from drybill_tryton.writing import TrytonWriter

_WRITABLE: frozenset[ChangeField] = frozenset(("increase", "decrease", "create", "end", "reopen"))
_CAPABILITIES = Capabilities(
    _WRITABLE,
    write_form="stepwise",
    fractions=True,  # as far as the digits of a line's unit go: see `_too_fine`
    zero=True,
    rounding=ROUNDING,
    undo=True,
    concurrency="stamp",  # a line's write_date; Tryton itself refuses nothing that is stale
    not_projected=("tax", "one-off products", "lines added to a draft invoice by hand"),
)
# Those that have an invoice to come, or may have: a closed one, until its last one is made.
_OPEN: Domain = (
    ("state", "in", ("draft", "quotation", RUNNING, "closed")),
    ("OR", ("state", "!=", "closed"), ("next_invoice_date", "!=", None)),
)
_PRICE_DIGITS = 4  # of Tryton's own default; more would be refused half-way
_ASSUMED = "what is due on an invoice's own day is consumed before the invoice is made"


class TrytonReader(Struct, frozen=True):
    """`[psa.NAME]` with `kind = "tryton"`."""

    name: str
    target: str
    settings: Settings
    base: Path
    scope: Scope
    api: Api
    kind: str = "tryton"
    online: bool = True
    capabilities: Capabilities = _CAPABILITIES
    # learnt while reading, for the writes
    signed: dict[str, Signed] = new_field(default_factory=dict)
    known: dict[str, Known] = new_field(default_factory=dict)
    services: dict[str, list[wire.Service]] = new_field(default_factory=dict)

    @property
    def instance(self) -> str:
        return f"tryton:{self.target}"

    async def probe(self) -> tuple[Probe, ...]:
        """Each kind of record that drybill reads, one row of it."""
        found = []
        for what, model in (
            ("subscriptions", SUBSCRIPTION),
            ("lines", LINE),
            ("services", SERVICE),
            ("consumptions", CONSUMPTION),
        ):
            try:
                await self.api.first(model)
            except (Denied, NotFound) as error:
                found.append(Probe(what, False, error.said))
            else:
                found.append(Probe(what, True))
        return tuple(found)

    def session(self) -> AbstractAsyncContextManager[object]:
        return self.api.open()

    async def read(self) -> Reading:
        """Subscriptions that run, or are in draft, and that the mapping can reach."""
        subscriptions = await self._subscriptions(_OPEN)
        companies = self.scope.companies
        wanted = [
            each for each in subscriptions if companies is None or str(each.party.id) in companies
        ]
        return await self._reading(wanted, len(subscriptions) - len(wanted))

    async def read_client(self, company_id: str) -> Reading:
        """A party's subscriptions, with all their lines."""
        return await self._reading(
            await self._subscriptions((("party", "=", int(company_id)), *_OPEN))
        )

    async def read_lines(self, agreement_ids: frozenset[str]) -> Reading:
        """Some subscriptions, whatever their state is by now, each with its lines."""
        ids = [int(id) for id in agreement_ids]
        return await self._reading(
            await self.api.rows_of(
                SUBSCRIPTION, wire.Subscription, wire.SUBSCRIPTION_FIELDS, "id", ids
            )
        )

    async def read_witnesses(self) -> tuple[Witness, ...]:
        """Tryton says nothing of an invoice before it is made."""
        return ()

    async def _subscriptions(self, domain: Domain) -> list[wire.Subscription]:
        fields = wire.SUBSCRIPTION_FIELDS
        return await self.api.rows(SUBSCRIPTION, wire.Subscription, fields, domain)

    async def _reading(self, subscriptions: list[wire.Subscription], left: int = 0) -> Reading:
        """`left` subscriptions were not read."""
        ids = [each.id for each in subscriptions]
        lines = await self.api.rows_of(LINE, wire.Line, wire.LINE_FIELDS, "subscription", ids)
        waiting = await self.api.rows_of(
            CONSUMPTION,
            wire.Consumption,
            wire.CONSUMPTION_FIELDS,
            "line.subscription",
            ids,
            (("invoice_line", "=", None),),
        )
        if not self.services:
            services = await self.api.rows(SERVICE, wire.Service, wire.SERVICE_FIELDS)
            self.services.update(services_by_product(services, self.scope.products))
        found = read_subscriptions(self.name, subscriptions, lines, waiting, self.scope.products)
        self.signed.update(found.signed)
        self.known.update(found.known)
        problems = [*found.notices, f"assumed: {_ASSUMED}"]
        if left:
            problems.append(f"{left} subscriptions of parties outside the mapping: not read")
        return Reading.of(self.name, self.kind, found.agreements, found.segments, problems)

    def plan_write(self, change: Change) -> tuple[WriteStep, ...] | Refusal:
        """A running subscription is locked: draft, change, quote, run. Quantities are absolute."""
        if change.field == "create":
            return self._create(change)
        line = self.known.get(change.line_id)
        if line is not None and line.made:
            detail = f"line {change.line_id} is consumed already: make the invoices first"
            return Refusal("CHANGE_NOT_SUPPORTED", detail)
        if change.field in ("end", "reopen"):
            return self._end(change, line)
        quantity = plain(change.quantity)
        if _too_fine(change, line.digits if line else 0):
            return Refusal("FRACTION_NOT_SUPPORTED", f"{quantity:f}")
        before = change.observed.quantity if change.observed else None
        put, restore = (
            WriteStep(
                "put",
                change.line_id,
                (("quantity", f"{plain(units):f}"),),
                f"line {change.line_id}: quantity {plain(units):f}",
            )
            for units in (quantity, before if before is not None else quantity)
        )
        return _steps(change, put, put.values, restore if before is not None else None)

    def _end(self, change: Change, line: Known | None) -> tuple[WriteStep, ...] | Refusal:
        """Ends a line, or takes that back."""
        day = change.effective if change.field == "end" else change.ends
        signed = self.signed.get(change.agreement_id)
        reopens = change.field == "reopen"
        if not signed or not line or not line.consuming or (reopens and line.over):
            detail = f"line {change.line_id} has ended, or is in no rhythm that drybill knows"
            return Refusal("CHANGE_NOT_SUPPORTED", detail)
        if day is None:
            ends, says = "", f"line {change.line_id}: ends on no day"
        else:
            last = line.consuming.last_before(day, signed.invoicing)
            if last is None:
                detail = f"no end date of line {change.line_id} leaves out just what is from {day}"
                return Refusal("CHANGE_NOT_SUPPORTED", detail)
            ends = last.isoformat()
            says = f"line {change.line_id}: ends on {last}, not billed from {day}"
        put = WriteStep("put", change.line_id, (("end_date", ends),), says)
        return _steps(change, put, (("cancelled", day.isoformat() if day else ""),))

    def _create(self, change: Change) -> tuple[WriteStep, ...] | Refusal:
        price = change.unit_price
        if price is None:
            detail = f"a new line for {change.product} needs a price, and the mapping gives none"
            return Refusal("PRICE_UNKNOWN", detail)
        if _digits(price) > _PRICE_DIGITS:
            detail = f"a price has up to {_PRICE_DIGITS} digits: {price:f}"
            return Refusal("CHANGE_NOT_SUPPORTED", detail)
        services = self.services.get(change.product, [])
        if len(services) != 1:
            ids = ", ".join(str(each.id) for each in services) or "none"
            detail = f"services with the code {change.product}: {ids}; it takes one"
            return Refusal("PRODUCT_ID_UNKNOWN", detail)
        (service,) = services
        unit, recurrence = service.product.sale_uom, service.consumption_recurrence
        if unit is None or recurrence is None:
            detail = f"service {service.id} has no sale unit, or is not billed by itself"
            return Refusal("CHANGE_NOT_SUPPORTED", detail)
        if _too_fine(change, unit.digits):
            return Refusal("FRACTION_NOT_SUPPORTED", f"{plain(change.quantity):f}")
        refused = self._unbilled(change, service)
        if refused is not None:
            return refused
        values: tuple[tuple[str, str], ...] = (
            ("service", str(service.id)),
            ("unit", str(unit.id)),
            ("consumption_recurrence", str(recurrence.id)),
            ("quantity", f"{plain(change.quantity):f}"),
            ("unit_price", f"{price:f}"),
            ("start_date", change.effective.isoformat()),
        )
        delay = delay_of(service.consumption_delay)
        if delay:
            values += (("consumption_delay", str(int(delay.total_seconds()))),)
        if change.description:
            values += (("description", change.description),)
        says = (
            f"new line on subscription {change.agreement_id}: {change.product}, quantity "
            f"{plain(change.quantity):f} at {price:f} from {change.effective}"
        )
        return _steps(change, WriteStep("post", "", values, says), (("made", "yes"),))

    def _unbilled(self, change: Change, service: wire.Service) -> Refusal | None:
        """A new line that the invoice of its first period would not hold is none that was shown."""
        schedule = schedule_of(service.consumption_recurrence, change.effective)
        signed = self.signed.get(change.agreement_id)
        if schedule is None or signed is None:
            detail = f"service {service.id} has no recurrence that drybill has a cycle for"
            return Refusal("CHANGE_NOT_SUPPORTED", detail)
        if not signed.running:
            detail = f"subscription {change.agreement_id} does not run any more"
            return Refusal("CHANGE_NOT_SUPPORTED", detail)
        consuming = Consuming(schedule, delay_of(service.consumption_delay), None, signed.end)
        first, over = consuming.first(signed.invoicing), consuming.over(signed.invoicing)
        if over is not None and over <= change.effective:
            detail = f"subscription {change.agreement_id} ends before the line would be billed"
            return Refusal("CHANGE_NOT_SUPPORTED", detail)
        turned = signed.invoicing.arrears and not consuming.delay  # then all of it would be
        other = schedule.cycle is not signed.invoicing.schedule.cycle
        if turned or other or first != change.effective:
            detail = f"service {service.id} is billed in another rhythm than the subscription"
            return Refusal("CHANGE_NOT_SUPPORTED", detail)
        return None


def _steps(
    change: Change,
    write: WriteStep,
    becomes: tuple[tuple[str, str], ...],
    restore: WriteStep | None = None,
) -> tuple[WriteStep, ...]:
    """The whole state machine, with the way back from each state that it has one from.

    `becomes` is what the write makes of the line, and `restore` takes it back.
    """
    subscription, line = change.agreement_id, change.line_id
    unbilled = ("status", "inactive")
    drafted, quoted = (("state", "draft"), unbilled), (("state", "quotation"), unbilled)

    def button(name: str, says: str, leaves: tuple[tuple[str, str], ...]) -> WriteStep:
        return WriteStep(
            name, line, (), f"subscription {subscription}: {says}", subscription, leaves
        )

    to_draft = button("draft", "to draft, and not billed until it runs", drafted)
    run = button("run", "running again", ())
    home = (button("quote", "to quotation", quoted), run)
    middle = replace(
        write,
        agreement_id=subscription,
        leaves=(*drafted, *becomes),
        creates=write.action == "post",
    )
    quote = button("quote", "to quotation", (*quoted, *becomes))
    if restore is not None:
        undo = (replace(restore, agreement_id=subscription, leaves=drafted), *home)
        again = replace(to_draft, leaves=(*drafted, *becomes))
        middle, quote = replace(middle, back=undo), replace(quote, back=(again, *undo))
    return (replace(to_draft, back=home), middle, quote, run)


def _too_fine(change: Change, digits: int) -> bool:
    """Whether the quantity has more digits than its unit. Tryton would say so half-way."""
    return _digits(plain(change.quantity)) > digits


def _digits(number: Decimal) -> int:
    exponent = plain(number).as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0


class TrytonAdapter:
    """Opens `[psa.NAME]` with `kind = "tryton"`."""

    capabilities: Capabilities = _CAPABILITIES

    def open(
        self, name: str, settings: Mapping[str, object], base: Path, scope: Scope = Scope()
    ) -> TrytonReader:
        """Asks nothing yet. Raises InputError for settings that are wrong."""
        checked = plugins.check_settings(Settings, f"psa.{name}", settings)
        host = checked.url.partition("://")[2]
        return TrytonReader(
            name=name,
            target=f"{host}/{checked.database}",
            settings=checked,
            base=base,
            scope=scope,
            api=Api(name, checked, base),
        )

    def writer(self, reader: PsaReader) -> PsaWriter:
        """One more connection with the same key, and the wall's gate open for the writes."""
        if not isinstance(reader, TrytonReader):
            raise TypeError("this writer is for readers of Tryton")
        return TrytonWriter(Api(reader.name, reader.settings, reader.base, may_write=True))


adapter = TrytonAdapter()
