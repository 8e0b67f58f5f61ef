"""Small cases by hand, each on one rule: a name, and the texts that differ from the usual case."""

from __future__ import annotations

from dataclasses import dataclass

A = '[products.A]\nfrom = [{ vendor = "v", sku = "a" }]\n'
CLIENT = '[[clients]]\nid = "c1"\nvendors = { v = "1" }\n'
FLEXIBLE = '[[lines]]\nclient = "c1"\nproduct = "A"\nline = "y"\nflexible = true\n'
FED = (
    A + '[products.B]\nfrom = [{ vendor = "v", sku = "b" }]\nalso_feeds = ["C"]\n'
    'quantity = [{ multiply = 2 }]\n[products.C]\nfrom = [{ vendor = "v", sku = "c" }]\n'
)
PREVIOUS = A + 'usage = "previous_period"\n'
HEAD = """timezone = "{zone}"
[psa.main]
kind = "files"
agreements = "agreements.csv"
lines = "lines.csv"
[vendors.v]
kind = "files"
usage = "v.csv"
[agreements]
cloud = {{ type = ["Cloud"] }}
security = {{ type = ["Security"], fallback = "cloud" }}
[defaults]
agreement = "cloud"
"""
WRITES = '[writes]\nfields = ["increase", "decrease", "create", "end"]\nall_clients = true\n'
AGREEMENTS = (
    "agreement_id,company_id,currency,type,next_period_start,start_date,prorate,end_date,"
    "cycle,timing,day_basis,base_amount,parent_agreement_id,bill_to"
)
LINES = (
    "line_id,agreement_id,product,quantity,unit_price,effective_date,cancelled_date,included,"
    "billing"
)
USAGE = (
    "customer_id,sku,quantity,as_of,since,term,quantity_kind,period_start,period_end,finality,"
    "commitment_end,trial,subscription_id"
)
MONTHLY = "g,c1,USD,Cloud,2026-12-01,2025-01-01"
PRORATED = "g,c1,USD,Cloud,2026-12-01,2025-01-01,true"
EIGHT = "x,g,A,8,10"


@dataclass(frozen=True)
class Hand:
    """One case; rows may be cut short, the missing cells are empty."""

    name: str
    usage: str = "1,a,9"
    lines: str = EIGHT
    agreements: str = MONTHLY
    products: str = A
    clients: str = CLIENT
    extra: str = WRITES
    zone: str = "UTC"

    @property
    def files(self) -> dict[str, str]:
        head = HEAD.format(zone=self.zone)
        return {
            "mapping.toml": head + self.products + self.clients + self.extra,
            "agreements.csv": _filled(AGREEMENTS, self.agreements),
            "lines.csv": _filled(LINES, self.lines),
            "v.csv": _filled(USAGE, self.usage),
        }


def _filled(header: str, rows: str) -> str:
    commas = header.count(",")
    full = [row + "," * (commas - row.count(",")) for row in rows.splitlines()]
    return "\n".join([header, *full]) + "\n"


def _exception(what: str, last_day: str) -> str:
    return (
        f'[[exceptions]]\nclient = "c1"\nproduct = "A"\n{what}\nreason = "x"\n'
        f"last_day = {last_day}\n{WRITES}"
    )


TILES = (
    "1,a,4,,,,metered_total,2026-11-01,2026-11-15,{0}\n1,a,6,,,,metered_total,{1},2026-12-01,{0}"
)

HANDMADE = [
    Hand("a null quantity is unknown", "1,a,"),
    Hand("a known 0 meets the zero guard", "1,a,0"),
    Hand(
        "a known 0 ends the line",
        "1,a,0",
        products=A + 'at_zero = "end"\nguards = { units = 100, percent = 100 }\n',
        extra="[guards]\nto_zero = true\n" + WRITES,
    ),
    Hand("an absent SKU is unknown", "1,b,4"),
    Hand("a customer that is not listed is unknown", "2,a,4"),
    Hand("the latest of appended exports counts", "1,a,12,2026-11-20\n1,a,10,2026-11-24"),
    Hand("the same as-of twice is a duplicate", "1,a,6\n1,a,6"),
    Hand("duplicates counted once", "1,a,6\n1,a,6", products=A + 'duplicates = "once"\n'),
    Hand("duplicates summed", "1,a,6\n1,a,5", products=A + 'duplicates = "sum"\n'),
    Hand(
        "a time in UTC is a later day in Auckland",
        "1,a,9,2026-11-25T11:30:00Z",
        zone="Pacific/Auckland",
    ),
    Hand(
        "a time in UTC is the same day in Auckland",
        "1,a,9,2026-11-25T10:30:00Z",
        zone="Pacific/Auckland",
    ),
    Hand(
        "a time in UTC is the day before in Chicago",
        "1,a,9,2026-11-26T05:30:00Z",
        zone="America/Chicago",
    ),
    Hand("two terms are not summed", "1,a,5,,,annual\n1,a,6,,,monthly"),
    Hand("two kinds are not summed", "1,a,5,,,,assigned\n1,a,6,,,,entitlement"),
    Hand("totals tile the period", TILES.format("final", "2026-11-15"), products=PREVIOUS),
    Hand("totals with a gap do not", TILES.format("final", "2026-11-16"), products=PREVIOUS),
    Hand("a metered total that is not final", TILES.format("", "2026-11-15"), products=PREVIOUS),
    Hand("a commitment holds a fall", "1,a,7,,,,,,,,2026-12-02"),
    Hand("a commitment that ends on the day does not", "1,a,7,,,,,,,,2026-12-01"),
    Hand("a leak by whole periods", "1,a,9,,2026-11-02"),
    Hand("a leak by days", "1,a,9,,2026-10-20", "x,g,A,5,10,2026-11-10", PRORATED),
    Hand(
        "a leak of a line that is in step now",
        "1,a,9,,2026-10-20",
        "x,g,A,5,10,,2026-12-01\ny,g,A,9,10,2026-12-01",
    ),
    Hand(
        "a line that ended before its successor is created was billed",
        "1,a,9,,2026-09-20",
        "x,g,A,5,10,,2026-11-01",
        products=A + 'price = { USD = "10" }\n',
    ),
    Hand(
        "a line that ended and its successor leave a day between them",
        "1,a,9,,2026-09-20",
        "x,g,A,5,10,,2026-10-31\ny,g,A,5,10,2026-11-01",
        PRORATED,
    ),
    Hand(
        "two lines that ended in one period billed both",
        "1,a,9,,2026-10-20",
        "x,g,A,5,10,,2026-10-25\nz,g,A,2,10,2026-10-10,2026-10-26\ny,g,A,7,10,2026-11-01",
    ),
    Hand(
        "a line moved from another agreement of the client",
        "1,a,9,,2026-09-20",
        "x,s,A,5,10,,2026-11-01\ny,g,A,7,10,2026-11-01",
        MONTHLY + "\ns,c1,USD,Security,2026-12-01",
    ),
    Hand(
        "a line moved before the quantity began",
        "1,a,9,,2026-11-02",
        "x,s,A,5,10,,2026-11-01\ny,g,A,7,10,2026-11-01",
        MONTHLY + "\ns,c1,USD,Security,2026-12-01",
    ),
    Hand(
        "a line that ended beside two of today",
        "1,a,30,,2026-10-02",
        "x,g,A,20,10\ny,g,A,4,5\nz,g,A,3,10,,2026-10-20",
    ),
    Hand("included units", "1,a,9,,2026-10-20", "x,g,A,5,10,,,6"),
    Hand(
        "included on both sides",
        lines="x,g,A,5,10,,,6",
        products=A + "quantity = [{ subtract = 1 }]\n",
    ),
    Hand(
        "a do-not-bill line beside a base",
        lines="x,g,A,8,10,,,,do_not_bill",
        agreements=PRORATED + ",,,,,99.5",
    ),
    Hand("two lines up, none named", "1,a,30", "x,g,A,20,10\ny,g,A,4,5"),
    Hand("two lines down, one named", "1,a,22", "x,g,A,20,10\ny,g,A,4,5", extra=FLEXIBLE + WRITES),
    Hand(
        "two lines further down than the named one",
        "1,a,18",
        "x,g,A,20,10\ny,g,A,4,5",
        extra=FLEXIBLE + WRITES,
    ),
    Hand("segments by days", "1,a,5", "x,g,A,5,10,,2026-12-10\ny,g,A,4,10,2026-12-10", PRORATED),
    Hand(
        "segments, the last one for the whole",
        "1,a,5",
        "x,g,A,5,10,,2026-12-10\ny,g,A,4,10,2026-12-10",
    ),
    Hand(
        "a fixed month of 30 days",
        lines="x,g,A,8,10,2027-02-15",
        agreements="g,c1,USD,Cloud,2027-02-01,2025-01-01,true,,,,fixed_30",
    ),
    Hand(
        "day 31 in a quarter that ends in February",
        agreements="g,c1,USD,Cloud,2026-11-30,2025-08-31,,,quarterly,arrears",
    ),
    Hand("day 29 of a leap year", agreements="g,c1,USD,Cloud,2027-02-28,2024-02-29,,,annual"),
    Hand("the last day of the horizon", agreements="g,c1,USD,Cloud,2026-12-26"),
    Hand("the day after the horizon", agreements="g,c1,USD,Cloud,2026-12-27"),
    Hand("two overdue periods", agreements="g,c1,USD,Cloud,2026-10-01"),
    Hand(
        "yen have no minor units",
        lines="x,g,A,8,10.5,2026-12-10",
        agreements=PRORATED.replace("USD", "JPY"),
    ),
    Hand(
        "dinars have three",
        lines="x,g,A,8,10.5555,2026-12-10",
        agreements=PRORATED.replace("USD", "KWD"),
    ),
    Hand("a client's agreement ends in the period", agreements=PRORATED + ",2026-12-15"),
    Hand(
        "a child on its parent's invoice and one of another currency",
        lines="x,g,A,8,10\ny,k,Z,3,7\nz,e,Z,3,7",
        agreements=MONTHLY
        + ",,,,,,10\nk,c2,USD,x,2026-12-01,,,,,,,5,g\ne,c2,EUR,x,2026-12-01,,,,,,,,g",
    ),
    Hand(
        "a line on the wrong agreement too",
        "1,a,30",
        "x,g,A,8,10\ny,s,A,8,10",
        MONTHLY + "\ns,c1,USD,Security,2026-12-01",
    ),
    Hand(
        "a feed passes the number before the rules",
        "1,b,5\n1,c,3",
        "x,g,B,10,10\ny,g,C,5,1",
        products=FED + 'combine = "sum"\n',
    ),
    Hand(
        "a lower bound raises",
        "1,b,9",
        "x,g,B,18,10\ny,g,C,5,1",
        products=FED + 'combine = "max"\n',
    ),
    Hand(
        "a minimum of less than all is unknown",
        "1,b,9",
        "x,g,B,18,10\ny,g,C,5,1",
        products=FED + 'combine = "min"\n',
    ),
    Hand(
        "rules in their order",
        products=A
        + 'quantity = [{ multiply = "1.5" }, { round = "down" }, { subtract = 4 }, { pack = 5 }]\n',
    ),
    Hand(
        "an exception adds before the rules",
        products=A + "quantity = [{ pack = 5 }]\n",
        extra=_exception("add = 2", "2026-11-25"),
    ),
    Hand("an expired exception blocks", extra=_exception("add = 2", "2026-11-24")),
    Hand("a guard of percent", "1,a,13"),
    Hand(
        "a guard of money",
        "1,a,10",
        extra='[guards]\nrow = { money = { USD = "19.99" } }\n' + WRITES,
    ),
    Hand(
        "a new line with a price",
        "1,a,9,,2026-10-03",
        "x,g,Z,1,1",
        products=A + 'price = { USD = "2" }\n',
    ),
    Hand("a new line without", "1,a,9", "x,g,Z,1,1"),
    Hand(
        "two agreements of one role",
        agreements=MONTHLY + "\nh,c1,USD,Cloud,2026-12-01",
        lines="x,g,Z,1,1",
    ),
    Hand("a switch that is off", extra='[writes]\nfields = ["decrease"]\nall_clients = true\n'),
    Hand("a psa that gave no price", lines="x,g,A,8,\ny,g,Z,,4"),
]
