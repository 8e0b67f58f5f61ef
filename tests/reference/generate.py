"""Random cases by seed: a mapping and its files as text, from plain choices in a fixed order."""

from __future__ import annotations

import calendar
import csv
import io
import random
from datetime import date, timedelta

AS_OF = date(2026, 11, 25)
MONTHS = {"monthly": 1, "quarterly": 3, "semi_annual": 6, "annual": 12}
ZONES = ["America/Chicago", "Pacific/Auckland", "Europe/Berlin", "UTC"]
PRICES = {
    "USD": ["10", "4.50", "0.333", "12.345", "0"],
    "EUR": ["7.25", "0.005", "19.99"],
    "JPY": ["500", "33.5", "1200"],
    "KWD": ["1.2345", "0.750", "3"],
}
Record = dict[str, object]


def table(records: list[Record], columns: list[str]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue()


def month_later(start: date, months: int) -> date:
    index = start.year * 12 + start.month - 1 + months
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(start.day, calendar.monthrange(year, month)[1]))


class Generator:
    """One case of one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.agreements: list[Record] = []
        self.lines: list[Record] = []
        self.usage: dict[str, list[Record]] = {"v": [], "w": []}
        self.toml: list[str] = []
        self.products: dict[str, dict[str, object]] = {}
        self.line_entries: list[str] = []
        self.exceptions: list[str] = []

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def case(self) -> dict[str, str]:
        pick = self.random.choice
        self.make_products()
        clients = [self.client(f"c{n}") for n in range(1, 2 + self.random.randint(1, 3))]
        self.stranger()
        head = [
            f'timezone = "{pick(ZONES)}"',
            '[psa.main]\nkind = "files"\nagreements = "agreements.csv"\nlines = "lines.csv"',
            '[vendors.v]\nkind = "files"\nusage = "v.csv"',
            '[vendors.w]\nkind = "files"\nusage = "w.csv"',
            '[agreements]\ncloud = { type = ["Cloud"] }',
            'security = { type = ["Security"], fallback = "cloud" }',
            f'[defaults]\nagreement = "cloud"\nusage = "{pick(["now", "now", "now"])}"',
            '[profiles.flat]\ncovered = ["C", "D"]',
            self.guards(),
            self.writes(),
        ]
        self.more_usage()
        self.random.shuffle(self.agreements)
        self.random.shuffle(self.lines)
        usage = ["customer_id", "sku", "quantity", "quantity_kind", "period_start", "period_end"]
        usage += ["as_of", "finality", "line_type", "unit_cost", "amount", "currency", "since"]
        usage += ["commitment_end", "term", "trial", "subscription_id"]
        for records in self.usage.values():
            self.random.shuffle(records)
        return {
            "mapping.toml": "\n".join(
                [*head, *self.toml, *clients, *self.line_entries, *self.exceptions]
            )
            + "\n",
            "agreements.csv": table(
                self.agreements,
                [
                    "agreement_id",
                    "company_id",
                    "currency",
                    "type",
                    "status",
                    "cycle",
                    "timing",
                    "start_date",
                    "end_date",
                    "next_period_start",
                    "prorate",
                    "day_basis",
                    "base_amount",
                    "parent_agreement_id",
                    "bill_to",
                ],
            ),
            "lines.csv": table(
                self.lines,
                [
                    "line_id",
                    "agreement_id",
                    "product",
                    "description",
                    "quantity",
                    "included",
                    "unit_price",
                    "billing",
                    "effective_date",
                    "cancelled_date",
                ],
            ),
            "v.csv": table(self.usage["v"], usage),
            "w.csv": table(self.usage["w"], usage),
        }

    # ---- the mapping -----------------------------------------------------------------------------

    def guards(self) -> str:
        lines = ["[guards]"]
        if self.chance(50):
            lines.append("to_zero = true")
        row = {}
        if self.chance(30):
            row["units"] = str(self.random.choice([3, 8, 40]))
        if self.chance(30):
            row["percent"] = str(self.random.choice([20, 80, 300]))
        if self.chance(20):
            row["money"] = '{ USD = "40", JPY = "3000" }'
        if row:
            lines.append("row = { " + ", ".join(f"{k} = {v}" for k, v in row.items()) + " }")
        lines.append("client = { percent_of_invoice = 100000 }")
        lines.append("run = { rows = 9999, percent_of_invoices = 100000 }")
        return "\n".join(lines)

    def writes(self) -> str:
        fields = [f for f in ("increase", "decrease", "create", "end") if self.chance(60)]
        names = ", ".join(f'"{name}"' for name in fields)
        scope = "all_clients = true" if self.chance(60) else 'clients = ["c1"]'
        return f"[writes]\nfields = [{names}]\n{scope}"

    def make_products(self) -> None:
        for name in "ABCDEF":
            entries = ['{ vendor = "v", sku = "' + name.lower() + '" }']
            lines = []
            if name == "E":
                entries.append('{ vendor = "w", sku = "e2" }')
            if name == "B" and self.chance(50):
                lines.append('also_feeds = ["F"]')
                fed = True
            else:
                fed = False
            if name == "F":
                fed = "F" in self.products.get("B", {}).get("feeds", "")  # type: ignore[operator]
                if fed and self.chance(50):
                    entries = []
            several = len(entries) + (1 if name == "F" and fed else 0) > 1
            if several:
                lines.append(f'combine = "{self.random.choice(["sum", "max", "min"])}"')
            if entries:
                lines.append(f"from = [{', '.join(entries)}]")
            if name in "CE" and self.chance(40):
                lines.append('agreement = "security"')
            if self.chance(30):
                lines.append('price = { USD = "3.75", JPY = "410", KWD = "0.555" }')
            if self.chance(25):
                lines.append('at_zero = "end"')
            if self.chance(40):
                lines.append(f"quantity = [{', '.join(self.rules())}]")
            if self.chance(15):
                lines.append("guards = { units = 2000 }")
            if name == "A":
                choices = ["block", "once", "sum", "latest"]
                lines.append(f'duplicates = "{self.random.choice(choices)}"')
            key = name
            if name == "D":
                lines.append('ids = { main = "D-1" }')
            self.products[name] = {"feeds": "F" if name == "B" and fed else ""}
            self.toml.append(f"[products.{key}]\n" + "\n".join(lines))
        basis = self.random.choice(["service_period", "previous_period"])
        self.toml.append(
            f'[products.G]\nusage = "{basis}"\nfrom = [{{ vendor = "w", sku = "g" }}]\n'
            'price = { USD = "0.02", JPY = "2" }'
        )
        term = self.random.choice(['term = "annual"', 'term = "any"', 'kind = "assigned"'])
        self.toml.append(f'[products.H]\nfrom = [{{ vendor = "w", sku = "h", {term} }}]')
        self.toml.append(
            '[products.I]\nfrom = [{ vendor = "w", sku = "i" }, { vendor = "v", sku = "i" }]\n'
            f'combine = "{self.random.choice(["sum", "max", "min"])}"\nalso_feeds = ["J"]\n'
            "quantity = [{ subtract = 2 }]"
        )
        self.toml.append('[products.J]\nquantity = [{ round = "up" }]\nprice = { EUR = "1.5" }')

    def rules(self) -> list[str]:
        rules = ['{ exclude = "trial" }'] if self.chance(30) else []
        some = [
            "{ add = 2 }",
            "{ minimum = 5 }",
            "{ maximum = 12 }",
            '{ multiply = "1.5" }',
            "{ pack = 5 }",
            '{ round = "up" }',
            '{ round = "down" }',
            '{ round = "nearest" }',
        ]
        return rules + self.random.sample(some, self.random.randint(1, 3))

    # ---- clients ---------------------------------------------------------------------------------

    def client(self, name: str) -> str:
        pick = self.random.choice
        currency = pick(["USD", "USD", "EUR", "JPY", "KWD"])
        root = self.agreement(f"{name}-a", name, currency, "Cloud")
        if self.chance(40):
            self.agreement(f"{name}-b", name, currency, pick(["Security", "Other"]))
        if self.chance(30):
            child = self.agreement(
                f"{name}-k", f"{name}-sub", pick([currency, "USD"]), "Cloud", like=root
            )
            child["parent_agreement_id"] = f"{name}-a"
            if self.chance(40):
                child["bill_to"] = f"{name}-sub"
        if self.chance(8):
            self.agreement(f"{name}-c", name, currency, "Cloud")
        ids = {"v": [f"{name}v"], "w": [f"{name}w"]}
        if self.chance(20):
            ids["v"].append(f"{name}x")
        if self.chance(15):
            del ids["w"]
        for vendor, customers in ids.items():
            for customer in customers:
                self.customer(vendor, customer)
        lines = [f'[[clients]]\nid = "{name}"']
        if self.chance(20):
            lines.append('profile = "flat"')
        if self.chance(10):
            lines.append(f'agreement = {{ security = "{name}-a" }}')
        listed = ", ".join(
            f"{vendor} = {customers if len(customers) > 1 else customers[0]!r}".replace("'", '"')
            for vendor, customers in ids.items()
        )
        lines.append(f"vendors = {{ {listed} }}")
        for product in "ABCD":
            if self.chance(8):
                verb = pick(["add = 2", "add = -1", "set = 7", "ignore = true"])
                last = AS_OF + timedelta(days=pick([-1, 0, 20]))
                self.exceptions.append(
                    f'[[exceptions]]\nclient = "{name}"\nproduct = "{product}"\n{verb}\n'
                    f'reason = "x"\nlast_day = {last}'
                )
        return "\n".join(lines)

    def agreement(
        self, name: str, company: str, currency: str, kind: str, like: Record | None = None
    ) -> Record:
        pick = self.random.choice
        cycle = pick(["monthly"] * 5 + ["quarterly", "semi_annual", "annual", "weekly", "one_time"])
        start = date(2025, pick([1, 8, 10, 12]), pick([1, 1, 15, 28, 30, 31]))
        if cycle in MONTHS:
            months, n = MONTHS[cycle], 0
            while month_later(start, n * months) < AS_OF - timedelta(days=pick([0, 20, 70])):
                n += 1
            following = month_later(start, n * months)
        else:
            following = AS_OF + timedelta(days=self.random.randint(-9, 12))
        record: Record = {
            "agreement_id": name,
            "company_id": company,
            "currency": currency,
            "type": kind,
            "status": pick(["active"] * 8 + [""] * 3 + ["cancelled", "expired"]),
            "cycle": cycle,
            "timing": pick(["advance", "advance", "", "arrears"]),
            "start_date": start if cycle in MONTHS or self.chance(50) else "",
            "end_date": following + timedelta(days=pick([-3, 9, 400])) if self.chance(12) else "",
            "next_period_start": following,
            "prorate": pick(["true", "true", "false", ""]),
            "day_basis": pick(["", "actual", "fixed_30"]) if cycle == "monthly" else "",
            "base_amount": pick(["", "100", "49.5"]) if currency != "JPY" else pick(["", "900"]),
        }
        if like is not None:
            for key in ("cycle", "timing", "start_date", "next_period_start"):
                record[key] = like[key]
            if record["cycle"] != "monthly":
                record["day_basis"] = ""
        self.agreements.append(record)
        for product in ["A", "B", "C", "D-1", "E", "F", "G", "H", "I", "J", "Z"]:
            if self.chance(60 if kind != "Other" else 15):
                self.make_lines(record, product, like is None)
        return record

    def make_lines(self, agreement: Record, product: str, mapped: bool) -> None:
        pick = self.random.choice
        name = f"{agreement['agreement_id']}-{product}"
        start = agreement["next_period_start"]
        assert isinstance(start, date)
        line: Record = {
            "line_id": name,
            "agreement_id": agreement["agreement_id"],
            "product": product,
            "description": f"the {product}",
            "quantity": pick(["5", "8", "10", "20", "2.5", "0"]),
            "included": pick(["", "", "", "", "2", "6"]),
            "unit_price": pick(PRICES[str(agreement["currency"])]),
            "billing": pick(["billable"] * 3 + [""] * 5 + ["no_charge", "do_not_bill"]),
            "effective_date": pick(["", date(2025, 12, 1), date(2026, 9, 17), start]),
        }
        shape = self.random.randrange(100)
        if 8 <= shape < 13 or 17 <= shape < 30:
            line["effective_date"] = pick(["", date(2025, 12, 1)])
        if shape < 5:
            line["quantity"] = ""
        elif shape < 8:
            line["unit_price"] = ""
        elif shape < 13:
            line["cancelled_date"] = start + timedelta(days=pick([-5, 0, 3]))
        elif shape < 17:
            line["effective_date"] = start + timedelta(days=pick([3, 400]))
        self.lines.append(line)
        if 17 <= shape < 30:
            cut = start + timedelta(days=pick([-20, 0, 2, 5]))
            line["cancelled_date"] = cut
            second = line | {"line_id": name + "-2", "effective_date": cut, "cancelled_date": ""}
            second |= {"quantity": pick(["5", "9"]), "unit_price": line["unit_price"]}
            self.lines.append(second)
        elif 30 <= shape < 40:
            second = line | {"line_id": name + "-3", "quantity": pick(["1", "4"])}
            self.lines.append(second)
            client = str(agreement["company_id"])
            if mapped and client != "c99" and self.chance(60) and product in self.products:
                self.line_entries.append(
                    f'[[lines]]\nclient = "{client}"\nproduct = "{product}"\n'
                    f'line = "{pick([name, name + "-3"])}"\nflexible = true'
                )

    # ---- usage -----------------------------------------------------------------------------------

    def customer(self, vendor: str, customer: str) -> None:
        if self.chance(6):
            return
        pick = self.random.choice
        self.record(vendor, customer, "other", pick(["0", "3", ""]))
        for sku in "abcdef" if vendor == "v" else ["e2"]:
            if self.chance(10):
                continue
            quantity = pick(["5", "8", "9", "10", "11", "12", "20", "2.5", "0", "60"])
            if self.chance(5):
                quantity = ""
            record = self.record(vendor, customer, sku, quantity)
            if sku == "a" and self.chance(40):
                second = self.record(vendor, customer, sku, pick([quantity, "4"]))
                for key in ("amount", "unit_cost", "currency", "since", "commitment_end"):
                    second[key] = record.get(key, "")
                second["as_of"] = pick([record["as_of"], "2026-11-10T08:00:00Z"])
            elif self.chance(15):
                second = self.record(vendor, customer, sku, "1")
                second["subscription_id"] = "s2"
            if self.chance(8):
                second = self.record(vendor, customer, sku, "7")
                second["line_type"] = pick(["prorate", "credit", "tax", "one_time", "fee", "usage"])
                second["subscription_id"] = "s3"

    def record(self, vendor: str, customer: str, sku: str, quantity: str) -> Record:
        pick = self.random.choice
        record: Record = {
            "customer_id": customer,
            "sku": sku,
            "quantity": quantity,
            "quantity_kind": "",
            "as_of": pick(["2026-11-24", "2026-11-25T03:00:00Z", "2026-11-20T23:30:00Z"]),
            "line_type": pick(["", "recurring"]),
            "since": pick(["", "", "2026-09-17", "2026-11-02", "2026-11-25"]),
            "commitment_end": pick(["", "", "", "2026-12-10", "2027-06-01"]),
            "trial": pick(["", "", "false", "true"]),
        }
        if self.chance(5):
            record["as_of"] = "2026-11-25T23:30:00Z"
        if self.chance(50):
            record |= {"amount": pick(["80", "12.5"]), "currency": pick(["USD", "EUR"])}
        elif self.chance(50):
            record |= {"unit_cost": "2.25", "currency": "USD"}
        self.usage[vendor].append(record)
        return record

    def more_usage(self) -> None:
        """Metered periods, terms and kinds of vendor w, and a SKU that both vendors have."""
        pick = self.random.choice
        for agreement in [a for a in self.agreements if str(a["agreement_id"]).endswith("-a")]:
            customer = f"{agreement['company_id']}w"
            if not any(r["customer_id"] == customer for r in self.usage["w"]):
                continue
            start = agreement["next_period_start"]
            assert isinstance(start, date)
            cycle = str(agreement["cycle"])
            if self.chance(70) and cycle in MONTHS:
                self.metered(customer, agreement, MONTHS[cycle])
            for term in ("annual", "monthly", ""):
                if self.chance(45):
                    record = self.record("w", customer, "h", pick(["4", "8", "9"]))
                    record["term"] = term
                    record["quantity_kind"] = pick(["", "assigned", "assigned", "entitlement"])
            if self.chance(70):
                self.record("w", customer, "i", pick(["8", "9", "12"]))
            if self.chance(70) and any(
                r["customer_id"] == f"{agreement['company_id']}v" for r in self.usage["v"]
            ):
                self.record("v", f"{agreement['company_id']}v", "i", pick(["3", "9", "12"]))

    def metered(self, customer: str, agreement: Record, months: int) -> None:
        pick = self.random.choice
        begin, nominal = agreement["next_period_start"], agreement["start_date"]
        assert isinstance(begin, date) and isinstance(nominal, date)
        n = 0
        while month_later(nominal, n * months) < begin:
            n += 1
        at = pick([-1, -1, 0])
        start = month_later(nominal, (n + at) * months)
        end = month_later(nominal, (n + at + 1) * months)
        cut = start + timedelta(days=pick([5, 10]))
        shapes = [[(start, end)], [(start, cut), (cut, end)]]
        shapes += [[(start, cut), (cut + timedelta(days=1), end)], [(start, cut)]]
        finality = pick(["final", "final", "provisional", ""])
        kind = pick(["metered_total", "metered_total", "metered_total", "metered_peak", ""])
        for first, until in pick(shapes[:2] * 3 + shapes):
            record = self.record("w", customer, "g", pick(["3", "5", "120.5"]))
            record |= {"period_start": first, "period_end": until, "finality": finality}
            record |= {"quantity_kind": kind, "since": ""}

    def stranger(self) -> None:
        """A company and a customer that the mapping does not name."""
        if self.chance(50):
            self.agreement("z-a", "c99", "USD", "Cloud")
        if self.chance(50):
            self.record("v", "stranger", "a", self.random.choice(["0", "6"]))


def generate(seed: int) -> dict[str, str]:
    """File name -> text. The same seed gives the same case."""
    return Generator(seed).case()
