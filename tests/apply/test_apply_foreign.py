"""A plan that another machine made, or that somebody wrote: trusted by its digest, and only in
what the mapping, the guards and the PSA's adapter let any plan do."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from scene import FILES, LINES, MAPPING

from command import Desk, Said, drybill
from drybill.errors import Exit
from drybill.plan.content import decode, digest_of, encode

# Of a day to come, so that a plan of any today is not overdue.
LATE = {**FILES, "agreements": FILES["agreements"].replace("2026-12-01", "2126-12-01")}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, MAPPING, **LATE)


def saved(desk: Desk, *words: str) -> Path:
    file = desk.folder / "plan.json"
    said = drybill("diff", desk.mapping, "--save", str(file), "--format", "json", *words)
    assert said.code == Exit.DONE, said.err
    return file


def forged(
    file: Path,
    change: Callable[[dict[str, dict[str, Any]], dict[str, Any]], None] = lambda _, __: None,
    created: datetime | None = None,
) -> str:
    """Changes the file's rows (by line id or product) and gives it a digest that fits."""
    content = json.loads(file.read_text("utf-8"))
    rows = {
        row["line_id"] or row["product"]: row
        for invoice in content["plan"]["invoices"]
        for row in invoice["rows"]
    }
    change(rows, content["plan"])
    plan = encode(decode(json.dumps(content["plan"]).encode()))
    digest = digest_of(plan)
    content |= {"plan": json.loads(plan), "digest": digest}
    if created is not None:
        content["created"] = created.isoformat()
    file.write_text(json.dumps(content), "utf-8")
    return digest


def trusted(desk: Desk, file: Path, digest: str, *words: str) -> Said:
    return drybill(
        "diff", desk.mapping, "--plan", str(file), "--apply", "--trust", digest, *words
    )  # fmt: skip


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From here on we are on another machine, whose journal knows no plan."""

    def go() -> None:
        monkeypatch.setenv("DRYBILL_STATE", str(tmp_path / "another machine"))

    return go


def test_a_plan_of_another_machine_is_written_once_its_digest_is_named(
    desk: Desk, elsewhere: Callable[[], None]
) -> None:
    file = saved(desk)
    digest = json.loads(file.read_text("utf-8"))["digest"]
    elsewhere()
    said = trusted(desk, file, digest)
    assert said.code == Exit.DONE, said.err
    assert desk.lines != LINES


def _step(row: dict[str, Any], **values: str) -> None:
    row["steps_to_write"][0]["values"] = [[name, value] for name, value in values.items()]


def _other_line(row: dict[str, Any], line: str) -> None:
    row["steps_to_write"][0]["line_id"] = line


FORGERIES: dict[str, Callable[[dict[str, dict[str, Any]]], object]] = {
    "a price": lambda rows: _step(rows["L1"], quantity="13", unit_price="9"),
    "another line": lambda rows: _other_line(rows["L1"], "L4"),
    "another quantity": lambda rows: _step(rows["L1"], quantity="14"),
    "no step": lambda rows: rows["L1"].update(steps_to_write=[]),
    "another product": lambda rows: rows["L1"].update(product="AV"),
    "another client": lambda rows: rows["L1"].update(client_id="252"),
    "another currency": lambda rows: rows["L1"].update(currency="JPY"),
    "a fall called a raise": lambda rows: rows["L2"].update(change="increase"),
    "an unknown quantity": lambda rows: rows["L1"].update(quantity_before=None),
    "a negative one": lambda rows: rows["L2"].update(quantity_after="-3"),
    "the past": lambda rows: rows["L1"].update(effective="2020-01-01"),
    "a price of a new line": lambda rows: rows["AV"].update(unit_price="31.00"),
    "a blocked row": lambda rows: rows["L1"].update(bucket="blocked"),
    "a product of no mapping": lambda rows: rows["L1"].update(product_key="X"),
    "one not final": lambda rows: rows["L1"].update(final=False),
    "a line that does not end": lambda rows: _end(rows["L2"]),
    "a lifted guard": lambda rows: _lifted(rows["L1"]),
    "one line twice": lambda rows: rows["L2"].update(_written(rows["L1"])),
    "an amount": lambda rows: rows["L1"].update(amount_after="1.00"),
    "a day far ahead": lambda rows: rows["L1"].update(effective="2127-12-01"),
    "what a client reads": lambda rows: rows["AV"].update(description="A gift"),
    "next to nothing": lambda rows: _to(rows["L2"], "0.0000001"),
    "another state of the line": lambda rows: rows["L1"]["observed"].update(included="1"),
    "a leap": lambda rows: _leap(rows["L1"]),
}


def _end(row: dict[str, Any]) -> None:
    row.update(change="end", bucket="end", quantity_after="0")


def _written(row: dict[str, Any]) -> dict[str, Any]:
    return {"steps_to_write": row["steps_to_write"]}


def _lifted(row: dict[str, Any]) -> None:
    _leap(row)
    verdict = {"scope": "row", "name": "units", "value": "", "limit": "", "stops": "", "lift": ""}
    row["guards"] = [{**verdict, "lifted": "because"}]


def _leap(row: dict[str, Any]) -> None:
    _to(row, "500")


def _to(row: dict[str, Any], quantity: str) -> None:
    row["quantity_after"] = quantity
    row["steps_to_write"][0] |= {
        "values": [["quantity", quantity]],
        "says": f"line {row['line_id']}: quantity {quantity}",
    }


@pytest.mark.parametrize("name", FORGERIES)
def test_trust_does_not_reach_beyond_what_a_run_may_write(
    desk: Desk, elsewhere: Callable[[], None], name: str
) -> None:
    file = saved(desk)
    digest = forged(file, lambda rows, _: FORGERIES[name](rows) and None)
    elsewhere()
    said = trusted(desk, file, digest)
    assert (said.code, desk.lines) == (Exit.REFUSED, LINES), said.err
    assert "counted-otherwise" in said.err


def test_a_row_that_this_machine_holds_is_not_written_for_another_machine(
    desk: Desk, elsewhere: Callable[[], None]
) -> None:
    """The plan calls a held row a change, with steps that fit; only the guard's reason is gone."""
    free = saved(desk)
    digest = json.loads(free.read_text("utf-8"))["digest"]
    elsewhere()
    rows = desk.folder / "v.csv"
    head, *others = rows.read_text("utf-8").splitlines()
    late = [f"{row},2127-01-01" for row in others]
    rows.write_text("\n".join([f"{head},commitment_end", *late]) + "\n", "utf-8")
    said = trusted(desk, free, digest)
    assert (said.code, desk.lines) == (Exit.REFUSED, LINES)
    assert "it is blocked and not written (GUARD_COMMITMENT)" in said.err


def test_guards_of_a_trusted_plan_are_measured_on_the_invoices_of_this_machine(
    tmp_path: Path, elsewhere: Callable[[], None]
) -> None:
    guarded = MAPPING.replace("[guards]", '[guards]\nclient = { money = { USD = "1" } }')
    desk = Desk(tmp_path, guarded, **LATE)
    file = saved(desk)

    def richer(_: object, plan: dict[str, Any]) -> None:
        plan["guards"] = []
        for invoice in plan["invoices"]:
            invoice["before"] = "1000000.00"

    digest = forged(file, richer)
    elsewhere()
    said = trusted(desk, file, digest)
    assert (said.code, desk.lines) == (Exit.REFUSED, LINES)
    assert "guard-client-money" in said.err


def test_leaving_out_every_line_of_a_trusted_plan_writes_none(
    desk: Desk, elsewhere: Callable[[], None]
) -> None:
    file = saved(desk)
    content = json.loads(file.read_text("utf-8"))
    rows = [row for invoice in content["plan"]["invoices"] for row in invoice["rows"]]
    skipped = [word for row in rows for word in ("--skip", row["id"])]
    elsewhere()
    said = trusted(desk, file, content["digest"], *skipped)
    assert (said.code, desk.lines) == (Exit.DONE, LINES), said.err


@pytest.mark.parametrize(
    ("old", "new", "held"),
    [
        ('"increase", "decrease"', '"increase"', "SWITCH_OFF"),
        ("all_clients = true", 'clients = ["251", "252"]', "CLIENT_NOT_WRITABLE"),
    ],
)
def test_trust_does_not_go_around_the_switches(
    tmp_path: Path, elsewhere: Callable[[], None], old: str, new: str, held: str
) -> None:
    desk = Desk(tmp_path, MAPPING, **LATE)
    file = saved(desk)
    assert old in MAPPING
    Desk(tmp_path, MAPPING.replace(old, new), **LATE)
    now = drybill("diff", desk.mapping, "--format", "json").out
    mapping_digest = json.loads(now)["run"]["mapping_digest"]
    digest = forged(file, lambda _, plan: plan.update(mapping_digest=mapping_digest))
    elsewhere()
    said = trusted(desk, file, digest)
    assert (said.code, desk.lines) == (Exit.REFUSED, LINES)
    assert f"({held})" in said.err


def test_an_old_plan_is_not_revived_by_its_label(desk: Desk, elsewhere: Callable[[], None]) -> None:
    """`created` stands outside the digest; the day that a plan speaks of stands inside."""
    now = datetime.now(UTC)
    old = saved(desk, "--as-of", (now - timedelta(days=3)).date().isoformat())
    digest = forged(old, created=now)
    elsewhere()
    said = trusted(desk, old, digest)
    assert (said.code, desk.lines) == (Exit.REFUSED, LINES)
    assert "plan-expired" in said.err


def test_a_foreign_plan_of_a_day_to_come_is_refused(
    desk: Desk, elsewhere: Callable[[], None]
) -> None:
    day = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    file = saved(desk, "--as-of", day)
    elsewhere()
    said = trusted(desk, file, json.loads(file.read_text("utf-8"))["digest"])
    assert (said.code, desk.lines) == (Exit.REFUSED, LINES)
    assert f"the plan speaks of {day} in America/Chicago, and here it is" in said.err


def test_a_plan_is_written_to_the_psa_that_it_was_made_for(desk: Desk) -> None:
    """The same name may lead to another file by now."""
    lines = desk.folder / "lines.csv"
    first, second = (lines.with_name(name) for name in ("first.csv", "second.csv"))
    for copy in (first, second):
        copy.write_bytes(lines.read_bytes())
    lines.unlink()
    lines.symlink_to(first)
    plan = desk.plan()
    lines.unlink()
    lines.symlink_to(second)
    said = desk.apply(plan)
    assert (said.code, second.read_text("utf-8")) == (Exit.REFUSED, LINES)
    assert "other-target" in said.err
    lines.unlink()
    lines.symlink_to(first)
    assert desk.apply(plan).code == Exit.DONE


def test_a_saved_plan_says_its_digest_and_a_shown_one_how_to_apply_it(
    desk: Desk, elsewhere: Callable[[], None]
) -> None:
    file = desk.folder / "plan.json"
    said = drybill("diff", desk.mapping, "--save", str(file))
    digest = json.loads(file.read_text("utf-8"))["digest"]
    assert f"saved plan {digest} to {file}" in said.err
    elsewhere()
    shown = drybill("diff", desk.mapping, "--plan", str(file), "--trust", digest).out
    assert f"drybill diff --plan {file} --trust {digest} --apply" in " ".join(shown.split())
    other = drybill("diff", desk.mapping, "--plan", str(file), "--trust", "0" * 64)
    assert other.code == Exit.REFUSED
    assert f"--trust names 000000000000, the file holds plan {digest[:12]}" in other.err


def test_what_this_machine_saw_today_holds_a_plan_of_yesterday(
    desk: Desk, elsewhere: Callable[[], None]
) -> None:
    """A guard that a recount as of yesterday would not know of."""
    day = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    file = saved(desk, "--as-of", day)
    digest = forged(file, created=datetime.now(UTC))
    elsewhere()
    said = trusted(desk, file, digest)
    assert (said.code, desk.lines) == (Exit.REFUSED, LINES)
    assert f"the plan speaks of {day}" in said.err


def test_a_time_zone_of_its_own_makes_no_plan_younger(
    desk: Desk, elsewhere: Callable[[], None]
) -> None:
    file = saved(desk)
    digest = forged(file, lambda _, plan: plan.update(timezone="Etc/GMT+12"))
    elsewhere()
    said = trusted(desk, file, digest)
    assert (said.code, desk.lines) == (Exit.REFUSED, LINES)


def test_a_foreign_plan_does_not_choose_the_period(
    tmp_path: Path, elsewhere: Callable[[], None]
) -> None:
    late = {**LATE, "agreements": FILES["agreements"].replace("2026-12-01", "2020-12-01")}
    desk = Desk(tmp_path, MAPPING, **late)
    file = saved(desk, "--period", "2020-12-01")
    digest = json.loads(file.read_text("utf-8"))["digest"]
    elsewhere()
    said = trusted(desk, file, digest)
    assert (said.code, desk.lines) == (Exit.REFUSED, LINES)
    assert "it is blocked and not written" in said.err


def test_a_foreign_plan_does_not_steer_the_terminal(
    desk: Desk, elsewhere: Callable[[], None]
) -> None:
    file = saved(desk)
    digest = forged(file, lambda rows, _: rows["L1"].update(held_by="\x1b[2J"))
    elsewhere()
    said = drybill("diff", desk.mapping, "--plan", str(file), "--trust", digest)
    assert (said.code, "\x1b" in said.out) == (Exit.USAGE, False)
    assert "control characters" in said.err
