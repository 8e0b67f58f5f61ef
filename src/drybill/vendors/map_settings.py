"""The keys of a files vendor, checked: where its usage stands, and by which column map."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from importlib import resources
from typing import Any, cast

from msgspec import Struct
from msgspec import field as new_field

from drybill.errors import Place
from drybill.tabular import Dialect, Problems, nearest, values
from drybill.vendors.column_map import ColumnMap, Conditions
from drybill.vendors.columns import AT, COLUMNS
from drybill.vendors.sums import Footer, Rounding, RowCheck

_OWN = ("kind", "usage", "format", "measure")
_MAP: dict[str, Any] = {
    "columns": {},
    "constants": {},
    "values": {},
    "dates": [],
    "period_end": "exclusive",
    "decimal": ".",
    "thousands": "",
    "parentheses": False,
    "encoding": "utf-8",
    "delimiter": "",
    "sheet": "",
    "header_row": 1,
    "skip_rows": 0,
    "keep": [],
    "drop": [],
    "footer": {},
    "check": {},
    "negatives": "",
    "latest_per": [],
}
_KINDS = {
    str: "a text",
    int: "a whole number",
    bool: "`true` or `false`",
    dict: "a table",
    list: "a list",
}
_FOOTER = ("column", "text", "total_of")
_CHECK = ("unit", "quantity", "equals", "rate", "rounding", "tolerance")


class FileSettings(Struct, frozen=True):
    usage: tuple[str, ...]  # paths relative to the mapping, as written
    measure: str
    map: ColumnMap | None  # None: the plain file


def formats() -> tuple[str, ...]:
    """The names of the ready-made column maps, sorted."""
    folder = resources.files("drybill.vendors") / "maps"
    names = (each.name for each in folder.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def read_settings(name: str, settings: Mapping[str, object]) -> FileSettings:
    """`[vendors.NAME]` of a files vendor. Raises InputError with everything that is wrong."""
    check = _Settings(Place(f"[vendors.{name}]"), {})
    own = {key: value for key, value in settings.items() if key in _OWN}
    table = {key: value for key, value in settings.items() if key not in _OWN}
    usage = own.get("usage")
    files: list[Any] = list(usage) if isinstance(usage, (list, tuple)) else [usage]
    if not files or not all(isinstance(file, str) and file for file in files):
        check.wrong("`usage` must name a file, or a list of files", 'usage = "usage.csv"')
        files = []
    measure = own.get("measure", "")
    if not isinstance(measure, str):
        check.wrong("`measure` must be a text", 'measure = "invoice"')
    if "format" in own:
        table = _merged(check.ready_made(own["format"]), table)
    check.table = table
    by_map = check.column_map() if table else None
    check.problems.raise_any()
    return FileSettings(tuple(files), str(measure), by_map)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged key by key; everything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(under, dict) and isinstance(value, dict):
            value = _merged(under, value)  # noqa: PLW2901
        merged[key] = value
    return merged


def _is_pattern(pattern: str) -> bool:
    """Whether strptime takes it: with a year, no unknown letter, none of them twice."""
    if not re.search("%[YyjxcG]", pattern):
        return False
    try:
        datetime.strptime("", pattern)  # noqa: DTZ007
    except re.error:
        return False
    except ValueError as error:
        return "does not match" in str(error)
    return True


class _Settings(Struct):
    """One table being checked; what is wrong is collected, and a default goes on in its place."""

    where: Place
    table: dict[str, Any]
    problems: Problems = new_field(default_factory=Problems)

    def wrong(self, summary: str, fix: str) -> None:
        self.problems.add("setting-wrong", self.where, summary, fix)

    def ready_made(self, name: object) -> dict[str, Any]:
        if name not in formats():
            fix = nearest(str(name), formats())
            self.problems.add("format-unknown", self.where, f"there is no format `{name}`", fix)
            return {}
        file = resources.files("drybill.vendors") / "maps" / f"{name}.toml"
        import tomllib

        return tomllib.loads(file.read_text(encoding="utf-8"))

    def column_map(self) -> ColumnMap:
        for key in self.table:
            if key not in _MAP:
                fix = nearest(key, (*_MAP, *_OWN))
                summary = f"`{key}` is not a setting here"
                self.problems.add("setting-unknown", self.where, summary, fix)
        columns, constants = self._texts("columns"), self._texts("constants")
        for name in sorted(columns.keys() & constants.keys()):
            self.wrong(f"`{name}` stands in both `columns` and `constants`", "keep one of them")
        if columns:
            for column in COLUMNS:
                if column.required and column.name not in columns.keys() | constants.keys():
                    fix = f'name its header: columns = {{ {column.name} = "Their Header" }}'
                    self.wrong(f"`columns` does not say where `{column.name}` stands", fix)
        decimal, thousands = self._one_of("decimal", (".", ",")), self._text("thousands")
        if len(thousands) > 1 or thousands == decimal or thousands.isdigit() or thousands in "+-(":
            if thousands:
                fix = 'write for example thousands = ","'
                self.wrong("`thousands` must be one character, not the decimal one", fix)
            thousands = ""
        return ColumnMap(
            dialect=self._dialect(),
            columns=columns,
            constants=constants,
            words=self._words(),
            dates=self._dates(),
            inclusive_end=self._one_of("period_end", ("exclusive", "inclusive")) == "inclusive",
            decimal=decimal,
            thousands=thousands,
            parentheses=cast(bool, self._get("parentheses", bool)),
            keep=self._conditions("keep"),
            drop=self._conditions("drop"),
            footer=self._footer(),
            check=self._check(),
            negatives_are_credits=self._one_of("negatives", ("", "credit")) == "credit",
            latest_per=self._names("latest_per"),
        )

    def _get(self, key: str, kind: type) -> Any:
        value = self.table.get(key, _MAP[key])
        if type(value) is kind:
            return value
        self.wrong(f"`{key}` must be {_KINDS[kind]}", "")
        return _MAP[key]

    def _text(self, key: str) -> str:
        return cast(str, self._get(key, str))

    def _one_of(self, key: str, allowed: tuple[str, ...]) -> str:
        value = self._text(key)
        if value in allowed:
            return value
        self.wrong(f"`{key}` cannot be `{value}`", nearest(value, filter(None, allowed)))
        return allowed[0]

    def _texts(self, key: str) -> dict[str, str]:
        found = {}
        for name, value in self._get(key, dict).items():
            if name not in AT:
                self.wrong(f"`{key}` names `{name}`, no plain column", nearest(name, AT))
            elif value == "" and key == "columns":
                continue  # takes a column out of a ready-made map
            elif not isinstance(value, str) or not value:
                self.wrong(f"`{name}` in `{key}` must be a text", f'{name} = "a text"')
            else:
                found[name] = value
        return found

    def _words(self) -> dict[str, dict[str, str]]:
        found = {}
        readers = {column.name: column.read for column in COLUMNS}
        for name, words in self._get("values", dict).items():
            if name not in AT:
                self.wrong(f"`values` names `{name}`, no plain column", nearest(name, AT))
                continue
            good = isinstance(words, dict) and all(isinstance(word, str) for word in words.values())
            if not good:
                self.wrong(f"`{name}` in `values` must be a table of texts", 'Their = "ours"')
                continue
            for word in words.values():
                try:
                    readers[name](word)
                except values.Unreadable as error:
                    self.wrong(f"`values` for `{name}`: {error.summary}", error.fix)
            found[name] = words
        return found

    def _dates(self) -> tuple[str, ...]:
        value = self.table.get("dates", ())
        patterns = (value,) if isinstance(value, str) else value
        if not isinstance(patterns, (list, tuple)) or not all(
            isinstance(pattern, str) and (pattern == "iso" or _is_pattern(pattern))
            for pattern in patterns
        ):
            self.wrong("`dates` must be patterns of dates", 'dates = ["%d/%m/%Y"], or "iso"')
            return ()
        return tuple(patterns)

    def _dialect(self) -> Dialect:
        encoding, delimiter = self._text("encoding"), self._text("delimiter")
        try:
            encoding = codecs.lookup(encoding).name
            "".encode(encoding)
        except (LookupError, ValueError, TypeError):
            fix = 'write for example encoding = "windows-1252"'
            self.wrong(f"there is no encoding `{encoding}`", fix)
            encoding = "utf-8"
        if len(delimiter) > 1 or delimiter in ('"', "\r", "\n", "\0"):
            self.wrong("`delimiter` must be one character", 'delimiter = ";"')
            delimiter = ""
        header, skip = self._get("header_row", int), self._get("skip_rows", int)
        if header < 1 or skip < 0:
            self.wrong("`header_row` counts from 1 and `skip_rows` from 0", "header_row = 3")
            header, skip = 1, 0
        return Dialect(encoding, delimiter, header, skip, self._text("sheet"))

    def _conditions(self, key: str) -> tuple[Conditions, ...]:
        value = self._get(key, list)
        good = all(
            isinstance(rule, dict)
            and rule
            and all(
                isinstance(texts, list) and all(isinstance(text, str) for text in texts)
                for texts in rule.values()
            )
            for rule in value
        )
        if not good:
            fix = f'{key} = [{{ Type = ["subscription", "one-time"] }}]'
            self.wrong(f"`{key}` must be a list of tables of lists of texts", fix)
            return ()
        return tuple(
            tuple((name, frozenset(texts)) for name, texts in rule.items()) for rule in value
        )

    def _footer(self) -> Footer | None:
        texts = self._part("footer", _FOOTER, ("column", "text"))
        return Footer(**texts) if texts else None

    def _check(self) -> RowCheck | None:
        part = self._part("check", _CHECK, ("unit", "quantity", "equals"))
        if not part:
            return None
        ways = part.pop("rounding", ["none"])
        known = ("none", "unit", "steps")
        if not isinstance(ways, list) or not ways or not all(way in known for way in ways):
            self.wrong("`rounding` in `check` must be a list", 'rounding = ["unit", "steps"]')
            ways = ["none"]
        text = part.pop("tolerance", "0")
        try:
            tolerance = cast(Decimal, values.number(text if isinstance(text, str) else "?"))
        except values.Unreadable:
            self.wrong("`tolerance` in `check` must be a number in a text", 'tolerance = "0.01"')
            tolerance = Decimal(0)
        rounding = cast("tuple[Rounding, ...]", tuple(ways))
        return RowCheck(**part, rounding=rounding, tolerance=tolerance)

    def _part(self, key: str, allowed: tuple[str, ...], needed: tuple[str, ...]) -> dict[str, Any]:
        part = dict(self._get(key, dict))
        if not part:
            return {}
        for name in [name for name in part if name not in allowed]:
            self.wrong(f"`{name}` in `{key}` is not known", nearest(name, allowed))
            del part[name]
        good = all(part.get(name) for name in needed) and all(
            isinstance(value, str) for name, value in part.items() if name != "rounding"
        )
        if not good:
            listed = ", ".join(f"`{name}`" for name in needed)
            fix = "the others are texts too: " + ", ".join(f"`{name}`" for name in allowed)
            self.wrong(f"`{key}` needs the texts {listed}", fix)
            return {}
        return part

    def _names(self, key: str) -> tuple[str, ...]:
        value = self._get(key, list)
        if all(isinstance(name, str) and name in AT for name in value):
            return tuple(value)
        self.wrong(f"`{key}` must be a list of plain columns", f'{key} = ["subscription_id"]')
        return ()
