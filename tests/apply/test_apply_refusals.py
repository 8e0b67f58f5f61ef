"""What stands against a plan: its age, its mapping, its origin, guards, locks, and the journal."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from scene import FILES, LINES, MAPPING

from command import AS_OF, Desk, drybill
from drybill.errors import Exit, Problem
from drybill.journal import Journal, JournalUnavailable

NOW = datetime.now(UTC)


def made_ago(plan: str, age: timedelta) -> None:
    """Registers a plan again, as one that was made some time ago."""
    with Journal.open(write=True) as journal:
        known = journal.plan(plan)
        assert known.content is not None
        journal.register_plan(
            known.run, known.digest, known.content, None, NOW - age, known.instances
        )


@pytest.mark.parametrize(
    ("age", "code"),
    [(timedelta(hours=23, minutes=50), 0), (timedelta(hours=24, minutes=1), 3),
     (timedelta(hours=-1), 3)],
)  # fmt: skip
def test_a_plan_holds_for_24_hours(desk: Desk, age: timedelta, code: int) -> None:
    plan = desk.plan()
    made_ago(plan, age)
    said = desk.apply(plan)
    assert said.code == code, said.err
    assert ("plan-expired" in said.err) == bool(code)
    assert (desk.lines == LINES) == bool(code)


def test_an_old_plan_says_how_old_it_is(desk: Desk) -> None:
    plan = desk.plan()
    made_ago(plan, timedelta(minutes=95))
    said = f"plan {plan[:8]} is what you saw, 95 min old. 4 lines, +36.80 and -27.00 USD -> "
    assert said in desk.apply(plan).err


def test_a_mapping_that_changed_since_refuses_the_plan(desk: Desk) -> None:
    plan = desk.plan()
    with (desk.folder / "mapping.toml").open("a") as file:
        file.write('[products.MAIL]\nfrom = [{ vendor = "w", sku = "mail" }]\n')
    said = desk.apply(plan)
    assert (said.code, desk.lines) == (Exit.REFUSED, LINES)
    assert "mapping-changed" in said.err


def test_a_plan_is_not_written_with_another_mapping(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    other = Desk(tmp_path / "copy", MAPPING, **FILES)
    plan = desk.plan()
    said = drybill("diff", other.mapping, "--plan", plan, "--apply")
    assert (said.code, other.lines) == (Exit.REFUSED, LINES)
    assert "was made with another mapping" in said.err


# Where a plan comes from


def saved(desk: Desk) -> Path:
    file = desk.folder / "plan.json"
    desk.diff("--save", str(file))
    return file


def test_a_saved_plan_is_private_and_can_be_applied(desk: Desk) -> None:
    file = saved(desk)
    if os.name == "posix":
        assert file.stat().st_mode & 0o777 == 0o600
    assert desk.apply(str(file)).code == Exit.DONE
    assert desk.lines != LINES


def test_a_plan_file_that_was_changed_is_refused(desk: Desk) -> None:
    file = saved(desk)
    text = file.read_text("utf-8")
    file.write_text(text.replace('"quantity 13"', '"quantity 31"').replace('"13"', '"31"'))
    said = desk.apply(str(file))
    assert (said.code, desk.lines) == (Exit.REFUSED, LINES)
    assert "plan-tampered" in said.err
    digest = json.loads(text)["digest"]
    forged = file.read_text("utf-8").replace(digest, "0" * 64)
    file.write_text(forged)
    assert desk.apply(str(file), "--trust", "0" * 64).code == Exit.REFUSED


def test_a_foreign_plan_is_refused_until_its_digest_is_named(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = saved(desk)
    digest = json.loads(file.read_text("utf-8"))["digest"]
    monkeypatch.setenv("DRYBILL_STATE", str(tmp_path / "another machine"))
    said = drybill("diff", desk.mapping, "--plan", str(file), "--apply")
    assert (said.code, desk.lines) == (Exit.REFUSED, LINES)
    assert f"--trust {digest}" in said.err
    for wrong in ("0" * 64, digest[:12], digest.upper()):
        said = drybill("diff", desk.mapping, "--plan", str(file), "--apply", "--trust", wrong)
        assert (said.code, desk.lines) == (Exit.REFUSED, LINES)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"{}", b"[1]", b'{"schema": 1}', b"[" * 100_000],
    ids=["empty", "binary", "empty object", "list", "wrong type", "deep"],
)
def test_a_file_that_is_no_plan_is_an_input_error(desk: Desk, content: bytes) -> None:
    file = desk.folder / "plan.json"
    file.write_bytes(content)
    said = desk.apply(str(file))
    assert (said.code, "plan-unreadable" in said.err) == (Exit.USAGE, True)


def test_a_plan_that_nobody_made_is_an_input_error(desk: Desk) -> None:
    desk.plan()
    for name in ("ffffffff", "", "no/such/plan", str(desk.folder)):
        assert desk.apply(name).code == Exit.USAGE, name


def test_a_purged_plan_says_so(desk: Desk, journal: Path) -> None:
    import sqlite3

    plan = desk.plan()
    with sqlite3.connect(journal / "journal.db") as database:  # what a purge leaves behind
        database.execute("DELETE FROM contents")
    said = desk.apply(plan)
    assert (said.code, desk.lines) == (Exit.USAGE, LINES)
    assert "purged" in said.err


# Guards


def guarded(tmp_path: Path, guards: str) -> Desk:
    return Desk(
        tmp_path, MAPPING.replace("to_zero = true", f"to_zero = true\n    {guards}"), **FILES
    )


def test_a_run_guard_stops_the_whole_apply_and_is_lifted_by_name(tmp_path: Path) -> None:
    desk = guarded(tmp_path, "run = { rows = 3, percent_of_rows = 0 }")
    found = desk.diff()
    assert [g["name"] for g in found["guards"]] == ["rows"]
    plan = found["run"]["plan_digest"]
    said = desk.apply(plan)
    assert (said.code, desk.lines) == (Exit.REFUSED, LINES)
    assert "guard run.rows: 4 rows, limit 3" in said.err
    assert desk.apply(plan, "--allow", "run.rows").code == Exit.USAGE  # no reason given
    said = desk.apply(plan, "--allow", "run.rows", "--reason", "month-end, seen by Kim")
    assert said.code == Exit.DONE, said.err
    with Journal.open(write=False) as journal:
        told = journal.run_entries(journal.runs(1)[0].id)
    assert {"guard": "run.rows", "row": "", "reason": "month-end, seen by Kim"} in [
        entry.body for entry in told if entry.kind == "allow"
    ]


def test_a_guard_lifted_when_the_plan_was_made_stays_lifted_in_it(tmp_path: Path) -> None:
    desk = guarded(tmp_path, "run = { rows = 3, percent_of_rows = 0 }")
    plan = desk.plan("--allow", "run.rows", "--reason", "seen")
    assert desk.apply(plan).code == Exit.DONE


def test_slicing_does_not_evade_a_run_guard(tmp_path: Path) -> None:
    """Guards count the writes of the last 24 hours, also for a plan that was made before them."""
    desk = guarded(tmp_path, "run = { rows = 3, percent_of_rows = 0 }")
    first, second = desk.plan("--client", "250"), desk.plan("--client", "252", "--client", "251")
    assert desk.apply(first).code == Exit.DONE
    said = desk.apply(second)
    assert said.code == Exit.REFUSED
    assert "4 rows, 2 of them in the last 24 hours" in said.err


def test_a_client_guard_stops_apply(tmp_path: Path) -> None:
    desk = guarded(tmp_path, 'client = { money = { USD = "10" } }')
    said = desk.apply(desk.plan())
    assert (said.code, desk.lines) == (Exit.REFUSED, LINES)
    assert "guard client.money (250): 36.80 USD, limit 10 USD" in said.err


def test_a_row_guard_cannot_be_lifted_in_a_finished_plan(desk: Desk) -> None:
    said = desk.apply(desk.plan(), "--allow", "units", "--reason", "x")
    assert (said.code, "the rows of a plan are fixed" in said.err) == (Exit.USAGE, True)


# The PSA, the lock, the journal


@pytest.mark.parametrize("suffix", ["json", "csv.gz", "xlsx"])
def test_a_read_only_psa_shows_its_differences_and_writes_nothing(
    tmp_path: Path, suffix: str
) -> None:
    import gzip

    name = f"lines.{suffix}"
    toml = MAPPING
    desk = Desk(tmp_path, toml, **FILES)
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(mapping.read_text().replace('"lines.csv"', f'"{name}"'))
    header, row = "line_id,agreement_id,product,quantity,unit_price", "L2,B,SEAT,12,4.00"
    record: dict[str, Any] = dict(zip(header.split(","), row.split(","), strict=True))
    if suffix == "json":
        (tmp_path / name).write_text(json.dumps([record]))
    elif suffix == "csv.gz":
        (tmp_path / name).write_bytes(gzip.compress(f"{header}\n{row}\n".encode()))
    else:
        xlsxwriter = pytest.importorskip("xlsxwriter")
        with xlsxwriter.Workbook(tmp_path / name) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, header.split(","))
            sheet.write_row(1, 0, row.split(","))
    before = (tmp_path / name).read_bytes()
    found = desk.rows()["L2"]
    assert (found["bucket"], found["would_write"], found["held_by"]) == (
        "change", False, "PSA_READ_ONLY",
    )  # fmt: skip
    said = desk.apply(desk.plan())
    assert (said.code, "no line of this plan can be written" in said.err) == (Exit.DONE, True)
    assert (tmp_path / name).read_bytes() == before


def test_another_run_that_writes_keeps_the_lock(desk: Desk) -> None:
    plan = desk.plan()
    with FileLock(desk.folder / ".lines.csv.lock"):
        said = desk.apply(plan)
    assert (said.code, desk.lines) == (Exit.LOCKED, LINES)
    assert "another run is writing this file" in said.err
    with Journal.open(write=False) as journal:
        assert journal.runs(1)[0].exit_code == Exit.LOCKED
    assert desk.apply(plan).code == Exit.DONE


def test_without_a_journal_diff_warns_and_apply_refuses(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = desk.plan()
    blocker = desk.folder / "a file"
    blocker.write_text("")
    monkeypatch.setenv("DRYBILL_STATE", str(blocker / "state"))
    said = drybill("diff", desk.mapping, *AS_OF)
    assert said.code == Exit.DONE
    assert "nothing is remembered" in said.out
    assert "--apply" not in said.out.splitlines()[-1]
    for words in (("--plan", plan, "--apply"), ("--apply",)):
        said = drybill("diff", desk.mapping, *AS_OF[: 2 * (len(words) == 1)], *words, typed="4\n")
        assert (said.code, desk.lines) == (Exit.USAGE, LINES)
        assert "journal-unavailable" in said.err


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("lines.csv", "L1,A,SEAT", "L1,A,OTHER", "product: planned SEAT, found OTHER"),
        ("agreements.csv", "A,250,", "A,999,", "company_id: planned 250, found 999"),
        ("agreements.csv", "A,250,USD", "A,250,EUR", "currency: planned USD, found EUR"),
    ],
)
def test_a_line_that_became_somebody_elses_is_refused(
    desk: Desk, file: str, old: str, new: str, says: str
) -> None:
    """The same id is not the same line."""
    plan = desk.plan()
    path = desk.folder / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    said = desk.apply(plan)
    assert said.code == Exit.APPLIED_IN_PART
    assert says in said.err
    assert "10" in next(line for line in desk.lines.splitlines() if line.startswith("L1"))


def test_a_line_that_came_on_another_agreement_of_the_client_stops_a_create(desk: Desk) -> None:
    plan = desk.plan()
    agreements = desk.folder / "agreements.csv"
    header, first, *rest = agreements.read_text("utf-8").splitlines()
    agreements.write_text("\n".join([header, first, *rest, first.replace("A,", "A9,", 1)]) + "\n")
    columns = desk.lines.splitlines()[0].split(",")
    row = {"line_id": "L99", "agreement_id": "A9", "product": "AV", "quantity": "8"}
    desk.lines += ",".join({**row, "unit_price": "3"}.get(name, "") for name in columns) + "\n"
    said = desk.apply(plan)
    assert "line L99 bills this product already on agreement A9" in said.err
    assert "drybill-" not in desk.lines


def test_output_never_overwrites_an_input_by_another_name(desk: Desk) -> None:
    other = desk.folder / "other.csv"
    other.hardlink_to(desk.folder / "lines.csv")
    before = desk.lines
    said = drybill("diff", desk.mapping, *AS_OF, "--output", str(other))
    assert said.code == Exit.USAGE
    assert desk.lines == before


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("status", "cancelled", "status: planned active, found cancelled"),
        ("end_date", "2026-12-20", "end_date: planned nothing, found 2026-12-20"),
        ("bill_to", "252", "bill_to: planned nothing, found 252"),
        ("parent_agreement_id", "B", "parent_id: planned nothing, found B"),
        ("cycle", "annual", "cycle: planned monthly, found annual"),
        ("start_date", "2027-05-01", "start_date: planned nothing, found 2027-05-01"),
    ],
)
def test_a_line_whose_agreement_changed_its_terms_is_refused(
    desk: Desk, column: str, value: str, says: str
) -> None:
    plan = desk.plan()
    path = desk.folder / "agreements.csv"
    header, *rows = path.read_text("utf-8").splitlines()
    changed = [f"{row},{value if row.startswith('A,') else ''}" for row in rows]
    path.write_text("\n".join([f"{header},{column}", *changed]) + "\n", "utf-8")
    before = [line for line in desk.lines.splitlines() if ",A," in line]
    said = desk.apply(plan)
    assert said.code == Exit.APPLIED_IN_PART
    assert said.err.count(says) == 2  # the raise and the new line
    assert [line for line in desk.lines.splitlines() if ",A," in line] == before


def test_a_cut_off_export_of_the_psa_gets_no_new_lines(desk: Desk) -> None:
    """Against the journal's last complete answer; the shrunken one does not become the measure."""
    everything = desk.lines
    desk.plan()
    desk.lines = "\n".join(everything.splitlines()[:3]) + "\n"
    for _ in range(2):
        found = desk.rows()
        assert (found["AV"]["bucket"], found["AV"]["reasons"][0]) == ("blocked", "SOURCE_SHRUNK")
    desk.lines = everything
    assert desk.rows()["AV"]["bucket"] == "create"


def test_a_copied_mapping_does_not_make_the_guard_of_slow_falls_forget(tmp_path: Path) -> None:
    toml = MAPPING.replace("row = { units = 100, percent = 1000 }", "row = { units = 5 }")
    desk = Desk(tmp_path, toml, **FILES)
    desk.lines = desk.lines.replace("L2,B,SEAT,Seats,12", "L2,B,SEAT,Seats,30")
    desk.plan()
    desk.lines = desk.lines.replace("L2,B,SEAT,Seats,30", "L2,B,SEAT,Seats,12")
    copy = tmp_path / "copy.toml"
    copy.write_bytes((tmp_path / "mapping.toml").read_bytes())
    for words in ([str(copy), *AS_OF], [desk.mapping, "--as-of", "2026-12-25"]):
        said = drybill("diff", *words, "--format", "json", "--client", "251")
        (row,) = json.loads(said.out)["invoices"][0]["lines"]
        assert (row["bucket"], row["guards"][0]["name"]) == ("blocked", "units"), words
        assert row["guards"][0]["value"] == "21 units"


def test_a_plan_can_be_shown_where_the_journal_can_only_be_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = desk.plan()
    real = Journal.open.__func__  # type: ignore[attr-defined]

    def full(cls: type[Journal], folder: Path | None = None, *, write: bool) -> Journal:
        if write:
            raise JournalUnavailable([Problem("journal-unavailable", None, "the disk is full")])
        opened: Journal = real(cls, folder, write=False)
        return opened

    monkeypatch.setattr(Journal, "open", classmethod(full))
    said = drybill("diff", "--plan", plan)
    assert (said.code, f"plan {plan[:8]}" in said.out) == (Exit.DONE, True), said.err
    assert "nothing is remembered: the disk is full" in said.out
    assert desk.apply(plan).code == Exit.USAGE
    assert desk.lines == LINES


def test_a_second_line_of_the_product_that_came_since_stops_a_raise(desk: Desk) -> None:
    plan = desk.plan()
    desk.lines += "L9,A,SEAT,more,8,4.00,,,\n"
    said = desk.apply(plan)
    assert "line L9 bills this product, too" in said.err
    assert '"Seats, all of them",10,' in desk.lines


def test_a_line_that_looks_like_the_one_to_create_stops_it(desk: Desk) -> None:
    plan = desk.plan()
    desk.lines += "L9,A,av\u200b,x,8,3.10,,,\n"
    said = desk.apply(plan)
    assert "line L9 bills this product already" in said.err
    assert "drybill-" not in desk.lines


def test_output_never_overwrites_the_plan_that_is_shown(desk: Desk) -> None:
    file = saved(desk)
    before = file.read_bytes()
    said = drybill("diff", "--plan", str(file), "--output", str(file))
    assert (said.code, file.read_bytes()) == (Exit.USAGE, before)
