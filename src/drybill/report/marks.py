"""The first column: what happens to the line. Colour only repeats what a symbol or sign says.

No colour of the 16 reaches enough contrast on both black and white, so none carries meaning
alone; yellow, cyan and dim are not used at all.
"""

from __future__ import annotations

from decimal import Decimal

from drybill.billing.row import Bucket

MARKS = {
    Bucket.UNCHANGED: "=",
    Bucket.CHANGE: "~",
    Bucket.CREATE: "+",
    Bucket.END: "-",
    Bucket.FIXED: "=",
    Bucket.ORPHAN: "?",
    Bucket.IGNORED: "=",
    Bucket.BLOCKED: "!",
    Bucket.UNKNOWN: "?",
    Bucket.UNMAPPED: "*",
}
LOUD = "bold red"
STRONG = "bold"
MORE = "green"  # the client is billed too little
LESS = "magenta"  # too much; not red, both are mistakes

_STYLES = {"!": LOUD, "?": STRONG, "*": STRONG}


def mark_style(mark: str) -> str:
    return _STYLES.get(mark, "")


def sign_style(amount: Decimal | None) -> str:
    if not amount:
        return ""
    return MORE if amount > 0 else LESS
