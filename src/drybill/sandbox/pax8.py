"""Pax8-shaped routes: token, companies, products, subscriptions, invoices, drafts, usage.

From the published partner document: pages from 0, at most 200 rows, totals under `page`, and
`/invoices` without `content` when it is empty.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drybill.sandbox.store import Document, Store


def routes(store: Store) -> list[Route]:
    server = _Pax8(store)
    return [
        Route("/v1/token", server.token, methods=["POST"]),
        Route("/v1/companies", server.listing("pax8-company")),
        Route("/v1/products/{id}", server.product),
        Route("/v1/subscriptions", server.listing("pax8-subscription")),
        Route("/v1/subscriptions/{id}/usage-summaries", server.inside("pax8-summary")),
        Route("/v1/usage-summaries/{id}/usage-lines", server.lines),
        Route("/v1/invoices", server.invoices),
        Route("/v1/invoices/draftItems", server.listing("pax8-draft")),
        Route("/v1/invoices/{id}/items", server.inside("pax8-item")),
    ]


class _Pax8:
    def __init__(self, store: Store) -> None:
        self.store = store

    async def token(self, request: Request) -> Response:
        body = await request.json()
        known = self.store.get("pax8-client", str(body.get("client_id"))) or {}
        right = known and body.get("client_secret") == known["secret"]
        if not right or body.get("audience") != "https://api.pax8.com":
            said = {"error": "access_denied", "error_description": "Unauthorized"}
            return JSONResponse(said, 401)
        return JSONResponse(
            {"access_token": known["token"], "expires_in": 86400, "token_type": "Bearer"}
        )

    def listing(self, kind: str) -> Any:
        async def endpoint(request: Request) -> Response:
            return self._guard(request) or _page(request, self.store.all(kind))

        return endpoint

    def inside(self, kind: str) -> Any:
        async def endpoint(request: Request) -> Response:
            if refused := self._guard(request):
                return refused
            return _page(request, self.store.all(kind, request.path_params["id"]))

        return endpoint

    async def product(self, request: Request) -> Response:
        if refused := self._guard(request):
            return refused
        found = self.store.get("pax8-product", request.path_params["id"])
        return _missing(request) if found is None else JSONResponse(found)

    async def invoices(self, request: Request) -> Response:
        if refused := self._guard(request):
            return refused
        since = request.query_params.get("invoiceDateRangeStart", "")
        found = [each for each in self.store.all("pax8-invoice") if each["invoiceDate"] >= since]
        return _page(request, found, keep_empty=False)

    async def lines(self, request: Request) -> Response:
        if refused := self._guard(request):
            return refused
        when = request.query_params.get("usageDate")
        if not when:
            return _error(request, 400, "usageDate is required")
        lines = self.store.all("pax8-line", request.path_params["id"])
        return _page(request, [each for each in lines if each["usageDate"] == when])

    def _guard(self, request: Request) -> Response | None:
        tokens = {f"Bearer {each['token']}" for each in self.store.all("pax8-client")}
        if request.headers.get("authorization") not in tokens:
            return _error(request, 401, "Unauthorized")
        return None


def _page(request: Request, documents: list[Document], keep_empty: bool = True) -> Response:
    size = min(int(request.query_params.get("size", "10")), 200)
    number = int(request.query_params.get("page", "0"))
    pages = -(-len(documents) // size)
    body: dict[str, Any] = {
        "content": documents[number * size : (number + 1) * size],
        "page": {
            "size": size,
            "totalElements": len(documents),
            "totalPages": pages,
            "number": number,
        },
    }
    if not documents and not keep_empty:
        del body["content"]
    return JSONResponse(body)


def _missing(request: Request) -> Response:
    return _error(request, 404, "not found")


def _error(request: Request, status: int, message: str) -> Response:
    body = {"type": "error", "message": message, "instance": request.url.path, "status": status}
    return JSONResponse({**body, "details": []}, status)
