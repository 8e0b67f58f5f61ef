"""examples/month-end: what its README says is true, and its sums balance to the cent."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "month-end"
SRC = Path(__file__).parents[2] / "src"
README = (EXAMPLE / "README.md").read_text(encoding="utf-8")
DAY = "2026-11-25"
CENT = Decimal("0.01")
MONTHS = {"monthly": 1, "quarterly": 3, "annual": 12}


def drybill(folder: Path, state: Path, *args: str) -> str:
    """What `drybill diff --as-of DAY` prints in that folder, on a terminal of 120 columns."""
    paths = {"DRYBILL_STATE": str(state), "PYTHONPATH": str(SRC), "COLUMNS": "120"}
    command = [sys.executable, "-m", "drybill", "diff", "mapping.toml", "--as-of", DAY, *args]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | paths, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def fixed_copy(folder: Path) -> Path:
    """The example after every fix of the README: its ```diff blocks, applied as they stand."""
    shutil.copytree(EXAMPLE, folder)
    for block in re.findall(r"^```diff\n(.*?)^```$", README, re.M | re.S):
        head, *body = block.splitlines()
        file = folder / head.removeprefix("--- ")
        old = "".join(f"{line[1:]}\n" for line in body if line[0] != "+")
        new = "".join(f"{line[1:]}\n" for line in body if line[0] != "-")
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file.name} does not hold this once:\n{old}"
        file.write_text(text.replace(old, new), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def first(state: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(drybill(EXAMPLE, state, "--format", "json", "--all"))
    return report


@pytest.fixture(scope="module")
def table(state: Path, first: dict[str, Any]) -> str:
    digest = first["run"]["plan_digest"]
    return drybill(EXAMPLE, state).replace(digest[:8], "PLAN")


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    tmp = tmp_path_factory.mktemp("fixed")
    report = json.loads(drybill(fixed_copy(tmp / "x"), tmp / "s", "--format", "json", "--all"))
    assert isinstance(report, dict)
    return report


def rows_of(file: str) -> list[dict[str, str]]:
    with (EXAMPLE / file).open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def lines_of(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [line for invoice in report["invoices"] for line in invoice["lines"]]


def need_a_person(report: dict[str, Any]) -> int:
    return sum(report["buckets"][b] for b in ("orphan", "blocked", "unknown", "unmapped"))


def test_the_table_is_the_one_that_was_read(
    table: str, golden: Callable[[Path, str], None]
) -> None:
    golden(EXAMPLE / "expected" / "table.txt", table)


def test_the_json_is_the_one_that_was_read(
    state: Path, golden: Callable[[Path, str], None]
) -> None:
    text = drybill(EXAMPLE, state, "--format", "json")
    run = json.loads(text)["run"]
    for made, mask in (("id", "RUN"), ("plan_digest", "PLAN")):
        text = text.replace(run[made], mask)
    golden(EXAMPLE / "expected" / "diff.json", text.replace(run["plan_digest"][:8], "PLAN"))


def test_every_bucket_and_most_reasons_appear(first: dict[str, Any], state: Path) -> None:
    (line,) = (row for row in lines_of(first) if "GUARD_TO_ZERO" in row["reasons"])
    lift = ("--allow", f"{line['row']}:to_zero", "--reason", "cancelled in writing")
    lifted = json.loads(drybill(EXAMPLE, state, "--format", "json", *lift))
    assert lifted["buckets"]["end"] == 1  # the zero guard holds every end back until it is lifted
    assert {name for name, number in first["buckets"].items() if not number} == {"end"}

    codes = Counter(code for row in lines_of(first) for code in row["reasons"])
    codes.update(use["reason"] for use in (*first["unmapped"], *first["ignored"]))
    assert len(codes) >= 35, sorted(codes)


def test_every_level_balances(first: dict[str, Any]) -> None:
    sums: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
    for invoice in first["invoices"]:
        names = ("before", "after", "difference")
        before, after, difference = (Decimal(invoice[name]) for name in names)
        known = [line for line in invoice["lines"] if line["amount_before"] is not None]
        base = Decimal(invoice["base_amount"])
        assert before == base + sum(Decimal(line["amount_before"]) for line in known)
        assert after == base + sum(Decimal(line["amount_after"]) for line in known)
        assert difference == after - before == sum(Decimal(line["difference"]) for line in known)
        key = invoice["currency"], invoice["horizon"]
        sums[key] = [a + b for a, b in zip(sums[key], (before, after, difference), strict=True)]
    for total in first["totals"]:
        before, after, difference, under, over = (
            Decimal(total[name])
            for name in ("before", "after", "difference", "under_billed", "over_billed")
        )
        assert [before, after, difference] == sums[total["currency"], total["horizon"]]
        assert difference == under + over


def test_before_is_what_the_two_csv_files_add_up_to(first: dict[str, Any]) -> None:
    """Written without a glance at the package: cells in, totals out."""
    expected: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    lines: dict[str, list[dict[str, str]]] = defaultdict(list)
    for line in rows_of("lines.csv"):
        lines[line["agreement_id"]].append(line)
    for agreement in rows_of("agreements.csv"):
        if agreement["status"] != "active" or agreement["cycle"] == "one_time":
            continue
        start = date.fromisoformat(agreement["next_period_start"])
        month = start.month - 1 + MONTHS[agreement["cycle"]]
        end = date(start.year + month // 12, month % 12 + 1, 1)
        invoiced = end if agreement["timing"] == "arrears" else start
        late = invoiced > date.fromisoformat(DAY) + timedelta(days=31)
        amount = Decimal(agreement["base_amount"] or 0)
        for line in lines[agreement["agreement_id"]]:
            if line["billing"] != "billable" or not line["unit_price"]:
                continue
            begins = max(start, date.fromisoformat(line["effective_date"] or "1900-01-01"))
            ends = min(end, date.fromisoformat(line["cancelled_date"] or "2999-01-01"))
            days = max((ends - begins).days, 0)
            share = Decimal(days) / (end - start).days
            if agreement["prorate"] != "true":
                share = Decimal(1 if days else 0)
            units = max(Decimal(line["quantity"]) - Decimal(line["included"] or 0), Decimal(0))
            each = units * Decimal(line["unit_price"]) * share
            amount += each.quantize(CENT, ROUND_HALF_UP)
        expected[agreement["currency"], "later" if late else "now"] += amount
    found = {(t["currency"], t["horizon"]): Decimal(t["before"]) for t in first["totals"]}
    assert found == expected


def test_what_the_readme_quotes_was_printed(table: str) -> None:
    printed = {line.strip() for line in table.splitlines()}
    quoted = [
        line
        for block in re.findall(r"^```text\n(.*?)^```$", README, re.M | re.S)
        for line in block.splitlines()
        if line.strip()
    ]
    assert len(quoted) > 10
    for line in quoted:
        assert line.strip() in printed, line


def test_the_fixes_of_the_readme_clear_what_it_says(
    first: dict[str, Any], after: dict[str, Any]
) -> None:
    prose = " ".join(README.split())
    fixes = README.count("```diff\n")
    left, whole = need_a_person(after), need_a_person(first)
    assert f"{fixes} fixes clear {whole - left} of {whole} rows" in prose
    for currency in ("USD", "CAD"):
        was, now = (
            next(t for t in r["totals"] if t["currency"] == currency and t["horizon"] == "now")
            for r in (first, after)
        )
        assert was["before"] == now["before"]
        said = f"{currency} {Decimal(was['difference']):+,} to {Decimal(now['difference']):+,}"
        assert said in prose, said
    assert f"{first['checked']} to {after['checked']}" in prose
    assert f"The other {left} rows" in prose


def test_only_what_the_mapping_allows_would_be_written(first: dict[str, Any]) -> None:
    written = [line for line in lines_of(first) if line["would_write"]]
    assert {line["client"] for line in written} == {
        "Bluewater Marine Supply",
        "Eastgate Orthodontics",
        "Tallgrass Credit Union",
    }
    assert {line["change"] for line in written} == {"increase"}
