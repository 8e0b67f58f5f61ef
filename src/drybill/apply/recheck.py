"""Recheck: do the lines that a run wrote still hold what it wrote? Reads only."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from drybill.apply.outcome import Outcome, Verdict, labelled
from drybill.apply.standing import standing
from drybill.journal.written import Written
from drybill.psa.port import PsaReader, Reading


def recheck(written: Sequence[Written], readers: Mapping[str, PsaReader]) -> list[Outcome]:
    """One outcome a row, in their order: verified, left half-way, or what is different by now.

    Raises:
        InputError, UnreachableError: a PSA cannot be read.
    """
    return asyncio.run(_recheck(written, readers))


async def _recheck(written: Sequence[Written], readers: Mapping[str, PsaReader]) -> list[Outcome]:
    readings: dict[str, Reading] = {}
    for name in sorted({each.row.psa for each in written}):
        ids = frozenset(each.row.agreement_id for each in written if each.row.psa == name)
        async with readers[name].session():
            readings[name] = await readers[name].read_lines(ids)
    found = []
    for each in written:
        row = each.row
        now = standing(row, readings[row.psa], each.line_id)
        verdict: Verdict = "verified"
        if why := now.against(len(row.steps_to_write)):
            verdict = "partial" if not each.whole and now.done else "differs"
        found.append(labelled(row, verdict, now, why))
    return found
