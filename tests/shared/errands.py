"""A service that has work in the world and timers, and a world that notes what is done."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

import asyncpg

from shared.clock import MovableClock
from shared.contracts.base import Command, Errand
from shared.decision import Decision, Moment
from shared.errands import Patience, does, does_together
from shared.postgres import Postgres
from shared.reactions import when
from shared.road import Road
from shared.runner import Runner
from shared.traffic import Traffic
from tests.shared import tally
from tests.shared.make import NOON
from tests.shared.tally import Tallied, Tally

A_WHILE = timedelta(minutes=1)


class TallyErrand(Errand):
    about: ClassVar[str] = "tally_id"

    tally_id: UUID


class Fetch(TallyErrand):
    """Something that is done by itself."""


class Press(TallyErrand):
    """Something that is done together with its like."""


class Ring(TallyErrand):
    """A timer."""


class Unheard(TallyErrand):
    """What nobody does."""


class Fetched(Command):
    tally_id: UUID


class Begin(Command):
    tally_id: UUID
    fetch: bool = False
    press: bool = False
    ring: datetime | None = None
    unheard: bool = False


class End(Command):
    tally_id: UUID


def begin(_: Tally | None, asked: Begin, __: Moment) -> Decision:
    it = asked.tally_id
    errands: list[Errand] = [Fetch(tally_id=it)] if asked.fetch else []
    errands += [Press(tally_id=it)] if asked.press else []
    errands += [Ring(tally_id=it, due=asked.ring)] if asked.ring else []
    errands += [Unheard(tally_id=it)] if asked.unheard else []
    return Decision((Tally(it),), errands=tuple(errands))


def note(it: Tally | None, fetched: Fetched, _: Moment) -> Decision:
    assert it is not None
    after = replace(it, total=it.total + 1)
    return Decision((after,), (Tallied(tally_id=it.id, total=after.total, words="fetched"),))


def ring(it: Tally | None, rung: Ring, moment: Moment) -> Decision:
    said = Tallied(tally_id=rung.tally_id, total=0, words=f"rung at {moment.now:%H:%M:%S}")
    return Decision(facts=(said,))


def end(_: Tally | None, asked: End, __: Moment) -> Decision:
    return Decision(closed=(asked.tally_id,))


@dataclass
class World:
    """Where things are fetched from. It notes when, and refuses to do one twice at once."""

    clock: MovableClock
    fetching: set[UUID]
    times: list[datetime] = field(default_factory=list)
    pressed: list[int] = field(default_factory=list)
    broken: set[UUID] = field(default_factory=set)
    hangs: bool = False
    hanging: asyncio.Event = field(default_factory=asyncio.Event)
    dropped: asyncio.Event = field(default_factory=asyncio.Event)

    async def fetch(self, errand: Fetch) -> Fetched:
        assert errand.tally_id not in self.fetching
        self.fetching.add(errand.tally_id)
        self.times.append(self.clock())
        try:
            await self._hang_or_break(errand.tally_id)
        finally:
            self.fetching.remove(errand.tally_id)
        return Fetched(tally_id=errand.tally_id)

    async def _hang_or_break(self, its_id: UUID) -> None:
        if its_id in self.broken:
            raise OSError("nobody\0 is there")
        if self.hangs:
            self.hanging.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.dropped.set()

    async def press(self, errands: Sequence[Press]) -> Sequence[Fetched]:
        self.pressed.append(len(errands))
        if self.broken & {errand.tally_id for errand in errands}:
            raise OSError("it is stuck")
        return [Fetched(tally_id=errand.tally_id) for errand in errands]


def make_road() -> Road:
    def it(message: Begin | Fetched | Ring | End) -> UUID:
        return message.tally_id

    return Road(
        when(Begin, tally.tallies, about=it, then=begin),
        does(Fetch, World.fetch, at_once=50, patience=Patience(attempts=10)),
        does_together(Press, World.press, at_once=50, chunk=5, patience=Patience(attempts=2)),
        when(Fetched, tally.tallies, about=it, then=note),
        when(Ring, tally.tallies, about=it, then=ring),
        when(End, tally.tallies, about=it, then=end),
        shelves=(tally.tallies,),
    )


class StillClock(MovableClock):
    """Stands still between moves, until it is told to run."""

    def __init__(self) -> None:
        super().__init__(lambda: NOON + self.running())
        self.running: Callable[[], timedelta] = timedelta

    def run(self) -> None:
        start = time.monotonic()
        self.running = lambda: timedelta(seconds=time.monotonic() - start)
        self.move_to(self())


@dataclass
class Service:
    """One service: its runners come and go."""

    dsn: str
    postgres: Postgres
    stack: AsyncExitStack
    clock: StillClock = field(default_factory=StillClock)
    fetching: set[UUID] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.traffic = self.new_traffic(self.postgres)

    def new_traffic(self, postgres: Postgres) -> Traffic:
        return Traffic("tally", make_road(), postgres, wake=lambda _: None, clock=self.clock)

    def world(self, **more: bool) -> World:
        return World(self.clock, self.fetching, **more)

    async def runner(self, world: World | None = None, traffic: Traffic | None = None) -> Runner:
        runner = Runner(traffic or self.traffic, world or self.world())
        await runner.start()
        self.stack.push_async_callback(runner.stop)
        return runner

    async def replica(self, world: World) -> Runner:
        postgres = await self.stack.enter_async_context(Postgres(self.dsn))
        return await self.runner(world, self.new_traffic(postgres))

    async def begin(self, *ids: UUID, **wanted: object) -> None:
        commands = [Begin.model_validate({"tally_id": one, **wanted}) for one in ids]
        await asyncio.gather(*(self.traffic.ask(one, new_id()) for one in commands))

    async def end(self, its_id: UUID) -> None:
        await self.traffic.ask(End(tally_id=its_id), new_id())

    async def rows(self, sql: str) -> list[asyncpg.Record]:
        async with self.postgres.transaction() as tx:
            return await tx.fetch(sql)

    async def said(self) -> list[tuple[UUID, str]]:
        facts = [
            json.loads(row["value"])
            for row in await self.rows("SELECT value FROM outbox ORDER BY id")
        ]
        return [(UUID(fact["tally_id"]), fact["words"]) for fact in facts]

    async def until_said(self, count: int) -> None:
        while len(await self.said()) < count:
            await asyncio.sleep(0.02)

    async def left(self) -> Counter[str]:
        return Counter(row["kind"] for row in await self.rows("SELECT kind FROM errands"))


ids = iter(range(1000, 10**9))


def new_id() -> UUID:
    return UUID(int=next(ids))
