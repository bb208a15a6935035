"""Hears what services say to PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from asyncpg.connection import LoggedQuery

from shared.postgres import Postgres, Transaction


@contextmanager
def overheard(hear: Callable[[Postgres, LoggedQuery], None]) -> Iterator[None]:
    """Hear each statement on every connection that is lent, BEGIN and COMMIT too."""
    original = Postgres.connection

    @asynccontextmanager
    async def connection(self: Postgres) -> AsyncIterator[Transaction]:
        def listen(query) -> None:
            hear(self, query)

        async with original(self) as lent:
            lent.add_query_logger(listen)
            try:
                yield lent
            finally:
                await asyncio.sleep(0)  # asyncpg tells of a statement a moment later
                lent.remove_query_logger(listen)

    Postgres.connection = connection
    try:
        yield
    finally:
        Postgres.connection = original


@contextmanager
def first_words() -> Iterator[list[str]]:
    """Hear the first word of each statement."""
    seen: list[str] = []
    with overheard(lambda _, query: seen.append(first_word(query))):
        yield seen


def first_word(query: LoggedQuery) -> str:
    return query.query.split(maxsplit=1)[0].rstrip(";")
