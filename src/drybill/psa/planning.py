"""Plans a write: what a PSA's capabilities refuse, for every adapter alike, then its own steps."""

from __future__ import annotations

from drybill.billing.agreement import Ownership
from drybill.billing.change import Change, Refusal, WriteStep
from drybill.psa.port import PsaReader


def plan_write(reader: PsaReader, change: Change) -> tuple[WriteStep, ...] | Refusal:
    """The steps that make a change, or why there are none. Pure."""
    able, quantity = reader.capabilities, change.quantity
    if change.field not in able.writable:
        return Refusal("CHANGE_NOT_SUPPORTED", change.field)
    if change.dated and not able.dated_changes:
        return Refusal("DATED_NOT_SUPPORTED", "")
    if able.ownership and change.observed is not None and change.field != "create":
        if change.observed.ownership is Ownership.CALCULATED:
            return Refusal("OWNERSHIP_CALCULATED", "")
        if change.observed.ownership is Ownership.UNKNOWN:
            return Refusal("OWNERSHIP_UNKNOWN", "")
    if change.field not in ("end", "reopen"):  # which name a day, no quantity
        if not able.fractions and quantity != quantity.to_integral_value():
            return Refusal("FRACTION_NOT_SUPPORTED", f"{quantity:f}")
        if not able.zero and quantity == 0:
            return Refusal("ZERO_NOT_SUPPORTED", "")
        if 0 < quantity < able.minimum:
            return Refusal("BELOW_MINIMUM", f"{quantity:f}, the least is {able.minimum:f}")
    try:
        steps = reader.plan_write(change)
    except Exception as error:  # an adapter may fail in any way: its line is not written
        return Refusal("ADAPTER_BROKEN", type(error).__name__)
    fits = isinstance(steps, tuple) and steps and all(isinstance(x, WriteStep) for x in steps)
    return steps if fits or isinstance(steps, Refusal) else Refusal("ADAPTER_BROKEN", "no steps")
