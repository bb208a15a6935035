"""Counts what services say to PostgreSQL: statements, commits, and how often they wait for it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from asyncpg.connection import LoggedQuery

from shared.postgres import Postgres
from tests.shared.overhearing import first_word, overheard


@dataclass
class Said:
    """By each role: the first words of its statements, and its round trips."""

    statements: dict[str, list[str]] = field(default_factory=dict)
    trips: Counter[str] = field(default_factory=Counter)

    def clear(self) -> None:
        self.statements.clear()
        self.trips.clear()


@contextmanager
def counted(said: Said) -> Iterator[None]:
    """Write down the first word of each statement that a service says."""

    def hear(postgres: Postgres, query: LoggedQuery) -> None:
        role = urlsplit(postgres.dsn).username or ""
        said.statements.setdefault(role, []).append(first_word(query))

    with overheard(hear):
        yield


@asynccontextmanager
async def between(dsn: str, said: Said) -> AsyncIterator[str]:
    """Stand between services and their server; yield the DSN that leads through here.

    A round trip begins with the first bytes of a client after something of the server's.
    """
    parts = urlsplit(dsn)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await asyncio.open_connection(parts.hostname, parts.port)
        role, waits = "", False

        async def ask() -> None:
            nonlocal role, waits
            while part := await reader.read(1 << 16):
                # The start-up message names the role: …\0user\0<role>\0…
                role = role or _between(part, b"user\0", b"\0").decode()
                if not waits:
                    said.trips[role] += 1
                waits = True
                upstream[1].write(part)
            upstream[1].close()

        async def answer() -> None:
            nonlocal waits
            while part := await upstream[0].read(1 << 16):
                waits = False
                writer.write(part)
            writer.close()

        with suppress(ConnectionError):
            await asyncio.gather(ask(), answer())

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    account = parts.netloc.rpartition("@")[0]
    async with server:
        yield urlunsplit(parts._replace(netloc=f"{account}@{host}:{port}"))


def _between(text: bytes, start: bytes, end: bytes) -> bytes:
    return text.partition(start)[2].partition(end)[0]
