"""Claims: which vendor rows the mapping leads to which client and product, and which nowhere."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec import field as new_field

from drybill.billing.looks import looks
from drybill.billing.policy import Policy, VendorKey
from drybill.billing.row import Reason
from drybill.billing.usage import UsageRecord

UseKey = tuple[str, str, str]  # (psa, client id, product key)


class Use(Struct):
    """All rows of one client and product, each with the `from` entry that it answers."""

    rows: list[tuple[VendorKey, UsageRecord]] = new_field(default_factory=list)
    contested: Reason | None = None

    def contest(self, why: Reason) -> None:
        """Of several things that contest a use the first one, by name, is said."""
        said = self.contested
        if said is None or (why.code, why.detail) < (said.code, said.detail):
            self.contested = why

    def of(self, key: VendorKey) -> dict[str, list[UsageRecord]]:
        """The rows of one `from` entry, by vendor customer."""
        found: dict[str, list[UsageRecord]] = {}
        for source, record in self.rows:
            if source is key:
                found.setdefault(record.customer_id, []).append(record)
        return found

    @property
    def records(self) -> list[UsageRecord]:
        return [record for _, record in self.rows]


class Claims(Struct):
    """Uses by client and product, rows that lead nowhere, and uses left out for being 0."""

    uses: dict[UseKey, Use] = new_field(default_factory=dict)
    strays: list[tuple[UsageRecord, Reason]] = new_field(default_factory=list)
    zero: set[tuple[str, str, str]] = new_field(default_factory=set)  # (vendor, customer, SKU)
    codes: dict[tuple[str, str], set[str]] = new_field(default_factory=dict)  # by (vendor, field)


_Fitting = tuple[tuple[str, VendorKey], ...]  # (product key, `from` entry)


def claim(policy: Policy, records: Iterable[UsageRecord]) -> Claims:
    """Leads every counting row to its client and product, by ids and codes, never by names."""
    clients = {
        (vendor, customer): client
        for client in policy.clients.values()
        for vendor, customers in client.customers.items()
        for customer in customers
    }
    entries = _Entries(policy)
    claims = Claims()
    uses = claims.uses
    for record in records:
        if not record.line_type.counts:
            continue
        fitting = entries.of(record)
        if not fitting:
            claims.strays.append((record, Reason("SKU_NOT_MAPPED")))
            continue
        client = clients.get((record.vendor, record.customer_id))
        if client is None:
            claims.strays.append((record, Reason("CUSTOMER_NOT_MAPPED", fitting[0][0])))
            continue
        for product_key, source in fitting:
            key = (client.psa, client.id, product_key)
            use = uses.get(key)
            if use is None:
                use = uses[key] = Use()
            use.rows.append((source, record))
            if len(fitting) > 1:
                names = ", ".join(sorted({name for name, _ in fitting}))
                use.contest(Reason("CLAIMED_TWICE", f"{record.sku}: {names}"))
    claims.codes = entries.codes
    if claims.strays:
        _contest_by_looks(policy, claims)
    return claims


def _contest_by_looks(policy: Policy, claims: Claims) -> None:
    """Units that a person would take for a use's own, though their ids lead nowhere, contest it:
    it may be larger than its rows say."""
    clients: dict[tuple[str, str], set[tuple[str, str, str]]] = {}
    for (psa, id), client in policy.clients.items():
        for vendor, customers in client.customers.items():
            for customer in customers:
                clients.setdefault((vendor, looks(customer)), set()).add((psa, id, customer))
    products: dict[tuple[str, str, str], set[tuple[str, str]]] = {}
    terms: dict[tuple[str, str], set[str]] = {}
    for product in policy.products.values():
        for source in product.sources:
            alike = (source.vendor, source.field, looks(source.code))
            products.setdefault(alike, set()).add((product.key, source.code))
            if source.term not in (None, "any"):
                terms.setdefault((product.key, source.code), set()).add(looks(source.term))
    for record, _ in claims.strays:
        if record.quantity == 0:
            continue
        owners = clients.get((record.vendor, looks(record.customer_id)), set())
        wanted = {
            (product_key, code, named)
            for field_name, code in _codes(record)
            for product_key, named in products.get((record.vendor, field_name, looks(code)), ())
        }
        known_customer = any(customer == record.customer_id for _, _, customer in owners)
        known_code = any(code == named for _, code, named in wanted)
        if known_customer and known_code:  # of another term, then
            term = looks(record.term)
            wanted = {
                (product_key, code, named)
                for product_key, code, named in wanted
                if code == named and term in terms.get((product_key, named), ())
            }
        detail = f"{record.vendor} customer {record.customer_id} {record.sku}"
        why = Reason("USAGE_LOOKS_ALIKE", detail, (record.vendor, record.customer_id, record.sku))
        for psa, id, customer in owners:
            for product_key, code, named in wanted:
                if (customer == record.customer_id or not known_customer) and (
                    code == named or not known_code
                ):
                    claims.uses.setdefault((psa, id, product_key), Use()).contest(why)


def _codes(record: UsageRecord) -> list[tuple[str, str]]:
    """By what a `from` entry may name the row: (field, code)."""
    said = (
        ("sku", record.sku), ("vendor_sku", record.vendor_sku), ("product_id", record.product_id),
    )  # fmt: skip
    return [(field_name, code) for field_name, code in said if code]


class _Entries:
    """The `from` entries by the vendor codes that they name."""

    def __init__(self, policy: Policy) -> None:
        self._codes: dict[tuple[str, str, str], list[tuple[str, VendorKey]]] = {}
        for product in policy.products.values():
            for source in product.sources:
                code = (source.vendor, source.field, source.code)
                self._codes.setdefault(code, []).append((product.key, source))
        self._found: dict[tuple[str | None, ...], _Fitting] = {}
        self.codes: dict[tuple[str, str], set[str]] = {}  # all that were met, by (vendor, field)

    def of(self, record: UsageRecord) -> _Fitting:
        """The entries that this row answers: by SKU, vendor SKU or product id, term and kind.

        A row of a kind that no entry asks for stays with its code's entries, uncounted.
        """
        said = (
            record.vendor, record.sku, record.vendor_sku, record.product_id, record.term,
            record.kind,
        )  # fmt: skip
        found = self._found.get(said)
        if found is None:
            for field_name, code in _codes(record):
                self.codes.setdefault((record.vendor, field_name), set()).add(code)
            coded = tuple(
                (product_key, source)
                for field_name, code in _codes(record)
                for product_key, source in self._codes.get((record.vendor, field_name, code), ())
                if source.term in (None, "any", record.term)
            )
            of_kind = tuple(e for e in coded if e[1].kind in (None, record.kind))
            found = self._found[said] = of_kind or coded[:1]
        return found
