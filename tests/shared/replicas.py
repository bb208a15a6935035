"""Replicas of a service that counts: how they are asked, and what is there afterwards."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from shared.contracts.base import Command, Event
from shared.ids import new_id
from shared.postgres import Postgres
from shared.traffic import Traffic
from tests.shared import looking
from tests.shared.make import NOON, A, B
from tests.shared.tally import Tallied, Tally

PATIENCE_SECONDS = 30
C, D = UUID(int=3), UUID(int=4)
Told = dict[UUID, list[tuple[int, int]]]


def replica(postgres: Postgres) -> Traffic:
    return Traffic("tally", looking.road, postgres, wake=lambda _: None)


async def ask(traffic: Traffic, command: Command) -> list[int]:
    """Ask once, and return the totals that are told."""
    facts = await traffic.ask(command, new_id(NOON))
    return [fact.total for fact in facts if isinstance(fact, Tallied)]


async def rows(postgres: Postgres, sql: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(postgres.dsn)  # those of the pool may be dead
    found = [tuple(row) for row in await connection.fetch(sql)]
    await connection.close()
    return found


async def column(postgres: Postgres, sql: str) -> list[object]:
    return [value for (value,) in await rows(postgres, sql)]


async def waiting(postgres: Postgres, count: int) -> None:
    """Wait until so many statements of this role wait for a lock."""
    sql = """
        SELECT count(*) FROM pg_stat_activity
         WHERE usename = current_user AND wait_event_type = 'Lock'
        """
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await column(postgres, sql) != [count]:
            await asyncio.sleep(0.01)


async def totals(postgres: Postgres) -> list[object]:
    return await column(postgres, "SELECT total FROM tallies ORDER BY id")


async def parked(postgres: Postgres) -> list[object]:
    return await column(postgres, "SELECT error_class FROM parked ORDER BY record_offset")


async def told(postgres: Postgres) -> Told:
    """Return of each tally what was told: as which of its facts, and which total."""
    found: Told = {}
    sql = "SELECT sequence, value FROM outbox WHERE sequence IS NOT NULL ORDER BY id"
    for number, value in await rows(postgres, sql):
        fact = Tallied.model_validate_json(value)
        found.setdefault(fact.tally_id, []).append((number, fact.total))
    return found


async def kept(postgres: Postgres) -> dict[UUID, Tally]:
    found = await rows(postgres, "SELECT id, total, version FROM tallies")
    return {tally.id: tally for tally in (Tally(*row) for row in found)}


def remembered(traffic: Traffic) -> dict[UUID, Tally]:
    return dict(traffic.memory.recall(Tally, (A, B, C, D)))


def in_order(facts: Sequence[Event]) -> Told:
    """Return of each tally what `told` does, had one replica told it all."""
    found: Told = {}
    for fact in facts:
        assert isinstance(fact, Tallied)
        about = found.setdefault(fact.tally_id, [])
        about.append((len(about) + 1, fact.total))
    return found
