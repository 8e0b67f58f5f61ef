"""The sandbox's AlgaPSA against exchanges with a real one.

`recorded/algapsa.json` says how it was made: by a running community edition, redacted. The tenant
of the recordings is built here from their own answers; then each request is sent again, in the
order in which it was, and what comes must be what came: status, fields, their kinds and values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from drybill.sandbox import seed_algapsa
from drybill.sandbox.algapsa import put
from drybill.sandbox.serve import serving
from drybill.sandbox.store import Store

RECORDED = json.loads((Path(__file__).parent / "recorded" / "algapsa.json").read_text("utf-8"))
EXCHANGES: dict[str, dict[str, Any]] = RECORDED["exchanges"]
KEY, SESSION = "key-of-the-recordings", "login-of-the-recordings"
# In the order of their times; the 429 came of itself and is compared with the fault's body.
ORDER = (
    "clients", "client-contract-lines", "contracts", "services", "line-services",
    "invoice-preview-apikey-only", "invoice-preview-before", "apply-quantity",
    "apply-quantity-zero", "apply-quantity-bad", "apply-quantity-fraction",
    "invoice-preview-after", "invoice-generate", "invoice-get", "invoice-items",
    "invoice-preview-already-billed",
)  # fmt: skip
# What the sandbox does not know of a tenant, or makes up itself: ids, times, addresses, links.
ITS_OWN = {
    "timestamp", "created_at", "updated_at", "id", "item_id", "invoice_id", "_links", "customer",
    "invoice_date", "due_date", "tax_source", "template_id", "custom_fields", "finalized_at",
    "credit_applied", "billing_cycle_id", "is_prepayment", "exchange_rate_basis_points",
    "po_number", "invoice_type", "project_id", "credit_expiration_date", "billing_profile_id",
    "balance_due", "recurring_cadence_source", "client", "contact", "tenantClient",
}  # fmt: skip


def answered(name: str) -> Any:
    return EXCHANGES[name]["answered"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = Store(tmp_path_factory.mktemp("recorded") / "sandbox.db")
    tenant = answered("contracts")["data"][0]["tenant"]
    store.put("alga-key", {"id": KEY, "tenant": tenant, "edit": True})
    store.put("alga-session", {"id": SESSION})
    for kind, name, id in (
        ("client", "clients", "client_id"),
        ("contract", "contracts", "contract_id"),
        ("line", "client-contract-lines", "contract_line_id"),
        ("service", "services", "service_id"),
    ):
        for row in answered(name)["data"]:
            put(store, kind, row[id], row)
    # three clients are declared, and two were read
    put(store, "client", "third", {**answered("clients")["data"][0], "client_id": "third"})
    for row in answered("line-services")["data"]:
        configuration = row["configuration"]
        put(store, "on-line", configuration["config_id"], row, configuration["contract_line_id"])
    with serving(store) as url:
        yield url
    store.close()


def send(server: str, name: str, invoice: str) -> httpx.Response:
    exchange = EXCHANGES[name]
    path = re.sub(r"/invoices/[0-9a-f-]{36}", f"/invoices/{invoice}", exchange["path"])
    headers = {"x-api-key": KEY}
    if ("preview" in name and "apikey-only" not in name) or name == "invoice-generate":
        headers["Cookie"] = f"authjs.session-token={SESSION}"
    return httpx.request(exchange["method"], server + path, headers=headers, json=exchange["sent"])


def test_each_recorded_request_gets_its_recorded_answer(server: str) -> None:
    invoice, wrong = "", {}
    for name in ORDER:
        answer = send(server, name, invoice)
        assert answer.status_code == EXCHANGES[name]["status"], name
        if name == "invoice-generate":
            invoice = answer.json()["data"]["invoice_id"]
        found = [*differences(answered(name), answer.json(), "")]
        if found:
            wrong[name] = found
    assert wrong == {}


def differences(theirs: Any, ours: Any, at: str) -> Iterator[str]:
    """Values of the recording that the sandbox gives otherwise or not at all."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name, value in theirs.items():
            if name in ITS_OWN:
                continue
            if name not in ours:
                yield f"{at}.{name} is missing"
            else:
                yield from differences(value, ours[name], f"{at}.{name}")
    elif isinstance(theirs, list) and isinstance(ours, list):
        if len(theirs) != len(ours):
            yield f"{at}: {len(theirs)} rows, here {len(ours)}"
        for number, (one, other) in enumerate(zip(theirs, ours, strict=False)):
            yield from differences(one, other, f"{at}[{number}]")
    elif type(theirs) is not type(ours) or theirs != ours:
        yield f"{at}: {theirs!r}, here {ours!r}"


def test_the_recordings_are_all_used() -> None:
    assert {*ORDER, "rate-limited-429"} == EXCHANGES.keys()


def test_a_fault_429_has_the_recorded_body() -> None:
    from drybill.sandbox.algapsa import BODIES

    exchange = EXCHANGES["rate-limited-429"]
    assert BODIES["429"] == (exchange["status"], exchange["answered"])


def test_the_sandboxs_own_tenant_has_no_field_that_the_recordings_lack(tmp_path: Path) -> None:
    store = Store(tmp_path / "sandbox.db")
    seed_algapsa.seed(store)
    invoice = {**answered("invoice-generate")["data"], **answered("invoice-get")["data"]}
    for kind, theirs in (
        ("client", answered("clients")["data"][0]),
        ("contract", answered("contracts")["data"][0]),
        ("line", answered("client-contract-lines")["data"][0]),
        ("service", answered("services")["data"][0]),
        ("on-line", answered("line-services")["data"][0]),
        ("invoice", invoice),
        ("charge", answered("invoice-items")["data"][0]),
    ):
        rows = [each["row"] for each in store.all(f"alga-{kind}")]
        assert rows, kind
        for row in rows:
            assert unknown(row, theirs) == [], kind


def unknown(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    found = [name for name in ours if name not in theirs]
    for name, value in ours.items():
        if isinstance(value, dict) and isinstance(theirs.get(name), dict):
            found += unknown(value, theirs[name])
    return found
