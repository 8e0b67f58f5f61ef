"""Adapters that installed packages offer, by entry point group and kind."""

from __future__ import annotations

from collections.abc import Mapping

from drybill.errors import InputError, Place, Problem
from drybill.tabular import nearest


def kinds(group: str) -> tuple[str, ...]:
    """The kinds that a table may name, sorted: the built-in one and the installed ones."""
    from importlib.metadata import entry_points

    return tuple(sorted({"files", *(point.name for point in entry_points(group=group))}))


def find(group: str, table: str, settings: Mapping[str, object]) -> object:
    """What an installed package offers for the kind of a table such as `psa.main`.

    Raises:
        InputError: for a kind that is not installed, or that cannot be loaded.
    """
    from importlib.metadata import entry_points

    kind, where = settings.get("kind"), Place(f"[{table}]")
    for point in entry_points(group=group):
        if point.name == kind:
            try:
                return point.load()
            except (ImportError, AttributeError) as error:
                summary = f"the adapter `{kind}` cannot be loaded: {error}"
                fix = f"install {point.value.partition(':')[0].partition('.')[0]} again"
                raise InputError([Problem("adapter-broken", where, summary, fix)]) from None
    if not isinstance(kind, str):
        summary, fix = "`kind` is missing", f"name one of {', '.join(kinds(group))}"
    else:
        summary = f"no adapter for the kind `{kind}` is installed"
        fix = f"installed are {', '.join(kinds(group))}; {nearest(kind, kinds(group))}"
    raise InputError([Problem("kind-unknown", where, summary, fix)])
