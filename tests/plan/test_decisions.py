"""What people decided beforehand: acceptances and write switches."""

from __future__ import annotations

from pathlib import Path

import pytest

from drybill.flow.run import Computed, Request
from drybill.flow.selection import Selection
from drybill.plan.build import cut
from drybill.plan.content import PlanDamaged, decode, digest_of, encode
from drybill.plan.plan import Plan
from world import SEAT, TODAY, bill, only_row, says

HEAD = "line_id,agreement_id,product,quantity,unit_price"
TEN = f"{HEAD}\nL,A,SEAT,10,4"
# increases, decreases, creates and ends one line each
ALL = """
    [products.UP]
    from = [{ vendor = "v", sku = "up" }]
    [products.DOWN]
    from = [{ vendor = "v", sku = "down" }]
    [products.NEW]
    from = [{ vendor = "v", sku = "new" }]
    price = { USD = "3" }
    [products.GONE]
    from = [{ vendor = "v", sku = "gone" }]
    at_zero = "end"
    [guards]
    to_zero = true
"""
LINES = f"{HEAD}\nU,A,UP,10,4\nD,A,DOWN,10,4\nG,A,GONE,2,4"
USAGE = "customer_id,sku,quantity\nc,up,12\nc,down,9\nc,new,1\nc,gone,0"


def used(quantity: int | str) -> str:
    return f"customer_id,sku,quantity\nc,seat,{quantity}"


def accepted(run: Computed, psa: str, vendor: str, last_day: str = "2027-01-31") -> str:
    return (
        SEAT
        + f"""
        [[accepted]]
        row = "{only_row(run).id}"
        seen = {{ psa = "{psa}", vendor = "{vendor}" }}
        reason = "moved to the sister firm"
        last_day = {last_day}
    """
    )


# ---- acceptances ---------------------------------------------------------------------------------


def test_a_number_that_nobody_says_has_not_moved(tmp_path: Path) -> None:
    toml = accepted(bill(tmp_path, SEAT, lines=TEN, v=used(12)), "10", "12")
    row = only_row(bill(tmp_path, toml, lines=TEN, v=used("")))
    assert (row.bucket, [reason.code for reason in row.reasons]) == (
        "unknown",
        ["QUANTITY_UNKNOWN"],
    )


@pytest.mark.parametrize(
    ("psa", "vendor", "last_day", "bucket", "code"),
    [
        ("10", "12", "2027-01-31", "ignored", "ACCEPTED"),
        ("10", "12", "2026-11-25", "ignored", "ACCEPTED"),
        ("10", "12", "2026-11-24", "change", "ACCEPTANCE_EXPIRED"),
        ("9", "12", "2027-01-31", "change", "ACCEPTANCE_STALE"),
        ("10", "13", "2027-01-31", "change", "ACCEPTANCE_STALE"),
    ],
)
def test_an_accepted_difference_is_clean_until_either_number_moves(
    tmp_path: Path, psa: str, vendor: str, last_day: str, bucket: str, code: str
) -> None:
    first = bill(tmp_path, lines=TEN, v=used(12))
    toml = accepted(first, psa, vendor, last_day)
    run = bill(tmp_path, toml, lines=TEN, v=used(12))
    row = only_row(run)
    (total,) = run.plan.totals
    assert (row.bucket, code in {reason.code for reason in row.reasons}) == (bucket, True)
    clean = bucket == "ignored"
    assert (total.accepted, total.difference) == ((8, 0) if clean else (0, 8))
    assert run.plan.has_changes is not clean


def test_an_accepted_difference_keeps_its_leak(tmp_path: Path) -> None:
    """What was accepted is the quantity from now on, not the money of periods gone by."""
    since = "customer_id,sku,quantity,since\nc,seat,12,2026-11-01"
    run = bill(
        tmp_path, accepted(bill(tmp_path, lines=TEN, v=since), "10", "12"), lines=TEN, v=since
    )
    row, (total,) = only_row(run), run.plan.totals
    assert (row.bucket, row.accepted_difference, row.leak) == ("ignored", 8, 8)
    assert [reason.code for reason in row.reasons] == ["ACCEPTED", "PERIOD_ALREADY_INVOICED"]
    assert (run.plan.invoices[0].leak, total.leak_up, total.accepted) == (8, 8, 8)


def test_what_nobody_knows_cannot_have_been_accepted(tmp_path: Path) -> None:
    toml = accepted(bill(tmp_path, lines=TEN, v=used("")), "10", "12")
    toml = toml.replace(', vendor = "12"', "")
    assert says(bill(tmp_path, toml, lines=TEN, v=used(""))) == ["L unknown 10 QUANTITY_UNKNOWN"]
    twice = "customer_id,sku,quantity\nc,seat,6\nc,seat,7"
    assert says(bill(tmp_path, toml, lines=TEN, v=twice)) == ["L blocked 10 DUPLICATE_USAGE"]


def test_unmapped_usage_is_accepted_by_its_number(tmp_path: Path) -> None:
    v = "customer_id,sku,quantity\nc,disk,{}"
    (use,) = bill(tmp_path, lines=HEAD, v=v.format(7)).plan.unmapped
    toml = (
        SEAT
        + f"""
        [[accepted]]
        row = "{use.row}"
        seen = {{ vendor = "7" }}
        reason = "our own"
        last_day = 2027-01-31
    """
    )
    assert says(bill(tmp_path, toml, lines=HEAD, v=v.format(7))) == ["disk ignored 7 ACCEPTED"]
    assert says(bill(tmp_path, toml, lines=HEAD, v=v.format(8))) == [
        "disk unmapped 8 SKU_NOT_MAPPED"
    ]


# ---- switches ------------------------------------------------------------------------------------


def shape(plan: Plan) -> tuple[object, ...]:
    """All that no switch may change."""
    return (
        plan.buckets,
        plan.totals,
        [(row.id, row.bucket, row.difference, row.quantity_after) for row in plan.rows],
    )


def test_each_kind_of_write_has_its_own_switch_and_no_switch_changes_what_is_shown(
    tmp_path: Path,
) -> None:
    silent = bill(tmp_path, ALL, lines=LINES, v=USAGE).plan
    assert silent.writes == []
    assert {row.held_by for row in silent.rows} == {"SWITCH_OFF"}
    for field in ("increase", "decrease", "create", "end"):
        toml = ALL + f'[writes]\nfields = ["{field}"]\nall_clients = true\n'
        plan = bill(tmp_path, toml, lines=LINES, v=USAGE).plan
        assert [row.change for row in plan.writes] == [field]
        assert shape(plan) == shape(silent)


def test_writes_name_their_clients(tmp_path: Path) -> None:
    for clients, held_by in (("[250]", ""), ("[251]", "CLIENT_NOT_WRITABLE")):
        toml = SEAT + f'[writes]\nfields = ["increase"]\nclients = {clients}\n'
        row = only_row(
            bill(tmp_path, toml, lines=TEN, v=used(12), clients="id,v,w\n250,c,\n251,d,")
        )
        assert (row.held_by, row.would_write) == (held_by, not held_by)


def test_a_filter_leaves_rows_unwritten_and_totals_whole(tmp_path: Path) -> None:
    toml = ALL + '[writes]\nfields = ["increase", "decrease"]\nall_clients = true\n'
    whole = bill(tmp_path, toml, lines=LINES, v=USAGE).plan
    selection = Selection(products=frozenset({"UP"}))
    request = Request(as_of=TODAY, selection=selection)
    part = bill(tmp_path, toml, lines=LINES, v=USAGE, request=request).plan
    assert [row.line_id for row in part.writes] == ["U"]
    assert shape(part) == shape(whole)


def test_a_child_plan_writes_the_chosen_rows_and_names_its_parent(tmp_path: Path) -> None:
    toml = ALL + '[writes]\nfields = ["increase", "decrease"]\nall_clients = true\n'
    plan = bill(tmp_path, toml, lines=LINES, v=USAGE).plan
    up = next(row.id for row in plan.writes if row.line_id == "U")
    digest = digest_of(encode(plan))
    from drybill.billing.policy import GuardLimits

    child = cut(plan, digest, {up}, ("only", up), GuardLimits(), [], [])
    assert ([row.id for row in child.writes], child.parent) == ([up], digest)
    assert shape(child) == shape(plan)
    assert digest_of(encode(child)) != digest


def test_what_is_written_is_the_absolute_target_and_nothing_else(tmp_path: Path) -> None:
    toml = (
        ALL + '[writes]\nfields = ["increase", "decrease", "create", "end"]\nall_clients = true\n'
    )
    plan = bill(tmp_path, toml, lines=LINES, v=USAGE).plan
    assert {row.line_id: row.steps_to_write[0].values for row in plan.writes if row.line_id} == {
        "U": (("quantity", "12"),),
        "D": (("quantity", "9"),),
        "G": (("cancelled_date", "2026-12-01"),),
    }


# ---- the plan as bytes ---------------------------------------------------------------------------


def test_a_plan_is_read_back_as_it_was(tmp_path: Path) -> None:
    plan = bill(tmp_path, ALL, lines=LINES, v=USAGE).plan
    assert decode(encode(plan)) == plan


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\x00", b"[" * 100_000, b"null"])
def test_what_is_no_plan_is_damaged(content: bytes) -> None:
    with pytest.raises(PlanDamaged):
        decode(content)


def test_a_plan_of_another_version_is_damaged(tmp_path: Path) -> None:
    content = encode(bill(tmp_path, lines=TEN, v=used(12)).plan)
    with pytest.raises(PlanDamaged, match="plan/2"):
        decode(content.replace(b"drybill.plan/1", b"drybill.plan/2"))
