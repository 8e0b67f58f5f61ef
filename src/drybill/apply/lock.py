"""One writer at a time for each PSA, whatever mapping leads to it; on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from drybill import whole
from drybill.errors import LockedError, Problem, RefusedError
from drybill.journal import state_folder


@contextmanager
def only_writer(instance: str, target: str) -> Iterator[None]:
    """Holds the lock of a PSA, known by its identity; `target` is what a person calls it.

    Raises:
        LockedError: another run writes to it.
        RefusedError: the state folder takes no lock.
    """
    from filelock import FileLock, Timeout

    folder = state_folder() / "locks"
    place = folder / f"{sha256(instance.encode()).hexdigest()[:16]}.lock"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(place, timeout=0)
        lock.acquire()
    except Timeout:
        summary = f"another run is writing to {target}"
        fix = "wait until it has ended"
        raise LockedError([Problem("locked", None, summary, fix)]) from None
    except OSError as error:
        summary = f"no lock can be made in {folder}: {whole.reason(error)}"
        raise RefusedError([Problem("not-writable", None, summary)]) from None
    try:
        yield
    finally:
        lock.release()
