"""Keeps secrets out of the mapping: what looks like one must be a reference to where it lies."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from drybill.mapping.findings import Findings, entry
from drybill.mapping.positions import Path
from drybill.secrets import REFERENCE

# The end of a key's name; a vendor's product "Password Manager" is no secret.
_SECRET = re.compile(
    r"[\w-]*(secret|token|passw(or)?d|passphrase|private_?key|api_?key|bearer|authorization)",
    re.IGNORECASE,
)
_FIX = 'write "env:NAME", "keyring:SERVICE/NAME", "cmd:COMMAND" or "file:PATH"'


def check_settings(table: dict[str, Any], path: Path, findings: Findings) -> None:
    """Refuses literal secrets in `[psa.NAME]` or `[vendors.NAME]`, without repeating them."""
    for key, value in table.items():
        where = (*path, key)
        if key in ("credentials", "write_credentials"):
            for name, secret in value.items() if isinstance(value, dict) else ():
                if not _refers(secret):
                    _literal((*where, name), findings)
        elif _SECRET.fullmatch(key) and not _refers(value):
            _literal(where, findings)
        elif isinstance(value, dict):
            check_settings(value, where, findings)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                if isinstance(inner, dict):
                    check_settings(inner, (*where, index), findings)
        elif isinstance(value, str) and _has_user(value):
            _literal(where, findings)


def _refers(value: Any) -> bool:
    return isinstance(value, str) and REFERENCE.fullmatch(value) is not None


def _has_user(value: str) -> bool:
    try:
        return "://" in value and urlsplit(value).username is not None
    except ValueError:
        return False


def _literal(path: Path, findings: Findings) -> None:
    says = f"{entry(path)} must say where the secret lies, not what it is"
    findings.error("secret-in-file", path, says, _FIX, key=True)
