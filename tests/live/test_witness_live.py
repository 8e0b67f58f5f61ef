"""The PSA's own figure: shown, held against where it once agreed, and asked again after a write."""

from __future__ import annotations

import sqlite3

import pytest
from site_of_work import Site

from command import drybill
from drybill.errors import Exit
from drybill.journal import Journal, state_folder

ONE = ("--client", "250")


def recap(site: Site, amount: float | None) -> None:
    """What the recap of agreement 1040 says, whatever its lines are; None: what they add up to."""
    agreement = site.store.get("agreement", "1040")
    assert agreement is not None
    agreement.pop("sandboxRecap", None)
    site.store.put(
        "agreement", agreement if amount is None else {**agreement, "sandboxRecap": amount}
    )


def invoice(site: Site, *words: str) -> dict[str, object]:
    (found,) = [i for i in site.diff(*words)["invoices"] if i["agreement_id"] == "1040"]
    return found


@pytest.fixture
def blocking(site: Site) -> Site:
    site.change('currency = "USD"\n', 'currency = "USD"\nwitness = "block"\n')
    return site


def test_one_that_never_agreed_only_warns(blocking: Site) -> None:
    recap(blocking, 1.0)
    assert invoice(blocking)["witness"] == {"amount": "1.00", "agrees": False}
    assert blocking.rows()["3400"]["bucket"] == "change"


def test_one_that_agreed_before_holds_what_it_contradicts(blocking: Site) -> None:
    assert invoice(blocking)["witness"] == {"amount": "1150.00", "agrees": True}
    recap(blocking, 1149.99)
    row = blocking.rows()["3400"]
    assert (row["bucket"], row["reasons"][0]) == ("blocked", "WITNESS_DIFFERS")
    assert row["wanted"] == {"quantity": "28", "difference": "66.00"}
    assert blocking.rows()["3403"]["bucket"] == "change"  # of another agreement
    said = drybill("diff", blocking.mapping)
    assert "the PSA says 1149.99 USD, projected 1150.00 USD" in " ".join(said.out.split())
    lifted = blocking.rows("--allow", f"{row['row']}:witness", "--reason", "tax is in it")
    assert lifted["3400"]["bucket"] == "change"


def test_a_warning_one_holds_nothing(site: Site) -> None:
    site.diff()
    recap(site, 1.0)
    assert site.rows()["3400"]["bucket"] == "change"


def test_what_a_simulated_day_saw_is_not_known_before_it(blocking: Site) -> None:
    invoice(blocking, "--as-of", "2026-11-29")
    recap(blocking, 1.0)
    assert blocking.rows("--as-of", "2026-11-28")["3400"]["bucket"] == "change"
    assert blocking.rows("--as-of", "2026-11-29")["3400"]["bucket"] == "blocked"


def test_an_older_journal_learns_to_remember_it(blocking: Site) -> None:
    blocking.diff()
    file = state_folder() / "journal.db"
    with sqlite3.connect(file) as older:
        older.execute("DROP TABLE agreed_witnesses")
        older.execute("PRAGMA user_version = 1")
    older.close()
    with Journal.open(write=False) as journal:  # what only reads changes nothing
        assert journal.runs(1)
    blocking.diff()
    recap(blocking, 1.0)
    assert blocking.rows()["3400"]["bucket"] == "blocked"
    assert drybill("runs", "verify").code == Exit.DONE


def test_one_that_does_not_follow_a_write_is_said(site: Site) -> None:
    recap(site, 1150.0)
    said = site.apply(site.plan(*ONE))
    assert said.code == Exit.DONE
    assert (
        "warning: WITNESS_UNMOVED: the invoice of 1040 changed, and the PSA still says 1150.00"
        in said.err
    )


def test_one_that_follows_is_silent(site: Site) -> None:
    said = site.apply(site.plan(*ONE))
    assert (said.code, "WITNESS" in said.err) == (Exit.DONE, False)


def test_one_that_cannot_be_asked_again_is_no_error(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = site.plan(*ONE)
    site.store.add_fault("500", path="agreementrecap", times=0)
    said = site.apply(plan)
    assert said.code == Exit.DONE
    assert "its own figures cannot be read again" in said.err


def test_a_run_can_be_looked_at_again(site: Site) -> None:
    assert site.apply(site.plan()).code == Exit.DONE
    with Journal.open(write=False) as journal:
        run = journal.runs(1)[0].id
    said = drybill("runs", "recheck", run)
    assert (said.code, said.out.count("verified")) == (Exit.DONE, 3)
    assert "3 of 3 lines hold what it wrote" in said.out
    site.store.put("addition", {**site.addition(3403), "quantity": 4}, "1041")
    said = drybill("runs", "recheck", run)
    assert said.code == Exit.DIFFERENCES
    assert "quantity: planned 10, found 4" in said.out
    assert "2 of 3 lines hold what it wrote" in said.out
    assert [each for each in site.sent("PATCH", "POST") if "additions" in each["path"]][3:] == []


def test_a_run_that_wrote_nothing_cannot(site: Site) -> None:
    site.diff()
    with Journal.open(write=False) as journal:
        run = journal.runs(1)[0].id
    said = drybill("runs", "recheck", run)
    assert (said.code, "wrote no line" in said.err) == (Exit.USAGE, True)
