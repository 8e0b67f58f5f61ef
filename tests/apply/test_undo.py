"""What a run wrote is put back as it was, and what somebody changed since is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from scene import FILES, LINES, MAPPING

from command import Desk, drybill, last_run, undone
from drybill.errors import Exit

# what client and run guards would say of undoing everything at once, they say in a test of its own
OPEN = MAPPING.replace(
    "[guards]",
    "[guards]\n    client = { percent_of_invoice = 9999 }\n"
    "    run = { rows = 99, percent_of_invoices = 9999 }",
)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, OPEN, **FILES)


def test_a_run_is_undone_with_its_own_difference_shown_first(desk: Desk) -> None:
    assert desk.apply(desk.plan()).code == Exit.DONE
    run, written = last_run(), desk.lines
    said = drybill("undo", run)
    assert (said.code, desk.lines) == (Exit.DONE, written)
    assert "13 ->  10" in said.out
    assert "9 ->  12" in said.out
    assert "RESTORED" in said.out
    assert said.out.endswith("Nothing was restored.\n")
    said = undone(run)
    assert said.code == Exit.DONE, said.err
    rows = {line.split(",")[0]: line for line in desk.lines.splitlines()}
    before = {line.split(",")[0]: line for line in LINES.splitlines()}
    assert [rows[name] for name in before] == list(before.values())  # an end is taken back, too
    (made,) = [line for name, line in rows.items() if name.startswith("drybill-")]
    assert made.endswith("2026-12-01,2026-12-01,")  # from its first day on it bills nothing
    after = desk.lines
    again = undone(run)
    assert (again.code, desk.lines) == (Exit.DONE, after)
    assert again.out.count("taken back already") == 4
    desk.lines = "\n".join(line for line in desk.lines.splitlines() if not line.startswith("L3"))
    assert "252, Antivirus: the line is gone; restore it by hand" in " ".join(
        drybill("undo", run).out.split()
    )


def test_an_undo_can_be_undone(desk: Desk) -> None:
    row = desk.rows()["L1"]["row"]
    assert desk.apply(desk.plan("--only", row)).code == Exit.DONE
    written = desk.lines
    assert undone(last_run()).code == Exit.DONE
    assert desk.lines == LINES
    assert undone(last_run()).code == Exit.DONE
    assert desk.lines == written


def test_what_was_changed_since_is_left_alone(desk: Desk) -> None:
    assert desk.apply(desk.plan()).code == Exit.DONE
    run = last_run()
    lines = desk.folder / "lines.csv"
    lines.write_text(desk.lines.replace('all of them",13', 'all of them",14'), "utf-8")
    said = drybill("undo", run)
    assert "CHANGED_SINCE" in said.out
    assert undone(run).code == Exit.DONE
    assert 'all of them",14' in desk.lines
    assert "L2,B,SEAT,Seats,12,4.00" in desk.lines


@pytest.mark.parametrize(
    ("old", "new"), [(",13,4.00,", ",13,4.50,"), (",13,4.00,2024-01-01,", ",13,4.00,2024-02-01,")]
)
def test_whatever_else_of_a_line_was_changed_counts(desk: Desk, old: str, new: str) -> None:
    assert desk.apply(desk.plan("--only", desk.rows()["L1"]["row"])).code == Exit.DONE
    lines = desk.folder / "lines.csv"
    assert old in desk.lines
    lines.write_text(desk.lines.replace(old, new), "utf-8")
    changed = desk.lines
    undone(last_run())
    assert desk.lines == changed


def test_switches_and_row_guards_do_not_stand_in_the_way(desk: Desk) -> None:
    assert desk.apply(desk.plan()).code == Exit.DONE
    run, mapping = last_run(), Path(desk.mapping)
    text = mapping.read_text("utf-8")
    text = text.replace('["increase", "decrease", "create", "end"]', "[]")
    mapping.write_text(text.replace("units = 100, percent = 1000", "units = 1"), "utf-8")
    assert undone(run).code == Exit.DONE
    assert '"Seats, all of them",10,4.00' in desk.lines


def test_client_and_run_guards_do(tmp_path: Path) -> None:
    desk = Desk(tmp_path, OPEN, **FILES)
    assert desk.apply(desk.plan()).code == Exit.DONE
    run, written, mapping = last_run(), desk.lines, Path(desk.mapping)
    text = mapping.read_text("utf-8")
    guarded = text.replace("run = { rows = 99,", 'run = { money = { USD = "1" }, rows = 99,')
    mapping.write_text(guarded, "utf-8")
    said = undone(run)
    assert (said.code, desk.lines) == (Exit.REFUSED, written)
    assert "guard-run-money" in said.err
    said = undone(run, "--allow", "run.money", "--reason", "a wrong month")
    assert said.code == Exit.DONE, said.err


@pytest.mark.parametrize("words", [["nosuch"], []])
def test_a_run_that_wrote_nothing_cannot_be_undone(desk: Desk, words: list[str]) -> None:
    desk.diff()
    said = drybill("undo", *(words or [last_run()]), "--apply")
    assert (said.code, desk.lines) == (Exit.USAGE, LINES)


def test_an_invoice_that_was_issued_since_is_named(desk: Desk) -> None:
    assert desk.apply(desk.plan()).code == Exit.DONE
    run = last_run()
    agreements = desk.folder / "agreements.csv"
    text = agreements.read_text("utf-8").replace("A,250,USD,2026-12-01", "A,250,USD,2027-01-01")
    agreements.write_text(text, "utf-8")
    said = " ".join(drybill("undo", run).out.split())
    assert "agreement A: the invoice for the period from 2026-12-01 has been issued since" in said


def test_a_line_that_the_mapping_names_is_restored(tmp_path: Path) -> None:
    """Its name is part of the row's identity, for an undo, too."""
    files = {**FILES, "lines": f"{LINES}L9,A,SEAT,Branch,2,4.00,,,\n"}
    named = '[[lines]]\nclient = 250\nproduct = "SEAT"\nline = "L9"\nname = "branch"\n[guards]'
    desk = Desk(tmp_path, OPEN.replace("[guards]", named), **files)
    before = desk.lines
    assert desk.apply(desk.plan("--client", "250", "--product", "SEAT")).code == Exit.DONE
    assert "L9,A,SEAT,Branch,3,4.00" in desk.lines
    said = undone(last_run())
    assert said.code == Exit.DONE, said.err
    assert desk.lines == before
    assert "Confirmed by undo, which has shown it." in " ".join(said.out.split())


def test_without_a_terminal_only_what_was_shown_is_restored(desk: Desk) -> None:
    assert desk.apply(desk.plan()).code == Exit.DONE
    run, written = last_run(), desk.lines
    for _ in range(2):  # to try it is not to show it
        said = drybill("undo", run, "--apply")
        assert (said.code, said.out, desk.lines) == (Exit.USAGE, "", written)
    assert f"drybill undo {run}, and then the same with --apply" in said.err


def test_a_line_that_was_taken_back_can_be_made_again(desk: Desk) -> None:
    """As a new one: the ended line keeps its id and its end."""
    assert desk.apply(desk.plan("--product", "AV", "--client", "250")).code == Exit.DONE
    assert undone(last_run()).code == Exit.DONE
    again = desk.apply(desk.plan("--product", "AV", "--client", "250"))
    assert again.code == Exit.DONE, again.err
    new = [line for line in desk.lines.splitlines() if line.startswith("drybill-")]
    assert [line.split(",")[0].count("-") for line in new] == [1, 2]
    assert desk.rows("--client", "250")[new[1].split(",")[0]]["bucket"] == "unchanged"


def test_what_a_later_run_wrote_is_not_taken_back_by_an_earlier_ones_undo(desk: Desk) -> None:
    row = desk.rows()["L1"]["row"]
    assert desk.apply(desk.plan("--only", row)).code == Exit.DONE
    first = last_run()
    assert undone(first).code == Exit.DONE
    assert desk.apply(desk.plan("--only", row)).code == Exit.DONE
    later, written = last_run(), desk.lines
    said = undone(first)
    assert desk.lines == written
    assert f"run {later} has written it since" in " ".join(drybill("explain", row).out.split())
    assert said.code == Exit.DONE


def test_an_end_is_not_taken_back_beside_a_line_that_bills_instead(desk: Desk) -> None:
    """On whatever agreement of the client."""
    assert desk.apply(desk.plan("--client", "252")).code == Exit.DONE
    agreements = desk.folder / "agreements.csv"
    agreements.write_text(agreements.read_text("utf-8") + "D,252,USD,2026-12-01\n", "utf-8")
    desk.lines += "L8,D,AV,Antivirus elsewhere,5,3.00,2026-12-01,,\n"
    before = desk.lines
    undone(last_run())
    assert desk.lines == before


def test_an_undone_end_can_be_made_again_and_undone(desk: Desk) -> None:
    assert desk.apply(desk.plan("--client", "252")).code == Exit.DONE
    ended = desk.lines
    assert undone(last_run()).code == Exit.DONE
    assert desk.lines == LINES
    assert undone(last_run()).code == Exit.DONE
    assert desk.lines == ended


def test_what_is_restored_is_not_called_billed_wrong(desk: Desk) -> None:
    assert desk.apply(desk.plan()).code == Exit.DONE
    said = drybill("undo", last_run()).out
    assert "under-billed" not in said
    assert "over-billed" not in said
    assert "more" in said


def test_runs_are_undone_one_after_the_other_newest_first(desk: Desk) -> None:
    row = desk.rows()["L1"]["row"]
    assert desk.apply(desk.plan("--only", row)).code == Exit.DONE
    first, between = last_run(), desk.lines
    usage = desk.folder / "v.csv"
    usage.write_text(usage.read_text("utf-8").replace("c,seat,13", "c,seat,17"), "utf-8")
    assert desk.apply(desk.plan("--only", row)).code == Exit.DONE
    assert undone(last_run()).code == Exit.DONE
    assert desk.lines == between
    assert undone(first).code == Exit.DONE
    assert desk.lines == LINES
