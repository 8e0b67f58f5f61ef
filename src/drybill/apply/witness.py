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
        except DrybillError as error:
            said.append(
                f"{name}: its own figures cannot be read again: {error.problems[0].summary}"
            )
            continue
        for invoice in moved:
            witness = now.get(invoice.agreement_id) if invoice.psa == name else None
            if witness is None or witness.invoice_date != invoice.invoice_date:
                continue
            if witness.amount == invoice.witness:
                said.append(
                    f"WITNESS_UNMOVED: agreement {invoice.agreement_id} was written, and the PSA "
                    f"still says {invoice.witness:f} {invoice.currency} for {invoice.invoice_date}"
                )
    return said
