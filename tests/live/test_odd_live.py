"""Keys, answers and journals of odd shape: one sentence each, and never a defect."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest
from site_of_work import Site

from command import drybill
from drybill.errors import Exit
from drybill.journal import Journal, state_folder
from drybill.psa.connectwise import wire
from drybill.sandbox.connectwise import ConnectWise
from drybill.sandbox.seed import subscription


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("SANDBOX_COMPANY", "my company", "a character that no login company has"),
        ("SANDBOX_COMPANY", "käse", "a character that no login company has"),
        ("SANDBOX_COMPANY", "a&b", "a character that no login company has"),
        ("SANDBOX_CLIENT_ID", "cl\u00ed", "a character that no key has"),
        ("SANDBOX_CLIENT_ID", "one\ntwo", "a character that no key has"),
    ],
)
def test_a_key_of_odd_shape_is_said(
    site: Site, monkeypatch: pytest.MonkeyPatch, name: str, value: str, why: str
) -> None:
    monkeypatch.setenv(name, value)
    said = drybill("diff", site.mapping)
    assert (said.code, why in said.err) == (Exit.USAGE, True), said.err


@pytest.mark.parametrize("name", ["SANDBOX_COMPANY", "SANDBOX_PRIVATE", "SANDBOX_CLIENT_ID"])
def test_a_line_end_of_another_system_is_no_part_of_a_key(
    site: Site, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    import os

    monkeypatch.setenv(name, os.environ[name] + "\r")
    assert drybill("diff", site.mapping).code == Exit.DONE


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("{url}/v4_6_release/apis/3.0", "leave `/v4_6_release/apis/3.0` out"),
        ("http://127.0.0.1:notaport", "a port from 1 to 65535"),
        ("http://127.0.0.1:99999", "a port from 1 to 65535"),
    ],
)
def test_a_url_of_odd_shape_is_a_wrong_setting(site: Site, url: str, why: str) -> None:
    site.change(f'url = "{site.url}"\ncurrency', f'url = "{url.format(url=site.url)}"\ncurrency')
    said = drybill("check", site.mapping)
    assert (said.code, why in said.err) == (Exit.USAGE, True), said.err


@pytest.mark.parametrize("codebase", ["v\u00e9/", "../", "a b/"])
def test_a_codebase_of_odd_shape_is_no_path(
    site: Site, monkeypatch: pytest.MonkeyPatch, codebase: str
) -> None:
    site.store.put("setting", {"id": "codebase", "value": codebase})
    said = drybill("diff", site.mapping)
    assert (said.code, "internal" in said.err) == (Exit.USAGE, False), said.err


def test_an_id_below_zero_is_no_answer_as_documented() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'[{"id": -1}]', type=list[wire.Agreement])


def test_an_addition_that_is_listed_twice_counts_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ConnectWise.additions

    async def also_there(self: ConnectWise, request: Any) -> Any:
        answer = await real(self, request)
        if request.path_params["id"] == 1041:
            rows = [*json.loads(answer.body), {**self.store.all("addition", "1040")[1]}]
            return type(answer)(rows)
        return answer

    monkeypatch.setattr(ConnectWise, "additions", also_there)
    from drybill.sandbox.serve import serving

    with serving(site.store) as url:
        site.change(site.url, url)
        found = site.diff()
    rows = [row for invoice in found["invoices"] for row in invoice["lines"]]
    assert [row["agreement_id"] for row in rows if row["line_id"] == "3401"] == ["1040"]
    assert "listed under two agreements" in str(found["sources"])


def test_a_product_whose_name_is_missing_is_known_by_its_number(site: Site) -> None:
    site.store.put("addition", {**site.addition(3401), "product": {"id": 1351}}, "1040")
    other = {**site.addition(3404), "id": 3700, "product": {"id": 1351, "identifier": "EDR"}}
    site.store.put("addition", other, "1041")
    row = site.rows()["3401"]
    assert (row["product"], row["bucket"]) == ("EDR", "unchanged")


def test_seats_below_zero_are_unknown(site: Site) -> None:
    site.store.put("pax8-subscription", subscription(70, 250, "M365-BP", -10))
    row = site.rows()["3400"]
    assert (row["bucket"], row["quantity_after"]) == ("unknown", "25")


def test_answers_of_another_day_confirm_no_absence(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cached answer, and one second later a fresh one: two answers, and not a day between."""
    from datetime import UTC, datetime, timedelta

    from drybill.transport import client

    site.change('sku = "EDR-1"', 'sku = "EDR-1" }, { vendor = "pax8", sku = "BCK-1"')
    site.change('price = { USD = "5.00" }', 'price = { USD = "5.00" }\ncombine = "sum"')
    site.change('[products.BACKUP]\nfrom = [{ vendor = "pax8", sku = "BCK-1" }]\n', "")
    real, late = client.parsedate_to_datetime, timedelta(hours=21)
    with monkeypatch.context() as cached:
        cached.setattr(client, "parsedate_to_datetime", lambda text: real(text) - late)
        said = site.diff()
    assert "no absence is confirmed by them" in str(said["sources"])
    assert datetime.now(UTC)
    codes = {code for row in site.rows().values() for code in row["reasons"]}
    assert "ABSENT_CONFIRMED" not in codes


def damage(change: str) -> None:
    """Edits the journal behind its back; the contents' own guard is dropped first."""
    import zlib
    from hashlib import sha256

    with sqlite3.connect(state_folder() / "journal.db") as edited:
        edited.execute("DROP TRIGGER entries_never_change")
        (seq, digest) = edited.execute(
            "SELECT seq, body FROM entries WHERE kind = 'intent' LIMIT 1"
        ).fetchone()
        body = change.encode()
        new = sha256(body).hexdigest()
        edited.execute("INSERT INTO contents VALUES (?, ?)", (new, zlib.compress(body)))
        edited.execute("UPDATE entries SET body = ? WHERE seq = ?", (new, seq))
        assert digest != new
    edited.close()


@pytest.mark.parametrize("body", ["{}", "[]", "not JSON", '{"plan": 1}', '{"intent": "x"}'])
@pytest.mark.parametrize("command", ["diff", "resume", "recheck", "undo"])
def test_a_journal_that_was_edited_is_called_damaged(site: Site, body: str, command: str) -> None:
    assert site.apply(site.plan("--client", "250")).code == Exit.DONE
    with Journal.open(write=False) as journal:
        run = journal.runs(1)[0].id
    damage(body)
    words = {
        "diff": ("diff", site.mapping), "resume": ("runs", "resume", run),
        "recheck": ("runs", "recheck", run), "undo": ("undo", run),
    }[command]  # fmt: skip
    said = drybill(*words)
    assert (said.code, "journal-damaged" in said.err) == (Exit.USAGE, True), said.err


def test_a_run_that_fails_leaves_its_recording(site: Site, tmp_path: Path) -> None:
    """Of which somebody will want it above all."""
    tape = tmp_path / "tape.json"
    site.store.add_fault("500", path="/finance/agreements", times=0)
    said = drybill("diff", site.mapping, "--record", str(tape))
    again = drybill("diff", site.mapping, "--replay", str(tape))
    assert said.code == again.code == Exit.UNREACHABLE
    assert "String was not recognized" in again.err


def test_a_page_of_another_encoding_is_recorded(site: Site, tmp_path: Path) -> None:
    from starlette.responses import Response

    from drybill.sandbox import app

    page = Response("<p>indisponible \xe9</p>".encode("latin-1"), 503, None, "text/html")
    tape = tmp_path / "tape.json"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(app, "JSONResponse", lambda *_, **__: page)
        site.store.add_fault("503", path="/v1/companies", times=0)
        said = drybill("diff", site.mapping, "--record", str(tape), "--save", str(tmp_path / "a"))
    again = drybill("diff", site.mapping, "--replay", str(tape), "--save", str(tmp_path / "b"))
    assert said.code == again.code == Exit.UNREACHABLE, said.err
    plans = [json.loads((tmp_path / name).read_text("utf-8"))["digest"] for name in "ab"]
    assert plans[0] == plans[1]


def test_a_replay_that_counts_otherwise_says_so(site: Site, tmp_path: Path) -> None:
    tape = tmp_path / "tape.json"
    drybill("diff", site.mapping, "--record", str(tape))
    text = tape.read_text("utf-8")
    assert '\\"quantity\\":28' in text
    tape.write_text(text.replace('\\"quantity\\":28', '\\"quantity\\":29'), "utf-8")
    said = drybill("diff", site.mapping, "--replay", str(tape))
    assert "the recorded run had the plan" in said.err


@pytest.mark.parametrize("company", ["fin", "apis", "v2026_4"])
def test_a_company_that_is_called_like_a_path_is_replayed(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, company: str
) -> None:
    login = site.store.get("login", "practice")
    assert login is not None
    site.store.put("login", {**login, "id": company})
    monkeypatch.setenv("SANDBOX_COMPANY", company)
    tape = tmp_path / "tape.json"
    assert drybill("diff", site.mapping, "--record", str(tape)).code == Exit.DONE
    assert drybill("diff", site.mapping, "--replay", str(tape)).code == Exit.DONE


def test_a_contradicted_invoice_is_not_silent(site: Site) -> None:
    """Though nothing of it differs."""
    assert site.apply(site.plan()).code == Exit.DONE
    agreement = site.store.get("agreement", "1041")
    assert agreement is not None
    assert drybill("diff", site.mapping, "--quiet").out == ""
    site.store.put("agreement", {**agreement, "sandboxRecap": 1.0})
    said = drybill("diff", site.mapping, "--quiet", "--exit-code")
    assert "1 invoice of which its PSA says ANOTHER AMOUNT" in said.out
    assert "WITNESS" in drybill("diff", site.mapping).out


@pytest.mark.parametrize("gone", [{"sandboxRecap": None}, {"nextInvoiceDate": None}])
def test_a_witness_that_says_nothing_any_more_holds_too(
    site: Site, monkeypatch: pytest.MonkeyPatch, gone: dict[str, Any]
) -> None:
    site.change('currency = "USD"\n', 'currency = "USD"\nwitness = "block"\n')
    site.diff()
    real = ConnectWise._recap

    def without(self: ConnectWise, agreement: Any) -> Any:
        found = real(self, agreement)
        name = "nextInvoiceAmount" if "sandboxRecap" in gone else "nextInvoiceDate"
        return {**found, name: None}

    monkeypatch.setattr(ConnectWise, "_recap", without)
    row = site.rows()["3400"]
    assert (row["bucket"], row["reasons"][0]) == ("blocked", "WITNESS_DIFFERS")


def test_check_online_fails_where_a_vendor_cannot_be_asked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDBOX_PAX8_SECRET", "wrong-secret-of-pax8")
    said = drybill("check", site.mapping, "--online")
    assert said.code == Exit.UNREACHABLE
    assert "401" in said.out + said.err


def test_writing_keys_that_are_wrong_are_not_called_a_missing_right(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = site.plan("--client", "250")
    monkeypatch.setenv("SANDBOX_WRITE_PRIVATE", "another-private-key")
    said = site.apply(plan)
    assert (said.code, "PSA_KEYS_REFUSED" in said.err) == (Exit.REFUSED, True)
    assert "needs Edit" not in said.err


def test_what_is_assumed_is_what_is_set(site: Site) -> None:
    site.change('currency = "USD"\n', 'currency = "USD"\ntiming = "arrears"\n'
                'cancelled_date = "last_day"\n')  # fmt: skip
    said = " ".join(drybill("diff", site.mapping).out.split())
    assert "bills the period that ends on it" in said
    assert "cancelledDate is the last day that is billed" in said
