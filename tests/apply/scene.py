"""Three clients with one raise, one fall, one new line and one end: every kind of write."""

from __future__ import annotations

MAPPING = """
    [products.SEAT]
    from = [{ vendor = "v", sku = "seat" }]
    [products.AV]
    from = [{ vendor = "v", sku = "av" }]
    price = { USD = "3.10" }
    at_zero = "end"
    [guards]
    to_zero = true
    row = { units = 100, percent = 1000 }
    [writes]
    fields = ["increase", "decrease", "create", "end"]
    all_clients = true
"""
LINES = """\
line_id,agreement_id,product,description,quantity,unit_price,effective_date,cancelled_date,note
L1,A,SEAT,"Seats, all of them",10,4.00,2024-01-01,,"said ""yes\"\"\"
L2,B,SEAT,Seats,12,4.00,,,
L3,C,AV,Antivirus,5,3.00,,,keep
L4,C,SEAT,Seats,7,4.00,,,
"""
FILES = {
    "agreements": """
        agreement_id,company_id,currency,next_period_start
        A,250,USD,2026-12-01
        B,251,USD,2026-12-01
        C,252,USD,2026-12-01
    """,
    "clients": """
        id,v
        250,c
        251,d
        252,e
    """,
    "lines": LINES,
    "v": """
        customer_id,sku,quantity
        c,seat,13
        c,av,8
        d,seat,9
        e,av,0
        e,seat,7
    """,
}
