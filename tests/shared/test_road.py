"""The road on a real PostgreSQL: whatever a batch holds, each message is handled or parked."""

import asyncio
import logging
from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import pytest

from shared.postgres import Postgres
from shared.traffic import Traffic
from tests.shared import make, tally
from tests.shared.make import A, B, counted, read
from tests.shared.overhearing import first_words
from tests.shared.tally import Cloned, Count, Moved, Recounted, Tallied


@pytest.fixture
def traffic(postgres: Postgres) -> Traffic:
    return Traffic("tally", tally.road, postgres, wake=lambda _: None)


@pytest.fixture
def statements() -> Iterator[list[str]]:
    with first_words() as seen:
        yield seen


async def column(postgres: Postgres, sql: str) -> list[object]:
    async with postgres.transaction() as tx:
        return [row[0] for row in await tx.fetch(sql)]


async def totals(postgres: Postgres) -> list[object]:
    return await column(postgres, "SELECT total FROM tallies ORDER BY id")


async def parked(postgres: Postgres) -> list[object]:
    return await column(postgres, "SELECT error_class FROM parked ORDER BY record_offset")


async def test_each_message_sees_what_the_one_before_it_left(traffic, postgres) -> None:
    move = make.record(Moved(tally_id=A, to=B, amount=3))

    await traffic.take(read(counted(5), counted(1, B), move, counted(10)))

    assert await totals(postgres) == [12, 4]


async def test_a_message_that_comes_twice_has_one_effect(traffic, postgres) -> None:
    batch = read(once := counted(5), counted(2), once)

    await traffic.take(batch)
    await traffic.take(batch)

    assert await totals(postgres) == [7]
    assert await column(postgres, "SELECT sequence FROM outbox ORDER BY id") == [1, 2]


POISON = {
    "null header": make.Record(b"{}", make.headers("certfold.Counted.v1", ce_time=None)),
    "header not UTF-8": make.Record(b"{}", make.headers("certfold.Counted.v1", tenant=b"\xff")),
    "no headers": make.Record(b"{}", []),
    "broken JSON": make.Record(b'{"tally_id', make.headers("certfold.Counted.v1")),
    "NUL": make.Record(b"\0", make.headers("certfold.Counted.v1", ce_id=b"\0")),
    "tombstone": make.Record(None, make.headers("certfold.Counted.v1")),
    "unknown type": make.Record(b"{}", make.headers("certfold.Praised.v1")),
    "wrong schema": make.Record(b'{"tally_id": 7}', make.headers("certfold.Counted.v1")),
    "decision raises": counted(tally.UNLUCKY),
    "SQL refuses": counted(2000),
    "a fact too large": counted(tally.TOO_LARGE),
    "a person is needed": counted(tally.DISPUTED),
}


@pytest.mark.parametrize("poison", [pytest.param(p, id=name) for name, p in POISON.items()])
async def test_poison_in_the_middle_is_parked_alone(traffic, postgres, poison) -> None:
    before, after = [counted(1) for _ in range(4)], [counted(1) for _ in range(3)]

    await traffic.take(read(*before, poison, *after))

    assert await totals(postgres) == [7]
    assert len(await parked(postgres)) == 1
    letters = await column(postgres, "SELECT value FROM outbox WHERE topic = 'count.tally.dlt'")
    assert letters == [poison.value]


async def test_all_poisons_at_once_leave_the_good_between_them_unharmed(traffic, postgres) -> None:
    batch = [one for poison in POISON.values() for one in (counted(1), poison)]
    batch.append(POISON["tombstone"])

    await traffic.take(read(*batch))
    await traffic.take(read(*batch))

    assert await totals(postgres) == [len(POISON)]
    assert len(await parked(postgres)) == len(POISON)


async def test_known_event_that_nobody_reacts_to_passes_by() -> None:
    assert read(make.record(Recounted(tally_id=A))) == []


async def test_foreign_id_that_is_no_uuid_is_still_dropped_when_repeated(traffic, postgres) -> None:
    event = tally.Counted(tally_id=A, amount=1)

    await traffic.take(read(make.record(event, "order 66"), make.record(event, "order 66")))

    assert await totals(postgres) == [1]


async def test_command_is_answered_with_its_own_facts_and_only_once(traffic) -> None:
    first = await traffic.ask(Count(tally_id=A, amount=4), UUID(int=9))
    again = await traffic.ask(Count(tally_id=A, amount=4), UUID(int=9))

    assert first == (Tallied(tally_id=A, total=4),)
    assert again == ()


async def test_command_whose_decision_raises_tells_its_caller_and_leaves_no_trace(
    traffic, postgres
) -> None:
    with pytest.raises(ValueError, match="thirteen"):
        await traffic.ask(Count(tally_id=A, amount=tally.UNLUCKY), UUID(int=9))

    assert await column(postgres, "SELECT message_id FROM inbox") == []
    assert await parked(postgres) == []


async def test_commands_that_come_together_share_a_transaction_but_not_a_fate(
    traffic, statements
) -> None:
    amounts = [1, tally.UNLUCKY, 2, 2000, 3]
    asked = [
        traffic.ask(Count(tally_id=A, amount=n), UUID(int=i)) for i, n in enumerate([0, *amounts])
    ]

    _, *answers = await asyncio.gather(*asked, return_exceptions=True)
    again = await asyncio.gather(
        *(traffic.ask(Count(tally_id=A, amount=1), UUID(int=50 + n)) for n in range(40))
    )

    assert [type(answer).__name__ for answer in answers] == [
        "tuple",
        "ValueError",
        "tuple",
        "CheckViolationError",
        "tuple",
    ]
    assert again[-1] == (Tallied(tally_id=A, total=46),)
    assert statements.count("COMMIT") <= 5


async def test_race_to_create_one_thing_loses_nothing(traffic, postgres) -> None:
    racers = [traffic.take(read(counted(1), counted(1, B))) for _ in range(5)]
    racers += [traffic.ask(Count(tally_id=A, amount=1), UUID(int=n)) for n in range(5)]

    await asyncio.gather(*racers)

    assert await totals(postgres) == [10, 5]


async def test_facts_about_one_thing_are_numbered_without_a_gap(traffic, postgres) -> None:
    await asyncio.gather(*(traffic.take(read(counted(1), counted(1))) for _ in range(8)))

    numbered = await column(postgres, "SELECT sequence FROM outbox ORDER BY id")
    totals_said = await column(
        postgres,
        "SELECT (convert_from(value, 'UTF8')::jsonb->>'total')::int FROM outbox ORDER BY id",
    )
    assert numbered == totals_said == list(range(1, 17))


async def test_decision_that_makes_what_exists_without_looking_is_parked(traffic, postgres) -> None:
    await traffic.take(read(counted(1), counted(1, B)))

    await traffic.take(read(counted(1), make.record(Cloned(tally_id=A, to=B)), counted(1)))

    assert await totals(postgres) == [3, 1]
    assert await parked(postgres) == ["OvertakenError"]


async def test_lost_connection_is_waited_out(traffic, postgres, caplog, stack, dsn) -> None:
    caplog.set_level(logging.WARNING, "shared.traffic")
    await traffic.take(read(counted(1)))
    role = urlsplit(dsn).username
    blocker = await asyncpg.connect(stack.postgres_dsn)
    async with blocker.transaction():
        await blocker.execute(f"SELECT 1 FROM {role}.tallies FOR UPDATE")
        waiting = asyncio.create_task(traffic.take(read(counted(1))))
        await asyncio.sleep(0.1)
        await blocker.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE usename = '{role}' AND wait_event_type = 'Lock'"
        )
    await waiting
    await blocker.close()

    assert await totals(postgres) == [2]
    assert "closed in the middle of operation" in caplog.text


async def test_missing_table_parks_nothing(traffic, postgres) -> None:
    async with postgres.transaction() as tx:
        await tx.execute("ALTER TABLE tallies RENAME TO elsewhere")
    waiting = asyncio.create_task(traffic.take(read(counted(1))))
    await asyncio.sleep(0.2)
    async with postgres.transaction() as tx:
        await tx.execute("ALTER TABLE elsewhere RENAME TO tallies")
    await waiting

    assert await parked(postgres) == []
    assert await totals(postgres) == [1]


@pytest.mark.parametrize("size", [1, 20, 500])
async def test_batch_of_any_size_takes_four_statements_and_the_next_one_a_single_one(
    traffic, statements, size
) -> None:
    await traffic.take(read(counted(1)))  # lets asyncpg learn the types
    for once_more in (["BEGIN", "SELECT", "WITH", "COMMIT"], ["WITH"]):
        statements.clear()

        await traffic.take(read(*(counted(1, UUID(int=n % 50)) for n in range(size))))

        assert statements == once_more


async def test_batch_with_a_repeated_message_asks_the_inbox_first_the_second_time(
    traffic, statements, postgres
) -> None:
    known, new = counted(1), counted(2)
    await traffic.take(read(known))
    statements.clear()

    await traffic.take(read(known, new))

    in_hope, with_care = statements[:1], statements[1:]
    assert in_hope == ["WITH"]
    assert with_care == ["BEGIN", "INSERT", "SELECT", "WITH", "COMMIT"]
    assert await totals(postgres) == [3]
