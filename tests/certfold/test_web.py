"""The sandbox's web servers, as browsers, validators and TLS clients see them."""

import asyncio
import datetime as dt
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from certfold.embedded import ports
from certfold.sandbox.web import ADDRESS, serve

HOST = "www.shop.example"
PROOF = "/.well-known/pki-validation/proof.txt"


@dataclass(frozen=True)
class Web:
    files: Path
    http: int
    tls: int

    def write(self, path: str, content: str) -> Path:
        file = self.files / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        return file

    async def get(self, path: str, host: str = HOST) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.get(f"http://{ADDRESS}:{self.http}{path}", headers={"Host": host})

    async def raw(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(ADDRESS, self.http)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        return answer

    def install(self, host: str = HOST, *, key_of_another: bool = False) -> bytes:
        """Put a certificate of its own where the host's is looked for; return it."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self_signed(host, key)
        if key_of_another:
            key = ec.generate_private_key(ec.SECP256R1())
        pem = serialization.Encoding.PEM
        plain = serialization.NoEncryption()
        text = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain).decode()
        self.write(f"tls/{host}/fullchain.pem", certificate.public_bytes(pem).decode())
        self.write(f"tls/{host}/privkey.pem", text)
        return certificate.public_bytes(serialization.Encoding.DER)

    async def shown(self, name: str | None, path: str = "/") -> tuple[bytes | None, bytes]:
        """Return the certificate that a handshake shows, and what `path` answers."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection(
            ADDRESS, self.tls, ssl=context, server_hostname=name or ""
        )
        found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return found, answer


def self_signed(host: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Web]:
    wished = {"http": ports.ANY, "tls": ports.ANY}
    with ports.reserved(folder / "ports.json", wished) as port:
        serving = asyncio.ensure_future(serve(folder, port["http"], port["tls"]))
        await asyncio.sleep(0.05)
        yield Web(folder, port["http"], port["tls"])
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Web]:
    async with running(tmp_path) as web:
        yield web


async def test_each_host_serves_its_own_files(web: Web) -> None:
    web.write(f"www/{HOST}{PROOF}", "mine")
    web.write(f"www/blog.example{PROOF}", "another's")
    web.write(f"www/{HOST}/index.html", "<p>welcome")

    assert (await web.get(PROOF)).text == "mine"
    assert (await web.get(PROOF, "WWW.Shop.Example.:8080")).text == "mine"
    assert (await web.get(PROOF + "?again", "blog.example")).text == "another's"
    home = await web.get("/")
    assert (home.text, home.headers["content-type"]) == ("<p>welcome", "text/html")


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/missing", HOST),
        ("/", HOST),
        (PROOF, "nobody.example"),
        ("/../secret", HOST),
        ("/%2e%2e/secret", HOST),
        ("/..%2fsecret", HOST),
        ("/link", HOST),
        ("//../secret", HOST),
        ("/%00", HOST),
        ("/" + "a" * 5000, HOST),
    ],
)
async def test_what_is_not_there_or_not_the_hosts_own_is_not_found(
    web: Web, path: str, host: str
) -> None:
    web.write(f"www/{HOST}/a/file", "")
    secret = web.write("www/secret", "secret")
    (web.files / "www" / HOST / "link").symlink_to(secret)

    answer = await web.raw(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")


@pytest.mark.parametrize(
    ("request_line", "host", "status"),
    [
        ("POST / HTTP/1.1", HOST, b"405"),
        ("GET /", HOST, b"400"),
        ("GET / HTTP/1.1", "..", b"400"),
        ("GET / HTTP/1.1", "a/../b", b"400"),
        ("GET / HTTP/1.1", "", b"400"),
        ("GET / HTTP/1.1", HOST + "\r\nX: " + "x" * 70_000, b"431"),
    ],
)
async def test_rubbish_is_answered_with_its_status(
    web: Web, request_line: str, host: str, status: bytes
) -> None:
    answer = await web.raw(f"{request_line}\r\nHost: {host}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 " + status)


async def test_head_tells_the_size_and_no_more(web: Web) -> None:
    web.write(f"www/{HOST}/file", "12345")
    answer = await web.raw(f"HEAD /file HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    assert b"Content-Length: 5\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_each_host_shows_its_own_certificate_and_serves_its_files(web: Web) -> None:
    mine, others = web.install(), web.install("blog.example")
    web.write(f"www/{HOST}/file", "over TLS")

    shown, answer = await web.shown(HOST, "/file")

    assert (shown, answer.endswith(b"\r\n\r\nover TLS")) == (mine, True)
    assert (await web.shown("BLOG.example"))[0] == others


async def test_new_certificate_is_shown_as_soon_as_it_lies_there(web: Web) -> None:
    first = web.install()
    before, _ = await web.shown(HOST)
    second = web.install()
    after, _ = await web.shown(HOST)
    assert (before, after) == (first, second)


async def test_certificate_without_its_key_leaves_the_former_one_in_place(web: Web) -> None:
    first = web.install()
    await web.shown(HOST)
    web.install(key_of_another=True)
    assert (await web.shown(HOST))[0] == first
    second = web.install()
    assert (await web.shown(HOST))[0] == second


async def test_host_without_certificate_ends_the_handshake(web: Web) -> None:
    web.install()
    web.install("broken.example", key_of_another=True)
    web.install("gone.example")
    await web.shown("gone.example")
    (web.files / "tls" / "gone.example" / "fullchain.pem").unlink()
    for name in ("nobody.example", "broken.example", "gone.example"):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await web.shown(name)


async def test_client_that_says_nothing_does_not_hold_up_the_others(web: Web) -> None:
    web.write(f"www/{HOST}/file", "here")
    with socket.create_connection((ADDRESS, web.http)):
        assert (await web.get("/file")).text == "here"
    assert os.listdir(web.files / "www") == [HOST]  # noqa: PTH208
