"""Seeded damage to a valid project: drybill computes or refuses it, whatever the bytes are."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from project import AS_OF, CANARY, FILES, Project, Result

PIECES = (
    b"",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b'"',
    b"'",
    b",",
    b";",
    b"\r",
    b"\n",
    b"[",
    b"]]",
    b"{",
    b"=",
    b"#",
    b"NaN",
    b"1e999999999",
    b"-",
    b"9" * 40,
    b"0001-01-01",
    b"9999-12-31",
    b"\xed\xa0\x80",
    "\u202e".encode(),
    "٣".encode(),
    b"\x1f",
    b"true",
)
Damage = Callable[[random.Random, bytes], bytes]


def flip(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def insert(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + rng.choice(PIECES) + data[at + rng.randrange(4) :]


def lines(rng: random.Random, data: bytes) -> bytes:
    """One line doubled, dropped, or exchanged with another."""
    rows = data.splitlines(keepends=True)
    one, other = rng.randrange(len(rows)), rng.randrange(len(rows))
    match rng.randrange(3):
        case 0:
            rows.insert(one, rows[other])
        case 1:
            del rows[one]
        case _:
            rows[one], rows[other] = rows[other], rows[one]
    return b"".join(rows)


def cells(rng: random.Random, data: bytes) -> bytes:
    """One value (between commas, quotes or spaces) in place of another, or a nasty one."""
    rows = data.splitlines(keepends=True)
    at = rng.randrange(len(rows))
    mark = b"," if b"," in rows[at] else b" "
    values = rows[at].rstrip(b"\n").split(mark)
    values[rng.randrange(len(values))] = rng.choice([*values, *PIECES])
    rows[at] = mark.join(values) + b"\n"
    return b"".join(rows)


def columns(rng: random.Random, data: bytes) -> bytes:
    """One column doubled or dropped."""
    rows = [row.split(b",") for row in data.splitlines()]
    at, double = rng.randrange(len(rows[0])), rng.random() < 0.5
    for row in rows:
        if at < len(row):
            row[at : at + 1] = [row[at]] * 2 if double else []
    return b"\n".join(b",".join(row) for row in rows) + b"\n"


DAMAGES: tuple[Damage, ...] = (flip, cut, insert, lines, cells, columns)


def check(project: Project, result: Result) -> None:
    assert not result.defect, result.defect[-3000:]
    assert result.code in (0, 2, 3), result.said[-2000:]
    assert "Traceback" not in result.said
    assert CANARY not in result.said
    assert not any(char in result.said for char in "\0\x1b\x1f\u202e\ufeff")
    if result.code:
        assert result.err.strip()


def fuzz(folder: Path, seed: int) -> None:
    """One to three damages to one file of a valid project, then `diff` and now and then `check`."""
    rng = random.Random(seed)
    project = Project.lay_out(folder)
    project.environment["DRYBILL_STATE"] = "/dev/null"  # no journal: less to wait for
    name = rng.choice(list(FILES))
    data = project.bytes_of(name)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice(DAMAGES)(rng, data) or b"\n"
    project.write(name, data)
    before = project.snapshot()
    check(project, project.run("diff", "mapping.toml", "--as-of", AS_OF))
    if seed % 5 == 0:
        check(project, project.run("check", "mapping.toml", "--as-of", AS_OF))
    assert project.snapshot() == before


@pytest.mark.parametrize("seed", range(300))
def test_damaged_files_are_refused_or_computed(seed: int, tmp_path: Path) -> None:
    fuzz(tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_much_more_damage(block: int, tmp_path: Path) -> None:
    for seed in range(1_000 + block * 100, 1_100 + block * 100):
        (tmp_path / str(seed)).mkdir()
        fuzz(tmp_path / str(seed), seed)
