import asyncio
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from dns import rcode

from services.application.installation import Seen, host_of, look
from tests.shared.nameserver import SILENT, Answer, serving

HOST = "www.acme.com"
LOOPBACK = {(HOST, "A"): [f"{HOST} A 127.0.0.1"]}
OTHER = "00" * 32


class Server:
    """A TLS server with a certificate of its own; `asked` are the names clients wanted."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "expired and nobody's")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=1))
            .sign(key, hashes.SHA256())
        )
        pem = certificate.public_bytes(Encoding.PEM) + key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        (folder / "server.pem").write_bytes(pem)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "server.pem")
        self.context.sni_callback = lambda _, name, __: self.asked.append(name)
        self.fingerprint = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
        self.asked: list[str | None] = []
        self.port = 0

    @asynccontextmanager
    async def running(self, host: str = "127.0.0.1") -> AsyncIterator["Server"]:
        async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server = await asyncio.start_server(greet, host, 0, ssl=self.context)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


async def seen(
    port: int,
    answers: dict[tuple[str, str], Answer],
    *,
    name: str = HOST,
    expected: str = OTHER,
    allow_private: bool = True,
    seconds: float = 2,
) -> Seen:
    async with serving(answers) as resolver:
        return await look(
            name, port, resolver, expected, allow_private=allow_private, timeout=seconds
        )


async def test_a_host_is_seen_to_serve_the_certificate_whatever_it_is_worth(server: Server) -> None:
    async with server.running():
        outcome = await seen(server.port, LOOPBACK, expected=server.fingerprint)

    assert outcome == Seen("serving", server.fingerprint)
    assert server.asked == [HOST]


async def test_a_host_is_seen_to_serve_another_certificate(server: Server) -> None:
    async with server.running():
        outcome = await seen(server.port, LOOPBACK)

    assert outcome == Seen("serving_other", server.fingerprint)


async def test_a_wildcard_is_looked_at_by_a_host_under_its_parent(server: Server) -> None:
    probe = "certfold-check.acme.com"
    answers: dict[tuple[str, str], Answer] = {(probe, "A"): [f"{probe} A 127.0.0.1"]}
    async with server.running():
        outcome = await seen(server.port, answers, name="*.acme.com", expected=server.fingerprint)

    assert outcome == Seen("serving", server.fingerprint)
    assert server.asked == [probe]
    assert host_of("acme.com") == "acme.com"


async def test_an_address_is_looked_at_without_asking_the_dns(server: Server) -> None:
    async with server.running():
        outcome = await seen(server.port, {}, name="127.0.0.1", expected=server.fingerprint)

    assert outcome == Seen("serving", server.fingerprint)
    assert server.asked == [None]


async def test_another_address_is_tried_when_the_first_is_dead(server: Server) -> None:
    answers: dict[tuple[str, str], Answer] = {
        (HOST, "A"): [f"{HOST} A 127.0.0.2"],
        (HOST, "AAAA"): [f"{HOST} AAAA ::ffff:127.0.0.1"],
    }
    async with server.running():
        outcome = await seen(server.port, answers, expected=server.fingerprint)

    assert outcome == Seen("serving", server.fingerprint)


async def test_one_half_of_the_dns_is_enough(server: Server) -> None:
    async with server.running():
        outcome = await seen(
            server.port, LOOPBACK | {(HOST, "AAAA"): rcode.SERVFAIL}, expected=server.fingerprint
        )

    assert outcome == Seen("serving", server.fingerprint)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "::1", "::ffff:127.0.0.1", "fd00::1"],  # noqa: S104 - which is refused
)
async def test_only_hosts_of_the_public_internet_are_connected_to(
    server: Server, address: str
) -> None:
    kind = "A" if ip_address(address).version == 4 else "AAAA"
    async with server.running():
        outcome = await seen(
            server.port, {(HOST, kind): [f"{HOST} {kind} {address}"]}, allow_private=False
        )

    assert outcome == Seen(
        "unreachable", reason=f"{ip_address(address)} is not an address of the public internet"
    )
    assert server.asked == []


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({}, f"{HOST} does not exist (NXDOMAIN)"),
        ({(HOST, "TXT"): []}, f"{HOST} has no address"),
        (
            {(HOST, "A"): rcode.SERVFAIL, (HOST, "AAAA"): rcode.SERVFAIL},
            f"the name servers of {HOST} fail",
        ),
    ],
)
async def test_what_the_dns_lacks_is_told(
    answers: dict[tuple[str, str], Answer], reason: str
) -> None:
    assert await seen(443, answers) == Seen("unreachable", reason=reason)


async def test_a_silent_name_server_is_told_in_time() -> None:
    answers: dict[tuple[str, str], Answer] = {(HOST, "A"): SILENT, (HOST, "AAAA"): SILENT}

    outcome = await seen(443, answers, seconds=0.4)

    assert outcome == Seen("unreachable", reason=f"the name servers of {HOST} fail")


async def test_a_closed_port_is_told() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

        outcome = await seen(port, LOOPBACK)

    assert outcome == Seen("unreachable", reason=f"127.0.0.1 port {port}: connection refused")


async def test_a_host_that_speaks_no_tls_is_told() -> None:
    async def shout(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(shout, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        outcome = await seen(port, LOOPBACK)

    assert outcome == Seen(
        "unreachable",
        reason=f"the TLS handshake with 127.0.0.1 port {port} fails: wrong version number",
    )


async def test_a_host_that_says_nothing_is_told_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]

        outcome = await seen(port, LOOPBACK, seconds=0.4)

    assert outcome == Seen("unreachable", reason=f"127.0.0.1 port {port} did not answer in time")


async def test_a_host_that_hangs_up_is_told() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        outcome = await seen(port, LOOPBACK)

    assert outcome.state == "unreachable"
    assert outcome.reason
