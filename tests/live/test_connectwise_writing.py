"""What is sent, and what an answer is worth."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from site_of_work import Site

from command import drybill
from drybill.errors import Exit
from drybill.mapping.load import load
from drybill.psa.connectwise.adapter import ConnectWiseReader
from drybill.psa.registry import open_psa
from drybill.sandbox.seed import PRIVATE, PUBLIC, WRITE_PUBLIC


def test_a_patch_holds_the_one_field_and_a_plain_number(site: Site) -> None:
    assert site.apply(site.plan("--client", "250")).code == Exit.DONE
    (patch,) = site.sent("PATCH")
    assert patch["body"] == '[{"op":"replace","path":"quantity","value":28}]'
    assert patch["path"] == "/v2026_4/apis/3.0/finance/agreements/1040/additions/3400"
    assert patch["headers"]["accept"] == "application/vnd.connectwise.com+json; version=2026.4"


def test_a_new_line_holds_what_was_shown(site: Site) -> None:
    assert site.apply(site.plan("--client", "252")).code == Exit.DONE
    (post,) = [each for each in site.sent("POST") if "additions" in each["path"]]
    assert json.loads(post["body"]) == {
        "product": {"id": 1351},
        "billCustomer": "Billable",
        "quantity": 8,
        "unitPrice": 5.0,
        "effectiveDate": "2026-12-01T00:00:00Z",
        "description": "EDR",
    }


def test_only_apply_uses_the_second_pair_of_keys(site: Site) -> None:
    from base64 import b64decode

    site.apply(site.plan("--client", "250"))
    for each in site.store.requests():
        if "finance" in each["path"]:
            user = b64decode(each["headers"]["authorization"].split()[1]).decode()
            writes = each["method"] != "GET"
            assert (WRITE_PUBLIC in user) is writes
            assert (f"+{PUBLIC}:{PRIVATE}" in user) is not writes


def test_a_role_that_may_not_edit_changes_nothing_and_says_what_it_lacks(site: Site) -> None:
    start = 'write_credentials = { public_key = "env:SANDBOX_WRITE_PUBLIC", '
    site.change(start + 'private_key = "env:SANDBOX_WRITE_PRIVATE" }\n', "")
    said = site.apply(site.plan("--client", "250"))
    assert said.code == Exit.REFUSED
    assert "rejected" in said.err
    assert "needs Edit on Finance > Agreements" in said.err
    assert site.addition(3400)["quantity"] == 25


def test_a_rule_of_the_psa_comes_back_in_its_words(site: Site) -> None:
    plan = site.plan("--client", "252")
    site.store.remove("product", "1351")
    said = site.apply(plan)
    assert said.code == Exit.REFUSED
    assert "The field product is required." in said.err


def test_a_line_that_somebody_changed_is_refused_by_name_and_the_others_go_on(site: Site) -> None:
    plan = site.plan()
    site.store.put("addition", {**site.addition(3400), "quantity": 26}, "1040")
    said = site.apply(plan)
    assert said.code == 4
    assert "quantity: planned 25, found 26" in said.err
    assert (site.addition(3400)["quantity"], site.addition(3403)["quantity"]) == (26, 10)


def test_an_invoice_that_was_issued_meanwhile_stops_everything(site: Site) -> None:
    plan = site.plan()
    agreement = site.store.get("agreement", "1040")
    assert agreement is not None
    site.store.put("agreement", {**agreement, "nextInvoiceDate": "2027-01-01T00:00:00Z"})
    said = site.apply(plan)
    assert said.code == Exit.REFUSED
    assert "next period planned 2026-12-01, found 2027-01-01" in said.err
    assert site.sent("PATCH") == []


def test_a_cloud_upgrade_moves_the_codebase_and_is_followed_once(site: Site) -> None:
    """Every call answers 404 then, until companyinfo is asked again."""
    mapping = load(Path(site.mapping))
    reader = open_psa("main", mapping.psas["main"], site.folder)
    assert isinstance(reader, ConnectWiseReader)
    reader.api._codebase = "v2020_1/"  # what companyinfo said before the upgrade

    async def read() -> int:
        async with reader.session():
            return len((await reader.read()).agreements)

    assert asyncio.run(read()) == 3
    asked = [each["path"] for each in site.store.requests() if "companyinfo" in each["path"]]
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("https://api", "http://api", "must begin with https://"),
        ('currency = "USD"', 'currency = "USX"', "USX"),
        ('currency = "USD"', 'currency = "USD"\nwitness = "maybe"', "witness"),
        ('currency = "USD"', 'currency = "USD"\nversoin = "2026.1"', "`versoin` is not a setting"),
        ('private_key = "env:SANDBOX_PRIVATE", ', "", "`credentials.private_key` is missing"),
    ],
)
def test_settings_that_are_wrong_are_said_where_they_stand(
    site: Site, old: str, new: str, why: str
) -> None:
    if old == "https://api":
        old, new = f'url = "{site.url}"\ncurrency', 'url = "http://api.example.com"\ncurrency'
    site.change(old, new)
    said = drybill("diff", site.mapping)
    assert said.code == Exit.USAGE
    assert why in said.err
    assert "mapping.toml:" in said.err


def test_a_missing_secret_is_named_before_anything_is_asked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SANDBOX_PRIVATE")
    said = drybill("diff", site.mapping)
    assert said.code == Exit.USAGE
    assert "psa.main: private_key: the environment has no SANDBOX_PRIVATE" in said.err
