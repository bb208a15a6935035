"""Inventory and combination, and what is on its way between them: in order for each key only."""

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, count
from typing import TypeVar
from uuid import UUID

from services.combination.domain import Combination
from services.combination.handlers import road as combination
from services.inventory.domain.things import Instance, Purchase
from services.inventory.handlers import road as inventory
from shared.cloudevents import Heard
from shared.contracts.base import Errand, Event, Message
from shared.decision import Thing
from shared.reactions import World
from shared.road import Outcome, Road
from tests.shared.make import NOON, Record, chance

T = TypeVar("T", bound=Thing)
MOST_STEPS = 2000
Lane = tuple[Road, str, str]  # to whom, in which topic, about what


@dataclass
class Network:
    """Both services, their messages under way, and their timers; there is no inbox."""

    worlds: dict[Road, World] = field(default_factory=lambda: {inventory: {}, combination: {}})
    under_way: dict[Lane, deque[Heard]] = field(default_factory=lambda: defaultdict(deque))
    timers: list[Errand] = field(default_factory=list)
    said: list[Event] = field(default_factory=list)
    delivered: list[tuple[Road, Heard]] = field(default_factory=list)
    parked: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ids, self._draw = count(1000), chance()

    def send(self, message: Message, to: Road = inventory) -> list[Event]:
        """Deliver a message of somebody else at once; return what is said because of it."""
        return self._take(to, self._heard(message))

    def deliver(self, lane: Lane) -> None:
        """Deliver the oldest message of a lane."""
        road, queue = lane[0], self.under_way[lane]
        heard = queue.popleft()
        if not queue:
            del self.under_way[lane]
        self.delivered.append((road, heard))
        self._take(road, heard)

    def redeliver(self, road: Road, heard: Heard) -> None:
        """Deliver a message again, however long ago it came first."""
        self._take(road, heard)

    def fire(self, timer: Errand) -> None:
        """Let a timer end."""
        self.timers.remove(timer)
        self._take(inventory, self._heard(timer))

    def settle(self) -> None:
        """Deliver all that is under way; then let timers end, until none is left."""
        for _ in range(MOST_STEPS):
            if self.under_way:
                self.deliver(next(iter(self.under_way)))
            elif self.timers:
                self.fire(self.timers[0])
            else:
                return
        raise AssertionError("never comes to rest")

    @property
    def instances(self) -> dict[UUID, Instance]:
        return {one.id: one for one in self._all(inventory, Instance)}

    @property
    def purchases(self) -> list[Purchase]:
        return list(self._all(inventory, Purchase))

    @property
    def combinations(self) -> list[Combination]:
        return list(self._all(combination, Combination))

    def _all(self, road: Road, kind: type[T]) -> Iterator[T]:
        return (thing for thing in self.worlds[road].values() if isinstance(thing, kind))

    def _heard(self, message: Message) -> Heard:
        n = next(self._ids)
        return Heard(UUID(int=n), message, "story", record=Record(b"", [], offset=n))

    def _take(self, road: Road, heard: Heard) -> list[Event]:
        outcome: Outcome = road.fold(self.worlds[road], [heard], NOON, draw=self._draw)
        self.parked += [one.error for one in outcome.parked]
        self.timers = [one for one in self.timers if one.thing not in outcome.closed]
        self.timers += [errand for _, errand in chain(*outcome.planned.values())]
        facts = [fact for _, fact, _ in outcome.said]
        for fact in facts:
            for listener in self.worlds:
                if type(fact) in listener.reactions:
                    lane = (listener, fact.topic, fact.subject)
                    self.under_way[lane].append(self._heard(fact))
        self.said += facts
        return facts
