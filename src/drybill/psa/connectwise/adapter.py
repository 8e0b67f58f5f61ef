"""ConnectWise's reader: what it can do, what it reads, and the steps that would make a change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

from msgspec import Struct
from msgspec import field as new_field
from msgspec.structs import replace

from drybill import plugins
from drybill.billing.change import Change, ChangeField, Refusal, WriteStep
from drybill.billing.invoice import Witness
from drybill.billing.quantity import plain
from drybill.errors import Place, Problem, RefusedError
from drybill.psa.connectwise import wire
from drybill.psa.connectwise.api import Api
from drybill.psa.connectwise.reading import (
    ROUNDING,
    Found,
    bill_customer,
    instant,
    named,
    reachable,
    read_additions,
    read_agreements,
    witnesses,
)
from drybill.psa.connectwise.settings import Settings, assumed
from drybill.psa.connectwise.writing import ConnectWiseWriter
from drybill.psa.port import Capabilities, Probe, PsaReader, PsaWriter, Reading, Scope
from drybill.transport.errors import Denied, NotFound
from drybill.transport.progress import current
from drybill.transport.together import together

_WRITABLE: frozenset[ChangeField] = frozenset(("increase", "decrease", "create", "end", "reopen"))
_CAPABILITIES = Capabilities(
    _WRITABLE,
    fractions=True,
    zero=True,
    dated_changes=True,
    preview="amount",
    concurrency="stamp",
    undo=True,
    rounding=ROUNDING,
    not_projected=(
        "tax",
        "time",
        "expenses",
        "one-off products",
        "agreement adjustments",
        "prorated parts of periods that are invoiced already",
    ),
)


class ConnectWiseReader(Struct, frozen=True):
    """`[psa.NAME]` with `kind = "connectwise"`."""

    name: str
    target: str
    settings: Settings
    base: Path
    scope: Scope
    api: Api
    kind: str = "connectwise"
    online: bool = True
    capabilities: Capabilities = _CAPABILITIES
    product_ids: dict[str, int] = new_field(default_factory=dict)  # learnt while reading

    @property
    def instance(self) -> str:
        """Host and company, whatever the mapping calls them. Raises InputError: no company.

        A cloud host has two names, with and without `api-`.
        """
        company = sha256(self.api.company().casefold().encode()).hexdigest()
        host = self.target.casefold().removeprefix("api-").replace("localhost", "127.0.0.1")
        return f"connectwise:{host}:{company[:16]}"

    async def probe(self) -> tuple[Probe, ...]:
        """Each kind of document that drybill reads, one row of it."""
        first = {"pageSize": "1"}
        found: list[Probe] = []
        agreement = 0
        for what, path in (
            ("system info", "/system/info"),
            ("agreements", "/finance/agreements"),
            ("additions", ""),
            ("billing cycles", "/finance/billingCycles"),
            ("recap", "/finance/agreementrecap/"),
        ):
            at = path or f"/finance/agreements/{agreement}/additions"
            if not path and not agreement:
                found.append(Probe(what, False, "no agreement to try it on"))
                continue
            try:
                answer = await self.api.get(at, first if what != "system info" else None)
            except (Denied, NotFound) as error:
                found.append(Probe(what, False, error.said))
                continue
            detail = ""
            if what == "system info":
                info = answer.decode(wire.SystemInfo)
                detail = f"version {info.version}, server time zone {info.serverTimeZone}"
            elif what == "agreements":
                rows = answer.decode(list[wire.Agreement])
                agreement = rows[0].id if rows else 0
            found.append(Probe(what, True, detail))
        return tuple(found)

    def session(self) -> AbstractAsyncContextManager[object]:
        return self.api.open()

    async def read(self) -> Reading:
        """Active agreements that the mapping can reach, with all their additions."""
        active = {"conditions": 'agreementStatus="Active"', "fields": wire.AGREEMENT_FIELDS}
        agreements, cycles = await self._with_cycles(active)
        wanted = reachable(agreements, self.scope.companies)
        reading = await self._reading(wanted, cycles, len(agreements) - len(wanted))
        return replace(reading, witnesses=await self.read_witnesses())

    async def read_witnesses(self) -> tuple[Witness, ...]:
        """The recap of all agreements."""
        if self.settings.witness == "off":
            return ()
        recaps = await self.api.rows(
            "/finance/agreementrecap/", wire.Recap, id_of=_id, what="pages of the recap"
        )
        return witnesses(recaps)

    async def read_lines(self, agreement_ids: frozenset[str]) -> Reading:
        """Some agreements, whatever their state is by now, each with its additions."""
        agreements = await together(self._agreement(int(id)) for id in sorted(agreement_ids))
        cycles = await self._cycles()
        return await self._reading(agreements, cycles, 0, await self._above(agreements))

    async def read_client(self, company_id: str) -> Reading:
        """A company's agreements, with all their additions."""
        ask = {"conditions": f"company/id={int(company_id)}", "fields": wire.AGREEMENT_FIELDS}
        agreements, cycles = await self._with_cycles(ask)
        return await self._reading(agreements, cycles, 0, await self._above(agreements))

    async def _agreement(self, id: int) -> wire.Agreement:
        answer = await self.api.get(f"/finance/agreements/{id}", {"fields": wire.AGREEMENT_FIELDS})
        return answer.decode(wire.Agreement)

    async def _above(self, agreements: Iterable[wire.Agreement]) -> list[wire.Agreement]:
        """Active parents that are not among them: a child may take its dates from its parent."""
        known = {each.id for each in agreements}
        parents = {
            each.parentAgreement.id
            for each in agreements
            if each.parentAgreement and each.parentAgreement.id
        }
        found = await together(self._agreement(id) for id in sorted(parents - known))
        return [each for each in found if each.agreementStatus == "Active"]

    async def _with_cycles(
        self, ask: Mapping[str, str]
    ) -> tuple[list[wire.Agreement], dict[int, wire.Cycle] | None]:
        return await self._agreements(ask), await self._cycles()

    async def _agreements(self, ask: Mapping[str, str]) -> list[wire.Agreement]:
        return await self.api.rows("/finance/agreements", wire.Agreement, params=ask, id_of=_id)

    async def _cycles(self) -> dict[int, wire.Cycle] | None:
        """None: this role may not read the table setup."""
        try:
            rows = await self.api.rows("/finance/billingCycles", wire.Cycle, id_of=_id)
        except Denied:
            return None
        return {each.id: each for each in rows}

    async def _reading(
        self,
        agreements: Iterable[wire.Agreement],
        cycles: dict[int, wire.Cycle] | None,
        left: int,
        above: Iterable[wire.Agreement] = (),
    ) -> Reading:
        """`left` agreements were not read; `above` are parents, known for their dates only."""
        found = Found()
        wanted = list(agreements)
        read_agreements(self.name, (*above, *wanted), cycles, self.settings, found)
        ids = {str(each.id) for each in wanted}
        found.agreements = [each for each in found.agreements if each.id in ids]
        told, done = current(), 0

        async def additions(id: str) -> list[wire.Addition]:
            nonlocal done
            ask = {"fields": wire.ADDITION_FIELDS}
            path = f"/finance/agreements/{id}/additions"
            rows = await self.api.rows(path, wire.Addition, params=ask, id_of=_id)
            done += 1
            told.done(self.name, "agreements", done, len(found.agreements))
            return rows

        lists = await together(additions(each.id) for each in found.agreements)
        for agreement, rows in zip(found.agreements, named(lists), strict=True):
            read_additions(agreement, rows, self.scope.products, self.settings, found)
        self.product_ids.update(found.product_ids)
        problems = [*found.notices, assumed(self.settings)]
        if cycles is None:
            problems.append("billing cycles may not be read: their names are taken at their word")
        if left:
            problems.append(f"{left} active agreements of companies outside the mapping: not read")
        return Reading.of(self.name, self.kind, found.agreements, found.segments, problems)

    def plan_write(self, change: Change) -> tuple[WriteStep, ...] | Refusal:
        """One call per change, two for a dated one. Quantities are absolute: to send one twice
        changes nothing more."""
        where, quantity = change.agreement_id, f"{plain(change.quantity):f}"
        if change.field == "create":
            return self._create(change)
        if change.dated:
            return self._dated(change)
        if change.field == "end":
            return (self._cancel(change, change.effective),)
        if change.field == "reopen":
            return (self._cancel(change, change.ends),)
        says = f"addition {change.line_id}: quantity {quantity}"
        return (WriteStep("patch", change.line_id, (("quantity", quantity),), says, where),)

    def _cancel(self, change: Change, day: date | None) -> WriteStep:
        """`day` is the first that is not billed; None takes an end back."""
        says = f"addition {change.line_id}: cancelled, not billed from {day}"
        if day is None:
            says = f"addition {change.line_id}: not cancelled"
        values = (("cancelledDate", self._last_day(day)),)
        return WriteStep("patch", change.line_id, values, says, change.agreement_id)

    def _last_day(self, day: date | None) -> str:
        """A first day that is not billed, as ConnectWise's `cancelledDate`; "" for none."""
        if day is not None and self.settings.cancelled_date == "last_day":
            day -= timedelta(days=1)
        return instant(day) if day is not None else ""

    def _dated(self, change: Change) -> tuple[WriteStep, ...] | Refusal:
        """Cancel the addition, then add its like with the new quantity."""
        line = change.observed
        if line is None or not line.agreement.prorate:
            return Refusal("DATED_NOT_SUPPORTED", "the agreement does not prorate")
        if line.effective is not None and line.effective >= change.effective:
            detail = f"the line itself begins on {line.effective}: nothing before it would be kept"
            return Refusal("DATED_NOT_SUPPORTED", detail)
        made = self._create(change)
        if isinstance(made, Refusal):
            return made
        cancel, restore = (self._cancel(change, day) for day in (change.effective, line.cancelled))
        left = (("cancelled", change.effective.isoformat()),)
        return (replace(cancel, leaves=left, back=(restore,)), *made)

    def _create(self, change: Change) -> tuple[WriteStep, ...] | Refusal:
        if change.unit_price is None:
            detail = f"a new line for {change.product} needs a price, and the mapping gives none"
            return Refusal("PRICE_UNKNOWN", detail)
        product_id = self.product_ids.get(change.product)
        if product_id is None and change.product.isdecimal():
            product_id = int(change.product)
        if product_id is None:
            return Refusal("PRODUCT_ID_UNKNOWN", f"no agreement that was read has {change.product}")
        price, quantity = f"{change.unit_price:f}", f"{plain(change.quantity):f}"
        like = change.observed if change.dated else None
        values = (
            ("product", str(product_id)),
            ("quantity", quantity),
            ("unitPrice", price),
            ("effectiveDate", instant(change.effective)),
            ("description", change.description),
            ("billCustomer", bill_customer(like.billing) if like else "Billable"),
            ("lessIncluded", f"{plain(like.included):f}" if like and like.included else ""),
            ("cancelledDate", self._last_day(like.cancelled) if like else ""),
        )
        says = (
            f"new addition on agreement {change.agreement_id}: {change.product}, quantity "
            f"{quantity} at {price} from {change.effective}"
        )
        return (WriteStep("post", "", values, says, change.agreement_id, creates=True),)


class ConnectWiseAdapter:
    """Opens `[psa.NAME]` with `kind = "connectwise"`."""

    capabilities = _CAPABILITIES

    def open(
        self, name: str, settings: Mapping[str, object], base: Path, scope: Scope = Scope()
    ) -> ConnectWiseReader:
        """Asks nothing yet. Raises InputError for settings that are wrong."""
        checked = plugins.check_settings(Settings, f"psa.{name}", settings)
        host = checked.url.partition("://")[2]
        return ConnectWiseReader(
            name=name,
            target=host,
            settings=checked,
            base=base,
            scope=scope,
            api=Api(name, checked, base),
        )

    def writer(self, reader: PsaReader) -> PsaWriter:
        """With the second key pair, if there is one."""
        if not isinstance(reader, ConnectWiseReader):
            raise TypeError("this writer is for readers of ConnectWise")
        if not reader.capabilities.writable:
            raise RefusedError([Problem("read-only", Place(reader.target), "it is read only")])
        return ConnectWiseWriter(Api(reader.name, reader.settings, reader.base, may_write=True))


def _id(row: wire.Agreement | wire.Addition | wire.Cycle | wire.Recap) -> str:
    return str(row.id)


adapter = ConnectWiseAdapter()
