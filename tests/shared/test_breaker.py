"""When it is better to stand still than to park what comes."""

import pytest

from shared.breaker import MOST_IN_A_ROW, Breaker, OurBugError
from shared.cloudevents import NotUnderstood
from tests.shared.make import Record


def bugs(count: int, error: Exception | None = None) -> list[NotUnderstood]:
    return [NotUnderstood(Record(b"", []), error or KeyError("total"), is_bug=True)] * count


def faults(count: int) -> list[NotUnderstood]:
    return [NotUnderstood(Record(b"", []), ValueError("no JSON"))] * count


def commit(breaker: Breaker, decided: int, parked: list[NotUnderstood]) -> None:
    breaker.judge(decided, parked)
    breaker.note(decided, parked)


def test_first_failures_are_parked_even_if_all_fail() -> None:
    commit(Breaker(), MOST_IN_A_ROW, bugs(MOST_IN_A_ROW))


def test_bug_that_would_park_most_of_a_batch_stops_it_and_is_named() -> None:
    told = r"^KeyError on 20 of 39 messages: 'total'\. Nothing is parked or skipped any more"

    with pytest.raises(OurBugError, match=told) as raised:
        commit(Breaker(), 39, bugs(20))

    assert isinstance(raised.value.__cause__, KeyError)


def test_bug_in_the_lesser_part_of_a_batch_is_parked() -> None:
    commit(Breaker(), 40, bugs(20))


def test_failures_are_counted_from_batch_to_batch() -> None:
    breaker = Breaker()
    for _ in range(MOST_IN_A_ROW):
        commit(breaker, 1, bugs(1))

    with pytest.raises(OurBugError):
        commit(breaker, 1, bugs(1))


def test_success_between_them_is_forgiven() -> None:
    breaker = Breaker()
    for _ in range(3 * MOST_IN_A_ROW):
        commit(breaker, 1, bugs(1))
        commit(breaker, 1, [])


def test_messages_that_are_at_fault_themselves_never_stop_anything() -> None:
    breaker = Breaker()
    for _ in range(3):
        commit(breaker, 0, faults(100))


def test_many_different_failures_are_no_single_bug_of_ours() -> None:
    commit(Breaker(), 20, bugs(10) + bugs(10, TypeError("amount")))


def test_what_stopped_before_goes_on_when_it_works_again() -> None:
    breaker = Breaker()
    with pytest.raises(OurBugError):
        commit(breaker, 20, bugs(20))

    commit(breaker, 20, [])
    commit(breaker, MOST_IN_A_ROW, bugs(MOST_IN_A_ROW))
