"""The PSA's own figures once more: did they follow what was written?"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from drybill.billing.quantity import ZERO
from drybill.errors import DrybillError
from drybill.plan.plan import Plan
from drybill.psa.port import PsaReader


async def unmoved(
    plan: Plan, verified: Collection[str], readers: Mapping[str, PsaReader]
) -> list[str]:
    """One sentence for each invoice whose own figure is where it was, though lines of it that move
    its amount were written and read back. Figures that cannot be read are said, and no error.

    `verified` are the ids of those rows. Asks each PSA once, whose session must be open.
    """
    moved = [
        invoice
        for invoice in plan.invoices
        if invoice.witness is not None
        and sum((r.difference for r in invoice.rows if r.id in verified), ZERO)
    ]
    said: list[str] = []
    for name in sorted({invoice.psa for invoice in moved}):
        try:
            now = {each.agreement_id: each for each in await readers[name].read_witnesses()}
        except Exception as error:  # an adapter may fail in any way, and everything was written
            known = isinstance(error, DrybillError) and bool(error.problems)
            why = error.problems[0].summary if known else type(error).__name__  # type: ignore[attr-defined]
            said.append(f"{name}: its own figures cannot be read again: {why}")
            continue
        for invoice in moved:
            witness = now.get(invoice.agreement_id) if invoice.psa == name else None
            if witness is None or witness.invoice_date != invoice.invoice_date:
                continue
            if witness.amount == invoice.witness:
                said.append(
                    f"WITNESS_UNMOVED: the invoice of {invoice.agreement_id} changed, and the PSA "
                    f"still says {invoice.witness:f} {invoice.currency} for {invoice.invoice_date}"
                )
    return said
