from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from drybill.errors import InputError
from drybill.mapping.accept import add_acceptance
from drybill.mapping.load import load

ROW, OTHER = "k7q2mx4tab6c", "aaaaaaaaaaaa"
TOML = 'timezone = "UTC"\ninclude = ["mapping.d/*.toml"]\n[psa.main]\nkind = "files"\n'
SEEN = {"psa": Decimal("20"), "vendor": Decimal("25.0")}
DAY = date(2030, 1, 31)


def mapping(folder: Path, text: str = TOML) -> Path:
    path = folder / "mapping.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_acceptance_is_read_back(tmp_path: Path) -> None:
    path = mapping(tmp_path)
    written = add_acceptance(path, ROW, SEEN, 'five "moved"\nseats', DAY)
    assert written == tmp_path / "mapping.d" / "accepted.toml"
    assert (
        "written by `drybill accept`" in written.read_text(encoding="utf-8").splitlines()[0].lower()
    )
    (one,) = load(path).policy.accepted
    assert (one.row, one.psa_quantity, one.vendor_quantity) == (ROW, 20, 25)
    assert (one.reason, one.last_day) == ('five "moved"\nseats', DAY)


def test_the_same_row_again_replaces_it_and_unknown_stays_unknown(tmp_path: Path) -> None:
    path = mapping(tmp_path)
    add_acceptance(path, ROW, SEEN, "first", DAY)
    add_acceptance(path, OTHER, SEEN, "other", DAY)
    add_acceptance(path, ROW, {"psa": Decimal(1), "vendor": None}, "second", DAY)
    accepted = {one.row: one for one in load(path).policy.accepted}
    assert accepted[ROW].reason == "second"
    assert accepted[ROW].vendor_quantity is None
    assert accepted[OTHER].reason == "other"
    assert [file.name for file in (tmp_path / "mapping.d").iterdir()] == ["accepted.toml"]


def test_a_mapping_that_would_not_read_it_says_which_line_to_add(tmp_path: Path) -> None:
    for include in ("", 'include = ["*.toml"]\n'):
        path = mapping(tmp_path, TOML.replace('include = ["mapping.d/*.toml"]\n', include))
        with pytest.raises(InputError, match=r'include = \["mapping.d/\*.toml"\]'):
            add_acceptance(path, ROW, SEEN, "x", DAY)
    assert not (tmp_path / "mapping.d").exists()


def test_a_file_that_is_named_need_not_exist_yet(tmp_path: Path) -> None:
    path = mapping(tmp_path, TOML.replace("*.toml", "accepted.toml"))
    add_acceptance(path, ROW, SEEN, "x", DAY)
    assert len(load(path).policy.accepted) == 1


def test_an_acceptance_that_a_person_wrote_is_theirs(tmp_path: Path) -> None:
    own = f'[[accepted]]\nrow = "{ROW}"\nseen = {{}}\nreason = "x"\nlast_day = 2030-01-01\n'
    path = mapping(tmp_path, TOML + own)
    with pytest.raises(InputError, match=r"mapping.toml:5:3: error\[accepted-twice\]"):
        add_acceptance(path, ROW, SEEN, "x", DAY)
    assert len(load(path).policy.accepted) == 1


@pytest.mark.parametrize(("row", "reason"), [("k7q2", "x"), (ROW, " ")])
def test_half_a_row_or_no_reason_is_refused(tmp_path: Path, row: str, reason: str) -> None:
    with pytest.raises(InputError):
        add_acceptance(mapping(tmp_path), row, SEEN, reason, DAY)
