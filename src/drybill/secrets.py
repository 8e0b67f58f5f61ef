"""Secrets: where they lie, how they are fetched, and how they stay out of all that is told.

A mapping holds references only. What was fetched is known to this process from then on, and
`redacted` takes it out of any text or body.
"""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from typing import Final

from drybill.errors import InputError, Problem
from drybill.whole import reason

REFERENCE: Final = re.compile(r"(env|keyring|cmd|file):\s*(\S.*)", re.DOTALL)
MASK: Final = "***"
_SHORTEST = 4  # characters; taking shorter ones out of a text would take the text apart
_ESCAPE = re.compile(rb"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_LOWER_HEX = re.compile(r"%[0-9A-F]{2}")
_PATIENCE = 60  # seconds for a command, which may ask a person

_known: set[str] = set()


def fetch(reference: str, base: Path, setting: str, *, secret_itself: bool = True) -> str:
    """The secret that `env:NAME`, `keyring:SERVICE/NAME`, `cmd:COMMAND` or `file:PATH` leads to.

    `base` is the mapping's folder, `setting` what messages call it: `psa.main: private_key`. What
    only stands beside secrets, such as a login name, is not kept out of what is told.

    Raises:
        InputError: it is not there. Neither the secret nor a command's output is in the message.
    """
    found = REFERENCE.fullmatch(reference)
    if found is None:
        raise _failed(setting, "is no reference to a secret", 'write for example "env:NAME"')
    kind, name = found.groups()
    if kind == "env":
        secret = os.environ.get(name.strip(), "").strip("\r\n")
        if not secret:
            raise _failed(setting, f"the environment has no {name}", f"export {name}=...")
    elif kind == "keyring":
        secret = _from_keyring(name.strip(), setting)
    elif kind == "cmd":
        secret = _from_command(name, setting)
    else:
        try:
            secret = (base / Path(name.strip()).expanduser()).read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            raise _failed(setting, f"{name} cannot be read: {reason(error)}") from None
        if not secret:
            raise _failed(setting, f"{name} is empty")
    if secret_itself:
        keep(secret)
    return secret


def keep(secret: str) -> None:
    """From here on `redacted` takes it out, as it is and as it stands in URLs and headers."""
    if len(secret) >= _SHORTEST:
        from urllib.parse import quote

        raw = secret.encode("utf-8", "surrogateescape")
        _known.add(secret)
        for safe in ("", "/"):
            quoted = quote(raw, safe=safe)
            _known.update((quoted, _LOWER_HEX.sub(lambda found: found.group().lower(), quoted)))
        for encoded in (b64encode(raw).decode(), urlsafe_b64encode(raw).decode()):
            _known.update((encoded, encoded.rstrip("=")))


def redacted(text: str) -> str:
    """The text without any secret of this process."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def redacted_body(body: bytes) -> bytes:
    """The same for a JSON body, however its texts are escaped."""
    if b"\\" in body:
        body = _ESCAPE.sub(_plain, body)
    for secret in sorted(_known, key=len, reverse=True):
        for form in {
            secret,
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
        }:
            body = body.replace(form.encode("utf-8", "surrogatepass"), MASK.encode())
    return body


def _plain(found: re.Match[bytes]) -> bytes:
    """An escape that JSON does not need, as the character that it stands for."""
    escape = found.group(1)
    if escape == b"/":
        return b"/"
    if len(escape) == 1:
        return found.group()
    code = int(escape[1:], 16)
    needed = code < 0x20 or code in (0x22, 0x5C) or 0xD800 <= code <= 0xDFFF
    return found.group() if needed else chr(code).encode()


def _from_keyring(name: str, setting: str) -> str:
    service, slash, user = name.rpartition("/")
    if not slash or not service or not user:
        raise _failed(setting, f"`keyring:{name}` names no entry", "write keyring:SERVICE/NAME")
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        fix = "pip install 'drybill[keyring]'"
        raise _failed(setting, "the keyring needs a package that is not installed", fix) from None
    try:
        secret: str | None = keyring.get_password(service, user)
    except KeyringError as error:
        summary = f"the keyring cannot be asked: {type(error).__name__}"
        raise _failed(setting, summary, "use env:, cmd: or file: here") from None
    if not secret:
        fix = f"keyring set {service} {user}"
        raise _failed(setting, f"the keyring has nothing under {service}/{user}", fix)
    return secret


def _from_command(command: str, setting: str) -> str:
    import shlex
    import subprocess

    try:
        words = shlex.split(command)
        done = subprocess.run(
            words, check=False, stdout=subprocess.PIPE, text=True, timeout=_PATIENCE
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise _failed(setting, f"its command cannot be run: {type(error).__name__}") from None
    if done.returncode:
        raise _failed(setting, f"its command ended with {done.returncode}")
    secret = done.stdout.rstrip("\r\n")
    if not secret:
        raise _failed(setting, "its command printed nothing")
    return secret


def _failed(setting: str, summary: str, fix: str = "") -> InputError:
    return InputError([Problem("secret-missing", None, f"{setting}: {summary}", fix)])
