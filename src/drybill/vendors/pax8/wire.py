"""Pax8's documents, as far as drybill reads them. What is absent is None, never 0."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

# The names are the API's own.

Id = Annotated[str, Meta(pattern=r"^[0-9A-Za-z-]{1,64}$")]  # a UUID, which may stand in a path


class Company(Struct, frozen=True):
    id: Id
    name: str | None = None
    status: str | None = None


class Product(Struct, frozen=True):
    id: Id
    name: str | None = None
    sku: str | None = None
    vendorSku: str | None = None


class Commitment(Struct, frozen=True):
    term: str | None = None
    endDate: str | None = None


class Subscription(Struct, frozen=True):
    id: Id
    companyId: Id
    productId: Id
    quantity: Decimal | None = None
    status: str | None = None
    partnerCost: Decimal | None = None
    currencyCode: str | None = None
    productName: str | None = None
    billingTerm: str | None = None
    commitmentTerm: Commitment | None = None


class Invoice(Struct, frozen=True):
    id: Id
    invoiceDate: str | None = None
    status: str | None = None  # stands in the examples, not in the schema


class Item(Struct, frozen=True):
    companyId: Id
    type: str | None = None
    id: str | None = None
    companyName: str | None = None
    startPeriod: str | None = None
    endPeriod: str | None = None
    quantity: Decimal | None = None
    unitOfMeasure: str | None = None
    term: str | None = None
    sku: str | None = None
    description: str | None = None
    cost: Decimal | None = None
    costTotal: Decimal | None = None
    productId: Id | None = None
    productName: str | None = None
    currencyCode: str | None = None
    subscriptionId: str | None = None


class UsageSummary(Struct, frozen=True):
    id: Id
    companyId: Id
    productId: Id | None = None
    subscriptionId: str | None = None
    isTrial: bool | None = None


class UsageLine(Struct, frozen=True):
    usageDate: str | None = None
    productId: Id | None = None
    productName: str | None = None
    unitOfMeasure: str | None = None
    quantity: Decimal | None = None
    partnerTotal: Decimal | None = None
    currencyCode: str | None = None
    isTrial: bool | None = None
