"""Lines that get no row of their own: only where one number on either side says it all."""

from __future__ import annotations

from pathlib import Path

import pytest

from drybill.flow.run import Request
from drybill.plan.content import encode
from world import SEAT, TODAY, bill

TEN = "line_id,agreement_id,product,quantity,unit_price\nL,A,SEAT,10,4"
USED = "customer_id,sku,quantity\nc,seat,10"
CODE = '[products.LICENCE]\nfrom = [{ vendor = "v", vendor_sku = "X" }]\n'


@pytest.mark.parametrize(
    ("toml", "files", "bucket"),
    [
        (SEAT, {}, "unchanged"),
        ("", {}, "fixed"),
        # what looks like a match and is none, or not for sure
        (SEAT, {"v": "customer_id,sku,quantity\nd,seat,10"}, "unknown"),
        (SEAT, {"clients": "id,v,w\n250,c;d,"}, "unknown"),
        (SEAT, {"v": f"{USED}\nc,seat,10"}, "blocked"),
        (SEAT, {"v": "customer_id,sku,quantity,as_of\nc,seat,10,2026-11-26"}, "unknown"),
        # what is in step now, and was short on an invoice before
        (SEAT, {"v": "customer_id,sku,quantity,since\nc,seat,10,2026-10-20",
                "lines": f"{TEN.replace('price', 'price,effective_date')},2026-12-01"},
         "unchanged"),
        (SEAT + 'quantity = [{ add = 1 }]\n', {}, "change"),
        (SEAT + 'usage = "service_period"\n', {}, "unknown"),
        (SEAT + CODE, {"v": "customer_id,sku,vendor_sku,quantity\nc,seat,X,10"}, "blocked"),
        (SEAT + '[profiles.flat]\ncovered = ["SEAT"]\n',
         {"clients": "id,v,w,profile\n250,c,,flat"}, "ignored"),
        (SEAT, {"clients": "id,v,w\n251,c,"}, "orphan"),
        (SEAT + 'also_feeds = ["CARE"]\n[products.CARE]\n',
         {"lines": f"{TEN}\nM,A,CARE,10,1"}, "unchanged"),
    ],
)  # fmt: skip
def test_a_line_is_quiet_only_where_its_row_would_say_the_same(
    tmp_path: Path, toml: str, files: dict[str, str], bucket: str
) -> None:
    files = {"lines": TEN, "v": USED} | files
    whole = bill(tmp_path, toml, **files)
    short = bill(tmp_path, toml, request=Request(as_of=TODAY, every_row=False), **files)
    assert [row.bucket for i in whole.invoices for row in i.rows if row.line_id == "L"] == [bucket]
    assert encode(short.plan) == encode(whole.plan)
