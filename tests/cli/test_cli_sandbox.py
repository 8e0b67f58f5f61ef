"""`drybill sandbox` leads to itself, or says why it cannot."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from command import drybill
from drybill.errors import Exit
from drybill.sandbox import serve


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """A free one, at which nothing is served."""
    monkeypatch.setattr(serve, "run", lambda store, port: None)
    with socket.socket() as free:
        free.bind((serve.HOST, 0))
        return int(free.getsockname()[1])


def test_it_lays_a_folder_and_says_what_to_type(tmp_path: Path, port: int) -> None:
    said = drybill("sandbox", str(tmp_path / "s"), "--port", str(port))
    assert said.code == Exit.DONE, said.err
    assert f"drybill diff {tmp_path / 's'}/mapping.toml" in said.out
    assert f'url = "http://127.0.0.1:{port}"' in (tmp_path / "s/mapping.toml").read_text("utf-8")
    assert drybill("sandbox", str(tmp_path / "s"), "--port", str(port)).code == Exit.DONE


def test_a_folder_of_another_port_is_not_served(tmp_path: Path, port: int) -> None:
    """Its mapping would lead to whoever listens there."""
    drybill("sandbox", str(tmp_path / "s"), "--port", str(port))
    with socket.socket() as free:
        free.bind((serve.HOST, 0))
        other = free.getsockname()[1]
    said = drybill("sandbox", str(tmp_path / "s"), "--port", str(other))
    assert (said.code, "leads to another port" in said.err) == (Exit.USAGE, True), said.err


def test_a_port_that_is_taken_leaves_no_folder(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((serve.HOST, 0))
        taken.listen()
        said = drybill("sandbox", str(tmp_path / "s"), "--port", str(taken.getsockname()[1]))
    assert (said.code, "cannot be opened" in said.err) == (Exit.USAGE, True)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("lsot", "kinds are latency"),
        ("lost@FOO", "methods are GET"),
        ("lost@PATCH:x", "TIMES are whole numbers"),
        ("latency=fast", "VALUE and TIMES are whole numbers"),
    ],
)
def test_a_fault_of_odd_shape_is_said(tmp_path: Path, port: int, fault: str, why: str) -> None:
    said = drybill("sandbox", str(tmp_path / "s"), "--port", str(port), "--fault", fault)
    assert (said.code, why in said.err) == (Exit.USAGE, True), said.err
