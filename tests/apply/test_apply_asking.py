"""Who is asked before anything is written, and that nothing but --apply writes at all."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from scene import FILES, LINES, MAPPING

from command import AS_OF, Desk, drybill
from drybill.errors import Exit
from drybill.journal import Journal
from drybill.psa.files.writing import FilesWriter


def test_on_a_terminal_the_number_of_lines_is_typed(desk: Desk) -> None:
    said = drybill("diff", desk.mapping, *AS_OF, "--apply", typed="4\n")
    assert said.code == Exit.DONE, said.err
    assert desk.lines != LINES
    assert "4 lines, +36.80 and -27.00 USD -> lines.csv of /" in said.err
    assert "Type 4 to write:" in said.err
    assert "4 verified" in said.err


@pytest.mark.parametrize("typed", ["", "\n", "3\n", "44\n", "y\n", "yes\n", "four\n", "-4\n"])
def test_whatever_else_is_typed_writes_nothing(desk: Desk, typed: str) -> None:
    plan = desk.plan()
    for words in (["--apply", *AS_OF], ["--plan", plan, "--apply"]):
        said = drybill("diff", desk.mapping, *words, typed=typed)
        assert (said.code, desk.lines) == (Exit.USAGE, LINES)
        assert "nothing was written: the number was not typed" in said.err
    with Journal.open(write=False) as journal:
        assert [run.exit_code for run in journal.runs(2)] == [2, 2]


def test_the_table_before_the_question_never_says_that_nothing_is_written(desk: Desk) -> None:
    said = drybill("diff", desk.mapping, *AS_OF, "--apply", typed="no\n")
    assert "APPLY, 4 lines to be written once confirmed" in said.out
    assert "Nothing is written yet. 4 lines would be written" in said.out
    assert "DRY RUN" not in said.out
    assert "Nothing was written" not in said.out
    assert "DRY RUN, nothing is written" in drybill("diff", desk.mapping, *AS_OF).out


def test_ctrl_c_at_the_question_writes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from drybill.cli import applying

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(applying, "_confirm", interrupted)
    said = drybill("diff", desk.mapping, *AS_OF, "--apply", typed="")
    assert (said.code, desk.lines) == (Exit.INTERRUPTED, LINES)
    assert said.err.endswith("interrupted\n")
    with Journal.open(write=False) as journal:
        assert journal.runs(1)[0].exit_code == Exit.INTERRUPTED


def test_without_a_terminal_apply_needs_a_plan(desk: Desk) -> None:
    said = drybill("diff", desk.mapping, *AS_OF, "--apply")
    assert (said.code, desk.lines) == (Exit.USAGE, LINES)
    assert "--apply without a terminal needs --plan" in said.err


def test_without_a_terminal_a_plan_is_named_by_more_than_a_letter(desk: Desk) -> None:
    plan = desk.plan()
    for typed in (plan[0], plan[:7]):
        said = desk.apply(typed)
        assert (said.code, desk.lines) == (Exit.USAGE, LINES)
        assert "at least 8 characters of the plan" in " ".join(said.err.split())
    assert desk.apply(plan[:8]).code == Exit.DONE


@pytest.mark.parametrize(
    "words", [["--format", "json"], ["--output", "x"], ["--quiet"], ["--format", "csv"]]
)
def test_apply_shows_the_table_or_refuses(desk: Desk, words: list[str]) -> None:
    said = drybill("diff", "--plan", desk.plan(), "--apply", *words)
    assert (said.code, desk.lines) == (Exit.USAGE, LINES)
    assert "--apply shows the table" in said.err


def test_a_reader_of_the_table_that_has_gone_refuses_the_apply(desk: Desk) -> None:
    """`drybill diff --plan ID --apply | true` must not write what nobody could see."""
    said = drybill("diff", "--plan", desk.plan(), "--apply", gone="out")
    assert (said.code, desk.lines) == (Exit.REFUSED, LINES)
    assert "whoever was reading the table has gone" in said.err


def test_a_reader_of_the_progress_that_has_gone_does_not_stop_the_writing(desk: Desk) -> None:
    said = drybill("diff", "--plan", desk.plan(), "--apply", gone="err")
    assert said.code == Exit.DONE
    assert desk.diff()["verdict"] == "clean"


def test_there_is_no_yes(desk: Desk) -> None:
    for flag in ("--yes", "-y", "--force", "--appl"):
        assert drybill("diff", desk.mapping, "--apply", flag).code == Exit.USAGE
    assert desk.lines == LINES


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
def test_a_real_terminal_is_asked(desk: Desk) -> None:
    import pty

    child, terminal = pty.fork()
    if not child:
        os.environ["PYTHONPATH"] = str(Path(__file__).parents[2] / "src")
        command = [sys.executable, "-m", "drybill", "diff", desk.mapping, *AS_OF, "--apply"]
        os.execv(sys.executable, command)
    shown = b""
    while b"Type 4 to write:" not in shown:
        shown += os.read(terminal, 4096)
    os.write(terminal, b"5\n")
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(terminal)
    assert (code, desk.lines) == (Exit.USAGE, LINES)
    assert "if applied" in shown.decode()


def test_no_other_command_touches_a_file_of_the_mapping(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All switches are on, every command is given; bytes and times of all files stay."""

    def wall(*_: object) -> None:
        raise AssertionError("a writer was made without --apply")

    monkeypatch.setattr(FilesWriter, "__init__", wall)
    before = stamps(desk.folder)
    mapping, plan = desk.mapping, desk.plan()
    row = desk.rows()["L1"]["row"]
    run = drybill("runs").out.split()[0]
    outside = tmp_path / "out"
    outside.mkdir()
    diffs = [
        [], ["--all"], ["--invoice"], ["--quiet"], ["--exit-code"], ["--plan", plan],
        ["--format", "json"], ["--format", "csv"], ["--format", "md"], ["--format", "svg"],
        ["--only", row], ["--skip", row], ["--client", "250"], ["--without", "w"],
        ["--save", str(outside / "plan.json")], ["--output", str(outside / "report.txt")],
        ["--allow", "run.rows", "--reason", "x"], ["--period", "2026-12-01"],
    ]  # fmt: skip
    others = [
        ["check", mapping], ["check", mapping, "--format", "json"], ["explain", row],
        ["explain", "SEATS_ADDED"], ["runs"], ["runs", "show", run], ["runs", "verify"],
        ["schema"], ["vendors"], ["psa"], ["demo", str(outside / "demo")], ["--help"],
        ["--version"], ["diff", "--help"],
    ]  # fmt: skip
    for words in [["diff", mapping, *AS_OF[: 2 * ("--plan" not in d)], *d] for d in diffs] + others:
        said = drybill(*words)
        assert said.code in (0, 10, 11), (words, said.err)
        assert stamps(desk.folder) == before, words
    assert (outside / "plan.json").exists()


def test_accept_writes_to_its_own_file_only(desk: Desk) -> None:
    mapping = desk.folder / "mapping.toml"
    mapping.write_text('include = ["mapping.d/*.toml"]\n' + mapping.read_text("utf-8"), "utf-8")
    row = desk.rows()["L1"]["row"]
    before = stamps(desk.folder)
    words = [
        "accept",
        row,
        "--reason",
        "agreed",
        "--last-day",
        "2099-12-31",
        "--mapping",
        desk.mapping,
    ]
    said = drybill(*words)
    assert said.code == Exit.DONE, said.err
    assert "nothing was written to a PSA" in said.out
    after = stamps(desk.folder)
    new = {name for name, stamp in after.items() if before.get(name) != stamp}
    assert new == {"mapping.d/accepted.toml"}
    assert desk.rows()["L1"]["bucket"] == "ignored"


@pytest.mark.parametrize("option", ["--output", "--save"])
@pytest.mark.parametrize("name", ["lines.csv", "mapping.toml", "clients.csv", "v.csv"])
def test_a_report_never_replaces_what_it_was_made_from(desk: Desk, option: str, name: str) -> None:
    before = stamps(desk.folder)
    said = drybill("diff", desk.mapping, *AS_OF, option, str(desk.folder / "." / name))
    assert (said.code, "drybill reads this file" in said.err) == (Exit.USAGE, True)
    assert stamps(desk.folder) == before


def stamps(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and times of all that a person keeps there: neither the journal nor our own output."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in files
        if path.relative_to(folder).parts[0] not in ("state", "out")
    }


# What happens while the question stands


@pytest.mark.parametrize("meanwhile", ["another apply", "no writes", "a broken mapping"])
def test_what_changes_while_the_question_stands_stops_the_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    from drybill.cli import applying

    toml = MAPPING.replace("to_zero = true", "to_zero = true\nrun = { rows = 3 }")
    desk = Desk(tmp_path, toml.replace("rows = 3", "rows = 3, percent_of_rows = 0"), **FILES)
    first, second = desk.plan("--client", "250"), desk.plan("--client", "251", "--client", "252")
    mapping = desk.folder / "mapping.toml"
    real = applying._confirm
    lines: list[str] = []

    def while_asked(*words: object) -> None:
        monkeypatch.setattr(applying, "_confirm", real)
        if meanwhile == "another apply":
            assert desk.apply(first).code == Exit.DONE
        elif meanwhile == "no writes":
            mapping.write_text(mapping.read_text("utf-8").replace('"decrease", ', ""), "utf-8")
        else:
            mapping.write_text("[", "utf-8")
        lines.append(desk.lines)

    monkeypatch.setattr(applying, "_confirm", while_asked)
    said = desk.apply(second)
    assert said.code == (Exit.USAGE if meanwhile == "a broken mapping" else Exit.REFUSED)
    assert desk.lines == lines[0]


@pytest.mark.parametrize("option", ["--output", "--save"])
def test_a_report_never_replaces_one_of_several_usage_files_nor_the_journal(
    desk: Desk, journal: Path, option: str
) -> None:
    mapping = desk.folder / "mapping.toml"
    text = mapping.read_text("utf-8")
    assert 'usage = "v.csv"' in text
    mapping.write_text(text.replace('usage = "v.csv"', 'usage = ["v.csv", "w.csv"]'), "utf-8")
    desk.plan()
    for file in (desk.folder / "v.csv", journal / "journal.db", journal / "journal.db-wal"):
        before = stamps(desk.folder), (journal / "journal.db").read_bytes()[:100]
        said = drybill("diff", desk.mapping, *AS_OF, option, str(file))
        assert (said.code, "drybill reads this file" in said.err) == (Exit.USAGE, True), said.err
        assert (stamps(desk.folder), (journal / "journal.db").read_bytes()[:100]) == before


@pytest.mark.parametrize("option", ["--output", "--save"])
def test_a_report_is_written_whole_or_not_at_all(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    file = tmp_path / "out" / "report"
    file.parent.mkdir()
    file.write_text("the old one")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("drybill.whole.os.fsync", full)
    said = drybill("diff", desk.mapping, *AS_OF, option, str(file))
    assert (said.code, "cannot be written: no space left" in said.err) == (Exit.USAGE, True)
    assert [path.read_text() for path in file.parent.iterdir()] == ["the old one"]


def test_without_a_terminal_the_table_says_that_it_is_confirmed(desk: Desk) -> None:
    said = drybill("diff", "--plan", desk.plan(), "--apply")
    assert "APPLY, 4 lines to be written now" in said.out
    assert "Confirmed by --plan. 4 lines will be written" in said.out
    assert "Nothing is written yet" not in said.out


def test_a_part_of_a_plan_speaks_of_its_own_lines_only(desk: Desk) -> None:
    row = desk.rows()["L1"]["row"]
    said = drybill("diff", desk.mapping, *AS_OF, "--only", row)
    assert "the plan can write it: 1 row, 12.00 USD" in said.out
    assert "1 line can be written (+12.00 USD)" in said.out


def test_what_is_written_says_which_leak_it_leaves_behind(tmp_path: Path) -> None:
    """A PSA without a history shows the new quantity as if it had always been billed."""
    usage = "customer_id,sku,quantity,since\nc,seat,13,2026-10-01\nd,seat,9,2026-10-01\n"
    desk = Desk(tmp_path, MAPPING, **{**FILES, "v": usage})
    said = drybill("diff", desk.mapping, *AS_OF, "--apply", typed="2\n")
    assert said.code == Exit.DONE, said.err
    assert "stay as they were billed: +24.00 and -24.00 USD (leak) is yours" in said.err
