"""Files read whole and written whole or not at all: a reader, and a crash, see old or new."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path


def reason(error: OSError | ValueError) -> str:
    """Why a file cannot be read or written, as the end of a sentence."""
    return (getattr(error, "strerror", None) or str(error)).lower()


def read(path: Path) -> bytes:
    """A file's content. Raises OSError, also for what has no end or waits for a writer."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "this is a device or a pipe, not a file")
    return path.read_bytes()


def write(path: Path, content: bytes, *, private: bool = False) -> None:
    """Replaces a file's content. A link stays a link; a file keeps its mode, unless `private`.

    A device or a pipe has no old content: it is written to. Raises OSError, or ValueError for a
    name that no file can have; nothing is left behind then.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        target.write_bytes(content)
        return
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:40]}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if not private:  # which a temporary file is
            Path(name).chmod(_mode(target))
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    if os.name == "posix":
        with suppress(OSError):  # the folder's entry reaches the disk, too
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _mode(target: Path) -> int:
    if target.exists():
        return target.stat().st_mode & 0o7777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
