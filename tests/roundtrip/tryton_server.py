"""Tryton in an environment of its own: installed once, a database made once, a copy per scenario.

`.tryton/` in the checkout (or DRYBILL_TRYTON) keeps the environment and the template databases;
without it everything is made anew, which takes under a minute. Nothing of Tryton is imported here.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from filelock import FileLock

PACKAGES = ("trytond==8.2.*", "trytond-sale-subscription==8.2.*", "proteus==8.2.*")
DATABASE = "msp"
KEY = "roundtrip-" + "k" * 30
OFFICE = Path(__file__).with_name("office.py")
TOP = Path(__file__).parents[2]
# Only the shipped records are not validated: the time that takes is half of all.
CREATE = """
import gc
gc.disable()
from trytond.model import ModelStorage
ModelStorage._validate = classmethod(lambda cls, *args, **more: None)
from trytond.cli.admin import main
main()
"""
# clean_timeout: a cleaning of caches switches SQLite's one connection to autocommit, and then a
# change that is refused stays: one test asks for that, with 0.
CONFIG = """\
[database]
uri = sqlite://
path = {folder}
[web]
listen = 127.0.0.1:{port}
[cache]
clean_timeout = {clean}
"""


class CannotInstall(Exception):
    """Tryton cannot be had here, and why."""


def home() -> Path:
    return Path(os.environ.get("DRYBILL_TRYTON", TOP / ".tryton"))


def python() -> Path:
    """The interpreter of Tryton's environment, made where it is missing. Raises CannotInstall."""
    folder = home() / "env"
    found = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = folder / "ready"
    wanted = " ".join(PACKAGES)
    if ready.exists() and ready.read_text("utf-8") == wanted:
        return found
    shutil.rmtree(folder, ignore_errors=True)
    said = [_run(sys.executable, "-m", "venv", str(folder))]
    if not said[-1].returncode:
        pip = (str(found), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        said.append(_run(*pip, *PACKAGES))
    if said[-1].returncode:
        raise CannotInstall(said[-1].stderr.strip()[-500:])
    ready.write_text(wanted, "utf-8")
    return found


def _run(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False, **more)


@dataclass(frozen=True)
class Template:
    """A database that nobody writes to any more, and what Tryton calls everything in it."""

    path: Path
    ids: dict[str, Any]


def template(month: str) -> Template:
    """The clients of `office.py` with the month that begins on this day billed.

    Raises CannotInstall. Where several test processes run, the first one makes it.
    """
    home().mkdir(parents=True, exist_ok=True)
    with FileLock(home() / "lock"):
        return _template(month)


def _template(month: str) -> Template:
    inside = python()
    made_of = sha256(OFFICE.read_bytes() + CREATE.encode() + " ".join(PACKAGES).encode())
    kept = home() / f"{month}-{made_of.hexdigest()[:12]}"
    done = kept.with_suffix(".json")
    if not done.exists():
        for old in home().glob("*.sqlite*"):
            old.unlink()
        for old in home().glob("*.json"):
            old.unlink()
        ids = _build(inside, kept.with_suffix(".sqlite"), month)
        done.write_text(json.dumps(ids), "utf-8")
    return Template(kept.with_suffix(".sqlite"), json.loads(done.read_text("utf-8")))


def _build(inside: Path, to: Path, month: str) -> Any:
    work = home() / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    config = write_config(work, 0)
    (work / "seed.sqlite").touch()
    (work / "password").write_text("not-used-by-anybody", "utf-8")
    words = ("-c", str(config), "-d", "seed", "-u", "sale_subscription", "--activate-dependencies")
    made = _run(
        str(inside), "-c", CREATE, *words, "-l", "en", "--email", "admin@example.com",
        env={**os.environ, "TRYTONPASSFILE": str(work / "password")},
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert not made.returncode, made.stderr
    with Office(inside, config) as office:
        ids = office.ask("seed", "seed", key=KEY, month=month)
    copy(work / "seed.sqlite", to)
    shutil.rmtree(work)
    return ids


def write_config(folder: Path, port: int, clean: int = 86_400) -> Path:
    path = folder / "trytond.conf"
    path.write_text(CONFIG.format(folder=folder, port=port, clean=clean), "utf-8")
    return path


def copy(source: Path, to: Path) -> None:
    """With SQLite's own backup: what was committed last may stand beside the file still, and
    whoever has the target open finds it changed as by any other transaction."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(to, timeout=30)) as new:
        old.backup(new)


class Office:
    """The people who use Tryton itself: see `office.py`."""

    def __init__(self, inside: Path, config: Path) -> None:
        with (config.parent / "office.log").open("w") as log:
            self._process = subprocess.Popen(
                [str(inside), str(OFFICE), str(config)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def __enter__(self) -> Office:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.kill()  # it has nothing to lose, and takes its time to end by itself
        self._process.wait(30)
        self._process.stdin.close()
        self._process.stdout.close()

    def ask(self, do: str, database: str, **order: Any) -> Any:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"do": do, "database": database, **order}) + "\n")
        self._process.stdin.flush()
        said = json.loads(self._process.stdout.readline())
        assert "error" not in said, said["error"]
        return said["answer"]


class Server:
    """One Tryton on loopback. Its database is renewed for each scenario."""

    def __init__(self, inside: Path, folder: Path, source: Template, clean: int = 86_400) -> None:
        self.folder, self.template = folder, source
        self.port = _free_port()
        self.config = write_config(folder, self.port, clean)
        program = inside.with_name("trytond")
        with (folder / "trytond.log").open("w") as log:
            self._process = subprocess.Popen(
                [str(inside), str(program), "-c", str(self.config)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def renew(self) -> None:
        """The database is as the template is, once more.

        It keeps its name: to get to know a new one takes Tryton longer than a scenario.
        """
        copy(self.template.path, self.folder / f"{DATABASE}.sqlite")

    def sql(self, statement: str) -> None:
        """What no button of Tryton does."""
        with closing(sqlite3.connect(self.folder / f"{DATABASE}.sqlite", timeout=30)) as database:
            database.execute(statement)
            database.commit()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(30)

    def _wait(self) -> None:
        for _ in range(600):
            assert self._process.poll() is None, (self.folder / "trytond.log").read_text("utf-8")
            try:
                urllib.request.urlopen(self.url, timeout=5).close()
            except urllib.error.HTTPError as error:
                error.close()
                return
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("Tryton does not answer")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port
