"""A small real name server on loopback, which says what a test has told it, or nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from dns.asyncresolver import Resolver

SILENT = object()
Answer = dns.rcode.Rcode | bytes | object | list[str]


@dataclass
class Zone(asyncio.DatagramProtocol):
    """Answers by name and type: lines of a master file, a response code, octets, or SILENT."""

    answers: dict[tuple[str, str], Answer]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asked = dns.message.from_wire(data)
        [question] = asked.question
        name = question.name.to_text(omit_final_dot=True)
        answer = self.answers.get(
            (name, question.rdtype.name),
            [] if any(known == name for known, _ in self.answers) else dns.rcode.NXDOMAIN,
        )
        if isinstance(answer, bytes):
            self._transport.sendto(answer, addr)
        elif answer is not SILENT:
            self._transport.sendto(self._reply(asked, answer), addr)

    def _reply(self, asked: dns.message.Message, answer: Answer) -> bytes:
        reply = dns.message.make_response(asked, recursion_available=True)
        if isinstance(answer, dns.rcode.Rcode):
            reply.set_rcode(answer)
        elif isinstance(answer, list):
            for line in answer:
                owner, kind, value = line.split(" ", 2)
                found = dns.rrset.from_text(owner + ".", 60, "IN", kind, value)
                known = reply.find_rrset(
                    reply.answer, found.name, found.rdclass, found.rdtype, create=True
                )
                known.update(found)
        return reply.to_wire(max_size=65535)


@asynccontextmanager
async def serving(answers: dict[tuple[str, str], Answer]) -> AsyncIterator[Resolver]:
    """Serve `answers`, and give a resolver that asks there."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: Zone(answers), local_addr=("127.0.0.1", 0)
    )
    resolver = Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = transport.get_extra_info("sockname")[1]
    try:
        yield resolver
    finally:
        transport.close()
