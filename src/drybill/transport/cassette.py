"""Recordings: all reads of one run in one file without secrets, and the same run from it, offline.

A recording holds GET answers only, beside what else the run depended on (`facts`). Authorization,
cookies and request headers are left out; every secret of the process is taken out of the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drybill import secrets, whole
from drybill.errors import InputError, Place, Problem

SCHEMA = "drybill.recording/1"
MASKED = secrets.MASK  # what stands in a recording where a secret stood
_HEADERS = frozenset({"content-type", "link", "date", "retry-after"})
_OFFLINE = False
_HIDDEN: set[str] = set()


def replaying() -> bool:
    """Whether answers come from a recording: then there is nobody to prove oneself to."""
    return _OFFLINE


def hide(word: str) -> None:
    """A word that stands masked in the URLs of recordings, though it is no secret."""
    _HIDDEN.add(word)


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

    recorder = _vcr("all", Keeper)
    with recorder.use_cassette("recording"):
        yield
    content = {"schema": SCHEMA, "facts": facts, "interactions": tape.get("interactions", [])}
    text = secrets.redacted(json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True))
    try:
        whole.write(path, f"{text}\n".encode(), private=True)
    except (OSError, ValueError) as error:
        summary = f"cannot be written: {whole.reason(error)}"
        raise InputError([Problem("recording-unwritable", Place(str(path)), summary)]) from None


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

            requests, responses = deserialize(
                json.dumps({"version": 1, "interactions": tape["interactions"]}), serializer
            )
            return requests, responses

        @staticmethod
        def save_cassette(_: str, cassette: dict[str, Any], serializer: object) -> None:
            pass

    _OFFLINE = True
    try:
        with _vcr("none", Keeper).use_cassette("recording"):
            yield tape["facts"]
    finally:
        _OFFLINE = False


def not_recorded(error: Exception) -> bool:
    """Whether a request failed because the recording does not hold it."""
    return type(error).__name__ == "CannotOverwriteExistingCassetteException"


def _load(path: Path) -> dict[str, Any]:
    place = Place(str(path))
    try:
        tape = json.loads(whole.read(path))
        fits = tape["schema"] == SCHEMA and isinstance(tape["facts"], dict)
        fits = fits and isinstance(tape["interactions"], list)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        said = whole.reason(error) if isinstance(error, OSError) else "this is no recording"
        raise InputError([Problem("recording-unreadable", place, said)]) from None
    if not fits:
        summary = f"this is not a recording of the schema `{SCHEMA}`"
        raise InputError([Problem("recording-unreadable", place, summary)])
    return dict(tape)


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
        match_on=("method", "scheme", "host", "port", "path", "query"),
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
    if request.method != "GET":
        return None
    request.headers = {}
    request.uri = secrets.redacted(request.uri)
    for word in _HIDDEN:
        request.uri = request.uri.replace(f"/{word}", f"/{MASKED}")
    return request


def _response(response: dict[str, Any]) -> dict[str, Any] | None:
    if response["status"]["code"] == 401:  # a token was over: nobody proves himself to a recording
        return None
    headers = {k: v for k, v in response["headers"].items() if k.lower() in _HEADERS}
    body = response["body"].get("string", b"")
    body = body.encode() if isinstance(body, str) else body
    return {
        **response,
        "headers": {k: [secrets.redacted(v) for v in values] for k, values in headers.items()},
        "body": {"string": secrets.redacted_body(body)},
    }
