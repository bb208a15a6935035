"""An authoritative name server for whatever zone it is asked about, on loopback, for trying.

    python -m certfold.sandbox.dns --port 5353 --file .data/sandbox/dns.zone --hosts .data/sandbox

Speaks UDP and TCP with EDNS (RFC 1035, 6891), and is changed by dynamic updates (RFC 2136), which
it takes from anyone who reaches it: hence loopback only.
"""

import argparse
import asyncio
import contextlib
import signal
import struct
from pathlib import Path
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rrset
import dns.update
from dns.rcode import Rcode
from dns.rdataclass import IN
from dns.rdatatype import A
from dns.rrset import RRset

from certfold.sandbox.hosts import Hosts
from certfold.sandbox.records import ChangeRefusedError, Records

HOST = "127.0.0.1"
LOOPBACK_NET = "127."
PLAIN_UDP = 512
LARGEST_UDP = 1232  # fits into any path's packets
IDLE_SECONDS = 10.0
HEADER = struct.Struct("!HH8x")


def respond(
    records: Records, wire: bytes, limit: int | None = None, loopback: str = HOST
) -> bytes | None:
    """Answer one message. With a `limit`, as in UDP, what is longer is cut and marked so.

    Who asks from another network namespace is told another address than 127/8: `loopback`.
    """
    if len(wire) < HEADER.size:
        return None
    try:
        # Each record by itself: merged, the order of changes would be lost.
        asked = dns.message.from_wire(wire, one_rr_per_rrset=True)
    except (dns.exception.DNSException, ValueError):
        ident, flags = HEADER.unpack_from(wire)
        kept = flags & 0x7900 | dns.flags.QR | Rcode.FORMERR
        return None if flags & dns.flags.QR else struct.pack("!HH8x", ident, kept)
    if asked.flags & dns.flags.QR:
        return None
    reply = dns.message.make_response(asked, our_payload=LARGEST_UDP)
    reply.set_rcode(_fill(records, asked, reply))
    if loopback != HOST:
        reply.answer = [_seen_from_there(one, loopback) for one in reply.answer]
    if limit is None:
        return reply.to_wire()
    most = min(max(asked.payload, PLAIN_UDP), limit) if asked.edns >= 0 else PLAIN_UDP
    return reply.to_wire(max_size=most, prefer_truncation=True)


def _fill(records: Records, asked: dns.message.Message, reply: dns.message.Message) -> Rcode:
    if asked.edns > 0:
        return Rcode.BADVERS
    if isinstance(asked, dns.update.UpdateMessage):
        try:
            records.change(asked)
        except ChangeRefusedError as refused:
            return refused.rcode
        return Rcode.NOERROR
    if asked.opcode() != dns.opcode.QUERY:
        return Rcode.NOTIMP
    if [one.rdclass for one in asked.question] != [IN]:
        return Rcode.REFUSED
    [question] = asked.question
    reply.flags |= dns.flags.AA
    rcode, reply.answer, reply.authority = records.answer(question.name, question.rdtype)
    return rcode


def _seen_from_there(known: RRset, loopback: str) -> RRset:
    if known.rdtype != A:
        return known
    texts = [loopback if text.startswith(LOOPBACK_NET) else text for text in map(str, known)]
    return dns.rrset.from_text_list(known.name, known.ttl, IN, A, texts)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, records: Records, loopback: str) -> None:
        self._records, self._loopback = records, loopback

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # In Python 3.11 it is no instance of it.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if reply := respond(self._records, data, LARGEST_UDP, self._loopback):
            self._transport.sendto(reply, addr)


async def serve(records: Records, port: int, address: str = HOST, *, loopback: str = HOST) -> None:
    """Answer on `port`, UDP and TCP, until cancelled; `loopback` as in `respond`."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            while True:
                async with asyncio.timeout(IDLE_SECONDS):
                    size = int.from_bytes(await reader.readexactly(2))
                    wire = await reader.readexactly(size)
                if reply := respond(records, wire, loopback=loopback):
                    writer.write(len(reply).to_bytes(2) + reply)
                    await writer.drain()
        writer.close()

    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(converse, address, port)
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Datagrams(records, loopback), local_addr=(address, port)
    )
    with contextlib.closing(transport):
        async with server:
            await server.serve_forever()


async def main() -> None:
    """Serve until told to stop."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--file", type=Path, required=True, help="where the records are kept")
    options.add_argument("--hosts", type=Path, required=True, help="a folder, as web.py's --files")
    chosen = options.parse_args()
    chosen.file.parent.mkdir(parents=True, exist_ok=True)
    records = Records(chosen.file, Hosts(chosen.hosts))
    serving = asyncio.ensure_future(serve(records, chosen.port))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


if __name__ == "__main__":
    asyncio.run(main())
