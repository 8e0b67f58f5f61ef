"""The journal: what happened, in one file per machine, hash-chained and append-only.

Everything durable that a later run depends on is here; nothing here decides anything.
"""

from drybill.journal.database import JournalUnavailable, journal_files, state_folder
from drybill.journal.entries import Entry, Kind
from drybill.journal.history import CompleteAnswer, History, NameKey, NameKind
from drybill.journal.journal import Journal, RegisteredPlan, Run, Verdict
from drybill.journal.writes import Begun, Intent, Write

__all__ = [
    "Begun",
    "CompleteAnswer",
    "Entry",
    "History",
    "Intent",
    "Journal",
    "JournalUnavailable",
    "Kind",
    "NameKey",
    "NameKind",
    "RegisteredPlan",
    "Run",
    "Verdict",
    "Write",
    "journal_files",
    "state_folder",
]
