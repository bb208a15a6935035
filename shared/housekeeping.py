"""Forgets what is too old to come again, a little at a time."""

import asyncio
import logging

from shared.postgres import Postgres

EVERY_SECONDS = 600.0
AT_ONCE = 10_000

log = logging.getLogger(__name__)


async def keep_house(postgres: Postgres, inbox_days: int) -> None:
    """Prune the inbox for ever; what fails is tried again the next time."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            while (gone := await prune(postgres, inbox_days)) == AT_ONCE:
                log.info("forgot %d messages", gone)
        except Exception as error:
            log.warning("the inbox is not pruned: %r", error)


async def prune(postgres: Postgres, days: int) -> int:
    """Forget at most `AT_ONCE` messages seen more than `days` ago; say how many.

    Such a message that comes again is decided again: decisions know by what there is that it is
    an old one, and who replays a topic relies on that.
    """
    async with postgres.transaction() as tx:
        done = await tx.execute(
            """
            DELETE FROM inbox WHERE ctid = ANY(ARRAY(
                SELECT ctid FROM inbox WHERE seen_at < now() - make_interval(days => $1) LIMIT $2))
            """,
            days,
            AT_ONCE,
        )
    return int(done.rpartition(" ")[2])
