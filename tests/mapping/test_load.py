"""What a right mapping becomes: the policy, its places, its digest, its warnings."""

from __future__ import annotations

import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from drybill.billing.policy import Combine, RowLimits, Rule, VendorKey
from drybill.errors import InputError
from drybill.mapping.load import Mapping, load
from drybill.mapping.positions import parse_path, path_text
from drybill.psa.registry import open_psa
from drybill.vendors.registry import open_vendor

EXAMPLE = Path(__file__).parents[2] / "mapping.example.toml"
HEAD = """\
timezone = "Europe/Berlin"
clients_file = "clients.csv"
include = ["mapping.d/*.toml"]
[psa.main]
kind = "files"
[vendors.pax8]
kind = "files"
[agreements]
cloud = {}
security = {}
[profiles.flat]
"""
ROW = "k7q2mx4tab6c"
ACCEPTED = (
    f'[[accepted]]\nrow = "{ROW}"\nseen = {{ psa = "1" }}\nreason = "x"\nlast_day = 2030-01-01\n'
)


def write(
    folder: Path, csv: str | None = "id,pax8\n250,a\n", toml: str = HEAD, **more: str
) -> Path:
    """A mapping in `folder`; `more` are files of mapping.d."""
    (folder / "mapping.d").mkdir(parents=True, exist_ok=True)
    for name, text in more.items():
        (folder / "mapping.d" / f"{name}.toml").write_text(text, encoding="utf-8")
    if csv is not None:
        (folder / "clients.csv").write_text(csv, encoding="utf-8")
    path = folder / "mapping.toml"
    path.write_text(toml, encoding="utf-8")
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(path)
    return [str(one).replace(f"{path.parent}/", "") for one in caught.value.problems]


@pytest.fixture(scope="module")
def example() -> Mapping:
    return load(EXAMPLE)


def test_the_example_loads_and_only_misses_its_include(example: Mapping) -> None:
    assert [problem.code for problem in example.problems] == ["include-empty"]
    assert example.psas["main"]["lines"] == "lines.csv"
    assert example.vendors["distributor"]["measure"] == "subscriptions"


def test_the_adapters_accept_the_settings_of_the_example(example: Mapping) -> None:
    for name, settings in example.psas.items():
        assert open_psa(name, settings, example.folder).name == name
    for name, settings in example.vendors.items():
        assert open_vendor(name, settings, example.folder).name == name


def test_a_product_of_the_example(example: Mapping) -> None:
    edr = example.policy.products["EDR"]
    assert edr.role == "security"
    assert edr.combine is Combine.SUM
    assert edr.sources[1] == VendorKey("distributor", "sku", "EDR-1", path=edr.sources[1].path)
    assert edr.ids == {"main": "EDR"}
    assert edr.limits == RowLimits(Decimal(2000), Decimal(80), {"USD": Decimal(5000)})
    assert edr.rules[0] == Rule("exclude", what="trial", path='products."EDR".quantity[0]')
    assert edr.rules[2].number == Decimal("1.5")
    assert (edr.rules[5].name, edr.rules[5].number, edr.rules[5].direction) == ("pack", 5, "up")
    assert example.policy.products["SUPPORT"].prices == {"USD": Decimal("4.50")}
    assert example.policy.products["SUPPORT"].role == "cloud"


def test_the_clients_of_the_example(example: Mapping) -> None:
    clients = example.policy.clients
    assert clients["main", "250"].customers == {"distributor": ("6f1c0a52",), "edr": ("83", "91")}
    assert clients["main", "250"].agreements == {"cloud": "1041"}
    whole = {"": "1077", "cloud": "1077", "security": "1077"}
    assert clients["main", "251"].agreements == whole, "an id without a role stands for all"
    exception = example.policy.exceptions[0]
    assert (exception.client, exception.add, exception.last_day) == ("250", -2, date(2030, 3, 31))
    assert example.policy.accepted[0].vendor_quantity == 25
    assert example.policy.writes.clients == {("main", "250")}


def test_every_path_of_the_policy_leads_to_its_entry(example: Mapping) -> None:
    text = EXAMPLE.read_text(encoding="utf-8").split("\n")
    policy = example.policy
    for path, start in [
        (policy.products["EDR"].path, "products.EDR"),
        (policy.products["EDR"].rules[1].path, "{ subtract = 10 }"),
        (policy.products["EDR"].sources[1].path, '{ vendor = "distributor", sku = "EDR-1" }'),
        (policy.clients["main", "251"].path, "clients]]"),
        (policy.exceptions[0].path + ".last_day", "last_day = 2030-03-31"),
        (policy.roles["security"].path, "security"),
    ]:
        place = example.place(path)
        assert text[place.line - 1][place.column - 1 :].startswith(start), path
    assert text[example.place("clients[1]").line].startswith('id = "251"')


@pytest.mark.parametrize("path", [("products", 'a."b\\', "quantity", 1), ("clients", 0, "x y")])
def test_paths_survive_being_text(path: tuple[str | int, ...]) -> None:
    assert parse_path(path_text(path)) == path


def test_columns_count_characters_not_bytes(tmp_path: Path) -> None:
    toml = HEAD + '[products]\n"Éé" = { from = [], nöpe = 1 }\n'
    path = write(tmp_path, toml=toml.replace("nöpe", '"nöpe"'))
    assert "mapping.toml:13:21: error[unknown-key]" in "\n".join(problems(path))


def test_control_characters_of_names_reach_no_terminal(tmp_path: Path) -> None:
    toml = HEAD + '[products."a\\u001b[2J"]\nfrom = [{ vendor = "x\\ny", sku = "1" }]\n'
    text = "".join(problems(write(tmp_path, toml=toml)))
    assert r"x\ny" in text
    assert "\x1b" not in text


def test_a_product_called_password_manager_is_no_secret(tmp_path: Path) -> None:
    toml = HEAD + '[vendors.x]\nkind = "files"\nvalues = { sku = { "Password Manager" = "pm" } }\n'
    assert load(write(tmp_path, toml=toml)).vendors["x"]["values"]


# Includes


def test_included_lists_are_added_and_keep_their_places(tmp_path: Path) -> None:
    more = "[[clients]]\nid = 7\n"
    path = write(
        tmp_path, toml=HEAD + more, a="[[clients]]\nid = 8\n" + ACCEPTED, b="[[clients]]\nid = 9\n"
    )
    mapping = load(path)
    assert {client for _, client in mapping.policy.clients} == {"250", "7", "8", "9"}
    places = {
        client.id: str(mapping.place(client.path)).replace(f"{tmp_path}/", "")
        for client in mapping.policy.clients.values()
    }
    assert places == {
        "7": "mapping.toml:12:3",
        "8": "mapping.d/a.toml:1:3",
        "9": "mapping.d/b.toml:1:3",
        "250": "clients.csv:2:1",
    }


def test_a_product_may_be_completed_by_another_file(tmp_path: Path) -> None:
    product = '[products.A]\nfrom = [{ vendor = "pax8", sku = "a" }]\n'
    path = write(tmp_path, toml=HEAD + product, a='[products.A]\nat_zero = "end"\n')
    assert load(path).policy.products["A"].at_zero == "end"


def test_a_key_of_two_files_names_both_places(tmp_path: Path) -> None:
    found = problems(write(tmp_path, a='[psa.main]\nkind = "x"\n'))
    assert found == [
        "mapping.d/a.toml:2:1: error[set-twice]: `kind` is set twice, first in mapping.toml:5:1\n"
        "  help: keep one of the two"
    ]


def test_a_mistake_in_an_included_file_is_reported_there(tmp_path: Path) -> None:
    found = problems(write(tmp_path, a="[[clients]]\nid = 8\n\n[[clients]]\nid = 1.5\n"))
    assert found[0].startswith("mapping.d/a.toml:5:6: error[not-an-id]: `clients[1].id`")


def test_syntax_errors_of_all_included_files_come_together(tmp_path: Path) -> None:
    found = problems(write(tmp_path, a="x = \n", b="y\n"))
    assert [one.split(" ")[0] for one in found] == [
        "mapping.d/a.toml:1:5:",
        "mapping.d/b.toml:1:2:",
    ]


def test_an_included_file_includes_nothing(tmp_path: Path) -> None:
    found = problems(write(tmp_path, a='include = ["b.toml"]\n'))
    assert found[0].startswith("mapping.d/a.toml:1:1: error[include-nested]")


# The clients file


def test_a_clients_file(tmp_path: Path) -> None:
    csv = (
        "\ufeffid,name,psa,profile,agreement,agreement.cloud,pax8\r\n"
        '250,"Wonder,\r\nland",main,flat,9,7,a ; b\r\n'
        ",,,,,,\r\n"
        "007,Bond,,,,,\r\n"
    )
    mapping = load(write(tmp_path, csv=csv))
    first, second = mapping.policy.clients.values()
    assert (first.psa, first.id, first.profile) == ("main", "250", "flat")
    assert first.agreements == {"": "9", "cloud": "7", "security": "9"}
    assert first.customers == {"pax8": ("a", "b")}
    assert (second.id, second.agreements, second.customers) == ("007", {}, {})
    assert second.path == "clients.csv:5", "lines are those of the file, not rows"


@pytest.mark.parametrize(
    ("csv", "place", "phrase"),
    [
        ("", "1:1", "column `id` is missing"),
        ("id;pax8\n1;a\n", "1:1", "separate columns by commas"),
        ("name,pax8\nx,a\n", "1:1", "column `id` is missing"),
        ("id,pax8,pax8\n", "1:9", "column `pax8` is there twice"),
        ("id,agreement.clod\n", "1:4", "column `agreement.clod`: there is no role `clod`"),
        ("id,pax8\n,a\n", "2:1", "column `id`: is empty"),
        ("id,pax8\n1\n", "2:1", "this row has 1 cells, the header has 2"),
        ("id,psa\n1,man\n", "2:1", "column `psa`: there is no psa `man`"),
        ("id,profile\n1,flt\n", "2:1", "did you mean `flat` (mapping.toml:11:2)"),
        ("id\n1\n2\n1\n", "4:1", "client 1 is there twice, first in clients.csv:2:1"),
        ("id,pax8\n1,a\n2,b;a\n", "3:1", "belongs to client 2 and to client 1 (clients.csv:2:1)"),
        ("id,pax8\n1,a;a\n", "2:1", "is written twice"),
        ('id,name\n1,"x\n', "2:1", "this is not CSV"),
        ('id,name\n1,"x"y\n', "2:1", "this is not CSV"),
        ("id\n1\0\n", "2:1", "this is not CSV"),
        ("id\n" + "1" * 200_000, "2:1", "this is not CSV"),
    ],
)
def test_mistakes_in_a_clients_file(tmp_path: Path, csv: str, place: str, phrase: str) -> None:
    found = problems(write(tmp_path, csv=csv))
    assert len(found) == 1
    assert found[0].startswith(f"clients.csv:{place}: error[")
    assert phrase in found[0]


def test_a_clients_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = write(tmp_path)
    for mark in (b"", b"\xef\xbb\xbf"):
        (tmp_path / "clients.csv").write_bytes(mark + "id,name\n1,Müller\n".encode("latin-1"))
        assert problems(path)[0].startswith("clients.csv:2:4: error[not-utf-8]")


def test_a_column_that_nothing_reads_is_one_notice(tmp_path: Path) -> None:
    _, notice = load(write(tmp_path, csv="id,pax9,fax\n1,a,b\n")).problems
    assert notice.level == "warning"
    assert "`pax9`, `fax`" in notice.summary
    assert "`pax9` may be vendor `pax8`" in notice.fix


def test_a_client_of_both_files_names_both(tmp_path: Path) -> None:
    found = problems(write(tmp_path, toml=HEAD + "[[clients]]\nid = 250\n"))
    assert found[0].startswith("clients.csv:2:1: error[client-twice]: client 250 is there twice")
    assert "first in mapping.toml:12:3" in found[0]


def test_a_broken_clients_file_hides_no_other_mistake_and_invents_none(tmp_path: Path) -> None:
    toml = HEAD + '[writes]\nclients = [250]\nfields = ["x"]\n'
    found = problems(write(tmp_path, csv="id,pax8\n250\n", toml=toml))
    assert [one.split("error")[1].split("]")[0] for one in found] == ["[not-a-choice", "[csv-width"]


# Several PSAs


def test_with_two_psas_every_client_says_which(tmp_path: Path) -> None:
    two = '[psa.other]\nkind = "files"\n'
    found = problems(write(tmp_path, toml=HEAD + two + "[writes]\nclients = [250]\n"))
    assert "mapping.toml:15:12: error[psa-missing]" in found[0]
    assert "clients.csv:2:1: error[psa-missing]: column `psa`: is empty" in found[1]
    csv = "id,psa\n250,main\n250,other\n"
    toml = HEAD + two + '[writes]\nclients = ["other/250"]\n'
    policy = load(write(tmp_path, csv=csv, toml=toml)).policy
    assert set(policy.clients) == {("main", "250"), ("other", "250")}
    assert policy.writes.clients == {("other", "250")}


# Terms, kinds, combine


def test_the_same_sku_with_another_term_or_kind_is_another_unit(tmp_path: Path) -> None:
    entries = [
        'term = "monthly"',
        'term = "annual", kind = "assigned"',
        'term = "annual", kind = "billed"',
    ]
    products = "".join(
        f'[products.P{index}]\nfrom = [{{ vendor = "pax8", sku = "a", {entry} }}]\n'
        for index, entry in enumerate(entries)
    )
    assert len(load(write(tmp_path, toml=HEAD + products)).policy.products) == 3
    found = problems(write(tmp_path, toml=HEAD + products.replace('"monthly"', '"any"')))
    assert len(found) == 2, "any term overlaps every other"


def test_combine_where_nothing_is_combined_is_a_warning(tmp_path: Path) -> None:
    toml = HEAD + '[products.A]\nfrom = [{ vendor = "pax8", sku = "a" }]\ncombine = "sum"\n'
    codes = {
        problem.code: str(problem.where) for problem in load(write(tmp_path, toml=toml)).problems
    }
    assert codes["combine-superfluous"].endswith("mapping.toml:14:1")


def test_bounds_contradict_only_without_arithmetic_between(tmp_path: Path) -> None:
    toml = HEAD + '[products.A]\nfrom = [{ vendor = "pax8", sku = "a" }]\nquantity = '
    rules = "[{ maximum = 5 }, { multiply = 10 }, { minimum = 20 }]\n"
    assert load(write(tmp_path, toml=toml + rules))
    assert problems(write(tmp_path, toml=toml + rules.replace("{ multiply = 10 }, ", "")))


# All at once, and the digest


def test_one_mistake_of_a_table_hides_no_other(tmp_path: Path) -> None:
    toml = HEAD + '[products.A]\nat_zero = "x"\nfrom = [{ vendor = "q", sku = "1", term = 5 }]\n'
    toml += '[[exceptions]]\nclient = 9\nproduct = "B"\n'
    found = problems(write(tmp_path, toml=toml))
    assert [one.split("error[")[1].split("]")[0] for one in found] == [
        "not-a-choice",
        "unknown-vendor",
        "wrong-type",
        "missing-key",
        "missing-key",
        "unknown-client",
        "unknown-product",
    ]


def test_all_mistakes_at_once_in_the_order_of_the_files(tmp_path: Path) -> None:
    toml = HEAD.replace("Berlin", "Berlinn") + (
        '[writes]\nclients = [1]\n[products.A]\ncombine = "x"\n'
        '[[lines]]\nclient = 250\nproduct = "B"\nline = 1\n'
    )
    found = problems(write(tmp_path, toml=toml, csv="id\n250\n250\n"))
    assert [one.split(" ")[0] for one in found] == [
        "mapping.toml:1:12:",
        "mapping.toml:13:12:",
        "mapping.toml:15:11:",
        "mapping.toml:18:11:",
        "clients.csv:3:1:",
    ]


def test_the_digest_knows_every_file_but_not_where_they_lie(tmp_path: Path) -> None:
    one = write(tmp_path / "one", a=ACCEPTED)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    digest = load(one).digest
    assert load(tmp_path / "two" / "mapping.toml").digest == digest
    seen = {digest}
    for name, text in [
        ("clients.csv", "id\n251\n"),
        ("mapping.d/a.toml", ""),
        ("mapping.toml", HEAD + "#"),
    ]:
        (tmp_path / "two" / name).write_text(text)
        seen.add(load(tmp_path / "two" / "mapping.toml").digest)
    assert len(seen) == 4


# Files that cannot be read


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"a = '\xe9'", b"\x00" * 9, b"a=" + b"[" * 5000]
)
def test_what_is_no_text_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mapping.toml"
    path.write_bytes(content)
    assert len(problems(path)) == 1


def test_a_number_of_thousands_of_digits(tmp_path: Path) -> None:
    path = write(tmp_path, toml=HEAD + "x = " + "9" * 5000)
    assert "thousands of digits" in problems(path)[0]


@pytest.mark.parametrize(("name", "phrase"), [("", "folder"), ("no.toml", "no such file")])
def test_a_mapping_that_is_no_file(tmp_path: Path, name: str, phrase: str) -> None:
    with pytest.raises(InputError, match=phrase):
        load(tmp_path / name)
