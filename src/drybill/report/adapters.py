"""The PSA adapters, side by side: what each can do. What is not said is not supported."""

from __future__ import annotations

from collections.abc import Mapping, Set
from decimal import Decimal
from typing import Protocol

from drybill.report.layout import Sheet
from drybill.report.words import clean

_SWITCHES = ("increase", "decrease", "create", "end")
_FORMS = {
    "absolute": "one call with the new number",
    "delta": "one call with the difference",
    "stepwise": "several calls that together make one change",
}
_SEEN_BY = {
    "none": "",
    "stamp": ", and a stamp of its last change",
    "content": ", and the whole file",
}
_FIGURES = {
    "none": "says nothing of its next invoices",
    "amount": "says an amount for its next invoices",
    "lines": "says its next invoices line by line",
}


class Capabilities(Protocol):
    @property
    def writable(self) -> Set[str]: ...
    @property
    def write_form(self) -> str: ...
    @property
    def fractions(self) -> bool: ...
    @property
    def zero(self) -> bool: ...
    @property
    def minimum(self) -> Decimal: ...
    @property
    def dated_changes(self) -> bool: ...
    @property
    def preview(self) -> str: ...
    @property
    def rounding(self) -> Rounding: ...
    @property
    def concurrency(self) -> str: ...
    @property
    def ownership(self) -> bool: ...
    @property
    def not_projected(self) -> tuple[str, ...]: ...


class Rounding(Protocol):
    @property
    def point(self) -> str: ...


def render_adapters(found: Mapping[str, Capabilities | str], width: int) -> str:
    """One paragraph a kind; a text stands for an adapter that cannot be loaded."""
    sheet = Sheet(width)
    for kind, able in found.items():
        sheet.prose(f'kind = "{clean(kind)}"')
        if isinstance(able, str):
            sheet.prose(clean(able), "  ", "    ")
            continue
        for name, says in _said(able):
            sheet.prose(clean(says), f"  {name:<11} ", " " * 14)
    return sheet.plain


def _said(able: Capabilities) -> list[tuple[str, str]]:
    switches = [name for name in _SWITCHES if name in able.writable]
    dated = ["dated changes"] if able.dated_changes else []
    undone = ["an undone end"] if "reopen" in able.writable else []
    quantities = ["fractions" if able.fractions else "whole numbers"]
    quantities += ["0"] if able.zero else ["never 0"]
    quantities += [f"at least {able.minimum:f}"] if able.minimum else []
    found = [("writes", ", ".join([*switches, *dated, *undone]) or "nothing")]
    if switches:
        found.append(("by", _FORMS[able.write_form]))
    found += [
        ("quantities", ", ".join(quantities)),
        ("rounds", f"at the {able.rounding.point.replace('_', ' ')}"),
        ("edits", f"are seen by the values{_SEEN_BY[able.concurrency]}"),
        ("itself", _FIGURES[able.preview]),
    ]
    if able.ownership:
        found.append(("owners", "are visible: only quantities that a person sets are written"))
    if able.not_projected:
        found.append(("not known", ", ".join(able.not_projected)))
    return found
