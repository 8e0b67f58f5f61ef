"""What the vendors say: which records count, and what the mapping makes of their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from .signed import (
    Agreement,
    Json,
    day,
    number,
)

METERED = {"metered_total", "metered_peak", "metered_average"}


class Unclear(Exception):
    """No number: bucket (unknown or blocked) and reason code."""

    def __init__(self, bucket: str, code: str) -> None:
        super().__init__(bucket, code)
        self.bucket, self.code = bucket, code


@dataclass
class Count:
    value: Fraction
    lower_bound: bool = False
    why: str = "ABSENT_ONCE"  # it is one
    final: bool = True
    committed: date | None = None
    began: list[date | None] = field(default_factory=list)

    @property
    def since(self) -> date | None:
        """A sum is as young as its youngest part, and of unknown age if one part is."""
        if None in self.began or not self.began:
            return None
        return max(began for began in self.began if began)


@dataclass
class World:
    """The mapping and the files of one case, as of one day."""

    mapping: Json
    agreements: dict[str, Agreement]
    usage: dict[str, list[dict[str, str]]]
    clients: dict[str, Json]
    today: date
    rows: Mapping[str, tuple[str, str]]

    def observed(self, record: dict[str, str]) -> date | None:
        text = record.get("as_of") or ""
        if len(text) <= 10:
            return day(text)
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return moment.astimezone(ZoneInfo(self.mapping["timezone"])).date()

    def code(self, product: str) -> str:
        ids = self.mapping["products"][product].get("ids", {})
        return str(ids.get("main", product))

    def product_of(self, code: str) -> str | None:
        return next((p for p in self.mapping["products"] if self.code(p) == code), None)

    def covered(self, client: Json) -> list[str]:
        profile = self.mapping.get("profiles", {}).get(client.get("profile", ""), {})
        return [str(name) for name in profile.get("covered", [])]

    def givers(self, product: str) -> list[str]:
        return [
            name
            for name, table in self.mapping["products"].items()
            if product in table.get("also_feeds", [])
        ]

    def vendors(self, product: str) -> set[str]:
        names = {entry["vendor"] for entry in self.mapping["products"][product].get("from", [])}
        for giver in self.givers(product):
            names |= self.vendors(giver)
        return names


def entry_code(entry: Json) -> str:
    return str(entry.get("sku") or entry.get("vendor_sku") or entry.get("product_id"))


def customer_ids(client: Json, vendor: str) -> list[str]:
    ids = client.get("vendors", {}).get(vendor, [])
    return [str(ids)] if isinstance(ids, str | int) else [str(i) for i in ids]


def is_quantity(record: dict[str, str]) -> bool:
    """Only recurring and usage rows are quantities."""
    return (record.get("line_type") or "recurring") in ("recurring", "usage")


def is_seen(world: World, record: dict[str, str]) -> bool:
    seen = world.observed(record)
    return seen is None or seen <= world.today


def of_entry(entry: Json, record: dict[str, str]) -> bool:
    """Whether the record is of the entry's product: the term is part of its key, the kind not."""
    return record["sku"] == entry_code(entry) and (
        entry.get("term", "any") in ("any", record.get("term") or "")
    )


def uses(world: World, client: Json, product: str) -> Iterator[dict[str, str]]:
    """The product's own records of the client."""
    for entry in world.mapping["products"][product].get("from", []):
        for record in world.usage[entry["vendor"]]:
            if record["customer_id"] in customer_ids(client, entry["vendor"]) and (
                of_entry(entry, record) and is_quantity(record)
            ):
                yield record


def excludes_trial(world: World, product: str) -> bool:
    return {"exclude": "trial"} in world.mapping["products"][product].get("quantity", [])


def used(world: World, client: Json, product: str, *, blocked: bool) -> bool:
    """Whether any vendor lists a unit of the product for the client, known or not.

    What a feed may not count yet is no use of the receiver, unless a person must decide anyway.
    """
    return any(uses(world, client, product)) or any(
        blocked
        or (
            is_seen(world, record)
            and (record.get("trial") != "true" or not excludes_trial(world, giver))
        )
        for giver in world.givers(product)
        for record in uses(world, client, giver)
    )


def period_rows(records: list[dict[str, str]], start: date, end: date) -> list[dict[str, str]]:
    """The rows of exactly this period, else totals that tile it."""
    wanted = (start.isoformat(), end.isoformat())
    exact = [r for r in records if (r["period_start"], r["period_end"]) == wanted]
    if exact:
        return exact
    parts = [
        r
        for r in records
        if r.get("quantity_kind") == "metered_total"
        and wanted[0] <= (r["period_start"] or "") < (r["period_end"] or "") <= wanted[1]
    ]
    return parts if tiles(parts, start, end) else []


def tiles(records: list[dict[str, str]], start: date, end: date) -> bool:
    periods = sorted((r["period_start"], r["period_end"]) for r in records)
    at = start.isoformat()
    for first, until in periods:
        if first != at:
            return False
        at = until
    return at == end.isoformat()


def identity(record: dict[str, str]) -> tuple[str, ...]:
    names = ("customer_id", "term", "subscription_id", "quantity_kind", "period_start")
    return tuple(record.get(name) or "" for name in (*names, "period_end"))


def latest_of(
    records: list[dict[str, str]], how: str, found: list[Unclear]
) -> list[dict[str, str]]:
    """Older rows of one identity are superseded; equals count as `duplicates` says."""
    kept = []
    for key in sorted({identity(record) for record in records}):
        same = [record for record in records if identity(record) == key]
        newest = max((r.get("as_of") or "" for r in same), default="")
        if all(r.get("as_of") for r in same):
            same = [r for r in same if r["as_of"] == newest]
        if len(same) > 1 and how != "sum":
            if how == "block" or len({number(r["quantity"]) for r in same}) > 1:
                found.append(Unclear("blocked", "DUPLICATE_USAGE"))
            same = same[:1]
        kept += same
    return kept


def count_entry(
    world: World,
    client: Json,
    product: str,
    entry: Json,
    agreement: Agreement,
    found: list[Unclear],
) -> Count | None:
    """One `from` entry of one client; None where the vendor lists no such SKU."""
    table = world.mapping["products"][product]
    basis = table.get("usage", world.mapping.get("defaults", {}).get("usage", "now"))
    ids = customer_ids(client, entry["vendor"])
    records = []
    missing, bounded = 0, False
    for customer in ids:
        listed = [r for r in world.usage[entry["vendor"]] if r["customer_id"] == customer]
        own = [r for r in listed if of_entry(entry, r) and is_quantity(r)]
        right = [r for r in own if entry.get("kind") in (None, r.get("quantity_kind"))]
        now = [r for r in right if is_seen(world, r)]
        if not listed:
            found.append(Unclear("unknown", "CUSTOMER_NOT_LISTED"))
        elif not own:
            missing += 1
        elif not right:
            found.append(Unclear("unknown", "QUANTITY_UNKNOWN"))
        elif not now:
            found.append(Unclear("unknown", "FUTURE_USAGE"))
        if right and "kind" in entry and any(not r.get("quantity_kind") for r in own):
            bounded = True  # units of nobody knows which kind
        if {identity(r)[:4] for r in right} != {identity(r)[:4] for r in now}:
            bounded = True  # of some subscriptions only a later day is known
        records += now
    if missing == len(ids):
        return None
    if excludes_trial(world, product):
        records = [r for r in records if r.get("trial") != "true"]
    if "term" not in entry and len({r.get("term") or "" for r in records}) > 1:
        found.append(Unclear("blocked", "TERM_AMBIGUOUS"))
    if len({r.get("quantity_kind") or "" for r in records}) > 1:
        found.append(Unclear("blocked", "KIND_AMBIGUOUS"))
    records = latest_of(records, table.get("duplicates", "block"), found)
    fitting = []
    for customer in sorted({r["customer_id"] for r in records}):
        own = [r for r in records if r["customer_id"] == customer]
        if basis == "now":
            today = world.today.isoformat()
            own = [
                r
                for r in own
                if not r.get("period_start") or r["period_start"] <= today < r["period_end"]
            ]
        else:
            n = 0 if basis == "service_period" else -1
            own = period_rows(own, agreement.begin(n), agreement.begin(n + 1))
        if not own:
            found.append(Unclear("unknown", "USAGE_PERIOD_MISMATCH"))
        fitting += own
    if any(not r["quantity"] for r in fitting):
        found.append(Unclear("unknown", "QUANTITY_UNKNOWN"))
    return Count(
        value=sum((number(r["quantity"]) or Fraction(0) for r in fitting), Fraction(0)),
        lower_bound=bounded or missing > 0,
        why="LOWER_BOUND" if bounded else "ABSENT_ONCE",
        final=all(
            r.get("quantity_kind") not in METERED or r.get("finality") == "final" for r in fitting
        ),
        committed=max((day(r.get("commitment_end")) or date.min for r in fitting), default=None),
        began=[day(r.get("since")) for r in fitting],
    )


def count_sum(
    world: World, client: Json, product: str, agreement: Agreement, found: list[Unclear]
) -> Count | None:
    """All sources and feeds after exceptions, before the product's rules; None: no such SKU."""
    table = world.mapping["products"][product]
    parts: list[Count | None] = []
    began: list[date | None] = []
    for entry in table.get("from", []):
        if customer_ids(client, entry["vendor"]):
            parts.append(count_entry(world, client, product, entry, agreement, found))
    for giver in world.givers(product):
        if any(customer_ids(client, vendor) for vendor in world.vendors(giver)):
            part = count_sum(world, client, giver, agreement, found)
            if part is None:
                began.append(None)
            else:
                part.began = [part.since]
            parts.append(part)
    if exceptions_of(world, client, product, past=True):
        found.append(Unclear("blocked", "EXCEPTION_EXPIRED"))
    known = [part for part in parts if part is not None]
    how = table.get("combine", "sum")
    if not known:
        return None
    bounded = len(known) < len(parts) or any(part.lower_bound for part in known)
    if how == "min" and len(parts) > 1 and bounded:
        absent = len(known) < len(parts) or all(p.why == "ABSENT_ONCE" for p in known)
        found.append(Unclear("unknown", "ABSENT_ONCE" if absent else "LOWER_BOUND"))
    values = [part.value for part in known]
    count = Count(
        value={"sum": sum(values, Fraction(0)), "max": max(values), "min": min(values)}[how],
        lower_bound=bounded,
        why="LOWER_BOUND" if any(part.why == "LOWER_BOUND" for part in known) else "ABSENT_ONCE",
        final=all(part.final for part in known),
        committed=max(part.committed or date.min for part in known),
        began=began + [day for part in known for day in part.began],
    )
    for exception in exceptions_of(world, client, product):
        if "set" in exception:
            count.value, count.lower_bound = Fraction(exception["set"]), False
        elif "add" in exception:
            count.value += Fraction(exception["add"])
            if count.value < 0 and not found:
                found.append(Unclear("blocked", "NEGATIVE_QUANTITY"))
    return count


def count_of(world: World, client: Json, product: str, agreement: Agreement) -> Count:
    """The quantity of the line, by the product's rules. Raises Unclear: blocked before unknown."""
    found: list[Unclear] = []
    count = count_sum(world, client, product, agreement, found)
    if found:
        raise min(found, key=lambda unclear: unclear.bucket)
    if count is None:
        raise Unclear("unknown", "ABSENT_ONCE")
    count.value = apply_rules(count.value, world.mapping["products"][product].get("quantity", []))
    if count.value < 0:
        raise Unclear("blocked", "NEGATIVE_QUANTITY")
    return count


def exceptions_of(world: World, client: Json, product: str, *, past: bool = False) -> list[Json]:
    return [
        exception
        for exception in world.mapping.get("exceptions", [])
        if str(exception["client"]) == str(client["id"])
        and exception["product"] == product
        and (exception["last_day"] < world.today) == past
    ]


def whole(value: Fraction, how: str) -> Fraction:
    down = Fraction(value.numerator // value.denominator)
    if how == "down" or value == down:
        return down
    if how == "up":
        return down + 1
    return down + 1 if value - down >= Fraction(1, 2) else down


def apply_rules(value: Fraction, rules: list[Json]) -> Fraction:
    for rule in rules:
        if "pack" in rule:
            size = Fraction(rule["pack"])
            value = whole(value / size, rule.get("round", "up")) * size
        elif "add" in rule:
            value += Fraction(rule["add"])
        elif "subtract" in rule:
            value = max(value - Fraction(rule["subtract"]), Fraction(0))
        elif "multiply" in rule:
            value *= Fraction(rule["multiply"])
        elif "minimum" in rule:
            value = max(value, Fraction(rule["minimum"]))
        elif "maximum" in rule:
            value = min(value, Fraction(rule["maximum"]))
        elif "round" in rule:
            value = whole(value, rule["round"])
    return value
