"""The clients of a mapping, from TOML and CSV, and every entry that refers to one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath

from drybill.billing.policy import (
    Acceptance,
    Client,
    FlexibleLine,
    UsageException,
    WriteSwitches,
)
from drybill.mapping import model
from drybill.mapping.clients_file import Known, read_clients
from drybill.mapping.findings import nearest, one_of
from drybill.mapping.positions import Path, path_text
from drybill.mapping.references import CLIENTS, used
from drybill.mapping.tables import Tables
from drybill.mapping.words import read

ClientKey = tuple[str, str]  # (psa, client id)


class Clients:
    """Reads all clients first. A client with mistakes is not found, but not missed either."""

    def __init__(self, tables: Tables, folder: FilePath) -> None:
        self.tables = tables
        self.findings = tables.findings
        self.folder = folder
        self.complete = True  # are all clients in `found`?
        self.all = self._read()  # those that are there twice included
        self.found: dict[ClientKey, Client] = {}
        for client in self.all:
            self.found.setdefault((client.psa, client.id), client)
        self._check_references()

    def _read(self) -> list[Client]:
        clients = []
        tables = self.tables
        for table, path in tables.items("clients"):
            client = read(model.ClientTable, table, path, self.findings)
            if client is None:
                self.complete = False
                continue
            psa = client.psa or tables.only_psa
            if psa is None:
                if tables.psas:
                    fix = f'add psa = "...": {one_of(tables.psas)}'
                    says = f"client {client.id} does not say which PSA it belongs to"
                    self.findings.error("psa-missing", path, says, fix, key=True)
                self.complete = False
                continue
            customers = {vendor: tuple(ids) for vendor, ids in client.vendors.items()}
            chosen = self._by_role(client.agreement)
            name = client.name.strip()
            clients.append(
                Client(psa, client.id, name, client.profile, chosen, customers, path_text(path))
            )
        return clients + self._from_file()

    def _from_file(self) -> list[Client]:
        relative = self.tables.raw.get("clients_file")
        if not isinstance(relative, str) or not relative.strip():
            return []
        known = Known(
            self.tables.psas,
            self.tables.vendors,
            self.tables.roles,
            self.tables.profiles,
            self.findings.suggest,
            self._by_role,
        )
        file = read_clients(self.folder, relative, known)
        self.tables.sources.clients_file, self.tables.sources.clients_data = relative, file.data
        if file.unreadable:
            self.findings.error("file-unreadable", ("clients_file",), *file.unreadable)
        self.findings.problems += file.problems
        if file.unreadable or any(problem.level == "error" for problem in file.problems):
            self.complete = False
        return file.clients

    def _by_role(self, chosen: dict[str, str]) -> dict[str, str]:
        """An agreement without a role stands for every role, and for products without one."""
        if "" not in chosen:
            return chosen
        return {**dict.fromkeys(self.tables.roles, chosen[""]), **chosen}

    # What refers to clients

    def _key(self, text: str) -> ClientKey | None:
        """`250` or `main/250`; None where that leaves the PSA open."""
        psa, slash, identity = text.partition("/")
        if slash and psa in self.tables.psas:
            return psa, identity.strip()
        return None if self.tables.only_psa is None else (self.tables.only_psa, text)

    def _found(self, text: str) -> ClientKey | None:
        key = self._key(text)
        return key if key in self.found else None

    def _check_references(self) -> None:
        for pattern in CLIENTS:
            for value, path in used(self.tables.raw, pattern):
                if not isinstance(value, bool) and isinstance(value, int | str):
                    self._check_reference(str(value).strip(), path)

    def _check_reference(self, text: str, path: Path) -> None:
        key = self._key(text)
        if key is None and self.tables.psas:
            says = f"`{text}` does not say which PSA it belongs to"
            fix = f'write "{next(iter(self.tables.psas))}/{text}"'
            self.findings.error("psa-missing", path, says, fix)
        if key is None or key in self.found or not self.complete or not text:
            return
        near = nearest(key[1], (identity for psa, identity in self.found if psa == key[0]))
        fix = ""
        if near is not None:
            place = self.findings.written(self.found[key[0], near].path)
            fix = f"did you mean `{near}` ({place})?"
        self.findings.error("unknown-client", path, f"there is no client `{text}`", fix)

    def lines(self) -> Iterator[FlexibleLine]:
        for table, path in self.tables.items("lines"):
            line = read(model.LineTable, table, path, self.findings)
            if line is None:
                continue
            key = self._found(line.client)
            if key is not None:
                name, flexible = line.name.strip(), line.flexible
                where = path_text(path)
                yield FlexibleLine(*key, line.product, line.line, name, flexible, where)

    def exceptions(self) -> Iterator[UsageException]:
        for table, path in self.tables.items("exceptions"):
            one = read(model.ExceptionTable, table, path, self.findings)
            if one is None:
                continue
            key = self._found(one.client)
            if key is not None:
                yield UsageException(
                    *key,
                    one.product,
                    one.reason,
                    one.last_day,
                    one.add,
                    one.set,
                    one.ignore,
                    path_text(path),
                )

    def accepted(self) -> Iterator[Acceptance]:
        for table, path in self.tables.items("accepted"):
            one = read(model.AcceptedTable, table, path, self.findings)
            if one is not None:
                seen = one.seen
                yield Acceptance(
                    one.row, seen.psa, seen.vendor, one.reason, one.last_day, path_text(path)
                )

    def writes(self) -> WriteSwitches:
        table = self.tables.single(model.WritesTable, "writes")
        if table.fields and not table.clients and not table.all_clients:
            says = "no client is named, so nothing is ever written"
            fix = "add clients = [...] or all_clients = true"
            self.findings.warn("writes-nobody", ("writes",), says, fix, key=True)
        clients = frozenset(key for key in map(self._found, table.clients) if key is not None)
        return WriteSwitches(frozenset(table.fields), clients, table.all_clients)
