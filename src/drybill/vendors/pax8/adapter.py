"""Pax8's reader: which calls each measure needs, and what they say together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

from msgspec import Struct

from drybill import plugins
from drybill.billing.money import EXACT
from drybill.billing.usage import Finality, Receipt, UsageRecord
from drybill.transport.auth import TokenCall, fetch_all
from drybill.transport.client import Client
from drybill.transport.errors import NotFound
from drybill.transport.limits import Limits
from drybill.transport.paging import PageNumber
from drybill.transport.progress import current
from drybill.transport.together import together
from drybill.transport.values import day
from drybill.transport.wall import Operation
from drybill.vendors.pax8 import wire
from drybill.vendors.pax8.records import (
    TYPES,
    differences,
    of_item,
    of_subscription,
    of_usage,
    term_of,
)
from drybill.vendors.pax8.settings import Measure, Settings
from drybill.vendors.port import Usage

_ID = r"[0-9A-Za-z-]+"
READS = (
    Operation("POST", r"/v1/token"),  # gives a token and changes nothing
    Operation("GET", r"/v1/companies"),
    Operation("GET", rf"/v1/products/{_ID}"),
    Operation("GET", r"/v1/subscriptions"),
    Operation("GET", rf"/v1/subscriptions/{_ID}/usage-summaries"),
    Operation("GET", rf"/v1/usage-summaries/{_ID}/usage-lines"),
    Operation("GET", r"/v1/invoices"),
    Operation("GET", rf"/v1/invoices/{_ID}/items"),
    Operation("GET", r"/v1/invoices/draftItems"),
)
PAGES = PageNumber(rows=200, start=0, total=("page", "totalElements"), pages=("page", "totalPages"))
_LABELS = {
    "subscriptions": "subscriptions",
    "draft": "draft of the next invoice",
    "invoice": "last invoice",
    "usage": "metered usage of the month",
}
_LOOK_BACK = 7  # days within which a metered product has a daily total
_SHOWN = 5
_CENT = Decimal("0.01")


class Pax8(Struct, frozen=True):
    """`[vendors.NAME]` with `kind = "pax8"`."""

    name: str
    settings: Settings
    client: Client
    kind: str = "pax8"
    online: bool = True

    def session(self) -> AbstractAsyncContextManager[object]:
        return self.client.open()

    async def read(self) -> Usage:
        """All companies, and what the measure says of each. Raises HttpError."""
        companies = await self.client.rows(
            "/v1/companies", wire.Company, PAGES, rows_at="content", id_of=_id, what="companies"
        )
        listed = {each.id: each.name or "" for each in companies if each.status != "Deleted"}
        said_at = self.client.said_at
        reading = _Reading(self.name, self.settings, self.client, listed, said_at)
        records = await reading.measure(self.settings.measure)
        problems = list(reading.problems)
        denied = (reading.unnamed(records) | reading.unplaced) & listed.keys()
        if self.settings.compare is not None:  # which stands beside it, and changes nothing
            others = await reading.measure(self.settings.compare)
            problems += _compared(records, others, self.settings)
        counted = ""
        if self.settings.measure == "subscriptions":
            counted = f" ({', '.join(self.settings.statuses)})"
        return Usage(
            records,
            Receipt(
                source=self.name,
                kind=self.kind,
                measure=_LABELS[self.settings.measure] + counted,
                complete=reading.complete,
                records=len(records),
                customers=frozenset(listed),
                denied=denied,
                as_of=said_at,
                live=True,
                names=tuple(sorted(listed.items())),
                product_names=tuple(
                    sorted({r.sku: r.product_name for r in records if r.sku}.items())
                ),
                problems=tuple(problems),
            ),
        )


class _Reading:
    """One run's reading; products are asked for once, whoever needs them."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        client: Client,
        companies: Mapping[str, str],
        said_at: datetime | None,
    ) -> None:
        self._name, self._settings, self._client = name, settings, client
        self._companies, self._said_at = companies, said_at
        self._today = (said_at or datetime.now(UTC)).date()
        self._products: dict[str, wire.Product | None] = {}
        self._subscriptions: list[wire.Subscription] | None = None
        self.problems: list[str] = []
        # Customers with rows of which nobody knows whether or where they count: none of theirs
        # may go down.
        self.unplaced: set[str] = set()
        self.complete = True  # False: what the measure is made of is not there yet

    async def measure(self, measure: Measure) -> list[UsageRecord]:
        if measure == "subscriptions":
            return await self._seats()
        if measure == "usage":
            return await self._usage()
        items = await (self._draft() if measure == "draft" else self._invoice())
        await self._know(each.productId for each in items)
        self._check_sums(items, measure)
        self._unplace("items", "type", [each for each in items if each.type not in TYPES])
        seats = [each for each in items if each.type == "subscription"]
        self._unplace("items", "term", [each for each in seats if not each.term])
        finality = Finality.PROVISIONAL if measure == "draft" else Finality.FINAL
        return [
            of_item(
                self._name,
                each,
                self._products.get(each.productId or ""),
                finality,
                self._said_at,
            )
            for each in items
        ]

    def _unplace(
        self, what: str, lacks: str, rows: Iterable[wire.Subscription | wire.Item]
    ) -> None:
        """Notes rows without a field, or with a word in it, by which they would be placed."""
        odd = [each for each in rows if each.quantity != 0]
        if odd:
            self.unplaced |= {each.companyId for each in odd}
            who = sorted({self._companies.get(each.companyId, each.companyId) for each in odd})
            named = ", ".join(who[:_SHOWN]) + (", ..." if len(who) > _SHOWN else "")
            says = f"{len(odd)} {what} have no {lacks} that is known: their customers are unknown"
            self.problems.append(f"{says} ({named})")

    def unnamed(self, records: Iterable[UsageRecord]) -> frozenset[str]:
        """Customers with units of a product that Pax8 tells nothing about: whose SKU it is nobody
        knows, so that none of theirs may go down."""
        gone = {id for id, product in self._products.items() if product is None or not product.sku}
        return frozenset(
            r.customer_id
            for r in records
            if r.line_type.counts and not r.sku and r.product_id in gone and r.quantity != 0
        )

    async def _seats(self) -> list[UsageRecord]:
        subscriptions = await self._listed()
        await self._know(each.productId for each in subscriptions)
        lasting = [each for each in subscriptions if each.status != "Cancelled"]
        self._unplace("subscriptions", "term", [each for each in lasting if not term_of(each)])
        statuses = frozenset(self._settings.statuses)
        records = [
            of_subscription(
                self._name,
                each,
                self._products.get(each.productId),
                self._companies.get(each.companyId, ""),
                statuses,
                self._said_at,
            )
            for each in subscriptions
        ]
        others = Counter(
            each.status or "no status"
            for each in subscriptions
            if each.status not in statuses and each.status not in ("Cancelled", "Trial")
        )
        trials = sum(record.trial for record in records)
        self.problems += [
            f"{number} subscriptions are {status}: their quantity is unknown"
            for status, number in sorted(others.items())
        ]
        if trials:
            self.problems.append(f"{trials} trial subscriptions are left out")
        return records

    async def _listed(self) -> list[wire.Subscription]:
        if self._subscriptions is None:
            self._subscriptions = await self._client.rows(
                "/v1/subscriptions",
                wire.Subscription,
                PAGES,
                rows_at="content",
                id_of=_id,
                what="pages of subscriptions",
            )
        return self._subscriptions

    async def _know(self, ids: Iterable[str | None]) -> None:
        """Asks for products that are not known yet: only they tell the SKUs."""
        wanted = sorted({id for id in ids if id} - self._products.keys())
        told, done = current(), 0

        async def one(id: str) -> None:
            nonlocal done
            try:
                answer = await self._client.get(f"/v1/products/{id}")
                self._products[id] = answer.decode(wire.Product)
            except NotFound:  # it is sold no more
                self._products[id] = None
            done += 1
            told.done(self._name, "products", done, len(wanted))

        await together(map(one, wanted))

    async def _draft(self) -> list[wire.Item]:
        """The next bill as Pax8 sees it now; metered products in arrears are not in it."""
        return await self._items("/v1/invoices/draftItems", {"monthOffset": "1"})

    async def _invoice(self) -> list[wire.Item]:
        """The items of the newest month whose invoices, neither voided nor credited, bill seats.

        An invoice of another day, for a single order, stands beside the monthly one.
        """
        since = (self._today - timedelta(days=62)).isoformat()
        invoices = await self._client.rows(
            "/v1/invoices",
            wire.Invoice,
            PAGES,
            rows_at="content",
            params={"invoiceDateRangeStart": since},
            id_of=_id,
            what="invoices",
        )
        valid = [each for each in invoices if each.status not in ("Void", "Credited")]
        months: dict[str, list[str]] = {}
        for each in valid:
            months.setdefault((each.invoiceDate or "")[:7], []).append(each.id)
        for month in sorted(months, reverse=True):
            items: list[wire.Item] = []
            for id in sorted(months[month]):
                items += await self._items(f"/v1/invoices/{id}/items", {})
            if any(item.type == "subscription" for item in items):
                return items
        self.problems.append(f"no invoice with seats since {since}")
        self.complete = False
        return []

    async def _items(self, path: str, params: Mapping[str, str]) -> list[wire.Item]:
        numbers = count()
        return await self._client.rows(
            path,
            wire.Item,
            PAGES,
            rows_at="content",
            params=params,
            id_of=lambda each: each.id or f"#{next(numbers)}",  # draft items have no id
            what="pages of items",
        )

    async def _usage(self) -> list[UsageRecord]:
        """Each metered subscription's newest daily total of the month."""
        statuses = frozenset(self._settings.statuses)
        wanted = [each for each in await self._listed() if each.status in statuses]
        await self._know(each.productId for each in wanted)
        told, done = current(), 0

        async def one(subscription: wire.Subscription) -> list[UsageRecord]:
            nonlocal done
            summaries = await self._client.rows(
                f"/v1/subscriptions/{subscription.id}/usage-summaries",
                wire.UsageSummary,
                PAGES,
                rows_at="content",
                id_of=_id,
            )
            found = [record for each in summaries for record in await self._newest(each)]
            done += 1
            told.done(self._name, "subscriptions", done, len(wanted))
            return found

        lists = await together(map(one, wanted))
        return [record for records in lists for record in records]

    async def _newest(self, summary: wire.UsageSummary) -> list[UsageRecord]:
        """The total of the running month and, while that is young, of the one before.

        A month of whose last days none has a total has one that nobody knows.
        """
        today, first = self._today, self._today.replace(day=1)
        months = [(first, today)]
        if today.day <= _LOOK_BACK:
            last = first - timedelta(days=1)
            months.append((last.replace(day=1), last))
        found: list[UsageRecord] = []
        for start, end in months:
            lines = await self._total(summary, start, end)
            await self._know(each.productId or summary.productId for each in lines)
            known = {id: product for id, product in self._products.items() if product}
            company = self._companies.get(summary.companyId, "")
            found += [
                of_usage(self._name, summary, each, start, known, company, self._said_at)
                for each in lines
            ]
        return found

    async def _total(
        self, summary: wire.UsageSummary, start: date, end: date
    ) -> list[wire.UsageLine]:
        """The lines of the newest day that has some, or one without a number."""
        for back in range(min(_LOOK_BACK, (end - start).days + 1)):
            when = end - timedelta(days=back)
            numbers = count()
            lines = await self._client.rows(
                f"/v1/usage-summaries/{summary.id}/usage-lines",
                wire.UsageLine,
                PAGES,
                rows_at="content",
                params={"usageDate": when.isoformat()},
                id_of=lambda each, numbers=numbers: f"{each.productId}#{next(numbers)}",  # type: ignore[misc]
            )
            newest = max((day(each.usageDate) or date.min for each in lines), default=None)
            lines = [each for each in lines if (day(each.usageDate) or date.min) == newest]
            if lines:
                return lines
        return [wire.UsageLine(productId=summary.productId)]

    def _check_sums(self, items: Iterable[wire.Item], measure: Measure) -> None:
        wrong = [
            each
            for each in items
            if each.cost is not None
            and each.quantity is not None
            and each.costTotal is not None
            and abs(EXACT.subtract(EXACT.multiply(each.cost, each.quantity), each.costTotal))
            > _CENT
        ]
        if wrong:
            named = ", ".join(sorted({each.sku or "?" for each in wrong})[:_SHOWN])
            says = f"{len(wrong)} items of the {_LABELS[measure]} are not cost x quantity: {named}"
            self.problems.append(says)


def open_vendor(name: str, settings: Mapping[str, object], base: Path) -> Pax8:
    """Asks nothing yet. Raises InputError for settings that are wrong."""
    checked = plugins.check_settings(Settings, f"vendors.{name}", settings)

    def auth() -> TokenCall:
        keys = {
            "client_id": checked.credentials.client_id,
            "client_secret": checked.credentials.client_secret,
        }
        client_id, client_secret = fetch_all(keys, base, f"vendors.{name}")
        fields = {
            "client_id": client_id,
            "client_secret": client_secret,
            "audience": "https://api.pax8.com",
            "grant_type": "client_credentials",
        }
        return TokenCall(f"{checked.url}/v1/token", fields, ("client_id", "client_secret"))

    limits = Limits(at_once=checked.at_once, requests=checked.requests_per_minute)
    return Pax8(name, checked, Client(name, checked.url, READS, auth=auth, limits=limits))


def _compared(
    records: list[UsageRecord], others: list[UsageRecord], settings: Settings
) -> list[str]:
    other = settings.compare or settings.measure
    told = differences(records, others, _LABELS[settings.measure], _LABELS[other])
    if not told:
        return [f"compared with the {_LABELS[other]}: the same everywhere"]
    more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    says = f"compared with the {_LABELS[other]}: {len(told)} differ: "
    return [says + "; ".join(told[:_SHOWN]) + more]


def _id(row: wire.Company | wire.Subscription | wire.Invoice | wire.UsageSummary) -> str:
    return row.id
