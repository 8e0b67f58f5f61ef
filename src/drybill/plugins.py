"""Adapters that installed packages offer, by entry point group and kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from drybill.errors import InputError, Place, Problem
from drybill.tabular import nearest

if TYPE_CHECKING:
    from pydantic import BaseModel

Checked = TypeVar("Checked", bound="BaseModel")


def kinds(group: str) -> tuple[str, ...]:
    """The kinds that a table may name, sorted: the built-in one and the installed ones."""
    from importlib.metadata import entry_points

    return tuple(sorted({"files", *(point.name for point in entry_points(group=group))}))


def check_settings(model: type[Checked], table: str, settings: Mapping[str, object]) -> Checked:
    """A table's settings as a pydantic model of the adapter.

    Raises:
        InputError: with everything that is wrong in it at once.
    """
    from pydantic import ValidationError

    try:
        return model.model_validate(dict(settings))
    except ValidationError as error:
        where = Place(f"[{table}]")
        problems = []
        for found in error.errors(include_url=False, include_input=False):
            key = ".".join(str(part) for part in found["loc"])
            if found["type"] == "extra_forbidden":
                known = [field.alias or name for name, field in model.model_fields.items()]
                fix = nearest(key, known)
                problems.append(
                    Problem("setting-unknown", where, f"`{key}` is not a setting here", fix)
                )
            elif found["type"] == "missing":
                problems.append(Problem("setting-missing", where, f"`{key}` is missing"))
            else:
                said = found["msg"].removeprefix("Value error, ")
                problems.append(Problem("setting-wrong", where, f"`{key}`: {said}"))
        raise InputError(problems) from None


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
