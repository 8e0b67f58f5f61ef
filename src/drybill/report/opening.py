"""The top of a screen: which run, how complete its sources are, what few fixes would clear."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from decimal import Decimal

from drybill.billing.money import EXACT
from drybill.billing.quantity import ZERO
from drybill.plan.plan import SourceSummary
from drybill.report import words
from drybill.report.document import Document, Hidden
from drybill.report.layout import Sheet, cells, pad, wrap
from drybill.report.marks import LOUD, STRONG
from drybill.report.words import clean

CAUSES_SHOWN = 5
# Options of a plan that hide something, and say themselves what.
FILTERS = frozenset({"client", "vendor", "product", "bucket", "min-money"})


def title(sheet: Sheet, document: Document) -> None:
    run, plan = document.run, document.plan
    say = f"APPLIED, run {clean(run.id)}" if run.wrote else "DRY RUN, nothing is written"
    if document.applying:
        say = f"APPLY, {words.count(len(plan.writes), 'line')} to be written"
        say += " once confirmed" if document.asking else " now"
    facts = f"plan {words.short(run.plan_digest)}, {words.moment(run.as_of)}, {clean(run.mapping)}"
    if cells(say) + cells(facts) + 5 <= sheet.width:
        sheet.add((say, STRONG), "     ", facts)
    else:
        sheet.add((say, STRONG))
        sheet.prose(facts, "  ", "  ")
    said = FILTERS if document.hidden is not None else frozenset()
    options = [clean(f"{k} {v}".strip()) for k, v in plan.options if k not in said]
    if options:
        sheet.prose(", ".join(options), "  with ")
    if plan.parent:
        sheet.add(f"  cut from plan {words.short(plan.parent)}")
    for notice in document.notices:
        sheet.prose(clean(notice), "  note: ")
    if document.hidden is not None:
        sheet.prose(clean(hidden_by(document.hidden)), "  ", style=STRONG)


def hidden_by(hidden: Hidden) -> str:
    """What a filter leaves out, and by which words; not yet cleaned."""
    money = ", ".join(f"{words.money(amount, c)} {c}" for c, amount in hidden.money)
    says = f"hidden by {', '.join(hidden.filters)}: {words.count(hidden.rows, 'row')}"
    return says + (f", differences of {money}" if money else "")


def state(source: SourceSummary) -> str:
    """Without rows is as loud as incomplete: neither may look like "no differences"."""
    if not source.complete:
        return "INCOMPLETE"
    return "complete" if source.records else "NO ROWS"


def sources(sheet: Sheet, summaries: Sequence[SourceSummary]) -> None:
    if not summaries:
        sheet.add(("  NO SOURCE WAS ASKED", LOUD))
        return
    names = max(cells(clean(source.name)) for source in summaries)
    states = max(len(state(source)) for source in summaries)
    for source in summaries:
        name = clean(source.name)
        of_psa = source.role == "psa"
        facts = [f"{source.role} {clean(source.kind)}".strip(), words.count(source.records, "row")]
        facts.append(words.count(source.customers, "client" if of_psa else "customer"))
        if source.measure:
            facts.append(clean(source.measure))
        if source.as_of:
            facts.append(f"as of {words.moment(source.as_of)}")
        elif not of_psa:
            facts.append("states no time")
        label, text = state(source), ", ".join(facts)
        style = "" if label == "complete" else LOUD
        indent = " " * (4 + names + states + 2)
        if sheet.width - len(indent) >= 24:
            first, *others = wrap(text, sheet.width - len(indent))
            lead = f"  {pad(name, names)}  "
            sheet.add(lead, (label, style), f"{'':<{states - len(label)}}  {first}")
            for other in others:
                sheet.add(indent + other)
        else:
            sheet.add(f"  {name}  ", (label, style))
            sheet.prose(text, "    ")
        for problem in source.problems:
            sheet.prose(clean(problem), "    ", style=style if not source.complete else "")


def causes(sheet: Sheet, document: Document) -> None:
    """The fixes that clear most money, each with its lines to paste."""
    found, run = document.plan.causes, document.run
    if not found:
        return
    shown = found if document.show_all else found[:CAUSES_SHOWN]
    total, cleared = sum(c.rows for c in found), sum(c.rows for c in shown)
    fixes = words.count(len(shown), "fix", "fixes") + (" clears " if len(shown) == 1 else " clear ")
    sheet.blank()
    says = [f"{fixes}{cleared:,} of {words.count(total, 'row')} that are not in step"]
    sums: dict[tuple[str, str], Decimal] = {}
    for part in (part for cause in shown for part in cause.money):
        key = (part.currency, part.kind)
        sums[key] = EXACT.add(sums.get(key, ZERO), part.amount)
    says += [f"{words.money(sums[key], key[0])} {key[0]} {key[1]}" for key in sorted(sums)]
    sheet.prose(", ".join(says), style=STRONG)
    for number, cause in enumerate(shown, 1):
        money = [f"{words.money(m.amount, m.currency)} {m.currency} {m.kind}" for m in cause.money]
        facts = ", ".join((words.count(cause.rows, "row"), *money))
        sheet.prose(f"{clean(cause.cause)}: {facts}", f"{number:>3}  ", "     ")
        # What only this run knows: its plan, and the mapping that it was given.
        fix = cause.fix.replace("--plan PLAN ", f"--plan {clean(run.plan)} ")
        fix = fix.replace(
            "drybill diff --allow", f"drybill diff {shlex.quote(run.mapping)} --allow"
        )
        sheet.verbatim("\n".join(clean(line) for line in fix.split("\n")), "       ")
    if len(shown) < len(found):
        rest = words.count(total - cleared, "row")
        sheet.add(f"     and {len(found) - len(shown)} more, {rest}: --all")
