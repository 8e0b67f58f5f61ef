"""Two PSAs in one mapping: one run, one table, one exit code, one journal; locks of their own."""

from __future__ import annotations

import pytest
from site_of_work import Site

from command import drybill, undone
from drybill.apply.lock import only_writer
from drybill.errors import Exit
from drybill.journal import Journal

AGREEMENTS = """\
agreement_id,company_id,company_name,currency,next_period_start
K1,250,Looking Glass,EUR,2026-12-01
"""
LINES = """\
line_id,agreement_id,product,description,quantity,unit_price,effective_date,cancelled_date
S1,K1,seat-m365,Seats,20,19.00,2024-01-01,
"""
USAGE = """\
customer_id,sku,quantity
lg,m365,23
"""


@pytest.fixture
def two(site: Site) -> Site:
    for name, text in (("agreements", AGREEMENTS), ("lines", LINES), ("usage", USAGE)):
        (site.folder / f"{name}.csv").write_text(text, "utf-8")
    site.change(
        "[vendors.pax8]",
        '[psa.acquired]\nkind = "files"\nagreements = "agreements.csv"\nlines = "lines.csv"\n\n'
        '[vendors.reseller]\nkind = "files"\nusage = "usage.csv"\n\n[vendors.pax8]',
    )
    site.change(
        '[products."M365-BP"]\nfrom = [',
        '[products."M365-BP"]\nids = { main = "M365-BP", acquired = "seat-m365" }\n'
        'combine = "sum"\nfrom = [{ vendor = "reseller", sku = "m365" }, ',
    )
    for id in (250, 251, 252):
        site.change(f"[[clients]]\nid = {id}\n", f'[[clients]]\nid = {id}\npsa = "main"\n')
    site.change(
        "[writes]",
        '[[clients]]\nid = 250\npsa = "acquired"\nname = "Looking Glass"\n'
        'vendors = { reseller = "lg" }\n\n[writes]',
    )
    site.change('cloud = { type = ["Cloud Services"], cycle = "monthly" }', "cloud = {}")
    return site


def lines(site: Site) -> str:
    return (site.folder / "lines.csv").read_text("utf-8")


def test_one_run_holds_both_and_adds_no_currencies(two: Site) -> None:
    found = two.diff()
    assert {(t["currency"], t["difference"]) for t in found["totals"]} == {
        ("USD", "62.00"),
        ("EUR", "57.00"),
    }
    psas = {(i["psa"], i["client_id"], i["client"]) for i in found["invoices"]}
    assert ("acquired", "250", "Looking Glass") in psas
    assert ("main", "250", "Wonderland Ltd") in psas


def test_one_apply_writes_to_both(two: Site) -> None:
    said = two.apply(two.plan())
    assert said.code == Exit.DONE, said.err
    assert said.err.count("verified") == 4 + 1
    assert "Seats,23,19.00" in lines(two)
    assert two.addition(3400)["quantity"] == 28
    with Journal.open(write=False) as journal:
        run = journal.runs(1)[0]
        intents = [e.body or {} for e in journal.run_entries(run.id) if e.kind == "intent"]
    assert len({body["instance"] for body in intents}) == 2
    back = undone(run.id, "--allow", "client.percent_of_invoice",
                     "--reason", "both back")  # fmt: skip
    assert back.code == Exit.DONE, back.err
    assert "Seats,20,19.00" in lines(two)
    assert two.addition(3400)["quantity"] == 25


def test_a_part_that_writes_to_one_needs_no_lock_of_the_other(two: Site) -> None:
    """Client 250 of each PSA is a client of its own."""
    row = next(r for i in two.diff()["invoices"] if i["psa"] == "acquired" for r in i["lines"])
    plan = two.plan()
    instance = f"files:{two.folder / 'lines.csv'}"
    with only_writer(instance, "lines.csv"):
        assert two.apply(plan).code == Exit.LOCKED
        assert two.sent("PATCH") == []
        elsewhere = two.apply(plan, "--skip", row["row"])
    assert elsewhere.code == Exit.DONE, elsewhere.err
    assert "Seats,20,19.00" in lines(two)
    assert two.addition(3400)["quantity"] == 28


def test_one_that_is_down_stops_the_run_and_writes_nothing(two: Site) -> None:
    plan = two.plan()
    two.store.add_fault("500", path="/finance/agreements", times=0)
    assert drybill("diff", two.mapping).code == Exit.UNREACHABLE
    said = two.apply(plan)
    assert said.code == Exit.UNREACHABLE
    assert "Seats,20,19.00" in lines(two)
