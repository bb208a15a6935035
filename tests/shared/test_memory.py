"""What is kept in mind, and how much of it; no database."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import memory as memory_module
from shared.memory import Memory, Written
from tests.shared.looking import Limit
from tests.shared.make import A, B
from tests.shared.replicas import (
    C,
    D,
)
from tests.shared.tally import Tally


def test_memory_holds_things_as_they_were_noted_last() -> None:
    memory = Memory()

    memory.note([Tally(A, 1, 1), Tally(B, 1, 1), Tally(A, 2, 2)])

    assert memory.recall(Tally, [A, B, C]) == {A: Tally(A, 2, 2), B: Tally(B, 1, 1)}


def test_memory_holds_fewer_of_what_weighs_more(monkeypatch) -> None:
    monkeypatch.setattr(memory_module, "MOST", 10)
    memory = Memory({Tally: lambda it: it.total})

    memory.note([Tally(A, 9), Tally(B, 9), Tally(C, 1), Limit(A, 100)])
    assert set(memory.recall(Tally, [A, B, C])) == {A, B, C}

    memory.note([Tally(A, 9), Tally(D, 1)])
    assert set(memory.recall(Tally, [A, B, C, D])) == {A, C, D}
    assert set(memory.recall(Limit, [A])) == {A}


def test_json_is_written_once_for_as_long_as_a_part_is_the_same() -> None:
    written: list[tuple[int, ...]] = []
    json = Written[tuple[int, ...]](lambda value: [written.append(value), str(value)][1])
    one, other = (1, 2), (1, 2, 3)

    assert [json(A, one), json(A, one), json(B, one)] == ["(1, 2)"] * 3
    assert [json(A, other), json(A, one)] == ["(1, 2, 3)", "(1, 2)"]

    assert written == [one, one, other, one]


def test_json_that_was_written_is_forgotten_when_it_becomes_too_much(monkeypatch) -> None:
    monkeypatch.setattr(memory_module, "MOST_WRITTEN", 10)
    written: list[str] = []
    json = Written[str](lambda value: [written.append(value), value][1])

    for its_id, value in ((A, "1234"), (B, "123456"), (A, "1234"), (B, "1234567"), (B, "1234567")):
        assert json(its_id, value) == value

    assert written == ["1234", "123456", "1234567"]
    assert json(A, "1234") == "1234"
    assert written == ["1234", "123456", "1234567", "1234"]


def test_memory_takes_no_kind_for_another() -> None:
    memory = Memory()

    memory.note([Tally(A), Limit(B)])

    assert memory.recall(Tally, [A, B]) == {A: Tally(A)}
    assert memory.recall(Limit, [A, B]) == {B: Limit(B)}


def test_memory_that_forgets_knows_nothing_of_any_kind(monkeypatch) -> None:
    monkeypatch.setattr(memory_module, "MOST", 2)
    memory = Memory()
    memory.note([Tally(A), Tally(B), Tally(C), Limit(A)])

    memory.forget()

    assert memory.recall(Tally, [A, B, C]) == {}
    assert memory.recall(Limit, [A]) == {}
    memory.note([Tally(A, 1, 1)])
    assert memory.recall(Tally, [A, B, C]) == {A: Tally(A, 1, 1)}


@given(st.lists(st.integers(1, 12).map(lambda n: UUID(int=n))), st.integers(1, 4))
def test_memory_holds_those_that_were_touched_last_and_at_most_twice_as_many_as_it_may(
    touched, most
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory_module, "MOST", most)
        memory = Memory()
        for version, one in enumerate(touched):
            memory.note([Tally(one, 0, version), Limit(UUID(int=13 + version))])

    last = {one: Tally(one, 0, version) for version, one in enumerate(touched)}
    order = sorted(last, key=lambda one: last[one].version, reverse=True)
    found = memory.recall(Tally, order)
    assert found == {one: last[one] for one in order[: len(found)]}
    assert min(most, len(last)) <= len(found) <= 2 * most
