from __future__ import annotations

from datetime import date
from pathlib import Path

from drybill.mapping.lint import lint
from drybill.mapping.load import Mapping, load

TOML = """\
timezone = "UTC"
[psa.main]
kind = "files"
[vendors.pax8]
kind = "files"
[vendors.idle]
kind = "files"
[agreements]
cloud = { fallback = "base" }
base = {}
old = {}
[profiles.flat]
[products.A]
agreement = "cloud"
from = [{ vendor = "pax8", sku = "a" }]
[[clients]]
id = 1
[[exceptions]]
client = 1
product = "A"
add = 1
reason = "x"
last_day = 2027-01-31
[writes]
fields = ["price", "increase"]
all_clients = true
"""


def mapping(folder: Path, text: str = TOML) -> Mapping:
    path = folder / "mapping.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def found(folder: Path, today: date, text: str = TOML) -> list[tuple[str, int]]:
    problems = lint(mapping(folder, text), today)
    assert all(problem.level == "warning" for problem in problems)
    return [(problem.code, problem.where.line) for problem in problems if problem.where]


def test_what_nothing_uses(tmp_path: Path) -> None:
    assert found(tmp_path, date(2026, 1, 1)) == [
        ("vendor-without-clients", 4),
        ("unused-vendor", 6),
        ("unused-role", 11),
        ("unused-profile", 12),
        ("client-without-vendor", 16),
        ("idle-switch", 25),
    ]


def test_an_end_is_announced_thirty_days_before_and_kept_on_its_last_day(tmp_path: Path) -> None:
    def about(today: date) -> list[tuple[str, int]]:
        return [one for one in found(tmp_path, today) if one[0].startswith("expire")]

    assert about(date(2026, 12, 31)) == []
    assert about(date(2027, 1, 1)) == [("expires-soon", 23)]
    assert about(date(2027, 1, 31)) == [("expires-soon", 23)]
    assert about(date(2027, 2, 1)) == [("expired", 23)]


def test_writes_that_name_nobody(tmp_path: Path) -> None:
    warned = mapping(tmp_path, TOML.replace("all_clients = true\n", "")).problems
    assert [(problem.code, str(problem.where)[-5:]) for problem in warned] == [
        ("writes-nobody", ":24:2")
    ]
