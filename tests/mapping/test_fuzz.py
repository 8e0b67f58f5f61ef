"""Whatever the bytes of a mapping are: it loads, or it is refused with a problem."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drybill.errors import InputError
from drybill.mapping.load import Mapping, load

EXAMPLE = (Path(__file__).parents[2] / "mapping.example.toml").read_bytes()
# What people leave out says little about crashes, so comments go: more edits hit what matters.
LINES = [line.split(b"  #")[0] for line in EXAMPLE.split(b"\n") if line and line[:1] != b"#"]
BARE = b"\n".join(LINES)
TOKENS = ["", "0", "1e9", "nan", "9" * 19, "true", '""', "[]", "{}", "[[", "1.5", "2030-01-01", "é"]
PIECES = st.sampled_from([*TOKENS, *"\"'[]{}=,.-#\\\n\0\r"]).map(str.encode)
EDITS = st.lists(
    st.tuples(st.integers(0, len(BARE)), st.integers(0, 12), PIECES | st.binary(max_size=3)),
    min_size=1,
    max_size=3,
)


def check(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        mapping = load(path)
    except InputError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.level == "error"
            assert problem.where is not None
            assert problem.summary.isprintable()
    else:
        assert isinstance(mapping, Mapping)


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edits=EDITS)
def test_random_edits_never_crash(tmp_path: Path, edits: list[tuple[int, int, bytes]]) -> None:
    content = BARE
    for at, length, piece in edits:
        content = content[:at] + piece + content[at + length :]
    check(tmp_path / "mapping.toml", content)


TABLES = ["psa", "vendors", "agreements", "defaults", "products", "profiles", "guards", "writes"]
LISTS = ["lines", "clients", "exceptions", "accepted", "include"]
VALUES = [
    b"5",
    b'"x"',
    b"1.5",
    b"true",
    b"[]",
    b"{}",
    b"[[]]",
    b"[{}]",
    b"2030-01-01",
    b'""',
    b"-1",
]


@pytest.mark.parametrize("value", VALUES)
def test_no_value_of_a_wrong_kind_crashes(tmp_path: Path, value: bytes) -> None:
    for index, line in enumerate(LINES):
        if b" = " in line and not line.startswith((b" ", b"[")):
            key = line.split(b"=")[0]
            content = [*LINES[:index], key + b"= " + value, *LINES[index + 1 :]]
            check(tmp_path / "mapping.toml", b"\n".join(content))


@pytest.mark.parametrize("section", TABLES + LISTS)
@pytest.mark.parametrize("value", ["5", "[1]", "[[1]]", "{ a = 1 }", "[{}]", "{ a = { b = [1] } }"])
def test_no_section_of_a_wrong_shape_crashes(tmp_path: Path, section: str, value: str) -> None:
    text = f'timezone = "UTC"\n{section} = {value}\n'
    check(tmp_path / "mapping.toml", text.encode())
