"""Quiet lines: those that obviously stay as they are, and get no row of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from drybill.billing.matching import Agreements, Contract, Line
from drybill.billing.policy import Product
from drybill.billing.projection import whole_period
from drybill.billing.quantity import UNKNOWN
from drybill.billing.row import Bucket, row_id


class QuietLine(Struct, frozen=True):
    """A line that stays as it is, without the row that would say so in full."""

    contract: Contract
    product: str  # the PSA's id
    line: Line
    amount: Decimal  # agreement's currency, now and if applied
    bucket: Bucket  # unchanged or fixed
    product_key: str  # the mapping's; empty for a fixed line

    @property
    def row_id(self) -> str:
        agreement = self.contract.agreement
        return row_id(agreement.psa, agreement.id, self.product, self.line.slot)


def quiet_lines(
    contract: Contract,
    siblings: Sequence[Contract],
    products: Mapping[tuple[str, str], Product],
    agreements: Agreements,
    obvious: Mapping[tuple[str, str], Mapping[str, Decimal]],
) -> list[QuietLine]:
    """The lines of an agreement where one number on either side decides that nothing happens.

    `siblings` are all agreements of the same client, `products` the mapped ones by PSA and id,
    `obvious` the quantities that `Numbers.obvious` found.
    """
    if contract.running is not contract.period:
        return []
    agreement = contract.agreement
    psa, client_id = agreement.psa, agreement.company_id
    client = agreements.policy.clients.get((psa, client_id))
    uses = obvious.get((psa, client_id), {})
    amount_for = whole_period(agreement)
    found: list[QuietLine] = []
    for product_id, lines in contract.lines.items():
        segment = lines[0].segments[0]
        if (
            len(lines) > 1
            or len(lines[0].segments) > 1
            or segment.effective is not None
            or segment.cancelled is not None
            or segment.quantity is UNKNOWN
        ):
            continue
        product = products.get((psa, product_id))
        if product is not None and (
            client is None
            or uses.get(product.key) != segment.quantity
            or agreements.find(client, product) is not contract
            or (len(siblings) > 1 and sum(product_id in c.lines for c in siblings) > 1)
        ):
            continue
        amount = amount_for(segment)
        if amount is None:
            continue
        if product is None:
            found.append(QuietLine(contract, product_id, lines[0], amount, Bucket.FIXED, ""))
        else:
            found.append(
                QuietLine(contract, product_id, lines[0], amount, Bucket.UNCHANGED, product.key)
            )
    return found
