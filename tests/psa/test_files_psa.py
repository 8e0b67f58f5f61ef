"""The files PSA: what is read, what is refused, and what a write does to the disk."""

from __future__ import annotations

import asyncio
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from drybill.billing.agreement import Agreement, Billing, Cycle, Segment, Timing
from drybill.billing.change import Change, Refusal, WriteStep
from drybill.errors import InputError, LockedError, RefusedError
from drybill.psa.files import adapter
from drybill.psa.files.adapter import FilesReader
from drybill.psa.port import Answer

AGREEMENTS = """agreement_id,company_id,currency,next_period_start,agreement_name,timing,cycle,\
prorate,base_amount,parent_agreement_id,start_date,end_date
A1,250,USD,2026-12-01,Cloud,arrears,quarterly,true,,,2020-01-01,
A2,251,EUR,2026-12-15,,,,,99.50,A1,,
"""
LINES = """line_id,agreement_id,product,quantity,unit_price,included,billing,effective_date,\
cancelled_date,updated_at
L1,A1,EDR,25,5.00,,,2020-01-01,,2026-01-01T00:00:00Z
L2,A2,EDR,,,2,no_charge,,2027-01-01,
L3,A2,"Discount, all",1,-5,,,,,
"""


def opened(folder: Path, agreements: str = AGREEMENTS, lines: str = LINES) -> FilesReader:
    (folder / "agreements.csv").write_bytes(agreements.encode())
    (folder / "lines.csv").write_bytes(lines.encode())
    return adapter.open("main", {"kind": "files", **PATHS}, folder)


PATHS = {"agreements": "agreements.csv", "lines": "lines.csv"}


def test_both_tables_become_agreements_and_segments(tmp_path: Path) -> None:
    reading = asyncio.run(opened(tmp_path).read())
    assert reading.agreements == (
        Agreement(
            psa="main", id="A1", company_id="250", currency="USD", name="Cloud",
            next_period_start=date(2026, 12, 1), cycle=Cycle.QUARTERLY, timing=Timing.ARREARS,
            prorate=True, start_date=date(2020, 1, 1),
        ),
        Agreement(
            psa="main", id="A2", company_id="251", currency="EUR", parent_id="A1",
            next_period_start=date(2026, 12, 15), base_amount=Decimal("99.50"),
        ),
    )  # fmt: skip
    assert reading.segments == (
        Segment(
            "L1", "A1", "EDR", Decimal(25), Decimal("5.00"),
            effective=date(2020, 1, 1), updated_at="2026-01-01T00:00:00Z",
        ),
        Segment(
            "L2", "A2", "EDR", None, None, included=Decimal(2),
            billing=Billing.NO_CHARGE, cancelled=date(2027, 1, 1),
        ),
        Segment("L3", "A2", "Discount, all", Decimal(1), Decimal(-5)),
    )  # fmt: skip
    assert reading.receipt.complete
    assert reading.receipt.customers == {"250", "251"}


def test_read_lines_reads_the_disk_again(tmp_path: Path) -> None:
    reader = opened(tmp_path)
    asyncio.run(reader.read())
    (tmp_path / "lines.csv").write_text(LINES.replace("L1,A1,EDR,25", "L1,A1,EDR,26"))
    reading = asyncio.run(reader.read_lines(frozenset({"A1"})))
    assert [(each.line_id, each.quantity) for each in reading.segments] == [("L1", 26)]
    assert [each.id for each in reading.agreements] == ["A1"]


def test_an_absent_parent_is_noticed_and_left_out(tmp_path: Path) -> None:
    reading = asyncio.run(opened(tmp_path, AGREEMENTS.replace(",A1,,\n", ",A9,,\n")).read())
    assert reading.agreements[1].parent_id is None
    assert "A2 (line 3)" in reading.receipt.problems[0]


def test_a_period_that_begins_on_another_day_than_the_others_is_noticed(tmp_path: Path) -> None:
    odd = AGREEMENTS.replace("2020-01-01,\n", "2020-01-15,\n")
    (notice,) = asyncio.run(opened(tmp_path, odd).read()).receipt.problems
    assert "A1 (104 days)" in notice  # 1 December to 15 March
    clipped = AGREEMENTS.replace("2026-12-01", "2027-02-28").replace("2020-01-01,", "2020-08-31,")
    assert asyncio.run(opened(tmp_path, clipped).read()).receipt.problems == ()


@pytest.mark.parametrize(
    ("table", "old", "new", "code", "place"),
    [
        ("agreements", "A2,251", "A1,251", "id-twice", "agreements.csv:3"),
        (
            "agreements",
            "2020-01-01,",
            "2020-01-01,2019-01-01",
            "dates-reversed",
            "agreements.csv:2",
        ),
        ("agreements", "true,,,", "true,,A2,", "parent-cycle", "agreements.csv:2"),
        ("agreements", "USD", "XAU", "currency-unknown", "agreements.csv:2"),
        ("agreements", "USD", "usd", "currency-unknown", "agreements.csv:2"),
        ("agreements", "USD", "", "cell-empty", "agreements.csv:2"),
        ("agreements", "quarterly", "quarter", "value-unknown", "agreements.csv:2"),
        ("agreements", "next_period_start", "next", "column-missing", "agreements.csv:1"),
        ("lines", "L2,", "L1,", "id-twice", "lines.csv:3"),
        ("lines", "L2,A2", "L2,A3", "agreement-missing", "lines.csv:3"),
        ("lines", "EDR,25", "EDR,-25", "quantity-negative", "lines.csv:2"),
        ("lines", ",,2,no", ",,-2,no", "quantity-negative", "lines.csv:3"),
        ("lines", ",2027-01-01", "2027-01-02,2027-01-01", "dates-reversed", "lines.csv:3"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    tmp_path: Path, table: str, old: str, new: str, code: str, place: str
) -> None:
    texts = {"agreements": AGREEMENTS, "lines": LINES}
    texts[table] = texts[table].replace(old, new, 1)
    with pytest.raises(InputError) as caught:
        asyncio.run(opened(tmp_path, **texts).read())
    assert (code, place) in [(each.code, str(each.where)) for each in caught.value.problems]


def test_problems_of_both_files_come_together(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        asyncio.run(
            opened(tmp_path, AGREEMENTS.replace("99.50", "x"), LINES + "L4,A2,,1,1,,,,,\n").read()
        )
    assert [str(each.where) for each in caught.value.problems] == [
        "agreements.csv:3",
        "lines.csv:5",
    ]


def test_a_currency_of_the_mapping_fills_only_gaps(tmp_path: Path) -> None:
    opened(tmp_path, AGREEMENTS.replace("USD", ""))
    reader = adapter.open("main", {"kind": "files", "currency": "CAD", **PATHS}, tmp_path)
    assert [each.currency for each in asyncio.run(reader.read()).agreements] == ["CAD", "EUR"]


def test_settings_are_checked_all_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        adapter.open(
            "main", {"kind": "files", "line": "x", "agreements": 3, "currency": "EURO"}, tmp_path
        )
    assert caught.value.problems[0].fix == "did you mean `lines`?"
    assert len(caught.value.problems) == 4


def test_paths_that_cannot_be_are_settings_that_are_wrong(tmp_path: Path) -> None:
    (tmp_path / "circle.csv").symlink_to("circle.csv")
    for lines in ("nul\0.csv", "circle.csv"):
        reader = {"kind": "files", **PATHS, "lines": lines}
        with pytest.raises(InputError):
            asyncio.run(adapter.open("main", reader, tmp_path).read())


CHANGES = {
    "increase": Change("increase", "A1", "EDR", "L1", Decimal("28.0"), date(2026, 12, 1)),
    "end": Change("end", "A1", "EDR", "L1", Decimal(0), date(2026, 12, 1)),
    "create": Change(
        "create", "A2", "USER", "", Decimal(7), date(2026, 12, 15), Decimal("4.50"), row="k7q2"
    ),
}


def write(reader: FilesReader, *steps: WriteStep) -> list[Answer]:
    async def run() -> list[Answer]:
        async with adapter.writer(reader) as writer:
            return [await writer.execute(step) for step in steps]

    return asyncio.run(run())


def steps(reader: FilesReader, *names: str) -> list[WriteStep]:
    planned = [reader.plan_write(CHANGES[name]) for name in names]
    return [step for each in planned if not isinstance(each, Refusal) for step in each]


def test_a_write_changes_its_cells_and_keeps_one_backup(tmp_path: Path) -> None:
    reader = opened(tmp_path)
    path = tmp_path / "lines.csv"
    path.chmod(0o640)
    answers = write(reader, *steps(reader, "increase", "end", "create"))
    assert [answer.verdict for answer in answers] == ["accepted"] * 3
    assert path.read_bytes().decode() == LINES.replace("EDR,25", "EDR,28").replace(
        "2020-01-01,,", "2020-01-01,2026-12-01,"
    ) + ("drybill-k7q2,A2,USER,7,4.50,,,2026-12-15,,\n")
    (backup,) = tmp_path.glob("lines.csv.*.bak")
    assert backup.read_bytes() == LINES.encode()
    assert {each.stat().st_mode & 0o777 for each in (path, backup)} == {0o640}
    assert not [
        each
        for each in tmp_path.iterdir()
        if each.name.startswith(".lines.csv.") and each.suffix != ".lock"
    ]


def test_a_repeated_create_is_rejected_not_doubled(tmp_path: Path) -> None:
    reader = opened(tmp_path)
    (step,) = steps(reader, "create")
    write(reader, step)
    before = (tmp_path / "lines.csv").read_bytes()
    (answer,) = write(reader, step)
    assert (answer.verdict, (tmp_path / "lines.csv").read_bytes()) == ("rejected", before)


@pytest.mark.parametrize(
    "lines", [LINES.replace("L1,", "L9,"), LINES + "L1,A2,X,1,1,,,,,\n", "\xff", ""]
)
def test_a_line_that_is_not_found_once_leaves_the_file_alone(tmp_path: Path, lines: str) -> None:
    reader = opened(tmp_path)
    (tmp_path / "lines.csv").write_bytes(lines.encode("latin-1"))
    (answer,) = write(reader, *steps(reader, "increase"))
    assert answer.verdict == "rejected"
    assert (tmp_path / "lines.csv").read_bytes() == lines.encode("latin-1")
    assert not list(tmp_path.glob("*.bak"))


def test_a_crash_before_the_replace_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = opened(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    (answer,) = write(reader, *steps(reader, "increase"))
    assert (answer.verdict, answer.detail) == (
        "rejected", "lines.csv cannot be written: no space left on device"
    )  # fmt: skip
    assert (tmp_path / "lines.csv").read_bytes() == LINES.encode()
    kept = {path.name for path in tmp_path.iterdir()} - {".lines.csv.lock"}
    assert kept == {"agreements.csv", "lines.csv"}  # neither half a copy nor an empty backup


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    reader = opened(tmp_path)
    (tmp_path / "lines.csv").rename(tmp_path / "real.csv")
    (tmp_path / "lines.csv").symlink_to("real.csv")
    write(reader, *steps(reader, "increase"))
    assert (tmp_path / "lines.csv").is_symlink()
    assert b"EDR,28" in (tmp_path / "real.csv").read_bytes()


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    reader = opened(tmp_path)

    async def both() -> None:
        async with adapter.writer(reader):
            with pytest.raises(LockedError):
                async with adapter.writer(reader):
                    pass
        async with adapter.writer(reader):
            pass

    asyncio.run(both())


def test_a_table_that_is_no_csv_is_read_only(tmp_path: Path) -> None:
    reader = adapter.open("main", {**PATHS, "lines": "lines.csv.gz"}, tmp_path)
    assert reader.capabilities.writable == frozenset()
    refusal = reader.plan_write(CHANGES["increase"])
    assert isinstance(refusal, Refusal)
    assert (refusal.code, "lines.csv.gz" in refusal.detail) == ("PSA_READ_ONLY", True)
    with pytest.raises(RefusedError):
        adapter.writer(reader)


def test_a_new_line_needs_a_price(tmp_path: Path) -> None:
    change = Change("create", "A2", "USER", "", Decimal(7), date(2026, 12, 15), None, row="k7q2")
    refusal = opened(tmp_path).plan_write(change)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "PRICE_UNKNOWN"
