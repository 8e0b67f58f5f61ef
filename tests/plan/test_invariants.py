"""The invariants of a plan, held against random worlds."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_UP, Decimal, localcontext
from fractions import Fraction
from math import ceil, floor

from hypothesis import given, settings
from hypothesis import strategies as st

from drybill.billing.money import minor_unit
from drybill.billing.row import Bucket, Piece, Row
from drybill.flow.run import Computed
from drybill.plan.content import encode
from drybill.plan.plan import Plan
from worlds import RandomWorld, worlds

some = settings(max_examples=40, deadline=None)
FIELDS = ("increase", "decrease", "create", "end")
SWITCHES = st.sets(st.sampled_from(FIELDS))


def rows(run: Computed) -> list[Row]:
    return [row for invoice in run.invoices for row in invoice.rows]


def writes(fields: set[str], clients: str = "all_clients = true") -> str:
    listed = ", ".join(f'"{field}"' for field in sorted(fields))
    return f"\n[writes]\nfields = [{listed}]\n{clients}\n"


# ---- 2, 3: unknown is not zero; complete or held -------------------------------------------------


@some
@given(worlds)
def test_unknown_neither_lowers_nor_counts_as_clean(world: RandomWorld) -> None:
    for row in rows(world.run()):
        if any(use.quantity is None for use in row.usage) or row.quantity_before is None:
            assert row.bucket in (Bucket.UNKNOWN, Bucket.BLOCKED, Bucket.IGNORED, Bucket.ORPHAN,
                                  Bucket.FIXED)  # fmt: skip
        if row.bucket in (Bucket.UNKNOWN, Bucket.BLOCKED, Bucket.ORPHAN):
            assert (row.amount_after, row.difference, row.would_write) == (
                row.amount_before,
                0,
                False,
            )


Row_ = dict[str, str]
HIDE: dict[str, Callable[[Row_], Row_ | None]] = {
    "a quantity is not said": lambda r: r | {"quantity": ""} if r["sku"] != "filler" else r,
    "a product is not there": lambda r: None if r["sku"] in "abc" else r,
    "a customer is not listed": lambda r: None if r["customer_id"] == "c1" else r,
    "an answer is of tomorrow": lambda r: r | {"as_of": "2026-12-24"},
}


@some
@given(worlds, st.sampled_from(sorted(HIDE)), st.sampled_from("vw"))
def test_what_a_vendor_does_not_say_lowers_ends_and_hides_nothing(
    world: RandomWorld, what: str, vendor: str
) -> None:
    known = {row.id: row for row in rows(world.run())}
    table = world.v if vendor == "v" else world.w
    less = rows(world.__class__(**vars(world) | {vendor: table.edit(HIDE[what])}).run())
    lines = {id for id, row in known.items() if row.line_id}
    assert lines == {row.id for row in less if row.line_id}
    for row in less:
        if row.change in ("decrease", "end") and row.bucket.differs:
            assert row.quantity_after == known[row.id].quantity_after
            assert known[row.id].bucket == row.bucket


@some
@given(worlds, st.sampled_from("vw"))
def test_a_source_that_is_not_whole_moves_nothing(world: RandomWorld, vendor: str) -> None:
    for row in rows(world.run(broken=[vendor])):
        if any(use.vendor == vendor for use in row.usage):
            assert not row.bucket.differs and row.bucket is not Bucket.UNCHANGED


# ---- 5, 9: only what it owns; switches change no bucket and no total -----------------------------


def shape(plan: Plan) -> tuple[object, ...]:
    return (
        plan.buckets,
        plan.totals,
        [(i.before, i.after, i.leak) for i in plan.invoices],
        [(row.id, row.bucket, row.quantity_after, row.difference, row.wanted) for row in plan.rows],
    )


@some
@given(worlds, SWITCHES, st.sampled_from(["all_clients = true", "clients = [1]"]))
def test_a_write_needs_its_own_switch_and_no_switch_changes_what_is_shown(
    world: RandomWorld, fields: set[str], clients: str
) -> None:
    silent = world.run().plan
    assert silent.writes == []
    plan = world.run(writes(fields, clients)).plan
    for row in plan.writes:
        assert row.change in fields and row.bucket.differs and row.steps_to_write
        assert row.client_id == "1" or clients.startswith("all")
    assert shape(plan) == shape(silent)


# ---- 6: adopt, never duplicate -------------------------------------------------------------------


@some
@given(worlds)
def test_nothing_is_created_beside_a_line_of_the_client(world: RandomWorld) -> None:
    names = world.lines.header.split(",")
    lines = [dict(zip(names, row.split(","), strict=True)) for row in world.lines.rows]
    held = {
        ("1" if line["agreement_id"].startswith("A") else "2", line["product"])
        for line in lines
        if line["cancelled_date"] == ""  # billed now, or from some day on
    }
    for row in rows(world.run()):
        if row.bucket is Bucket.CREATE:
            assert (row.client_id, row.product) not in held


# ---- 9: balanced and exact -----------------------------------------------------------------------


@some
@given(worlds)
def test_every_level_is_the_sum_of_the_one_below(world: RandomWorld) -> None:
    run = world.run()
    plan = run.plan
    for invoice in run.invoices:
        counted = [row for row in invoice.rows if row.amount_before is not None]
        assert invoice.before == invoice.base_amount + sum(r.amount_before or 0 for r in counted)
        assert invoice.after == invoice.before + sum(row.difference for row in invoice.rows)
        assert invoice.unknown_lines == len(invoice.rows) - len(counted)
    for total in plan.totals:
        same = [
            i for i in plan.invoices if (i.currency, i.horizon) == (total.currency, total.horizon)
        ]
        moved = [row.difference for i in same for row in i.rows]
        wanted = [
            row.wanted.difference
            for i in same
            for row in i.rows
            if row.wanted and row.wanted.difference and row.bucket is Bucket.BLOCKED
        ]
        assert total.before == sum(i.before for i in same)
        assert total.after == sum(i.after for i in same) == total.before + sum(moved)
        assert total.under_billed == sum(d for d in moved if d > 0)
        assert total.over_billed == sum(d for d in moved if d < 0)
        assert (total.held_up, total.held_down) == (
            sum(d for d in wanted if d > 0),
            sum(d for d in wanted if d < 0),
        )
    assert sum(count for _, count in plan.buckets) == (
        len(rows(run)) + len(plan.ignored) + len(plan.unmapped)
    )


# ---- 10: deterministic ---------------------------------------------------------------------------


@some
@given(worlds, st.integers(0, 999))
def test_the_order_of_the_files_changes_no_byte(world: RandomWorld, seed: int) -> None:
    assert encode(world.shuffled(seed).run().plan) == encode(world.run().plan)


@some
@given(worlds)
def test_lines_without_a_row_of_their_own_change_no_byte(world: RandomWorld) -> None:
    assert encode(world.run(every_row=False).plan) == encode(world.run().plan)


@settings(max_examples=20, deadline=None)
@given(worlds)
def test_the_decimal_context_of_the_process_changes_no_byte(world: RandomWorld) -> None:
    expected = encode(world.run().plan)
    with localcontext(prec=3, rounding=ROUND_UP):
        assert encode(world.run().plan) == expected


# ---- 11: every number explains itself ------------------------------------------------------------

# How a reader of a step would redo it: what it says, and the number before it.
REDO: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "add": lambda before, n: before + n,
    "subtract": lambda before, n: max(before - n, Fraction(0)),
    "multiply by": lambda before, n: before * n,
    "at least": max,
    "at most": min,
    "whole packs of": lambda before, n: ceil(before / n) * n,
    "exception": lambda before, n: before + n,
}


def redone(row: Row) -> Fraction:
    """The row's number, from its usage and the words of its steps alone."""
    parts = [step for step in row.steps if ".from[" in step.path or step.says.startswith("fed by")]
    own = [Fraction(step.value) for step in parts if step.value is not None]
    result = own[0] if own else Fraction(0)
    for step in row.steps:
        words = step.says.removesuffix(": no effect")
        if words.startswith("less "):  # what the product's other lines bill comes off last
            assert Fraction(step.value or 0) == result - Fraction(words.split(" ")[1]), step
            continue
        if " of " in words and words.split(" of ")[0] in ("sum", "max", "min"):
            result = {"sum": sum, "max": max, "min": min}[words.split(" ")[0]](own)  # type: ignore[operator]
        elif words.startswith("set by exception"):
            result = Fraction(step.value or 0)
        elif words == "round up":
            result = Fraction(ceil(result))
        elif ".from[" in step.path:
            vendor, sku = words.split(":")[0].split(" ")
            used = [u.quantity or 0 for u in row.usage if (u.vendor, u.sku) == (vendor, sku)]
            assert (step.value or 0) == sum(used), step
            if " + " in words:
                assert step.value == sum(map(Decimal, words.split(": ")[1].split(" + "))), step
        else:
            verb = next((verb for verb in REDO if words.startswith(verb + " ")), None)
            if verb is not None:
                number = words.removeprefix(verb).split('"')[0].split(",")[0]
                result = REDO[verb](result, Fraction(number.strip()))
        if step not in parts:
            assert Fraction(step.value or 0) == result, step
    return result


def amount_of(piece: Piece, currency: str) -> Decimal:
    if piece.billing != "billable":
        return Decimal(0)
    assert piece.quantity is not None and piece.unit_price is not None
    units = max(Fraction(piece.quantity) - Fraction(piece.included), Fraction(0))
    exact = units * Fraction(piece.unit_price) * Fraction(piece.used_days, piece.period_days)
    unit = Fraction(minor_unit(currency))
    whole = floor(abs(exact) / unit + Fraction(1, 2))
    return Decimal(whole if exact >= 0 else -whole) * minor_unit(currency)


@settings(max_examples=100, deadline=None)
@given(worlds)
def test_every_number_follows_from_its_steps_and_every_amount_from_its_pieces(
    world: RandomWorld,
) -> None:
    run = world.run()
    for row in rows(run):
        for pieces, amount in (
            (row.pieces_before, row.amount_before),
            (row.pieces_after, row.amount_after),
        ):
            if amount is not None and row.bucket is not Bucket.END:
                assert amount == sum(amount_of(piece, row.currency) for piece in pieces)
        if row.bucket.differs:
            assert row.counted == redone(row)
            others = [
                other.quantity_before or 0
                for other in rows(run)
                if (other.agreement_id, other.product) == (row.agreement_id, row.product)
                and other is not row
            ]
            assert (row.quantity_after or 0) + sum(others) == row.counted
