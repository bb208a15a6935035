"""Two replicas whose statements take turns in a drawn order: still one wins, the other is told."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.inventory import store
from services.inventory.handlers import road
from shared.postgres import Postgres
from shared.traffic import Traffic
from tests.inventory import make
from tests.inventory.conftest import hear
from tests.inventory.make import A, B, C
from tests.shared.stored import stored

LONGEST = 40  # turns; two batches have some fifteen statements
WAITS = """
    SELECT count(*) FROM pg_stat_activity
     WHERE usename = current_user AND wait_event_type = 'Lock'
"""


class Turns:
    """Lets one replica begin one statement for each turn that it is given, until set free."""

    def __init__(self) -> None:
        self._given, self._is_free = asyncio.Semaphore(0), False
        self.stands = False

    async def __call__(self) -> None:
        if not self._is_free:
            self.stands = True
            await self._given.acquire()

    def give(self) -> None:
        self.stands = False
        self._given.release()

    def set_free(self) -> None:
        self._is_free = True
        self.give()


class Stepping:
    """A transaction that waits for its turn before each statement."""

    def __init__(self, tx: Any, turns: Turns) -> None:
        self._tx, self._turns = tx, turns

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def stepped(*arguments: Any, **named: Any) -> Any:
            await self._turns()
            return await getattr(self._tx, name)(*arguments, **named)

        return stepped


class SteppingPostgres(Postgres):
    """Remembers every fault, also of what would be tried again."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.turns, self.faults = Turns(), list[BaseException]()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        try:
            async with super().transaction() as tx:
                yield Stepping(tx, self.turns)
        except BaseException as error:
            self.faults.append(error)
            raise


async def interleaved(dsn: str, order: Sequence[int], *messages: Callable[[Traffic], Any]) -> None:
    """Let each replica hear one message, statement by statement in that order of turns."""
    async with AsyncExitStack() as open_:
        replicas = [await open_.enter_async_context(SteppingPostgres(dsn)) for _ in messages]
        watch = await asyncpg.connect(dsn)
        open_.push_async_callback(watch.close)
        for replica in replicas:  # whatever fails, nobody may be left standing
            open_.callback(replica.turns.set_free)
        tasks = [
            asyncio.ensure_future(say(Traffic("inventory", road, one, wake=lambda _: None)))
            for say, one in zip(messages, replicas, strict=True)
        ]
        for one in order:
            turns, task = replicas[one].turns, tasks[one]
            if turns.stands:
                turns.give()
            while not (turns.stands or task.done() or await watch.fetchval(WAITS)):
                await asyncio.sleep(0.001)
        for replica in replicas:
            replica.turns.set_free()
        await asyncio.gather(*tasks)
        assert [replica.faults for replica in replicas] == [[] for _ in messages]


def combines(*ids: UUID, by: UUID = make.COMBINATION) -> Callable[[Traffic], Any]:
    return lambda replica: hear(replica, make.request(*ids, combination_id=by))


def applies(replica: Traffic) -> Any:
    return hear(replica, make.wish(instance_id=B))


def refunds(replica: Traffic) -> Any:
    return replica.ask(make.refund(B), UUID(int=7))


def hosts(replica: Traffic) -> Any:
    return replica.ask(make.hosting(B), UUID(int=8))


AB, CB = combines(A, B), combines(C, B, by=make.OTHER_COMBINATION)
PAIRS = {
    "combine and combine": (AB, CB),
    "combine and apply": (AB, applies),
    "combine and refund": (AB, refunds),
    "combine and host": (AB, hosts),
    "apply and refund": (applies, refunds),
}
REFUSALS = {"ReservationRefused", "ClaimRefused", "RefundRefused", "ChangeRefused"}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("pair", list(PAIRS))
async def test_of_two_that_want_the_same_instance_one_wins(
    inventory, inventory_dsn, pair, seed
) -> None:
    postgres = inventory.traffic.postgres
    estate = [make.instance(one, paid_at=inventory.clock()) for one in (A, B, C)]
    async with postgres.transaction() as tx:
        await stored(tx, store.save_instances, estate)

    order = random.Random(seed).choices((0, 1), k=LONGEST)

    await interleaved(inventory_dsn, order, *PAIRS[pair])

    async with postgres.transaction() as tx:
        found = await store.find_instances(tx, [A, B, C])
        headers = await tx.fetch("SELECT headers FROM outbox ORDER BY id")
    said = [kind for row in headers for kind in REFUSALS if kind.encode() in row["headers"]]
    assert len(said) == 1
    changed = [one for one in estate if found[one.id].version > 1]
    assert 1 <= len(changed) <= 2
    assert B in {one.id for one in changed}
    assert len({found[one.id].stage for one in changed}) == 1
