"""The people at the MSP's own desk: they sign, they bill, they edit. Through Tryton's own client.

Runs in Tryton's environment, not in drybill's: `python office.py CONFIG`. It reads one order per
line of stdin, a JSON object whose `do` names a function below, and answers with one line of JSON.
The money in an answer is text.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from proteus import Model, Wizard, config
from trytond.modules.account.tests.tools import create_chart, get_accounts
from trytond.modules.company.tests.tools import create_company
from trytond.modules.currency.tests.tools import get_currency

Answer = dict[str, Any] | list[Any] | None

SERVICES = {  # code -> name, list price, unit
    "CFQ7TTC0LCHC": ("Microsoft 365 Business Premium", "22.00", "Unit"),
    "HUNTRESS-EDR": ("Huntress Managed EDR", "4.50", "Unit"),
    "MSP-WKS": ("Managed Workstation", "65.00", "Unit"),
    "SUPPORT": ("Support by the hour", "80.00", "Hour"),
}
SIGNED: dict[str, tuple[str, list[tuple[str, str, str]]]] = {  # client -> currency, lines
    "Contoso Dental": (
        "USD",
        [
            ("CFQ7TTC0LCHC", "25", "22.00"),
            ("HUNTRESS-EDR", "31", "4.50"),
            ("MSP-WKS", "28", "65.00"),
        ],
    ),
    "Fabrikam Legal": ("USD", [("CFQ7TTC0LCHC", "12", "22.00"), ("HUNTRESS-EDR", "12", "4.5250")]),
    "Woodgrove Clinic": ("EUR", [("CFQ7TTC0LCHC", "7", "20.50"), ("SUPPORT", "2.5", "80.00")]),
}


def seed(database: str, key: str, month: str) -> Answer:
    """A company with three clients whose month that begins on `month` is billed; their ids."""
    conf = open_database(database)
    get_currency("USD")
    euro = get_currency("EUR")
    rate = euro.rates.new()
    rate.date, rate.rate = date.fromisoformat(month).replace(day=1, month=1), Decimal("0.92")
    euro.save()
    create_company(currency="USD")
    create_chart()
    User = Model.get("res.user")
    conf._context = User.get_preferences(True, {})
    category = Model.get("product.category")(name="Services", accounting=True)
    category.account_revenue = get_accounts()["revenue"]
    category.save()
    monthly = Model.get("sale.subscription.recurrence.rule.set")(name="Monthly")
    (rule,) = monthly.rules
    rule.freq, rule.interval, rule.bymonthday = "monthly", 1, "1"
    monthly.save()
    services = {code: _service(code, *about, category, monthly) for code, about in SERVICES.items()}
    first = date.fromisoformat(month)
    for client, (currency, lines) in SIGNED.items():
        subscription = _signed(client, currency, first, monthly)
        for code, quantity, price in lines:
            line = subscription.lines.new()
            line.service = services[code]
            line.quantity, line.unit_price = float(quantity), Decimal(price)
        subscription.click("quote")
        subscription.click("run")
    application = Model.get("res.user.application")(application="rest", key=key)
    application.user = User(conf.user)
    application.save()
    _bill(first)
    return ids(database)


def _service(code: str, name: str, price: str, unit: str, category: Any, recurrence: Any) -> Any:
    template = Model.get("product.template")(name=name, type="service", code=code)
    (template.default_uom,) = Model.get("product.uom").find([("name", "=", unit)])
    template.salable, template.list_price = True, Decimal(price)
    template.account_category = category
    template.save()
    (product,) = template.products
    service = Model.get("sale.subscription.service")(product=product)
    service.consumption_recurrence = recurrence
    service.save()
    return service


def _signed(client: str, currency: str, first: date, recurrence: Any) -> Any:
    party = Model.get("party.party")(name=client)
    party.save()
    subscription = Model.get("sale.subscription")(party=party)
    subscription.currency = get_currency(currency)
    subscription.start_date, subscription.invoice_recurrence = first, recurrence
    return subscription


def ids(database: str) -> Answer:
    """What Tryton calls everything: client -> subscription, party and lines by product code."""
    open_database(database)
    found = {}
    for each in Model.get("sale.subscription").find([]):
        lines = {line.service.product.code: str(line.id) for line in each.lines}
        found[each.party.name] = {
            "subscription": str(each.id),
            "party": str(each.party.id),
            "lines": lines,
        }
    return found


CONSUME, INVOICE = "sale.subscription.line.consumption.create", "sale.subscription.create_invoice"


def bill(database: str, day: str) -> Answer:
    """Tryton's two wizards, in their order; the invoices that came of it, by client.

    On SQLite the first one believes that every line is due (it adds a text and a number), and
    makes at least one consumption of each: once per period, and no line that begins later.
    """
    open_database(database)
    return _bill(date.fromisoformat(day))


def invoice(database: str, day: str) -> Answer:
    """The second wizard alone: of what is consumed already."""
    open_database(database)
    return _bill(date.fromisoformat(day), INVOICE)


def consume(database: str, day: str) -> Answer:
    """The first wizard alone: consumptions that no invoice holds yet."""
    open_database(database)
    _wizard(CONSUME, date.fromisoformat(day))
    return None


def _wizard(name: str, day: date) -> None:
    wizard = Wizard(name)
    wizard.form.date = day
    wizard.execute("create_")


def _bill(day: date, *wizards: str) -> Answer:
    Invoice = Model.get("account.invoice")
    before = {each.id for each in Invoice.find([])}
    for name in wizards or (CONSUME, INVOICE):
        _wizard(name, day)
    made = [each for each in Invoice.find([]) if each.id not in before]
    return {each.party.name: _invoice(each) for each in made}


def _invoice(invoice: Any) -> dict[str, Any]:
    lines = [
        (str(line.origin.id), _plain(line.quantity), str(line.amount)) for line in invoice.lines
    ]
    return {
        "currency": invoice.currency.code,
        "date": invoice.invoice_date.isoformat(),
        "total": str(invoice.total_amount),
        "lines": lines,
    }


def edit(database: str, line: str, **values: Any) -> Answer:
    """Somebody changes a line, as they would by hand: draft, edit, quote, run."""
    open_database(database)
    record = Model.get("sale.subscription.line")(int(line))
    subscription = str(record.subscription.id)
    _draft(subscription)
    record = Model.get("sale.subscription.line")(int(line))
    for name, value in values.items():
        setattr(record, name, _value(name, value))
    record.save()
    _run(_subscription(subscription))
    return None


def _value(name: str, value: Any) -> Any:
    if name.endswith("_date"):
        return date.fromisoformat(value)
    return Decimal(value) if name == "unit_price" else value


def press(database: str, subscription: str, button: str) -> Answer:
    """One button of a subscription: draft, quote, run, cancel."""
    open_database(database)
    _subscription(subscription).click(button)
    return None


def add(
    database: str,
    subscription: str,
    code: str,
    quantity: float | None,
    start: str,
    price: str,
    days: int = 0,
) -> Answer:
    """A further line from a day on, signed by hand; its id. Each consumption is made `days` after
    its own day. Without a quantity the line is not billed."""
    open_database(database)
    record = _draft(subscription)
    known = {line.id for line in record.lines}
    line = record.lines.new()
    line.service = _service_of(code)
    line.consumption_delay = timedelta(days=days) if days else None
    if quantity is None:
        line.consumption_recurrence = None
    line.quantity, line.unit_price = quantity, Decimal(price)
    line.start_date = date.fromisoformat(start)
    _run(record)
    (made,) = [each.id for each in _subscription(subscription).lines if each.id not in known]
    return str(made)


def add_many(database: str, subscription: str, number: int, start: str, first: int) -> Answer:
    """As many lines more, each of a service of its own; all at once, for forms take their time."""
    conf = open_database(database)
    like = _service_of("MSP-WKS")
    unit, monthly = like.product.default_uom.id, like.consumption_recurrence.id
    template = {
        "name": "Many", "type": "service", "default_uom": unit, "sale_uom": unit, "salable": True,
        "list_price": Decimal(1), "account_category": like.product.account_category.id,
    }  # fmt: skip
    products = [("create", [{}])]
    templates = _create(
        "product.template",
        [
            {**template, "code": f"MANY-{first + each}", "products": products}
            for each in range(number)
        ],
        conf,
    )
    made = Model.get("product.product").find([("template", "in", templates)])
    services = _create(
        "sale.subscription.service",
        [{"product": each.id, "consumption_recurrence": monthly} for each in made],
        conf,
    )
    record = _draft(subscription)
    line = {
        "subscription": record.id, "unit": unit, "quantity": 1, "unit_price": Decimal(1),
        "start_date": date.fromisoformat(start), "consumption_recurrence": monthly,
    }  # fmt: skip
    _create("sale.subscription.line", [{**line, "service": each} for each in services], conf)
    _run(_subscription(subscription))
    return None


def _create(model: str, records: list[dict[str, Any]], conf: Any) -> list[int]:
    made: list[int] = Model.get(model)._proxy.create(records, conf.context)
    return made


def _subscription(id: str) -> Any:
    return Model.get("sale.subscription")(int(id))


def _draft(id: str) -> Any:
    _subscription(id).click("draft")
    return _subscription(id)


def _run(record: Any) -> None:
    record.save()
    record.click("quote")
    record.click("run")


def sign(
    database: str, client: str, start: str, invoiced: str, days: int, lines: dict[str, float]
) -> Answer:
    """A client more, invoiced from a day on, each consumption `days` after its own day."""
    open_database(database)
    (monthly,) = Model.get("sale.subscription.recurrence.rule.set").find([("name", "=", "Monthly")])
    subscription = _signed(client, "USD", date.fromisoformat(start), monthly)
    subscription.invoice_start_date = date.fromisoformat(invoiced)
    for code, quantity in lines.items():
        line = subscription.lines.new()
        line.service = _service_of(code)
        line.quantity = quantity
        line.consumption_delay = timedelta(days=days) if days else None
    subscription.click("quote")
    subscription.click("run")
    return ids(database)


def _service_of(code: str) -> Any:
    (found,) = Model.get("sale.subscription.service").find([("product.code", "=", code)])
    return found


def look(database: str) -> Answer:
    """Every line as it stands, by id."""
    open_database(database)
    return {
        str(line.id): {
            "quantity": None
            if line.quantity is None
            else str(Decimal(str(line.quantity)).normalize()),
            "unit_price": str(line.unit_price),
            "start": line.start_date.isoformat(),
            "end": line.end_date.isoformat() if line.end_date else None,
            "code": line.service.product.code,
            "subscription": str(line.subscription.id),
            "state": line.subscription.state,
        }
        for line in Model.get("sale.subscription.line").find([])
    }


def _plain(quantity: float | None) -> str | None:
    return None if quantity is None else f"{Decimal(str(quantity)).normalize():f}"


def open_database(name: str) -> Any:
    """The current database of this process is this one from now on."""
    conf = config._CONFIG.current
    if conf is None or conf.database_name != name:
        os.environ.pop("TRYTOND_DATABASE_URI", None)
        conf = config.set_trytond(name, config_file=sys.argv[1])
    return conf


def orders() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed is no answer
    for order in orders():
        work: Callable[..., Answer] = globals()[order.pop("do")]
        try:
            answer = {"answer": work(**order)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
