"""AlgaPSA and Pax8, end to end through the command line, against the sandbox."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from site_of_work import Site

from command import drybill, undone
from drybill.errors import Exit
from drybill.journal import Journal
from drybill.mapping.load import load
from drybill.psa.algapsa.adapter import AlgaPsaReader, adapter
from drybill.psa.algapsa.writing import AlgaPsaWriter
from drybill.psa.registry import open_psa
from drybill.sandbox.algapsa import put
from drybill.sandbox.seed_algapsa import (
    BACKUP,
    EDR,
    ENVIRONMENT,
    KEY,
    M365,
    SESSION,
    WRITE_KEY,
    add_service,
    client_id,
    config_id,
    contract_id,
    line_id,
)
from drybill.transport.errors import WallError

pytestmark = pytest.mark.slow  # its answers are many: a second or more each

WONDERLAND, CONTOSO, FABRIKAM = (client_id(number) for number in (250, 251, 252))
SEATS = {number: config_id(number, M365) for number in (250, 251, 252)}


def quantity(alga: Site, number: int, service: str = M365) -> Any:
    found = alga.store.get("alga-on-line", config_id(number, service))
    assert found is not None
    return found["row"]["configuration"]["quantity"]


def change(alga: Site, kind: str, id: str, **fields: Any) -> None:
    """Somebody edits a row in AlgaPSA."""
    found = alga.store.get(f"alga-{kind}", id)
    assert found is not None
    alga.store.put(f"alga-{kind}", {**found, "row": {**found["row"], **fields}}, _parent(found))


def configure(alga: Site, number: int, service: str, **fields: Any) -> None:
    """Edits the configuration of a service on a line."""
    found = alga.store.get("alga-on-line", config_id(number, service))
    assert found is not None
    row = found["row"]
    for name in ("type_config", "rate_tiers"):
        if name in fields:
            row = {**row, name: fields.pop(name)}
    row = {**row, "configuration": {**row["configuration"], **fields}}
    alga.store.put("alga-on-line", {**found, "row": row}, _parent(found))


def _parent(found: dict[str, Any]) -> str:
    parent: str = found["row"].get("configuration", {}).get("contract_line_id", "")
    return parent


def said_of_psa(alga: Site) -> str:
    (told,) = [each["problems"] for each in alga.diff()["sources"] if each["name"] == "main"]
    return "\n".join(told)


def test_the_difference_is_shown_and_nothing_is_written(alga: Site) -> None:
    moves = {
        id: (row["bucket"], row["quantity_before"], row["quantity_after"], row["difference"])
        for id, row in alga.rows().items()
    }
    assert moves == {
        SEATS[250]: ("change", "25", "28", "66.00"),
        SEATS[251]: ("change", "12", "10", "-44.00"),
        SEATS[252]: ("unchanged", "8", "8", "0.00"),
        config_id(250, EDR): ("unchanged", "30", "30", "0.00"),
        config_id(251, BACKUP): ("unchanged", "8", "8", "0.00"),
        config_id(252, EDR): ("change", "9", "8", "-4.50"),
    }
    posts = {each["path"] for each in alga.sent("POST")}
    assert posts == {"/v1/token", "/api/v1/invoices/preview"}
    assert {each["method"] for each in alga.store.requests()} == {"GET", "POST"}


def test_each_window_is_an_invoice_with_its_own_day(alga: Site) -> None:
    invoices = {
        i["agreement_id"]: (i["period_start"], i["period_end"], i["invoice_date"])
        for i in alga.diff()["invoices"]
    }
    november, december = ("2026-11-01", "2026-12-01"), ("2026-12-01", "2027-01-01")
    for name in ("Licences", "Security"):
        assert invoices[line_id(250, name)] == (*november, "2026-12-01")  # arrears, never invoiced
        assert invoices[line_id(251, name)] == (*december, "2026-12-01")  # advance, after November
        assert invoices[line_id(252, name)] == (*november, "2026-12-01")  # arrears, after October


def test_apply_puts_the_quantity_and_nothing_else(alga: Site) -> None:
    said = alga.apply(alga.plan())
    assert said.code == Exit.DONE, said.err + said.out
    assert [quantity(alga, number) for number in (250, 251, 252)] == [28, 10, 8]
    puts = {each["path"]: each["body"] for each in alga.sent("PUT")}
    at = "/api/v1/contract-lines"
    assert puts == {
        f"{at}/{line_id(250, 'Licences')}/services/{M365}": '{"quantity":28}',
        f"{at}/{line_id(251, 'Licences')}/services/{M365}": '{"quantity":10}',
        f"{at}/{line_id(252, 'Security')}/services/{EDR}": '{"quantity":8}',
    }
    assert {row["bucket"] for row in alga.rows().values()} == {"unchanged"}


def test_what_was_projected_is_what_algapsa_then_bills(alga: Site) -> None:
    """The sandbox's own generate, which drybill never calls, makes the invoice and its charge."""
    plan = alga.diff()
    wanted = {i["agreement_id"]: i["after"] for i in plan["invoices"]}
    assert alga.apply(plan["run"]["plan_digest"]).code == Exit.DONE
    line = line_id(250, "Licences")
    assert generate(alga, line, "2026-12-01", "2027-01-01")["subtotal"] == 61600
    assert wanted[line] == "616.00"
    again = {i["agreement_id"]: i for i in alga.diff()["invoices"]}[line]
    assert (again["period_start"], again["invoice_date"]) == ("2026-12-01", "2027-01-01")


def generate(alga: Site, line: str, start: str, end: str) -> dict[str, Any]:
    execution = {
        "kind": "contract_cadence_window", "cadenceOwner": "contract",
        "clientId": WONDERLAND, "contractId": contract_id(250), "contractLineId": line,
        "windowStart": start, "windowEnd": end, "identityKey": "x",
    }  # fmt: skip
    window = {"clientId": WONDERLAND, "windowStart": start, "windowEnd": end}
    answer = httpx.post(
        f"{alga.url}/api/v1/invoices/generate",
        json={"selector_input": {**window, "executionWindow": execution}},
        headers={"x-api-key": KEY, "Cookie": f"authjs.session-token={SESSION}"},
    )
    assert answer.status_code == 201, answer.text
    with alga.store._lock:  # the test's own request is none of drybill's
        alga.store._db.execute("DELETE FROM requests WHERE path LIKE '%/generate'")
    found: dict[str, Any] = answer.json()["data"]
    return found


def test_an_invoice_that_was_generated_meanwhile_stops_everything(alga: Site) -> None:
    plan = alga.plan()
    generate(alga, line_id(250, "Licences"), "2026-12-01", "2027-01-01")
    said = alga.apply(plan)
    assert said.code == Exit.REFUSED
    assert "next period planned 2026-11-01, found 2026-12-01" in said.err
    assert alga.sent("PUT") == []


def test_an_invoice_of_another_line_of_the_contract_stops_nothing(alga: Site) -> None:
    plan = alga.plan("--client", WONDERLAND)
    generate(alga, line_id(250, "Security"), "2026-12-01", "2027-01-01")
    said = alga.apply(plan)
    assert said.code == Exit.DONE, said.err
    assert quantity(alga, 250) == 28


def test_undo_brings_the_old_invoice_back(alga: Site) -> None:
    assert alga.apply(alga.plan()).code == Exit.DONE
    with Journal.open(write=False) as journal:
        run = journal.runs(1)[0].id
    said = undone(run)
    assert said.code == Exit.DONE, said.err + said.out
    assert [quantity(alga, number) for number in (250, 251)] == [25, 12]
    assert quantity(alga, 252, EDR) == 9


def test_a_line_that_somebody_changed_is_refused_by_name_and_the_others_go_on(alga: Site) -> None:
    plan = alga.plan()
    configure(alga, 250, M365, quantity=26)
    said = alga.apply(plan)
    assert said.code == Exit.APPLIED_IN_PART
    assert "quantity: planned 25, found 26" in said.err
    assert (quantity(alga, 250), quantity(alga, 251)) == (26, 10)


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        ({"rate_tiers": [{"min_quantity": 1}]}, "unit_price: planned 22.00, found nothing"),
        ({"configuration_type": "Hourly"}, "unit_price: planned 22.00, found nothing"),
        ({"custom_rate": 2100}, "unit_price: planned 22.00, found 21.00"),
        ({"updated_at": "2026-11-24T00:00:00.000Z"}, "updated_at: planned"),
    ],
)
def test_so_is_one_that_is_of_another_kind_by_now(
    alga: Site, edit: dict[str, Any], found: str
) -> None:
    plan = alga.plan("--client", WONDERLAND)
    configure(alga, 250, M365, **edit)
    said = alga.apply(plan)
    assert said.code == Exit.REFUSED
    assert found in said.err
    assert alga.sent("PUT") == []


def test_a_contract_that_was_ended_meanwhile_is_left_alone(alga: Site) -> None:
    plan = alga.plan("--client", WONDERLAND)
    change(alga, "contract", contract_id(250), status="terminated", is_active=False)
    said = alga.apply(plan)
    assert said.code == Exit.REFUSED
    assert "status: planned active, found cancelled" in said.err
    assert alga.sent("PUT") == []


# -- answers ---------------------------------------------------------------------------------


def test_an_answer_that_was_lost_is_looked_for_and_not_sent_again(alga: Site) -> None:
    alga.store.add_fault("lost", method="PUT")
    said = alga.apply(alga.plan("--client", WONDERLAND))
    assert said.code == Exit.DONE, said.err
    assert len(alga.sent("PUT")) == 1
    assert quantity(alga, 250) == 28


@pytest.mark.parametrize("fault", ["500", "refusal", "silent", "refuse", "429", "503", "html"])
def test_a_put_that_fails_is_sent_once_and_found_undone(alga: Site, fault: str) -> None:
    alga.store.add_fault(fault, method="PUT", times=0)
    said = alga.apply(alga.plan("--client", WONDERLAND))
    assert said.code in (Exit.REFUSED, Exit.APPLIED_IN_PART), said.err
    assert len(alga.sent("PUT")) == (0 if fault == "refuse" else 1) or fault == "refuse"
    assert quantity(alga, 250) == 25


@pytest.mark.parametrize(
    ("fault", "verdict", "why"),
    [
        ("silent", "unknown", "answered as done, and quantity is 25"),
        ("500", "unknown", "500: Internal server error"),
        ("lost", "unknown", "the answer was cut off"),
        ("html", "unknown", "an answer that is not JSON"),
        ("refusal", "rejected", "200: The database is being migrated."),
        ("429", "rejected", "429: Too many requests"),
        ("", "accepted", f"configuration {SEATS[250]}"),
    ],
)
def test_what_an_answer_is_worth(alga: Site, fault: str, verdict: str, why: str) -> None:
    """A 500 may stand for a value that was refused, or for one that was stored."""
    if fault:
        alga.store.add_fault(fault, method="PUT")
    alga.apply(alga.plan("--client", WONDERLAND))
    with Journal.open(write=False) as journal:
        entries = journal.run_entries(journal.runs(1)[0].id)
    (answer,) = [entry.body for entry in entries if entry.kind == "answer"]
    assert answer is not None
    assert (answer["verdict"], why in answer["detail"]) == (verdict, True), answer


def test_what_cannot_be_read_back_is_unknown_until_it_can(alga: Site) -> None:
    """A lost answer says nothing of the value; and then nobody can read it back."""
    plan = alga.plan("--client", WONDERLAND)
    alga.store.add_fault("lost", method="PUT")
    at = f"{line_id(250, 'Licences')}/services"
    alga.store.add_fault("503", method="GET", path=at, skip=2, times=0)
    said = alga.apply(plan)
    assert said.code == Exit.UNKNOWN_OUTCOME, said.err
    alga.store.clear_faults()
    with Journal.open(write=False) as journal:
        run = journal.runs(1)[0].id
    again = drybill("runs", "resume", run, "--apply")
    assert again.code == Exit.DONE, again.err
    assert len(alga.sent("PUT")) == 1
    assert quantity(alga, 250) == 28


def test_a_key_that_may_not_edit_changes_nothing_and_says_what_it_lacks(alga: Site) -> None:
    alga.change('write_credentials = { api_key = "env:SANDBOX_ALGA_WRITE_KEY" }\n', "")
    said = alga.apply(alga.plan("--client", WONDERLAND))
    assert said.code == Exit.REFUSED
    assert "Cannot update billing" in said.err
    assert "must be allowed to edit contract lines" in said.err


def test_only_apply_uses_the_second_key_and_only_previews_the_session(alga: Site) -> None:
    alga.apply(alga.plan())
    for each in alga.store.requests():
        if not each["path"].startswith("/api/v1/"):
            continue
        headers = each["headers"]
        assert headers["x-api-key"] == (WRITE_KEY if each["method"] == "PUT" else KEY)
        assert "x-tenant-id" not in headers
        cookie = f"authjs.session-token={SESSION}" if "preview" in each["path"] else None
        assert headers.get("cookie") == cookie


@pytest.mark.parametrize("path", ["/clients", "/contracts", "/client-contract-lines", "/services"])
@pytest.mark.parametrize("fault", ["refusal", "cut", "html", "503"])
def test_what_was_not_read_whole_is_no_empty_psa(alga: Site, path: str, fault: str) -> None:
    alga.store.add_fault(fault, path=f"/api/v1{path}", times=0)
    said = drybill("diff", alga.mapping)
    assert said.code == Exit.UNREACHABLE
    if fault == "refusal":
        assert "answered 200: The database is being migrated." in said.err


def test_a_429_is_waited_for(alga: Site) -> None:
    alga.store.add_fault("429", method="GET", path="/api/v1/contracts", times=2)
    assert alga.diff()["run"]["complete"]
    asked = [each for each in alga.sent("GET") if each["path"] == "/api/v1/contracts"]
    assert len(asked) == 3


def test_pages_are_read_to_the_declared_total(alga: Site) -> None:
    for number in range(300, 420):
        put(alga.store, "client", client_id(number), {"client_id": client_id(number)})
    assert alga.diff()["run"]["complete"]
    asked = [each["query"] for each in alga.sent("GET") if each["path"] == "/api/v1/clients"]
    assert asked == ["page=1&limit=100", "page=2&limit=100"] * 2  # pages shift: read twice
    alga.store.add_fault("shift", path="/api/v1/clients", times=0)
    said = drybill("diff", alga.mapping)
    assert said.code == Exit.UNREACHABLE
    assert "came twice" in said.err


def test_invoices_are_read_anew_only_where_one_came_or_went(alga: Site) -> None:
    """They are read for each line that is written, and there may be thousands."""
    for number in range(300):
        id = f"a1990000-0000-4000-8000-{number:012}"
        put(alga.store, "invoice", id, {"invoice_id": id, "client_id": "x", "status": "paid"})
    plan = alga.plan()
    before = len(alga.store.requests())
    assert alga.apply(plan).code == Exit.DONE
    asked = [
        each["query"]
        for each in alga.store.requests()[before:]
        if each["path"] == "/api/v1/invoices"
    ]
    top = "sort=created_at&order=desc&page=1&limit=100"
    whole = [top, *(top.replace("page=1", f"page={page}") for page in (1, 2, 3, 4))]
    assert asked[:5] == whole
    assert set(asked[9:]) == {top}
    assert len(asked) == 1 + 4 * 2 + 3 * 2 + 1  # two for each line, one for the witnesses after it


# -- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ({"configuration_type": "Hourly"}, "its configuration's type is Hourly"),
        ({"configuration_type": "Usage"}, "its configuration's type is Usage"),
        ({"configuration_type": "Bucket"}, "its configuration's type is Bucket"),
        ({"rate_tiers": [{"min_quantity": 1}]}, "it has rate tiers"),
        ({"type_config": {"base_rate": 100}}, "it has a base rate"),
    ],
)
def test_a_service_of_another_kind_is_blocked_with_its_reason(
    alga: Site, edit: dict[str, Any], why: str
) -> None:
    configure(alga, 250, M365, **edit)
    row = alga.rows()[SEATS[250]]
    assert (row["bucket"], row["reasons"][0]) == ("blocked", "LINE_KIND_UNSUPPORTED")
    assert why in row["details"][0]["detail"]
    assert row["amount_before"] is None
    assert not row["would_write"]


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ({"contract_line_type": "Hourly"}, "the contract line's type is Hourly"),
        ({"contract_line_type": "Usage"}, "the contract line's type is Usage"),
        ({"custom_rate": 90000}, "the contract line has a rate of its own"),
    ],
)
def test_so_is_one_on_a_contract_line_of_another_kind(
    alga: Site, edit: dict[str, Any], why: str
) -> None:
    change(alga, "line", line_id(250, "Licences"), **edit)
    row = alga.rows()[SEATS[250]]
    assert (row["bucket"], row["reasons"][0]) == ("blocked", "LINE_KIND_UNSUPPORTED")
    assert why in row["details"][0]["detail"]


def test_a_line_of_several_clients_is_blocked_and_its_amounts_are_shown(alga: Site) -> None:
    change(alga, "contract", contract_id(250), clients_using_contract=2)
    (row,) = [row for id, row in alga.rows().items() if id.startswith(f"{SEATS[250]}@")]
    assert (row["bucket"], row["reasons"][0]) == ("blocked", "LINE_SHARED")
    assert row["wanted"] == {"quantity": "28", "difference": "66.00"}
    assert row["amount_before"] == "550.00"


def test_so_is_one_that_is_listed_under_two_clients(alga: Site) -> None:
    found = alga.store.get("alga-line", line_id(250, "Licences"))
    assert found is not None
    other = {**found["row"], "client_id": CONTOSO, "client_contract_id": contract_id(999)}
    put(alga.store, "line", "the other assignment", other)
    rows = [row for i in alga.diff()["invoices"] for row in i["lines"]]
    shared = [row for row in rows if row["line_id"].startswith(f"{SEATS[250]}@")]
    assert len(shared) == 2
    assert {row["bucket"] for row in shared} == {"blocked"}
    assert "LINE_SHARED" in {row["reasons"][0] for row in shared}


def test_a_prorated_line_that_ends_inside_the_period_is_blocked(alga: Site) -> None:
    edit = {"enable_proration": True, "end_date": "2026-11-15T00:00:00.000Z"}
    change(alga, "line", line_id(250, "Licences"), **edit)
    row = alga.rows()[SEATS[250]]
    assert (row["bucket"], row["reasons"][0]) == ("blocked", "LINE_KIND_UNSUPPORTED")


@pytest.mark.parametrize(
    ("old", "rule", "code"),
    [
        ("28", '{ add = "0.5" }', "FRACTION_NOT_SUPPORTED"),
        ("28", "{ subtract = 28 }", "ZERO_NOT_SUPPORTED"),
    ],
)
def test_fractions_and_zero_are_refused_before_any_call(
    alga: Site, old: str, rule: str, code: str
) -> None:
    at = 'from = [{ vendor = "pax8", vendor_sku = "CFQ7TTC0LCHC:0002", term = "annual" }]'
    alga.change(at, f"{at}\nquantity = [{rule}]")
    row = alga.rows()[SEATS[250]]
    assert row["bucket"] == "blocked"
    assert code in row["reasons"]
    assert alga.sent("PUT") == []


def test_a_new_line_is_not_made(alga: Site) -> None:
    alga.change('fields = ["increase", "decrease"]', 'fields = ["increase", "create", "end"]')
    alga.change("[products.Backup]\n", '[products.Backup]\nprice = { USD = "9.50" }\n')
    alga.store.remove("alga-on-line", config_id(251, BACKUP))
    (row,) = [row for id, row in alga.rows().items() if " " in id]
    assert (row["bucket"], row["reasons"][0]) == ("blocked", "CHANGE_NOT_SUPPORTED")


def test_a_later_period_is_not_written_alone(alga: Site) -> None:
    """A quantity has no date: it would hold for the periods before, too."""
    args = ("--period", "2026-12-01", "--client", WONDERLAND)
    row = alga.rows(*args)[SEATS[250]]
    assert (row["bucket"], row["reasons"][0]) == ("blocked", "CHANGE_NOT_SUPPORTED")
    assert "from 2026-11-01 on" in row["details"][0]["detail"]


# -- what is not known -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ({"billing_frequency": "bi-weekly"}, "they are billed `bi-weekly`"),
        ({"billing_frequency": None}, "they are billed `no frequency`"),
        ({"billing_timing": None}, "their billing timing is not said"),
        ({"is_template": True}, "they are templates"),
        ({"cadence_owner": "client"}, "no invoice tells where it stands"),
        ({"start_date": None}, "they have no start date"),
        ({"start_date": "soon"}, "they have a date that cannot be read"),
        ({"end_date": "later"}, "they have a date that cannot be read"),
        ({"end_date": "2026-12-31T06:00:00.000Z"}, "they have a date that cannot be read"),
        ({"contract_id": contract_id(7)}, "their contract is not listed"),
    ],
)
def test_what_is_not_known_is_said_and_not_projected(
    alga: Site, edit: dict[str, Any], why: str
) -> None:
    line = line_id(250, "Licences")
    change(alga, "line", line, **edit)
    alga.change('session = "env:SANDBOX_ALGA_SESSION"', 'tenant = "env:SANDBOX_ALGA_TENANT"')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDBOX_ALGA_TENANT", "a1900000-0000-4000-8000-000000000000")
        found = alga.diff()
    assert line not in {i["agreement_id"] for i in found["invoices"]}
    told = "\n".join(said for each in found["sources"] for said in each["problems"])
    assert re.search(rf"{re.escape(why)}.*{line}", told), told
    assert {each["headers"].get("x-tenant-id") for each in alga.sent("GET")} >= {
        "a1900000-0000-4000-8000-000000000000"
    }


def test_without_a_currency_nothing_is_projected_and_a_setting_gives_one(alga: Site) -> None:
    change(alga, "client", WONDERLAND, default_currency_code=None)
    assert "their client names no currency; set `currency`" in said_of_psa(alga)
    alga.change('kind = "algapsa"', 'kind = "algapsa"\ncurrency = "CAD"')
    invoices = {i["agreement_id"]: i["currency"] for i in alga.diff()["invoices"]}
    assert invoices[line_id(250, "Licences")] == "CAD"
    assert invoices[line_id(251, "Licences")] == "USD"


def test_a_key_that_may_not_read_invoices_projects_nothing(
    alga: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drybill.sandbox import algapsa

    no = (403, {"error": {"code": "FORBIDDEN", "message": "Permission denied"}})
    monkeypatch.setitem(algapsa.BODIES, "503", no)
    alga.store.add_fault("503", path="/api/v1/invoices", method="GET", times=0)
    assert "the key may not read invoices" in said_of_psa(alga)
    assert alga.diff()["invoices"] == []


def test_an_invoice_that_names_no_line_leaves_its_lines_open_to_doubt(alga: Site) -> None:
    """Two lines that nobody can tell apart: which of them was billed is not guessed."""
    generate(alga, line_id(250, "Licences"), "2026-12-01", "2027-01-01")
    (charge,) = [
        each
        for each in alga.store.all("alga-charge")
        if each.get("billed", "").startswith(line_id(250, "Licences"))
    ]
    row = {**charge["row"], "name": "Cloud", "description": "Cloud"}
    alga.store.put("alga-charge", {**charge, "row": row}, row["invoice_id"])
    found = alga.diff()
    assert not {i["agreement_id"] for i in found["invoices"]} & {
        line_id(250, "Licences"), line_id(250, "Security"),
    }  # fmt: skip
    assert "invoice INV-000005 does not tell which it bills" in said_of_psa(alga)
    # where the contract has one line only, there is no doubt
    alga.store.remove("alga-line", line_id(250, "Security"))
    invoices = {i["agreement_id"]: i for i in alga.diff()["invoices"]}
    assert invoices[line_id(250, "Licences")]["period_start"] == "2026-12-01"


def test_a_cancelled_invoice_leaves_its_window_open(alga: Site) -> None:
    made = generate(alga, line_id(250, "Licences"), "2026-12-01", "2027-01-01")
    change(alga, "invoice", made["invoice_id"], status="cancelled")
    invoices = {i["agreement_id"]: i for i in alga.diff()["invoices"]}
    assert invoices[line_id(250, "Licences")]["period_start"] == "2026-11-01"


def test_an_inactive_line_or_client_is_not_billed(alga: Site) -> None:
    change(alga, "line", line_id(250, "Licences"), is_active=False)
    change(alga, "client", CONTOSO, is_inactive=True)
    change(alga, "contract", contract_id(252), status="draft", is_active=False)
    assert {i["agreement_id"] for i in alga.diff()["invoices"]} == {line_id(250, "Security")}


# -- money -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "rate", "price", "amount"),
    [
        ("USD", 450, "4.50", "112.50"),
        ("USD", "450", "4.50", "112.50"),
        ("JPY", 450, "450", "11250"),
        ("KWD", "1234", "1.234", "30.850"),
        ("USD", "12345678901234567", "123456789012345.67", "3086419725308641.75"),
    ],
)
def test_money_is_in_minor_units_as_number_or_text(
    alga: Site, currency: str, rate: int | str, price: str, amount: str
) -> None:
    alga.change('session = "env:SANDBOX_ALGA_SESSION"', 'tenant = "env:SANDBOX_ALGA_TENANT"')
    change(alga, "client", WONDERLAND, default_currency_code=currency)
    configure(alga, 250, M365, custom_rate=rate)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDBOX_ALGA_TENANT", "a1900000-0000-4000-8000-000000000000")
        row = alga.rows()[SEATS[250]]
    assert (row["unit_price"], row["amount_before"]) == (price, amount)


def test_the_catalogs_price_in_the_clients_currency_comes_before_the_default(alga: Site) -> None:
    prices = [{"currency_code": "CAD", "rate": 3000}, {"currency_code": "USD", "rate": 2300}]
    change(alga, "service", M365, prices=prices)
    assert alga.rows()[SEATS[250]]["unit_price"] == "23.00"
    change(alga, "service", M365, prices=prices[:1])
    row = alga.rows()[SEATS[250]]
    assert (row["bucket"], row["reasons"][0]) == ("unknown", "PSA_PRICE_UNKNOWN")
    assert f"services have no price in USD: {SEATS[250]}" in said_of_psa(alga)


def test_whether_a_custom_rate_counts_is_a_setting(alga: Site) -> None:
    configure(alga, 250, M365, custom_rate=2000)
    assert alga.rows()[SEATS[250]]["unit_price"] == "20.00"
    alga.change('kind = "algapsa"', 'kind = "algapsa"\ncustom_rate = "ignored"')
    assert alga.rows()[SEATS[250]]["unit_price"] == "22.00"


def test_a_product_is_called_as_the_mapping_calls_it(alga: Site) -> None:
    assert alga.rows()[SEATS[250]]["product"] == "Microsoft 365 Business Premium"
    change(alga, "service", M365, sku="M365-BP")
    alga.change('[products."Microsoft 365 Business Premium"]', '[products."M365-BP"]')
    assert alga.rows()[SEATS[250]]["product"] == "M365-BP"
    alga.change('[products."M365-BP"]', f'[products."{M365}"]')
    assert alga.rows()[SEATS[250]]["product"] == M365


def test_one_name_for_two_services_is_no_name(alga: Site) -> None:
    change(alga, "service", EDR, sku="Microsoft 365 Business Premium")
    assert alga.rows()[SEATS[250]]["product"] == M365


# -- the witness -----------------------------------------------------------------------------


def test_the_preview_stands_beside_the_projection_line_by_line(alga: Site) -> None:
    add_service(alga.store, 250, "Licences", BACKUP, 2)
    invoices = {i["agreement_id"]: i for i in alga.diff()["invoices"]}
    said = invoices[line_id(250, "Licences")]
    assert said["witness"] == {"amount": "569.00", "agrees": True}
    lines = said["witness_lines"]
    assert {(line["line_id"], line["quantity"], line["amount"]) for line in lines} == {
        (SEATS[250], "25", "550.00"),
        (config_id(250, BACKUP), "2", "19.00"),
    }
    assert all(line["agrees"] for line in lines)
    assert invoices[line_id(252, "Licences")]["witness"] is None
    assert "their windows are not named over the API" in said_of_psa(alga)


def test_lines_that_differ_are_told_even_where_the_sum_agrees(
    alga: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drybill.psa.algapsa import witness

    add_service(alga.store, 250, "Licences", BACKUP, 2)
    real = witness.witness

    def other(agreement: Any, segments: Any, said: Any) -> Any:
        told = real(agreement, segments, said)
        if agreement.id != line_id(250, "Licences"):
            return told
        from msgspec.structs import replace

        one, two = told.lines
        lines = (replace(one, amount=one.amount - 1), replace(two, amount=two.amount + 1))
        return replace(told, lines=lines)

    monkeypatch.setattr(witness, "witness", other)
    said = drybill("diff", alga.mapping)
    assert "WITNESS: Backup: the PSA itself says 2 for 20.00, not 2 for 19.00" in said.out
    found = {i["agreement_id"]: i["witness"] for i in alga.diff()["invoices"]}
    assert found[line_id(250, "Licences")]["amount"] == "569.00"
    assert not found[line_id(250, "Licences")]["agrees"]


def price(alga: Site, service: str, rate: int) -> None:
    """A catalog price, which the sandbox's preview does not know of."""
    change(alga, "service", service, prices=[{"currency_code": "USD", "rate": rate}])


@pytest.mark.parametrize("quiet", [False, True], ids=["few lines", "many lines"])
def test_a_line_that_stays_as_it_is_is_held_against_the_preview_too(
    alga: Site, quiet: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if quiet:  # then such a line has no row
        monkeypatch.setattr("drybill.flow.dry_run.EVERY_ROW_UP_TO", 0)
    price(alga, EDR, 500)
    said = drybill("diff", alga.mapping)
    told = "WITNESS: Managed EDR: the PSA itself says 30 for 135.00, not 30 for 150.00"
    assert told in " ".join(said.out.split()), said.out


def test_a_witness_that_agreed_before_holds_what_it_contradicts(alga: Site) -> None:
    alga.change('kind = "algapsa"', 'kind = "algapsa"\nwitness = "block"')
    assert alga.rows()[SEATS[250]]["bucket"] == "change"
    price(alga, M365, 2300)
    row = alga.rows()[SEATS[250]]
    assert (row["bucket"], row["reasons"][0]) == ("blocked", "WITNESS_DIFFERS")


def test_without_a_session_the_run_says_that_there_is_no_witness(alga: Site) -> None:
    alga.change(', session = "env:SANDBOX_ALGA_SESSION"', "")
    found = alga.diff()
    assert {i["witness"] is None for i in found["invoices"]} == {True}
    assert "no witness: AlgaPSA's preview needs a login session" in said_of_psa(alga)
    assert {each["path"] for each in alga.sent("POST")} == {"/v1/token"}
    alga.change('kind = "algapsa"', 'kind = "algapsa"\nwitness = "off"')
    assert "witness" not in said_of_psa(alga)


def test_a_session_that_is_over_is_said_and_asked_once(alga: Site) -> None:
    alga.store.remove("alga-session", SESSION)
    said = said_of_psa(alga)
    assert "the preview answered 500: User not authenticated; is the session still valid?" in said
    assert len([each for each in alga.sent("POST") if "preview" in each["path"]]) == 1


def test_a_preview_that_says_no_with_200_is_no_witness(alga: Site) -> None:
    """Here the line's first day is later than the sandbox's, as where a window is closed."""
    found = alga.store.get("alga-line", line_id(250, "Licences"))
    assert found is not None
    alga.store.put(
        "alga-charge",
        {"id": "hidden", "row": {}, "billed": f"{line_id(250, 'Licences')} 2026-11-01"},
    )
    invoices = {i["agreement_id"]: i["witness"] for i in alga.diff()["invoices"]}
    assert invoices[line_id(250, "Licences")] is None
    assert invoices[line_id(250, "Security")] is not None
    assert "Recurring service periods were not materialized" in said_of_psa(alga)


# -- the wall --------------------------------------------------------------------------------


@pytest.mark.parametrize("session", [True, False])
def test_a_reader_can_neither_write_nor_make_an_invoice(alga: Site, session: bool) -> None:
    if not session:
        alga.change(', session = "env:SANDBOX_ALGA_SESSION"', "")
    reader = open_psa("main", load(Path(alga.mapping)).psas["main"], alga.folder)
    assert isinstance(reader, AlgaPsaReader)
    line = f"/api/v1/contract-lines/{line_id(250, 'Licences')}/services/{M365}"

    async def tried(call: Any) -> None:
        async with reader.session():
            await call(reader.api.client)

    for refused in (
        lambda c: c.write("PUT", line, {"quantity": 1}),
        lambda c: c.write("DELETE", line, {}),
        lambda c: c.query("/api/v1/invoices/generate", {}),
        lambda c: c.query("/api/v1/contract-lines", {}),
        lambda c: c.query("/api/v1/invoices/preview/", {}),
        *(() if session else (lambda c: c.query("/api/v1/invoices/preview", {}),)),
    ):
        with pytest.raises(WallError):
            asyncio.run(tried(refused))
    assert alga.store.requests() == []


def test_nor_can_the_writer(alga: Site) -> None:
    reader = open_psa("main", load(Path(alga.mapping)).psas["main"], alga.folder)
    writer = adapter.writer(reader)
    assert isinstance(writer, AlgaPsaWriter)

    async def tried(method: str, path: str) -> None:
        async with writer:
            await writer._api.client.write(method, path, {})

    for method, path in (
        ("POST", "/api/v1/invoices/generate"),
        ("POST", "/api/v1/invoices/preview"),
        ("POST", "/api/v1/contract-lines"),
        ("PUT", f"/api/v1/contract-lines/{line_id(250, 'Licences')}"),
        ("PUT", f"/api/v1/contract-lines/{line_id(250, 'Licences')}/fixed-config"),
        ("DELETE", f"/api/v1/contract-lines/{line_id(250, 'Licences')}/services/{M365}"),
        ("PUT", "/api/v1/contract-lines/bulk/update"),
    ):
        with pytest.raises(WallError):
            asyncio.run(tried(method, path))
    assert alga.store.requests() == []


# -- settings, keys, recordings --------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('kind = "algapsa"', 'kind = "algapsa"\ncurrency = "USX"', "USX"),
        ('kind = "algapsa"', 'kind = "algapsa"\nend_date = "never"', "end_date"),
        ('kind = "algapsa"', 'kind = "algapsa"\nsesion = "x"', "`sesion` is not a setting"),
        ('api_key = "env:SANDBOX_ALGA_KEY", ', "", "`credentials.api_key` is missing"),
    ],
)
def test_settings_that_are_wrong_are_said_where_they_stand(
    alga: Site, old: str, new: str, why: str
) -> None:
    alga.change(old, new)
    said = drybill("diff", alga.mapping)
    assert said.code == Exit.USAGE
    assert why in said.err
    assert "mapping.toml:" in said.err


def test_check_online_says_what_the_key_may_read(alga: Site) -> None:
    said = drybill("check", alga.mapping, "--online")
    assert said.code == Exit.DONE, said.err
    for what in ("clients", "contracts", "contract lines", "services on a line", "invoices"):
        assert f"may read  {what}" in said.out
    assert {each["method"] for each in alga.sent("GET", "PUT", "DELETE")} == {"GET"}


def test_a_key_that_is_wrong_is_said_in_the_psas_words(
    alga: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDBOX_ALGA_KEY", "somebody-elses-key")
    said = drybill("diff", alga.mapping)
    assert said.code == Exit.UNREACHABLE
    assert "answered 401: Invalid API key" in said.err
    assert "somebody-elses-key" not in said.err + said.out


def test_no_secret_is_anywhere(alga: Site, tmp_path: Path) -> None:
    """The server repeats the keys in its data."""
    change(alga, "client", WONDERLAND, client_name=f"Wonderland {KEY} {SESSION}")
    tape = tmp_path / "tape.json"
    outputs = [drybill("diff", alga.mapping, "--record", str(tape))]
    outputs.append(alga.apply(alga.plan()))
    kept = [p for p in tmp_path.rglob("*") if p.is_file() and not p.name.startswith("sandbox.db")]
    texts = [said.out + said.err for said in outputs]
    texts += [path.read_bytes().decode("latin-1") for path in kept]
    for value in ENVIRONMENT.values():
        assert not [text for text in texts if value in text], value


def test_a_replayed_run_has_the_same_plan(
    alga: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alga.diff()  # the journal has seen this PSA before
    tape, plan, again = (tmp_path / name for name in ("tape.json", "plan.json", "again.json"))
    said = drybill("diff", alga.mapping, "--record", str(tape), "--save", str(plan))
    assert said.code == Exit.DONE, said.err
    asked = len(alga.store.requests())
    for name in ENVIRONMENT:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DRYBILL_STATE", str(tmp_path / "elsewhere"))
    replayed = drybill("diff", alga.mapping, "--replay", str(tape), "--save", str(again))
    assert replayed.code == Exit.DONE, replayed.err
    assert len(alga.store.requests()) == asked
    first, second = (json.loads(file.read_text("utf-8")) for file in (plan, again))
    assert second["plan"] == first["plan"]
