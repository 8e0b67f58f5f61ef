"""What leaves the program: streams, encodings, widths, exit codes, machine output, defects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

import pytest

from command import AS_OF, Desk, drybill
from drybill.billing.reasons import REASONS
from drybill.billing.usage import Receipt
from drybill.errors import Exit, Problem, UnreachableError
from drybill.vendors.port import Usage, Vendor

SRC = Path(__file__).parents[2] / "src"


def test_a_reader_that_goes_away_is_no_error(desk: Desk) -> None:
    """`drybill diff | head` ends with 0 and without a word."""
    command = [sys.executable, "-m", "drybill", "diff", desk.mapping, *AS_OF, "--all"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SRC)},
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), told) == (0, b"")


def test_a_run_whose_reader_has_gone_has_an_end_in_the_journal(desk: Desk) -> None:
    for words in ([], ["--format", "json"]):
        assert drybill("diff", desk.mapping, *AS_OF, *words, gone="out").code == Exit.DONE
        assert "exit 0" in drybill("runs", "--limit", "1").out


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
@pytest.mark.parametrize("command", ["diff", "check", "explain", "runs"])
def test_any_encoding_of_a_pipe_is_good_enough(desk: Desk, encoding: str, command: str) -> None:
    row = desk.rows()["L1"]["row"]
    words = {"diff": [desk.mapping, *AS_OF], "check": [desk.mapping], "explain": [row], "runs": []}
    said = drybill(command, *words[command], encoding=encoding)
    assert said.code == Exit.DONE, said.err
    if command == "diff":
        expected = {"ascii": "M?ller & ??", "utf-8": "Müller & 松本"}.get(encoding, "Müller & ??")
        assert expected in said.out


def test_machine_output_is_utf8_whatever_the_pipe(desk: Desk) -> None:
    words = ["diff", desk.mapping, *AS_OF, "--format", "json"]
    (client,) = {i["client"] for i in json.loads(drybill(*words, encoding="ascii").raw)["invoices"]}
    assert client == "Müller & 松本"


def test_output_goes_to_the_file_and_nothing_to_stdout(desk: Desk, tmp_path: Path) -> None:
    for format in ("table", "json", "csv", "md", "svg"):
        file = tmp_path / f"report.{format}"
        words = ["diff", desk.mapping, *AS_OF, "--format", format, "--output", str(file)]
        said = drybill(*words, typed="")
        assert (said.code, said.out) == (Exit.DONE, "")
        assert "\x1b" not in file.read_text("utf-8")
        assert "Müller" in file.read_text("utf-8")


def test_a_filter_says_once_what_it_hides_in_every_text_that_people_read(desk: Desk) -> None:
    for format in ("table", "md"):
        words = ["diff", desk.mapping, *AS_OF, "--bucket", "blocked", "--format", format]
        said = drybill(*words).out
        assert said.count("bucket blocked") == 1
        assert "hidden by --bucket blocked: " in said


def test_colour_is_for_terminals_that_want_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["diff", desk.mapping, *AS_OF]
    assert "\x1b" not in drybill(*words).out
    assert "\x1b[" in drybill(*words, typed="").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert not [code for code in ("\x1b[3", "\x1b[9") if code in drybill(*words, typed="").out]


@pytest.mark.parametrize("columns", ["1", "20", "60", "80", "120", "200", "0", "-3", "x", ""])
def test_any_width_shows_every_number(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for words in (["diff", desk.mapping, *AS_OF], ["diff", desk.mapping, *AS_OF, "--invoice"]):
        out = drybill(*words).out
        assert "+12.00" in out
        if columns in ("60", "80"):
            assert max(len(line) for line in out.splitlines()) <= int(columns)


# Exit codes


def test_exit_code_tells_differences_only_when_asked(desk: Desk) -> None:
    assert drybill("diff", desk.mapping, *AS_OF).code == 0
    assert drybill("diff", desk.mapping, *AS_OF, "--exit-code").code == Exit.DIFFERENCES
    assert desk.diff("--exit-code")["exit_code"] == 10


def test_exit_code_of_a_clean_run_is_0(clean: Desk) -> None:
    assert drybill("diff", clean.mapping, *AS_OF, "--exit-code").code == 0


def test_exit_code_of_open_decisions_is_11_and_wins_over_differences(desk: Desk) -> None:
    usage = desk.folder / "w.csv"
    usage.write_text("customer_id,sku,quantity\nc,mail,\n", "utf-8")
    assert drybill("diff", desk.mapping, *AS_OF).code == 0
    assert drybill("diff", desk.mapping, *AS_OF, "--exit-code").code == Exit.NEEDS_DECISION


def test_a_vendor_that_cannot_be_asked_is_exit_5_and_the_rest_is_computed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, UnreachableError([Problem("no-answer", None, "no answer in 30 seconds")]))
    found = desk.diff("--exit-code")
    assert found["exit_code"] == Exit.UNREACHABLE
    assert {r["line_id"]: r["bucket"] for i in found["invoices"] for r in i["lines"]} == {
        "L1": "change", "L2": "unknown",
    }  # fmt: skip
    said = drybill("diff", desk.mapping, *AS_OF, "--quiet")
    assert (said.code, "w INCOMPLETE; exit 5" in said.out) == (Exit.UNREACHABLE, True)


def test_an_incomplete_answer_is_exit_3_also_in_a_dry_run(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, Usage([], Receipt("w", "files", complete=False, problems=("cut off",))))
    said = drybill("diff", desk.mapping, *AS_OF)
    assert (said.code, "INCOMPLETE" in said.out) == (Exit.REFUSED, True)


def answer(monkeypatch: pytest.MonkeyPatch, given: Usage | Exception) -> None:
    """What vendor `w` answers."""
    from drybill.flow import fetch

    real: Callable[..., Vendor] = vars(fetch)["open_vendor"]

    class Given:
        kind = "files"

        def session(self) -> AbstractAsyncContextManager[object]:
            return nullcontext()

        async def read(self) -> Usage:
            if isinstance(given, Exception):
                raise given
            return given

    monkeypatch.setattr(
        fetch, "open_vendor", lambda name, *rest: Given() if name == "w" else real(name, *rest)
    )


def test_ctrl_c_is_130(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    raise_in_load(monkeypatch, KeyboardInterrupt())
    for words in (["diff", desk.mapping], ["check", desk.mapping]):
        said = drybill(*words)
        assert (said.code, said.out) == (Exit.INTERRUPTED, "")
        assert said.err.strip() == "interrupted"


def test_a_defect_of_ours_is_exit_1_without_the_data_around_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    raise_in_load(monkeypatch, ValueError("key=s3cret for Wonderland"))
    for words in (["diff", desk.mapping], ["check", desk.mapping]):
        said = drybill(*words)
        assert (said.code, said.out) == (Exit.INTERNAL, "")
        assert "drybill has a defect: ValueError at test_cli_output.py" in said.err
        assert "s3cret" not in said.err
        assert "Wonderland" not in said.err


def raise_in_load(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    from drybill.mapping import load

    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(load, "load", fails)


# --quiet


def test_quiet_is_empty_if_and_only_if_all_is_clean_and_complete(
    clean: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> str:
        said = drybill("diff", clean.mapping, *AS_OF, "--quiet")
        assert said.out.count("\n") <= 1
        return said.out

    assert told() == ""
    assert drybill("diff", clean.mapping, *AS_OF, "--quiet", "--without", "w").out
    file = clean.folder / "w.csv"
    good = file.read_text("utf-8")
    for bad, says in (
        ("customer_id,sku,quantity\nc,mail,6\n", "1 under +2.00 USD"),
        ("customer_id,sku,quantity\nc,mail,4\n", "1 over -2.00 USD"),
        ("customer_id,sku,quantity\nc,mail,\n", "1 unknown"),
        ("customer_id,sku,quantity\n", "w INCOMPLETE"),  # it had rows before
    ):
        file.write_text(bad, "utf-8")
        assert says in told(), says
    file.write_text(good, "utf-8")
    assert told() == ""
    file.write_text(good + "c,new,1\n", "utf-8")
    assert "1 unmapped" in told()
    clean.lines = clean.lines.splitlines()[0] + "\n"
    for name in ("v.csv", "w.csv"):
        (clean.folder / name).write_text("customer_id,sku,quantity\n", "utf-8")
    assert "NOTHING WAS CHECKED" in told()


def test_a_leak_alone_is_not_clean_and_no_difference(clean: Desk) -> None:
    """What was invoiced before is wrong; what is invoiced next is right."""
    clean.lines = clean.lines.replace("2.00,", "2.00,2026-12-01")
    file = clean.folder / "w.csv"
    file.write_text("customer_id,sku,quantity,since\nc,mail,5,2026-11-01\n", "utf-8")
    said = drybill("diff", clean.mapping, *AS_OF, "--quiet", "--exit-code")
    assert (said.code, "leak +10.00 USD; exit 0" in said.out) == (Exit.DONE, True), said.err
    out = drybill("diff", clean.mapping, *AS_OF).out
    assert "Nothing differs" not in out and "No quantity differs, but" in out
    assert "PERIOD_ALREADY_INVOICED" in out and "leak +10.00 USD in periods" in out
    found = clean.diff()
    (line,) = found["invoices"][0]["lines"]
    assert (found["verdict"], line["bucket"], line["leak"]) == ("leak", "unchanged", "10.00")


def test_a_filter_leaves_every_invoice_adding_up(desk: Desk) -> None:
    desk.lines = desk.lines.replace("Mail,5", "Mail,4")
    whole, narrow = desk.diff(), desk.diff("--product", "SEAT")
    assert (narrow["checked"], narrow["verdict"]) == (whole["checked"], whole["verdict"])
    (invoice,) = narrow["invoices"]
    assert [line["line_id"] for line in invoice["lines"]] == ["L1"]
    told = [invoice[f"hidden_{what}"] for what in ("lines", "before", "after")]
    assert told == [1, "8.00", "10.00"]
    out = drybill("diff", desk.mapping, *AS_OF, "--product", "SEAT").out
    (line,) = (line for line in out.splitlines() if "1 row hidden by the filter" in line)
    assert line.split()[-4:] == ["8.00", "->", "10.00", "+2.00"]


def test_a_client_is_also_who_pays(desk: Desk) -> None:
    (desk.folder / "agreements.csv").write_text(
        "agreement_id,company_id,company_name,currency,next_period_start,bill_to\n"
        "A,250,Müller & 松本,USD,2026-12-01,900\n",
        "utf-8",
    )
    (invoice,) = desk.diff("--client", "900")["invoices"]
    assert (invoice["client_id"], len(invoice["lines"])) == ("900", 1)


# Machine output

PROMISED = {
    "": "schema run sources causes invoices ignored unmapped totals guards buckets exit_code",
    "run": "id mapping mapping_digest as_of timezone plan_digest complete wrote",
    "sources": "name kind complete customers records as_of problems",
    "causes": "cause rows money fix",
    "invoices": "psa client_id client agreement_id currency period_start period_end invoice_date "
    "horizon base_amount before after difference not_projected unknown_lines unbilled_periods leak "
    "witness lines",
    "lines": "row agreement_id line_id product description bucket reasons usage quantity_before "
    "quantity_after unit_price amount_before amount_after difference leak wanted effective_date "
    "would_write guards",
    "unmapped": "row vendor customer_id customer_name client_id sku quantity cost cost_currency "
    "price_estimate currency reason",
    "totals": "currency horizon before after difference under_billed over_billed held_up held_down "
    "accepted leak_up leak_down not_checked incomplete_invoices",
    "buckets": "unchanged change create end fixed orphan ignored blocked unknown unmapped",
}


def test_json_has_every_promised_field(desk: Desk) -> None:
    with (desk.folder / "w.csv").open("a") as file:
        file.write("c,new,1\n")
    found = desk.diff("--all")
    parts = {"": found, **found, "lines": found["invoices"][0]["lines"]}
    for name, fields in PROMISED.items():
        part = parts[name]
        for one in part if isinstance(part, list) else [part]:
            assert set(fields.split()) <= one.keys(), name
    assert found["schema"] == "drybill.diff/1"
    assert found["run"]["wrote"] is False
    assert (found["totals"][0]["difference"], found["totals"][0]["under_billed"]) == (
        "12.00",
        "12.00",
    )


def test_check_says_the_same_as_json(desk: Desk) -> None:
    said = drybill("check", desk.mapping, "--format", "json", *AS_OF)
    assert said.code == Exit.DONE
    assert isinstance(json.loads(said.out), dict)
    assert "Nothing was written." in drybill("check", desk.mapping, *AS_OF).out


# explain and runs


def test_every_reason_code_is_explained() -> None:
    for code, meaning in REASONS.items():
        said = drybill("explain", code.lower())
        assert said.code == Exit.DONE
        assert " ".join(said.out.split()).startswith(f"{code} {meaning.says[:40]}")


def test_a_row_is_explained_offline_from_the_last_plan(desk: Desk) -> None:
    rows = desk.rows()
    for name in ("mapping.toml", "v.csv", "w.csv", "lines.csv", "agreements.csv"):
        (desk.folder / name).unlink()
    for name, figures in (("L1", ("10", "13", "12.00")), ("L2", ("5", "10.00"))):
        said = drybill("explain", rows[name]["row"][:6])
        assert said.code == Exit.DONE, said.err
        assert all(figure in said.out for figure in figures)


def test_runs_lists_shows_and_verifies(desk: Desk, journal: Path) -> None:
    assert drybill("runs").out == "The journal holds no runs yet.\n"
    run = desk.diff()["run"]["id"]
    assert drybill("runs").out.startswith(f"{run}  ")
    shown = drybill("runs", "show", run[:10])
    assert (shown.code, shown.out.startswith(f"run {run}, mapping ")) == (0, True)
    assert "is whole" in drybill("runs", "verify").out
    import sqlite3

    with sqlite3.connect(journal / "journal.db") as database:
        database.execute("DROP TRIGGER entries_never_change")
        database.execute("UPDATE entries SET body = body || ' ' WHERE seq = 2")
    said = drybill("runs", "verify")
    assert (said.code, said.out) == (Exit.REFUSED, "")
    assert "entry 2 was changed afterwards" in said.err


def test_a_file_is_named_from_where_the_person_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not as the mapping names it: two folders may each have a usage.csv."""
    desk = tmp_path / "desk"
    desk.mkdir()
    Desk(desk, "", v="customer_id,sku,quantity\nc,seat,many")
    monkeypatch.chdir(tmp_path)
    said = drybill("diff", "desk/mapping.toml", *AS_OF)
    assert said.code == 2
    assert "desk/v.csv:2" in said.err


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_defect(tmp_path: Path, closed: str) -> None:
    """Some schedulers start a program without them."""
    mapping = Desk(tmp_path, "").mapping
    words = f"'{sys.executable}' -m drybill diff '{mapping}' --as-of 2026-11-25 {closed}"
    done = subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_quiet_row_is_explained_on_its_own_invoice(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path,
        "",
        agreements="""
            agreement_id,company_id,currency,next_period_start,timing,parent_agreement_id
            P,250,USD,2026-12-01,,
            K,250,USD,2026-10-15,arrears,P
        """,
        lines="line_id,agreement_id,product,quantity,unit_price\np,P,WALL,1,50\nk,K,HOST,2,10",
    )
    row = desk.rows()["p"]["row"]
    said = drybill("explain", row)
    assert "invoice 1 Dec 2026 for 1-31 Dec 2026" in " ".join(said.out.split()), said.err


def test_a_filter_leaves_the_totals_whole_and_says_so(desk: Desk) -> None:
    words = ["diff", desk.mapping, *AS_OF]
    assert "Totals of the next invoices\n" in drybill(*words).out
    filtered = drybill(*words, "--bucket", "blocked").out
    assert "Totals of the next invoices, whatever the filter hides\n" in filtered


def test_a_workbook_is_no_text_to_show(tmp_path: Path) -> None:
    import xlsxwriter

    book = xlsxwriter.Workbook(tmp_path / "v.xlsx")
    sheet = book.add_worksheet()
    sheet.write_string(0, 0, "Usage report")
    book.close()
    toml = '[vendors.x]\nkind = "files"\nusage = "v.xlsx"\n'
    said = drybill("diff", Desk(tmp_path, toml).mapping, *AS_OF)
    assert said.code == Exit.USAGE
    assert "v.xlsx" in said.err
    assert "PK" not in said.err
