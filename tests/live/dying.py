"""A run in a process of its own that is gone from one moment to the next, like by kill -9."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from drybill.journal import Journal

SRC = Path(__file__).parents[2] / "src"
# The methods that it may die at: `execute` is the writer's, the others are the journal's.
DEATHS = ("record_intent", "execute", "record_answer", "record_readback", "end_run")
_DYING = """
import importlib, os, sys
from drybill.journal import Journal
from drybill.__main__ import main
room, writer, step, when, nth = *sys.argv[1:5], int(sys.argv[5])
owner = getattr(importlib.import_module(room), writer) if step == "execute" else Journal
real, seen = getattr(owner, step), [0]
def due():
    seen[0] += 1
    return seen[0] == nth
if step == "execute":
    async def dies(self, *args):
        now = due()
        if now and when == "before":
            os._exit(9)
        answer = await real(self, *args)
        if now:
            os._exit(9)
        return answer
else:
    def dies(self, *args, **more):
        now = due()
        if now and when == "before":
            os._exit(9)
        answer = real(self, *args, **more)
        if now:
            os._exit(9)
        return answer
setattr(owner, step, dies)
sys.argv = ["drybill", *sys.argv[6:]]
main()
"""


def dies(writer: type[object], step: str, when: str, nth: int, *words: str) -> tuple[str, int]:
    """`words` are given to drybill, which dies `when` ("before", "after") it makes the `nth` call
    of `step`. The run that it began, and how many intents the journal holds of it."""
    where = (writer.__module__, writer.__name__, step, when, str(nth))
    process = subprocess.run(
        [sys.executable, "-c", _DYING, *where, *words],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert process.returncode == 9, process.stderr.decode()
    with Journal.open(write=False) as journal:
        assert journal.verify() == []
        last = journal.runs(1)[0].id
        intents = [entry for entry in journal.run_entries(last) if entry.kind == "intent"]
    return last, len(intents)
