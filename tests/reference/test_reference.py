"""drybill against the second calculator, field by field, on random and on hand-made cases."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from drybill.flow.dry_run import dry_run, exit_code
from drybill.flow.run import Request
from drybill.journal import Journal
from drybill.mapping.load import load
from drybill.report.document import Document, RunFacts
from drybill.report.json import render_json

from .generate import AS_OF, generate
from .handmade import HANDMADE, Hand
from .reference import calculate
from .rows import Row
from .signed import Files, Json

BATCH, BATCHES = 10, 15
NUMBERS = {
    "quantity_before": "quantity",
    "quantity_after": "after",
    "unit_price": "price",
    "amount_before": "amount_before",
    "amount_after": "amount_after",
    "difference": "difference",
    "leak": "leak",
}


def drybill(folder: Path, files: Files) -> Json:
    """The machine output of `diff --all` as of the day of all cases."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    run = dry_run(
        load(folder / "mapping.toml"),
        Request(as_of=AS_OF),
        Journal.transient(),
        datetime(2026, 11, 25, 12, tzinfo=UTC),
        {},
    )
    document = Document(
        run=RunFacts(id=run.run, mapping="", as_of="", plan_digest=run.digest),
        plan=run.plan,
        exit_code=exit_code(run.plan, False),
        quiet=run.computed.quiet,
        show_all=True,
    )
    answer: Json = json.loads(render_json(document))
    return answer


def plain(value: Any) -> Any:
    """The reference's values in the comparison's terms."""
    if isinstance(value, date):
        return value.isoformat()
    return [plain(item) for item in value] if isinstance(value, list) else value


def exact(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)


def numbers(table: Json, *names: str) -> Json:
    return {name: exact(table[name]) for name in names}


def row_said(line: Json) -> Json:
    wanted = line["wanted"] and numbers(line["wanted"], "quantity", "difference")
    return {
        **numbers(line, *NUMBERS),
        "bucket": line["bucket"],
        "wanted": wanted,
        "would_write": line["would_write"],
    }


def row_expected(row: Row) -> Json:
    return {
        **{name: getattr(row, own) for name, own in NUMBERS.items()},
        "bucket": row.bucket,
        "wanted": row.wanted,
        "would_write": row.would_write,
    }


# What a change is, as opposed to what keeps it from being made.
KINDS_OF_CHANGE = {"SEATS_ADDED", "SEATS_REMOVED", "NOT_USED", "NO_LINE_YET"}
# The reasons that the reference gives under the promised names.
NAMED = {
    "ABSENT_ONCE",
    "AGREEMENT_AMBIGUOUS",
    "AGREEMENT_NOT_FOUND",
    "CUSTOMER_NOT_LISTED",
    "DUPLICATE_USAGE",
    "FUTURE_USAGE",
    "KIND_AMBIGUOUS",
    "PRICE_UNKNOWN",
    "TERM_AMBIGUOUS",
    "USAGE_PERIOD_MISMATCH",
    "WRONG_AGREEMENT",
}


def assert_reasons(line: Json, row: Row) -> None:
    """A blocked row leads with what blocks it."""
    if row.bucket == "blocked":
        assert line["reasons"][0] not in KINDS_OF_CHANGE, line["reasons"]
    if row.code in NAMED and row.bucket in ("blocked", "unknown"):
        assert row.code in line["reasons"], (row.code, line["reasons"])


def key_of(invoice: Json) -> tuple[str, ...]:
    names = ("agreement_id", "client_id", "currency", "invoice_date")
    return tuple(str(plain(invoice[name])) for name in names)


INVOICE = ("base_amount", "before", "after", "difference", "unknown_lines", "leak")
DATES = ("period_start", "period_end", "horizon", "unbilled_periods")
STRAY = ("vendor", "customer_id", "sku", "cost_currency", "reason")


def strays(items: list[Json], number: Callable[[Any], Any]) -> list[tuple[str, ...]]:
    """Usage without a line, as comparable texts; no cost has no currency."""
    return sorted(
        (
            *(str(item[name] or None) for name in STRAY),
            str(number(item["quantity"])),
            str(number(item["cost"])),
        )
        for item in items
    )


def assert_same(said: Json, expected: Json) -> None:
    invoices = {key_of(invoice): invoice for invoice in said["invoices"]}
    assert invoices.keys() == {key_of(invoice) for invoice in expected["invoices"]}
    for other in expected["invoices"]:
        invoice = invoices[key_of(other)]
        assert {n: invoice[n] for n in DATES} == {n: plain(other[n]) for n in DATES}
        lines = {(x["agreement_id"], x["line_id"], x["product"]): x for x in invoice["lines"]}
        rows = {(x.agreement.id, x.line_id, x.product): x for x in other["lines"]}
        assert lines.keys() == rows.keys()
        for key, row in rows.items():
            assert (key, row_said(lines[key])) == (key, row_expected(row))
            assert_reasons(lines[key], row)
        assert numbers(invoice, *INVOICE) == {name: other[name] for name in INVOICE}
    for name in ("unmapped", "ignored"):
        assert strays(said[name], exact) == strays(expected[name], lambda value: value), name
    totals = {(t["currency"], t["horizon"]): t for t in said["totals"]}
    assert totals.keys() == {(t["currency"], t["horizon"]) for t in expected["totals"]}
    for other in expected["totals"]:
        names = [name for name in other if name not in ("currency", "horizon")]
        own = totals[other["currency"], other["horizon"]]
        assert numbers(own, *names) == {name: other[name] for name in names}
    assert said["buckets"] == expected["buckets"]


@pytest.mark.parametrize("hand", HANDMADE, ids=lambda hand: hand.name)
def test_hand_made(hand: Hand, tmp_path: Path) -> None:
    assert_same(drybill(tmp_path, hand.files), calculate(hand.files, AS_OF))


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random(batch: int, tmp_path: Path) -> None:
    for seed in range(batch * BATCH, (batch + 1) * BATCH):
        files = generate(seed)
        try:
            assert_same(drybill(tmp_path, files), calculate(files, AS_OF))
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


def without_times(said: Json) -> Json:
    return {name: said[name] for name in said if name not in ("run", "sources")}


def test_the_order_of_rows_says_nothing(tmp_path: Path) -> None:
    shuffle = random.Random(7)
    for seed in range(8):
        files = generate(seed)
        before = without_times(drybill(tmp_path, files))
        for name in [name for name in files if name.endswith(".csv")]:
            head, *rows = files[name].splitlines()
            shuffle.shuffle(rows)
            files[name] = "\n".join([head, *rows]) + "\n"
        assert without_times(drybill(tmp_path, files)) == before, f"seed {seed}"


def test_row_ids_follow_from_their_keys_alone(tmp_path: Path) -> None:
    """12 characters of lower-case base32; one per key and one key each, in all cases together."""
    ids: dict[tuple[str, ...], str] = {}
    for seed in range(8):
        said = drybill(tmp_path, generate(seed))
        keys: list[tuple[tuple[str, ...], str]] = [
            (("line", line["agreement_id"], line["product"], line["slot"]), line["row"])
            for invoice in said["invoices"]
            for line in invoice["lines"]
        ]
        keys += [
            (("usage", use["vendor"], use["customer_id"], use["sku"], use["term"]), use["row"])
            for use in said["unmapped"]
        ]
        assert len(dict(keys)) == len(keys)
        for key, row in keys:
            assert len(row) == 12
            assert set(row) <= set("abcdefghijklmnopqrstuvwxyz234567")
            assert ids.setdefault(key, row) == row
    assert len(set(ids.values())) == len(ids)


@pytest.mark.parametrize(
    ("seen", "last_day"),
    [("9", "2026-11-25"), ("9", "2026-11-24"), ("10", "2027-01-01")],
    ids=["holds", "expired", "moved"],
)
def test_an_accepted_row(seen: str, last_day: str, tmp_path: Path) -> None:
    files = Hand("accepted").files
    row = drybill(tmp_path, files)["invoices"][0]["lines"][0]["row"]
    files["mapping.toml"] += (
        f'[[accepted]]\nrow = "{row}"\nseen = {{ psa = "8", vendor = "{seen}" }}\n'
        f'reason = "x"\nlast_day = {last_day}\n'
    )
    assert_same(drybill(tmp_path, files), calculate(files, AS_OF, {row: ("g", "A")}))
