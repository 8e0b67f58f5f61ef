"""What later runs depend on: complete answers, trusted names, absences, highest quantities, and
whose own figures agreed.

All of it but the last two belongs to one mapping, and a reader sees only what runs with
an as-of not later than its own have left, so that a simulated future never reaches the present.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal

from msgspec import Struct

from drybill.billing.usage import Receipt
from drybill.journal.database import Database, utc_text
from drybill.journal.highest import Highest

NameKind = Literal["customer", "product", "client"]
NameKey = tuple[str, NameKind, str]  # source, kind, id

_KEPT: Final = timedelta(days=60)


class CompleteAnswer(Struct, frozen=True):
    """How much a source said when it last said everything."""

    records: int
    customers: int
    source_as_of: datetime | None


class History:
    """Readers take a mapping and an as-of; writers take a run, which has both."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._highest = Highest(database)

    def last_complete(self, mapping: str, source: str, as_of: datetime) -> CompleteAnswer | None:
        rows = self._database.rows(
            "SELECT records, customers, answered FROM complete_answers"
            " WHERE mapping = ? AND source = ? AND as_of <= ?"
            " ORDER BY as_of DESC, seq DESC LIMIT 1",
            *(storable(mapping), source, utc_text(as_of)),
        )
        for records, customers, answered in rows:
            moment = None if answered is None else self._database.moment(answered)
            return CompleteAnswer(records, customers, moment)
        return None

    def record_complete(self, run: str, seq: int, receipt: Receipt) -> None:
        """Takes a receipt (the journal's entry `seq`) as the measure for later ones."""
        mapping, as_of = self._scope(run)
        answered = None if receipt.as_of is None else utc_text(receipt.as_of)
        self._database.write(
            "INSERT INTO complete_answers VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(mapping, receipt.source, as_of, seq, receipt.records, len(receipt.customers)),
            answered,
        )

    def names(self, mapping: str, as_of: datetime) -> dict[NameKey, str]:
        """The trusted name of everything that was ever seen."""
        return {
            (source, kind, id_): name
            for source, kind, id_, name in self._database.rows(
                "SELECT source, kind, id, name FROM trusted_names"
                " WHERE mapping = ? AND as_of <= ? ORDER BY as_of",
                *(storable(mapping), utc_text(as_of)),
            )
        }

    def record_names(self, run: str, seen: Mapping[NameKey, str]) -> None:
        """Trusts names of what was never seen before. A changed name is not trusted by this."""
        with self._database.transaction():
            mapping, as_of = self._scope(run)
            known = self.names(mapping, self._database.moment(as_of))
            self._trust(mapping, as_of, {key: seen[key] for key in seen.keys() - known.keys()})

    def trust_names(self, run: str, names: Mapping[NameKey, str]) -> None:
        """Trusts new names, because a person said so."""
        with self._database.transaction():
            self._trust(*self._scope(run), names)

    def _trust(self, mapping: str, as_of: str, names: Mapping[NameKey, str]) -> None:
        self._database.write_many(
            "INSERT OR REPLACE INTO trusted_names VALUES (?, ?, ?, ?, ?, ?)",
            (
                (mapping, storable(source), kind, storable(id_), as_of, storable(name))
                for (source, kind, id_), name in names.items()
                if name  # an empty name is unknown
            ),
        )

    def absences(
        self, mapping: str, source: str, as_of: datetime
    ) -> dict[tuple[str, str], datetime]:
        """(customer, key) -> as-of of the first of an unbroken series of complete answers
        in which it was absent."""
        _, absent = self._absent(storable(mapping), source, utc_text(as_of))
        return {key: self._database.moment(since) for key, since in absent.items()}

    def record_absences(
        self, run: str, receipt: Receipt, absent: Iterable[tuple[str, str]]
    ) -> None:
        """Replaces what is absent at a source by what its newest complete answer lacks.

        Customers that the receipt says were denied keep their state. An answer that is not
        complete, states no as-of, or is not newer than the stored one changes nothing.
        """
        if not receipt.complete or receipt.as_of is None:
            return
        answered = utc_text(receipt.as_of)
        with self._database.transaction():
            mapping, as_of = self._scope(run)
            before, stored = self._absent(mapping, receipt.source, as_of)
            if answered <= before:
                return
            now = {key: stored.get(key, answered) for key in absent if key[0] not in receipt.denied}
            now |= {key: since for key, since in stored.items() if key[0] in receipt.denied}
            content = json.dumps([[*key, since] for key, since in sorted(now.items())])
            self._database.write(
                "INSERT OR REPLACE INTO absences VALUES (?, ?, ?, ?, ?)",
                *(mapping, receipt.source, answered, as_of, zlib.compress(content.encode())),
            )
            # The newest state before the limit stays: it is what the limit's day would see.
            newest = min(self._database.clock(), receipt.as_of)
            limit = utc_text(newest - min(_KEPT, newest - datetime.min.replace(tzinfo=UTC)))
            self._database.write(
                "DELETE FROM absences WHERE mapping = ?1 AND source = ?2 AND answered <"
                " (SELECT max(answered) FROM absences WHERE mapping = ?1 AND source = ?2"
                " AND answered <= ?3 AND as_of <= ?4)",
                *(mapping, receipt.source, limit, as_of),
            )

    def _absent(
        self, mapping: str, source: str, as_of: str
    ) -> tuple[str, dict[tuple[str, str], str]]:
        rows = self._database.rows(
            "SELECT answered, content FROM absences"
            " WHERE mapping = ? AND source = ? AND as_of <= ? ORDER BY answered DESC LIMIT 1",
            *(mapping, source, as_of),
        )
        for answered, content in rows:
            try:
                absent = json.loads(zlib.decompress(content))
                return answered, {(customer, key): since for customer, key, since in absent}
            except (zlib.error, ValueError, TypeError):
                raise self._database.damaged("the absences cannot be read") from None
        return "", {}

    def highest(self, psa: str, as_of: datetime, days: int = 35) -> dict[str, Decimal]:
        """Row -> highest quantity of the last `days` days on a PSA (its instance), whatever the
        mapping, by whole UTC days."""
        return self._highest.read(storable(psa), as_of, days)

    def record_highest(self, run: str, psa: str, quantities: Mapping[str, Decimal]) -> None:
        """Row -> quantity, known ones only, of one PSA (its instance)."""
        _, as_of = self._scope(run)
        self._highest.record(storable(psa), self._database.moment(as_of), quantities)

    def agreed(self, psa: str, as_of: datetime) -> frozenset[str]:
        """Agreements of a PSA (its instance) of which its own figure was the projected one, to the
        cent, in some run."""
        if self._database.version < 2:  # an older journal that cannot be written
            return frozenset()
        rows = self._database.rows(
            "SELECT agreement FROM agreed_witnesses WHERE psa = ? AND as_of <= ?",
            *(storable(psa), utc_text(as_of)),
        )
        return frozenset(agreement for (agreement,) in rows)

    def record_agreed(self, run: str, psa: str, agreements: Iterable[str]) -> None:
        """What `agreed` says from now on, and from this run's as-of."""
        _, as_of = self._scope(run)
        self._database.write_many(
            "INSERT INTO agreed_witnesses VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET as_of = min(as_of, excluded.as_of)",
            ((storable(psa), storable(agreement), as_of) for agreement in agreements),
        )

    def _scope(self, run: str) -> tuple[str, str]:
        rows = self._database.rows("SELECT mapping, as_of FROM runs WHERE id = ?", run)
        if not rows:
            raise KeyError(run)
        return str(rows[0][0]), str(rows[0][1])


def storable(text: str) -> str:
    """Text that SQLite can hold: undecodable bytes of a path become escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
