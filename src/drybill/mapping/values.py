"""What a single value in the mapping may be: numbers, money, ids, texts.

A number may be a TOML integer or a quoted text; a bare fraction is refused, because a money amount
that once was a binary fraction cannot be trusted to the cent.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, LiteralString, NoReturn

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from drybill.billing.money import UnknownCurrency, is_currency, minor_units

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,12})?")
_PRICE_DIGITS = 8  # unit prices may be finer than their currency


def refuse(code: LiteralString, says: str, fix: str = "") -> NoReturn:
    raise PydanticCustomError(code, "{says}", {"says": says, "fix": fix})


def _number(value: object) -> Decimal:
    if isinstance(value, Decimal):
        fix = f'quote it: "{value}"' if value.is_finite() else "write a number"
        refuse("fraction", "is a bare fraction, which is never exact", fix)
    if isinstance(value, bool) or not isinstance(value, int | str):
        refuse("not-a-number", "must be a number", 'write 5 or "4.5"')
    text = str(value).strip() if isinstance(value, str) or abs(value) < 10**18 else ""
    if not _NUMBER.fullmatch(text):
        fix = "digits with a decimal point; no separators, no exponent, at most 18 digits before it"
        refuse("not-a-number", "is not a number", fix)
    return Decimal(text)


def _money(value: object) -> Decimal:
    if isinstance(value, int) and not isinstance(value, bool):
        refuse("money-is-text", "is money, and money is a quoted text", f'write "{value}"')
    number = _number(value)
    if number < 0:
        refuse("negative", "is negative", "money here is 0 or more")
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > _PRICE_DIGITS:
        refuse("too-fine", f"has more than {_PRICE_DIGITS} digits after the point")
    return number


def _currency(value: object) -> str:
    if not isinstance(value, str):
        refuse("unknown-currency", "must be a currency code in quotes", 'for example "USD"')
    try:
        minor_units(value)
    except UnknownCurrency as error:
        fix = f"did you mean `{value.upper()}`?" if is_currency(value.upper()) else ""
        refuse("unknown-currency", f"names no currency: {error}", fix)
    return value


def _id(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        refuse("not-an-id", "must be an id", 'write 250 or "250"')
    text = str(value).strip() if isinstance(value, str) or abs(value) < 10**18 else ""
    if not text:
        refuse("not-an-id", "is an empty or endless id")
    return text


def _filled(value: str) -> str:
    if not value.strip():
        refuse("empty-text", "is empty", "write something or leave the key out")
    return value.strip()


def _listed(value: object) -> object:
    """One value where a list of them is meant."""
    return value if isinstance(value, list) else [value]


def _at_least(low: int) -> AfterValidator:
    def check(value: Decimal) -> Decimal:
        if value < low:
            refuse("too-small", f"must be {low} or more")
        return value

    return AfterValidator(check)


def _above_zero(value: Decimal) -> Decimal:
    if value <= 0:
        refuse("too-small", "must be more than 0")
    return value


Number = Annotated[Decimal, BeforeValidator(_number)]
Amount = Annotated[Decimal, BeforeValidator(_number), _at_least(0)]  # 0 or more
Positive = Annotated[Decimal, BeforeValidator(_number), AfterValidator(_above_zero)]
Money = Annotated[Decimal, BeforeValidator(_money)]  # 0 or more, in the currency beside it
Currency = Annotated[str, BeforeValidator(_currency)]
Prices = dict[Currency, Money]
Id = Annotated[str, BeforeValidator(_id)]
Ids = Annotated[list[Id], BeforeValidator(_listed)]
Text = Annotated[str, AfterValidator(_filled)]
Texts = Annotated[list[Text], BeforeValidator(_listed)]


def _rows(value: Decimal) -> Decimal:
    if value != value.to_integral_value():
        refuse("not-a-number", "counts rows and must be a whole number")
    return value


def _url(value: str) -> str:
    if not re.match(r"https?://[^/\s]", value):
        refuse("not-a-url", "must be a web address", 'for example "https://api.example.com"')
    return value


def _type_name(value: object) -> str | int:
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        refuse("not-a-type", "must be a type's name or its number", '"Cloud Services" or 12')
    return value


def _by_role(value: object) -> object:
    """An id without a role stands for all roles."""
    return value if isinstance(value, dict) else {"": value}


def _row(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]{12}", value):
        refuse("not-a-row", "is no row id", "a row id has 12 lower-case letters and digits")
    return value


Url = Annotated[str, AfterValidator(_url)]
Row = Annotated[str, AfterValidator(_row)]
Rows = Annotated[Decimal, BeforeValidator(_number), _at_least(0), AfterValidator(_rows)]
TypeNames = Annotated[list[Annotated[Any, BeforeValidator(_type_name)]], BeforeValidator(_listed)]
ByRole = Annotated[dict[str, Id], BeforeValidator(_by_role)]
