"""The end of a screen, where the eye rests: totals, counts, what stops a write, the next step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from drybill.billing.invoice import Horizon, Totals
from drybill.billing.row import Bucket, Row, UnmappedUsage, Verdict
from drybill.report import words
from drybill.report.document import Document
from drybill.report.findings import Findings, short_ids
from drybill.report.layout import Sheet
from drybill.report.marks import LOUD, STRONG, sign_style
from drybill.report.words import clean

_IDS_SHOWN = 8
_Figure = tuple[str, Decimal, bool, bool]  # label, amount, with its sign, shown though 0


def _figures(sums: Totals, restores: bool) -> list[_Figure]:
    """A plan that restores compares with the journal, and calls nothing billed wrong."""
    more, less = ("more", "less") if restores else ("under-billed", "over-billed")
    return [
        ("invoices now", sums.before, False, True),
        ("if applied", sums.after, False, True),
        ("difference", sums.difference, True, True),
        (more, sums.under_billed, True, True),
        (less, sums.over_billed, True, True),
        ("held back, more", sums.held_up, True, False),
        ("held back, less", sums.held_down, True, False),
        ("accepted, more", sums.accepted_up, True, False),
        ("accepted, less", sums.accepted_down, True, False),
        ("leak, billed too little", sums.leak_up, True, False),
        ("leak, billed too much", sums.leak_down, True, False),
        ("not checked", sums.not_checked, False, True),
    ]


def totals(sheet: Sheet, document: Document, horizon: Horizon) -> None:
    """One column per currency: amounts of different currencies never share a sum."""
    sums = [member for member in document.plan.totals if member.horizon == horizon]
    if not sums:
        return
    table = [_figures(member, document.plan.restores) for member in sums]
    labels = [
        figure[0]
        for row, figure in enumerate(table[0])
        if any(column[row][1] or column[row][3] for column in table)
    ]
    cells = {
        label: [
            next(_cell(member.currency, f) for f in column if f[0] == label)
            for member, column in zip(sums, table, strict=True)
        ]
        for label in labels
    }
    incomplete = [member.incomplete_invoices for member in sums]
    if any(incomplete):
        cells["WITH UNKNOWN LINES"] = [(f"{n:,}", LOUD) if n else ("-", "") for n in incomplete]
    unknown = [member.held_unknown for member in sums]
    if any(unknown):
        says = [(words.count(n, "row"), LOUD) if n else ("-", "") for n in unknown]
        cells["held back, unknown"] = says
    name = max(len(label) for label in cells)
    widths = [
        max(len(member.currency), *(len(row[i][0]) for row in cells.values()))
        for i, member in enumerate(sums)
    ]
    sheet.blank()
    which = "the next" if horizon == "now" else "later"
    what = ", whatever the filter hides" if document.hidden is not None else ""
    sheet.add((f"Totals of {which} invoices{what}", STRONG))
    if 2 + name + sum(width + 2 for width in widths) <= sheet.width:
        _columns(sheet, sums, cells, name, widths)
        return
    for i, member in enumerate(sums):
        sheet.add(f"  {member.currency}")
        for label, row in cells.items():
            text, style = row[i]
            if 4 + name + 2 + widths[i] <= sheet.width:
                sheet.add(f"    {label:<{name}}  ", (text.rjust(widths[i]), style))
            else:
                sheet.add(f"    {label}")
                sheet.add("      ", (text, style))


def _columns(
    sheet: Sheet,
    sums: Sequence[Totals],
    cells: dict[str, list[tuple[str, str]]],
    name: int,
    widths: Sequence[int],
) -> None:
    currencies = (f"  {m.currency:>{w}}" for m, w in zip(sums, widths, strict=True))
    sheet.add(" " * (2 + name), *currencies)
    for label, row in cells.items():
        parts: list[str | tuple[str, str]] = [f"  {label:<{name}}"]
        for (text, style), width in zip(row, widths, strict=True):
            parts += ["  ", (text.rjust(width), style)]
        sheet.add(*parts)


def _cell(currency: str, figure: _Figure) -> tuple[str, str]:
    _, amount, with_sign, _ = figure
    if not amount:
        return "-", ""
    if with_sign:
        return words.signed(amount, currency), sign_style(amount)
    return words.money(amount, currency), ""


def counts(sheet: Sheet, document: Document, found: Findings) -> None:
    """How many rows ended where, and how many of them were compared with anything at all."""
    numbers = dict(document.plan.buckets)
    present = [(b, numbers[b.value]) for b in Bucket if numbers.get(b.value)]
    says = f"{words.count(found.rows, 'row')}: "
    says += ", ".join(f"{number:,} {bucket.value}" for bucket, number in present) or "none"
    sheet.blank()
    sheet.prose(says)
    if found.verdict == "nothing_checked":
        sheet.prose("NOTHING WAS CHECKED: no row was compared with a vendor's number.", style=LOUD)
        return
    checked = f"{found.checked:,} of {words.count(found.rows, 'row')} checked"
    match found.verdict:
        case "incomplete":
            sheet.prose(f"{lacking(document)}: {checked}.", style=LOUD)
        case "clean":
            sheet.prose(f"Nothing differs: {checked}.")
        case "leak":
            says = "No quantity differs, but periods already invoiced were billed wrong (leak)"
            sheet.prose(f"{says}: {checked}.", style=LOUD)
        case _:
            sheet.prose(f"{checked[0].upper()}{checked[1:]}.")


def lacking(document: Document) -> str:
    """A source that did not answer wholly is INCOMPLETE; lines without an amount are unknown."""
    return "UNKNOWN LINES" if document.plan.complete else "INCOMPLETE"


def stops(sheet: Sheet, guards: Sequence[Verdict]) -> None:
    """Client and run guards that would stop --apply: value, limit, and how to lift each."""
    if not guards:
        return
    sheet.blank()
    sheet.add(("--apply would be refused:", LOUD))
    for guard in guards:
        subject = f" {clean(guard.subject)}" if guard.subject else ""
        says = f"guard {guard.scope}.{guard.name}{subject}: {clean(guard.value)}, limit "
        says += f"{clean(guard.limit)}; stops {clean(guard.stops)}"
        sheet.prose(says, "  ", "    ", style=LOUD)
        sheet.verbatim(clean(guard.lift), "    lift: ")


def next_step(sheet: Sheet, document: Document, found: Findings) -> None:
    """What was written, how many lines can be, which ones need a person, and what to type."""
    plan, run = document.plan, document.run
    ids = short_ids(document)
    says = [_writable(document, found)]
    if found.kept:
        held = Counter(row.held_by for row in found.kept if row.held_by)
        why = ", ".join(f"{code} {number:,}" for code, number in sorted(held.items()))
        kept = f"{words.count(len(found.kept), 'difference')} would not be written"
        says.append(f"{kept} ({why})" if why else kept)
    if found.undecided:
        needy = [ids[_id(row)] for row in found.undecided]
        more = len(needy) - _IDS_SHOWN
        listed = " ".join(needy[:_IDS_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
        says.append(f"{words.count(len(needy), 'row needs', 'rows need')} you: {listed}")
    sheet.blank()
    done = f"Written by run {clean(run.id)}." if run.wrote else "Nothing was written."
    if document.applying:
        named = "undo, which has shown it" if plan.restores else "--plan"
        done = "Nothing is written yet." if document.asking else f"Confirmed by {named}."
    sheet.prose(f"{done} {'; '.join(filter(None, says))}".rstrip(), style=STRONG)
    commands = []
    if found.undecided:
        commands.append(f"drybill explain {ids[_id(found.undecided[0])]}")
    elif plan.rows:
        commands.append(f"drybill explain {ids[plan.rows[0].id]}")
    if plan.applyable and run.id and not run.wrote and not document.applying:
        commands.append(f"drybill diff --plan {clean(run.plan)} --apply")
    if commands:
        sheet.flow(commands, "     ", "  ", "  ")


def _writable(document: Document, found: Findings) -> str:
    writes = len(document.plan.writes)
    if document.run.wrote:
        return ""
    if not writes:
        return "No line can be written"
    if found.stops:
        return f"{words.count(writes, 'line')} could be written, were it not for the guards above"
    will = ("would be" if document.asking else "will be") if document.applying else "can be"
    moved = words.moves(document.plan.writes)
    return f"{words.count(writes, 'line')} {will} written ({moved})"


def _id(row: Row | UnmappedUsage) -> str:
    return row.row if isinstance(row, UnmappedUsage) else row.id
