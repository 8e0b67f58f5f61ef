"""Random small worlds: every kind of line, customer, rule and gap, in the files of a real run."""

from __future__ import annotations

import dataclasses
import random
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from drybill.flow.run import Computed, Request
from world import TODAY, bill

_AGREEMENT = (
    "agreement_id,company_id,currency,next_period_start,type,prorate,cycle,base_amount,bill_to"
)
_LINE = (
    "line_id,agreement_id,product,quantity,included,unit_price,billing,"
    "effective_date,cancelled_date"
)
_USAGE = "customer_id,sku,quantity,as_of,since,trial,unit_cost,currency"


@dataclass(frozen=True)
class Table:
    header: str
    rows: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join((self.header, *self.rows))

    def edit(self, change: Callable[[dict[str, str]], dict[str, str] | None]) -> Table:
        """The table with every row changed, or left out."""
        names = self.header.split(",")
        rows = [change(dict(zip(names, row.split(","), strict=True))) for row in self.rows]
        return dataclasses.replace(self, rows=tuple(",".join(row.values()) for row in rows if row))


@dataclass(frozen=True)
class RandomWorld:
    toml: str
    agreements: Table
    lines: Table
    v: Table
    w: Table
    clients: str

    def run(self, extra: str = "", every_row: bool = True, broken: Iterable[str] = ()) -> Computed:
        with tempfile.TemporaryDirectory() as folder:
            return bill(
                Path(folder),
                self.toml + extra,
                request=Request(as_of=TODAY, every_row=every_row),
                broken=broken,
                agreements=str(self.agreements),
                lines=str(self.lines),
                v=str(self.v),
                w=str(self.w),
                clients=self.clients,
            )

    def shuffled(self, seed: int) -> RandomWorld:
        """The same world, its agreements, lines and usage in another order."""
        order = random.Random(seed)
        tables = {}
        for name in ("agreements", "lines", "v", "w"):
            table = getattr(self, name)
            rows = list(table.rows)
            order.shuffle(rows)
            tables[name] = dataclasses.replace(table, rows=tuple(rows))
        return dataclasses.replace(self, **tables)


class _Draw:
    """A random world, cell by cell."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def often(self, usual: str, *others: str) -> str:
        """The usual cell, or in one of ten cases another one."""
        return usual if self.random.random() < 0.9 else self.random.choice(others)

    def one_of(self, *values: str) -> str:
        return self.random.choice(values)

    def world(self) -> RandomWorld:
        """P is counted at `v`, Q at both vendors, R is fed by P and has usage of its own."""
        units = {(c, p): self.random.randint(0, 20) for c in "12" for p in "PQR"}
        clients = (
            "id,v,w,profile\n"
            f"1,{self.often('c1', 'c1;c3', '')},{self.often('c1', '')},\n"
            f"2,{self.often('c2', '')},{self.often('c2', '')},{self.often('', 'flat')}"
        )
        return RandomWorld(
            self.mapping(),
            Table(_AGREEMENT, tuple(self.agreement(id) for id in ("A1", "A2", "B1", "B2"))),
            Table(_LINE, tuple(self.lines(units))),
            Table(_USAGE, tuple(self.usage(units, {"a": "P", "b": "Q"}))),
            Table(_USAGE, tuple(self.usage(units, {"b": "Q", "c": "R"}))),
            clients,
        )

    def mapping(self) -> str:
        rules = [
            self.often(
                "",
                "{ add = 2 }",
                "{ subtract = 3 }, { minimum = 4 }",
                "{ pack = 5 }",
                "{ maximum = 12 }",
                '{ exclude = "trial" }',
                '{ multiply = "1.5" }, { round = "up" }',
                "{ add = -4 }",
            )
            for _ in "PQ"
        ]
        toml = f"""
            [agreements]
            main = {{ type = "Main" }}
            [defaults]
            agreement = "main"
            [products.P]
            from = [{{ vendor = "v", sku = "a" }}]
            also_feeds = ["R"]
            quantity = [{rules[0]}]
            duplicates = "{self.one_of("block", "once", "sum", "latest")}"
            [products.Q]
            from = [{{ vendor = "v", sku = "b" }}, {{ vendor = "w", sku = "b" }}]
            combine = "{self.one_of("sum", "max", "min")}"
            quantity = [{rules[1]}]
            at_zero = "{self.one_of("keep", "end")}"
            price = {{ USD = "2.5" }}
            [products.R]
            from = [{{ vendor = "w", sku = "c" }}]
            combine = "{self.one_of("sum", "max")}"
            price = {{ USD = "1", EUR = "1" }}
            [profiles.flat]
            covered = ["Q"]
            [guards]
            to_zero = {self.often("true", "false")}
            row = {{ percent = {self.often("1000", "50")} }}
        """
        if self.random.random() < 0.3:
            toml += f"""
                [[exceptions]]
                client = 1
                product = "{self.one_of("P", "Q")}"
                {self.one_of("add = 3", "add = -3", "set = 7", "ignore = true")}
                reason = "agreed"
                last_day = {self.often("2027-11-01", "2026-11-01")}
            """
        if self.random.random() < 0.3:
            toml += f"""
                [[lines]]
                client = 1
                product = "{self.one_of("P", "Q")}"
                line = "L{self.random.randint(0, 4)}"
            """
        return toml

    def agreement(self, id: str) -> str:
        right = id in ("A1", "B1")
        return ",".join(
            (
                id,
                "1" if id.startswith("A") else "2",
                self.often("USD", "EUR"),
                self.often("2026-12-01", "2026-12-15", "2026-11-01", "2026-09-01"),
                self.often("Main" if right else "Other", "Main", "Other"),
                self.one_of("true", "false"),
                self.often("monthly", "quarterly"),
                self.one_of("", "100"),
                self.often("", "9"),
            )
        )

    def lines(self, units: dict[tuple[str, str], int]) -> Iterator[str]:
        """Usually one line per client and product, on the right agreement."""
        count = 0
        for (client, product), quantity in units.items():
            main = "A1" if client == "1" else "B1"
            for _ in range(int(self.often("1", "0", "2", "2"))):
                on = self.often(main, main.replace("1", "2"))
                price = self.often("4", "0.335", "12.5", "")
                billing = self.often("", "no_charge", "do_not_bill")
                start, change = self.often("", "2026-11-16", "2027-02-01"), ""
                if self.random.random() < 0.2:
                    change = "2026-12-11"
                    earlier = max(quantity - 2, 0)
                    yield f"L{count},{on},{product},{earlier},,{price},{billing},,{change}"
                    count += 1
                quantity_then = self.often(str(quantity), "", "0", str(quantity + 3))
                included = self.often("", "5")
                yield (
                    f"L{count},{on},{product},{quantity_then},{included},{price},{billing},"
                    f"{change or start},"
                )
                count += 1
        yield f"X{count},A1,X,3,,9,,,"

    def usage(self, units: dict[tuple[str, str], int], codes: dict[str, str]) -> Iterator[str]:
        """Usually one row per client and product, near to what its line bills."""
        for client in "12":
            for sku, product in codes.items():
                for _ in range(int(self.often("1", "0", "2"))):
                    quantity = max(units[client, product] + self.random.randint(-3, 3), 0)
                    yield ",".join(
                        (
                            self.often(f"c{client}", "c3", "stranger"),
                            self.often(sku, "other"),
                            self.often(str(quantity), "", "0"),
                            self.often("2026-11-24", "", "2026-11-20", "2026-12-24"),
                            self.often("", "2026-10-15"),
                            self.often("", "true"),
                            "1.5",
                            self.often("USD", "EUR"),
                        )
                    )
            yield f"c{client},filler,1,,,,,"
        yield "c3,filler,1,,,,,"


worlds = st.integers(0, 2**40).map(lambda seed: _Draw(seed).world())
