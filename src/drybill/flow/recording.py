"""What a recording holds beside the answers, so that the same run comes from it anywhere: what was
asked for, and what earlier runs had seen."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec

from drybill.errors import InputError, Problem
from drybill.flow.dry_run import DryRun
from drybill.flow.run import Past, Request
from drybill.flow.selection import Selection
from drybill.mapping.load import Mapping as MappingFile
from drybill.plan.guards import Allowance


def facts_of(run: DryRun, request: Request, mapping: MappingFile) -> dict[str, Any]:
    """Plain values for a recording's file."""
    return {
        **asked(request, mapping),
        "plan_digest": run.digest,
        "past": b64encode(msgspec.msgpack.encode(run.past)).decode(),
    }


def asked(request: Request, mapping: MappingFile) -> dict[str, Any]:
    """What a run was asked for; of one that failed there is no more to say."""
    return {
        "mapping_digest": mapping.digest,
        "plan_digest": None,
        "as_of": request.as_of.isoformat(),
        "period": request.period.isoformat() if request.period else None,
        "horizon_days": request.horizon_days,
        "without": sorted(request.without),
        "allowances": msgspec.to_builtins(request.allowances),
        "selection": msgspec.to_builtins(request.selection, str_keys=True),
        "past": b64encode(msgspec.msgpack.encode(Past())).decode(),
    }


def _check(request: Request, mapping: MappingFile) -> None:
    """Raises ValueError or OverflowError for what no command line can have asked for."""
    if isinstance(request.as_of, datetime):
        if request.as_of.tzinfo is None:
            raise ValueError("a moment without a zone")
        request.as_of.astimezone(mapping.policy.timezone)
    least = request.selection.min_money
    if not 0 <= request.horizon_days <= 3660 or (least is not None and not least.is_finite()):
        raise ValueError("a horizon or an amount that nobody can ask for")


def from_facts(facts: Mapping[str, Any], mapping: MappingFile) -> tuple[Request, Past]:
    """What the recorded run was asked for, and what it depended on.

    Raises:
        InputError: the recording was made with another mapping, or its facts are damaged.
    """
    if facts.get("mapping_digest") != mapping.digest:
        summary = "the recording was made with another mapping than this one is now"
        fix = "use the mapping that was sent with it"
        raise InputError([Problem("other-mapping", None, summary, fix)])
    try:
        said = facts["as_of"]
        request = Request(
            as_of=datetime.fromisoformat(said) if "T" in said else date.fromisoformat(said),
            period=date.fromisoformat(facts["period"]) if facts["period"] else None,
            horizon_days=int(facts["horizon_days"]),
            without=frozenset(facts["without"]),
            allowances=msgspec.convert(facts["allowances"], tuple[Allowance, ...]),
            selection=msgspec.convert(facts["selection"], Selection, str_keys=True),
        )
        past = msgspec.msgpack.decode(b64decode(facts["past"]), type=Past)
        _check(request, mapping)
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        msgspec.DecodeError,
        msgspec.ValidationError,
    ):
        summary = "the recording's facts are damaged"
        raise InputError([Problem("recording-unreadable", None, summary)]) from None
    return request, past
