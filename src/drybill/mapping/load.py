"""Loads a mapping: files -> checked tables -> `Policy`, or every mistake at once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping as NameMap
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Any

from drybill.billing.policy import Policy
from drybill.errors import InputError, Place, Problem
from drybill.mapping.source import Sources, read_sources


@dataclass(frozen=True)
class Mapping:
    """A mapping without mistakes. `problems` holds warnings only."""

    path: Path
    folder: Path  # what relative paths in the mapping are relative to
    policy: Policy
    psas: NameMap[str, dict[str, Any]]  # `[psa.NAME]` as written, `kind` among the keys
    vendors: NameMap[str, dict[str, Any]]
    digest: str  # sha256 of every file that was read; the same wherever the files lie
    problems: tuple[Problem, ...]
    sources: Sources = dataclass_field(repr=False)

    def place(self, path: str) -> Place:
        """Where an entry such as `products."EDR".quantity[1]` is written, or what surrounds it.

        A client of the clients file has its file and line as path, "clients.csv:12".
        """
        return self.sources.written(path)


def load(path: Path) -> Mapping:
    """The mapping at `path` with all that it includes.

    Raises:
        InputError: with all mistakes, in the order of the files.
    """
    # pydantic takes longer to import than most commands need to answer.
    from drybill.mapping.build import build

    path = Path(path)
    sources = read_sources(path)
    built = build(sources, path.parent)
    problems = sources.problems + built.findings.sorted()
    errors = [problem for problem in problems if problem.level == "error"]
    if errors or built.policy is None:
        raise InputError(errors)
    return Mapping(
        path=path,
        folder=path.parent,
        policy=built.policy,
        psas=sources.merged["psa"],
        vendors=sources.merged.get("vendors", {}),
        digest=_digest(sources),
        problems=tuple(problems),
        sources=sources,
    )


def _digest(sources: Sources) -> str:
    digest = hashlib.sha256()
    main, *included = sources.files
    parts = [("mapping", main.data)]
    parts += sorted((source.relative, source.data) for source in included)
    if sources.clients_data is not None:
        parts.append(("clients", sources.clients_data))
    for name, data in parts:
        digest.update(f"{name}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()
