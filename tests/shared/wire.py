"""A wire to PostgreSQL that fails when a certain statement passes, once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

Fault = Literal["unheard", "unanswered", "half answered", "given up"]
"""What becomes of the statement: the server never hears it · it does, and its answer is lost · half
of the answer comes · the answer comes, and a last word behind it, and then nothing any more."""

# ErrorResponse: what a server says on a connection that it is about to close.
LAST_WORD = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0"
LAST = b"ZTn"  # ReadyForQuery; what rows there will be, or none: the end of a preparation
GIVEN_UP = b"E" + (len(LAST_WORD) + 4).to_bytes(4) + LAST_WORD


@dataclass
class Wire:
    """Passes on what client and server say; fails when the client says `word`, then no more."""

    host: str
    port: int
    word: bytes = b""
    fault: Fault = "unheard"
    failures: int = 0

    def fail(self, word: str, fault: Fault) -> None:
        """Fail at the next statement in which `word` stands."""
        self.word, self.fault = word.encode(), fault

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client, until one of the two hangs up."""
        server_reader, server_writer = await asyncio.open_connection(self.host, self.port)
        reading = asyncio.create_task(_pass_on(server_reader, writer))
        try:
            while said := await reader.read(1 << 16):
                if self.word and self.word in said:
                    self.word, self.failures = b"", self.failures + 1
                    reading.cancel()
                    await asyncio.wait([reading])
                    await self._fail(said, (server_reader, server_writer), (reader, writer))
                    break
                server_writer.write(said)
        finally:
            reading.cancel()
            for one in (server_writer, writer):
                one.transport.abort()

    async def _fail(
        self,
        said: bytes,
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        (server_reader, server_writer), (reader, writer) = server, client
        if self.fault == "unheard":
            return
        server_writer.write(said)
        answer = b""
        while last_of(answer) not in LAST:
            answer += await server_reader.read(1 << 16)
        match self.fault:
            case "half answered":
                writer.write(answer[: len(answer) // 2])
                await writer.drain()
            case "given up":
                server_writer.transport.abort()
                writer.write(answer + GIVEN_UP)
                await reader.read(1)  # the line is open, and dead


def last_of(answer: bytes) -> bytes:
    """Return the type of the last message, where it is whole; else nothing that is in `LAST`."""
    at, kind = 0, b"?"
    while at < len(answer):
        kind, at = answer[at : at + 1], at + 1 + int.from_bytes(answer[at + 1 : at + 5])
    return kind if at == len(answer) else b"?"


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while said := await reader.read(1 << 16):
            writer.write(said)
    writer.close()


@asynccontextmanager
async def wire_to(dsn: str) -> AsyncIterator[tuple[Wire, str]]:
    """Lay a wire to the server of `dsn`; yield it, and the DSN of its other end."""
    parts = urlsplit(dsn)
    wire = Wire(parts.hostname or "", parts.port or 0)
    conversations: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.add(asyncio.ensure_future(wire.converse(reader, writer)))

    async with await asyncio.start_server(begin, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        login = parts.netloc.rpartition("@")[0]
        yield wire, urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{port}"))
        for one in conversations:
            one.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)
