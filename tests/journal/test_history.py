"""History: scoped by mapping, bounded by as-of, and never lowered by a simulated future."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drybill.billing.usage import Receipt
from drybill.journal import Journal, NameKey

START = datetime(2026, 6, 1, 9, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def answer(as_of: datetime | None, **more: object) -> Receipt:
    return Receipt("pax8", "files", as_of=as_of, **more)  # type: ignore[arg-type]


@pytest.fixture
def journal() -> Iterator[Journal]:
    with Journal.transient(clock=lambda: day(1000)) as journal:
        yield journal


def observe(
    journal: Journal, as_of: datetime, quantities: Mapping[str, int], psa: str = "m"
) -> None:
    run = journal.start_run("mapping", as_of, {})
    journal.history.record_highest(run, psa, {row: Decimal(n) for row, n in quantities.items()})


def test_the_last_complete_answer_is_the_newest_whole_one_not_after_the_as_of(
    journal: Journal,
) -> None:
    def receive(number: int, mapping: str = "m", measure: bool = True, **more: object) -> None:
        run = journal.start_run(mapping, day(number), {})
        journal.record_receipt(run, answer(day(number), **more), measure=measure)

    receive(1, records=10, customers=frozenset("ab"))
    receive(2, records=4, complete=False)
    receive(3, records=5, denied=frozenset("a"))
    receive(4, records=6, measure=False)
    receive(9, records=1)
    receive(2, mapping="other", records=99)
    found = journal.history.last_complete("m", "pax8", day(5))
    assert found is not None
    assert (found.records, found.customers, found.source_as_of) == (10, 2, day(1))
    later = journal.history.last_complete("m", "pax8", day(9))
    assert later is not None and later.records == 1
    assert journal.history.last_complete("m", "pax8", day(0)) is None
    assert journal.history.last_complete("m", "sherweb", day(5)) is None


def test_the_first_name_is_trusted_until_a_person_trusts_another(journal: Journal) -> None:
    history = journal.history
    acme: NameKey = ("pax8", "customer", "c1")

    def see(number: int, name: str, mapping: str = "m") -> None:
        history.record_names(journal.start_run(mapping, day(number), {}), {acme: name})

    see(9, "Simulated")
    see(1, "")
    see(1, "Acme")
    see(2, "Evil")
    see(2, "Other", mapping="other")
    assert history.names("m", day(3)) == {acme: "Acme"}
    assert history.names("other", day(3)) == {acme: "Other"}
    assert history.names("m", day(0)) == {}
    history.trust_names(journal.start_run("m", day(4), {}), {acme: "Acme Ltd"})
    assert history.names("m", day(3)) == {acme: "Acme"}
    assert history.names("m", day(5)) == {acme: "Acme Ltd"}


class TestAbsences:
    A, B = ("c1", "sku-a"), ("c2", "sku-b")

    def report(
        self, journal: Journal, run_day: int, receipt: Receipt, *absent: tuple[str, str]
    ) -> dict[tuple[str, str], datetime]:
        run = journal.start_run("m", day(run_day), {})
        journal.history.record_absences(run, receipt, absent)
        return journal.history.absences("m", "pax8", day(run_day))

    def test_an_absence_dates_from_the_first_of_an_unbroken_series(self, journal: Journal) -> None:
        assert self.report(journal, 1, answer(day(1)), self.A) == {self.A: day(1)}
        both = {self.A: day(1), self.B: day(2)}
        assert self.report(journal, 2, answer(day(2)), self.A, self.B) == both
        assert self.report(journal, 3, answer(day(3)), self.B) == {self.B: day(2)}
        assert self.report(journal, 4, answer(day(4)), self.A, self.B)[self.A] == day(4)

    def test_only_a_newer_complete_answer_changes_anything(self, journal: Journal) -> None:
        before = self.report(journal, 2, answer(day(2)), self.A)
        for useless in (
            answer(day(2)),
            answer(day(1)),
            answer(None),
            answer(day(3), complete=False),
        ):
            assert self.report(journal, 3, useless) == before

    def test_a_denied_customer_keeps_its_state(self, journal: Journal) -> None:
        self.report(journal, 1, answer(day(1)), self.A, self.B)
        denied = answer(day(2), denied=frozenset({"c1"}))
        assert self.report(journal, 2, denied, ("c1", "new")) == {self.A: day(1)}

    def test_a_simulated_future_and_another_mapping_are_not_seen(self, journal: Journal) -> None:
        self.report(journal, 50, answer(day(1)), self.A)
        assert journal.history.absences("m", "pax8", day(49)) == {}
        assert self.report(journal, 1, answer(day(1)), self.B) == {self.B: day(1)}
        assert journal.history.absences("other", "pax8", day(60)) == {}
        assert journal.history.absences("m", "sherweb", day(60)) == {}

    def test_old_states_go_and_the_newest_stays(self, journal: Journal) -> None:
        for number in range(0, 200, 20):
            self.report(journal, number, answer(day(number)), self.A)
        assert journal.history.absences("m", "pax8", day(130)) == {self.A: day(0)}
        assert journal.history.absences("m", "pax8", day(90)) == {}

    def test_the_earliest_of_all_times_is_a_time(self, journal: Journal) -> None:
        first = datetime(1, 1, 1, tzinfo=UTC)
        assert self.report(journal, 1, answer(first), self.A) == {self.A: first}


def test_the_highest_is_of_the_last_days_on_this_psa() -> None:
    for today, asked, expected in (
        (20, 20, {"a": 9, "b": 2}),
        (35, 35, {"a": 9, "b": 2}),
        (36, 36, {"a": 4, "b": 2}),
        (36, 10, {"a": 9, "b": 2}),  # an as-of in the past sees what is known by now
        (20, 900, {"a": 99, "b": 2}),  # one far ahead does not forget
        (60, 20, {"a": 99, "b": 2}),
    ):
        with Journal.transient(clock=lambda today=today: day(today)) as journal:  # type: ignore[misc]
            observe(journal, day(0), {"a": 9, "b": 1})
            observe(journal, day(20), {"a": 3, "b": 2})
            observe(journal, day(20), {"a": 4})
            observe(journal, day(50), {"a": 99})
            observe(journal, day(20), {"a": 50}, psa="other")
            assert journal.history.highest("m", day(asked)) == expected, (today, asked)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 40),
            st.dictionaries(st.sampled_from("abcdefgh"), st.integers(-3, 9), max_size=8),
        ),
        max_size=12,
    ),
    st.integers(0, 40),
)
def test_the_highest_is_the_maximum_whatever_the_order(
    observations: list[tuple[int, dict[str, int]]], asked: int
) -> None:
    expected: dict[str, int] = {}
    with Journal.transient(clock=lambda: day(1000)) as journal:
        for number, quantities in observations:
            observe(journal, day(number), quantities)
            if asked - 35 <= number:
                for row, quantity in quantities.items():
                    expected[row] = max(quantity, expected.get(row, quantity))
        assert journal.history.highest("m", day(asked)) == expected


def test_highest_quantities_do_not_grow_without_bound(journal: Journal) -> None:
    rows = {f"row{number}": number for number in range(400)}
    for number in range(0, 150):
        observe(journal, day(number), rows | {f"row{number}": 1000})
    count = journal.history._database.rows
    assert count("SELECT count(*) FROM highest_days") == [(61,)]
    assert count("SELECT count(*) FROM highest_bases") == [(1,)]
    ((size,),) = count("SELECT sum(length(added) + length(missing)) FROM highest_days")
    assert size < 61 * 100


def test_a_far_as_of_prunes_nothing_of_the_present() -> None:
    with Journal.transient(clock=lambda: day(1)) as journal:
        observe(journal, day(1), {"a": 7})
        observe(journal, day(900), {"a": 1})
        assert journal.history.highest("m", day(1)) == {"a": 7}
