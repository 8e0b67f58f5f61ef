"""Where a line stands: as the plan saw it, as it was meant to become, or on the way between.

A change of several steps passes through states that its steps declare (`WriteStep.leaves`). What
the PSA holds says which of them a line is in; a line in none of them was moved by somebody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import asdict, replace

from drybill.billing.agreement import Agreement, Segment, Status
from drybill.billing.change import Observed
from drybill.billing.looks import looks
from drybill.billing.proposal import observed
from drybill.billing.quantity import plain
from drybill.billing.row import Row
from drybill.psa.port import Reading

_STAMP = "updated_at"  # a PSA may move it with every write
_QUANTITIES = ("quantity", "included")
_MADE = "made"  # of a new line: "yes", or what it is instead of the one planned


class Standing(Struct, frozen=True):
    """One look at a row's line."""

    row: Row
    segment: Segment | None  # the line, or the new one once it is there
    moved: Mapping[str, str]  # field -> text, of all that is not as the plan saw it
    gone: str = ""  # one sentence, where nothing is left to compare

    @property
    def done(self) -> int | None:
        """How many steps the line says were taken; None: it is in no state of the plan's."""
        last = len(self.row.steps_to_write)
        return next((taken for taken in range(last + 1) if not self.against(taken)), None)

    @property
    def quantity(self) -> Decimal | None:
        return self.segment.quantity if self.segment else None

    def against(self, taken: int) -> str:
        """Every field that is not as it should be after so many steps; empty: all are."""
        return self.besides(_meant(self.row, taken), stamp=not taken)

    def besides(self, meant: Mapping[str, str], *, stamp: bool = False) -> str:
        """Every field that differs otherwise from what was observed than is meant; empty: none.

        A stamp counts only where nothing was written yet.
        """
        if self.gone:
            return self.gone
        found = {k: v for k, v in self.moved.items() if stamp or k != _STAMP}
        if _MADE in meant and _MADE not in found:
            return "the line is not there"
        seen = {k: _text(v, k) for k, v in _flat(self.row.observed).items()}
        return "; ".join(
            f"{name}: planned {_or_nothing(meant, seen, name)}, "
            f"found {_or_nothing(found, seen, name)}"
            for name in sorted({*meant, *found})
            if meant.get(name) != found.get(name)
        )


def standing(row: Row, reading: Reading, made: str = "") -> Standing:
    """What `reading`, which holds the row's agreement, says of its line.

    `made` is the id under which the PSA said that it made the new line, where it said so.
    """
    agreement = _agreement(row, reading)
    if agreement is None or row.observed is None:
        return Standing(row, None, {}, "the agreement is not there any more")
    now = replace(row.observed, agreement=agreement.terms)
    line = None
    if row.change != "create":
        wanted = row.observed.line_id
        line = next((s for s in _on_agreement(row, reading) if s.line_id == wanted), None)
        if line is None:
            return Standing(row, None, {}, f"line {row.line_id} is not there any more")
        now = observed(line, agreement.terms, row.observed.beside)
    moved = _differences(row.observed, now)
    if row.change == "create" or row.dated:
        new = _new(row, reading, made)
        if len(new) > 1:
            moved[_MADE] = f"several lines ({', '.join(sorted(s.line_id for s in new))})"
        elif new:
            line = new[0]
            moved[_MADE] = "yes" if _is_planned(row, line) else _shown(line)
    return Standing(row, line, moved)


def billed_elsewhere(row: Row, reading: Reading, *, ever: bool = False) -> str:
    """A line that bills the row's product besides those that the plan counted; empty: none. With
    `ever`, one that begins later, too: somebody may have repaired what a run left half-way.

    `reading` holds the agreement of a line, and all agreements of the client for one to create.
    """
    agreement = _agreement(row, reading)
    known = row.observed.beside if row.observed else ()
    if row.change == "create" and agreement is not None:
        return _billed_already(row, agreement, reading)
    for segment in _on_agreement(row, reading):
        other = segment.product == row.product and segment.line_id not in known
        over = (
            segment.cancelled is not None and row.effective and segment.cancelled <= row.effective
        )
        if other and (_bills(segment, row.effective) or (ever and not over)):
            return f"line {segment.line_id} bills this product, too"
    return ""


def _meant(row: Row, taken: int) -> Mapping[str, str]:
    """What is to differ from the observed line after so many steps."""
    if taken == 0:
        return {}
    if taken < len(row.steps_to_write):
        return dict(row.steps_to_write[taken - 1].leaves)
    if row.change == "create":
        return {_MADE: "yes"}
    if row.dated:
        return {"cancelled": _text(row.effective), _MADE: "yes"}
    if row.change == "end":
        return {"cancelled": _text(row.effective)}
    if row.change == "reopen":
        return {"cancelled": _text(row.ends)}
    return {"quantity": _text(row.quantity_after, "quantity")}


def _new(row: Row, reading: Reading, made: str) -> list[Segment]:
    """Lines that came since the plan and begin where the planned one does."""
    named = made or next((s.line_id for s in row.steps_to_write if s.line_id), "")
    known = row.observed.beside if row.observed else ()
    if row.change == "create" and named:
        return [
            segment
            for segment in _on_agreement(row, reading)
            if segment.line_id == named and _bills(segment, row.effective)
        ]
    return [
        segment
        for segment in _on_agreement(row, reading)
        if (segment.product, segment.effective) == (row.product, row.effective)
        and _bills(segment, row.effective)
        and segment.line_id not in known
        and made in ("", segment.line_id)
    ]


def _is_planned(row: Row, made: Segment) -> bool:
    if (made.product, made.quantity, made.unit_price, made.effective) != (
        row.product,
        row.quantity_after,
        row.unit_price,
        row.effective,
    ):
        return False
    like = row.observed if row.dated else None
    if like is None:
        return made.cancelled is None
    return (made.billing.value, made.included, made.cancelled) == (
        like.billing,
        like.included,
        like.cancelled,
    )


def _shown(made: Segment) -> str:
    quantity = _text(made.quantity, "quantity")
    return f"line {made.line_id}, quantity {quantity} at {_text(made.unit_price)}"


def _bills(segment: Segment, day: date | None) -> bool:
    """Whether a segment is there on the day from which a change holds."""
    if day is None:
        return True
    starts, ends = segment.effective, segment.cancelled
    return (starts is None or starts <= day) and (ends is None or ends > day)


def _over(segment: Segment, row: Row) -> bool:
    ends, day = segment.cancelled, row.effective
    return ends is not None and day is not None and ends <= day


def _billed_already(row: Row, agreement: Agreement, reading: Reading) -> str:
    """A line of the product on any agreement of the client: adopt, never duplicate."""
    own = {
        other.id
        for other in reading.agreements
        if other.company_id == agreement.company_id
        and other.status is Status.ACTIVE
        and not (other.end_date and row.effective and other.end_date < row.effective)
    }
    for segment in reading.segments:
        if segment.agreement_id in own and looks(segment.product) == looks(row.product):
            last = segment.cancelled
            if last is None or row.effective is None or last > row.effective:
                there = f" on agreement {segment.agreement_id}"
                where = there if segment.agreement_id != row.agreement_id else ""
                return f"line {segment.line_id} bills this product already{where}"
    return ""


def _differences(planned: Observed, found: Observed) -> dict[str, str]:
    """Every field that moved, with the text of the value found."""
    if planned == found:
        return {}
    from deepdiff import DeepDiff

    difference = DeepDiff(_flat(planned), _flat(found))
    moved: dict[str, str] = {}
    for kind in ("values_changed", "type_changes"):
        for path, change in difference.get(kind, {}).items():
            name = path.removeprefix("root['").removesuffix("']")
            moved[name] = _text(change["new_value"], name)
    return moved


def _flat(observed: Observed | None) -> dict[str, object]:
    if observed is None:
        return {}
    flat = {**asdict(observed), **asdict(observed.agreement)}
    del flat["agreement"]
    return {name: ", ".join(v) if isinstance(v, tuple) else v for name, v in flat.items()}


def _or_nothing(these: Mapping[str, str], seen: Mapping[str, str], name: str) -> str:
    return these.get(name, seen.get(name, "")) or "nothing"


def _text(value: object, name: str = "") -> str:
    """A quantity is compared without trailing zeros; a price is shown as it came."""
    if isinstance(value, Decimal):
        return f"{plain(value) if name in _QUANTITIES else value:f}"
    return "" if value is None else str(value)


def _agreement(row: Row, reading: Reading) -> Agreement | None:
    return next((each for each in reading.agreements if each.id == row.agreement_id), None)


def _on_agreement(row: Row, reading: Reading) -> list[Segment]:
    return [s for s in reading.segments if s.agreement_id == row.agreement_id]
