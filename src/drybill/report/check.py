"""What `drybill check` says of a mapping that has no errors: how much it covers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from drybill.errors import Problem
from drybill.report import words
from drybill.report.layout import Sheet, cells, pad

if TYPE_CHECKING:
    from drybill.mapping.coverage import Coverage, Share
    from drybill.psa.port import Probe


def render_check(
    mapping: str,
    warnings: int,
    found: Coverage,
    width: int,
    probes: Mapping[str, Sequence[Probe]],
    silent: Sequence[str],
) -> str:
    """Coverage for people. Nothing to cover is said as such, never as 100 %.

    `probes` says by PSA what its keys may read; `silent` are sources that were not asked.
    """
    sheet = Sheet(width)
    said = words.count(warnings, "warning") if warnings else "no warnings"
    sheet.prose(f"{words.clean(mapping)} has no errors, {said}")
    sheet.blank()
    rows = [
        ("clients with an active agreement", found.clients, ""),
        ("products on active lines", found.products, ""),
        ("active lines", found.lines, ""),
    ]
    rows += [(f"usage rows of {name}", share, "") for name, share in found.vendor_rows.items()]
    rows += [("billed money per cycle", share, code) for code, share in found.money.items()]
    sheet.add("under mapping")
    widest = max(cells(what) for what, _, _ in rows)
    for what, share, currency in rows:
        sheet.add(f"  {pad(what, widest)}  {_share(share, currency)}")
    if found.unknown_lines:
        without = words.count(found.unknown_lines, "line")
        sheet.prose(f"{without} without quantity or price: outside the money above", "  ")
    for name, tried in probes.items():
        if tried:
            sheet.blank()
            sheet.add(f"the keys of {words.clean(name)}")
        for probe in tried:
            says = f"{'may read' if probe.works else 'MAY NOT'}  {probe.what}"
            detail = f": {words.clean(probe.detail)}" if probe.detail else ""
            sheet.prose(f"{says}{detail}", "  ", "    ")
    sheet.blank()
    if silent:
        names = ", ".join(words.clean(name) for name in silent)
        sheet.prose(f"Not asked, for they are servers: {names}. drybill check --online asks them.")
    sheet.prose("Nothing was written.")
    return sheet.plain


def render_check_json(warnings: Sequence[Problem], found: Coverage) -> bytes:
    """The same as `drybill.check/1`: amounts and counts as strings, percent null for "no such"."""
    document = {
        "schema": "drybill.check/1",
        "warnings": [_problem(problem) for problem in warnings],
        "clients": _object(found.clients),
        "products": _object(found.products),
        "lines": _object(found.lines),
        "vendor_rows": {name: _object(share) for name, share in found.vendor_rows.items()},
        "money": {currency: _object(share) for currency, share in found.money.items()},
        "unknown_lines": found.unknown_lines,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _share(share: Share, currency: str) -> str:
    if share.percent is None:
        return "none there"
    percent = f"{share.percent.quantize(Decimal('0.1')):f} %"
    if currency:
        mapped, total = words.money(share.mapped, currency), words.money(share.total, currency)
        return f"{mapped} of {total} {currency}, {percent}"
    return f"{share.mapped:,f} of {share.total:,f}, {percent}"


def _object(share: Share) -> dict[str, Any]:
    percent = share.percent
    return {
        "mapped": f"{share.mapped:f}",
        "total": f"{share.total:f}",
        "percent": None if percent is None else f"{percent.quantize(Decimal('0.1')):f}",
    }


def _problem(problem: Problem) -> dict[str, Any]:
    where = problem.where
    return {
        "code": problem.code,
        "file": where.file if where else None,
        "line": where.line if where else None,
        "column": where.column if where else None,
        "summary": problem.summary,
        "fix": problem.fix,
    }
