"""Where a plan comes from: the journal, or a file that must hold what the journal registered."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct

from drybill import whole
from drybill.errors import InputError, Place, Problem, RefusedError
from drybill.journal import Journal, RegisteredPlan
from drybill.plan.content import PlanDamaged, decode, digest_of, encode
from drybill.plan.plan import Plan

FILE_SCHEMA = "drybill.plan-file/1"
_MAGNITUDE = 100  # digits; more than any product of two numbers that are read


class FoundPlan(Struct, frozen=True):
    plan: Plan
    digest: str
    content: bytes
    created: datetime
    mapping: str  # identity of the mapping; empty for a foreign plan
    instances: Mapping[str, str]  # PSA name -> which PSA that was; empty for a foreign plan

    @property
    def foreign(self) -> bool:
        """No run of this journal registered it."""
        return not self.mapping


class PlanFile(msgspec.Struct, frozen=True, kw_only=True):
    """An exported plan. Only `plan` is content-addressed; the rest is a label."""

    schema: str
    digest: str
    created: datetime
    run: str
    plan: msgspec.Raw


def export(plan_content: bytes, digest: str, created: datetime, run: str) -> bytes:
    """The bytes of a plan file."""
    return msgspec.json.encode(
        PlanFile(
            schema=FILE_SCHEMA, digest=digest, created=created, run=run,
            plan=msgspec.Raw(plan_content),
        )
    ) + b"\n"  # fmt: skip


def find_plan(named: str, journal: Journal, trust: str | None) -> FoundPlan:
    """The plan that `--plan` names: a digest or run id (or a unique prefix), or a file.

    Raises:
        InputError: there is no such plan, or the file is not a plan.
        RefusedError: the file was changed, or no run of this journal registered it and `trust`
            does not name its digest.
    """
    path = Path(named)
    if path.suffix or _is_file(path) or "/" in named or "\\" in named:
        return _from_file(path, journal, trust)
    registered = journal.plan(named)
    if registered.content is None:
        summary = f"the contents of plan {registered.digest[:8]} were purged"
        raise InputError([Problem("plan-purged", None, summary, "run drybill diff again")])
    try:
        plan = decode(registered.content)
    except PlanDamaged as error:
        raise InputError(
            [Problem("plan-unreadable", None, f"plan {registered.digest[:8]}: {error}")]
        ) from None
    return _registered(plan, registered.content, registered)


def _registered(plan: Plan, content: bytes, known: RegisteredPlan) -> FoundPlan:
    return FoundPlan(plan, known.digest, content, known.created, known.mapping, known.instances)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name longer than names can be
        return False


def _from_file(path: Path, journal: Journal, trust: str | None) -> FoundPlan:
    place = Place(str(path))
    try:
        content = whole.read(path)
    except (OSError, ValueError) as error:
        summary = f"cannot be read: {whole.reason(error)}"
        raise InputError([Problem("plan-unreadable", place, summary)]) from None
    try:
        file = msgspec.json.decode(content, type=PlanFile)
        if file.schema != FILE_SCHEMA:
            raise PlanDamaged(f"its schema is `{file.schema}`, not `{FILE_SCHEMA}`")
        plan = decode(bytes(file.plan))
        _check_numbers(msgspec.to_builtins(plan, builtin_types=(Decimal,)))
        canonical, created = encode(plan), _created(file.created, plan)
    except (msgspec.DecodeError, UnicodeError, PlanDamaged, RecursionError) as error:
        fix = "export one with drybill diff --save FILE"
        raise InputError(
            [Problem("plan-unreadable", place, f"this is not a plan file: {error}", fix)]
        ) from None
    digest = digest_of(canonical)
    if digest != file.digest:
        said = f"its digest is {digest[:12]}, the file says {file.digest[:12]}"
        summary = f"the plan was changed after it was saved: {said}"
        raise RefusedError([Problem("plan-tampered", place, summary, "run drybill diff again")])
    try:
        registered = journal.plan(digest)
    except InputError:
        if trust == digest:
            _check_texts(msgspec.to_builtins(plan), place)
            return FoundPlan(plan, digest, canonical, created, "", {})
        if trust is not None:
            said = f"--trust names {trust[:12]}, the file holds plan {digest[:12]}"
            raise RefusedError([Problem("plan-foreign", place, said)]) from None
        summary = "no run of this machine's journal made this plan"
        fix = f"check where it comes from; then: --trust {digest}"
        raise RefusedError([Problem("plan-foreign", place, summary, fix)]) from None
    return _registered(plan, canonical, registered)


def _created(said: datetime, plan: Plan) -> datetime:
    """When a foreign plan was made, at the latest: the file's word stands outside the digest, so
    that it counts within the day that the plan speaks of only.

    Raises PlanDamaged.
    """
    try:
        zone = ZoneInfo(plan.timezone)
        last = datetime.combine(plan.today + timedelta(days=1), time.min, zone)
    except (OverflowError, ValueError, ZoneInfoNotFoundError, OSError):
        raise PlanDamaged("it has no day in a time zone") from None
    return min(said if said.tzinfo else said.replace(tzinfo=UTC), last)


def _check_numbers(value: object) -> None:
    """Numbers that no run writes: not finite, or of a million digits once written out.

    Raises PlanDamaged.
    """
    if isinstance(value, Decimal):
        if not value.is_finite() or abs(value.adjusted()) > _MAGNITUDE:
            raise PlanDamaged(f"it holds the number {str(value)[:40]}")
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            _check_numbers(item)


def _check_texts(value: object, place: Place) -> None:
    """A plan that this machine did not make is shown before it is counted: its texts must not
    steer a terminal. Raises InputError."""
    if isinstance(value, str):
        if any(c != "\n" and unicodedata.category(c) in ("Cc", "Cf") for c in value):
            summary = "this plan holds control characters"
            raise InputError([Problem("plan-unreadable", place, summary)])
    elif isinstance(value, dict | list | tuple):
        for item in (*value, *value.values()) if isinstance(value, dict) else value:
            _check_texts(item, place)


def save(path: Path, content: bytes, digest: str, created: datetime, run: str) -> None:
    """Writes a plan file, mode 0600, whole or not at all. Raises InputError."""
    try:
        whole.write(path, export(content, digest, created, run), private=True)
    except (OSError, ValueError) as error:
        summary = f"cannot be written: {whole.reason(error)}"
        raise InputError([Problem("plan-unwritable", Place(str(path)), summary)]) from None
