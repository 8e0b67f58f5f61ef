"""`check` is offline until it is told otherwise, and then reads alone."""

from __future__ import annotations

from site_of_work import Site

from command import drybill
from drybill.errors import Exit
from drybill.sandbox.seed import COMPANY


def test_check_asks_no_server_by_itself(site: Site) -> None:
    said = drybill("check", site.mapping)
    assert said.code == Exit.DONE, said.err
    assert "Not asked, for they are servers: main, pax8." in said.out
    assert site.store.requests() == []


def test_online_says_what_the_keys_may_read(site: Site) -> None:
    said = drybill("check", site.mapping, "--online")
    assert said.code == Exit.DONE, said.err
    assert "may read  system info: version v2026.4, server time zone Central" in said.out
    assert "may read  additions" in said.out
    assert "6 of 6" in said.out
    assert {each["method"] for each in site.store.requests()} == {"GET", "POST"}
    assert {each["path"] for each in site.sent("POST")} == {"/v1/token"}


def test_keys_that_are_wrong_are_said_in_the_psas_words(site: Site) -> None:
    login = site.store.get("login", COMPANY)
    assert login is not None
    site.store.put("login", {**login, "keys": []})
    said = drybill("check", site.mapping, "--online")
    assert said.code == Exit.UNREACHABLE
    assert "answered 401: Unauthorized" in said.err


def test_a_server_that_was_not_asked_lacks_nothing(site: Site) -> None:
    said = drybill("check", site.mapping)
    for claim in ("is on no line", "has no agreement", "does not list"):
        assert claim not in said.out + said.err
    site.change("[products.EDR]", "[products.EDX]")
    assert "product `EDX` is on no line" in drybill("check", site.mapping, "--online").err
