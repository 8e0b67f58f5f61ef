"""Entries of a mapping that meet nothing: most are typing mistakes. Needs what the sources say."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from drybill.billing.agreement import Agreement, Segment
from drybill.billing.usage import Receipt, UsageRecord
from drybill.errors import Problem
from drybill.mapping.findings import nearest
from drybill.mapping.load import Mapping as MappingFile

_Finding = tuple[str, str, str, str]  # code, path, summary, fix


def unmatched(
    mapping: MappingFile,
    agreements: Iterable[Agreement],
    segments: Mapping[str, Iterable[Segment]],
    records: Iterable[UsageRecord],
    receipts: Mapping[str, Receipt],
) -> list[Problem]:
    """Warnings: products on no line, codes in no row, clients and customers that nobody lists.

    `segments` are by PSA, `receipts` by vendor. A source that was not asked, or has no rows, says
    nothing here.
    """
    companies = {(a.psa, a.company_id) for a in agreements}
    lines = {(psa, s.product) for psa, found in segments.items() for s in found}
    codes: dict[tuple[str, str], set[str]] = {}
    for record in records:
        for field in ("sku", "vendor_sku", "product_id"):
            if code := getattr(record, field):
                codes.setdefault((record.vendor, field), set()).add(code)
    found = (
        *_products(mapping, lines, segments.keys()),
        *_codes(mapping, codes, receipts),
        *_clients(mapping, companies, segments.keys(), receipts),
    )
    return [
        Problem(code, mapping.place(path), summary, fix, level="warning")
        for code, path, summary, fix in found
    ]


def _near(name: str, names: Iterable[str]) -> str:
    similar = nearest(name, names)
    return f"a similar one exists: `{similar}`" if similar else ""


def _products(
    mapping: MappingFile, lines: set[tuple[str, str]], asked: Collection[str]
) -> Iterator[_Finding]:
    for product in mapping.policy.products.values():
        for psa, product_id in product.ids.items():
            if psa in asked and (psa, product_id) not in lines:
                says = f"product `{product_id}` is on no line of PSA `{psa}`"
                known = [name for at, name in lines if at == psa]
                yield "product-on-no-line", product.path, says, _near(product_id, known)


def _codes(
    mapping: MappingFile,
    codes: Mapping[tuple[str, str], set[str]],
    receipts: Mapping[str, Receipt],
) -> Iterator[_Finding]:
    for product in mapping.policy.products.values():
        for source in product.sources:
            receipt = receipts.get(source.vendor)
            known = codes.get((source.vendor, source.field), set())
            if receipt is not None and receipt.records and source.code not in known:
                says = f"`{source.code}` is in no row of `{source.vendor}`"
                yield "code-in-no-row", source.path, says, _near(source.code, known)


def _clients(
    mapping: MappingFile,
    companies: set[tuple[str, str]],
    asked: Collection[str],
    receipts: Mapping[str, Receipt],
) -> Iterator[_Finding]:
    for client in mapping.policy.clients.values():
        if client.psa in asked and (client.psa, client.id) not in companies:
            says = f"client {client.id} has no agreement in PSA `{client.psa}`"
            known = [company for psa, company in companies if psa == client.psa]
            yield "client-without-agreement", client.path, says, _near(client.id, known)
        for vendor, customers in client.customers.items():
            receipt = receipts.get(vendor)
            if receipt is None or not receipt.records:
                continue
            for customer in customers:
                if customer not in receipt.customers:
                    says = f"`{vendor}` does not list customer {customer} of client {client.id}"
                    fix = _near(customer, receipt.customers)
                    yield "customer-not-listed", client.path, says, fix
