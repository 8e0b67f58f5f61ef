"""explain, tickets, SVG, problems and the results of an --apply."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest
from report_documents import awkward, document, invoice, plan, screen, seats_added

from drybill.billing.row import IgnoredUsage, Piece, Row, UnmappedUsage
from drybill.errors import Place, Problem
from drybill.plan.plan import Plan, PlannedInvoice
from drybill.report.apply_result import render_end, render_outcome
from drybill.report.document import Document
from drybill.report.explain import render_code, render_explain
from drybill.report.markdown import escape, render_markdown
from drybill.report.problems import render_problems
from drybill.report.svg import render_svg


@dataclass(frozen=True)
class Explained:
    subject: Row | UnmappedUsage | IgnoredUsage
    invoice: PlannedInvoice | None
    plan: Plan
    digest: str
    places: Mapping[str, str] = field(default_factory=dict)


def found(
    of: Document, subject: Row | UnmappedUsage | IgnoredUsage, on: PlannedInvoice | None = None
) -> Explained:
    return Explained(subject, on, of.plan, of.run.plan_digest)


@dataclass(frozen=True)
class Outcome:
    row: str
    label: str
    before: Decimal | None
    planned: Decimal | None
    found: Decimal | None
    verdict: str
    detail: str = ""


GOLDEN = Path(__file__).parent / "golden"
D = Decimal


def test_every_number_explains_itself(golden: Callable[[Path, str], None]) -> None:
    parts = []
    for of in (screen(), awkward()):
        for one in of.plan.invoices:
            parts += [render_explain(found(of, row, one), 80).plain for row in one.rows]
        for usage in (*of.plan.unmapped, *of.plan.ignored):
            parts.append(render_explain(found(of, usage), 80).plain)
    golden(GOLDEN / "explain-80.txt", "\n".join(parts))


def test_a_prorated_piece_shows_its_days_its_included_units_and_the_rounding() -> None:
    of = screen()
    invoice = of.plan.invoices[1]
    (row,) = invoice.rows
    (piece,) = row.pieces_after
    row.pieces_after = (
        Piece(
            piece.line_id, D(28), D(2), D("22.00"), "billable",
            piece.first_day.replace(day=17), piece.until, 15, 31, D("276.77"),
        ),
    )  # fmt: skip
    text = render_explain(found(of, row, invoice), 120).plain
    assert "max(28 - 2 included, 0) x 22.00 x 15/31 = 276.77, rounded   15 of 31 days" in text


def test_the_ticket_is_as_it_was_read(golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN / "ticket.md", render_markdown(awkward()))


def test_foreign_text_stays_text_in_a_ticket() -> None:
    assert escape("a|b `c` <script>&") == r"a\|b \`c\` &lt;script&gt;&amp;"
    assert escape("[x](javascript:y)") == r"\[x\](javascript:y)"
    assert escape("- item") == r"\- item" and escape("1. item") == "&#49;. item"


def test_the_svg_is_self_contained_and_the_same_every_time() -> None:
    made = render_svg(awkward())
    assert made == render_svg(awkward())
    ElementTree.fromstring(made)
    assert not re.search(r"url\(['\"]?http|@font-face|@import|<image|<script", made)
    assert "80,000,000.01" in made


def test_problems_stand_in_the_order_of_the_file_with_carets(
    golden: Callable[[Path, str], None],
) -> None:
    lines = [""] * 8 + [
        'client_secret = "hunter2"',
        '名前 = "ab", "M365-BPP"',
        "[[exceptions]]",
        "x" * 500,
    ]
    problems = [
        Problem("unknown-product", Place("msp.toml", 10, 12), "no such product", "`M365-BP`"),
        Problem("secret-in-file", Place("msp.toml", 9, 17), "a secret is written here", "env:X"),
        Problem("missing-reason", Place("msp.toml", 11, 1), "no reason", level="warning"),
        Problem("invalid-toml", Place("msp.toml", 12, 300), "binary \x1b[2J rubbish"),
        Problem("not-readable", Place("other.csv"), "cannot be read", "make it readable"),
        Problem("usage", None, "a flag is wrong"),
    ]
    text = render_problems(problems, {"msp.toml": lines}, "41 clients read")
    golden(GOLDEN / "problems.txt", text)


def test_a_secret_is_never_shown_whatever_the_problem_on_its_line() -> None:
    lines = [
        'credentials = { id = "alpha", client_secret = "beta" }',
        "client_secret = gamma",
        'password = "delta',
        'client_secret = "env:KEPT"',
    ]
    problems = [
        Problem("secret-in-file", Place("m.toml", 1, 22), "secret"),
        Problem("other", Place("m.toml", 1, 47), "other"),
        Problem("secret-in-file", Place("m.toml", 2, 17), "secret"),
        Problem("invalid-toml", Place("m.toml", 3, 12), "not closed"),
        Problem("no-such-variable", Place("m.toml", 4, 17), "not set"),
    ]
    text = render_problems(problems, {"m.toml": lines})
    assert not re.search("alpha|beta|gamma|delta", text)
    assert "env:KEPT" in text
    assert text.endswith("5 errors\n")


def test_outcomes_say_what_was_read_back(golden: Callable[[Path, str], None]) -> None:
    outcomes = [
        Outcome("w7kqaaaaaaaa", "Wonderland, M365", D(25), D(28), D(28), "verified"),
        Outcome("w2mhaaaaaaaa", "", D(6), D(4), D(6), "differs"),
        Outcome("t8nvaaaaaaaa", "x", D(1250), D(1310), None, "unknown", "no answer"),
        Outcome("t9nvaaaaaaaa", "x", D(1250), D(1310), D(1249), "refused", "the line moved"),
    ]
    lines = [
        *(render_outcome(outcome) for outcome in outcomes),
        render_end("r81", outcomes, "mapping.toml"),
    ]
    golden(GOLDEN / "outcomes.txt", "\n".join(lines) + "\n")


def test_the_end_of_an_apply_fits_its_outcomes() -> None:
    def end(verdict: str, found: Decimal | None) -> str:
        return render_end(
            "r1", [Outcome("w7kqaaaaaaaa", "x", D(1), D(2), found, verdict)], "mapping.toml"
        )

    assert "Do not apply again" not in end("verified", D(2))
    assert "Nothing was written." in end("refused", D(3))
    assert "Look at the PSA" in end("unknown", None)


def test_a_reason_code_means_something_that_can_be_done() -> None:
    text = render_code("AMBIGUOUS_LINES", 60)
    assert "Several active lines" in text and "help: Name the flexible line" in text


def test_a_ticket_shows_what_each_invoice_comes_to() -> None:
    of = document(plan([invoice("A", "USD", [seats_added()], (3, "66.00"), base="99.50")]))
    text = render_markdown(of)
    assert "| `=` |  | 3 lines unchanged |  |  |  | 66.00 | 66.00 |  |" in text
    assert "|  |  | base amount |  |  |  | 99.50 | 99.50 |  |" in text
    assert "|  |  | sum |  |  |  | 715.50 | 781.50 | +66.00 |" in text


@pytest.mark.parametrize(
    "line",
    [
        'password: "HUSH"',
        "password: HUSH",
        "passphrase = HUSH",
        'bearer = "HUSH',
        "Authorization: Bearer HUSH",
        'base_url = "https://me:HUSH@host.example/v1"',
        "base_url = https://HUSH@host.example/v1",
        'x = "a" # client_secret : HUSH',
        "credentials = { a = 8127HUSH }",
        "pwd = 'HUSH'",
        "access_key = HUSH",
        '"password " = "HUSH"',
    ],
)
@pytest.mark.parametrize("code", ["toml-syntax", "setting-unknown"])
def test_no_line_that_is_quoted_shows_a_secret(line: str, code: str) -> None:
    for column in range(1, len(line) + 1):
        problem = Problem(code, Place("m.toml", 1, column), "https://HUSH@host is wrong")
        shown = render_problems([problem], {"m.toml": [line]})
        assert "HUSH" not in shown
        assert "***" in shown


@pytest.mark.parametrize(
    "lines",
    [
        ['private_key = """BEGIN', "HUSH\\+abc", 'END"""'],
        ["api_key = [", ' "a",', ' "HUSH" "b",', "]"],
        ["credentials = [", ' "HUSH" 7 ]'],
        ["api_key HUSH"],
        ['url = "user:HUSH@h"'],
    ],
)
@pytest.mark.parametrize("table", ["[psa.main]", "[[ vendors.edr ]]", '["psa".main]'])
def test_a_broken_table_of_settings_shows_keys_alone(table: str, lines: list[str]) -> None:
    text = ["timezone = 'UTC'", table, *lines]
    for line in range(3, len(text) + 1):
        problem = Problem("toml-syntax", Place("m.toml", line, 2), "this is not TOML")
        assert "HUSH" not in render_problems([problem], {"m.toml": text})
    told = Problem("toml-syntax", Place("m.toml", 1, 2), "this is not TOML")
    assert "timezone" in render_problems([told], {"m.toml": text})
