"""A recording holds what was read and no secret, and answers for the network afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from wire import ANY_READ, QUICK, run

from drybill import secrets
from drybill.errors import InputError
from drybill.transport import cassette
from drybill.transport.auth import TokenCall
from drybill.transport.client import Client
from drybill.transport.errors import Disconnected, HttpError
from drybill.transport.wall import Operation

CANARIES = ("canary-secret-1", "canary-token-2", "canary-cookie-3")
READS = (*ANY_READ, Operation("POST", r"/v1/token"))


@pytest.fixture
def talkative(loopback: Any) -> Any:
    """A server that repeats every secret that it was told."""

    def handler(method: str, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        if method == "POST":
            return 200, {}, {"access_token": CANARIES[1], "expires_in": 600}
        said = {"path": path, "you": headers.get("Authorization"), "secret": CANARIES[0]}
        return 200, {"Set-Cookie": f"session={CANARIES[2]}", "X-Echo": CANARIES[1]}, said

    return loopback(handler)


def read(base: str) -> Any:
    inside = Client("test", base, READS, auth=lambda: _local(base))

    async def both(c: Client) -> Any:
        one = (await c.get("/x", {"q": "1"})).decode(dict[str, Any])
        return [one, (await c.get("/x", {"q": CANARIES[0]})).decode(dict[str, Any])]

    return run(inside, both)


def _local(base: str) -> TokenCall:
    return TokenCall(f"{base}/token", {"client_secret": CANARIES[0]}, ("client_secret",))


def test_a_recording_answers_for_the_network_and_holds_no_secret(
    talkative: Any, tmp_path: Path
) -> None:
    tape, facts = tmp_path / "tape.json", {"as_of": "2026-11-25"}
    with cassette.record(tape, facts):
        said = read(talkative.base)
    text = tape.read_text("utf-8")
    assert not [canary for canary in CANARIES if canary in text]
    assert "authorization" not in text.lower()
    assert tape.stat().st_mode & 0o777 == 0o600
    assert not [canary for canary in CANARIES if canary in json.dumps(said)]
    talkative.close()
    secrets._known.clear()  # another machine knows none of them
    with cassette.replay(tape) as found:
        assert found == facts


def test_what_was_not_recorded_is_not_asked(talkative: Any, tmp_path: Path) -> None:
    tape = tmp_path / "tape.json"
    with cassette.record(tape, {}):
        read(talkative.base)
    inside = Client("test", talkative.base, READS)
    with cassette.replay(tape), pytest.raises(Disconnected, match="recording does not hold it"):
        run(inside, lambda c: c.get("/y"))


def test_the_same_comes_back_without_keys(talkative: Any, tmp_path: Path) -> None:
    tape = tmp_path / "tape.json"
    with cassette.record(tape, {}):
        first = read(talkative.base)
    talkative.close()
    with cassette.replay(tape):
        assert cassette.replaying()
        assert read(talkative.base) == first
    assert not cassette.replaying()


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"schema": "drybill.recording/9"}', "\x00", '{"schema": 1']
)
def test_a_file_that_is_none_is_a_mistake(tmp_path: Path, content: str) -> None:
    tape = tmp_path / "tape.json"
    tape.write_text(content, "utf-8")
    with pytest.raises(InputError, match="recording"), cassette.replay(tape):
        pass


def test_a_recording_that_cannot_be_written_is_a_mistake(talkative: Any, tmp_path: Path) -> None:
    tape = tmp_path / "no" / "tape.json"
    with pytest.raises(InputError, match="cannot be written"), cassette.record(tape, {}):
        read(talkative.base)


def test_a_token_that_was_over_is_no_part_of_a_recording(loopback: Any, tmp_path: Path) -> None:
    """The run went on with a new one; a replay proves itself to nobody."""
    refused = iter([True])

    def handler(method: str, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        if method == "POST":
            return 200, {"Set-Cookie": "s=cookie-of-the-token"}, {"access_token": CANARIES[1]}
        if next(refused, False):
            return 401, {}, {"message": "expired"}
        return 200, {}, {"path": path, "cookie": "cookie-of-the-token"}

    server, tape = loopback(handler), tmp_path / "tape.json"
    with cassette.record(tape, {}):
        said = read(server.base)
    server.close()
    assert "cookie-of-the-token" not in tape.read_text("utf-8")
    with cassette.replay(tape):
        assert read(server.base) == said


def test_what_a_read_failed_with_is_replayed(loopback: Any, tmp_path: Path) -> None:
    """The connection breaks at every attempt, and the keys are refused: nothing to keep of both."""

    def handler(method: str, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        if "broken" in path:
            raise ConnectionError
        return 401, {}, {"message": "Who are you?"}

    server, tape = loopback(handler), tmp_path / "tape.json"

    def failing(path: str) -> str:
        with pytest.raises(HttpError) as failed:
            run(Client("test", server.base, READS, limits=QUICK), lambda c: c.get(path))
        (problem,) = failed.value.problems
        return f"{type(failed.value).__name__} {failed.value.status} {problem}"

    with cassette.record(tape, {}):
        said = [failing("/broken"), failing("/denied")]
    with cassette.replay(tape):
        assert [failing("/broken"), failing("/denied")] == said
        assert "the recording does not hold it" in failing("/other")


@pytest.mark.parametrize("path", [(), ("request",), ("response",), ("response", "status"),
                                  ("response", "body"), ("request", "uri")])  # fmt: skip
@pytest.mark.parametrize("value", [None, 7, [], "x", {}])
def test_a_damaged_recording_is_said_to_be_one(
    talkative: Any, tmp_path: Path, path: tuple[str, ...], value: object
) -> None:
    tape = tmp_path / "tape.json"
    with cassette.record(tape, {}):
        read(talkative.base)
    content = json.loads(tape.read_text("utf-8"))
    inside, key = content["interactions"], 0
    for name in path:
        inside, key = inside[key], name
    inside[key] = value
    tape.write_text(json.dumps(content), "utf-8")
    with pytest.raises(InputError, match="not a recording"), cassette.replay(tape):
        read(talkative.base)


def test_reads_by_post_are_told_apart_by_their_bodies_failures_too(
    loopback: Any, tmp_path: Path
) -> None:
    """A server with a state would answer otherwise: offline it is not asked."""
    asked: list[str] = []

    def handler(method: str, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        asked.append(path)
        status = 401 if len(asked) == 2 else 200
        return status, {}, {"nth": len(asked), "message": "who?"}

    base = loopback(handler).base
    inside = Client("test", base, (*ANY_READ, Operation("POST", r"/v1/preview")))

    async def work(c: Client) -> list[Any]:
        said: list[Any] = []
        for window in ("a", "b", "c"):
            try:
                said.append((await c.query("/preview", {"window": window})).decode(dict[str, Any]))
            except HttpError as error:
                said.append(str(error))
        return said

    tape = tmp_path / "tape.json"
    with cassette.record(tape, {}):
        first = run(inside, work)
    assert [one if isinstance(one, str) else one["nth"] for one in first] == [1, first[1], 3]
    assert "401: who?" in first[1]
    with cassette.replay(tape):
        again = run(inside, work)
    assert again == first
    assert len(asked) == 3
