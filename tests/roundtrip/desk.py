"""What a scenario works with: one database, a mapping that leads to it, and both sides' words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from fault_proxy import Proxy
from tryton_server import DATABASE, Office, Server

from command import Said, drybill, undone

MAPPING = """\
timezone = "UTC"

[psa.main]
kind = "tryton"
url = "{url}"
database = "{database}"
credentials = {{ key = "env:ROUNDTRIP_KEY" }}

[vendors.usage]
kind = "files"
usage = "usage.csv"

[products."CFQ7TTC0LCHC"]
from = [{{ vendor = "usage", sku = "m365" }}]
price = {{ USD = "22.00", EUR = "20.50" }}

[products."HUNTRESS-EDR"]
from = [{{ vendor = "usage", sku = "edr" }}]
price = {{ USD = "4.50", EUR = "4.125" }}
at_zero = "end"

[products.SUPPORT]
from = [{{ vendor = "usage", sku = "hours" }}]
price = {{ USD = "80.00", EUR = "80.00" }}

{clients}
[guards]
to_zero = true
row = {{ units = 1000, percent = 10000 }}
client = {{ percent_of_invoice = 9999 }}
run = {{ rows = 99, percent_of_invoices = 9999 }}

[writes]
fields = ["increase", "decrease", "create", "end"]
all_clients = true
"""
# What the vendor says of clients that are left as they are.
IN_STEP: dict[str, dict[str, str]] = {
    "Contoso Dental": {"m365": "25", "edr": "31"},
    "Fabrikam Legal": {"m365": "12", "edr": "12"},
    "Woodgrove Clinic": {"m365": "7", "hours": "2.5"},
}


@dataclass(frozen=True)
class Desk:
    folder: Path
    server: Server
    ids: dict[str, Any]
    office: Office
    proxy: Proxy
    next_invoice: str  # its date

    @property
    def mapping(self) -> str:
        return str(self.folder / "mapping.toml")

    def write_mapping(self) -> None:
        clients = "\n".join(
            f'[[clients]]\nid = {each["party"]}\nname = "{name}"\n'
            f'vendors = {{ usage = "{name}" }}\n'
            for name, each in self.ids.items()
        )
        text = MAPPING.format(url=self.proxy.url, database=DATABASE, clients=clients)
        Path(self.mapping).write_text(text, "utf-8")

    def usage(self, **moved: dict[str, str]) -> None:
        """What the vendor counts: everybody in step, but for the clients by their first word."""
        rows = ["customer_id,sku,quantity"]
        for client, skus in IN_STEP.items():
            for sku, quantity in {**skus, **moved.get(client.split()[0].lower(), {})}.items():
                rows.append(f"{client},{sku},{quantity}")
        (self.folder / "usage.csv").write_text("\n".join(rows) + "\n", "utf-8")

    def sign(self, client: str, **order: Any) -> None:
        """One more client, and the only one that the mapping knows."""
        found = self.office.ask("sign", DATABASE, client=client, **order)
        self.ids.clear()
        self.ids[client] = found[client]
        self.write_mapping()

    def line(self, client: str, code: str) -> str:
        id: str = self.ids[client]["lines"][code]
        return id

    def subscription(self, client: str) -> str:
        id: str = self.ids[client]["subscription"]
        return id

    # drybill's side

    def diff(self, *words: str) -> dict[str, Any]:
        said = drybill("diff", self.mapping, "--format", "json", "--all", *words)
        assert said.out, said.err
        found: dict[str, Any] = json.loads(said.out)
        return found

    def rows(self) -> dict[str, dict[str, Any]]:
        """By line id; a line to create by its product."""
        return {
            row["line_id"] or row["product"]: row
            for invoice in self.diff()["invoices"]
            for row in invoice["lines"]
        }

    def predicted(self, which: str = "after") -> dict[str, tuple[str, str, str]]:
        """What drybill says of the next invoices, all of them known: client -> currency, date,
        amount."""
        invoices = self.diff()["invoices"]
        assert [each["client"] for each in invoices if each["unknown_lines"]] == []
        return {
            each["client"]: (each["currency"], each["invoice_date"], each[which])
            for each in invoices
        }

    def plan(self, *words: str) -> str:
        digest: str = self.diff(*words)["run"]["plan_digest"]
        return digest

    def apply(self, plan: str | None = None, *words: str) -> Said:
        return drybill("diff", self.mapping, "--plan", plan or self.plan(), "--apply", *words)

    def undo(self, run: str) -> Said:
        return undone(run)

    # Tryton's side

    def bill(self, how: str = "bill", day: str = "") -> dict[str, tuple[str, str, str]]:
        """Tryton's own invoices: client -> currency, date, amount."""
        made = self.office.ask(how, DATABASE, day=day or self.next_invoice)
        return {
            client: (each["currency"], each["date"], str(Decimal(each["total"])))
            for client, each in made.items()
        }

    def tryton(self) -> dict[str, dict[str, Any]]:
        """Tryton's lines as they stand, by id."""
        found: dict[str, dict[str, Any]] = self.office.ask("look", DATABASE)
        return found

    def ask(self, do: str, **order: Any) -> Any:
        """Whatever else `office.py` knows."""
        return self.office.ask(do, DATABASE, **order)

    def edit(self, line: str, **values: Any) -> None:
        self.office.ask("edit", DATABASE, line=line, **values)
