"""Bad input of every kind ends with a message at its place: no traceback, nothing half written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from cases import CASES
from kinds import HARMLESS, Case
from project import AS_OF, CANARY, Project

# The first cases of every kind always run, the rest with `-m slow`.
USUAL = 2


def parameters() -> Iterator[object]:
    seen: Counter[str] = Counter()
    for case in CASES:
        seen[case.kind] += 1
        marks = [pytest.mark.slow] if seen[case.kind] > USUAL else []
        yield pytest.param(case, marks=marks, id=f"{case.kind}: {case.name}")


@pytest.mark.parametrize("case", list(parameters()))
def test_bad_input_is_refused_at_its_place(case: Case, tmp_path: Path) -> None:
    project = Project.lay_out(tmp_path)
    if case.first:
        assert project.run(*case.first).code == 0
    case.spoil(project)
    before = project.snapshot()
    arguments = [project.environment.get(a[1:], a) if a[:1] == "@" else a for a in case.arguments]
    result = project.run(*arguments)
    assert not result.defect, result.defect[-3000:]
    assert result.code in case.codes, result.said[-2000:]
    assert "Traceback" not in result.said
    assert CANARY not in result.said
    assert not any(mark in result.said for mark in "\x1b\x07\u202e\u2066\x7f\x85\u2028")
    if case.codes.isdisjoint(HARMLESS):
        assert result.err.strip(), "refused without a word"
        for piece in case.says:
            assert piece in result.err.replace("\n", " "), result.err[-2000:]
    if not case.writes:
        assert project.snapshot() == before


@pytest.mark.parametrize(
    "damage",
    [
        ("usage.csv", b"\xff\xfe\0\1"),
        ("mapping.toml", b"x = " + b"[" * 50_000),
        ("lines.csv", b"line_id\n"),
    ],
)
def test_so_it_is_in_a_process_of_its_own(damage: tuple[str, bytes], tmp_path: Path) -> None:
    project = Project.lay_out(tmp_path)
    project.write(*damage)
    before = project.snapshot()
    done = subprocess.run(
        [sys.executable, "-m", "drybill", "diff", "mapping.toml", "--as-of", AS_OF],
        cwd=project.root,
        env={
            **os.environ,
            "DRYBILL_STATE": str(project.state),
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert damage[0] in done.stderr
    assert "Traceback" not in done.stderr
    assert project.snapshot() == before


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 200
    assert len({case.kind for case in CASES}) >= 60
