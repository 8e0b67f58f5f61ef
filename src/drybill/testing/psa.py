"""What every PSA adapter must hold.

An adapter's suite imports all tests of this module and gives them a fixture `bench`::

    from drybill.testing.psa import *  # noqa: F403

    @pytest.fixture
    def bench(tmp_path):
        return MyBench(tmp_path)  # see `drybill.testing.bench.Bench`

Each test asks the adapter's own `Capabilities` first: what is not declared must be refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

import pytest
from msgspec.structs import replace

from drybill.apply.standing import Standing, standing
from drybill.billing.agreement import Cycle, Segment
from drybill.billing.change import Change, ChangeField, Refusal
from drybill.billing.matching import Contract, contracts
from drybill.billing.number import Number
from drybill.billing.policy import Product
from drybill.billing.proposal import compared_row, new_row, propose, propose_new
from drybill.billing.quantity import UNKNOWN
from drybill.billing.row import Row
from drybill.errors import DrybillError
from drybill.plan.decisions import change_of
from drybill.psa.planning import plan_write
from drybill.psa.port import Answer, PsaReader, Reading
from drybill.testing.bench import Bench, opened

__all__ = [
    "test_a_change_is_written_and_read_back",
    "test_a_dated_change_is_never_made_in_place",
    "test_a_line_is_ended",
    "test_a_lost_answer_is_never_called_a_refusal",
    "test_a_new_line_is_made_once",
    "test_a_quantity_that_is_not_there_is_unknown",
    "test_a_refused_write_changes_nothing",
    "test_a_stamp_that_is_declared_moves_with_an_edit",
    "test_all_pages_are_read",
    "test_an_undo_restores_the_number",
    "test_it_reads_the_agreement_and_its_line",
    "test_looking_writes_nothing",
    "test_one_client_and_some_lines_are_read_the_same",
    "test_somebody_elses_edit_is_seen",
    "test_the_receipt_says_what_was_read",
    "test_two_readings_are_the_same",
    "test_what_cannot_be_read_is_no_empty_answer",
    "test_what_is_not_declared_is_refused",
]

T = TypeVar("T")
_HELD, _PRICE = Decimal(12), Decimal("4.50")
_ENOUGH = 130  # lines: more than fit on the pages of most


def _run(reader: PsaReader, work: Callable[[PsaReader], Awaitable[T]]) -> T:
    async def inside() -> T:
        async with reader.session():
            return await work(reader)

    return asyncio.run(inside())


def _read(bench: Bench) -> Reading:
    return _run(opened(bench), lambda reader: reader.read())


def _read_by_one(bench: Bench) -> tuple[PsaReader, Reading]:
    """The reader that read plans, too: a run has one for all."""
    reader = opened(bench)
    return reader, _run(reader, lambda r: r.read())


def _line(bench: Bench, reading: Reading) -> Segment:
    (line,) = [each for each in reading.segments if each.line_id == bench.line]
    return line


def _contract(bench: Bench, reading: Reading) -> Contract:
    return contracts(reading.agreements, reading.segments)["kit", bench.agreement]


def _row(bench: Bench, reader: PsaReader, reading: Reading, quantity: Decimal) -> Row:
    """The line's row as a plan would hold it: to become `quantity` units; of 0, ended."""
    contract = _contract(bench, reading)
    product = Product(
        bench.product, {"kit": bench.product}, at_zero="end" if quantity == 0 else "keep"
    )
    (line,) = contract.lines[bench.product]
    row = compared_row(contract, product, line, Number())
    propose(row, contract, product, line, quantity, Number())
    return _planned(reader, row)


def _planned(reader: PsaReader, row: Row) -> Row:
    steps = plan_write(reader, change_of(row))
    assert not isinstance(steps, Refusal), steps
    row.steps_to_write = steps
    return row


async def _write(bench: Bench, reader: PsaReader, row: Row) -> tuple[list[Answer], Standing]:
    """Takes all steps, and looks after each of them where the line stands."""
    answers, made = [], ""
    async with bench.adapter.writer(reader) as writer:
        for number, step in enumerate(row.steps_to_write, 1):
            answers.append(await writer.execute(step))
            made = answers[-1].made or made
            now = standing(row, await reader.read_lines(frozenset({row.agreement_id})), made)
            if answers[-1].verdict == "accepted":
                assert not now.against(number), f"after step {number}: {now.against(number)}"
    return answers, now


def _written(bench: Bench, quantity: Decimal) -> tuple[list[Answer], Standing]:
    reader, reading = _read_by_one(bench)
    row = _row(bench, reader, reading, quantity)
    return _run(reader, lambda r: _write(bench, r, row))


def _needs(bench: Bench, field: ChangeField) -> None:
    if field not in bench.adapter.capabilities.writable:
        pytest.skip(f"`{field}` is not declared")


def test_it_reads_the_agreement_and_its_line(bench: Bench) -> None:
    reading = _read(bench)
    (agreement,) = [each for each in reading.agreements if each.id == bench.agreement]
    assert (agreement.company_id, agreement.currency) == (bench.company, "USD")
    assert (agreement.cycle, agreement.next_period_start) == (Cycle.MONTHLY, bench.next_period)
    line = _line(bench, reading)
    assert (line.product, line.quantity, line.unit_price) == (bench.product, _HELD, _PRICE)
    assert _contract(bench, reading).lines[bench.product]


def test_the_receipt_says_what_was_read(bench: Bench) -> None:
    reading = _read(bench)
    assert reading.receipt.complete
    assert reading.receipt.records == len(reading.segments)
    assert bench.company in reading.receipt.customers


def test_two_readings_are_the_same(bench: Bench) -> None:
    bench.add_lines(5)
    one, other = _read(bench), _read(bench)
    assert (one.agreements, one.segments) == (other.agreements, other.segments)


def test_all_pages_are_read(bench: Bench) -> None:
    before = len(_read(bench).segments)
    bench.add_lines(_ENOUGH)
    ids = [each.line_id for each in _read(bench).segments]
    assert len(ids) == len(set(ids)) == before + _ENOUGH
    # what apply compares with, too
    here = {s.line_id for s in _read(bench).segments if s.agreement_id == bench.agreement}
    lines = _run(opened(bench), lambda reader: reader.read_lines(frozenset({bench.agreement})))
    client = _run(opened(bench), lambda reader: reader.read_client(bench.company))
    assert len(here) > _ENOUGH
    assert here == {s.line_id for s in lines.segments}
    assert here <= {s.line_id for s in client.segments}


def test_what_cannot_be_read_is_no_empty_answer(bench: Bench) -> None:
    bench.fail_reads()
    with pytest.raises(DrybillError):
        _read(bench)
    with pytest.raises(DrybillError):
        _run(opened(bench), lambda reader: reader.read_lines(frozenset({bench.agreement})))


def test_a_stamp_that_is_declared_moves_with_an_edit(bench: Bench) -> None:
    if bench.adapter.capabilities.concurrency != "stamp":
        pytest.skip("no stamp is declared")
    before = _line(bench, _read(bench)).updated_at
    bench.edit(bench.line, Decimal(13))
    assert before
    assert _line(bench, _read(bench)).updated_at != before


def test_one_client_and_some_lines_are_read_the_same(bench: Bench) -> None:
    whole = _read(bench)
    lines = _run(opened(bench), lambda reader: reader.read_lines(frozenset({bench.agreement})))
    client = _run(opened(bench), lambda reader: reader.read_client(bench.company))
    wanted = {each for each in whole.segments if each.agreement_id == bench.agreement}
    for part in (lines, client):
        assert wanted <= set(part.segments)
        terms = {each.id: each.terms for each in part.agreements}
        assert terms[bench.agreement] == _contract(bench, whole).agreement.terms


def test_a_quantity_that_is_not_there_is_unknown(bench: Bench) -> None:
    if not bench.unknown_line:
        pytest.skip("this PSA holds no line without a quantity")
    (line,) = [each for each in _read(bench).segments if each.line_id == bench.unknown_line]
    assert line.quantity is UNKNOWN


def test_looking_writes_nothing(bench: Bench) -> None:
    """The wall: nothing but a writer has a way to change anything, and only apply has a writer."""

    async def look(reader: PsaReader) -> None:
        reading = await reader.read()
        await reader.probe()
        await reader.read_witnesses()
        await reader.read_client(bench.company)
        await reader.read_lines(frozenset({bench.agreement}))
        for quantity in (Decimal(14), Decimal(9)):
            change = _change(bench, reading, quantity)
            plan_write(reader, change)

    before = bench.quantity(bench.line)
    _run(opened(bench), look)
    assert (bench.writes(), bench.quantity(bench.line)) == (0, before)
    assert not hasattr(opened(bench), "execute")


def _change(bench: Bench, reading: Reading, quantity: Decimal, *, dated: bool = False) -> Change:
    contract = _contract(bench, reading)
    product = Product(
        bench.product, {"kit": bench.product}, change="dated" if dated else "in_place"
    )
    (line,) = contract.lines[bench.product]
    row = compared_row(contract, product, line, Number())
    propose(row, contract, product, line, quantity, Number())
    return change_of(row)


@pytest.mark.parametrize(
    ("what", "quantity"),
    [("fraction", "12.5"), ("zero", "0"), ("increase", "14"), ("decrease", "9")],
)
def test_what_is_not_declared_is_refused(bench: Bench, what: str, quantity: str) -> None:
    """Before any call. What is declared is planned; a unit may still take whole numbers only."""
    able = bench.adapter.capabilities
    reader, reading = _read_by_one(bench)
    change = _change(bench, reading, Decimal(quantity))
    answer = plan_write(reader, change)
    declared = change.field in able.writable
    declared = declared and (able.fractions or what != "fraction") and (able.zero or what != "zero")
    if not declared:
        assert isinstance(answer, Refusal)
    elif what != "fraction":
        assert not isinstance(answer, Refusal), answer
    assert bench.writes() == 0


def test_a_dated_change_is_never_made_in_place(bench: Bench) -> None:
    reader, reading = _read_by_one(bench)
    answer = plan_write(reader, _change(bench, reading, Decimal(14), dated=True))
    assert isinstance(answer, Refusal) or len(answer) > 1
    if not bench.adapter.capabilities.dated_changes:
        assert isinstance(answer, Refusal)


@pytest.mark.parametrize("quantity", [14, 9])
def test_a_change_is_written_and_read_back(bench: Bench, quantity: int) -> None:
    wanted = Decimal(quantity)
    _needs(bench, "increase" if wanted > _HELD else "decrease")
    before = _line(bench, _read(bench))
    answers, now = _written(bench, wanted)
    assert [answer.verdict for answer in answers] == ["accepted"] * len(answers)
    assert now.done == len(answers)
    assert bench.quantity(bench.line) == wanted
    after = _line(bench, _read(bench))
    moved = replace(before, quantity=wanted, updated_at=after.updated_at)
    assert after == moved, "something else moved, too"


def test_a_new_line_is_made_once(bench: Bench) -> None:
    _needs(bench, "create")
    reader, reading = _read_by_one(bench)
    contract = _contract(bench, reading)
    product = Product(
        bench.other_product, {"kit": bench.other_product}, prices={"USD": Decimal("3.10")}
    )
    row = new_row(contract, product, Number(), "the client", "what the client reads")
    propose_new(row, contract, Number(), Decimal(3))
    _planned(reader, row)
    answers, now = _run(reader, lambda r: _write(bench, r, row))
    assert {answer.verdict for answer in answers} == {"accepted"}
    assert now.done == len(answers)
    new = [s for s in _read(bench).segments if s.product == bench.other_product]
    assert [(s.quantity, s.unit_price) for s in new] == [(Decimal(3), Decimal("3.10"))]


def test_a_line_is_ended(bench: Bench) -> None:
    """From the first day that is not invoiced, and taken back where that is declared."""
    _needs(bench, "end")
    answers, now = _written(bench, Decimal(0))
    assert {answer.verdict for answer in answers} == {"accepted"}
    assert now.done == len(answers)
    reading = _read(bench)
    contract = _contract(bench, reading)
    assert bench.product not in contract.lines
    (line,) = [s for s in reading.segments if s.line_id == bench.line]
    assert line.cancelled is not None
    assert line.cancelled <= contract.period.start + timedelta(days=1)


def test_a_lost_answer_is_never_called_a_refusal(bench: Bench) -> None:
    """The write is done and nobody knows: only reading can tell."""
    _needs(bench, "increase")
    bench.lose_answer()
    reader, reading = _read_by_one(bench)
    row = _row(bench, reader, reading, Decimal(14))

    async def first(r: PsaReader) -> tuple[Answer, Standing]:
        async with bench.adapter.writer(r) as writer:
            answer = await writer.execute(row.steps_to_write[0])
        now = standing(row, await r.read_lines(frozenset({row.agreement_id})))
        return answer, now

    answer, now = _run(reader, first)
    assert answer.verdict == "unknown"
    assert now.done == 1, now.against(1)
    assert bench.writes() == 1, "a write was sent again by itself"


def test_a_refused_write_changes_nothing(bench: Bench) -> None:
    _needs(bench, "increase")
    bench.refuse_write()
    reader, reading = _read_by_one(bench)
    row = _row(bench, reader, reading, Decimal(14))

    async def first(r: PsaReader) -> Answer:
        async with bench.adapter.writer(r) as writer:
            return await writer.execute(row.steps_to_write[0])

    answer = _run(reader, first)
    assert answer.verdict in ("rejected", "unknown")
    assert answer.detail
    assert bench.quantity(bench.line) == _HELD


def test_somebody_elses_edit_is_seen(bench: Bench) -> None:
    """Between the plan and the write, by name."""
    _needs(bench, "increase")
    reader, reading = _read_by_one(bench)
    row = _row(bench, reader, reading, Decimal(14))
    bench.edit(bench.line, Decimal(13))
    lines = _run(reader, lambda r: r.read_lines(frozenset({bench.agreement})))
    assert "quantity: planned 12, found 13" in standing(row, lines).against(0)


def test_an_undo_restores_the_number(bench: Bench) -> None:
    _needs(bench, "increase")
    _needs(bench, "decrease")
    before = _line(bench, _read(bench))
    _written(bench, Decimal(14))
    _written(bench, _HELD)
    after = _line(bench, _read(bench))
    assert replace(after, updated_at=before.updated_at) == before
