"""Secrets come from where the mapping says, and their text is never in a message."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from drybill.errors import InputError
from drybill.secrets import fetch, keep, redacted, redacted_body

SETTING = "psa.main: private_key"


def test_an_environment_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CW_KEY", "from-the-environment")
    assert fetch("env:CW_KEY", tmp_path, SETTING) == "from-the-environment"
    assert redacted("x from-the-environment y") == "x *** y"


def test_a_file_beside_the_mapping(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text("from-a-file\n", "utf-8")
    assert fetch("file:key.txt", tmp_path, SETTING) == "from-a-file"


def test_a_command(tmp_path: Path) -> None:
    assert fetch("cmd:printf 'from-a-command\\n'", tmp_path, SETTING) == "from-a-command"


def test_the_keyring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keyring = pytest.importorskip("keyring")
    asked = {("drybill", "cw"): "from-the-keyring"}
    monkeypatch.setattr(keyring, "get_password", lambda *name: asked.get(name))
    assert fetch("keyring:drybill/cw", tmp_path, SETTING) == "from-the-keyring"
    with pytest.raises(InputError, match="nothing under drybill/other"):
        fetch("keyring:drybill/other", tmp_path, SETTING)


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("env:DRYBILL_NO_SUCH", "the environment has no DRYBILL_NO_SUCH"),
        ("file:no-such", "cannot be read"),
        ("file:empty", "is empty"),
        ("cmd:no-such-command-at-all", "cannot be run: FileNotFoundError"),
        ("cmd:sh -c 'echo canary-out; echo canary-err >&2; exit 3'", "ended with 3"),
        ("cmd:true", "printed nothing"),
        ("cmd:'unbalanced", "cannot be run"),
        ("keyring:noslash", "names no entry"),
        ("literal-canary", "is no reference"),
    ],
)
def test_what_is_missing_is_said_without_what_was_found(
    tmp_path: Path, reference: str, why: str
) -> None:
    (tmp_path / "empty").write_text("\n", "utf-8")
    with pytest.raises(InputError) as caught:
        fetch(reference, tmp_path, SETTING)
    said = str(caught.value)
    assert SETTING in said
    assert why in said
    assert "canary" not in said


def test_without_the_package_the_keyring_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(InputError, match=r"drybill\[keyring\]"):
        fetch("keyring:drybill/cw", tmp_path, SETTING)


def test_a_secret_is_taken_out_in_every_form_that_it_travels_in() -> None:
    keep('s3/cr"et+x')
    from base64 import b64encode

    coded = b64encode(b's3/cr"et+x').decode()
    text = f's3/cr"et+x {coded} s3%2Fcr%22et%2Bx'
    assert redacted(text) == "*** *** ***"
    assert redacted_body(rb'{"a": "s3\/cr\"et+x"}') == b'{"a": "***"}'


def test_what_is_too_short_to_be_told_from_text_is_left() -> None:
    keep("ab")
    assert redacted("about") == "about"


@pytest.mark.parametrize(
    "form", ["a/b+c=d%40e f", "a%2fb%2bc%3dd%2540e%20f", "a/b%2Bc%3Dd%2540e%20f",
             "YS9iK2M9ZCU0MGUgZg==", "YS9iK2M9ZCU0MGUgZg"]
)  # fmt: skip
def test_a_secret_is_known_in_the_forms_that_servers_write(form: str) -> None:
    keep("a/b+c=d%40e f")
    assert redacted(f"you sent {form}.") == "you sent ***."
