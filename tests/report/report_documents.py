"""Documents made by hand for the renderers' tests: awkward names, three currencies."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

from drybill.billing.change import WriteStep
from drybill.billing.invoice import Cause, CauseMoney, Totals
from drybill.billing.row import (
    Bucket,
    Counted,
    IgnoredUsage,
    Piece,
    Reason,
    Row,
    Step,
    UnmappedUsage,
    Verdict,
    Wanted,
    row_id,
)
from drybill.errors import Exit
from drybill.plan.plan import PLAN_VERSION, Plan, PlannedInvoice, SourceSummary
from drybill.report.document import Document, RunFacts

D = Decimal
MAY, JUNE = date(2026, 5, 1), date(2026, 6, 1)


def row(
    description: str,
    bucket: Bucket,
    before: str | None,
    after: str | None = None,
    price: str | None = "22.00",
    currency: str = "USD",
    reasons: tuple[Reason, ...] = (),
    digits: int = 2,
    **more: Any,
) -> Row:
    """A row whose amounts are quantity x price; `after` is the same as `before` where left out."""
    after = before if after is None else after
    agreement = more.pop("agreement_id", "1041")
    product = more.pop("product", description[:12])

    def amount(quantity: str | None) -> Decimal | None:
        if quantity is None or price is None:
            return None
        return (D(quantity) * D(price)).quantize(D(1).scaleb(-digits))

    def pieces(quantity: str | None) -> tuple[Piece, ...]:
        number = None if quantity is None else D(quantity)
        cost = None if price is None else D(price)
        piece = Piece("88213", number, D(0), cost, "billable", MAY, JUNE, 31, 31, amount(quantity))
        return (piece,)

    defaults: dict[str, Any] = {
        "client_id": "250",
        "client": "Wonderland Ltd",
        "line_id": None if bucket is Bucket.CREATE else "88213",
        "effective": MAY if bucket.differs else None,
        "counted": D(before) if bucket is Bucket.BLOCKED and before is not None else None,
        "pieces_before": pieces(before),
        "pieces_after": pieces(after),
    }
    return Row(
        id=row_id("main", agreement, product, ""),
        psa="main",
        agreement_id=agreement,
        product=product,
        product_key=more.pop("product_key", product),
        description=description,
        currency=currency,
        bucket=bucket,
        reasons=reasons,
        quantity_before=None if before is None else D(before),
        quantity_after=None if after is None else D(after),
        unit_price=None if price is None else D(price),
        amount_before=amount(before),
        amount_after=amount(after),
        **{**defaults, **more},
    )


def invoice(
    client: str,
    currency: str,
    rows: list[Row],
    quiet: tuple[int, str] = (0, "0"),
    **more: Any,
) -> PlannedInvoice:
    quiet_rows, quiet_amount = quiet
    base = D(more.pop("base", "0"))
    known = [r for r in rows if r.amount_before is not None and r.amount_after is not None]
    before = base + D(quiet_amount) + sum((r.amount_before or D(0) for r in known), D(0))
    after = before + sum((r.difference for r in known), D(0))
    defaults: dict[str, Any] = {
        "client_id": "250",
        "agreement_id": "1041",
        "agreement": "",
        "horizon": "now",
        "not_projected": ("tax", "time entries"),
        "unbilled_periods": (),
        "unknown_lines": len(rows) - len(known),
        "leak": None,
        "witness": None,
    }
    return PlannedInvoice(
        psa="main",
        client=client,
        currency=currency,
        period_start=MAY,
        period_end=JUNE,
        invoice_date=more.pop("invoice_date", MAY),
        base_amount=base,
        before=before,
        after=after,
        rows=tuple(rows),
        quiet_rows=quiet_rows,
        quiet_amount=D(quiet_amount),
        **{**defaults, **more},
    )


def totals_of(invoices: list[PlannedInvoice]) -> tuple[Totals, ...]:
    keys = sorted({(i.currency, i.horizon) for i in invoices}, key=lambda k: (k[1] != "now", k[0]))
    found = []
    for currency, horizon in keys:
        own = [i for i in invoices if (i.currency, i.horizon) == (currency, horizon)]
        rows = [r for i in own for r in i.rows]
        zero = sum((i.before for i in own), D(0)) * 0
        moves = [r.difference for r in rows]
        wanted = [r.wanted.difference or D(0) for r in rows if r.wanted]
        leaks = [r.leak for r in rows if r.leak is not None]
        unknown = [r.amount_before or D(0) for r in rows if r.bucket is Bucket.UNKNOWN]
        found.append(
            Totals(
                currency,
                horizon,
                before=sum((i.before for i in own), zero),
                after=sum((i.after for i in own), zero),
                difference=sum((i.difference for i in own), zero),
                under_billed=sum((m for m in moves if m > 0), zero),
                over_billed=sum((m for m in moves if m < 0), zero),
                held_up=sum((m for m in wanted if m > 0), zero),
                held_down=sum((m for m in wanted if m < 0), zero),
                held_unknown=sum(1 for r in rows if r.bucket is Bucket.BLOCKED and not r.wanted),
                accepted_up=sum((max(r.accepted_difference or D(0), zero) for r in rows), zero),
                accepted_down=sum((min(r.accepted_difference or D(0), zero) for r in rows), zero),
                leak_up=sum((m for m in leaks if m > 0), zero),
                leak_down=sum((m for m in leaks if m < 0), zero),
                not_checked=sum(unknown, zero),
                incomplete_invoices=sum(bool(i.unknown_lines) for i in own),
            )
        )
    return tuple(found)


def source(name: str, role: str = "vendor", **more: Any) -> SourceSummary:
    defaults: dict[str, Any] = {
        "kind": name,
        "measure": "",
        "complete": True,
        "customers": 2,
        "records": 30,
        "as_of": "2026-04-30T16:41:00+00:00",
        "problems": (),
    }
    return SourceSummary(name=name, role=role, **{**defaults, **more})


def plan(invoices: list[PlannedInvoice], quiet: str = "unchanged", **more: Any) -> Plan:
    counts = Counter(r.bucket.value for i in invoices for r in i.rows)
    counts[quiet] += sum(i.quiet_rows for i in invoices)
    counts["ignored"] += len(more.get("ignored", ()))
    counts["unmapped"] += len(more.get("unmapped", ()))
    defaults: dict[str, Any] = {
        "mapping_digest": "sha256:00ff",
        "today": date(2026, 4, 30),
        "timezone": "America/Chicago",
        "options": (),
        "sources": (),
        "causes": (),
        "ignored": (),
        "unmapped": (),
        "totals": totals_of(invoices),
        "guards": (),
        "buckets": tuple((bucket.value, counts[bucket.value]) for bucket in Bucket),
        "complete": True,
        "targets": (("main", "api-na.myconnectwise.net"),),
    }
    return Plan(version=PLAN_VERSION, invoices=tuple(invoices), **{**defaults, **more})


def document(of: Plan, **more: Any) -> Document:
    run = RunFacts(
        id="r80", mapping="msp.toml", as_of="2026-04-30T16:42:00+00:00", plan_digest="7f3a91c2e0d4"
    )
    defaults: dict[str, Any] = {"exit_code": Exit.DONE, "run": run}
    return Document(plan=of, **{**defaults, **more})


def seats_added() -> Row:
    """The change that most tests speak of: 25 -> 28 seats at 22.00."""
    return row(
        "M365 Business Premium annual",
        Bucket.CHANGE,
        "25",
        "28",
        reasons=(Reason("SEATS_ADDED"),),
        product="M365-BP",
        counted=D(28),
        usage=(
            Counted("pax8", "6f1c", "CFQ7", D(20), "subscriptions", "2026-04-30T16:41Z", "01"),
            Counted("pax8", "6f1c", "CFQ7", D(10), "subscriptions", "2026-04-30T16:41Z", "02"),
        ),
        steps=(
            Step(D(30), "pax8 CFQ7: 20 + 10", 'products."M365-BP".from[0]'),
            Step(D(28), 'exception -2 "two NFR seats" to 2027-03-31', "exceptions[0]"),
            Step(D(28), "at least 5: no effect", 'products."M365-BP".quantity[0]'),
        ),
        change="increase",
        would_write=True,
        steps_to_write=(
            WriteStep("set", "88213", (("quantity", "28"),), "line 88213: quantity 28"),
        ),
    )


def storage_held() -> Row:
    return row(
        "Acronis Cyber Protect storage GB",
        Bucket.BLOCKED,
        "4000",
        price="0.08",
        currency="EUR",
        reasons=(Reason("GUARD_PERCENT", "90.0 %, limit 50 %"), Reason("SEATS_REMOVED")),
        agreement_id="1187",
        product="ACR-GB",
        client_id="251",
        client="Contoso",
        wanted=Wanted(D(400), D("-288.00")),
        guards=(
            Verdict(
                "row", "percent", "90.0 %", "50 %", "this row", "--allow c4t2:percent --reason TEXT"
            ),
        ),
    )


def screen() -> Document:
    """The screen of the manual: one change, one held row, one unknown row."""
    unknown = row(
        "Huntress EDR",
        Bucket.UNKNOWN,
        "40",
        price="3.10",
        currency="EUR",
        reasons=(Reason("SOURCE_INCOMPLETE", "huntress"),),
        agreement_id="1187",
        client_id="251",
    )
    contoso = {"client_id": "251", "agreement_id": "1187"}
    invoices = [
        invoice(
            "Contoso [EU] GmbH & Co. KG",
            "EUR",
            [storage_held(), unknown],
            (12, "940.50"),
            **contoso,
        ),
        invoice("Wonderland Ltd", "USD", [seats_added()], (15, "4210.00")),
    ]
    denied = source(
        "huntress", complete=False, records=61, problems=("page 3 of 4 answered 403",), as_of=None
    )
    sources = (
        source("main", "psa", kind="connectwise", as_of=None),
        source("pax8", measure="subscriptions"),
        denied,
    )
    cause = Cause(
        "`edr` of pax8 is mapped to no product",
        2,
        (CauseMoney("USD", D("36.00"), "cost"),),
        '[products."Huntress EDR"]\nfrom = [{ vendor = "pax8", sku = "edr" }]',
        ("a", "b"),
    )
    return document(
        plan(invoices, sources=sources, causes=(cause,), complete=False), exit_code=Exit.REFUSED
    )


def awkward() -> Document:
    """Every bucket, three currencies, big sums, and names that would break markup or a terminal."""
    yen = row(
        "クラウドバックアップ標準プラン（年間契約）",
        Bucket.CHANGE,
        "1200",
        "1250",
        price="12345",
        currency="JPY",
        digits=0,
        reasons=(Reason("SEATS_ADDED"),),
        agreement_id="77",
        client_id="300",
        change="increase",
        held_by="SWITCH_OFF",
        leak=D(617250),
    )
    dinar = row(
        "Storage TiB",
        Bucket.END,
        "2.5",
        "0",
        price="1234.567",
        currency="KWD",
        digits=3,
        reasons=(Reason("NOT_USED"),),
        agreement_id="78",
        change="end",
        held_by="SWITCH_OFF",
    )
    hostile = [
        row(
            "[bold]x[/] :smile: \x1b[31mred\u202e",
            Bucket.CREATE,
            "0",
            "3",
            price="26666666.67",
            reasons=(Reason("NO_LINE_YET"),),
            product="EVIL",
        ),
        row(
            "=HYPERLINK(1)",
            Bucket.BLOCKED,
            "7",
            reasons=(Reason("AMBIGUOUS_LINES", "88213 + 88214"),),
            slot="1",
            wanted=Wanted(D(9), D("44.00")),
        ),
        row(
            "No price here", Bucket.UNKNOWN, "4", price=None, reasons=(Reason("PSA_PRICE_UNKNOWN"),)
        ),
        row("Orphaned", Bucket.ORPHAN, "1", reasons=(Reason("NO_CUSTOMER_ID"),)),
        row(
            "Accepted",
            Bucket.IGNORED,
            "20",
            reasons=(Reason("ACCEPTED", "moves in January"),),
            accepted_difference=D("110.00"),
        ),
    ]
    later = row(
        "Domain, yearly", Bucket.CHANGE, "3", "4", product="DOM", reasons=(Reason("SEATS_ADDED"),)
    )
    invoices = [
        invoice(
            "株式会社ワンダーランド・ホールディングス",
            "JPY",
            [yen],
            agreement_id="77",
            client_id="300",
        ),
        invoice("Kuwait Oil & Gas", "KWD", [dinar], agreement_id="78", base="12345678.900"),
        invoice("[bold]x[/] :smile:", "USD", hostile, (2, "44.00"), agreement="Cloud | `x`"),
        invoice(
            "Later Inc",
            "USD",
            [later],
            horizon="later",
            invoice_date=date(2026, 9, 1),
            agreement_id="900",
        ),
    ]
    unmapped = (
        UnmappedUsage(
            "uaaaaaaaaaaa",
            "huntress",
            "83",
            "Wonderland",
            "250",
            "edr",
            "Huntress EDR",
            "",
            D(12),
            D("36.00"),
            "USD",
            D("60.00"),
            "CAD",
            "SKU_NOT_MAPPED",
        ),
        UnmappedUsage(
            "ubbbbbbbbbbb",
            "pax8",
            "91",
            "",
            None,
            "X|1",
            "",
            "annual",
            None,
            None,
            "",
            None,
            "",
            "CUSTOMER_NOT_MAPPED",
        ),
    )
    ignored = (
        IgnoredUsage(
            "iggggggggggg", "pax8", "6f1c", "EDR", D(3), D("9.00"), "USD", "COVERED", "250"
        ),
    )
    sources = (
        source("main", "psa", kind="files", as_of=None),
        source("pax8", records=0, customers=0),
    )
    guard = Verdict(
        "run",
        "money",
        "6140.00 USD",
        "5000.00 USD",
        "--apply",
        "--allow run.money --reason TEXT",
        "",
        "USD",
    )
    made = plan(
        invoices,
        quiet="fixed",
        unmapped=unmapped,
        ignored=ignored,
        sources=sources,
        guards=(guard,),
    )
    return document(made, notices=("no journal: read-only file system",), show_all=True)
