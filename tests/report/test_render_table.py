"""The screens: goldens at four widths, and what must hold at every width."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace
from report_documents import awkward, document, invoice, plan, row, screen, seats_added, source

from drybill.billing.row import Bucket, Piece, Reason
from drybill.report import words
from drybill.report.console import open_console, show
from drybill.report.document import Document
from drybill.report.findings import findings
from drybill.report.invoices import render_invoices
from drybill.report.layout import cells, wrap
from drybill.report.table import render_table

GOLDEN = Path(__file__).parent / "golden"
DOCUMENTS = {"screen": screen, "awkward": awkward}
WIDTHS = range(40, 201, 4)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_table_is_as_it_was_read(
    name: str, width: int, golden: Callable[[Path, str], None]
) -> None:
    golden(GOLDEN / f"{name}-{width}.txt", render_table(DOCUMENTS[name](), width).plain)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_whole_invoices_are_as_they_were_read(
    width: int, golden: Callable[[Path, str], None]
) -> None:
    golden(GOLDEN / f"invoice-{width}.txt", render_invoices(whole(), width).plain)


def whole() -> Document:
    """One invoice whose unchanged and fixed rows are known one by one."""
    quiet = [
        row("Managed workstation", Bucket.UNCHANGED, "30", price="95.00"),
        row(
            "Telephone, flat",
            Bucket.FIXED,
            "1",
            price="1360",
            reasons=(Reason("NO_MAPPED_PRODUCT"),),
        ),
    ]
    only = invoice("Wonderland Ltd", "USD", [seats_added()], (2, "4210.00"))
    key = ("main", "250", "1041", "USD", date(2026, 5, 1))
    buckets = (("unchanged", 1), ("change", 1), ("fixed", 1))
    made = plan([only], sources=(source("pax8"),), buckets=buckets)
    return document(made, quiet={key: quiet})


def moneys(of: Document) -> set[str]:
    """Every amount that must be on the screen, as it is written there."""
    found = set()
    for each in of.plan.invoices:
        currency = each.currency
        found |= {words.money(each.before, currency), words.money(each.after, currency)}
        for line in each.rows:
            found |= {words.money(line.amount_before, currency)}
            found |= {words.money(line.amount_after, currency)}
            found |= {words.money(line.unit_price, currency)}
            if line.bucket.differs:
                found.add(words.signed(line.difference, currency))
            if line.wanted:
                found.add(words.signed(line.wanted.difference, currency))
            if line.leak:
                found.add(words.signed(line.leak, currency))
    for sums in of.plan.totals:
        found |= {words.money(sums.before, sums.currency), words.money(sums.after, sums.currency)}
    return found - {"?"}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_money_is_whole_and_lines_fit_at_every_width(name: str) -> None:
    of = DOCUMENTS[name]()
    paste = {line for cause in of.plan.causes for line in cause.fix.split("\n")}
    for width in WIDTHS:
        for sheet in (render_table(of, width), render_invoices(of, width)):
            words_shown = set(re.split(r"[\s;]+", sheet.plain))
            assert moneys(of) - {word.strip(",.:") for word in words_shown} == set(), width
            for line in sheet.plain.splitlines():
                single = len(line.split()) == 1
                for_pasting = line.strip() in paste or re.match(r" +(drybill|lift:) ", line)
                assert cells(line) <= width or single or for_pasting, (width, line)


def test_sums_of_thirty_digits_stay_whole() -> None:
    huge = "123456789012345678901234567890.12"
    of = document(plan([invoice("A", "USD", [], (1, huge), base=huge)]))
    for width in (40, 60):
        assert (
            words.money(Decimal(huge), "USD")
            in render_table(replace(of, show_all=True), width).plain
        )


def test_numbers_are_never_broken_and_names_are() -> None:
    assert wrap("wants 123,456,789.00 EUR now", 12) == ["wants", "123,456,789.00", "EUR now"]
    assert wrap("wants 123.00 EUR now", 11) == ["wants", "123.00 EUR", "now"]
    assert wrap("クラウドバック", 6) == ["クラウ", "ドバッ", "ク"]
    assert wrap("abcdefgh1,234.50", 6) == ["abcdef", "gh", "1,234.50"]


def test_foreign_text_is_data() -> None:
    text = render_table(awkward(), 120).plain
    assert "[bold]x[/] :smile:" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e]", text)


def test_our_own_words_are_ascii_and_survive_a_narrow_code_page() -> None:
    assert render_table(screen(), 80).plain.isascii()
    for encoding in ("cp1252", "ascii"):
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding=encoding)
        show(render_table(awkward(), 80), open_console(stream, environ={}))
        stream.flush()
        assert b"Nothing was written." in raw.getvalue()


def printed(of: Document, color: str, **environ: str) -> str:
    stream = io.StringIO()
    show(render_table(of, 80), open_console(stream, color, environ))  # type: ignore[arg-type]
    return stream.getvalue()


def test_colour_repeats_the_symbols_and_never_uses_yellow_cyan_or_dim() -> None:
    text = printed(awkward(), "always", TERM="xterm")
    assert "\x1b[1;31m! " in text
    assert "\x1b[32m" in text and "\x1b[35m" in text
    codes = {code for found in re.findall("\x1b\\[([\\d;]*)m", text) for code in found.split(";")}
    assert codes <= {"0", "1", "31", "32", "35"}


@pytest.mark.parametrize(
    ("color", "environ"),
    [("auto", {}), ("never", {"FORCE_COLOR": "1"}), ("auto", {"FORCE_COLOR": "0"})],
)
def test_no_colour_off_a_terminal(color: str, environ: dict[str, str]) -> None:
    assert "\x1b" not in printed(screen(), color, **environ)


def test_a_pipe_is_120_wide_unless_columns_says_otherwise() -> None:
    assert open_console(io.StringIO(), environ={}).width == 120
    assert open_console(io.StringIO(), environ={"COLUMNS": "72"}).width == 72


def test_nothing_checked_never_looks_like_nothing_differs() -> None:
    empty = document(plan([], sources=(source("pax8", records=0, customers=0),)))
    text = render_table(empty, 80).plain
    assert "NOTHING WAS CHECKED" in text and "NO ROWS" in text
    fixed = document(plan([invoice("A", "USD", [], (3, "9.00"))], quiet="fixed"))
    assert "NOTHING WAS CHECKED" in render_table(fixed, 80).plain
    checked = document(plan([invoice("A", "USD", [], (3, "9.00"))], sources=(source("pax8"),)))
    text = render_table(checked, 80).plain
    assert "Nothing differs: 3 of 3 rows checked." in text and "NOTHING" not in text


def many(number: int, currency: str = "USD") -> list:
    return [
        row(f"Item {n:03}", Bucket.CHANGE, "0", "1", f"{n}.00", currency, product=f"{currency}{n}")
        for n in range(1, number + 1)
    ]


def test_the_rows_with_most_money_are_shown_and_the_rest_is_counted() -> None:
    of = document(plan([invoice("A", "USD", many(30)), invoice("B", "JPY", many(30, "JPY"))]))
    text = render_table(of, 80).plain
    shown = [int(n) for n in re.findall(r"^~ Item (\d+)", text, re.M)]
    assert sorted(shown) == sorted([*range(21, 31)] * 2)  # the currencies take turns
    assert "and 40 more rows (40 change): --all" in text
    everything = render_table(replace(of, show_all=True), 80).plain
    assert len(re.findall(r"^~ Item", everything, re.M)) == 60


def test_later_invoices_have_totals_of_their_own() -> None:
    text = render_table(awkward(), 120).plain
    later = text.index("Later invoices")
    assert later < text.index("Later Inc") < text.index("Totals of later invoices")
    next_totals = text[text.index("Totals of the next invoices") :]
    assert "+22.00" not in next_totals


def test_a_guard_that_would_stop_apply_takes_the_apply_command_away() -> None:
    assert "--plan 7f3a91c2 --apply" in render_table(screen(), 80).plain
    stopped = screen()
    stopped = replace(stopped, plan=replace(stopped.plan, guards=awkward().plan.guards))
    text = render_table(stopped, 80).plain
    assert "--plan 7f3a91c2 --apply" not in text
    assert "limit 5000.00 USD" in text and "lift: --allow run.money --reason TEXT" in text


def test_accepted_rows_count_as_checked_and_unknown_ones_do_not() -> None:
    found = findings(awkward().plan)
    assert (found.rows, found.checked, found.verdict) == (13, 6, "incomplete")


def test_a_line_of_some_days_only_says_which() -> None:
    """Its amount is not quantity x price, and nothing else on the invoice would say why."""
    half = Piece("1", Decimal(10), Decimal(0), Decimal("22.00"), "billable",
                 date(2026, 5, 15), date(2026, 6, 1), 17, 31, Decimal("120.65"))  # fmt: skip
    key = ("main", "250", "1041", "USD", date(2026, 5, 1))
    quiet = row("Half", Bucket.UNCHANGED, "10", pieces_before=(half,), pieces_after=(half,))
    of = document(plan([invoice("A", "USD", [], (1, "120.65"))]), quiet={key: [quiet]})
    for width in (60, 120):
        text = render_invoices(of, width).plain
        assert "10 for 15-31 May 2026 (17 of 31 days)" in text
        assert "invoice 1 May 2026 for 1-31 May 2026" in " ".join(text.split())


def test_incomplete_is_said_of_sources_only() -> None:
    """Every source answered wholly; what is unknown are lines of the PSA."""
    of = awkward()
    assert of.plan.complete and any(sums.incomplete_invoices for sums in of.plan.totals)
    text = render_table(of, 120).plain
    assert "INCOMPLETE" not in text and "UNKNOWN LINES: 6 of 13 rows checked." in text
