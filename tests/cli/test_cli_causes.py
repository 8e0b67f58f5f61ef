"""What the fixes say, which rows they count, and what a filter leaves of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from command import AS_OF, Desk, drybill

TOML = """
    [agreements]
    care = { type = "Care" }
    [products.SEAT]
    from = [{ vendor = "v", sku = "seat" }]
    [products.EDR]
    agreement = "care"
    from = [{ vendor = "w", sku = "edr" }]
"""
AGREEMENTS = """
    agreement_id,company_id,company_name,type,currency,next_period_start
    A,250,Wonderland,Cloud,USD,2026-12-01
    C1,251,Contoso,Care,USD,2026-12-01
    C2,251,Contoso,Care,USD,2026-12-01
"""
CLIENTS = """
    id,name,v,w
    250,Wonder,c,c
    251,Contoso,d,d
"""


def desk(folder: Path, **files: str) -> Desk:
    return Desk(folder, TOML, agreements=AGREEMENTS, clients=CLIENTS, **files)


def causes(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {cause["cause"]: cause for cause in found["causes"]}


def test_one_cause_for_both_sides_of_an_ambiguous_agreement(tmp_path: Path) -> None:
    """Its lines and its usage wait for the same entry, and the fix names role and candidates."""
    lines = "line_id,agreement_id,product,quantity,unit_price\nL,C1,EDR,3,2"
    w = "customer_id,sku,quantity\nd,edr,5"
    (cause,) = desk(tmp_path, lines=lines, w=w).diff()["causes"]
    assert cause["rows"] == 2
    assert cause["fix"] == '# at client "251"\nagreement = { care = "C1" }  # or C2'


def test_a_switched_off_write_is_one_cause_for_each_switch(tmp_path: Path) -> None:
    lines = "line_id,agreement_id,product,quantity,unit_price\nL,A,SEAT,3,2"
    v = "customer_id,sku,quantity\nc,seat,5"
    (cause,) = desk(tmp_path, lines=lines, v=v).diff()["causes"]
    assert cause["cause"] == "the switch `increase` is off"
    assert cause["fix"] == '# in [writes], add to fields: "increase"'


def test_a_filter_narrows_the_fixes_and_takes_the_mappings_name_of_a_client(tmp_path: Path) -> None:
    v = "customer_id,sku,quantity\nc,new,5\nd,other,7"
    table = desk(tmp_path, v=v)
    assert len(table.diff()["causes"]) == 2
    for name in ("Wonderland", "Wonder", "250"):  # the PSA's name, the mapping's, the id
        assert list(causes(table.diff("--client", name))) == ["`new` of v is mapped to no product"]


def test_a_client_with_another_name_is_said_and_never_matched(tmp_path: Path) -> None:
    said = drybill("diff", desk(tmp_path).mapping, *AS_OF)
    assert "NAME_DIFFERS: 250 is `Wonderland`, in the mapping `Wonder`" in said.out


def test_would_write_is_false_while_a_run_guard_stops_apply(tmp_path: Path) -> None:
    lines = "line_id,agreement_id,product,quantity,unit_price\nL,A,SEAT,3,2"
    v = "customer_id,sku,quantity\nc,seat,5"
    writes = '[writes]\nfields = ["increase"]\nall_clients = true\n'
    guard = '[guards]\nrun = { money = { USD = "1" } }\n'
    for toml, would in ((TOML + writes, True), (TOML + writes + guard, False)):
        desk = Desk(tmp_path, toml, lines=lines, v=v, agreements=AGREEMENTS, clients=CLIENTS)
        row = desk.rows()["L"]
        assert (row["bucket"], row["would_write"]) == ("change", would)
        assert [g["name"] for g in desk.diff()["guards"]] == ([] if would else ["money"])


def test_a_filter_shows_the_quiet_rows_that_it_names(tmp_path: Path) -> None:
    lines = "line_id,agreement_id,product,quantity,unit_price\nF,A,FW,1,50\nL,A,SEAT,3,2"
    table = desk(tmp_path, lines=lines, v="customer_id,sku,quantity\nc,seat,5")
    assert set(table.rows()) == {"F", "L"}
    assert set(table.rows("--bucket", "fixed")) == {"F"}
    assert set(table.rows("--product", "SEAT")) == {"L"}


def test_a_code_that_no_row_has_is_a_question_of_spelling(tmp_path: Path) -> None:
    toml = '[products.VISIO]\nfrom = [{ vendor = "v", sku = "VISIO2" }]\n'
    lines = "line_id,agreement_id,product,quantity,unit_price\nL,A,VISIO,5,4"
    v = "customer_id,sku,quantity\nc,VISIO-2,5"
    desk = Desk(tmp_path, toml, lines=lines, v=v)
    said = drybill("diff", desk.mapping, *AS_OF).out
    assert "`VISIO2` is in no row of v: 1 row" in said
    assert 'a similar one is "VISIO-2"' in said
    assert "20 hours" not in said
