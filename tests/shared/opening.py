"""Tallies with which a story begins, when they are opened."""

from uuid import UUID

from shared.contracts.base import Command
from shared.decision import Decision, Moment
from shared.reactions import Reaction, Shelf, when
from tests.shared import tally
from tests.shared.looking import Weigh, weigh
from tests.shared.tally import Count, Counted, Tallied, Tally


class Open(Command):
    """Make a tally, if there is none; say how it stands."""

    tally_id: UUID
    amount: int = 1


def open_(it: Tally | None, asked: Open, _: Moment) -> Decision:
    it = it or Tally(asked.tally_id, asked.amount)
    return Decision((it,) if it.version == 0 else (), (Tallied(tally_id=it.id, total=it.total),))


def beginnings(shelf: Shelf[Tally]) -> tuple[Reaction, ...]:
    """Open and weigh what is not there, as a rule; count what is."""
    return (
        when(Open, shelf, about=lambda it: it.tally_id, then=open_, begins=True),
        when(Weigh, shelf, about=lambda it: it.tally_id, then=weigh, begins=True),
        when(Count, shelf, about=lambda it: it.tally_id, then=tally.count),
        when(Counted, shelf, about=lambda it: it.tally_id, then=tally.count),
    )
