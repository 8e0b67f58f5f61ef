"""Matching: which agreement a product belongs on, and which lines bill it there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from msgspec import Struct
from msgspec import field as new_field

from drybill.billing.agreement import Agreement, Cycle, Segment, Status
from drybill.billing.looks import looks
from drybill.billing.period import Period, period_from
from drybill.billing.policy import Client, Policy, Product, Role
from drybill.billing.projection import covering, in_force
from drybill.billing.row import Reason

# Segments of one line in the order of their dates, each touching the next.
Chain = tuple[Segment, ...]


class Line(Struct, frozen=True):
    """One recurring item of an agreement: a product's segments that cover the projected period."""

    segments: Chain
    slot: str = ""
    earlier: Chain = ()  # touching segments that ended before the period

    @property
    def last(self) -> Segment:
        """The last active segment: what the line bills now and what a change acts on."""
        return self.segments[-1]

    @property
    def id(self) -> str:
        return "+".join(segment.line_id for segment in self.segments)


class Contract(Struct):
    """An agreement with the period that is projected and its lines by PSA product."""

    agreement: Agreement
    period: Period
    running: Period  # the days of the period on which the agreement itself runs
    company: list[tuple[Agreement, list[Segment]]]  # all that this company has signed, ended too
    lines: dict[str, tuple[Line, ...]] = new_field(default_factory=dict)
    ended: dict[str, tuple[Chain, ...]] = new_field(default_factory=dict)  # before the period
    later: dict[str, Segment] = new_field(default_factory=dict)  # products whose line starts later


def contracts(
    agreements: Iterable[Agreement],
    segments: Iterable[Segment],
    chosen_period: date | None = None,
    slots: Mapping[tuple[str, str], str] | None = None,
) -> dict[tuple[str, str], Contract]:
    """Every agreement that has an invoice to come, by (psa, id), with its lines.

    One-time, inactive and ended agreements are left out: nothing of them is projected.
    `slots` names lines by (agreement id, line id), see `[[lines]]`.
    """
    found: dict[tuple[str, str], Contract] = {}
    by_agreement: dict[str, list[Segment]] = {}
    for segment in segments:
        by_agreement.setdefault(segment.agreement_id, []).append(segment)
    by_company: dict[tuple[str, str], list[tuple[Agreement, list[Segment]]]] = {}
    for agreement in agreements:
        company = by_company.setdefault((agreement.psa, agreement.company_id), [])
        company.append((agreement, by_agreement.get(agreement.id, [])))
        if _unprojected(agreement) or agreement.status is not Status.ACTIVE:
            continue
        period = period_from(agreement, agreement.next_period_start)
        while chosen_period is not None and period.start < chosen_period:
            period = period_from(agreement, period.end)
        if chosen_period is not None and period.start != chosen_period:
            period = period_from(agreement, agreement.next_period_start)
        running = in_force(agreement, period)
        if running is None:
            continue
        contract = Contract(agreement, period, running, company)
        by_product: dict[str, list[Segment]] = {}
        for segment in by_agreement.get(agreement.id, ()):
            by_product.setdefault(segment.product, []).append(segment)
        for product, items in by_product.items():
            if len(items) == 1 and items[0].effective is None and items[0].cancelled is None:
                contract.lines[product] = (Line((items[0],)),)
                continue
            lines, ended = _lines(items, contract, slots or {})
            if ended:
                contract.ended[product] = ended
            if lines:
                contract.lines[product] = lines
                continue
            later = [s for s in items if s.effective is not None and s.effective >= period.end]
            if later:
                contract.later[product] = min(later, key=lambda s: (s.effective, s.line_id))
        found[agreement.psa, agreement.id] = contract
    return found


def _unprojected(agreement: Agreement) -> bool:
    return agreement.cycle is Cycle.ONE_TIME or bool(agreement.unprojected)


def billed_unprojected(contract: Contract, product_id: str) -> str:
    """A line of the product that bills the client on an agreement of which no invoice is
    projected; empty: there is none."""
    now = contract.running.start
    for agreement, segments in contract.company:
        ended = agreement.end_date is not None and agreement.end_date < now
        if ended or agreement.status is not Status.ACTIVE or not _unprojected(agreement):
            continue
        for segment in segments:
            over = segment.cancelled is not None and segment.cancelled <= now
            if looks(segment.product) == looks(product_id) and not over:
                return f"line {segment.line_id} on agreement {agreement.id}"
    return ""


def _lines(
    items: list[Segment], contract: Contract, slots: Mapping[tuple[str, str], str]
) -> tuple[tuple[Line, ...], tuple[Chain, ...]]:
    """The lines of one product on one agreement, and those that ended before the period.

    Segments with touching dates are one line.
    """
    agreement, running = contract.agreement, contract.running
    if len(items) == 1 and covering(items, running):
        return (Line((items[0],)),), ()
    chains: list[list[Segment]] = []
    for segment in sorted(items, key=_by_date):
        touching = next(
            (c for c in chains if segment.effective and c[-1].cancelled == segment.effective), None
        )
        if touching is None:
            chains.append([segment])
        else:
            touching.append(segment)
    active = [(c, chain) for chain in chains if (c := covering(chain, running))]
    active.sort(key=lambda pair: _by_date(pair[0][0]))
    ended = tuple(
        tuple(chain)
        for chain in chains
        if chain[-1].cancelled is not None and chain[-1].cancelled <= running.start
    )
    if len(active) == 1:
        return (_line(*active[0], ""),), ended
    names = [  # of the whole chain: a line keeps its name when a dated change replaces it
        next((name for s in chain if (name := slots.get((agreement.id, s.line_id)))), "")
        for _, chain in active
    ]
    lines = []
    for rank, (name, (now, chain)) in enumerate(zip(names, active, strict=True), start=1):
        # A name that looks like a rank must not be taken for another line's rank.
        slot = name or (f"#{rank}" if str(rank) in names else str(rank))
        lines.append(_line(now, chain, slot))
    return tuple(lines), ended


def _line(now: list[Segment], chain: list[Segment], slot: str) -> Line:
    return Line(tuple(now), slot, tuple(chain[: chain.index(now[0])]))


def _by_date(segment: Segment) -> tuple[date, str]:
    return segment.effective or date.min, segment.line_id


class Agreements(Struct):
    """Finds the agreement of a client for a product, by the roles of the mapping."""

    policy: Policy
    by_client: dict[tuple[str, str], list[Contract]]
    _found: dict[tuple[str, str, str | None], Contract | Reason] = new_field(default_factory=dict)

    def find(self, client: Client, product: Product) -> Contract | Reason:
        """The one agreement of that client for that product's role, or why there is none."""
        key = (client.psa, client.id, product.role)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._search(client, product.role)
        return found

    def _search(self, client: Client, role_name: str | None) -> Contract | Reason:
        own = self.by_client.get((client.psa, client.id), [])
        role = self.policy.roles.get(role_name) if role_name else None
        named = client.agreements.get(role_name or "")
        if named is not None:
            for contract in own:
                if contract.agreement.id == named:
                    return _fits(contract, role)
            return Reason(
                "AGREEMENT_NOT_FOUND", f"{named} is not an active agreement of {client.id}"
            )
        fitting = [c for c in own if role is None or _matches(c.agreement, role)]
        if len(fitting) == 1:
            return fitting[0]
        if len(fitting) > 1:
            candidates = sorted(c.agreement.id for c in fitting)
            return Reason(
                "AGREEMENT_AMBIGUOUS",
                f"{_role(role_name)}: {', '.join(candidates)}",
                (role_name or "", *candidates),
            )
        if role is not None and role.fallback:
            return self._search(client, role.fallback)
        return Reason("AGREEMENT_NOT_FOUND", _role(role_name), (role_name or "",))


def _role(name: str | None) -> str:
    return f"role {name}" if name else "no role"


def _fits(contract: Contract, role: Role | None) -> Contract | Reason:
    """An agreement that a client names must still have the cycle that its role asks for."""
    if role is not None and role.cycle is not None and role.cycle is not contract.agreement.cycle:
        return Reason(
            "CYCLE_MISMATCH",
            f"{contract.agreement.id} is {contract.agreement.cycle}, role {role.name} asks for "
            f"{role.cycle}",
        )
    return contract


def _matches(agreement: Agreement, role: Role) -> bool:
    if role.cycle is not None and role.cycle is not agreement.cycle:
        return False
    return not role.types or any(
        agreement.type_id == kind if isinstance(kind, int) else agreement.type == kind
        for kind in role.types
    )
