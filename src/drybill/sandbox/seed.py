"""A small MSP to practise on: three clients, two vendors, keys that are no secrets."""

from __future__ import annotations

from drybill.sandbox.store import Document, Store

COMPANY, PUBLIC, PRIVATE = "practice", "public-of-practice", "private-of-practice"
WRITE_PUBLIC, WRITE_PRIVATE = "public-that-edits", "private-that-edits"
CLIENT_ID = "00000000-0000-0000-0000-00000000c1d0"
PAX8_ID, PAX8_SECRET, PAX8_TOKEN = "pax8-practice", "pax8-practice-secret", "pax8-practice-token"
NEXT_INVOICE = "2026-12-01T00:00:00Z"

_PRODUCTS = {1350: "M365-BP", 1351: "EDR", 1352: "BACKUP", 1353: "HELPDESK"}
_COMPANIES = {250: "Wonderland Ltd", 251: "Contoso", 252: "Fabrikam"}
_PAX8 = {
    "M365-BP": ("7f1c0a52-0000-4a57-9a0e-000000000001", "MST-BP", "CFQ7TTC0LCHC:0002"),
    "EDR": ("7f1c0a52-0000-4a57-9a0e-000000000002", "EDR-1", "EDR"),
    "BACKUP": ("7f1c0a52-0000-4a57-9a0e-000000000003", "BCK-1", "BCK"),
}

MAPPING = """\
# Keys of the sandbox are no secrets; they stand in the environment all the same, as yours should.
timezone = "America/Chicago"

[psa.main]
kind = "connectwise"
url = "{url}"
currency = "USD"
credentials = {{ company = "env:SANDBOX_COMPANY", public_key = "env:SANDBOX_PUBLIC", private_key = "env:SANDBOX_PRIVATE", client_id = "env:SANDBOX_CLIENT_ID" }}
write_credentials = {{ public_key = "env:SANDBOX_WRITE_PUBLIC", private_key = "env:SANDBOX_WRITE_PRIVATE" }}

[vendors.pax8]
kind = "pax8"
url = "{url}"
credentials = {{ client_id = "env:SANDBOX_PAX8_ID", client_secret = "env:SANDBOX_PAX8_SECRET" }}

[agreements]
cloud = {{ type = ["Cloud Services"], cycle = "monthly" }}

[defaults]
agreement = "cloud"

[products."M365-BP"]
from = [{{ vendor = "pax8", vendor_sku = "CFQ7TTC0LCHC:0002", term = "annual" }}]
price = {{ USD = "22.00" }}

[products.EDR]
from = [{{ vendor = "pax8", sku = "EDR-1" }}]
price = {{ USD = "5.00" }}

[products.BACKUP]
from = [{{ vendor = "pax8", sku = "BCK-1" }}]

[[clients]]
id = 250
name = "Wonderland Ltd"
vendors = {{ pax8 = "9a000000-0000-4000-8000-000000000250" }}

[[clients]]
id = 251
name = "Contoso"
vendors = {{ pax8 = "9a000000-0000-4000-8000-000000000251" }}

[[clients]]
id = 252
name = "Fabrikam"
vendors = {{ pax8 = "9a000000-0000-4000-8000-000000000252" }}

[writes]
fields = ["increase", "decrease", "create"]
all_clients = true
"""  # noqa: E501 - a table of TOML stands on one line

ENVIRONMENT = {
    "SANDBOX_COMPANY": COMPANY,
    "SANDBOX_PUBLIC": PUBLIC,
    "SANDBOX_PRIVATE": PRIVATE,
    "SANDBOX_CLIENT_ID": CLIENT_ID,
    "SANDBOX_WRITE_PUBLIC": WRITE_PUBLIC,
    "SANDBOX_WRITE_PRIVATE": WRITE_PRIVATE,
    "SANDBOX_PAX8_ID": PAX8_ID,
    "SANDBOX_PAX8_SECRET": PAX8_SECRET,
}


def seed(store: Store) -> None:
    """Fills an empty store: one raise, one fall, one new line, one that is in step."""
    keys = [
        {"public": PUBLIC, "private": PRIVATE, "edit": False},
        {"public": WRITE_PUBLIC, "private": WRITE_PRIVATE, "edit": True},
    ]
    store.put("login", {"id": COMPANY, "keys": keys})
    for id, identifier in _PRODUCTS.items():
        store.put("product", {"id": id, "identifier": identifier})
    for id, name, option in (
        (1, "Monthly", "Monthly"),
        (2, "Quarterly", "Quarterly"),
        (3, "Yearly", "Yearly"),
    ):
        store.put(
            "cycle", {"id": id, "identifier": name[:5], "name": name, "billingOptions": option}
        )
    for number, (id, name) in enumerate(_COMPANIES.items()):
        store.put("agreement", agreement(1040 + number, id, name))
    for parent, addition in (
        (1040, line(3400, 1350, 25, "22.00")),
        (1040, line(3401, 1351, 30, "5.00")),
        (1040, line(3402, 1353, 1, "450.00")),
        (1041, line(3403, 1350, 12, "22.00")),
        (1041, line(3404, 1352, 8, "9.50")),
        (1042, line(3405, 1350, 8, "22.00")),
    ):
        store.put("addition", {**addition, "agreementId": parent}, str(parent))
    store.put("pax8-client", {"id": PAX8_ID, "secret": PAX8_SECRET, "token": PAX8_TOKEN})
    for id, name in _COMPANIES.items():
        store.put("pax8-company", {"id": pax8_company(id), "name": name, "status": "Active"})
    for name, (product_id, sku, vendor_sku) in _PAX8.items():
        product = {"id": product_id, "name": name, "sku": sku, "vendorSku": vendor_sku}
        store.put("pax8-product", product)
    for number, (company, name, quantity) in enumerate(
        (
            (250, "M365-BP", 28),
            (250, "EDR", 30),
            (251, "M365-BP", 10),
            (251, "BACKUP", 8),
            (252, "M365-BP", 8),
            (252, "EDR", 8),
        )
    ):
        store.put("pax8-subscription", subscription(number, company, name, quantity))


def pax8_company(id: int) -> str:
    """The id under which Pax8 knows a client of the PSA."""
    return f"9a000000-0000-4000-8000-{id:012}"


def agreement(id: int, company: int, name: str, **more: object) -> Document:
    """A monthly agreement, billed in advance, open since 2024."""
    return {
        "id": id,
        "name": f"Cloud {name}",
        "type": {"id": 5, "name": "Cloud Services"},
        "company": {"id": company, "identifier": name.split(maxsplit=1)[0], "name": name},
        "agreementStatus": "Active",
        "cancelledFlag": False,
        "noEndingDateFlag": True,
        "startDate": "2024-01-01T00:00:00Z",
        "billStartDate": "2024-01-01T00:00:00Z",
        "billingCycle": {"id": 1, "name": "Monthly"},
        "billAmount": 0,
        "prorateFlag": False,
        "nextInvoiceDate": NEXT_INVOICE,
        "_info": {"lastUpdated": "2026-11-01T09:00:00Z"},
        **more,
    }


def line(id: int, product: int, quantity: float | None, price: str, **more: object) -> Document:
    """An addition that is billed since 2024."""
    return {
        "id": id,
        "product": {"id": product, "identifier": _PRODUCTS.get(product, f"P{product}")},
        "quantity": quantity,
        "lessIncluded": 0,
        "unitPrice": float(price),
        "unitCost": 1.5,
        "billCustomer": "Billable",
        "effectiveDate": "2024-01-01T00:00:00Z",
        "description": _PRODUCTS.get(product, f"P{product}"),
        "_info": {"lastUpdated": "2026-11-01T09:00:00Z"},
        **more,
    }


def subscription(
    number: int, company: int, product: str, quantity: float | None, **more: object
) -> Document:
    """Seats at Pax8; M365 for a year, the others by the month."""
    id, _, _ = _PAX8[product]
    annual = product == "M365-BP"
    found: Document = {
        "id": f"5ab00000-0000-4000-8000-{number:012}",
        "companyId": pax8_company(company),
        "productId": id,
        "startDate": "2026-01-05T00:00:00Z",
        "status": "Active",
        "partnerCost": 1.5,
        "currencyCode": "USD",
        "productName": product,
        "billingTerm": "Annual" if annual else "Monthly",
        **more,
    }
    if quantity is not None:
        found["quantity"] = quantity
    return found
