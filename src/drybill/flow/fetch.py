"""Fetch: asks every PSA and vendor of a mapping, side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace

from drybill.billing.usage import Receipt
from drybill.errors import InputError, Problem, UnreachableError
from drybill.flow.run import Fetched
from drybill.mapping.load import Mapping as MappingFile
from drybill.psa.port import Probe, PsaReader, Reading, Scope
from drybill.psa.registry import open_psa
from drybill.vendors.port import Usage, Vendor
from drybill.vendors.registry import open_vendor


def probe(mapping: MappingFile) -> dict[str, tuple[Probe, ...]]:
    """What each PSA lets its keys read, by its name. Raises InputError or UnreachableError."""
    readers, _ = open_sources(mapping)

    async def tried(reader: PsaReader) -> tuple[Probe, ...]:
        async with reader.session():
            return await reader.probe()

    async def all_tried() -> list[tuple[Probe, ...]]:
        return [await tried(reader) for reader in readers.values()]

    return dict(zip(readers, asyncio.run(all_tried()), strict=True))


def fetch(mapping: MappingFile, without: Collection[str] = (), *, offline: bool = False) -> Fetched:
    """Asks every PSA and vendor, side by side; `offline` those alone that are no server.

    Raises:
        InputError: with the mistakes of all sources at once.
        UnreachableError: when a PSA cannot be asked: without agreements nothing can be projected.
    """
    readers, vendors = open_sources(mapping, without)
    if offline:
        readers = {name: each for name, each in readers.items() if not each.online}
        vendors = {name: each for name, each in vendors.items() if not each.online}
    fetched = Fetched(readers=readers, readings={}, usages={}, unreachable=set())
    try:
        asyncio.run(_ask(readers, vendors, fetched))
    except InputError as error:
        raise InputError([_from_here(problem, mapping) for problem in error.problems]) from None
    return fetched


def _from_here(problem: Problem, mapping: MappingFile) -> Problem:
    """Adapters name files as the mapping does; a person opens them from where they stand."""
    where = problem.where
    if where is None:
        return problem
    path = mapping.folder / where.file
    try:
        known = path.exists()
    except (OSError, ValueError):  # no such name can be: too long, or with a NUL
        return problem
    return replace(problem, where=replace(where, file=str(path))) if known else problem


def open_sources(
    mapping: MappingFile, without: Collection[str] = ()
) -> tuple[dict[str, PsaReader], dict[str, Vendor]]:
    """The adapters of the mapping, opened but not asked. Raises InputError."""
    problems = [
        Problem(
            "unknown-vendor", None, f"--without: no vendor is called `{name}`",
            "the mapping has " + ", ".join(sorted(mapping.vendors)),
        )
        for name in sorted(set(without) - set(mapping.vendors))
    ]  # fmt: skip
    readers: dict[str, PsaReader] = {}
    vendors: dict[str, Vendor] = {}
    for name, settings in mapping.psas.items():
        try:
            readers[name] = open_psa(name, settings, mapping.folder, _scope(mapping, name))
        except InputError as error:
            problems += _placed(error, mapping, f"psa.{name}")
    for name, settings in mapping.vendors.items():
        if name in without:
            continue
        try:
            vendors[name] = open_vendor(name, settings, mapping.folder)
        except InputError as error:
            problems += _placed(error, mapping, f"vendors.{name}")
    if problems:
        raise InputError(problems)
    return readers, vendors


def _scope(mapping: MappingFile, psa: str) -> Scope:
    policy = mapping.policy
    return Scope(
        frozenset(client.id for client in policy.clients.values() if client.psa == psa),
        frozenset(ids[psa] for p in policy.products.values() if psa in (ids := p.ids)),
    )


def _placed(error: InputError, mapping: MappingFile, path: str) -> list[Problem]:
    """Problems of an adapter's settings stand where the mapping has its table."""
    return [
        problem
        if problem.where and problem.where.line
        else replace(problem, where=mapping.place(path))
        for problem in error.problems
    ]


async def _read(source: PsaReader | Vendor) -> Reading | Usage:
    async with source.session():
        return await source.read()


async def _ask(readers: dict[str, PsaReader], vendors: dict[str, Vendor], fetched: Fetched) -> None:
    """Fills `fetched`. It is no result: asyncio.run takes the repr of its result (Python 3.11),
    and a million rows must not be written out."""
    answers = await asyncio.gather(
        *map(_read, readers.values()),
        *map(_read, vendors.values()),
        return_exceptions=True,
    )
    problems: list[Problem] = []
    for name, answer in zip((*readers, *vendors), answers, strict=True):
        if isinstance(answer, InputError):
            problems += answer.problems
        elif isinstance(answer, UnreachableError) and name in vendors:
            fetched.unreachable.add(name)
            kind = vendors[name].kind
            said = tuple(problem.summary for problem in answer.problems)
            fetched.usages[name] = Usage([], Receipt(name, kind, complete=False, problems=said))
        elif isinstance(answer, BaseException):
            raise answer
        elif isinstance(answer, Reading):
            fetched.readings[name] = answer
        elif isinstance(answer, Usage):
            fetched.usages[name] = answer
    if problems:
        raise InputError(problems)
