"""Two replicas, two connections, the same instances at once: one wins, the others hear why."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from itertools import permutations
from uuid import UUID

import asyncpg
import pytest
from msgspec import msgpack

from services.inventory import handlers, store
from services.inventory.domain.policy import BUILT_IN
from services.inventory.domain.things import Claimed, Instance, Refunded, Reserved
from shared.contracts.base import Names
from shared.contracts.inventory import (
    ClaimRefused,
    InstancesReserved,
    InventoryEvent,
    RefundRefused,
    ReservationRefused,
)
from shared.postgres import OvertakenError, Postgres, Transaction
from shared.replacing import replace
from shared.traffic import Traffic
from tests.inventory import make
from tests.inventory.conftest import hear
from tests.inventory.make import A, B, C
from tests.shared.stored import stored

ROUNDS = 10


class Watched(Postgres):
    """Remembers what went wrong in a transaction, also what would be tried again.

    Who decides by what it remembers may be overtaken: it has waited for nobody, and nobody for it.
    """

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.faults: list[BaseException] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        try:
            async with super().transaction() as tx:
                yield tx
        except OvertakenError:
            raise
        except BaseException as error:
            self.faults.append(error)
            raise


@pytest.fixture
async def replicas(inventory_dsn: str) -> AsyncIterator[Sequence[Traffic]]:
    async with Watched(inventory_dsn) as one, Watched(inventory_dsn) as other:
        yield [
            Traffic("inventory", handlers.make_road(BUILT_IN), postgres, wake=lambda _: None)
            for postgres in (one, other)
        ]
        assert (one.faults, other.faults) == ([], [])  # no deadlock, not even one that healed


async def stock(replica: Traffic, *instances: Instance) -> None:
    async with replica.postgres.transaction() as tx:
        await stored(tx, store.save_instances, instances)


async def kept(replica: Traffic, *ids: UUID) -> list[Instance]:
    async with replica.postgres.transaction() as tx:
        found = await store.find_instances(tx, ids)
    return [found[one] for one in ids]


async def said(replica: Traffic) -> list[InventoryEvent]:
    async with replica.postgres.transaction() as tx:
        rows = await tx.fetch("SELECT headers, value FROM outbox ORDER BY id")
        await tx.execute("DELETE FROM outbox")
    kinds = [
        InventoryEvent.family[dict(msgpack.decode(r["headers"]))["ce_type"].decode()] for r in rows
    ]
    return [kind.model_validate_json(row["value"]) for kind, row in zip(kinds, rows, strict=True)]


def fresh(n: int, count: int) -> list[Instance]:
    """Return instances that no round before has had."""
    return [
        make.instance(UUID(int=n * 100 + k), paid_at=None, names=Names(single=1))
        for k in range(1, count + 1)
    ]


async def test_of_two_that_combine_an_overlapping_set_exactly_one_wins(replicas) -> None:
    for n in range(1, ROUNDS + 1):
        a, b, c = fresh(n, 3)
        await stock(replicas[0], a, b, c)
        first, second = UUID(int=n << 64), UUID(int=(n << 64) + 1)
        await asyncio.gather(
            hear(replicas[0], make.request(a.id, b.id, combination_id=first)),
            hear(replicas[1], make.request(c.id, b.id, combination_id=second)),
        )

        facts = await said(replicas[0])

        [won] = [one for one in facts if isinstance(one, InstancesReserved)]
        [lost] = [one for one in facts if isinstance(one, ReservationRefused)]
        assert {won.combination_id, lost.combination_id} == {first, second}
        assert [(one.code, one.subject) for one in lost.objections] == [("not_pending", str(b.id))]
        held = Reserved(won.combination_id)
        alone = c if won.combination_id == first else a
        for one in await kept(replicas[0], a.id, b.id, c.id):
            assert one.stage == (make.PENDING if one.id == alone.id else held)


async def test_who_combines_in_any_order_of_members_waits_in_no_circle(replicas) -> None:
    for n, order in enumerate(permutations(range(3)), start=1):
        instances = fresh(n, 3)
        await stock(replicas[0], *instances)
        ids = [one.id for one in instances]
        asked = [
            make.request(*(ids[k] for k in some), combination_id=UUID(int=(n << 64) + turn))
            for turn, some in enumerate([(0, 1, 2), order, order[::-1]])
        ]

        await asyncio.gather(*(hear(replicas[k % 2], one) for k, one in enumerate(asked)))

        facts = await said(replicas[0])
        assert sum(isinstance(one, InstancesReserved) for one in facts) == 1
        assert sum(isinstance(one, ReservationRefused) for one in facts) == 2


STAGES = {"combine": Reserved, "apply": Claimed, "refund": Refunded}
REFUSALS = {"combine": ReservationRefused, "apply": ClaimRefused, "refund": RefundRefused}


@pytest.mark.parametrize("order", list(permutations(STAGES)), ids="-".join)
async def test_of_combining_applying_and_refunding_one_wins_and_the_others_hear_why(
    replicas, order
) -> None:
    for n in range(1, ROUNDS + 1):
        a, b = fresh(n, 2)
        await stock(replicas[0], replace(a, paid_at=replicas[0].clock()), b)
        wish: dict[str, Awaitable[object]] = {
            "combine": hear(replicas[0], make.request(a.id, b.id)),
            "apply": hear(replicas[1], make.wish(instance_id=a.id)),
            "refund": replicas[n % 2].ask(make.refund(a.id), UUID(int=n)),
        }

        await asyncio.gather(*(wish[what] for what in order))

        [after] = await kept(replicas[0], a.id)
        facts = await said(replicas[0])
        won = [what for what, stage in STAGES.items() if isinstance(after.stage, stage)]
        lost = [what for what, no in REFUSALS.items() if any(isinstance(f, no) for f in facts)]
        assert sorted([*won, *lost]) == sorted(STAGES)
        assert len(won) == 1
        assert all(one.objections for one in facts if isinstance(one, tuple(REFUSALS.values())))


async def test_who_comes_while_another_decides_waits_and_sees_what_became_of_it(
    replicas, inventory_dsn, monkeypatch
) -> None:
    locked, go_on = asyncio.Event(), asyncio.Event()

    async def load(tx: Transaction, ids: Sequence[UUID]) -> list[Instance]:
        found = list(await store.load_instances(tx, ids))
        locked.set()
        await go_on.wait()
        return found

    shelf = replace(handlers.instances, load=load)
    monkeypatch.setattr(handlers, "instances", shelf)
    slow = Traffic(
        "inventory", handlers.make_road(BUILT_IN), replicas[0].postgres, wake=lambda _: None
    )
    await stock(replicas[0], *(make.instance(one) for one in (A, B, C)))

    first = asyncio.create_task(hear(slow, make.request(A, B)))
    await locked.wait()
    other = make.request(B, C, combination_id=make.OTHER_COMBINATION)
    second = asyncio.create_task(hear(replicas[1], other))
    await somebody_waits(inventory_dsn)
    assert not second.done()
    go_on.set()
    await asyncio.gather(first, second)

    reserved, refused = await said(replicas[0])
    assert (type(reserved), type(refused)) == (InstancesReserved, ReservationRefused)
    assert [one.stage for one in await kept(replicas[0], A, B, C)] == [
        make.RESERVED,
        make.RESERVED,
        make.PENDING,
    ]


async def somebody_waits(dsn: str) -> None:
    """Return once a connection of this role waits for a lock."""
    connection = await asyncpg.connect(dsn)
    try:
        while not await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE usename = current_user AND wait_event_type = 'Lock'"
        ):
            await asyncio.sleep(0.01)
    finally:
        await connection.close()
