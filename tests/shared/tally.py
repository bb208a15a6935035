"""The smallest service there can be: things that are counted. It exists to test the road."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar
from uuid import UUID

from shared.contracts.base import Command, Event
from shared.decision import Decision, Moment, PersonNeededError
from shared.postgres import Transaction, lock
from shared.reactions import Shelf, when, when_all
from shared.road import Road
from shared.writing import Writes

UNLUCKY = 13
TOO_LARGE = 14
DISPUTED = 15


class CountEvent(Event):
    topic: ClassVar[str] = "count"
    about: ClassVar[str] = "tally_id"
    is_foreign: ClassVar[bool] = True

    tally_id: UUID


class Counted(CountEvent):
    amount: int


class Moved(CountEvent):
    to: UUID
    amount: int


class Cloned(CountEvent):
    to: UUID


class Recounted(CountEvent):
    """Known in the language, and of no interest here."""


class Count(Command):
    tally_id: UUID
    amount: int


class TallyEvent(Event):
    topic: ClassVar[str] = "tally"
    about: ClassVar[str] = "tally_id"

    tally_id: UUID
    total: int


class Tallied(TallyEvent):
    words: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    id: UUID
    total: int = 0
    version: int = 0


def count(tally: Tally | None, counted: Counted | Count, _: Moment) -> Decision:
    if counted.amount == UNLUCKY:
        raise ValueError("nobody counts to thirteen")
    if counted.amount == DISPUTED:
        raise PersonNeededError("some say fifteen, others say not")
    tally = tally or Tally(counted.tally_id)
    tally = replace(tally, total=tally.total + counted.amount)
    words = "so many words" * 100_000 if counted.amount == TOO_LARGE else ""
    return Decision((tally,), (Tallied(tally_id=tally.id, total=tally.total, words=words),))


def move(tallies: Mapping[UUID, Tally], moved: Moved, _: Moment) -> Decision:
    giver, taker = tallies[moved.tally_id], tallies[moved.to]
    return Decision(
        (
            replace(giver, total=giver.total - moved.amount),
            replace(taker, total=taker.total + moved.amount),
        )
    )


def clone(tally: Tally | None, cloned: Cloned, _: Moment) -> Decision:
    """Make a tally without asking whether there is one: what no decision should do."""
    return Decision((Tally(cloned.to, tally.total if tally else 0),))


async def load(tx: Transaction, ids: Sequence[UUID]) -> Iterable[Tally]:
    return [Tally(**row) for row in await lock(tx, "tallies", ids)]


def save(writes: Writes, tallies: Sequence[Tally]) -> None:
    writes.upsert(
        "tallies",
        {
            "id uuid": [tally.id for tally in tallies],
            "total integer": [tally.total for tally in tallies],
            "version integer": [tally.version for tally in tallies],
        },
    )


tallies = Shelf(Tally, load, save, "tallies")

road = Road(
    when(Counted, tallies, about=lambda it: it.tally_id, then=count),
    when(Cloned, tallies, about=lambda it: it.tally_id, then=clone),
    when(Count, tallies, about=lambda it: it.tally_id, then=count),
    when_all(Moved, tallies, about=lambda it: (it.tally_id, it.to), then=move),
    shelves=(tallies,),
)
