"""What cannot be handled: as it came, with the reason, once; until a person replays or discards."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from msgspec import msgpack

from shared import parking
from shared.cloudevents import Headers, NotUnderstood
from shared.outbox import LARGEST_BYTES, Outgoing
from shared.parking import LONGEST_REASON, SHOWN_BYTES, Parked, parked_id
from shared.postgres import Postgres
from shared.traffic import Traffic
from tests.shared import make, tally
from tests.shared.make import NOON, Record, counted, read
from tests.shared.replicas import waiting
from tests.shared.tally import Recounted


@pytest.fixture
def woken() -> list[str]:
    return []


@pytest.fixture
def traffic(postgres: Postgres, woken: list[str]) -> Traffic:
    return Traffic(
        "tally", tally.road, postgres, wake=lambda _: woken.append("relay"), clock=lambda: NOON
    )


async def letters(postgres: Postgres) -> list[Outgoing]:
    sql = "SELECT * FROM outbox WHERE topic LIKE '%.dlt' ORDER BY id"
    async with postgres.transaction() as tx:
        rows = await tx.fetch(sql)
    assert {row["sequence"] for row in rows} <= {None}  # a copy is no fact, and not counted
    return [
        Outgoing(
            row["topic"],
            None,
            row["key"],
            [(name, value) for name, value in msgpack.decode(row["headers"])],
            row["value"],
        )
        for row in rows
    ]


async def parked(postgres: Postgres) -> list[Parked]:
    async with postgres.transaction() as tx:
        return await parking.list_parked(tx, None, 100)


async def totals(postgres: Postgres) -> list[int]:
    async with postgres.transaction() as tx:
        return [row["total"] for row in await tx.fetch("SELECT total FROM tallies ORDER BY id")]


def poison(value: bytes | None = b'{"half', key: bytes | None = b"key") -> Record:
    headers: Headers = [("ce_id", b"66"), ("tenant", None), ("tenant", b"\xff")]
    return Record(value, headers, partition=3, offset=7, timestamp=1_700_000_000_000, key=key)


async def test_record_is_parked_as_it_came_with_the_reason(traffic, postgres) -> None:
    record = poison()

    await traffic.take(read(record))

    assert await parked(postgres) == [
        Parked(
            id=parked_id(record),
            topic="count",
            partition=3,
            offset=7,
            timestamp=1_700_000_000_000,
            key=b"key",
            headers=record.headers,
            value=b'{"half',
            error_class="NotACloudEventError",
            error_message="null headers: ['tenant']",
            parked_at=NOON,
        )
    ]


async def test_dead_letter_is_the_record_as_it_came_and_its_story(traffic, postgres) -> None:
    record = poison()

    await traffic.take(read(record))

    assert await letters(postgres) == [
        Outgoing(
            topic="count.tally.dlt",
            subject=None,
            key=b"key",
            headers=[
                *record.headers,
                ("x-original-topic", b"count"),
                ("x-original-partition", b"3"),
                ("x-original-offset", b"7"),
                ("x-original-timestamp", b"1700000000000"),
                ("x-group", b"tally"),
                ("x-error-class", b"NotACloudEventError"),
                ("x-error-message", b"null headers: ['tenant']"),
                ("x-first-failed-at", b"2026-11-22T12:00:00+00:00"),
            ],
            value=b'{"half',
        )
    ]


@pytest.mark.parametrize(("key", "value"), [(b"key", None), (None, b"")])
async def test_tombstone_is_lettered_in_a_form_that_can_be_sent(
    traffic, postgres, key, value
) -> None:
    await traffic.take(read(poison(value=None, key=key)))

    [letter] = await letters(postgres)
    assert (letter.key, letter.value) == (key, value)


async def test_record_that_comes_again_is_parked_and_lettered_once(traffic, postgres) -> None:
    twice = read(record := poison(), record)

    await traffic.take(twice)
    traffic.clock = lambda: NOON + timedelta(days=1)
    await traffic.take(twice)

    assert [one.parked_at for one in await parked(postgres)] == [NOON]
    assert len(await letters(postgres)) == 1


async def test_reason_that_no_store_takes_is_cut_and_cleaned(traffic, postgres) -> None:
    await traffic.take([NotUnderstood(poison(), ValueError("\0" + "long" * 9000))])

    [one] = await parked(postgres)
    assert one.error_message.startswith("\ufffdlong")
    assert len(one.error_message) == LONGEST_REASON


async def test_what_failed_is_replayed_past_the_inbox_when_the_program_is_mended(
    traffic, postgres, woken, monkeypatch
) -> None:
    unlucky = counted(tally.UNLUCKY)
    await traffic.take(read(unlucky))
    monkeypatch.setattr(tally, "UNLUCKY", None)  # the program is mended
    woken.clear()

    assert await traffic.replay(parked_id(unlucky))

    assert await totals(postgres) == [13]
    assert await parked(postgres) == []
    assert woken == ["relay"]


async def test_replay_has_its_effect_once_however_often_it_is_asked_for(
    traffic, postgres, monkeypatch
) -> None:
    unlucky = counted(tally.UNLUCKY)
    await traffic.take(read(unlucky))
    monkeypatch.setattr(tally, "UNLUCKY", None)  # the program is mended

    assert await traffic.replay(parked_id(unlucky))
    assert not await traffic.replay(parked_id(unlucky))

    assert await totals(postgres) == [13]


async def test_nobody_thinks_that_all_is_told_while_something_is_replayed(
    traffic, postgres, monkeypatch
) -> None:
    unlucky = counted(tally.UNLUCKY)
    await traffic.take(read(unlucky))
    monkeypatch.setattr(tally, "UNLUCKY", None)

    async with postgres.transaction() as tx:
        await tx.execute("SELECT FROM parked FOR UPDATE")
        replaying = asyncio.create_task(traffic.replay(parked_id(unlucky)))
        await waiting(postgres, 1)
        assert not traffic.is_idle
    await replaying

    assert traffic.is_idle


async def test_record_that_comes_again_after_its_replay_has_no_second_effect(
    traffic, postgres
) -> None:
    record = counted(5)
    await traffic.take([NotUnderstood(record, ValueError("by an older program"))])
    await traffic.replay(parked_id(record))

    await traffic.take(read(record))

    assert await totals(postgres) == [5]


async def test_what_fails_again_is_told_and_stays(traffic, postgres) -> None:
    unlucky = counted(tally.UNLUCKY)
    await traffic.take(read(unlucky))

    with pytest.raises(ValueError, match="thirteen"):
        await traffic.replay(parked_id(unlucky))

    assert [one.id for one in await parked(postgres)] == [parked_id(unlucky)]
    assert len(await letters(postgres)) == 1


async def test_what_is_still_not_understood_is_told_and_stays(traffic, postgres) -> None:
    record = poison()
    await traffic.take(read(record))

    with pytest.raises(ValueError, match="null headers"):
        await traffic.replay(parked_id(record))

    assert len(await parked(postgres)) == 1


async def test_word_that_nobody_has_use_for_is_replayed_into_nothing(traffic, postgres) -> None:
    record = make.record(Recounted(tally_id=make.A))
    await traffic.take([NotUnderstood(record, ValueError("unknown to an older program"))])

    assert await traffic.replay(parked_id(record))

    assert await parked(postgres) == []
    assert await totals(postgres) == []


async def test_what_was_never_parked_cannot_be_replayed(traffic) -> None:
    assert not await traffic.replay(UUID(int=1))


async def test_what_is_discarded_is_gone_but_for_its_letter(traffic, postgres) -> None:
    record = poison()
    await traffic.take(read(record))

    async with postgres.transaction() as tx:
        await parking.remove(tx, parked_id(record))

    assert await parked(postgres) == []
    assert len(await letters(postgres)) == 1


async def test_parked_messages_are_listed_piece_by_piece(traffic, postgres) -> None:
    await traffic.take(read(*(make.Record(b"", []) for _ in range(5))))
    everything = [one.id for one in await parked(postgres)]

    async with postgres.transaction() as tx:
        first = await parking.list_parked(tx, None, 3)
        rest = await parking.list_parked(tx, first[-1].id, 3)

    assert [one.id for one in (*first, *rest)] == everything == sorted(everything)


async def test_list_shows_the_beginning_of_what_is_long(traffic, postgres) -> None:
    await traffic.take(read(make.Record(bytes(SHOWN_BYTES + 1), [], key=bytes(SHOWN_BYTES + 1))))

    [one] = await parked(postgres)

    assert (len(one.value or b""), len(one.key or b"")) == (SHOWN_BYTES, SHOWN_BYTES)
    async with postgres.transaction() as tx:
        whole = await parking.find_parked(tx, one.id)
    assert whole is not None
    assert len(whole.value or b"") == SHOWN_BYTES + 1


@pytest.mark.parametrize("what", ["value", "header"])
async def test_letter_that_kafka_would_not_take_leaves_out_what_is_too_large(
    traffic, postgres, what
) -> None:
    large = bytes(LARGEST_BYTES + 1)
    record = make.Record(large, []) if what == "value" else make.Record(b"", [("x", large)])

    await traffic.take(read(record))

    [letter] = await letters(postgres)
    names = [name for name, _ in letter.headers]
    assert (letter.value, names[0]) == (b"", "x-left-out")
    assert "x-error-message" in names
    async with postgres.transaction() as tx:
        whole = await parking.find_parked(tx, parked_id(record))
    assert whole is not None
    assert large in (whole.value, *(value for _, value in whole.headers))
