"""ConnectWise's documents, as far as drybill reads them. What is absent is None, never 0."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct, field

# The names are the API's own, so that `fields` can be made of them.

Id = Annotated[int, Meta(ge=0)]  # which may stand in a path


class Reference(Struct, frozen=True):
    id: int | None = None
    name: str | None = None
    identifier: str | None = None


class Currency(Struct, frozen=True):
    currencyCode: str | None = None


class Info(Struct, frozen=True):
    lastUpdated: str | None = None


class Agreement(Struct, frozen=True):
    id: Id
    name: str | None = None
    type: Reference = Reference()
    company: Reference = Reference()
    parentAgreement: Reference | None = None
    billToCompany: Reference | None = None
    agreementStatus: str | None = None
    cancelledFlag: bool | None = None
    startDate: str | None = None
    endDate: str | None = None
    noEndingDateFlag: bool | None = None
    billingCycle: Reference | None = None
    billOneTimeFlag: bool | None = None
    billAmount: Decimal | None = None
    billStartDate: str | None = None
    prorateFlag: bool | None = None
    nextInvoiceDate: str | None = None
    currency: Currency | None = None
    info: Info = field(name="_info", default=Info())


class Addition(Struct, frozen=True):
    id: Id
    product: Reference
    quantity: Decimal | None = None
    lessIncluded: Decimal | None = None
    unitPrice: Decimal | None = None
    unitCost: Decimal | None = None
    billCustomer: str | None = None
    effectiveDate: str | None = None
    cancelledDate: str | None = None
    description: str | None = None
    invoiceDescription: str | None = None
    agreementId: int | None = None
    info: Info = field(name="_info", default=Info())


class Cycle(Struct, frozen=True):
    id: int
    name: str | None = None
    billingOptions: str | None = None


class Recap(Struct, frozen=True):
    id: int
    nextInvoiceAmount: Decimal | None = None
    nextInvoiceDate: str | None = None
    unbilledPeriods: int | None = None


class CompanyInfo(Struct, frozen=True):
    Codebase: str


class SystemInfo(Struct, frozen=True):
    version: str | None = None
    serverTimeZone: str | None = None
    cloudRegion: str | None = None


AGREEMENT_FIELDS = ",".join(
    (
        "id", "name", "type/id", "type/name", "company/id", "company/name", "company/identifier",
        "parentAgreement/id", "billToCompany/id", "billToCompany/name", "agreementStatus",
        "cancelledFlag", "startDate", "endDate", "noEndingDateFlag", "billingCycle/id",
        "billingCycle/name", "billOneTimeFlag",
        "billAmount", "billStartDate", "prorateFlag", "nextInvoiceDate", "currency/currencyCode",
        "_info",
    )
)  # fmt: skip
ADDITION_FIELDS = ",".join(
    (
        "id", "product/id", "product/identifier", "quantity", "lessIncluded", "unitPrice",
        "unitCost", "billCustomer", "effectiveDate", "cancelledDate", "description",
        "invoiceDescription", "agreementId", "_info",
    )
)  # fmt: skip
