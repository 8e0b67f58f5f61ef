"""The plan as bytes: canonical, content-addressed, and read back with every type checked."""

from __future__ import annotations

import hashlib

import msgspec

from drybill.plan.plan import PLAN_VERSION, Plan


class PlanDamaged(ValueError):
    """Not the bytes of a plan of this version."""


_encoder = msgspec.json.Encoder(order="deterministic")


def encode(plan: Plan) -> bytes:
    """Canonical bytes: the same plan is the same bytes on every machine."""
    return _encoder.encode(plan)


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def decode(content: bytes) -> Plan:
    """Raises PlanDamaged for anything that is not a plan of this version."""
    try:
        plan = msgspec.json.decode(content, type=Plan)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise PlanDamaged(str(error)) from None
    if plan.version != PLAN_VERSION:
        raise PlanDamaged(f"its version is `{plan.version}`, this program reads `{PLAN_VERSION}`")
    return plan
