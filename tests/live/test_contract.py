"""The validator bites, and what the sandbox answers is as documented, too."""

from __future__ import annotations

import json
from typing import Any

import pytest
from contract import problem, raw
from site_of_work import Site

AT = "/v2026_4/apis/3.0/finance"
ID = "9a000000-0000-4000-8000-000000000250"
HEADERS = {"clientId": "x", "content-type": "application/json"}


def request(
    method: str, path: str, query: str = "", body: Any = None, **headers: str
) -> dict[str, Any]:
    text = "" if body is None else json.dumps(body)
    return {
        "method": method, "path": path, "query": query, "headers": headers or HEADERS, "body": text,
    }  # fmt: skip


ALGA = "/api/v1"
KEYED = {"x-api-key": "k"}
WINDOW = {"clientId": ID, "windowStart": "2026-11-01", "windowEnd": "2026-12-01"}
EXECUTION = {"kind": "contract_cadence_window", "identityKey": "a:b", "cadenceOwner": "contract"}
PREVIEW = {"selector_input": {**WINDOW, "executionWindow": EXECUTION}}


def alga(method: str, path: str, query: str = "", body: Any = None) -> dict[str, Any]:
    return request(method, f"{ALGA}{path}", query, body, **KEYED)


def preview(**execution: Any) -> dict[str, Any]:
    window = {**WINDOW, "executionWindow": {**EXECUTION, **execution}}
    return alga("POST", "/invoices/preview", body={"selector_input": window})


PATCH = [{"op": "replace", "path": "quantity", "value": 28}]
ADDITION = {"product": {"id": 1}, "billCustomer": "Billable", "quantity": 1}
GOOD = [
    request("GET", f"{AT}/agreements", "pageSize=1000&conditions=x"),
    request("PATCH", f"{AT}/agreements/1/additions/2", body=PATCH),
    request("POST", f"{AT}/agreements/1/additions", body=ADDITION),
    request("GET", "/v1/subscriptions", "page=0&size=200"),
    request("GET", f"/v1/products/{ID}"),
    alga("GET", "/clients", "page=1&limit=100"),
    alga("GET", "/contracts", "page=1&limit=100"),
    alga("GET", "/client-contract-lines", f"client_id={ID}&page=1&limit=100"),
    alga("GET", "/client-contract-lines", f"contract_line_id={ID}"),
    alga("GET", f"/contract-lines/{ID}/services"),
    alga("GET", "/services", "page=1&limit=100&item_kind=any"),
    alga("GET", "/invoices", "sort=created_at&order=desc&page=1&limit=100"),
    alga("GET", f"/invoices/{ID}/items"),
    alga("PUT", f"/contract-lines/{ID}/services/{ID}", body={"quantity": 34}),
    preview(),
]
BAD = {
    "agreements": request("GET", f"{AT}/agreements", "pagesize=1000"),
    "an agreement": request("GET", f"{AT}/agreements/x"),
    "additions": request("GET", f"{AT}/agreements/1/additions", "pageSize=many"),
    "a path": request("GET", f"{AT}/agreements/1/addition"),
    "a patch": request("PATCH", f"{AT}/agreements/1/additions/2", body=PATCH[0]),
    "an operation": request(
        "PATCH", f"{AT}/agreements/1/additions/2", body=[{"op": "set", "path": "quantity"}]
    ),
    "a post": request("POST", f"{AT}/agreements/1/additions", body={"quantity": 1}),
    "a quantity": request(
        "POST", f"{AT}/agreements/1/additions", body={**ADDITION, "quantity": "1"}
    ),
    "no client id": request("GET", f"{AT}/agreements", accept="json"),
    "a recap": request("GET", f"{AT}/agreementrecap/", "pageId=a"),
    "cycles": request("GET", f"{AT}/billingCycles", "pageSize=x"),
    "a method": request("PUT", f"{AT}/agreements/1"),
    "companies": request("GET", "/v1/companies", "size=many"),
    "too many": request("GET", "/v1/subscriptions", "size=500"),
    "a product": request("GET", f"/v1/products/{ID}", "size=1"),
    "invoices": request("GET", "/v1/invoices", "since=2026-01-01"),
    "items": request("GET", "/v1/invoices/7/items"),
    "a draft": request("GET", "/v1/invoices/draftItems", "monthOffset=x"),
    "summaries": request("GET", "/v1/subscriptions/7/usage-summaries"),
    "AlgaPSA without a key": request("GET", f"{ALGA}/clients", accept="json"),
    "AlgaPSA's clients": alga("GET", "/clients", "pageSize=100"),
    "AlgaPSA's contracts": alga("GET", "/contracts", f"client_id={ID}"),
    "its contract lines": alga("GET", "/client-contract-lines", "client_id=250"),
    "its filters": alga("GET", "/client-contract-lines", "contract_line=x"),
    "its lines' services": alga("GET", "/contract-lines/7/services"),
    "its services' kinds": alga("GET", "/services", "item_kind=license"),
    "its page size": alga("GET", "/services", "limit=200"),
    "its invoices": alga("GET", "/invoices", f"client_id={ID}"),
    "its order": alga("GET", "/invoices", "order=newest"),
    "its charges": alga("GET", "/invoices/7/items"),
    "a zero": alga("PUT", f"/contract-lines/{ID}/services/{ID}", body={"quantity": 0}),
    "a text": alga("PUT", f"/contract-lines/{ID}/services/{ID}", body={"quantity": "34"}),
    "no body": alga("PUT", f"/contract-lines/{ID}/services/{ID}"),
    "a patch of it": alga("PATCH", f"/contract-lines/{ID}/services/{ID}", body={"quantity": 34}),
    "generate": alga("POST", "/invoices/generate", body=PREVIEW),
    "no window": alga("POST", "/invoices/preview", body={"selector_input": WINDOW}),
    "a kind of window": preview(kind="window"),
    "an owner": preview(cadenceOwner="line"),
    "a line": preview(contractLineId="44"),
    "lines": request("GET", f"/v1/usage-summaries/{ID}/usage-lines"),
}


@pytest.mark.parametrize("asked", GOOD, ids=lambda each: f"{each['method']} {each['path']}")
def test_what_is_documented_passes(asked: dict[str, Any]) -> None:
    assert problem(asked) == ""


@pytest.mark.parametrize("name", BAD)
def test_the_validator_bites(name: str) -> None:
    assert problem(BAD[name]) != ""


@pytest.mark.parametrize(
    ("kind", "document", "schema"),
    [
        ("agreement", "connectwise", "Agreement"),
        ("addition", "connectwise", "Addition"),
        ("cycle", "connectwise", "BillingCycle"),
        ("pax8-subscription", "pax8", "Subscription"),
        ("pax8-company", "pax8", "Company"),
        ("pax8-product", "pax8", "ProductDetail"),
    ],
)
def test_the_sandboxes_data_has_no_field_that_the_documents_lack(
    site: Site, kind: str, document: str, schema: str
) -> None:
    known = raw(document)["components"]["schemas"][schema]["properties"].keys()
    for each in site.store.all(kind):
        assert each.keys() <= known, each.keys() - known
