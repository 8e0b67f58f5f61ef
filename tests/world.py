"""A small world to bill: a mapping and its files as text, run from files to plan.

Unless an example says otherwise, client 250 has one monthly agreement `A`, billed in advance on
1 December 2026 in USD, and is customer `c` of the vendors `v` and `w`. Today is 25 November.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from msgspec.structs import replace

from drybill.billing.quantity import Quantity, text
from drybill.billing.row import Reason, Row
from drybill.flow.compute import compute
from drybill.flow.fetch import fetch
from drybill.flow.run import Computed, Past, Request
from drybill.mapping.load import load

TODAY = date(2026, 11, 25)
SEAT = """
    [products.SEAT]
    from = [{ vendor = "v", sku = "seat" }]
"""
AGREEMENT = """
    agreement_id,company_id,currency,next_period_start
    A,250,USD,2026-12-01
"""
CLIENT = """
    id,v,w
    250,c,c
"""
_HEAD = """
    timezone = "America/Chicago"
    clients_file = "clients.csv"
    {top}
    [psa.main]
    kind = "files"
    agreements = "agreements.csv"
    lines = "lines.csv"
    [vendors.v]
    kind = "files"
    usage = "v.csv"
    [vendors.w]
    kind = "files"
    usage = "w.csv"
"""
_LINES = "line_id,agreement_id,product,quantity,unit_price"
_USAGE = "customer_id,sku,quantity"


def write(
    folder: Path,
    toml: str = SEAT,
    *,
    lines: str = _LINES,
    v: str = _USAGE,
    w: str = _USAGE,
    agreements: str = AGREEMENT,
    clients: str = CLIENT,
    top: str = "",
) -> Path:
    """Writes the mapping and its files; the path of the mapping."""
    texts = {
        "mapping.toml": _HEAD.format(top=top) + toml,
        "lines.csv": lines,
        "v.csv": v,
        "w.csv": w,
        "agreements.csv": agreements,
        "clients.csv": clients,
    }
    for name, content in texts.items():
        kept = [line.strip() for line in content.splitlines() if line.strip()]
        for column in ("effective_date", "cancelled_date") if name == "lines.csv" else ():
            if column not in kept[0]:  # a PSA that cannot date a line cannot create or end one
                kept = [kept[0] + f",{column}", *(line + "," for line in kept[1:])]
        (folder / name).write_text("\n".join(kept) + "\n", encoding="utf-8")
    return folder / "mapping.toml"


def bill(
    folder: Path,
    toml: str = SEAT,
    *,
    request: Request = Request(as_of=TODAY),  # noqa: B008 - a frozen value
    past: Past = Past(),  # noqa: B008
    denied: Iterable[str] = (),
    broken: Iterable[str] = (),
    **files: str,
) -> Computed:
    """One run. `denied` are customers of `v` that it refuses to show, `broken` cut-off vendors."""
    mapping = load(write(folder, toml, **files))
    fetched = fetch(mapping, request.without)
    for name in broken:
        usage = fetched.usages[name]
        fetched.usages[name] = replace(usage, receipt=replace(usage.receipt, complete=False))
    if denied:
        usage = fetched.usages["v"]
        receipt = replace(usage.receipt, denied=frozenset(denied))
        fetched.usages["v"] = replace(usage, receipt=receipt)
    return compute(mapping, fetched, request, past)


def says(run: Computed) -> list[str]:
    """Every row in one line: `L1 change 10 -> 12: +8.00 SEATS_ADDED`; then usage without a line."""
    rows = [brief(row) for invoice in run.invoices for row in invoice.rows]
    rows += [f"{u.sku} ignored {_q(u.quantity)} {u.reason}" for u in run.plan.ignored]
    return rows + [f"{u.sku} unmapped {_q(u.quantity)} {u.reason}" for u in run.plan.unmapped]


def brief(row: Row) -> str:
    name, before = row.line_id or f"new {row.product}", _q(row.quantity_before)
    code = (row.reasons or (Reason("-"),))[0].code
    if row.bucket.differs:
        after, moved = _q(row.quantity_after), f"{row.difference:+f}"
        return f"{name} {row.bucket} {before} -> {after}: {moved} {code}"
    wants = ""
    if row.wanted is not None and row.wanted.difference is not None:
        wants = f", wants {_q(row.wanted.quantity)}: {row.wanted.difference:+f}"
    return f"{name} {row.bucket} {before}{wants} {code}"


def only_row(run: Computed) -> Row:
    (row,) = [row for invoice in run.invoices for row in invoice.rows]
    return row


def _q(quantity: Quantity) -> str:
    return text(quantity) or "?"
