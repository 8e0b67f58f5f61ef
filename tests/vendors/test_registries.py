"""Kinds are found by entry points; the built-in one needs none."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from drybill.errors import InputError
from drybill.psa import registry as psas
from drybill.vendors import registry as vendors

FILES = {"kind": "files", "agreements": "a.csv", "lines": "l.csv"}


def installed(monkeypatch: pytest.MonkeyPatch, *points: EntryPoint) -> None:
    def entry_points(group: str) -> list[EntryPoint]:
        return [point for point in points if point.group == group]

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)


def test_files_is_found_without_looking_at_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(importlib.metadata, "entry_points")
    assert psas.open_psa("main", FILES, tmp_path).kind == "files"
    usage = {"kind": "files", "usage": "u.csv"}
    assert vendors.open_vendor("edr", usage, tmp_path).kind == "files"


@pytest.mark.parametrize(
    ("open_it", "table"), [(psas.open_psa, "[psa.main]"), (vendors.open_vendor, "[vendors.main]")]
)
def test_a_kind_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
    open_it: Callable[[str, Mapping[str, object], Path], object],
    table: str,
) -> None:
    installed(
        monkeypatch,
        EntryPoint("connectwise", "gone:adapter", psas.GROUP),
        EntryPoint("connectwise", "gone:adapter", vendors.GROUP),
    )
    for kind, code in (
        ("conectwise", "kind-unknown"),
        ("connectwise", "adapter-broken"),
        (None, "kind-unknown"),
    ):
        with pytest.raises(InputError) as caught:
            open_it("main", {"kind": kind}, Path())
        (problem,) = caught.value.problems
        assert (problem.code, str(problem.where)) == (code, table)
    with pytest.raises(
        InputError, match=r"installed are connectwise, files; did you mean `connectwise`"
    ):
        open_it("main", {"kind": "conectwise"}, Path())


def test_an_installed_adapter_is_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed(
        monkeypatch,
        EntryPoint("mine", "drybill.psa.files:adapter", psas.GROUP),
        EntryPoint("mine", "drybill.vendors.files:open_vendor", vendors.GROUP),
    )
    assert psas.adapters() == vendors.adapters() == ("files", "mine")
    assert psas.open_psa("main", {**FILES, "kind": "mine"}, tmp_path).target == "l.csv"
    assert vendors.open_vendor("edr", {"kind": "mine", "usage": "u.csv"}, tmp_path).name == "edr"
