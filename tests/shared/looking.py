"""Tallies, and what looks at them without changing them. It exists to test what is remembered."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar
from uuid import UUID

from shared.contracts.base import Command, Errand
from shared.decision import Decision, Moment, PersonNeededError
from shared.postgres import Transaction
from shared.reactions import Shelf, when, when_all, when_beside
from shared.road import Road
from tests.shared import tally
from tests.shared.tally import Count, Counted, Moved, Tallied, Tally

MANY = 10


class Weigh(Command):
    """Say how much there is."""

    tally_id: UUID


class Check(Command):
    """Call a person where there are many."""

    tally_id: UUID


class Follow(Command):
    """Make a tally what another one is, which stays as it is."""

    tally_id: UUID
    to: UUID


class Fill(Command):
    """Fill a tally up to its limit, which stays as it is."""

    tally_id: UUID
    limit_id: UUID


class Ring(Errand):
    """A timer."""

    about: ClassVar[str] = "tally_id"

    tally_id: UUID


class Wind(Command):
    """Set a timer for what is not empty."""

    tally_id: UUID


class Clear(Command):
    """Empty a tally, so that no timer is needed any more."""

    tally_id: UUID


class Limit(Tally):
    """A tally by another name, so a thing of another kind."""


def weigh(it: Tally | None, weigh: Weigh, _: Moment) -> Decision:
    total = it.total if it else 0
    return Decision((), (Tallied(tally_id=weigh.tally_id, total=total),))


def check(it: Tally | None, _: Check, __: Moment) -> Decision:
    if it and it.total > MANY:
        raise PersonNeededError("these are many")
    return Decision()


def follow(tallies: Mapping[UUID, Tally], follow: Follow, _: Moment) -> Decision:
    it = tallies.get(follow.tally_id, Tally(follow.tally_id))
    return _become(it, tallies.get(follow.to))


def fill(it: Tally | None, limit: Limit | None, fill: Fill, _: Moment) -> Decision:
    return _become(it or Tally(fill.tally_id), limit)


def _become(it: Tally, model: Tally | None) -> Decision:
    it = replace(it, total=model.total if model else 0)
    return Decision((it,), (Tallied(tally_id=it.id, total=it.total),))


def wind(it: Tally | None, _: Wind, __: Moment) -> Decision:
    return Decision(errands=(Ring(tally_id=it.id),)) if it and it.total else Decision()


def clear(it: Tally | None, _: Clear, __: Moment) -> Decision:
    return Decision((replace(it, total=0),), closed=(it.id,)) if it else Decision()


def ring(_: Tally | None, __: Ring, ___: Moment) -> Decision:
    return Decision()


async def load(tx: Transaction, ids: Sequence[UUID]) -> list[Limit]:
    return [Limit(one.id, one.total, one.version) for one in await tally.load(tx, ids)]


limits = Shelf(Limit, load, tally.save, "tallies")

road = Road(
    when(Counted, tally.tallies, about=lambda it: it.tally_id, then=tally.count),
    when(Count, tally.tallies, about=lambda it: it.tally_id, then=tally.count),
    when_all(Moved, tally.tallies, about=lambda it: (it.tally_id, it.to), then=tally.move),
    when(Weigh, tally.tallies, about=lambda it: it.tally_id, then=weigh),
    when(Check, tally.tallies, about=lambda it: it.tally_id, then=check),
    when_all(Follow, tally.tallies, about=lambda it: (it.tally_id, it.to), then=follow),
    when_beside(
        Fill,
        tally.tallies,
        limits,
        about=lambda it: it.tally_id,
        beside=lambda it: it.limit_id,
        then=fill,
    ),
    when(Wind, tally.tallies, about=lambda it: it.tally_id, then=wind),
    when(Clear, tally.tallies, about=lambda it: it.tally_id, then=clear),
    when(Ring, tally.tallies, about=lambda it: it.tally_id, then=ring),
    shelves=(tally.tallies, limits),
)
