"""The same small MSP in AlgaPSA: three clients, each with a contract of two lines."""

from __future__ import annotations

from datetime import date
from typing import Any

from drybill.sandbox.algapsa import AlgaPsa, put
from drybill.sandbox.store import Document, Store

KEY, WRITE_KEY, SESSION = "alga-practice-key", "alga-practice-key-that-edits", "alga-practice-login"
TENANT = "a1900000-0000-4000-8000-000000000000"
ENVIRONMENT = {
    "SANDBOX_ALGA_KEY": KEY,
    "SANDBOX_ALGA_WRITE_KEY": WRITE_KEY,
    "SANDBOX_ALGA_SESSION": SESSION,
}

M365, EDR, BACKUP = (f"a19a0000-0000-4000-8000-{number:012}" for number in (1350, 1351, 1352))
_SERVICES = {
    M365: ("Microsoft 365 Business Premium", 2200),
    EDR: ("Managed EDR", 450),
    BACKUP: ("Backup", 950),
}
_CLIENTS = {250: "Wonderland Ltd", 251: "Contoso", 252: "Fabrikam"}

MAPPING = """\
# Keys of the sandbox are no secrets; they stand in the environment all the same, as yours should.
timezone = "America/Chicago"

[psa.main]
kind = "algapsa"
url = "{url}"
credentials = {{ api_key = "env:SANDBOX_ALGA_KEY", session = "env:SANDBOX_ALGA_SESSION" }}
write_credentials = {{ api_key = "env:SANDBOX_ALGA_WRITE_KEY" }}

[vendors.pax8]
kind = "pax8"
url = "{url}"
credentials = {{ client_id = "env:SANDBOX_PAX8_ID", client_secret = "env:SANDBOX_PAX8_SECRET" }}

# A contract line is an agreement of its own, and its name is the type.
[agreements]
licences = {{ type = ["Licences"] }}
security = {{ type = ["Security"] }}

[defaults]
agreement = "security"

# A service is called by its id, its SKU or its name.
[products."Microsoft 365 Business Premium"]
agreement = "licences"
from = [{{ vendor = "pax8", vendor_sku = "CFQ7TTC0LCHC:0002", term = "annual" }}]

[products."Managed EDR"]
from = [{{ vendor = "pax8", sku = "EDR-1" }}]

[products.Backup]
from = [{{ vendor = "pax8", sku = "BCK-1" }}]

[[clients]]
id = "a19c0000-0000-4000-8000-000000000250"
name = "Wonderland Ltd"
vendors = {{ pax8 = "9a000000-0000-4000-8000-000000000250" }}

[[clients]]
id = "a19c0000-0000-4000-8000-000000000251"
name = "Contoso"
vendors = {{ pax8 = "9a000000-0000-4000-8000-000000000251" }}

[[clients]]
id = "a19c0000-0000-4000-8000-000000000252"
name = "Fabrikam"
vendors = {{ pax8 = "9a000000-0000-4000-8000-000000000252" }}

[writes]
fields = ["increase", "decrease"]
all_clients = true
"""


def seed(store: Store) -> None:
    """Fills an empty store. Wonderland is billed in arrears for the first time, Contoso in advance
    with November invoiced, Fabrikam by the client's cycle with October invoiced."""
    store.put("alga-key", {"id": KEY, "tenant": TENANT, "edit": False})
    store.put("alga-key", {"id": WRITE_KEY, "tenant": TENANT, "edit": True})
    store.put("alga-session", {"id": SESSION})
    for id, (name, rate) in _SERVICES.items():
        put(store, "service", id, service(id, name, rate))
    for number, name in _CLIENTS.items():
        put(store, "client", client_id(number), client(number, name))
        put(store, "contract", contract_id(number), contract(number, name))
    server = AlgaPsa(store)
    for number, name, start, more, services in (
        (250, "Licences", "2026-11-01", ARREARS, ((M365, 25),)),
        (250, "Security", "2026-11-01", ARREARS, ((EDR, 30),)),
        (251, "Licences", "2026-01-01", ADVANCE, ((M365, 12),)),
        (251, "Security", "2026-01-01", ADVANCE, ((BACKUP, 8),)),
        (252, "Licences", "2026-01-01", CLIENT, ((M365, 8),)),
        (252, "Security", "2026-01-01", CLIENT, ((EDR, 9),)),
    ):
        add_line(store, number, name, start, services, **more)
    for row in (line_of(store, n, name) for n in (251, 252) for name in ("Licences", "Security")):
        arrears = row["billing_timing"] == "arrears"
        first, end = (date(2026, 10, 1), date(2026, 11, 1))
        if not arrears:
            first, end = end, date(2026, 12, 1)
        server.issue(row, first, end, "2026-11-01", "2026-12-01")


ARREARS: Document = {"billing_timing": "arrears"}
ADVANCE: Document = {"billing_timing": "advance"}
CLIENT: Document = {"billing_timing": "arrears", "cadence_owner": "client"}


def client_id(number: int) -> str:
    return f"a19c0000-0000-4000-8000-{number:012}"


def contract_id(number: int) -> str:
    return f"a19d0000-0000-4000-8000-{number:012}"


def line_id(number: int, name: str) -> str:
    """Of a client's contract line."""
    kind = {"Licences": 1, "Security": 2}.get(name, 3)
    return f"a19e000{kind}-0000-4000-8000-{number:012}"


def config_id(number: int, service: str) -> str:
    """Of a service on one of a client's contract lines."""
    return f"a19f{service[-4:]}-0000-4000-8000-{number:012}"


def line_of(store: Store, number: int, name: str) -> Document:
    found: Document = (store.get("alga-line", line_id(number, name)) or {})["row"]
    return found


def client(number: int, name: str, **more: Any) -> Document:
    return {
        "tenant": TENANT,
        "client_id": client_id(number),
        "client_name": name,
        "is_inactive": False,
        "billing_cycle": "monthly",
        "default_currency_code": "USD",
        "credit_balance": "0",
        **more,
    }


def contract(number: int, name: str, **more: Any) -> Document:
    return {
        "contract_id": contract_id(number),
        "contract_name": f"Managed services {name}",
        "owner_client_id": client_id(number),
        "status": "active",
        "is_active": True,
        "is_template": False,
        "start_date": "2026-01-01T00:00:00.000Z",
        "end_date": None,
        "tenant": TENANT,
        "owner_client_name": name,
        "total_plans": 2,
        "clients_using_contract": 1,
        "client_id": client_id(number),
        **more,
    }


def service(id: str, name: str, rate: int, **more: Any) -> Document:
    """Of the catalog, where the rate is a number."""
    return {
        "service_id": id,
        "service_name": name,
        "billing_method": "fixed",
        "default_rate": rate,
        "unit_of_measure": "license",
        "tenant": TENANT,
        "item_kind": "service",
        "is_active": True,
        "sku": None,
        "prices": [],
        **more,
    }


def add_line(
    store: Store,
    number: int,
    name: str,
    start: str,
    services: tuple[tuple[str, int | None], ...],
    **more: Any,
) -> None:
    """A contract line of a client, with its services and their quantities."""
    id = line_id(number, name)
    row = {
        "tenant": TENANT,
        "contract_line_id": id,
        "contract_line_name": name,
        "billing_frequency": "monthly",
        "contract_line_type": "Fixed",
        "is_active": True,
        "is_template": False,
        "billing_timing": "arrears",
        "contract_id": contract_id(number),
        "custom_rate": None,
        "enable_proration": False,
        "billing_cycle_alignment": "start",
        "cadence_owner": "contract",
        "invoice_line_description": None,
        "client_id": client_id(number),
        "client_contract_id": f"a19b0000-0000-4000-8000-{number:012}",
        "start_date": f"{start}T00:00:00.000Z",
        "end_date": None,
        "contract_is_active": True,
        **more,
    }
    put(store, "line", id, row)
    for service_id, quantity in services:
        add_service(store, number, name, service_id, quantity)


def add_service(
    store: Store, number: int, line: str, service_id: str, quantity: int | None, **more: Any
) -> None:
    """A service on a line, where the rate is a text; `more` is for its configuration."""
    name, rate = _SERVICES[service_id]
    id = config_id(number, service_id)
    about = {
        "service_name": name,
        "default_rate": str(rate),
        "unit_of_measure": "license",
        "billing_method": "fixed",
        "item_kind": "service",
        "is_license": False,
    }
    configuration = {
        "config_id": id,
        "service_id": service_id,
        "configuration_type": "Fixed",
        "custom_rate": None,
        "quantity": quantity,
        "tenant": TENANT,
        "updated_at": "2026-11-01T09:00:00.000Z",
        "contract_line_id": line_id(number, line),
        **about,
        **more,
    }
    row = {
        "service": {"service_id": service_id, **about},
        "configuration": configuration,
        "type_config": {"config_id": id, "tenant": TENANT, "base_rate": None},
        "rate_tiers": [],
    }
    put(store, "on-line", id, row, line_id(number, line))
