"""AlgaPSA's documents, as far as drybill reads them. What is absent is None, never 0.

Money is in minor units, as a number or as a text: 450, "450".
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Raw, Struct

# The names are the API's own.


class Refused(Struct, frozen=True):
    """The part of any answer that may say that it is none."""

    success: bool = True


class Client(Struct, frozen=True):
    client_id: str
    client_name: str | None = None
    default_currency_code: str | None = None
    is_inactive: bool | None = None


class Contract(Struct, frozen=True):
    contract_id: str
    contract_name: str | None = None
    status: str | None = None
    is_active: bool | None = None
    is_template: bool | None = None
    clients_using_contract: int | None = None


class ContractLine(Struct, frozen=True):
    """A row of /client-contract-lines: a contract line and one client to which it is assigned."""

    contract_line_id: str
    client_id: str
    contract_id: str | None = None
    client_contract_id: str | None = None
    contract_line_name: str | None = None
    contract_line_type: str | None = None
    invoice_line_description: str | None = None
    billing_frequency: str | None = None
    billing_timing: str | None = None
    cadence_owner: str | None = None
    enable_proration: bool | None = None
    custom_rate: Decimal | None = None
    is_active: bool | None = None
    is_template: bool | None = None
    contract_is_active: bool | None = None
    start_date: str | None = None
    end_date: str | None = None


class Service(Struct, frozen=True):
    service_id: str
    service_name: str | None = None
    default_rate: Decimal | None = None
    billing_method: str | None = None


class Configuration(Struct, frozen=True):
    config_id: str
    service_id: str | None = None
    configuration_type: str | None = None
    custom_rate: Decimal | None = None
    quantity: Decimal | None = None
    updated_at: str | None = None


class TypeConfig(Struct, frozen=True):
    base_rate: Decimal | None = None


class LineService(Struct, frozen=True):
    """A service on a contract line."""

    service: Service
    configuration: Configuration
    type_config: TypeConfig | None = None
    rate_tiers: list[Raw] | None = None


class Price(Struct, frozen=True):
    currency_code: str
    rate: Decimal | None = None


class CatalogEntry(Struct, frozen=True):
    service_id: str
    service_name: str | None = None
    sku: str | None = None
    prices: list[Price] | None = None


class Invoice(Struct, frozen=True):
    invoice_id: str
    client_id: str | None = None
    client_contract_id: str | None = None
    invoice_number: str | None = None
    status: str | None = None
    recurring_service_period_end: str | None = None  # exclusive; None: no recurring invoice


class Charge(Struct, frozen=True):
    item_id: str
    name: str | None = None
    description: str | None = None
    is_discount: bool | None = None
    service_period_start: str | None = None
    service_period_end: str | None = None  # its last day


class Written(Struct, frozen=True):
    baseConfig: Configuration


class PreviewItem(Struct, frozen=True):
    """`unitPrice` is left out: recorded previews have the total there."""

    description: str | None = None
    quantity: Decimal | None = None
    total: Decimal | None = None
    servicePeriodStart: str | None = None


class Preview(Struct, frozen=True):
    currencyCode: str | None = None
    items: list[PreviewItem] = []
    subtotal: Decimal | None = None


class Previewed(Struct, frozen=True):
    """What a preview says: a document, or why there is none, with the status 200 either way."""

    success: bool
    data: Preview | None = None
    error: str | None = None


class ContractLines(Struct, frozen=True):
    data: list[ContractLine]


class LineServices(Struct, frozen=True):
    data: list[LineService]


class Counts(Struct, frozen=True):
    total: int


class Invoices(Struct, frozen=True):
    """The first page of them, and how many there are."""

    data: list[Invoice]
    pagination: Counts


class Charges(Struct, frozen=True):
    data: list[Charge]


class WrittenAnswer(Struct, frozen=True):
    data: Written


class PreviewAnswer(Struct, frozen=True):
    data: Previewed
