"""ConnectWise-shaped routes: companyinfo, agreements, additions, cycles, recap.

From the published document of 2026.4 and the Developer Guide: forward-only paging by `pageId`,
page sizes of 25 to 1,000, `fields` with nested names, the error body of a refused request.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drybill.sandbox.store import Document, Store

CODEBASE = "v2026_4/"
_PREFIX = "/{codebase}/apis/3.0"
_NUMBERS = {"quantity", "unitPrice", "unitCost", "lessIncluded"}


def routes(store: Store) -> list[Route]:
    server = ConnectWise(store)
    at = f"{_PREFIX}/finance/agreements"
    return [
        Route("/login/companyinfo/{company}", server.companyinfo),
        Route(f"{_PREFIX}/system/info", server.info),
        Route(f"{_PREFIX}/finance/billingCycles", server.listing("cycle")),
        Route(f"{_PREFIX}/finance/agreementrecap/", server.recaps),
        Route(at, server.listing("agreement")),
        Route(f"{at}/{{id:int}}", server.agreement),
        Route(f"{at}/{{id:int}}/additions", server.additions, methods=["GET"]),
        Route(f"{at}/{{id:int}}/additions", server.create, methods=["POST"]),
        Route(f"{at}/{{id:int}}/additions/{{addition:int}}", server.patch, methods=["PATCH"]),
        Route(f"{at}/{{id:int}}/invoice", server.invoice, methods=["POST"]),
    ]


class ConnectWise:
    def __init__(self, store: Store) -> None:
        self.store = store

    async def companyinfo(self, request: Request) -> Response:
        codebase = (self.store.get("setting", "codebase") or {}).get("value", CODEBASE)
        company = request.path_params["company"]
        known = {each["id"] for each in self.store.all("login")}
        if company not in known:
            return JSONResponse(None)
        return JSONResponse(
            {
                "CompanyName": company,
                "Codebase": codebase,
                "VersionCode": "v2026.4",
                "VersionNumber": "v4.6.0",
                "CompanyID": company,
                "IsCloud": True,
            }
        )

    async def info(self, request: Request) -> Response:
        return self._guard(request) or JSONResponse(
            {"version": "v2026.4", "isCloud": True, "serverTimeZone": "Central Standard Time"}
        )

    def listing(self, kind: str) -> Any:
        async def endpoint(request: Request) -> Response:
            return self._guard(request) or self._page(request, self.store.all(kind))

        return endpoint

    async def recaps(self, request: Request) -> Response:
        if refused := self._guard(request):
            return refused
        return self._page(request, [self._recap(each) for each in self.store.all("agreement")])

    async def agreement(self, request: Request) -> Response:
        if refused := self._guard(request):
            return refused
        found = self.store.get("agreement", str(request.path_params["id"]))
        return _missing("Agreement") if found is None else JSONResponse(_selected(found, request))

    async def additions(self, request: Request) -> Response:
        if refused := self._guard(request):
            return refused
        id = str(request.path_params["id"])
        if self.store.get("agreement", id) is None:
            return _missing("Agreement")
        return self._page(request, self.store.all("addition", id))

    async def create(self, request: Request) -> Response:
        if refused := self._guard(request, write=True):
            return refused
        id, body = str(request.path_params["id"]), await request.json()
        agreement = self.store.get("agreement", id)
        if agreement is None:
            return _missing("Agreement")
        product = self.store.get("product", str(body.get("product", {}).get("id")))
        if product is None or "billCustomer" not in body:
            field = "product" if product is None else "billCustomer"
            return _invalid("addition", field, f"The field {field} is required.")
        start = agreement.get("billStartDate") or ""
        if str(body.get("effectiveDate", ""))[:10] < str(start)[:10]:
            said = "The effective date is before the agreement's billing start date."
            return _invalid("addition", "effectiveDate", said)
        addition = {
            "lessIncluded": 0,
            **body,
            "id": self.store.next_id("addition"),
            "product": product,
            "agreementId": int(id),
            "_info": {"lastUpdated": self._stamp()},
        }
        self.store.put("addition", addition, id)
        return JSONResponse(addition, status_code=201)

    async def patch(self, request: Request) -> Response:
        if refused := self._guard(request, write=True):
            return refused
        agreement, id = str(request.path_params["id"]), str(request.path_params["addition"])
        addition = self.store.get("addition", id, agreement)
        if addition is None:
            return _missing("Addition")
        for operation in await request.json():
            name, value = operation["path"], operation.get("value")
            removes = operation["op"] == "remove" and name == "cancelledDate"
            if operation["op"] != "replace" and not removes:
                return _invalid("addition", name, f"{name} cannot be patched so here.")
            if name not in {*_NUMBERS, "cancelledDate"}:
                return _invalid("addition", name, f"{name} cannot be patched here.")
            if name in _NUMBERS and not isinstance(value, int | float):
                return _invalid("addition", name, f"{name} is no number.")
            if getattr(request.state, "fault", "") != "silent":
                addition[name] = value
        addition["_info"] = {"lastUpdated": self._stamp()}
        self.store.put("addition", addition, agreement)
        return JSONResponse(addition)

    async def invoice(self, request: Request) -> Response:
        """What drybill must never call; the sandbox notes it as a request and refuses."""
        return _invalid("agreement", "id", "The sandbox issues no invoices.", 403)

    def edit(self, path: str) -> None:
        """Somebody else changes the addition that a request is about."""
        found = re.search(r"/agreements/(\d+)/additions/(\d+)", path)
        if found is None:
            return
        addition = self.store.get("addition", found.group(2), found.group(1))
        if addition is not None:
            addition["quantity"] = (addition.get("quantity") or 0) + 1
            addition["_info"] = {"lastUpdated": self._stamp()}
            self.store.put("addition", addition, found.group(1))

    def _guard(self, request: Request, write: bool = False) -> Response | None:
        """Keys, client id, codebase, and whether this role may write."""
        codebase = (self.store.get("setting", "codebase") or {}).get("value", CODEBASE)
        if request.path_params.get("codebase") != codebase.rstrip("/"):
            return _missing("Page")
        try:
            kind, coded = request.headers["authorization"].split(" ", 1)
            user, private = b64decode(coded).decode().split(":", 1)
            company, public = user.split("+", 1)
        except (KeyError, ValueError):
            return _unauthorized()
        login = self.store.get("login", company)
        keys = {key["public"]: key for key in (login or {}).get("keys", [])}
        key = keys.get(public)
        if kind != "Basic" or key is None or key["private"] != private:
            return _unauthorized()
        if not request.headers.get("clientid"):
            return _unauthorized()
        if write and not key.get("edit"):
            return JSONResponse(
                {"code": "Forbidden", "message": "Security role: no Edit.", "errors": None}, 403
            )
        return None

    def _page(self, request: Request, documents: list[Document]) -> Response:
        query = request.query_params
        try:
            fitting = [each for each in documents if _fits(each, query.get("conditions", ""))]
        except ValueError as error:
            return JSONResponse(
                {"code": "ApiFindCondition", "message": str(error), "errors": None}, 400
            )
        size = min(int(query.get("pageSize", "25")), 1000)
        if request.headers.get("pagination-type") == "forward-only":
            after = int(query.get("pageId", "0"))
            rest = sorted((d for d in fitting if d["id"] > after), key=lambda d: int(d["id"]))
        else:
            rest = fitting[(int(query.get("page", "1")) - 1) * size :]
        page = [_selected(each, request) for each in rest[:size]]
        headers = {}
        if len(rest) > size:
            headers["Link"] = (
                f'<https://na.myconnectwise.net/x?pageId={page[-1]["id"]}>; rel="next"'
            )
        return JSONResponse(page, headers=headers)

    def _recap(self, agreement: Document) -> Document:
        """Base amount and billable additions that run on the next invoice's day."""
        when = str(agreement.get("nextInvoiceDate") or "")[:10]
        cents = round(float(agreement.get("billAmount") or 0) * 100)
        for each in self.store.all("addition", str(agreement["id"])):
            runs = str(each.get("effectiveDate") or "")[:10] <= when and not (
                each.get("cancelledDate") and str(each["cancelledDate"])[:10] <= when
            )
            if runs and each.get("billCustomer") == "Billable":
                units = max((each.get("quantity") or 0) - (each.get("lessIncluded") or 0), 0)
                cents += round(units * (each.get("unitPrice") or 0) * 100)
        return {
            "id": agreement["id"],
            "name": agreement.get("name"),
            "nextInvoiceAmount": agreement.get("sandboxRecap", cents / 100),
            "nextInvoiceDate": agreement.get("nextInvoiceDate"),
            "unbilledPeriods": 0,
        }

    def _stamp(self) -> str:
        """A time that moves with every change, and is no clock: runs can be compared."""
        count = self.store.get("setting", "changes") or {"id": "changes", "value": 0}
        count["value"] += 1
        self.store.put("setting", count)
        minutes = count["value"]
        return f"2026-11-{10 + minutes // 1440:02}T{minutes // 60 % 24:02}:{minutes % 60:02}:00Z"


def _fits(document: Document, conditions: str) -> bool:
    """`a="text" and b/id=5`: what the adapter asks for, and no more of the language."""
    for condition in filter(None, conditions.split(" and ")):
        found = re.fullmatch(r'\s*([\w/]+)\s*=\s*(?:"([^"]*)"|(\d+)|(True|False))\s*', condition)
        if found is None:
            raise ValueError(f"{condition} is not a recognized condition.")
        path, text, number, truth = found.groups()
        value: Any = document
        for name in path.split("/"):
            if not isinstance(value, dict) or name not in value:
                raise ValueError(f"{path} is not a recognized name.")
            value = value[name]
        wanted = text if text is not None else int(number) if number else truth == "True"
        if value != wanted:
            return False
    return True


def _selected(document: Document, request: Request) -> Document:
    fields = request.query_params.get("fields")
    if not fields:
        return document
    chosen: Document = {}
    for path in fields.split(","):
        name, _, inner = path.partition("/")
        if name not in document or document[name] is None:
            continue
        if not inner:
            chosen[name] = document[name]
        elif inner in document[name]:
            chosen.setdefault(name, {})[inner] = document[name][inner]
    return chosen


def _unauthorized() -> Response:
    return JSONResponse({"code": "Unauthorized", "message": "Unauthorized", "errors": None}, 401)


def _missing(what: str) -> Response:
    return JSONResponse({"code": "NotFound", "message": f"{what} not found", "errors": None}, 404)


def _invalid(resource: str, field: str, message: str, status: int = 400) -> Response:
    body = {
        "code": "InvalidObject",
        "message": f"{resource} object is invalid",
        "errors": [
            {
                "code": "InvalidField",
                "message": message,
                "resource": resource,
                "field": field,
                "details": None,
            }
        ],
    }
    return JSONResponse(body, status)
