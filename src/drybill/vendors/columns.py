"""The columns of plain usage, in the order of UsageRecord's fields."""

from __future__ import annotations

from drybill.billing.money import minor_units
from drybill.billing.usage import Finality, LineType, QuantityKind
from drybill.tabular import Column, values

_CURRENCY = values.accepted(minor_units, "currency-unknown", "use an ISO 4217 code such as USD")

# Records are filled by position, because a million rows go through here.
COLUMNS: tuple[Column, ...] = (
    Column("customer_id", values.text, "", required=True, filled=True),
    Column("sku", values.text, "", required=True, filled=True),
    Column("quantity", values.number, required=True),
    Column("customer_name", values.text, ""),
    Column("product_name", values.text, ""),
    Column("vendor_sku", values.text, ""),
    Column("product_id", values.text, ""),
    Column("subscription_id", values.text, ""),
    Column("quantity_kind", values.choice(QuantityKind)),
    Column("unit", values.text, ""),
    Column("period_start", values.iso_date),
    Column("period_end", values.iso_date),
    Column("as_of", values.moment),
    Column("finality", values.choice(Finality)),
    Column("line_type", values.choice(LineType), LineType.RECURRING),
    Column("unit_cost", values.number),
    Column("amount", values.number),
    Column("currency", _CURRENCY, ""),
    Column("commitment_end", values.iso_date),
    Column("since", values.billing_date),
    Column("term", values.text, ""),
    Column("trial", values.boolean, False),
)
AT = {column.name: at for at, column in enumerate(COLUMNS)}
CHOICES = frozenset({"quantity_kind", "finality", "line_type", "trial"})  # closed vocabularies
