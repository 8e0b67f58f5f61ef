"""JSON, CSV and the cron line: exact fields, exact numbers, nothing executable."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from datetime import date
from decimal import Decimal

from msgspec.structs import replace
from report_documents import awkward, document, invoice, plan, row, screen, seats_added, source

from drybill.billing.row import Bucket
from drybill.errors import Exit
from drybill.report.csv import COLUMNS, render_csv
from drybill.report.json import render_json
from drybill.report.quiet import render_quiet

INVOICE = [
    "psa", "client_id", "client", "agreement_id", "currency", "period_start", "period_end",
    "invoice_date", "horizon", "base_amount", "before", "after", "difference", "not_projected",
    "unknown_lines", "unbilled_periods", "leak", "witness", "lines",
]  # fmt: skip
LINE = [
    "row", "agreement_id", "line_id", "product", "description", "bucket", "reasons", "usage",
    "quantity_before", "quantity_after", "unit_price", "amount_before", "amount_after",
    "difference", "leak", "wanted", "effective_date", "would_write", "guards",
]  # fmt: skip
RUN = [
    "id", "mapping", "mapping_digest", "as_of", "timezone", "plan_digest", "complete", "wrote",
]  # fmt: skip


def test_json_has_the_promised_fields_in_their_order() -> None:
    made = json.loads(render_json(awkward()))
    assert made["schema"] == "drybill.diff/1"
    run = [
        "id",
        "mapping",
        "mapping_digest",
        "as_of",
        "timezone",
        "plan_digest",
        "complete",
        "wrote",
    ]
    assert list(made["run"])[:8] == run
    first = made["invoices"][0]
    assert list(first)[: len(INVOICE)] == INVOICE
    assert list(first["lines"][0])[: len(LINE)] == LINE
    assert list(made["buckets"]) == [bucket.value for bucket in Bucket]
    for key in ("sources", "causes", "ignored", "unmapped", "totals", "guards", "exit_code"):
        assert key in made
    assert (made["complete"], made["checked"], made["verdict"]) == (True, 6, "incomplete")


def test_json_numbers_are_plain_texts_and_unknown_is_null() -> None:
    line = row("x", Bucket.CHANGE, "0.10", "1E+3", price="2E+1")
    gap = row("y", Bucket.UNKNOWN, None, price=None)
    made = json.loads(render_json(document(plan([invoice("A", "USD", [line, gap])]))))
    first, second = made["invoices"][0]["lines"]
    assert (first["quantity_before"], first["quantity_after"]) == ("0.1", "1000")
    assert (first["unit_price"], first["amount_after"]) == ("20", "20000.00")
    assert second["quantity_before"] is second["unit_price"] is second["amount_before"] is None
    assert first["effective_date"] == "2026-05-01"
    assert second["difference"] == "0.00"  # outside every sum, in the digits of the others


def test_json_survives_half_a_character() -> None:
    broken = row("\ud800 half", Bucket.CHANGE, "1", "2")
    made = json.loads(render_json(document(plan([invoice("A\udc80", "USD", [broken])]))))
    assert made["invoices"][0]["client"] == "A?"
    assert made["invoices"][0]["lines"][0]["description"] == "? half"


def test_json_holds_quiet_rows_only_on_request() -> None:
    quiet = {("main", "250", "1041", "USD", date(2026, 5, 1)): [row("q", Bucket.UNCHANGED, "1")]}
    of = document(plan([invoice("A", "USD", [seats_added()], (1, "22.00"))]), quiet=quiet)

    def rows(shown: bytes) -> int:
        return len(json.loads(shown)["invoices"][0]["lines"])

    assert rows(render_json(of)) == 1
    assert rows(render_json(replace(of, show_all=True))) == 2


def test_csv_texts_are_no_formulas_and_numbers_stay_numbers() -> None:
    read = list(csv.DictReader(io.StringIO(render_csv(awkward()))))
    assert tuple(read[0]) == COLUMNS
    formula = next(cells for cells in read if "HYPERLINK" in cells["description"])
    assert formula["description"] == "'=HYPERLINK(1)"
    ended = next(cells for cells in read if cells["bucket"] == "end")
    assert Decimal(ended["difference"]) == Decimal("-3086.418")
    assert ended["period_last_day"] == "2026-05-31"
    unknown = next(cells for cells in read if cells["reasons"] == "PSA_PRICE_UNKNOWN")
    assert unknown["amount_before"] == unknown["difference"] == ""
    assert [cells["kind"] for cells in read].count("usage") == 3
    for start, shown in (*((c, c) for c in "=+-@"), ("\t=", " ="), ("\r@", " @")):
        bad = row(f"{start}cmd", Bucket.CHANGE, "1", "2", product=f"{start}id")
        cells = render_csv(document(plan([invoice("A", "USD", [bad])])))
        assert f"'{shown}id" in cells and f",{shown}" not in cells.splitlines()[1]


def test_the_amounts_of_the_csv_add_up_to_the_totals() -> None:
    """Base amounts and the lines without a row of their own are rows, too."""
    key = ("main", "250", "1041", "USD", date(2026, 5, 1))
    quiet = [row("q", Bucket.UNCHANGED, "1"), row("gap", Bucket.FIXED, None)]
    of = document(plan([invoice("A", "USD", [seats_added()], (3, "66.00"), base="99.50")]))
    for made in (of, awkward(), replace(of, quiet={key: quiet}, show_all=True)):
        read = list(csv.DictReader(io.StringIO(render_csv(made))))
        for sums in made.plan.totals:
            for column, total in (("before", sums.before), ("after", sums.after)):
                assert total == sum(
                    Decimal(cells[f"amount_{column}"] or 0)
                    for cells in read
                    if (cells["currency"], cells["horizon"]) == (sums.currency, sums.horizon)
                )
    told = [(c["kind"], c["description"], c["amount_after"], c["difference"]) for c in read[-2:]]
    assert told == [
        ("quiet_lines", "unchanged or fixed lines (1)", "44.00", "0.00"),
        ("base_amount", "base amount", "99.50", "0.00"),
    ]
    assert {(c["invoice_agreement_id"], c["payer_id"], c["period_end"]) for c in read} == {
        ("1041", "250", "2026-06-01")
    }


def test_the_cron_line_says_everything_that_is_wrong() -> None:
    assert render_quiet(screen()) == (
        "drybill 7f3a91c2: 1 under +66.00 USD; 1 blocked, 1 unknown; huntress INCOMPLETE; exit 3\n"
    )


def test_the_cron_line_is_empty_only_if_clean_and_complete() -> None:
    clean = plan([invoice("A", "USD", [], (3, "9.00"))], sources=(source("pax8"),))
    assert render_quiet(document(clean)) == ""
    assert "exit 5" in render_quiet(document(clean, exit_code=Exit.UNREACHABLE))
    assert "pax8 INCOMPLETE" in render_quiet(
        document(replace(clean, complete=False, sources=(source("pax8", complete=False),)))
    )
    assert "pax8 NO ROWS" in render_quiet(
        document(replace(clean, sources=(source("pax8", records=0),)))
    )
    assert "NOTHING WAS CHECKED" in render_quiet(document(plan([])))


def test_machine_formats_do_not_load_rich() -> None:
    code = (
        "import sys, drybill.report.json, drybill.report.csv, drybill.report.quiet;"
        "sys.exit('rich' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_id_steers_the_terminal_that_shows_a_file() -> None:
    """JSON keeps the id as it is, in escapes; a spreadsheet's reader sees that something is odd."""
    odd = "A\x1b[2J\x9b\u202e\u200b\U000e0041Z"
    of = document(plan([invoice("A", "USD", [row("r", Bucket.CHANGE, "1", "2", product=odd)])]))
    made = render_json(of)
    assert json.loads(made)["invoices"][0]["lines"][0]["product"] == odd
    for text in (made.decode(), render_csv(of)):
        assert not any(c in text for c in "\x1b\x9b\u202e\u200b\U000e0041")
