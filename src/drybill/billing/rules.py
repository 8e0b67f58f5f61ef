"""Quantity rules: run in the order written, each leaving one step of trace.

`exclude` acts on records and has already happened when these run; exceptions come first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from drybill.billing.money import EXACT
from drybill.billing.policy import Rule, UsageException
from drybill.billing.quantity import ZERO, Quantity, plain
from drybill.billing.row import Step
from drybill.errors import InputError, Problem

_MOST_DIGITS = 32  # as many as a number that is read may have; times a price it stays exact
_DIRECTIONS = {"up": ROUND_CEILING, "down": ROUND_FLOOR, "nearest": ROUND_HALF_UP}


def apply_exception(number: Decimal, exception: UsageException) -> tuple[Decimal, Step]:
    """An exception acts on the sum, before the rules. It may go below 0: a caller checks."""
    last = f'"{exception.reason}", to {exception.last_day.isoformat()}'
    if exception.set is not None:
        return exception.set, Step(exception.set, f"set by exception {last}", exception.path)
    if exception.add is not None:
        number = EXACT.add(number, exception.add)
        return number, Step(number, f"exception {exception.add:+f} {last}", exception.path)
    return number, Step(number, f"exception {last}", exception.path)


def excluded_steps(rules: Sequence[Rule], number: Quantity, excluded: Decimal) -> tuple[Step, ...]:
    """What `exclude` rules left out of a number that was counted without it."""
    effect = f": {excluded:f} units" if excluded else ": no effect"
    return tuple(
        Step(number, describe(rule) + effect, rule.path) for rule in rules if rule.name == "exclude"
    )


def apply_rules(number: Decimal, rules: Sequence[Rule]) -> tuple[Decimal, tuple[Step, ...]]:
    """The number after all rules, and one step for each, also where it changed nothing."""
    steps = []
    for rule in rules:
        if rule.name == "exclude":
            continue
        before = number
        number = plain(_apply(number, rule))
        if number.adjusted() > _MOST_DIGITS:
            summary = f"`{rule.path}` makes a quantity of more than {_MOST_DIGITS} digits"
            fix = "no rule may lead beyond what can be billed"
            raise InputError([Problem("quantity-too-large", None, summary, fix)])
        effect = "" if number != before else ": no effect"
        steps.append(Step(number, describe(rule) + effect, rule.path))
    return number, tuple(steps)


def _apply(number: Decimal, rule: Rule) -> Decimal:
    if rule.name == "round":
        return number.quantize(Decimal(1), rounding=_DIRECTIONS[rule.direction], context=EXACT)
    if rule.number is None:
        raise ValueError(f"the rule {rule.name} needs a number")
    match rule.name:
        case "add":
            return EXACT.add(number, rule.number)
        case "subtract":
            return max(EXACT.subtract(number, rule.number), ZERO)
        case "multiply":
            return EXACT.multiply(number, rule.number)
        case "minimum":
            return max(number, rule.number)
        case "maximum":
            return min(number, rule.number)
        case "pack":
            return _whole_packs(number, rule.number)
        case _:
            raise ValueError(f"{rule.name} does not act on a number")


def _whole_packs(number: Decimal, size: Decimal) -> Decimal:
    """A started pack is a full one (lago, flexprice package tests); an exact multiple stays."""
    packs, rest = EXACT.divmod(number, size)
    return EXACT.multiply(EXACT.add(packs, 1) if rest > 0 else packs, size)


def describe(rule: Rule) -> str:
    number = "" if rule.number is None else f"{rule.number:f}"
    return {
        "exclude": f"without {rule.what} rows",
        "add": f"add {number}",
        "subtract": f"subtract {number}, not below 0",
        "multiply": f"multiply by {number}",
        "minimum": f"at least {number}",
        "maximum": f"at most {number}",
        "pack": f"whole packs of {number}",
        "round": f"round {rule.direction}",
    }[rule.name]


def in_effect(exception: UsageException, today: date) -> bool:
    """An exception still applies on its last day."""
    return today <= exception.last_day
