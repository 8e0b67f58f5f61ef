"""The README cannot lie: its tables are made from the program, and its commands are run.

`pytest tests/test_readme.py --update-golden` writes the made parts anew.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drybill.billing.reasons import REASONS
from drybill.cli.main import app
from drybill.errors import Exit

TOP = Path(__file__).parents[1]
README = TOP / "README.md"

EXITS = {
    Exit.DONE: "done; with `--exit-code`: everything was checked and no quantity differs",
    Exit.INTERNAL: "internal error: a defect of drybill, never differences",
    Exit.USAGE: "usage or mapping error",
    Exit.REFUSED: "refused: a source that did not answer wholly, or `--apply` stopped by a guard",
    Exit.APPLIED_IN_PART: "applied in part, every outcome known",
    Exit.UNREACHABLE: "a source that could not be asked; the rest was computed",
    Exit.UNKNOWN_OUTCOME: "an outcome is unknown: a person must look",
    Exit.LOCKED: "another run holds the lock",
    Exit.DIFFERENCES: "only with `--exit-code`, and of `runs recheck`: differences",
    Exit.NEEDS_DECISION: "only with `--exit-code`: rows that need a decision",
    Exit.INTERRUPTED: "interrupted",
}


def exit_codes() -> str:
    assert set(EXITS) == set(Exit)
    rows = [f"| {code.value} | {EXITS[code]} |" for code in Exit]
    return "\n".join(["| exit | meaning |", "|---|---|", *rows])


def reasons() -> str:
    rows = [f"| `{code}` | {m.says} | {m.fix} |" for code, m in REASONS.items()]
    return "\n".join(["| code | meaning | what to do |", "|---|---|---|", *rows])


def help_pages() -> str:
    """The help of the program and of its main command, as a terminal of 80 columns shows it."""
    pages = []
    for words in ([], ["diff"]):
        result = CliRunner().invoke(
            app,
            [*words, "--help"],
            prog_name="drybill",
            env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"},
        )
        assert result.exit_code == 0
        text = "\n".join(line.rstrip() for line in result.stdout.strip().splitlines())
        pages.append(f"```text\n$ drybill {' '.join([*words, '--help'])}\n{text}\n```")
    return "\n\n".join(pages)


def adapter() -> str:
    """The whole of an adapter that the suite tests: what is printed here is what passes."""
    blocks = []
    for name, language in (
        ("pyproject.toml", "toml"),
        ("drybill_ledger.py", "python"),
        ("test_ledger.py", "python"),
    ):
        text = (TOP / "examples/drybill-ledger" / name).read_text("utf-8").rstrip()
        blocks.append(f"`{name}`\n\n```{language}\n{text}\n```")
    return "\n\n".join(blocks)


MADE = {
    "exit-codes": exit_codes,
    "help": help_pages,
    "reasons": reasons,
    "adapter": adapter,
}


@pytest.mark.parametrize("name", MADE)
def test_made_parts_are_true(name: str, request: pytest.FixtureRequest) -> None:
    text = README.read_text("utf-8")
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    assert pattern.search(text), f"the README has no part {name}"
    made = pattern.sub(lambda found: f"{found[1]}{MADE[name]()}\n{found[2]}", text)
    if request.config.getoption("--update-golden"):
        README.write_text(made, "utf-8")
        return
    assert text == made


def test_every_promise_is_listed() -> None:
    part = README.read_text("utf-8").split("<!-- invariants -->")[1].split("<!-- end -->")[0]
    assert re.findall(r"^(\d+)\. ", part, re.MULTILINE) == [str(n) for n in range(1, 13)]


def commands() -> list[str]:
    """The lines of console blocks that call drybill on files of this repository."""
    blocks = re.findall(r"```console\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line.rpartition("&& ")[2] for line in lines if "drybill " in line]


def test_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the README, with one journal, as a reader would type them."""
    monkeypatch.chdir(TOP)
    monkeypatch.setenv("DRYBILL_STATE", str(tmp_path))
    before = (TOP / "examples/quickstart/lines.csv").read_bytes()
    run = 0
    for command in commands():
        words = shlex.split(command)
        assert Path(words[0]).name == "drybill", command
        result = CliRunner().invoke(app, words[1:], env={"COLUMNS": "120"})
        if "--apply" in words:  # nobody sits at this terminal
            assert result.exit_code == Exit.USAGE, result.output
        elif "/etc/" not in command:
            assert result.exit_code == Exit.DONE, (command, result.output, result.exception)
        run += 1
    assert run >= 4
    assert (TOP / "examples/quickstart/lines.csv").read_bytes() == before


def test_the_picture_is_of_a_real_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(TOP)
    monkeypatch.setenv("DRYBILL_STATE", str(tmp_path / "state"))
    picture = TOP / "examples/quickstart/diff.svg"
    made = picture if request.config.getoption("--update-golden") else tmp_path / "diff.svg"
    words = "diff examples/quickstart/mapping.toml --as-of 2026-11-25 --format svg --output"
    result = CliRunner().invoke(app, [*words.split(), str(made)])
    assert result.exit_code == Exit.DONE, result.output
    assert made.read_bytes() == picture.read_bytes()
    assert b"http" not in picture.read_bytes().replace(b"http://www.w3.org/2000/svg", b"")


def test_quickstart_agrees_with_a_calculation_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figures that the README's walk-through names."""
    monkeypatch.chdir(TOP)
    monkeypatch.setenv("DRYBILL_STATE", str(tmp_path))
    words = "diff examples/quickstart/mapping.toml --as-of 2026-11-25"
    table = CliRunner().invoke(app, words.split(), env={"COLUMNS": "120"}).stdout
    for figure in ("786.80", "852.80", "+66.00", "-44.00", "31.00", "+24.80", "10.00 USD"):
        assert figure in table


def test_demo_lays_out_the_quickstart() -> None:
    bundled = TOP / "src/drybill/demo/quickstart"
    for file in bundled.iterdir():
        assert file.read_bytes() == (TOP / "examples/quickstart" / file.name).read_bytes()
