"""The files PSA's adapter: settings, what it can do, and the steps that would make a change."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from itertools import chain, count
from pathlib import Path

from msgspec import Struct
from msgspec import field as new_field
from msgspec.structs import replace

from drybill.billing.change import Change, ChangeField, Refusal, WriteStep
from drybill.billing.invoice import Witness
from drybill.billing.quantity import plain
from drybill.errors import Place, Problem, RefusedError
from drybill.psa.files.reading import read_tables
from drybill.psa.files.writing import FilesWriter
from drybill.psa.port import Capabilities, Probe, PsaReader, PsaWriter, Reading, Scope
from drybill.tabular import Problems, nearest

_SETTINGS = ("kind", "agreements", "lines", "currency", "witness")
_WRITABLE: frozenset[ChangeField] = frozenset(("increase", "decrease", "create", "end", "reopen"))
_DAY_OF = {"create": "effective_date", "end": "cancelled_date", "reopen": "cancelled_date"}
_CAPABILITIES = Capabilities(
    _WRITABLE,
    fractions=True,
    zero=True,
    concurrency="content",
    undo=True,
    not_projected=("tax", "time", "expenses", "one-off products"),
)


class FilesReader(Struct, frozen=True):
    """A PSA kept in two tables."""

    name: str
    target: str
    instance: str
    capabilities: Capabilities
    agreements: tuple[Path, str]  # path, and the name in messages
    lines: tuple[Path, str]
    currency: str
    kind: str = "files"
    online: bool = False
    columns: set[str] = new_field(default_factory=set)  # of the lines file, once it was read
    ids: set[str] = new_field(default_factory=set)  # of all lines, once they were read

    async def probe(self) -> tuple[Probe, ...]:
        """Reading the files is all that there is to try."""
        return ()

    def session(self) -> AbstractAsyncContextManager[object]:
        """Files need no connection."""
        return nullcontext()

    async def read(self) -> Reading:
        """Both tables, checked. Raises InputError with everything that is wrong in them."""
        return self._read(None)

    async def read_lines(self, agreement_ids: frozenset[str]) -> Reading:
        """The same for some agreements, from the files as they are now."""
        return self._read(agreement_ids)

    async def read_client(self, company_id: str) -> Reading:
        """The same for one company, from the files as they are now."""
        everything = self._read(None)
        ids = frozenset(a.id for a in everything.agreements if a.company_id == company_id)
        return self._read(ids)

    def _read(self, wanted: frozenset[str] | None) -> Reading:
        tables = read_tables(self.name, self.agreements, self.lines, self.currency)
        self.columns.update(tables.line_columns)
        self.ids.update(segment.line_id for segment in tables.segments)
        agreements = [a for a in tables.agreements if wanted is None or a.id in wanted]
        segments = [s for s in tables.segments if wanted is None or s.agreement_id in wanted]
        return Reading.of(self.name, self.kind, agreements, segments, tables.notices)

    async def read_witnesses(self) -> tuple[Witness, ...]:
        """Tables say nothing of invoices."""
        return ()

    def plan_write(self, change: Change) -> tuple[WriteStep, ...] | Refusal:
        """One step per change: new cells in a line, or a new line."""
        if change.field not in self.capabilities.writable:
            return Refusal("PSA_READ_ONLY", self.capabilities.read_only_because)
        dated = _DAY_OF.get(change.field)
        if dated and self.columns and dated not in self.columns:
            return Refusal("PSA_COLUMN_MISSING", f"{self.target} has no column `{dated}`")
        quantity = f"{plain(change.quantity):f}"
        day = change.effective.isoformat()
        if change.field == "create":
            return self._create(change, quantity, day)
        if change.field == "end":
            says = f"line {change.line_id}: cancelled on {day}"
            return (WriteStep("set", change.line_id, (("cancelled_date", day),), says),)
        if change.field == "reopen":
            day = change.ends.isoformat() if change.ends else ""
            says = f"line {change.line_id}: {f'cancelled on {day}' if day else 'not cancelled'}"
            return (WriteStep("set", change.line_id, (("cancelled_date", day),), says),)
        says = f"line {change.line_id}: quantity {quantity}"
        return (WriteStep("set", change.line_id, (("quantity", quantity),), says),)

    def _free(self, name: str) -> str:
        """An id of the row: a create that is repeated is found, not doubled; one that comes after
        such a line was ended gets the next."""
        others = (f"{name}-{number}" for number in count(2))
        return next(id for id in chain((name,), others) if id not in self.ids)

    def _create(self, change: Change, quantity: str, day: str) -> tuple[WriteStep, ...] | Refusal:
        if change.unit_price is None:
            detail = f"a new line for {change.product} needs a price, and the mapping gives none"
            return Refusal("PRICE_UNKNOWN", detail)
        line_id = self._free(f"drybill-{change.row}")
        price = f"{change.unit_price:f}"
        values: tuple[tuple[str, str], ...] = (
            ("agreement_id", change.agreement_id),
            ("product", change.product),
            ("quantity", quantity),
            ("unit_price", price),
            ("effective_date", day),
        )
        if change.description and "description" in self.columns:
            values += (("description", change.description),)
        says = (
            f"new line {line_id} on agreement {change.agreement_id}: "
            f"{change.product}{_called(values)}, quantity {quantity} at {price} from {day}"
        )
        return (WriteStep("append", line_id, values, says),)


def _called(values: tuple[tuple[str, str], ...]) -> str:
    """What the client will read, where it is written."""
    return "".join(f' "{text}"' for name, text in values if name == "description")


class FilesAdapter:
    """Opens `[psa.NAME]` with `kind = "files"`."""

    capabilities = _CAPABILITIES

    def open(
        self, name: str, settings: Mapping[str, object], base: Path, scope: Scope = Scope()
    ) -> FilesReader:
        """Reads no file yet, and later all of both, whatever the scope.

        Raises InputError for settings that are wrong.
        """
        table, problems = Place(f"[psa.{name}]"), Problems()
        for key in settings:
            if key not in _SETTINGS:
                fix = nearest(key, _SETTINGS)
                problems.add("setting-unknown", table, f"`{key}` is not a setting here", fix)
        found: dict[str, str] = {}
        for key in ("agreements", "lines", "currency"):
            value = settings.get(key, "")
            if not isinstance(value, str) or not (value or key == "currency"):
                fix = 'write for example currency = "USD"'
                if key != "currency":
                    fix = f'name a file, relative to the mapping: {key} = "{key}.csv"'
                problems.add("setting-wrong", table, f"`{key}` must be a text", fix)
            else:
                found[key] = value
        _check_currency(found.get("currency", ""), table, problems)
        path, instance = base / found.get("lines", ""), ""
        try:
            instance = f"files:{path.resolve()}"
        except (OSError, ValueError, RuntimeError):  # a NUL in the name, links in a circle
            problems.add("setting-wrong", table, "`lines` is not the path of a file")
        problems.raise_any()
        agreements, lines = found["agreements"], found["lines"]
        return FilesReader(
            name=name,
            target=lines,
            instance=instance,
            capabilities=_capabilities(lines),
            agreements=(base / agreements, agreements),
            lines=(path, lines),
            currency=found["currency"],
        )

    def writer(self, reader: PsaReader) -> PsaWriter:
        """Raises RefusedError for a table that is read only."""
        if not isinstance(reader, FilesReader):
            raise TypeError("this writer is for readers of the files PSA")
        if not reader.capabilities.writable:
            summary = reader.capabilities.read_only_because
            raise RefusedError([Problem("read-only", Place(reader.target), summary)])
        return FilesWriter(*reader.lines)


def _capabilities(lines: str) -> Capabilities:
    if Path(lines).suffix.lower() in (".csv", ".tsv"):
        return _CAPABILITIES
    why = f"only .csv and .tsv files can be changed in place, and the lines are in `{lines}`"
    return replace(_CAPABILITIES, writable=frozenset(), read_only_because=why)


def _check_currency(currency: str, where: Place, problems: Problems) -> None:
    from drybill.billing.money import UnknownCurrency, minor_units

    if not currency:
        return
    try:
        minor_units(currency)
    except UnknownCurrency as error:
        problems.add("currency-unknown", where, str(error), "use an ISO 4217 code such as USD")


adapter = FilesAdapter()
