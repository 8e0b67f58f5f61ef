"""Recordings: all reads of one run in one file without secrets, and the same run from it, offline.

A recording holds reads only: GETs, and POSTs that were declared reads (`read_by_post`), told apart
by their bodies; beside what else the run depended on (`facts`), and of reads that got no answer
what they failed with. Authorization, cookies and request headers are left out; every secret of the
process is taken out of the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from drybill import secrets, whole
from drybill.errors import InputError, Place, Problem, UnreachableError
from drybill.transport import errors
from drybill.transport.errors import HttpError

SCHEMA = "drybill.recording/1"
MASKED = secrets.MASK  # what stands in a recording where a secret stood
_HEADERS = frozenset({"content-type", "link", "date", "retry-after"})
_OFFLINE = False
_HIDDEN: set[tuple[str, str]] = set()  # what stands before it, the word
_BY_POST: set[str] = set()  # paths
_FAILURES: dict[str, Failure] = {}  # by request; of this recording or of the one that is replayed


class Failure(Struct, frozen=True, forbid_unknown_fields=True):
    """What a read failed with, where no answer can be kept: none came, or the keys were refused."""

    error: str  # name of its class
    summary: str
    fix: str
    status: int
    said: str


class _Body(Struct, frozen=True):
    string: str


class _Status(Struct, frozen=True):
    code: int
    message: str | None = None


class _Request(Struct, frozen=True):
    method: str
    uri: str
    headers: dict[str, Any]
    body: str | None


class _Response(Struct, frozen=True):
    status: _Status
    headers: dict[str, list[str]]
    body: _Body


class _Interaction(Struct, frozen=True):
    request: _Request
    response: _Response


class _Tape(Struct, frozen=True):
    """A recording's file, as far as this module reads it."""

    schema: str
    facts: dict[str, Any]
    interactions: list[_Interaction]
    failures: dict[str, Failure] = {}


def replaying() -> bool:
    """Whether answers come from a recording: then there is nobody to prove oneself to."""
    return _OFFLINE


def read_by_post(path: str) -> None:
    """A POST to this path is a read: recorded and replayed, and offline never sent."""
    _BY_POST.add(path)


def hide(word: str, after: str) -> None:
    """A word that is no secret, and stands masked where it follows this in the URLs of recordings:
    `after` is the path up to it, with its last slash."""
    _HIDDEN.add((after, word))


@contextmanager
def record(path: Path, facts: dict[str, Any]) -> Iterator[None]:
    """Writes what is read inside into `path`, mode 0600, at the end and whole or not at all.

    `facts` may be filled inside. Raises InputError where the file cannot be written.
    """
    tape: dict[str, Any] = {}

    class Keeper:
        """Where vcr would save a file."""

        @staticmethod
        def load_cassette(_: str, serializer: object) -> tuple[list[Any], list[Any]]:
            from vcr.persisters.filesystem import CassetteNotFoundError

            raise CassetteNotFoundError

        @staticmethod
        def save_cassette(_: str, cassette: dict[str, Any], serializer: object) -> None:
            from vcr.serialize import serialize

            tape.update(json.loads(serialize(cassette, serializer)))

    _FAILURES.clear()
    recorder = _vcr("all", Keeper)
    failed: UnreachableError | None = None
    with recorder.use_cassette("recording"):
        try:
            yield
        except UnreachableError as error:  # of which somebody will want the recording above all
            failed = error
    content = {
        "schema": SCHEMA,
        "facts": facts,
        "interactions": tape.get("interactions", []),
        "failures": msgspec.to_builtins(_FAILURES),
    }
    text = secrets.redacted(json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True))
    try:
        whole.write(path, f"{text}\n".encode(), private=True)
    except (OSError, ValueError) as error:
        summary = f"cannot be written: {whole.reason(error)}"
        raise InputError([Problem("recording-unwritable", Place(str(path)), summary)]) from None
    if failed is not None:
        raise failed


@contextmanager
def replay(path: Path) -> Iterator[dict[str, Any]]:
    """Answers every request inside from a recording; gives its facts.

    Raises InputError for a file that is none.
    """
    global _OFFLINE  # noqa: PLW0603 - one process answers either from the network or from a file
    tape = _load(path)

    class Keeper:
        @staticmethod
        def load_cassette(_: str, serializer: object) -> tuple[list[Any], list[Any]]:
            from vcr.serialize import deserialize

            interactions = msgspec.to_builtins(tape.interactions)
            text = json.dumps({"version": 1, "interactions": interactions})
            requests, responses = deserialize(text, serializer)
            return requests, responses

        @staticmethod
        def save_cassette(_: str, cassette: dict[str, Any], serializer: object) -> None:
            pass

    _OFFLINE = True
    _FAILURES.clear()
    _FAILURES.update(tape.failures)
    try:
        with _vcr("none", Keeper).use_cassette("recording"):
            yield tape.facts
    finally:
        _OFFLINE = False


def not_recorded(error: Exception) -> bool:
    """Whether a request failed because the recording does not hold it."""
    return type(error).__name__ == "CannotOverwriteExistingCassetteException"


def note_failure(request: httpx.Request, error: HttpError) -> None:
    """Keeps what a read failed with, for the recording that is made, if one is."""
    if _is_read(request.method, request.url.path) and not _OFFLINE:
        (problem,) = error.problems
        _FAILURES[_name(request)] = Failure(
            type(error).__name__, problem.summary, problem.fix, error.status, error.said
        )


def noted_failure(request: httpx.Request) -> HttpError | None:
    """What the recorded run's read failed with, whose answer the recording does not hold."""
    noted = _FAILURES.get(_name(request))
    kind = getattr(errors, noted.error, None) if noted else None
    if noted is None or not (isinstance(kind, type) and issubclass(kind, HttpError)):
        return None
    problem = Problem(kind.code, None, noted.summary, noted.fix)
    return kind.recalled(problem, noted.status, noted.said)


def _name(request: httpx.Request) -> str:
    """By its body, too, where it has one."""
    content = secrets.redacted_body(request.content)
    told = f" {sha256(content).hexdigest()[:16]}" if content else ""
    return f"{request.method} {_masked(str(request.url))}{told}"


def _is_read(method: str, path: str) -> bool:
    return method == "GET" or (method == "POST" and path in _BY_POST)


def _masked(url: str) -> str:
    """A URL as recordings show it."""
    url = secrets.redacted(url)
    for after, word in _HIDDEN:
        url = re.sub(rf"(?<={re.escape(after)}){re.escape(word)}(?=[/?]|$)", MASKED, url)
    return url


def _load(path: Path) -> _Tape:
    place = Place(str(path))
    summary = f"this is not a recording of the schema `{SCHEMA}`"
    try:
        tape = msgspec.json.decode(whole.read(path), type=_Tape)
    except OSError as error:
        summary = whole.reason(error)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        summary = f"{summary}: {error}" if isinstance(error, msgspec.ValidationError) else summary
    else:
        if tape.schema == SCHEMA and all(map(_plain_url, tape.interactions)):
            return tape
    raise InputError([Problem("recording-unreadable", place, summary)])


def _plain_url(interaction: _Interaction) -> bool:
    try:
        url = httpx.URL(interaction.request.uri)
        return bool(url.host) and (url.port or 1) < 65536
    except (httpx.InvalidURL, ValueError):
        return False


def _vcr(mode: str, keeper: type) -> Any:
    import vcr

    class Json:
        @staticmethod
        def serialize(cassette: dict[str, Any]) -> str:
            return json.dumps(cassette)

        @staticmethod
        def deserialize(text: str) -> Any:
            return json.loads(text)

    machine = vcr.VCR(
        record_mode=mode,
        match_on=("method", "scheme", "host", "port", "path", "query", "raw_body"),
        decode_compressed_response=True,
        before_record_request=_request,
        before_record_response=_response,
        serializer="drybill",
    )
    machine.register_serializer("drybill", Json)
    machine.register_persister(keeper)
    return machine


def _request(request: Any) -> Any:
    """Reads only; a token is asked for with a POST."""
    if not _is_read(request.method, request.path):
        return None
    request.body = secrets.redacted_body(request.body) if request.body else None
    request.headers = {}
    request.uri = _masked(request.uri)
    return request


def _response(response: dict[str, Any]) -> dict[str, Any] | None:
    if response["status"]["code"] == 401:  # a token was over: nobody proves himself to a recording
        return None
    headers = {k: v for k, v in response["headers"].items() if k.lower() in _HEADERS}
    body = response["body"].get("string", b"")
    body = body.encode() if isinstance(body, str) else body
    body = body.decode("utf-8", "replace").encode()  # a page of another encoding is no JSON anyway
    return {
        **response,
        "headers": {k: [secrets.redacted(v) for v in values] for k, values in headers.items()},
        "body": {"string": secrets.redacted_body(body)},
    }
