"""ConnectWise and Pax8, end to end through the command line, against the sandbox."""

from __future__ import annotations

import pytest
from site_of_work import Site

from command import drybill
from drybill.errors import Exit
from drybill.journal import Journal


def test_the_difference_is_shown_and_nothing_is_written(site: Site) -> None:
    said = drybill("diff", site.mapping)
    assert said.code == Exit.DONE, said.err
    print(said.out)
    rows = site.rows()
    moves = {
        name: (row["bucket"], row["quantity_before"], row["quantity_after"], row["difference"])
        for name, row in rows.items()
    }
    assert moves == {
        "3400": ("change", "25", "28", "66.00"),
        "3401": ("unchanged", "30", "30", "0.00"),
        "3402": ("fixed", "1", "1", "0.00"),
        "3403": ("change", "12", "10", "-44.00"),
        "3404": ("unchanged", "8", "8", "0.00"),
        "3405": ("unchanged", "8", "8", "0.00"),
        "1042 EDR": ("create", "0", "8", "40.00"),
    }
    assert {each["method"] for each in site.store.requests()} == {"GET", "POST"}
    assert {each["path"] for each in site.sent("POST")} == {"/v1/token"}


def test_apply_writes_the_plan_and_nothing_else(site: Site) -> None:
    before = {each["id"]: each for each in site.store.all("addition")}
    said = site.apply(site.plan())
    assert said.code == Exit.DONE, said.err + said.out
    after = {each["id"]: each for each in site.store.all("addition")}
    assert (after[3400]["quantity"], after[3403]["quantity"]) == (28, 10)
    assert {id for id in before if before[id] != after[id]} == {3400, 3403}
    (new,) = after.keys() - before.keys()
    assert (after[new]["quantity"], after[new]["unitPrice"], after[new]["product"]["id"]) == (
        8,
        5.0,
        1351,
    )
    assert after[new]["effectiveDate"] == "2026-12-01T00:00:00Z"
    assert [each["method"] for each in site.sent("PATCH")] == ["PATCH", "PATCH"]
    assert {row["bucket"] for row in site.rows().values()} == {"unchanged", "fixed"}


def test_undo_brings_the_old_invoice_back(site: Site) -> None:
    before = {each["id"]: each for each in site.store.all("addition")}
    assert site.apply(site.plan()).code == Exit.DONE
    with Journal.open(write=False) as journal:
        run = journal.runs(1)[0].id
    said = drybill("undo", run, "--apply")
    assert said.code == Exit.DONE, said.err + said.out
    after = {each["id"]: each for each in site.store.all("addition")}
    for id, each in before.items():
        assert {**after[id], "_info": 0} == {**each, "_info": 0}
    (new,) = after.keys() - before.keys()
    assert after[new]["cancelledDate"] == "2026-12-01T00:00:00Z"
    assert {row["bucket"] for row in site.rows().values()} == {
        "change",
        "unchanged",
        "fixed",
        "create",
    }


def test_the_psas_own_figure_stands_beside_the_projection(site: Site) -> None:
    invoices = {i["agreement_id"]: i for i in site.diff()["invoices"]}
    assert invoices["1040"]["witness"] == {"amount": "1150.00", "agrees": True}
    agreement = site.store.get("agreement", "1041")
    assert agreement is not None
    site.store.put("agreement", {**agreement, "billAmount": 99.5})
    invoices = {i["agreement_id"]: i for i in site.diff()["invoices"]}
    assert (invoices["1041"]["base_amount"], invoices["1041"]["witness"]["agrees"]) == (
        "99.50",
        True,
    )
    site.store.put("agreement", {**agreement, "sandboxRecap": 1.0})
    said = drybill("diff", site.mapping)
    assert said.code == Exit.DONE
    assert "WITNESS: the PSA itself says 1.00 USD, not 340.00" in said.out
    site.change('currency = "USD"', 'currency = "USD"\nwitness = "off"')
    assert site.diff()["invoices"][0]["witness"] is None


def test_undo_leaves_a_line_alone_that_is_billed_otherwise_by_now(site: Site) -> None:
    assert site.apply(site.plan("--client", "250")).code == Exit.DONE
    with Journal.open(write=False) as journal:
        run = journal.runs(1)[0].id
    site.store.put("addition", {**site.addition(3400), "billCustomer": "NoCharge"}, "1040")
    drybill("undo", run, "--apply")
    assert site.addition(3400)["quantity"] == 28


def test_a_login_name_that_reads_like_a_product_changes_no_product(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands beside secrets and is none: taken out of the data it would unmap a line."""
    login = site.store.get("login", "practice")
    site.store.put("login", {**(login or {}), "id": "M365"})
    monkeypatch.setenv("SANDBOX_COMPANY", "M365")
    assert site.rows()["3400"]["product"] == "M365-BP"
