"""What every PSA adapter offers. Core code asks its `Capabilities`, never its kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from msgspec import Struct

from drybill.billing.agreement import Agreement, Segment
from drybill.billing.change import Change, ChangeField, Refusal, WriteStep
from drybill.billing.invoice import Witness
from drybill.billing.money import Rounding
from drybill.billing.usage import Receipt


class Capabilities(Struct, frozen=True):
    """What a PSA can do. What is not declared here is unsupported."""

    writable: frozenset[ChangeField] = frozenset()
    read_only_because: str = ""  # one sentence, where `writable` is empty
    # How a change is made: one call with the new number, one with the difference, or several calls
    # that only together make one change.
    write_form: Literal["absolute", "delta", "stepwise"] = "absolute"
    fractions: bool = False
    zero: bool = False
    minimum: Decimal = Decimal(0)  # smallest quantity of a line that is not 0
    dated_changes: bool = False
    preview: Literal["none", "amount", "lines"] = "none"  # what it says itself of next invoices
    rounding: Rounding = Rounding()
    # By what somebody else's edit between plan and write is seen, beside the values themselves.
    concurrency: Literal["none", "stamp", "content"] = "none"
    undo: bool = False  # whether what was written can be taken back by its opposite
    # Whether a line says who sets its quantity. Where it does, only a person's is written.
    ownership: bool = False
    not_projected: tuple[str, ...] = ()  # what its invoices may hold that drybill cannot know


class Scope(Struct, frozen=True):
    """What of a PSA the mapping can reach: where each agreement costs a request, others are left.

    `companies` None stands for all of them. `products` are the ids that the mapping gives, as
    text: a PSA with two kinds of ids says each product by the one that is named here.
    """

    companies: frozenset[str] | None = None
    products: frozenset[str] = frozenset()


class Reading(Struct, frozen=True):
    """Everything that is in scope of a run, and how complete it is."""

    agreements: tuple[Agreement, ...]
    segments: tuple[Segment, ...]
    receipt: Receipt
    witnesses: tuple[Witness, ...] = ()  # what the PSA itself says of its next invoices

    @classmethod
    def of(
        cls,
        source: str,
        kind: str,
        agreements: Iterable[Agreement],
        segments: Iterable[Segment],
        problems: Iterable[str] = (),
    ) -> Self:
        """All that was asked for, with the receipt that says so; `problems` are sentences."""
        agreements, segments = tuple(agreements), tuple(segments)
        names: dict[str, str] = {}
        for each in agreements:
            names[each.company_id] = each.company_name or names.get(each.company_id, "")
        receipt = Receipt(
            source=source,
            kind=kind,
            records=len(segments),
            customers=frozenset(names),
            names=tuple(sorted(names.items())),
            problems=tuple(problems),
        )
        return cls(agreements, segments, receipt)


class Probe(Struct, frozen=True):
    """One thing that was tried with a read: whether it works, and what came back."""

    what: str
    works: bool
    detail: str = ""


class Answer(Struct, frozen=True):
    """How a PSA answered one step. Only a read-back decides what really happened."""

    verdict: Literal["accepted", "rejected", "unknown"]
    detail: str = ""
    made: str = ""  # id of the line that the PSA says it made
    code: str = ""  # reason code of a rejection


class PsaWriter(Protocol):
    """Holds the PSA's write lock, and its connection, from `__aenter__` to `__aexit__`."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
        /,
    ) -> None: ...
    async def execute(self, step: WriteStep) -> Answer: ...


class PsaReader(Protocol):
    @property
    def name(self) -> str:
        """The mapping's name: "main"."""
        ...

    @property
    def kind(self) -> str: ...

    @property
    def target(self) -> str:
        """What a person recognises: a host, a file."""
        ...

    @property
    def instance(self) -> str:
        """Identity of the PSA itself, for locks and for counting writes."""
        ...

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def online(self) -> bool:
        """Whether reading asks a server."""
        ...

    async def probe(self) -> tuple[Probe, ...]:
        """What these keys may read, tried with reads alone. Raises UnreachableError for no host."""
        ...

    def session(self) -> AbstractAsyncContextManager[object]:
        """The connection that all reads below need. Raises InputError where a secret is missing."""
        ...

    async def read(self) -> Reading:
        """All agreements and lines in scope. Raises InputError or UnreachableError."""
        ...

    async def read_client(self, company_id: str) -> Reading:
        """The same for one company, never from a cache: has a line come that was to be created?"""
        ...

    async def read_lines(self, agreement_ids: frozenset[str]) -> Reading:
        """The same for some agreements, never from a cache: what apply compares with."""
        ...

    async def read_witnesses(self) -> tuple[Witness, ...]:
        """What the PSA says of its next invoices now, never from a cache; none where it says
        nothing."""
        ...

    def plan_write(self, change: Change) -> tuple[WriteStep, ...] | Refusal:
        """The steps that make a change, or why there are none. Pure."""
        ...


class PsaAdapter(Protocol):
    """What an entry point of the group `drybill.psa` names."""

    @property
    def capabilities(self) -> Capabilities:
        """The most that a reader of it may be able to do."""
        ...

    def open(
        self, name: str, settings: Mapping[str, object], base: Path, scope: Scope
    ) -> PsaReader:
        """A reader for `[psa.NAME]`. `base` is the mapping's folder. Raises InputError."""
        ...

    def writer(self, reader: PsaReader) -> PsaWriter:
        """Only `apply/` calls this. Raises RefusedError for a PSA that cannot be written."""
        ...
