"""Fixes: what a group of rows has in common, in a sentence, and the lines that would clear it.

A fix is ready to paste where it can be. A line that begins with `# in` says which existing table
of the mapping the next lines belong to: the same table twice would be an error.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec import field as new_field

from drybill.billing.reasons import meaning
from drybill.billing.row import Row, UnmappedUsage


class Group(Struct):
    """Rows and uses that one fix would clear."""

    code: str
    rows: list[Row] = new_field(default_factory=list)
    uses: list[UnmappedUsage] = new_field(default_factory=list)

    @property
    def row(self) -> Row:
        return self.rows[0]

    @property
    def product(self) -> str:
        return self.row.product_key or self.row.product

    @property
    def about(self) -> tuple[str, ...]:
        return self.row.reasons[0].about if self.rows else self.uses[0].about

    @property
    def client_id(self) -> str:
        return self.row.client_id if self.rows else self.uses[0].client_id or ""


def say(group: Group) -> tuple[str, str]:
    """(what the rows have in common, what would clear them)."""
    if group.code.startswith("guard "):
        return _guard(group, group.code.removeprefix("guard "))
    known = _SAID.get(group.code)
    if known is not None:
        return known(group)
    name = group.product if group.rows else group.uses[0].sku
    return f"`{name}`: {_lower(group.code)}", meaning(group.code).fix


def _writable(group: Group) -> tuple[str, str]:
    return (
        "vendor and agreement differ, and the plan can write it",
        "drybill diff --plan PLAN --apply",
    )


def _switch_off(group: Group) -> tuple[str, str]:
    change = group.row.change or ""
    if group.row.dated:
        names = ", ".join(toml(name) for name in (change, "create", "end"))
        return "a dated change needs three switches", f"# in [writes], fields must hold: {names}"
    fix = f"# in [writes], add to fields: {toml(change)}"
    return f"the switch `{change}` is off", fix


def _client_not_writable(group: Group) -> tuple[str, str]:
    clients = ", ".join(toml(client) for client in sorted({row.client_id for row in group.rows}))
    fix = f"# in [writes], add to clients: {clients}"
    return "these clients are not named for writing", fix


def _of_whole(group: Group) -> tuple[str, str]:
    return _lower(group.code), meaning(group.code).fix


def _guard(group: Group, name: str) -> tuple[str, str]:
    if name == "past_periods":
        sentence = f"agreement {group.row.agreement_id}: two or more past periods are not invoiced"
        return sentence, f"drybill diff {group.row.guards[0].lift}"
    if name == "currency":
        guard, own = group.row.guards[0], group.row.agreement_id
        sentence = f"agreement {own} is in {guard.value}, its root in {guard.limit}"
        return sentence, meaning("CURRENCY_MISMATCH").fix
    if name == "witness":
        guard, own = group.row.guards[0], group.row.agreement_id
        sentence = f"agreement {own}: {guard.value}, {guard.limit}"
        return sentence, meaning("WITNESS_DIFFERS").fix
    shown = group.rows[:3]
    lifts = " ".join(f"--allow {row.id}:{g.name}" for row in shown for g in row.guards)
    more = len(group.rows) - len(shown)
    rest = f"  # and {more} more rows" if more else ""
    sentence = f"`{group.product}` is stopped by the guard {name}"
    return sentence, f"drybill diff {lifts} --reason TEXT{rest}"


def _source(group: Group) -> tuple[str, str]:
    return f"{group.row.reasons[0].detail}: {_lower(group.code)}", meaning(group.code).fix


def _vendor(group: Group) -> tuple[str, str]:
    vendor = group.about[0] if group.about else group.product
    return f"{vendor}: {_lower(group.code)}", meaning(group.code).fix


def _sku_in_no_row(group: Group) -> tuple[str, str]:
    reason = next(r for r in group.row.reasons if r.code == "SKU_IN_NO_ROW")
    vendor, code, *similar = reason.about
    fix = f"# in [products.{toml(group.product)}], the entry of {vendor} that says {toml(code)}"
    if similar:
        fix += f"; a similar one is {toml(similar[0])}"
    return f"`{code}` is in no row of {vendor}", fix


def _customer(group: Group) -> tuple[str, str]:
    vendor, customer = group.about[:2]
    return f"{vendor} customer {customer}: {_lower(group.code)}", meaning(group.code).fix


def _client_not_mapped(group: Group) -> tuple[str, str]:
    name = group.row.client or group.client_id
    fix = f'[[clients]]\nid = {toml(group.client_id)}\nvendors = {{ VENDOR = "CUSTOMER" }}'
    return f"client `{name}` is billed mapped products and is not in the mapping", fix


def _no_customer_id(group: Group) -> tuple[str, str]:
    name = group.row.client or group.client_id
    fix = f'# at client {toml(group.client_id)}\nvendors = {{ VENDOR = "CUSTOMER" }}'
    return f"client `{name}` has no customer id at any vendor of what it is billed", fix


def _agreement(group: Group) -> tuple[str, str]:
    role, *candidates = group.about or ("",)
    detail = group.row.reasons[0].detail if group.rows else group.uses[0].detail
    sentence = f"client {group.client_id}: {_lower(group.code)} ({detail})"
    chosen = toml(candidates[0]) if candidates else '"AGREEMENT"'
    others = f"  # or {', '.join(candidates[1:])}" if candidates[1:] else ""
    value = f"{{ {toml_key(role)} = {chosen} }}" if role else chosen
    return sentence, f"# at client {toml(group.client_id)}\nagreement = {value}{others}"


def _ambiguous_lines(group: Group) -> tuple[str, str]:
    row = group.row
    fix = (
        f"[[lines]]\nclient = {toml(row.client_id)}\nproduct = {toml(group.product)}\n"
        f"line = {toml(group.rows[-1].line_id or '')}\nflexible = true"
    )
    return (
        f"agreement {row.agreement_id}: `{group.product}` has several lines, not one flexible",
        fix,
    )


def _price_unknown(group: Group) -> tuple[str, str]:
    currency = group.row.currency
    sentence = f"`{group.product}` has no price in {currency} for a new line"
    return sentence, f'# in [products.{toml(group.product)}]\nprice = {{ {currency} = "..." }}'


def _duplicates(group: Group) -> tuple[str, str]:
    fix = f'# in [products.{toml(group.product)}]\nduplicates = "once"  # or "sum", "latest"'
    return f"`{group.product}`: {_lower(group.code)}", fix


def _sku_not_mapped(group: Group) -> tuple[str, str]:
    use = group.uses[0]
    name = f" ({use.product_name})" if use.product_name else ""
    term = f", term = {toml(use.term)}" if use.term else ""
    fix = (
        f"[products.{toml(use.product_name or use.sku)}]  # put your PSA's product id here\n"
        f"from = [{{ vendor = {toml(use.vendor)}, sku = {toml(use.sku)}{term} }}]"
    )
    return f"`{use.sku}` of {use.vendor} is mapped to no product{name}", fix


def _customer_not_mapped(group: Group) -> tuple[str, str]:
    use = group.uses[0]
    name = use.customer_name or use.customer_id
    vendors = f"vendors = {{ {toml_key(use.vendor)} = {toml(use.customer_id)} }}"
    fix = f"# at the client, or in a new [[clients]]\n{vendors}"
    return f"customer `{name}` of {use.vendor} belongs to no client", fix


_SAID = {
    "WRITABLE": _writable,
    "SWITCH_OFF": _switch_off,
    "CLIENT_NOT_WRITABLE": _client_not_writable,
    "USAGE_NOT_FINAL": _of_whole,
    "PSA_READ_ONLY": _of_whole,
    "SOURCE_INCOMPLETE": _source,
    "SOURCE_SHRUNK": _source,
    "SOURCE_NOT_ASKED": _source,
    "SOURCE_UNREACHABLE": _source,
    "ABSENT_ONCE": _vendor,
    "SKU_IN_NO_ROW": _sku_in_no_row,
    "USAGE_PERIOD_MISMATCH": _vendor,
    "CUSTOMER_NOT_LISTED": _customer,
    "CUSTOMER_DENIED": _customer,
    "CLIENT_NOT_MAPPED": _client_not_mapped,
    "NO_CUSTOMER_ID": _no_customer_id,
    "AGREEMENT_NOT_FOUND": _agreement,
    "AGREEMENT_AMBIGUOUS": _agreement,
    "AMBIGUOUS_LINES": _ambiguous_lines,
    "PRICE_UNKNOWN": _price_unknown,
    "DUPLICATE_USAGE": _duplicates,
    "SKU_NOT_MAPPED": _sku_not_mapped,
    "CUSTOMER_NOT_MAPPED": _customer_not_mapped,
}


def _lower(code: str) -> str:
    says = meaning(code).says.rstrip(".")
    return says[0].lower() + says[1:]


def toml(text: str) -> str:
    """A TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    shown = (c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped)
    return '"' + "".join(shown) + '"'


def toml_key(text: str) -> str:
    """A TOML key, quoted where it must be."""
    bare = text.isascii() and text.replace("-", "").replace("_", "").isalnum()
    return text if bare else toml(text)
