"""AlgaPSA-shaped routes: clients, contracts, contract lines and their services, catalog, invoices.

From its OpenAPI document 0.1.0, and from exchanges recorded with a running community edition: an
integer quantity of at least 1, a fraction that is a 500 with SQL in it, money as number or text, a
preview that needs a login and says no with the status 200, invoices that close their windows.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid5

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drybill.sandbox.store import Document, Store

_AT = "/api/v1"
_MONTHS = {"monthly": 1, "quarterly": 3, "semi-annually": 6, "annually": 12}
_SPACE = UUID("00000000-0000-4000-8000-000000000000")
_COOKIES = ("authjs.session-token", "__Secure-authjs.session-token")
_DAY = timedelta(days=1)
BODIES: dict[str, tuple[int, dict[str, Any]]] = {
    "429": (
        429,
        {
            "error": {
                "code": "RATE_LIMITED",
                "message": "Too many requests",
                "details": {"retry_after_ms": 391, "remaining": 0},
            }
        },
    ),
    "500": (500, {"error": {"code": "INTERNAL_ERROR", "message": "Internal server error"}}),
    "503": (503, {"error": {"code": "SERVICE_UNAVAILABLE", "message": "Service unavailable"}}),
    "timeout": (500, {"error": {"code": "INTERNAL_ERROR", "message": "Knex: Timeout acquiring"}}),
    "refusal": (200, {"success": False, "error": "The database is being migrated."}),
}


def routes(store: Store) -> list[Route]:
    server = AlgaPsa(store)
    service = f"{_AT}/contract-lines/{{line}}/services/{{service}}"
    return [
        Route(f"{_AT}/clients", server.listing("client", success=False)),
        Route(f"{_AT}/contracts", server.listing("contract", success=True)),
        Route(f"{_AT}/client-contract-lines", server.lines),
        Route(f"{_AT}/contract-lines/{{line}}/services", server.services),
        Route(service, server.update, methods=["PUT"]),
        Route(f"{_AT}/services", server.listing("service", success=False)),
        Route(f"{_AT}/invoices", server.listing("invoice", success=False)),
        Route(f"{_AT}/invoices/preview", server.preview, methods=["POST"]),
        Route(f"{_AT}/invoices/generate", server.generate, methods=["POST"]),
        Route(f"{_AT}/invoices/{{id}}", server.invoice, methods=["GET"]),
        Route(f"{_AT}/invoices/{{id}}/items", server.items),
    ]


def put(store: Store, kind: str, id: str, row: Document, parent: str = "", **more: Any) -> None:
    """Adds a document or replaces it; `more` is what the server knows beside it and never says."""
    store.put(f"alga-{kind}", {"id": id, "row": row, **more}, parent)


class AlgaPsa:
    def __init__(self, store: Store) -> None:
        self.store = store

    def listing(self, kind: str, *, success: bool) -> Any:
        async def endpoint(request: Request) -> Response:
            return self._guard(request) or self._page(request, self._all(kind), success)

        return endpoint

    async def lines(self, request: Request) -> Response:
        if refused := self._guard(request):
            return refused
        asked = {
            name: value
            for name in ("client_id", "contract_line_id")
            if (value := request.query_params.get(name))
        }
        rows = [row for row in self._all("line") if asked.items() <= row.items()]
        return self._page(request, rows, success=True)

    async def services(self, request: Request) -> Response:
        if refused := self._guard(request):
            return refused
        line = request.path_params["line"]
        return JSONResponse({"success": True, "data": self._all("on-line", line), "meta": META})

    async def update(self, request: Request) -> Response:
        if refused := self._guard(request, write=True):
            return refused
        line, service = request.path_params["line"], request.path_params["service"]
        found = self._on_line(line, service)
        if found is None:
            return _error(404, "NOT_FOUND", "Service configuration not found")
        quantity = (await request.json()).get("quantity")
        if isinstance(quantity, bool) or not isinstance(quantity, int | float):
            kind = "string" if isinstance(quantity, str) else type(quantity).__name__
            said: Document = {"code": "invalid_type", "expected": "number", "received": kind}
            message = f"Expected number, received {kind}"
            return _invalid({**said, "path": ["quantity"], "message": message})
        if quantity < 1:
            message = "Number must be greater than or equal to 1"
            bound = {"minimum": 1, "type": "number", "inclusive": True, "exact": False}
            said = {"code": "too_small", **bound, "message": message, "path": ["quantity"]}
            return _invalid(said)
        if quantity != int(quantity):
            return _error(500, "INTERNAL_ERROR", _SQL.format(quantity))
        if getattr(request.state, "fault", "") != "silent":
            self._set(found, line, int(quantity))
        row = found["row"]
        asked = ("service_name", "default_rate", "unit_of_measure", "billing_method", "item_kind")
        base = {
            name: value
            for name, value in row["configuration"].items()
            if name not in (*asked, "is_license")
        }
        data = {"baseConfig": base, "typeConfig": row["type_config"]}
        return JSONResponse({"success": True, "data": data, "meta": META})

    async def invoice(self, request: Request) -> Response:
        if refused := self._guard(request):
            return refused
        found = self.store.get("alga-invoice", request.path_params["id"])
        if found is None:
            return _error(404, "NOT_FOUND", "Invoice not found")
        return JSONResponse({"data": found["row"]})

    async def items(self, request: Request) -> Response:
        if refused := self._guard(request):
            return refused
        return JSONResponse({"data": self._all("charge", request.path_params["id"])})

    async def preview(self, request: Request) -> Response:
        if refused := self._guard(request) or self._nobody(request):
            return refused
        selector = (await request.json())["selector_input"]
        due = self._due(selector)
        if due is None:
            key = selector["executionWindow"]["identityKey"]
            no = {"success": False, "error": _NOT_DUE, "executionIdentityKey": key}
            return JSONResponse({"data": no})
        line, start, end = due
        items: list[Document] = [
            {
                "id": f"preview-{uuid5(_SPACE, 'heading')}",
                "description": f"Contract: {self._contract(line)['contract_name']}",
                "quantity": 1,
                "unitPrice": 0,
                "total": 0,
                "servicePeriodStart": None,
                "servicePeriodEnd": None,
                "billingTiming": None,
            }
        ]
        for each in self._all("on-line", line["contract_line_id"]):
            amount = _amount(each)
            items.append(
                {
                    "id": f"preview-{uuid5(_SPACE, each['configuration']['config_id'])}",
                    "description": each["service"]["service_name"],
                    "quantity": each["configuration"]["quantity"],
                    "unitPrice": amount,  # as recorded: the total
                    "total": amount,
                    "servicePeriodStart": start.isoformat(),
                    "servicePeriodEnd": (end - _DAY).isoformat(),
                    "billingTiming": line["billing_timing"],
                }
            )
        total = sum(item["total"] for item in items)
        client = self._client(line)
        data = {
            "invoiceNumber": "PREVIEW",
            "issueDate": TODAY,
            "dueDate": DUE,
            "currencyCode": client["default_currency_code"],
            "poNumber": None,
            "customer": {"name": client["client_name"], "address": ""},
            "tenantClient": None,
            "items": items,
            "subtotal": total,
            "tax": 0,
            "total": total,
        }
        return JSONResponse({"data": {"success": True, "data": data}})

    async def generate(self, request: Request) -> Response:
        """A real draft, which closes its window: what drybill must never call."""
        if refused := self._guard(request) or self._nobody(request):
            return refused
        selector = (await request.json())["selector_input"]
        due = self._due(selector)
        if due is None:
            return _error(400, "VALIDATION_ERROR", _NOT_DUE)
        line, start, end = due
        id = self.issue(line, start, end, selector["windowStart"], selector["windowEnd"])
        found = self.store.get("alga-invoice", id) or {}
        row = found["row"]
        charges = [
            {
                **charge,
                **{name: int(charge[name]) for name in _MONEY},  # texts later, numbers here
                "tenant": row["tenant"],
                "rate": int(charge["total_price"]),
            }
            for charge in self._all("charge", id)
        ]
        data = {
            "invoice_id": id,
            "invoice_number": row["invoice_number"],
            "client_id": row["client_id"],
            "client_contract_id": row["client_contract_id"],
            "status": "draft",
            "currencyCode": row["currency_code"],
            "subtotal": row["subtotal"],
            "tax": 0,
            "total": row["subtotal"],
            "total_amount": row["subtotal"],
            "is_manual": False,
            "invoice_charges": charges,
            "recurring_service_period_start": start.isoformat(),
            "recurring_service_period_end": end.isoformat(),
            "recurring_invoice_window_start": selector["windowStart"],
            "recurring_invoice_window_end": selector["windowEnd"],
            "recurring_execution_window_kind": row["recurring_execution_window_kind"],
        }
        return JSONResponse({"data": data}, 201)

    def issue(
        self, line: Document, start: date, end: date, window_start: str, window_end: str
    ) -> str:
        """An invoice of one window, with the one charge that AlgaPSA makes of a fixed line."""
        number = len(self._all("invoice")) + 1
        id = str(uuid5(_SPACE, f"invoice {number}"))
        amount = sum(map(_amount, self._all("on-line", line["contract_line_id"])))
        client = self._client(line)
        owner = line["cadence_owner"]
        row = {
            "tenant": line["tenant"],
            "invoice_id": id,
            "invoice_number": f"INV-{number:06}",
            "invoice_date": _stamp(window_start),
            "due_date": _stamp(window_end),
            "total_amount": str(amount),
            "status": "draft",
            "billing_period_start": _stamp(window_start),
            "billing_period_end": _stamp(window_end),
            "subtotal": amount,
            "tax": 0,
            "is_manual": False,
            "client_id": line["client_id"],
            "currency_code": client["default_currency_code"],
            "client_contract_id": line["client_contract_id"],
            "recurring_service_period_start": _stamp(start.isoformat()),
            "recurring_service_period_end": _stamp(end.isoformat()),
            "recurring_invoice_window_start": _stamp(window_start),
            "recurring_invoice_window_end": _stamp(window_end),
            "recurring_execution_window_kind": f"{owner}_cadence_window",
        }
        put(self.store, "invoice", id, row)
        item = str(uuid5(_SPACE, f"charge {number}"))
        period = {
            "service_period_start": _stamp(start.isoformat()),
            "service_period_end": _stamp((end - _DAY).isoformat()),
            "billing_timing": line["billing_timing"],
        }
        charge = {
            "item_id": item,
            "invoice_id": id,
            "service_id": None,
            "service_item_kind": None,
            "service_sku": None,
            "service_name": None,
            "name": line["contract_line_name"],
            "description": line["contract_line_name"],
            "is_discount": False,
            "quantity": 1,
            "unit_price": str(amount),
            "total_price": str(amount),
            "tax_amount": "0",
            "net_amount": str(amount),
            "is_manual": False,
            "location_id": None,
            **period,
            "recurring_detail_periods": [period],
        }
        billed = f"{line['contract_line_id']} {start}"
        put(self.store, "charge", item, charge, id, billed=billed)
        return id

    def edit(self, path: str) -> None:
        """Somebody else changes the quantity that a request is about."""
        about = re.search(rf"{_AT}/contract-lines/([^/]+)/services/([^/]+)", path)
        found = self._on_line(*about.groups()) if about else None
        if about is not None and found is not None:
            quantity = found["row"]["configuration"]["quantity"]
            self._set(found, about.group(1), quantity + 1)

    def _set(self, found: Document, line: str, quantity: int) -> None:
        configuration = found["row"]["configuration"]
        configuration["quantity"] = quantity
        count = self.store.get("setting", "alga-changes") or {"id": "alga-changes", "value": 0}
        count["value"] += 1
        self.store.put("setting", count)
        minutes = count["value"]
        configuration["updated_at"] = f"{TODAY}T{minutes // 60 % 24:02}:{minutes % 60:02}:00.000Z"
        self.store.put("alga-on-line", found, line)

    def _due(self, selector: Document) -> tuple[Document, date, date] | None:
        """A line and the service period that a window bills; None: no such window is open."""
        window = selector["executionWindow"]
        lines = [
            each
            for each in self._all("line")
            if each["contract_line_id"] == window.get("contractLineId")
            and each["client_id"] == selector["clientId"]
            and each["is_active"]
        ]
        if not lines or window["kind"] != "contract_cadence_window":
            return None
        line, first = lines[0], date.fromisoformat(lines[0]["start_date"][:10])
        start = date.fromisoformat(selector["windowStart"])
        whole = _shift(start, line, 1, first) == date.fromisoformat(selector["windowEnd"])
        if line["billing_timing"] == "arrears":
            start = _shift(start, line, -1, first)
        key = f"{line['contract_line_id']} {start}"
        billed = {each.get("billed") for each in self.store.all("alga-charge")}
        if not whole or start < first or key in billed:
            return None
        return line, start, _shift(start, line, 1, first)

    def _all(self, kind: str, parent: str | None = None) -> list[Document]:
        return [each["row"] for each in self.store.all(f"alga-{kind}", parent)]

    def _on_line(self, line: str, service: str) -> Document | None:
        for each in self.store.all("alga-on-line", line):
            if each["row"]["service"]["service_id"] == service:
                return each
        return None

    def _client(self, line: Document) -> Document:
        return (self.store.get("alga-client", line["client_id"]) or {})["row"]  # type: ignore[no-any-return]

    def _contract(self, line: Document) -> Document:
        return (self.store.get("alga-contract", line["contract_id"]) or {})["row"]  # type: ignore[no-any-return]

    def _guard(self, request: Request, write: bool = False) -> Response | None:
        key = self.store.get("alga-key", request.headers.get("x-api-key", ""))
        tenant = request.headers.get("x-tenant-id")
        if key is None or tenant not in (None, key["tenant"]):
            return _error(401, "UNAUTHORIZED", "Invalid API key")
        if write and not key.get("edit"):
            return _error(403, "FORBIDDEN", "Permission denied: Cannot update billing")
        return None

    def _nobody(self, request: Request) -> Response | None:
        tokens = {request.cookies.get(name, "") for name in _COOKIES}
        if any(self.store.get("alga-session", token) for token in tokens):
            return None
        return _error(500, "INTERNAL_ERROR", "User not authenticated")

    def _page(self, request: Request, rows: list[Document], success: bool) -> Response:
        try:
            number = int(request.query_params.get("page", "1"))
            limit = min(int(request.query_params.get("limit", "25")), 100)
        except ValueError:
            return _invalid({"code": "invalid_string", "message": "Invalid", "path": ["limit"]})
        page = rows[(number - 1) * limit : number * limit]
        pages = -(-len(rows) // limit)
        counts: Document = {
            "page": number, "limit": limit, "total": len(rows), "totalPages": pages,
        }  # fmt: skip
        if success:
            body = {"success": True, "data": page, "pagination": counts, "meta": META}
        else:
            counts |= {"hasNext": number < pages, "hasPrev": number > 1}
            sort = {"sort": "created_at", "order": "desc", "filters": {}}
            body = {"data": page, "pagination": counts, "meta": sort}
        return JSONResponse(body)


_MONEY = ("unit_price", "total_price", "tax_amount", "net_amount")
TODAY, DUE = "2026-11-23", "2026-12-23"  # the day of the recordings: no answer depends on a clock
META = {"timestamp": f"{TODAY}T17:21:33.777Z", "version": "1.0.0"}
_NOT_DUE = "Recurring service periods were not materialized for this recurring execution window."
_SQL = (
    'update "contract_line_service_configuration" set "quantity" = $1, "updated_at" = $2 where '
    '"contract_line_service_configuration"."tenant" = $3 and "config_id" = $4 - invalid input '
    'syntax for type integer: "{}"'
)


def _amount(each: Document) -> int:
    """Minor units: quantity times the custom rate, else the default rate."""
    configuration = each["configuration"]
    rate = configuration["custom_rate"]
    return int(configuration["quantity"]) * int(
        each["service"]["default_rate"] if rate is None else rate
    )


def _shift(start: date, line: Document, count: int, first: date) -> date:
    """`count` cycles later, on the day of the month on which the line began."""
    if line["billing_frequency"] == "weekly":
        return start + timedelta(weeks=count)
    months = start.year * 12 + start.month - 1 + _MONTHS[line["billing_frequency"]] * count
    year, month = divmod(months, 12)
    return date(year, month + 1, min(first.day, monthrange(year, month + 1)[1]))


def _stamp(day: str) -> str:
    return f"{day[:10]}T00:00:00.000Z"


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status)


def _invalid(detail: Document) -> Response:
    error = {
        "message": "Invalid request data",
        "code": "VALIDATION_ERROR",
        "details": [detail],
    }
    return JSONResponse({"success": False, "error": error, "meta": META}, 400)
