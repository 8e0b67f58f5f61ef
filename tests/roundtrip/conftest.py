"""Tryton, its template and one server for all scenarios; a database and a mapping for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest
from desk import Desk
from fault_proxy import before
from tryton_server import KEY, CannotInstall, Office, Server, Template, python, template


@pytest.fixture(scope="session")
def month() -> date:
    """First day of this month; the next invoices are those of the next one."""
    return datetime.now(UTC).date().replace(day=1)


@pytest.fixture(scope="session")
def built(month: date) -> Template:
    if find_spec("drybill_tryton") is None:
        return _not_made("the adapter is missing: pip install -e examples/drybill-tryton")
    try:
        return template(month.isoformat())
    except CannotInstall as error:
        return _not_made(f"Tryton cannot be installed: {error}")


def _not_made(why: str) -> NoReturn:
    """Loud everywhere, and a failure where it may not be left out (`.ci/run`)."""
    said = f"THE ROUND TRIP WAS NOT MADE: {why}"
    if os.environ.get("DRYBILL_ROUNDTRIP") == "required":
        pytest.fail(said)
    pytest.skip(said)


@pytest.fixture(scope="session")
def server(built: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(python(), tmp_path_factory.mktemp("tryton"), built)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def office(server: Server) -> Iterator[Office]:
    with Office(python(), server.config) as people:
        yield people


@pytest.fixture
def desk(
    server: Server,
    office: Office,
    month: date,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Desk]:
    with sitting_at(server, office, month, tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture(params=[86_400], ids=[""])
def alone(
    request: pytest.FixtureRequest,
    built: Template,
    month: date,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Desk]:
    """A server of its own, for what Tryton would remember; with a `clean_timeout`."""
    folder = tmp_path / "tryton"
    folder.mkdir()
    running = Server(python(), folder, built, request.param)
    try:
        with (
            Office(python(), running.config) as people,
            sitting_at(running, people, month, tmp_path, monkeypatch) as made,
        ):
            yield made
    finally:
        running.stop()


@contextmanager
def sitting_at(
    server: Server, office: Office, month: date, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    monkeypatch.setenv("ROUNDTRIP_KEY", KEY)
    monkeypatch.setenv("DRYBILL_STATE", str(folder / "state"))
    after = (month + timedelta(days=31)).replace(day=1).isoformat()
    server.renew()
    with before(server.port) as proxy:
        made = Desk(folder, server, dict(server.template.ids), office, proxy, after)
        made.write_mapping()
        made.usage()
        yield made
