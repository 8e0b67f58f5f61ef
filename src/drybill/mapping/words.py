"""Says in plain words what pydantic found wrong with a table of the mapping."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from drybill.mapping.findings import Findings, entry, nearest, one_of
from drybill.mapping.positions import Path

if TYPE_CHECKING:
    from pydantic import ValidationError

    from drybill.mapping.model import Table

Model = TypeVar("Model", bound="Table")

_SHAPES = {
    "string_type": ("must be a text in quotes", ""),
    "bool_type": ("must be true or false", "without quotes, in lower case"),
    "list_type": ("must be a list", "write it in [ ], and a list of tables as [[name]]"),
    "dict_type": ("must be a table", "write it in { }, or as a [table] of its own"),
    "model_type": ("must be a table", "write it in { }, or as a [table] of its own"),
    "date_type": ("must be a day", "write it without quotes: 2027-01-31"),
    "date_from_datetime_inexact": ("must be a day without a time", "for example 2027-01-31"),
}


def read(model: type[Model], value: Any, path: Path, findings: Findings) -> Model | None:
    """The checked table; None where it is wrong, everything wrong with it being in `findings`."""
    from pydantic import ValidationError

    try:
        return model.model_validate(value)
    except ValidationError as error:
        report(error, model, path, findings)
        return None


def report(error: ValidationError, model: type[Table], path: Path, findings: Findings) -> None:
    for detail in error.errors(include_url=False):
        where = (*path, *detail["loc"])
        kind = detail["type"]
        if kind == "missing":
            key = str(where[-1])
            inside = entry(where[:-1]) if where[:-1] else "the mapping"
            findings.error("missing-key", where[:-1], f"{inside} needs `{key}`", key=True)
        elif kind == "extra_forbidden":
            _unknown_key(where, detail["loc"], model, findings)
        elif where[-1:] == ("[key]",):
            says, fix = _says(detail, str(where[-2]))
            findings.error(kind, where[:-1], f"{entry(where[:-1])} {says}", fix, key=True)
        else:
            secret = any("credentials" in str(step) for step in where)
            says, fix = _says(detail, _Hidden() if secret else detail["input"])
            at_key = kind in ("from-code", "rule", "exception", "writes-scope")
            findings.error(_code(kind), where, f"{entry(where)} {says}", fix, key=at_key)


def _code(kind: str) -> str:
    return {"literal_error": "not-a-choice", "enum": "not-a-choice"}.get(
        kind, "wrong-type" if kind in _SHAPES else kind
    )


def _says(detail: Any, value: Any) -> tuple[str, str]:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in ("literal_error", "enum"):
        choices = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        near = nearest(value, choices) if isinstance(value, str) else None
        fix = f"did you mean `{near}`?" if near else ""
        return f"is {_shown(value)}, which is not one of {', '.join(choices)}", fix
    if kind in _SHAPES:
        says, fix = _SHAPES[kind]
        return f"{says}, not {_shown(value)}", fix
    says = str(context.get("says", detail["msg"]))
    if kind in ("fraction", "not-a-number", "not-a-row") and not isinstance(value, dict | list):
        says = f"{says}: {_shown(value)}"
    return says, str(context.get("fix", ""))


def _unknown_key(where: Path, loc: Path, model: type[Table], findings: Findings) -> None:
    known = _keys(model, loc[:-1])
    near = nearest(str(where[-1]), known)
    inside = f" in {entry(where[:-1])}" if where[:-1] else ""
    fix = f"did you mean `{near}`?" if near else f"known here: {one_of(known)}" if known else ""
    summary = f"unknown key `{where[-1]}`{inside}"
    findings.error("unknown-key", where, summary, fix, key=True)


def _keys(model: Any, loc: Path) -> list[str]:
    """The keys that the table at `loc` inside a model has."""
    for step in loc:
        if isinstance(step, str) and hasattr(model, "model_fields"):
            by_name = {field.alias or name: field for name, field in model.model_fields.items()}
            if step in by_name:
                model = _model_of(by_name[step].annotation)
    fields = getattr(model, "model_fields", {})
    return [field.alias or name for name, field in fields.items()]


def _model_of(annotation: Any) -> Any:
    """The table class somewhere inside `list[X]` or `X | None`."""
    if hasattr(annotation, "model_fields"):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_of(inner)
        if found is not None:
            return found
    return None


class _Hidden:
    """Stands for a value that may be a secret."""

    def __str__(self) -> str:
        return "what stands here"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, int) and abs(value) > 10**30:
        return "a huge number"
    if isinstance(value, str):
        return f'"{value[:40]}{"..." if len(value) > 40 else ""}"'
    return f"{value}" if isinstance(value, Decimal | int) else str(value)[:40]
