"""What --apply writes: exactly what the plan showed, line by line, and nothing twice."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scene import LINES, MAPPING

from command import Desk, drybill
from drybill.errors import Exit
from drybill.journal import Journal

WRITTEN = """\
line_id,agreement_id,product,description,quantity,unit_price,effective_date,cancelled_date,note
L1,A,SEAT,"Seats, all of them",13,4.00,2024-01-01,,"said ""yes\"\"\"
L2,B,SEAT,Seats,9,4.00,,,
L3,C,AV,Antivirus,5,3.00,,2026-12-01,keep
L4,C,SEAT,Seats,7,4.00,,,
drybill-{row},A,AV,AV,8,3.10,2026-12-01,,
"""


def test_every_kind_of_write_changes_its_cells_and_nothing_else(desk: Desk) -> None:
    new = desk.rows()["AV"]["row"]
    said = desk.apply(desk.plan())
    assert said.code == Exit.DONE, said.err
    assert desk.lines == WRITTEN.format(row=new)
    assert said.err.count("verified") == 4 + 1
    after = desk.diff()
    assert after["verdict"] == "clean", after["buckets"]
    assert not after["run"]["wrote"]


def test_the_journal_tells_intent_answer_and_what_was_read_back(desk: Desk) -> None:
    plan = desk.plan("--only", desk.rows()["L1"]["row"])
    desk.apply(plan)
    with Journal.open(write=False) as journal:
        (run, *_) = journal.runs()
        told = [(e.kind, e.body or {}) for e in journal.run_entries(run.id)]
        assert journal.verify() == []
    assert (run.facts["command"], run.exit_code) == ("apply", 0)
    kinds = [kind for kind, _ in told]
    assert kinds == ["run", "intent", "answer", "readback", "end"]
    intent, answer, readback, end = (body for _, body in told[1:])
    assert end["summary"] == {"applied": plan}
    assert (intent["plan"], intent["client"], intent["difference"]) == (plan, "250", "12.00")
    assert intent["observed"]["quantity"] == "10"
    assert (answer["verdict"], readback["verdict"]) == ("accepted", "verified")
    assert readback["found"] == {"quantity": "13", "line_id": "L1"}


def test_a_plan_applied_twice_writes_nothing_twice(desk: Desk) -> None:
    plan = desk.plan()
    desk.apply(plan)
    once = desk.lines
    again = desk.apply(plan)
    assert again.code == Exit.REFUSED
    assert desk.lines == once
    assert "bills this product already" in again.err  # the new line
    assert "cancelled: planned nothing, found 2026-12-01" in again.err  # the end
    assert "quantity: planned 10, found 13" in again.err  # the raise
    assert "Nothing was written." in again.err


def test_a_line_that_moved_is_refused_by_name_and_the_others_go_on(desk: Desk) -> None:
    plan = desk.plan()
    desk.lines = LINES.replace("Seats,12,4.00", "Seats,11,4.50")
    said = desk.apply(plan)
    assert said.code == Exit.APPLIED_IN_PART
    refused = next(line for line in said.err.splitlines() if "refused" in line)
    assert "quantity: planned 12, found 11" in refused
    assert "unit_price: planned 4.00, found 4.50" in refused
    assert "L2,B,SEAT,Seats,11,4.50,,," in desk.lines
    assert 'L1,A,SEAT,"Seats, all of them",13,' in desk.lines


@pytest.mark.parametrize(
    ("was", "now", "says"),
    [
        ("L2,B,SEAT,Seats,12,4.00,,,\n", "", "line L2 is not there any more"),
        ("Seats,12,4.00,,,", "Seats,12,4.00,,2027-01-01,", "cancelled: planned nothing"),
        ("Seats,12,4.00,,,", "Seats,,4.00,,,", "quantity: planned 12, found nothing"),
        ("12,4.00,,,\n", "12,4.00,,,\nL9,A,AV,,1,1,,,\n", "line L9 bills this product already"),
    ],
    ids=["gone", "ended", "emptied", "created by another"],
)
def test_whatever_moved_on_a_line_refuses_it(desk: Desk, was: str, now: str, says: str) -> None:
    plan = desk.plan()
    desk.lines = LINES.replace(was, now)
    said = desk.apply(plan)
    assert said.code == Exit.APPLIED_IN_PART
    assert says in said.err
    assert "1 refused" in said.err


@pytest.mark.parametrize("agreement", ["A", "B"])
def test_a_period_that_was_invoiced_since_refuses_the_whole_plan(
    desk: Desk, agreement: str
) -> None:
    only = desk.rows()
    plan = desk.plan("--only", only["AV"]["row"], "--only", only["L2"]["row"])
    file = desk.folder / "agreements.csv"
    text = file.read_text("utf-8")
    company = {"A": "250", "B": "251"}[agreement]
    moved = f"{agreement},{company},USD,2027-01-01"
    file.write_text(text.replace(f"{agreement},{company},USD,2026-12-01", moved), "utf-8")
    said = desk.apply(plan)
    assert said.code == Exit.REFUSED
    assert f"agreement {agreement}: next period planned 2026-12-01, found 2027-01-01" in said.err
    assert desk.lines == LINES


def test_an_agreement_that_is_gone_refuses_the_plan(desk: Desk) -> None:
    plan = desk.plan("--only", desk.rows()["L2"]["row"])
    file = desk.folder / "agreements.csv"
    file.write_text(file.read_text("utf-8").replace("B,251,USD", "D,251,USD"), "utf-8")
    desk.lines = LINES.replace("L2,B", "L2,D")
    said = desk.apply(plan)
    assert said.code == Exit.REFUSED
    assert "the agreement is not there any more" in said.err


def test_only_and_skip_cut_a_child_plan_that_names_its_parent(desk: Desk) -> None:
    rows = desk.rows()
    whole = desk.plan()
    child = desk.diff("--only", rows["L1"]["row"][:6])
    assert child["run"]["parent"] == whole
    assert [r["line_id"] for i in child["invoices"] for r in i["lines"] if r["would_write"]] == [
        "L1"
    ]
    assert child["totals"] == desk.diff()["totals"]
    said = desk.apply(whole, "--skip", rows["L1"]["row"], "--skip", rows["AV"]["row"])
    assert said.code == Exit.DONE, said.err
    assert 'L1,A,SEAT,"Seats, all of them",10,' in desk.lines
    assert "L2,B,SEAT,Seats,9," in desk.lines
    assert "drybill-" not in desk.lines
    unknown = desk.apply(whole, "--only", "zzzz")
    assert (unknown.code, "no row of the plan begins with `zzzz`" in unknown.err) == (2, True)


def test_a_filter_limits_what_is_written(desk: Desk) -> None:
    said = desk.apply(desk.plan("--client", "251"))
    assert said.code == Exit.DONE, said.err
    assert desk.lines == LINES.replace("L2,B,SEAT,Seats,12", "L2,B,SEAT,Seats,9")


_quantity = st.sampled_from(["", "0", "1", "4", "9", "12.5", "40"])


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, str], list[str]]:
    """Up to five clients with up to two products each, and what the vendor says of them."""
    agreements = ["agreement_id,company_id,currency,next_period_start"]
    clients, used = ["id,v"], ["customer_id,sku,quantity"]
    lines = ["line_id,agreement_id,product,quantity,unit_price,effective_date,cancelled_date"]
    for n in range(draw(st.integers(1, 5))):
        agreements.append(f"A{n},{n},USD,2026-12-01")
        clients.append(f"{n},c{n}")
        for product, sku in (("SEAT", "seat"), ("AV", "av")):
            if draw(st.booleans()):
                lines.append(f"L{n}{sku},A{n},{product},{draw(_quantity)},4.25,,")
            if draw(st.booleans()):
                used.append(f"c{n},{sku},{draw(_quantity)}")
    fields = ("increase", "decrease", "create", "end")
    switches = draw(st.lists(st.sampled_from(fields), unique=True))
    texts = {"agreements": agreements, "clients": clients, "lines": lines, "v": used}
    return {name: "\n".join(text) for name, text in texts.items()}, switches


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases())
def test_after_an_apply_exactly_the_planned_rows_are_gone(
    case: tuple[dict[str, str], list[str]],
) -> None:
    files, switches = case
    toml = MAPPING.replace('["increase", "decrease", "create", "end"]', json.dumps(switches))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRYBILL_STATE", f"{folder}/state")
        desk = Desk(Path(folder), toml, **files)
        before, table = _by_id(desk), _table(desk)
        said = desk.apply(desk.plan())
        assert said.code == Exit.DONE, said.err
        after = _by_id(desk)
        for id, row in before.items():
            if not row["would_write"]:
                assert after.pop(id) == row, "a row that was not written moved"
                continue
            assert row["change"] in switches
            if row["bucket"] == "end":
                table[row["line_id"]]["cancelled_date"] = row["effective_date"]
                assert id not in after
                continue
            now = after.pop(id)
            assert now["bucket"] == "unchanged"
            assert now["amount_before"] == row["amount_after"]
            if row["bucket"] == "create":
                table[now["line_id"]] = _created(row)
            else:
                table[row["line_id"]]["quantity"] = row["quantity_after"]
        assert after == {}
        assert _table(desk) == table


def _by_id(desk: Desk) -> dict[str, dict[str, Any]]:
    return {row["row"]: row for i in desk.diff("--all")["invoices"] for row in i["lines"]}


def _created(row: dict[str, Any]) -> dict[str, str]:
    return {
        "line_id": f"drybill-{row['row']}",
        "agreement_id": row["agreement_id"],
        "product": "AV",
        "quantity": row["quantity_after"],
        "unit_price": "3.10",
        "effective_date": "2026-12-01",
        "cancelled_date": "",
    }


def _table(desk: Desk) -> dict[str, dict[str, str]]:
    return {row["line_id"]: row for row in csv.DictReader(desk.lines.splitlines())}


def test_without_anything_to_write_apply_says_so(desk: Desk) -> None:
    file = desk.folder / "mapping.toml"
    file.write_text(file.read_text("utf-8").partition("[writes]")[0], "utf-8")
    said = desk.apply(desk.plan())
    assert said.code == Exit.DONE
    assert "Nothing was written: no line of this plan can be written." in said.err
    assert desk.lines == LINES


def test_a_lines_file_without_the_date_column_is_blocked_before_it_is_tried(desk: Desk) -> None:
    desk.lines = "line_id,agreement_id,product,quantity,unit_price\nL3,C,AV,5,3.00\n"
    rows = desk.rows()
    for name, column in (("L3", "cancelled_date"), ("AV", "effective_date")):
        assert rows[name]["bucket"] == "blocked"
        assert rows[name]["details"][0]["code"] == "PSA_COLUMN_MISSING"
        assert column in rows[name]["details"][0]["detail"]


def test_the_plan_is_asked_for_by_the_id_of_its_run_too(desk: Desk) -> None:
    made = desk.diff()["run"]
    said = drybill("diff", "--plan", made["id"])
    assert said.code == Exit.DONE
    assert made["plan_digest"][:8] in said.out
    assert desk.apply(made["id"]).code == Exit.DONE
    assert desk.diff()["verdict"] == "clean"
