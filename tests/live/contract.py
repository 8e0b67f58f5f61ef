"""Requests held against the vendors' documents, as far as drybill calls them.

`documents/` has hand-checked slices: paths, parameters, field names and types. An agreement has no
required fields there, for drybill asks for some of them only; of a patch operation the document
names the fields and not which are required: op and path are, after the Developer Guide. AlgaPSA's
document speaks of a tenant header and of a login beside its operations, in words that no validator
reads; the key it demands is checked.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict

FOLDER = Path(__file__).parent / "documents"
# What stands in no document, by name.
UNDOCUMENTED = (("GET", r"/login/companyinfo/[^/]+"), ("POST", r"/v1/token"))


# The operation's description says that it comes in pages of at most 200; its parameters do not.
PAGED_BY_DESCRIPTION = r"/v1/usage-summaries/[^/]+/usage-lines"


class Request:
    """What openapi-core wants to see of a request."""

    content_type = "application/json"

    def __init__(
        self, method: str, path: str, query: str, headers: dict[str, str], body: str
    ) -> None:
        self.method, self.path, self.host_url = method.lower(), path, "http://127.0.0.1"
        self.body = body.encode() or None
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(parse_qsl(query, keep_blank_values=True)),
            header=Headers([(name, value) for name, value in headers.items() if name != "cookie"]),
            cookie=ImmutableMultiDict(),
        )


@cache
def document(name: str) -> OpenAPI:
    return OpenAPI.from_file_path(str(FOLDER / f"{name}.json"))


@cache
def raw(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return loaded


def problem(request: dict[str, Any]) -> str:
    """Why a request is not as documented; empty: it is."""
    method = request["method"]
    path = re.sub(r"^/[\w.]+/apis/", "/v2026_4/apis/", request["path"])  # any codebase will do
    if any(method == m and re.fullmatch(p, path) for m, p in UNDOCUMENTED):
        return ""
    name = "pax8" if path.startswith("/v1/") else "connectwise"
    name = "algapsa" if path.startswith("/api/v1/") else name
    known = _parameters(name, method, path)
    if known is None:
        return f"{method} {path} is not in the document"
    if re.fullmatch(PAGED_BY_DESCRIPTION, path):
        known |= {"page", "size"}
    unknown = {key for key, _ in parse_qsl(request["query"])} - known
    if unknown:
        return f"{method} {path} has no parameter {', '.join(sorted(unknown))}"
    asked = Request(method, path, request["query"], request["headers"], request["body"])
    try:
        document(name).validate_request(asked)  # type: ignore[arg-type]
    except OpenAPIError as error:
        return f"{method} {path}: {error.__cause__ or error}"
    return ""


def _parameters(name: str, method: str, path: str) -> set[str] | None:
    """Query parameters of the documented operation; openapi-core lets unknown ones through."""
    loaded = raw(name)
    inner = path.removeprefix(loaded["servers"][0]["url"])
    for template, operations in loaded["paths"].items():
        pattern = re.sub(r"\{\w+\}", "[^/]+", template)
        if re.fullmatch(pattern, inner) and method.lower() in operations:
            found = operations[method.lower()]["parameters"]
            return {each["name"] for each in found if each["in"] == "query"}
    return None
