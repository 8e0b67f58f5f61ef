"""AlgaPSA's reader: what it can do, what it reads, and the step that would make a change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
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
from drybill.psa.algapsa import wire
from drybill.psa.algapsa.api import Api
from drybill.psa.algapsa.reading import Billed, Directory, Found, read_lines, read_services
from drybill.psa.algapsa.settings import ASSUMED, Settings
from drybill.psa.algapsa.windows import invoiced, key_of, recurring
from drybill.psa.algapsa.witness import NO_SESSION, witnesses
from drybill.psa.algapsa.writing import AlgaPsaWriter
from drybill.psa.port import Capabilities, Probe, PsaReader, PsaWriter, Reading, Scope
from drybill.transport.errors import Denied, NotFound
from drybill.transport.progress import current
from drybill.transport.together import together

_WRITABLE: frozenset[ChangeField] = frozenset(("increase", "decrease"))
_CAPABILITIES = Capabilities(
    _WRITABLE,
    minimum=Decimal(1),
    preview="lines",
    concurrency="stamp",
    undo=True,
    not_projected=("tax", "discounts", "time", "metered usage", "materials", "credits"),
)


class AlgaPsaReader(Struct, frozen=True):
    """`[psa.NAME]` with `kind = "algapsa"`."""

    name: str
    target: str
    settings: Settings
    base: Path
    scope: Scope
    api: Api
    kind: str = "algapsa"
    online: bool = True
    capabilities: Capabilities = _CAPABILITIES
    billed: dict[str, Billed] = new_field(default_factory=dict)  # learnt while reading

    @property
    def instance(self) -> str:
        """Host, and tenant as far as the mapping names it. Raises InputError: no tenant there."""
        tenant = self.api.tenant()
        if not tenant:
            return f"algapsa:{self.target}"
        return f"algapsa:{self.target}:{sha256(tenant.casefold().encode()).hexdigest()[:16]}"

    async def probe(self) -> tuple[Probe, ...]:
        """Each kind of document that drybill reads, one row of it."""
        found: list[Probe] = []
        line = ""
        for what, path in (
            ("clients", "/clients"),
            ("contracts", "/contracts"),
            ("contract lines", "/client-contract-lines"),
            ("services on a line", ""),
            ("service catalog", "/services"),
            ("invoices", "/invoices"),
        ):
            if not path and not line:
                found.append(Probe(what, False, "no contract line to try it on"))
                continue
            try:
                at = path or f"/contract-lines/{line}/services"
                answer = await self.api.get(at, {"page": "1", "limit": "1"} if path else None)
            except (Denied, NotFound) as error:
                found.append(Probe(what, False, error.said))
                continue
            if what == "contract lines":
                rows = answer.decode(wire.ContractLines).data
                line = rows[0].contract_line_id if rows else ""
            found.append(Probe(what, True))
        if self.settings.credentials.session is None:
            found.append(Probe("preview", False, NO_SESSION))
        return tuple(found)

    def session(self) -> AbstractAsyncContextManager[object]:
        return self.api.open()

    async def read(self) -> Reading:
        """All contract lines of the mapping's clients, with their services and next windows."""
        left, found, reading = await self._of_clients()
        said = list(reading.receipt.problems)
        if left:
            said.append(f"{left} contract lines of clients outside the mapping: not read")
        told, missing = await self._witnesses(found)
        receipt = replace(reading.receipt, problems=(*said, *missing))
        return replace(reading, receipt=receipt, witnesses=told)

    async def read_witnesses(self) -> tuple[Witness, ...]:
        """A preview of each window that is next by now; none without a login."""
        if not self.api.previews:
            return ()
        _, found, _ = await self._of_clients()
        return (await self._witnesses(found))[0]

    async def _of_clients(self) -> tuple[int, Found, Reading]:
        """The contract lines of the mapping's clients, and how many others there are."""
        lines = await self._lines({})
        clients = self.scope.companies
        wanted = [line for line in lines if clients is None or line.client_id in clients]
        return len(lines) - len(wanted), *await self._reading(wanted, lines)

    async def _witnesses(self, found: Found) -> tuple[tuple[Witness, ...], list[str]]:
        """And why there are none, or fewer."""
        if self.settings.witness == "off":
            return (), []
        if not self.api.previews:
            return (), [NO_SESSION]
        return await witnesses(self.api, found)

    async def read_lines(self, agreement_ids: frozenset[str]) -> Reading:
        """Some contract lines, whatever their state is by now, each with its services."""
        ids = sorted({id.partition("@")[0] for id in agreement_ids})
        lists = await together(self._lines({"contract_line_id": id}) for id in ids)
        wanted = [line for rows in lists for line in rows if line.contract_line_id in ids]
        clients = sorted({line.client_id for line in wanted})
        around = await together(self._lines({"client_id": id}) for id in clients)
        _, reading = await self._reading(wanted, [line for rows in around for line in rows])
        return reading

    async def read_client(self, company_id: str) -> Reading:
        """A client's contract lines, with their services."""
        lines = await self._lines({"client_id": company_id})
        _, reading = await self._reading([e for e in lines if e.client_id == company_id], lines)
        return reading

    async def _lines(self, ask: Mapping[str, str]) -> list[wire.ContractLine]:
        return await self.api.rows(
            "/client-contract-lines", wire.ContractLine, params=ask, id_of=key_of
        )

    async def _reading(
        self, wanted: Sequence[wire.ContractLine], around: Iterable[wire.ContractLine]
    ) -> tuple[Found, Reading]:
        """`around` are the lines that invoices of the wanted ones' clients may stand for, too."""
        known = await self._directory(wanted, around)
        found = Found()
        read_lines(self.name, wanted, known, self.settings, found)
        told, done = current(), 0

        async def services(line: wire.ContractLine) -> list[wire.LineService]:
            nonlocal done
            answer = await self.api.get(f"/contract-lines/{line.contract_line_id}/services")
            done += 1
            told.done(self.name, "contract lines", done, len(found.lines))
            return answer.decode(wire.LineServices).data

        lists = await together(services(line) for line in found.lines)
        for agreement, line, rows in zip(found.agreements, found.lines, lists, strict=True):
            products = self.scope.products
            read_services(agreement, line, rows, products, known, self.settings, found)
        self.billed.update(found.billed)
        problems = (*found.notices, f"assumed: {'; '.join(ASSUMED)}")
        reading = Reading.of(self.name, self.kind, found.agreements, found.segments, problems)
        return found, reading

    async def _directory(
        self, wanted: Sequence[wire.ContractLine], around: Iterable[wire.ContractLine]
    ) -> Directory:
        """What the wanted lines refer to, and how far each is invoiced."""
        rows = self.api.rows
        clients = await rows("/clients", wire.Client, id_of=lambda each: each.client_id)
        contracts = await rows("/contracts", wire.Contract, id_of=lambda each: each.contract_id)
        catalog = await rows(
            "/services",
            wire.CatalogEntry,
            params={"item_kind": "any"},  # products, too: licences may be some
            id_of=lambda each: each.service_id,
        )
        try:
            invoices = await self.api.invoices()
        except Denied:
            invoices = None
        lines: dict[str, list[wire.ContractLine]] = {}
        assigned: dict[str, set[str]] = {}
        for line in {key_of(line): line for line in (*around, *wanted)}.values():
            lines.setdefault(line.client_id, []).append(line)
            assigned.setdefault(line.contract_line_id, set()).add(line.client_id)
        issued = recurring(invoices or ())
        of_client = sorted({line.client_id for line in wanted})
        until = await together(
            invoiced(lines[id], issued.get(id, ()), self._charges) for id in of_client
        )
        return Directory(
            clients={each.client_id: each for each in clients},
            contracts={each.contract_id: each for each in contracts},
            catalog={each.service_id: each for each in catalog},
            invoiced=dict(zip(of_client, until, strict=True)),
            assigned=assigned,
            issues=invoices is not None,
        )

    async def _charges(self, invoice: str) -> list[wire.Charge]:
        return (await self.api.get(f"/invoices/{invoice}/items")).decode(wire.Charges).data

    def plan_write(self, change: Change) -> tuple[WriteStep, ...] | Refusal:
        """One PUT of the quantity: absolute, at once, and for all that is not invoiced yet."""
        billed = self.billed.get(change.line_id)
        if billed is None:
            return Refusal("CHANGE_NOT_SUPPORTED", f"{change.line_id} was not read")
        if billed.refusal is not None:
            return billed.refusal
        if change.effective > billed.next_period_start:
            said = f"a change would hold from {billed.next_period_start} on, the periods before too"
            return Refusal("CHANGE_NOT_SUPPORTED", said)
        quantity = f"{plain(change.quantity):f}"
        values = (("service_id", billed.service_id), ("quantity", quantity))
        says = f"{billed.says}: quantity {quantity}"
        return (WriteStep("put", change.line_id, values, says, change.agreement_id),)


class AlgaPsaAdapter:
    """Opens `[psa.NAME]` with `kind = "algapsa"`."""

    capabilities = _CAPABILITIES

    def open(
        self, name: str, settings: Mapping[str, object], base: Path, scope: Scope = Scope()
    ) -> AlgaPsaReader:
        """Asks nothing yet. Raises InputError for settings that are wrong."""
        checked = plugins.check_settings(Settings, f"psa.{name}", settings)
        return AlgaPsaReader(
            name=name,
            target=checked.url.partition("://")[2],
            settings=checked,
            base=base,
            scope=scope,
            api=Api(name, checked, base),
        )

    def writer(self, reader: PsaReader) -> PsaWriter:
        """With the second key, if there is one."""
        if not isinstance(reader, AlgaPsaReader):
            raise TypeError("this writer is for readers of AlgaPSA")
        if not reader.capabilities.writable:
            raise RefusedError([Problem("read-only", Place(reader.target), "it is read only")])
        return AlgaPsaWriter(Api(reader.name, reader.settings, reader.base, may_write=True))


adapter = AlgaPsaAdapter()
