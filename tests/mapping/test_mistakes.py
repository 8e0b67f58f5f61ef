"""Every kind of mistake is found, at its place, with words that help.

In each case `@@` marks where the mistake must be reported; it is taken out before the file is read.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from drybill.errors import InputError
from drybill.mapping.load import load

BASE = """\
timezone = "America/Chicago"
[psa.main]
kind = "files"
[vendors.pax8]
kind = "files"
[vendors.huntress]
kind = "files"
[agreements]
cloud = { type = ["Cloud Services"] }
[products.EDR]
from = [{ vendor = "pax8", sku = "EDR-1" }]
[products.BACKUP]
from = [{ vendor = "pax8", sku = "BK-1" }]
[[clients]]
id = 250
name = "Wonderland Ltd"
vendors = { pax8 = "c-250" }
"""
EDR = '[products.EDR]\nfrom = [{ vendor = "pax8", sku = "EDR-1" }]\n'
ID = "id = 250\n"
EXCEPTION = '[[exceptions]]\nclient = 250\nproduct = "EDR"\n'
END = 'reason = "x"\nlast_day = 2030-01-01\n'


def edr(more: str) -> tuple[str, str]:
    return EDR, EDR + more


def psa(more: str) -> tuple[str, str]:
    return "[psa.main]\n", "[psa.main]\n" + more


# name: ((old, new) or text to append, code, phrase)
MISTAKES: dict[str, tuple[tuple[str, str] | str, str, str]] = {
    # what is not TOML
    "no value": (("[psa.main]", "x = @@\n[psa.main]"), "toml-syntax", "not a TOML value"),
    "no equals": (("[psa.main]", "x@@\n[psa.main]"), "toml-syntax", "`=` and a value"),
    "open quote": (("[psa.main]", "x = @@'abc\n[psa.main]"), "toml-syntax", "quote"),
    "percent sign": (("[psa.main]", "x = 50@@%\n[psa.main]"), "toml-syntax", "in quotes"),
    "capital true": (("[psa.main]", "x = @@TRUE\n[psa.main]"), "toml-syntax", "lower case"),
    "backslash": (('= "files"', '= "a@@\\qb"'), "toml-syntax", "backslash"),
    "key twice": (("[psa.main]", '@@timezone = "UTC"\n[psa.main]'), "set-twice", "first on line 1"),
    "key twice over lines": (
        ("[psa.main]", 'include = [\n  "hunter2",\n]\ninclude = [\n  "hunter2"\n@@]\n[psa.main]'),
        "set-twice",
        "the key of this value is set twice",
    ),
    "key twice in braces": (
        ('["Cloud Services"]', '"a", type = "b"@@'),
        "set-twice",
        "a key of this table is set twice",
    ),
    "open long text": (("[psa.main]", "x = @@'''abc\n[psa.main]"), "toml-syntax", "closing quote"),
    "table twice": ("@@[products.EDR]\n", "set-twice", "first on line 10"),
    # top level
    "no timezone": (('timezone = "America/Chicago"', "@@"), "missing-key", "needs `timezone`"),
    "bad timezone": (
        ('"America/Chicago"', '@@"America/Chicgo"'),
        "unknown-timezone",
        "did you mean `America/Chicago`",
    ),
    "no psa": (('[psa.main]\nkind = "files"\n', ""), "missing-key", "needs `psa`"),
    "unknown section": ("[@@exeptions]\n", "unknown-key", "did you mean `exceptions`"),
    "clients as a table": (("[[clients]]", "[@@clients]"), "wrong-type", "must be a list"),
    "psa as text": (
        ("[psa.main]\nkind", "[psa]\nmain = @@3\n[vendors.x]\nkind"),
        "wrong-type",
        "table",
    ),
    "include as text": (
        ("[psa.main]", 'include = @@"mapping.d/*.toml"\n[psa.main]'),
        "wrong-type",
        "must be a list",
    ),
    "include missing": (
        ("[psa.main]", 'include = [@@"more.toml"]\n[psa.main]'),
        "include-missing",
        "`more.toml`",
    ),
    "clients_file missing": (
        ("[psa.main]", 'clients_file = @@"nobody.csv"\n[psa.main]'),
        "file-unreadable",
        "no such file",
    ),
    # psa and vendors
    "no kind": (
        ('[vendors.pax8]\nkind = "files"\n', "[@@vendors.pax8]\n"),
        "missing-key",
        "`kind`",
    ),
    "literal secret": (
        psa('credentials = { @@private_key = "hunter2" }\n'),
        "secret-in-file",
        "env:NAME",
    ),
    "secret beside": (
        psa('@@client_secret = "hunter2"\n'),
        "secret-in-file",
        "where the secret lies",
    ),
    "secret in a url": (
        psa('@@url = "https://me:hunter2@example.com"\n'),
        "secret-in-file",
        "where the secret lies",
    ),
    "a user in a url": (
        psa('@@url = "https://hunter2@example.com"\n'),
        "secret-in-file",
        "where the secret lies",
    ),
    "a secret number": (psa("@@password = 1234\n"), "secret-in-file", "where the secret lies"),
    "a list of secrets": (psa('@@token = ["x"]\n'), "secret-in-file", "where the secret lies"),
    "a bearer": (psa('@@bearer = "hunter2"\n'), "secret-in-file", "where the secret lies"),
    "bad witness": (psa('witness = @@"wran"\n'), "not-a-choice", "did you mean `warn`"),
    "bad currency": (psa('currency = @@"usd"\n'), "unknown-currency", "did you mean `USD`"),
    "bad url": (psa('url = @@"example.com"\n'), "not-a-url", "web address"),
    "empty statuses": (
        ("[vendors.pax8]\n", '[vendors.pax8]\nstatuses = [@@""]\n'),
        "empty-text",
        "is empty",
    ),
    # roles and defaults
    "bad cycle": (
        ('["Cloud Services"]', '["Cloud Services"], cycle = @@"montly"'),
        "not-a-choice",
        "`monthly`",
    ),
    "bad type": (('["Cloud Services"]', "[@@true]"), "not-a-type", "type's name or its number"),
    "unknown fallback": (
        ('["Cloud Services"]', '["Cloud Services"], fallback = @@"clod"'),
        "unknown-role",
        "`cloud`",
    ),
    "fallback cycle": (
        ('["Cloud Services"]', '["Cloud Services"], @@fallback = "cloud"'),
        "fallback-cycle",
        "cloud -> cloud",
    ),
    "unknown default role": (
        '[defaults]\nagreement = @@"sky"\n',
        "unknown-role",
        "there is `cloud`",
    ),
    "bad usage": ('[defaults]\nusage = @@"later"\n', "not-a-choice", "previous_period"),
    # products
    "unknown product key": (edr('@@combin = "sum"\n'), "unknown-key", "did you mean `combine`"),
    "included": (edr("@@included = 5\n"), "unknown-key", "unknown key `included`"),
    "unknown key in from": (
        ('sku = "EDR-1" }', 'sku = "EDR-1", @@trem = "annual" }'),
        "unknown-key",
        "`term`",
    ),
    "unknown vendor": (
        ('vendor = "pax8", sku = "EDR-1"', 'vendor = @@"pax", sku = "EDR-1"'),
        "unknown-vendor",
        "did you mean `pax8` (",
    ),
    "no code": (
        ('{ vendor = "pax8", sku = "EDR-1" }', '@@{ vendor = "pax8" }'),
        "from-code",
        "no code",
    ),
    "two codes": (
        (
            '{ vendor = "pax8", sku = "EDR-1" }',
            '@@{ vendor = "pax8", sku = "A", product_id = "B" }',
        ),
        "from-code",
        "several codes: sku, product_id",
    ),
    "bad kind": (
        ('sku = "EDR-1"', 'sku = "EDR-1", kind = @@"asigned"'),
        "not-a-choice",
        "`assigned`",
    ),
    "from is a table": (
        ('[{ vendor = "pax8", sku = "EDR-1" }]', '@@{ vendor = "pax8" }'),
        "wrong-type",
        "must be a list",
    ),
    "unit claimed twice": (
        (
            '[{ vendor = "pax8", sku = "BK-1" }]',
            '[@@{ vendor = "pax8", sku = "EDR-1", term = "annual" }]',
        ),
        "unit-claimed-twice",
        "also_feeds",
    ),
    "unit twice in one product": (
        (
            EDR,
            '[products.EDR]\ncombine = "sum"\n'
            'from = [{ vendor = "pax8", sku = "A" }, @@{ vendor = "pax8", sku = "A" }]\n',
        ),
        "unit-claimed-twice",
        "written twice",
    ),
    "no combine": (
        (
            EDR,
            "[@@products.EDR]\n"
            'from = [{ vendor = "pax8", sku = "A" }, { vendor = "pax8", sku = "B" }]\n',
        ),
        "combine-missing",
        "2 `from` entries",
    ),
    "no combine for a feed": (
        (
            "[products.BACKUP]\n",
            '[products.SEAT]\nfrom = [{ vendor = "pax8", sku = "S" }]\n'
            'also_feeds = ["BACKUP"]\n[@@products.BACKUP]\n',
        ),
        "combine-missing",
        "a feed of `SEAT`",
    ),
    "no usage": ("[@@products.SUPPORT]\n", "product-without-usage", "no product feeds it"),
    "feeds nothing": (edr('also_feeds = [@@"BACKUPS"]\n'), "unknown-product", "`BACKUP`"),
    "feeds itself": (edr('combine = "sum"\n@@also_feeds = ["EDR"]\n'), "feed-cycle", "EDR -> EDR"),
    "same id": (
        ("[products.BACKUP]\n", '[@@products.BACKUP]\nids = { main = "EDR" }\n'),
        "product-id-twice",
        "both `EDR` on psa `main`",
    ),
    "unknown psa id": (edr('ids = { @@mian = "X" }\n'), "unknown-psa", "did you mean `main`"),
    "unknown role": (edr('agreement = @@"colud"\n'), "unknown-role", "did you mean `cloud`"),
    "bad combine": (edr('combine = @@"summ"\n'), "not-a-choice", "did you mean `sum`"),
    "bad at_zero": (edr('at_zero = @@"stop"\n'), "not-a-choice", "keep, end"),
    "two rules in one": (
        edr("quantity = [@@{ subtract = 1, minimum = 2 }]\n"),
        "rule",
        "several rules: subtract, minimum",
    ),
    "empty rule": (edr("quantity = [{ add = 1 }, @@{}]\n"), "rule", "is no rule"),
    "unknown rule": (
        edr("quantity = [{ @@minium = 3 }]\n"),
        "unknown-key",
        "did you mean `minimum`",
    ),
    "exclude what": (edr('quantity = [{ exclude = @@"all" }]\n'), "not-a-choice", "trial"),
    "pack of nothing": (edr("quantity = [{ pack = @@0 }]\n"), "too-small", "more than 0"),
    "negative minimum": (edr("quantity = [{ minimum = @@-1 }]\n"), "too-small", "0 or more"),
    "bare fraction": (edr("quantity = [{ multiply = @@1.5 }]\n"), "fraction", 'quote it: "1.5"'),
    "number as words": (edr('quantity = [{ add = @@"five" }]\n'), "not-a-number", '"five"'),
    "exponent": (edr('quantity = [{ add = @@"1e3" }]\n'), "not-a-number", "no exponent"),
    "bool as number": (edr("quantity = [{ add = @@true }]\n"), "not-a-number", "must be a number"),
    "not finite": (edr("quantity = [{ add = @@nan }]\n"), "fraction", "write a number"),
    "minimum above maximum": (
        edr("quantity = [{ minimum = 9 }, @@{ maximum = 3 }]\n"),
        "minimum-above-maximum",
        "minimum 9 is above maximum 3",
    ),
    "price as a number": (edr("price = { USD = @@5 }\n"), "money-is-text", 'write "5"'),
    "price as a fraction": (edr("price = { USD = @@4.50 }\n"), "fraction", 'quote it: "4.50"'),
    "price too fine": (
        edr('price = { USD = @@"0.123456789" }\n'),
        "too-fine",
        "more than 8 digits",
    ),
    "price below zero": (edr('price = { USD = @@"-1" }\n'), "negative", "0 or more"),
    "price currency": (edr('price = { @@EURO = "1" }\n'), "unknown-currency", "EURO"),
    "guard in words": (edr('guards = { units = @@"many" }\n'), "not-a-number", '"many"'),
    # profiles, clients and what refers to them
    "covered": (
        '[profiles.flat]\ncovered = [@@"EDRR"]\n',
        "unknown-product",
        "did you mean `EDR` (",
    ),
    "client twice": ('[[@@clients]]\nid = "250"\n', "client-twice", "first in"),
    "client without id": (
        ("[[clients]]\n" + ID, "[[@@clients]]\n"),
        "missing-key",
        "`clients[0]` needs `id`",
    ),
    "id as fraction": ((ID, "id = @@2.5\n"), "not-an-id", "must be an id"),
    "unknown profile": ((ID, ID + 'profile = @@"flat"\n'), "unknown-profile", "`flat`"),
    "unknown client psa": ((ID, ID + 'psa = @@"mainn"\n'), "unknown-psa", "did you mean `main`"),
    "unknown client role": (
        (ID, ID + "agreement = { @@clouds = 1 }\n"),
        "unknown-role",
        "did you mean `cloud`",
    ),
    "unknown client vendor": (
        ('{ pax8 = "c-250" }', '{ @@pax9 = "c-250" }'),
        "unknown-vendor",
        "did you mean `pax8`",
    ),
    "customer twice": (
        '[[clients]]\nid = 251\nvendors = { @@pax8 = ["c-1", "c-250"] }\n',
        "customer-twice",
        "belongs to client 251 and to client 250",
    ),
    "line of nobody": (
        '[[lines]]\nclient = @@25\nproduct = "EDR"\nline = 1\n',
        "unknown-client",
        "did you mean `250`",
    ),
    "line twice": (
        '[[lines]]\nclient = 250\nproduct = "EDR"\nline = 1\n'
        '[[@@lines]]\nclient = "main/250"\nproduct = "EDR"\nline = "1"\n',
        "line-twice",
        "named twice",
    ),
    "flexible in words": (
        '[[lines]]\nclient = 250\nproduct = "EDR"\nline = 1\nflexible = @@"yes"\n',
        "wrong-type",
        "true or false",
    ),
    "exception without reason": (
        EXCEPTION.replace("[[", "[[@@") + "add = 1\nlast_day = 2030-01-01\n",
        "missing-key",
        "`reason`",
    ),
    "exception without day": (
        EXCEPTION.replace("[[", "[[@@") + 'add = 1\nreason = "x"\n',
        "missing-key",
        "`last_day`",
    ),
    "exception for nothing": (
        EXCEPTION.replace("[[", "[[@@") + END,
        "exception",
        "changes nothing",
    ),
    "add and set": (
        EXCEPTION.replace("[[", "[[@@") + "add = 1\nset = 2\n" + END,
        "exception",
        "several: add, set",
    ),
    "two exceptions": (
        f"{EXCEPTION}add = 1\n{END}{EXCEPTION.replace('[[', '[[@@')}set = 2\n{END}",
        "exception-twice",
        "first in",
    ),
    "day as text": (
        f'{EXCEPTION}add = 1\nreason = "x"\nlast_day = @@"2030-01-01"\n',
        "wrong-type",
        "without quotes",
    ),
    "day with time": (
        f'{EXCEPTION}add = 1\nreason = "x"\nlast_day = @@2030-01-01T10:00:00Z\n',
        "wrong-type",
        "day",
    ),
    "empty reason": (
        f'{EXCEPTION}add = 1\nreason = @@" "\nlast_day = 2030-01-01\n',
        "empty-text",
        "is empty",
    ),
    "not a row": (
        f'[[accepted]]\nrow = @@"K7Q2"\nseen = {{}}\n{END}',
        "not-a-row",
        "12 lower-case",
    ),
    "seen what": (
        f'[[accepted]]\nrow = "k7q2mx4tab6c"\nseen = {{ @@psaa = "1" }}\n{END}',
        "unknown-key",
        "`psa`",
    ),
    "accepted twice": (
        f'[[accepted]]\nrow = "k7q2mx4tab6c"\nseen = {{}}\n{END}'
        f'[[@@accepted]]\nrow = "k7q2mx4tab6c"\nseen = {{}}\n{END}',
        "accepted-twice",
        "first in",
    ),
    # guards and writes
    "guard negative": ("[guards]\nrow = { percent = @@-1 }\n", "too-small", "0 or more"),
    "guard unknown": ("[guards]\nrow = { @@unit = 5 }\n", "unknown-key", "did you mean `units`"),
    "guard rows": ('[guards]\nrun = { rows = @@"1.5" }\n', "not-a-number", "whole number"),
    "guard money": ("[guards]\nclient = { money = { USD = @@5 } }\n", "money-is-text", 'write "5"'),
    "to_zero": ("[guards]\nto_zero = @@0\n", "wrong-type", "true or false"),
    "writes what": ('[writes]\nfields = [@@"rise"]\n', "not-a-choice", "increase, decrease"),
    "writes whom": ("[writes]\nclients = [@@999]\n", "unknown-client", "no client `999`"),
    "writes all and some": (
        "[@@writes]\nclients = [250]\nall_clients = true\n",
        "writes-scope",
        "both clients and all_clients",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.parametrize("windows", [False, True], ids=["unix", "windows"])
def test_each_mistake_is_reported_at_its_place(tmp_path: Path, name: str, windows: bool) -> None:
    # `@@` is where the mistake stands; without it, it concerns the whole file.
    edit, code, phrase = MISTAKES[name]
    marked = BASE.replace(*edit, 1) if isinstance(edit, tuple) else BASE + edit
    if windows:
        marked = marked.replace("\n", "\r\n")
    line = column = 1
    if "@@" in marked:
        before = marked[: marked.index("@@")]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    path = tmp_path / "mapping.toml"
    encoding = "utf-8-sig" if windows else "utf-8"
    path.write_text(marked.replace("@@", ""), encoding=encoding, newline="")

    with pytest.raises(InputError) as caught:
        load(path)

    found = [
        f"{p.code} {p.where.line}:{p.where.column} {p.summary} {p.fix}"
        for p in caught.value.problems
        if p.where is not None and p.where.file == str(path)
    ]
    assert any(one.startswith(f"{code} {line}:{column} ") and phrase in one for one in found), found
    assert "hunter2" not in str(caught.value)
    assert len(found) == 1, found
