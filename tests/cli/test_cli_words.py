"""Every word that can be typed: one clear message where it is wrong, and never a traceback."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

import drybill as package
from command import AS_OF, Desk, drybill
from drybill.cli.main import app
from drybill.errors import Exit

HERE = Path(__file__).parent
DIFF = "diff mapping.toml"

WRONG = {
    f"{DIFF} --as-of yesterday": "`yesterday` is not a date (2026-12-01) or a time with its zone",
    f"{DIFF} --as-of 2026-11-25T10:00": "is not a date (2026-12-01) or a time with its zone",
    f"{DIFF} --as-of 2026-02-30": "`2026-02-30` is not a date",
    f"{DIFF} --as-of 9999-12-31": "no day that anything is billed on",
    f"{DIFF} --as-of 0001-01-01T00:00:00+14:00": "no day that anything is billed on",
    f"{DIFF} --period 1.12.2026": "--period: `1.12.2026` is not a date such as 2026-12-01",
    f"{DIFF} --period 2026-12-02": "no agreement has a period not yet invoiced that starts then",
    f"{DIFF} --horizon soon": "--horizon",
    f"{DIFF} --horizon -1": "--horizon",
    f"{DIFF} --horizon 99999": "--horizon",
    f"{DIFF} --min-money 1_000": "`1_000` is not an amount such as 25.00",
    f"{DIFF} --min-money NaN": "`NaN` is not an amount",
    f"{DIFF} --min-money 1e9": "`1e9` is not an amount",
    f"{DIFF} --min-money=-5": "`-5` is not an amount",
    f"{DIFF} --min-money ١٢": "is not an amount",
    f"{DIFF} --bucket blockd": "`blockd` is none of unchanged, change",
    f"{DIFF} --format xml": "--format",
    f"{DIFF} --client Wonderland": "--client: nothing is called `Wonderland`",
    f"{DIFF} --product SEATS": "a similar one exists: `SEAT`",
    f"{DIFF} --vendor z": "--vendor: nothing is called `z`",
    f"{DIFF} --without z": "--without: no vendor is called `z`",
    f"{DIFF} --allow run.row --reason x": "no guard is called `run.row`; a similar one is",
    f"{DIFF} --allow units": "--allow needs --reason TEXT",
    f"{DIFF} --reason x": "--reason goes with --allow",
    f"{DIFF} --allow past_periods --reason x": "is lifted with --period DATE",
    f"{DIFF} --trust 00": "--trust goes with --plan FILE",
    f"{DIFF} --only zzzz": "no row of the plan begins with `zzzz`",
    f"{DIFF} --skip zzzz": "no row of the plan begins with `zzzz`",
    f"{DIFF} --plan zzzz": "no plan begins with `zzzz`",
    f"{DIFF} --plan zzzz --client 250": "--client: a plan is fixed; use it without --plan",
    f"{DIFF} --plan zzzz --as-of 2026-11-25": "--as-of: a plan is fixed",
    f"{DIFF} --apply": "--apply without a terminal needs --plan",
    f"{DIFF} --save no/such/folder/plan.json": "cannot be written: no such file or directory",
    f"{DIFF} --output no/such/folder/x": "cannot be written: no such file or directory",
    f"{DIFF} --output .": "cannot be written: is a directory",
    f"{DIFF} --nope": "--nope",
    f"{DIFF} extra": "extra",
    "diff nowhere.toml": "there is no such file",
    "diff .": "this is a folder",
    "check nowhere.toml": "there is no such file",
    "check mapping.toml --format md": "`md` is neither table nor json",
    "check mapping.toml --as-of x": "--as-of",
    "explain zzzz": "the journal holds no plan yet",
    "explain": "what",
    "runs --limit 0": "--limit",
    "runs show zzzz": "no run begins with `zzzz`",
    "runs nope": "nope",
    "accept zzzz --last-day 2099-01-01": "--reason",
    "accept zzzz --reason x": "--last-day",
    "accept zzzz --reason x --last-day soon": "--last-day: `soon` is not a date",
    "accept zzzz --reason x --last-day 2020-01-01": "--last-day 2020-01-01 has passed",
    "accept zzzz --reason= --last-day 2099-01-01": "must say something",
    "demo .": "this is there already",
    "nope": "nope",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_word_gets_one_clear_message_and_exit_2(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(desk.folder)
    said = drybill(*line.split())
    assert said.code == (Exit.REFUSED if "2026-12-02" in line else Exit.USAGE), said.err
    assert WRONG[line] in " ".join(said.err.split())
    assert said.err.count("Error:") + said.err.count("error[") == 1
    assert said.out == ""


def test_an_empty_row_id_means_no_row(desk: Desk) -> None:
    """Of a plan with one row the empty prefix would fit that one."""
    desk.diff()
    for words in (["explain", ""], ["accept", " ", "--reason", "x", "--last-day", "2099-01-01"]):
        said = drybill(*words, *(["--mapping", desk.mapping] if words[0] == "accept" else []))
        assert said.code == Exit.USAGE


def test_help(golden: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own words of the help pages; their layout is typer's."""
    command = typer.main.get_command(app)
    told = [str(command.help), str(getattr(command, "epilog", "")), ""]
    commands = dict(sorted(command.commands.items()))  # type: ignore[attr-defined]
    for name, sub in commands.items():
        told.append(f"{name}: {sub.help}")
        told += [_parameter(parameter) for parameter in sub.params if parameter.name != "help"]
        for below, third in sorted(getattr(sub, "commands", {}).items()):
            told.append(f"{name} {below}: {third.help}")
            told += [_parameter(parameter) for parameter in third.params]
    golden(HERE / "golden" / "help.txt", "\n".join(told) + "\n")
    monkeypatch.setenv("COLUMNS", "50")
    for words in ([], ["diff"], ["runs"], ["runs", "show"], ["accept"]):
        for flag in ("--help", "-h"):
            said = drybill(*words, flag)
            assert (said.code, said.err) == (Exit.DONE, "")
            assert "Usage: drybill" in said.out


def _parameter(parameter: object) -> str:
    names = "/".join(getattr(parameter, "opts", []))
    return f"  {names}: {getattr(parameter, 'help', '')}"


def test_the_version_is_told() -> None:
    import drybill as package

    assert drybill("--version").out == f"drybill {package.__version__}\n"


# Which mapping


def test_the_mapping_is_the_argument_else_the_variable_else_the_file_here(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(desk.folder)
    assert "mapping.toml" in drybill("diff", *AS_OF).out.splitlines()[0]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("DRYBILL_MAPPING", desk.mapping)
    assert drybill("diff", *AS_OF).code == Exit.DONE
    assert drybill("check").code == Exit.DONE
    assert drybill("diff", "other.toml", *AS_OF).code == Exit.USAGE
    monkeypatch.setenv("DRYBILL_MAPPING", "")
    assert "mapping.toml: error[no-mapping]" in drybill("diff", *AS_OF).err


def test_no_mapping_is_searched_in_the_folders_above(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = desk.folder / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    for command in ("diff", "check"):
        said = drybill(command)
        assert (said.code, "there is no such file" in said.err) == (Exit.USAGE, True)


# Completion


def test_completion_knows_the_last_plan(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from drybill.cli import complete

    row = desk.rows()["L1"]["row"]
    assert complete.rows(row[:2].upper()) == [row]
    assert complete.clients("mü") == ["Müller & 松本"]
    monkeypatch.chdir(desk.folder)
    assert complete.mappings("map") == ["mapping.toml"]


@pytest.mark.parametrize("word", ["", "x", "\0", "\0/x", "/root/none/", "\ud800", "a" * 5000, "~"])
@pytest.mark.parametrize("state", ["absent", "garbage", "a file"])
def test_completion_never_fails(
    journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, state: str
) -> None:
    from drybill.cli import complete

    monkeypatch.chdir(tmp_path)
    if state == "garbage":
        journal.mkdir()
        (journal / "journal.db").write_bytes(b"\xff" * 100)
    elif state == "a file":
        journal.write_text("")
    assert complete.rows(word) == complete.clients(word) == []
    assert isinstance(complete.mappings(word), list)


def test_ctrl_c_in_the_first_moment_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n")
    folders = [str(tmp_path), str(Path(package.__file__).parents[1])]
    said = subprocess.run(
        [sys.executable, "-m", "drybill", "--help"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stdout, said.stderr) == (130, "", "interrupted\n")


def test_the_adapters_and_what_they_can(
    golden: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of this package, whatever else is installed beside it."""
    real = importlib.metadata.entry_points

    def ours(*, group: str) -> list[importlib.metadata.EntryPoint]:
        return [point for point in real(group=group) if point.dist and point.dist.name == "drybill"]

    monkeypatch.setattr(importlib.metadata, "entry_points", ours)
    monkeypatch.setenv("COLUMNS", "80")
    golden(HERE / "golden/psa.txt", drybill("psa").out)
