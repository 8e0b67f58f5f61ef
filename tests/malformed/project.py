"""A small valid project in a folder, ways to spoil it, and a run of drybill on it in process."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from unittest import mock

AS_OF = "2026-11-25"
LIMIT = 10  # seconds of one run; it is milliseconds, but machines stall
# Planted where secrets are and where people leave them; no output may ever hold it.
CANARY = "hunter2-Zq9"

MAPPING = f"""\
timezone = "America/Chicago"
clients_file = "clients.csv"
include = ["mapping.d/*.toml"]

[psa.main]
kind = "files"
agreements = "agreements.csv"
lines = "lines.csv"

[vendors.pax8]
kind = "files"
usage = "usage.csv"
# client_secret = "{CANARY}"

[agreements]
cloud = {{ type = ["Cloud"] }}

[defaults]
agreement = "cloud"

[products.M365]
from = [{{ vendor = "pax8", sku = "M365" }}]
quantity = [{{ minimum = 1 }}]

[products.EDR]
from = [{{ vendor = "pax8", sku = "EDR" }}]
price = {{ USD = "4.50" }}

[writes]
fields = ["increase", "create"]
all_clients = true
"""
EXTRA = """\
[[exceptions]]
client = "C2"
product = "M365"
add = -1
reason = "one NFR seat"
last_day = 2027-03-31
"""
CLIENTS = """\
id,name,pax8
C1,Wonderland Ltd,p1
C2,Looking Glass,p2;p3
"""
AGREEMENTS = """\
agreement_id,company_id,company_name,type,currency,cycle,start_date,next_period_start,\
base_amount,parent_agreement_id,bill_to,prorate,end_date
A1,C1,Wonderland Ltd,Cloud,USD,monthly,2024-01-01,2026-12-01,100.00,,,false,
A2,C2,Looking Glass,Cloud,USD,monthly,2024-01-01,2026-12-01,,,,true,
"""
LINES = """\
line_id,agreement_id,product,description,quantity,unit_price,effective_date,cancelled_date
L1,A1,M365,Microsoft 365,10,22.00,,
L2,A2,M365,Microsoft 365,5,20.00,2025-01-01,
L3,A1,FEE,Service desk,1,300.00,,
"""
USAGE = """\
customer_id,customer_name,sku,quantity,as_of,unit_cost,currency,since,period_start,period_end
p1,Wonderland,M365,12,2026-11-24T06:00:00Z,18.00,USD,2026-10-05,,
p1,Wonderland,EDR,4,2026-11-24T06:00:00Z,3.00,USD,,,
p2,Glass,M365,4,2026-11-24T06:00:00Z,18.00,USD,,,
p3,Glass Two,M365,2,2026-11-24T06:00:00Z,18.00,USD,,,
p9,Nobody,BACKUP,7,2026-11-24T06:00:00Z,1.00,USD,,,
"""
FILES = {
    "mapping.toml": MAPPING,
    "mapping.d/extra.toml": EXTRA,
    "clients.csv": CLIENTS,
    "agreements.csv": AGREEMENTS,
    "lines.csv": LINES,
    "usage.csv": USAGE,
}


@dataclass(frozen=True, slots=True)
class Result:
    code: object
    out: str
    err: str
    defect: str  # the traceback of a defect that drybill confessed; empty is right

    @property
    def said(self) -> str:
        return self.out + self.err


@dataclass(slots=True)
class Project:
    """The folder `root`, with drybill's own state beside it in `state`."""

    root: Path
    state: Path
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def lay_out(cls, folder: Path) -> Project:
        project = cls(folder / "project", folder / "state")
        project.root.mkdir()
        project.state.mkdir()
        for name, text in FILES.items():
            project.write(name, text)
        return project

    def write(self, name: str, content: str | bytes) -> None:
        path = self.root / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def bytes_of(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def replace(self, name: str, old: str, new: str) -> None:
        text = self.bytes_of(name).decode()
        assert old in text, f"{old!r} is not in {name}"
        self.write(name, text.replace(old, new, 1))

    def add(self, name: str, text: str | bytes) -> None:
        content = text.encode() if isinstance(text, str) else text
        self.write(name, self.bytes_of(name) + content)

    def cell(self, name: str, line: int, column: str, value: str) -> None:
        """Sets one cell; `line` counts from 1, the header's."""
        rows = list(csv.reader(io.StringIO(self.bytes_of(name).decode())))
        rows[line - 1][rows[0].index(column)] = value
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        self.write(name, text.getvalue())

    def snapshot(self) -> dict[str, bytes | str]:
        """Every file of the folder with its bytes; of anything else what it is."""
        found: dict[str, bytes | str] = {}
        for path in sorted(self.root.rglob("*")):
            name = os.fsencode(path.relative_to(self.root)).decode("utf-8", "replace")
            if path.is_symlink():
                found[name] = f"link to {path.readlink()}"
            elif path.is_file():
                found[name] = path.read_bytes()
            else:
                found[name] = "a folder"
        return found

    def run(self, *arguments: str) -> Result:
        return run(arguments, self.root, {"DRYBILL_STATE": str(self.state), **self.environment})


class TooSlow(BaseException):
    """No bad input may keep a run busy."""


def _stop(*_: object) -> None:
    raise TooSlow


signal.signal(signal.SIGALRM, _stop)


@cache
def command() -> object:
    """The commands, built once: that takes half as long as a run."""
    from typer.main import get_command

    from drybill.cli.main import app

    return get_command(app)


def run(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Result:
    """One command of drybill, in this process, in `folder`."""
    from drybill.cli import main, screen

    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    confess, defects, code = screen.confess, list[str](), object()

    def note(error: Exception) -> None:
        defects.append("".join(traceback.format_exception(error)))
        confess(error)

    with (
        mock.patch.object(sys, "argv", ["drybill", *arguments]),
        mock.patch.dict(os.environ, {"COLUMNS": "120", **environment}),
        mock.patch.object(screen, "confess", note),
        mock.patch.object(main, "app", command()),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        signal.setitimer(signal.ITIMER_REAL, LIMIT)
        try:
            main.run()
            code = 0
        except SystemExit as stop:
            code = int(stop.code) if isinstance(stop.code, int) else stop.code or 0
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    said = []
    for stream in (out, err):
        stream.flush()
        said.append(stream.buffer.getvalue().decode("utf-8", "replace"))
    return Result(code, said[0], said[1], "".join(defects))
