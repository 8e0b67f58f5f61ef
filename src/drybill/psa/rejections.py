"""Answers by which a server says that it read a write and did not do it, as reason codes."""

from __future__ import annotations

from drybill.transport.errors import Denied, HttpError, NotFound, RateLimited, Rejected

NOT_DONE = (Denied, NotFound, RateLimited, Rejected)
_BY_STATUS = {401: "PSA_KEYS_REFUSED", 409: "PSA_CONFLICT"}
_BY_KIND = {
    Denied: "PSA_RIGHTS_MISSING",
    NotFound: "PSA_LINE_GONE",
    RateLimited: "PSA_BUSY",
    Rejected: "PSA_RULE",
}


def code_of(error: HttpError) -> str:
    """The reason code of a rejection; empty for an error that is none."""
    return _BY_STATUS.get(error.status) or next(
        (code for kind, code in _BY_KIND.items() if isinstance(error, kind)), ""
    )
