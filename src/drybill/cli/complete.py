"""Shell completion: from the journal and the folder, never from the net, and never an error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def rows(incomplete: str) -> list[str]:
    """Row ids of the last plan."""
    return sorted(row for row, _ in _last_rows() if row.startswith(incomplete.lower()))


def clients(incomplete: str) -> list[str]:
    return sorted(
        {client for _, client in _last_rows() if client.lower().startswith(incomplete.lower())}
    )


def mappings(incomplete: str) -> list[str]:
    """TOML files that the word could name."""
    parent = Path(incomplete).parent
    try:
        found = [path for path in parent.iterdir() if path.is_dir() or path.suffix == ".toml"]
    except (OSError, ValueError):  # a NUL in the word
        return []
    names = (f"{path}/" if path.is_dir() else str(path) for path in found)
    return sorted(name for name in names if name.startswith(incomplete))


def _last_rows() -> Iterator[tuple[str, str]]:
    try:
        from drybill.cli.mapping import DEFAULT
        from drybill.flow.memory import identity
        from drybill.journal import Journal
        from drybill.plan.content import decode

        with Journal.open(write=False) as journal:
            plan = journal.last_plan(identity(Path(DEFAULT))) or journal.last_plan()
            if plan is None or plan.content is None:
                return
            for row in decode(plan.content).rows:
                yield row.id, row.client or row.client_id
    except Exception:
        # A shell that completes must never see an error of ours.
        return
