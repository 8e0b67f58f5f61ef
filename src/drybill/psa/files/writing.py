"""Writes lines back into their CSV: locked, with one backup, atomic, and only the named cells."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from drybill import whole
from drybill.billing.change import WriteStep
from drybill.errors import LockedError, Place, Problem, RefusedError
from drybill.psa.files.cells import CsvText, EditError
from drybill.psa.port import Answer

if TYPE_CHECKING:
    from filelock import BaseFileLock


class FilesWriter:
    """Holds the lock beside the lines file from `__aenter__` to `__aexit__`."""

    def __init__(self, path: Path, shown: str) -> None:
        self._path = path.resolve()  # a link stays a link: its target is what is replaced
        self._shown = shown
        self._lock: BaseFileLock | None = None
        self._backed_up = False

    async def __aenter__(self) -> FilesWriter:
        """Raises LockedError where another run writes, RefusedError where the folder is closed."""
        from filelock import FileLock, Timeout

        place = self._path.with_name(f".{self._path.name}.lock")
        lock = FileLock(place, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            fix = "wait until the other run has ended"
            summary = "another run is writing this file"
            raise LockedError([Problem("locked", Place(self._shown), summary, fix)]) from None
        except OSError as error:
            fix = "the folder of this file must be writable"
            summary = f"the lock beside this file cannot be made: {whole.reason(error)}"
            raise RefusedError(
                [Problem("not-writable", Place(self._shown), summary, fix)]
            ) from None
        self._lock = lock
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    async def execute(self, step: WriteStep) -> Answer:
        """Makes one step on the file as it is now. Rejected: the file was not touched."""
        if self._lock is None:
            raise RuntimeError("a step needs the writer's lock")
        try:
            before = self._path.read_bytes()
            table = CsvText(before.decode(), ",\t"[self._path.suffix.lower() == ".tsv"])
            edit = {"set": table.set, "append": table.append}[step.action]
            after = edit(step.line_id, dict(step.values)).encode()
            if after != before:
                self._back_up(before)
                whole.write(self._path, after)
        except UnicodeError:
            return Answer("rejected", f"{self._shown} is not UTF-8 text")
        except EditError as error:
            return Answer("rejected", f"{self._shown}: {error}")
        except OSError as error:
            return Answer("rejected", f"{self._shown} cannot be written: {whole.reason(error)}")
        return Answer("accepted", step.says)

    def _back_up(self, content: bytes) -> None:
        if not self._backed_up:
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
            backup = self._path.with_name(f"{self._path.name}.{stamp}.bak")
            whole.write(backup, content, private=True)
            shutil.copystat(self._path, backup)
            self._backed_up = True
