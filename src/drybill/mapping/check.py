"""What must hold between the entries of a mapping: nothing overlaps, contradicts or goes round."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from drybill.billing.policy import Client, Policy, Product, UsageException, VendorKey
from drybill.mapping.findings import Findings


def check(policy: Policy, clients: Iterable[Client], named: set[str], findings: Findings) -> None:
    """Reports contradictions. `named` are all product keys, those with mistakes included."""
    products = policy.products
    _units(products, findings)
    _product_ids(products, findings)
    whole = set(products) == named
    _inputs(products, whole, findings)
    feeds = {key: product.also_feeds for key, product in products.items()}
    for key, ring in _rings(feeds):
        where = products[key].path + ".also_feeds"
        findings.at("feed-cycle", where, f"the feeds go round: {ring}", "drop one of them")
    fallbacks = {
        name: (role.fallback,) if role.fallback else () for name, role in policy.roles.items()
    }
    for name, ring in _rings(fallbacks):
        where = policy.roles[name].path + ".fallback"
        findings.at("fallback-cycle", where, f"the fallbacks go round: {ring}", "drop one of them")
    _rules(products, findings)
    _clients(clients, policy.clients, findings)
    _exceptions(policy.exceptions, findings)
    _once(
        [((line.psa, line.client, line.product, line.line_id), line.path) for line in policy.lines],
        "line-twice",
        "this line is named twice",
        findings,
    )
    names = [
        ((line.psa, line.client, line.product, line.name), line.path)
        for line in policy.lines
        if line.name
    ]
    _once(names, "line-name-twice", "two lines of one product have this name", findings)
    rows = [((one.row,), one.path) for one in policy.accepted]
    _once(rows, "accepted-twice", "this row is accepted twice", findings)


def _units(products: Mapping[str, Product], findings: Findings) -> None:
    """One use per unit: whatever else it drives must be declared with also_feeds."""
    claims: dict[tuple[str, str, str], list[tuple[Product, VendorKey]]] = {}
    for product in products.values():
        for key in product.sources:
            earlier = claims.setdefault((key.vendor, key.field, key.code), [])
            for other, before in earlier:
                if not _overlap(key, before):
                    continue
                place = findings.written(before.path)
                if other.key == product.key:
                    says = f"`{key.code}` of `{key.vendor}` is written twice, first in {place}"
                    fix = "keep one of the two"
                else:
                    says = f"`{key.code}` of `{key.vendor}` already drives `{other.key}` ({place})"
                    fix = f'drop one, or write also_feeds = ["{product.key}"] on `{other.key}`'
                findings.at("unit-claimed-twice", key.path, says, fix)
                break
            earlier.append((product, key))


def _overlap(one: VendorKey, other: VendorKey) -> bool:
    terms = one.term in (None, "any") or other.term in (None, "any") or one.term == other.term
    return terms and (one.kind is None or other.kind is None or one.kind == other.kind)


def _product_ids(products: Mapping[str, Product], findings: Findings) -> None:
    seen: dict[tuple[str, str], Product] = {}
    for product in products.values():
        for psa, identity in product.ids.items():
            other = seen.setdefault((psa, identity), product)
            if other is not product:
                says = (
                    f"`{product.key}` and `{other.key}` ({findings.written(other.path)}) "
                    f"are both `{identity}` on psa `{psa}`"
                )
                fix = "one product per PSA id; several units may feed it with `from`"
                findings.at("product-id-twice", product.path, says, fix)


def _inputs(products: Mapping[str, Product], whole: bool, findings: Findings) -> None:
    """Whether a product has any usage, and says how several of them become one number."""
    feeders: dict[str, list[str]] = {key: [] for key in products}
    for product in products.values():
        for fed in dict.fromkeys(product.also_feeds):
            feeders.setdefault(fed, []).append(product.key)
    for key, product in products.items():
        inputs = len(product.sources) + len(feeders[key])
        if inputs > 1 and product.combine is None:
            fed = ", ".join(f"`{giver}`" for giver in feeders[key])
            parts = [f"{len(product.sources)} `from` entries"] if product.sources else []
            parts += [f"a feed of {fed}"] if fed else []
            says = f"`{key}` has {' and '.join(parts)}, but does not say how to combine them"
            findings.at(
                "combine-missing", product.path, says, 'add combine = "sum", "max" or "min"'
            )
        elif whole and inputs == 0:
            says = f"`{key}` has no `from`, and no product feeds it"
            fix = f'add from = [...], or also_feeds = ["{key}"] to another product'
            findings.at("product-without-usage", product.path, says, fix)
        elif whole and inputs == 1 and product.combine is not None:
            says = f"`{key}` has one source, there is nothing to combine"
            findings.hint("combine-superfluous", product.path + ".combine", says, "drop the key")


def _rings(edges: Mapping[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    """Each cycle once: a name on it, and the cycle as text."""
    rings: list[tuple[str, str]] = []
    done: set[str] = set()
    for start in edges:
        trail: list[str] = []
        stack = [(start, iter(edges[start]))] if start not in done else []
        trail += [start] if stack else []
        while stack:
            name, following = stack[-1]
            target = next((one for one in following if one in edges and one not in done), None)
            if target is None:
                done.add(name)
                stack.pop()
                trail.pop()
            elif target in trail:
                ring = [*trail[trail.index(target) :], target]
                rings.append((name, " -> ".join(ring)))
            else:
                trail.append(target)
                stack.append((target, iter(edges[target])))
    return rings


def _rules(products: Mapping[str, Product], findings: Findings) -> None:
    for product in products.values():
        bounds: dict[str, Decimal] = {}  # those that stand together without arithmetic between
        for index, rule in enumerate(product.rules):
            if rule.name == "exclude" and any(r.name != "exclude" for r in product.rules[:index]):
                says = "exclude acts on single records, so it runs first wherever it stands"
                findings.hint("exclude-first", rule.path, says, "write it first")
            if rule.name in ("add", "subtract", "multiply", "pack"):
                bounds.clear()
            elif rule.name in ("minimum", "maximum") and rule.number is not None:
                bounds[rule.name] = rule.number
                low, high = bounds.get("minimum"), bounds.get("maximum")
                if low is not None and high is not None and low > high:
                    says = f"minimum {low} is above maximum {high}"
                    findings.at("minimum-above-maximum", rule.path, says)


def _clients(
    clients: Iterable[Client], first: Mapping[tuple[str, str], Client], findings: Findings
) -> None:
    owners: dict[str, dict[str, Client]] = {}  # vendor -> customer id -> client
    for client in clients:
        before = first[client.psa, client.id]
        if before is not client:
            if client.id:
                place = findings.written(before.path)
                says = f"client {client.id} is there twice, first in {place}"
                findings.at("client-twice", client.path, says, "keep one of the two")
            continue
        for vendor, ids in client.customers.items():
            of_vendor = owners.setdefault(vendor, {})
            for customer in ids:
                owner = of_vendor.setdefault(customer, client)
                if owner is not client:
                    _two_owners(vendor, customer, client, owner, findings)
            if len(ids) > 1 and len(set(ids)) < len(ids):
                twice = next(one for index, one in enumerate(ids) if one in ids[:index])
                _two_owners(vendor, twice, client, client, findings)


def _two_owners(
    vendor: str, customer: str, client: Client, owner: Client, findings: Findings
) -> None:
    if owner is client:
        says = f"customer `{customer}` of `{vendor}` is written twice"
    else:
        says = (
            f"customer `{customer}` of `{vendor}` belongs to client {client.id} "
            f"and to client {owner.id} ({findings.written(owner.path)})"
        )
    in_csv = not client.path.startswith("clients[")
    path = client.path if in_csv else f'{client.path}.vendors."{vendor}"'
    findings.at("customer-twice", path, says, "one vendor customer, one client")


def _exceptions(exceptions: Iterable[UsageException], findings: Findings) -> None:
    of_one = [((one.psa, one.client, one.product), one.path) for one in exceptions]
    says = "a second exception for this client and product"
    _once(of_one, "exception-twice", says, findings)


def _once(
    entries: Iterable[tuple[tuple[str, ...], str]], code: str, says: str, findings: Findings
) -> None:
    seen: dict[tuple[str, ...], str] = {}
    for key, path in entries:
        first = seen.setdefault(key, path)
        if first != path:
            where = findings.written(first)
            findings.at(code, path, f"{says}, first in {where}", "keep one of the two")
