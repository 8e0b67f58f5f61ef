"""Entries that meet nothing: `check` says so, with the name that was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from command import AS_OF, Desk, drybill

TOML = """
    [products.EDRR]
    from = [{ vendor = "v", sku = "aegnt" }]
"""
FILES = {
    "lines": "line_id,agreement_id,product,quantity,unit_price\nL,A,EDR,3,2",
    "v": "customer_id,sku,quantity\nc1,agent,3",
    "clients": "id,v\n250,cc1\n25,c9",
}


@pytest.mark.parametrize(
    "says",
    [
        "product `EDRR` is on no line of PSA `main`\n",
        "`aegnt` is in no row of `v`\n",
        "client 25 has no agreement in PSA `main`\n",
        "`v` does not list customer cc1 of client 250\n",
    ],
)
def test_typing_mistakes_that_only_the_sources_show(tmp_path: Path, says: str) -> None:
    said = drybill("check", Desk(tmp_path, TOML, **FILES).mapping, *AS_OF)
    assert said.code == 0
    assert says in said.err


def test_the_name_that_was_meant_is_named(tmp_path: Path) -> None:
    err = drybill("check", Desk(tmp_path, TOML, **FILES).mapping, *AS_OF).err
    assert [f"a similar one exists: `{name}`" in err for name in ("EDR", "agent", "250", "c1")] == [
        True
    ] * 4


def test_a_mapping_that_meets_everything_is_told_nothing(tmp_path: Path) -> None:
    good = FILES | {"clients": "id,v\n250,c1"}
    toml = TOML.replace("EDRR", "EDR").replace("aegnt", "agent")
    said = drybill("check", Desk(tmp_path, toml, **good).mapping, *AS_OF)
    assert "on no line" not in said.err
    assert "in no row" not in said.err
    assert "not list" not in said.err
