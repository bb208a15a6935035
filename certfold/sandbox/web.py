"""The web servers of every host of the sandbox, on loopback, for trying.

    python -m certfold.sandbox.web --files .data/sandbox --http-port 8080 --tls-port 8443

`www/<host>/…` is what a host serves over HTTP, and over TLS too; it has TLS when there are
`tls/<host>/{fullchain,privkey}.pem`, which are read anew whenever they change.
"""

import argparse
import asyncio
import contextlib
import logging
import mimetypes
import signal
import ssl
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote

from certfold.sandbox.hosts import TLS, WWW

ADDRESS = "127.0.0.1"
INDEX = "index.html"
LONGEST_HEAD = 16 << 10
PATIENCE_SECONDS = 10.0
CHAIN, KEY = "fullchain.pem", "privkey.pem"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request gets."""

    status: HTTPStatus
    body: bytes
    kind: str = "text/plain; charset=utf-8"

    def wire(self, *, with_body: bool = True) -> bytes:
        """Return the bytes of HTTP/1.1 (RFC 9112), on a connection that ends with them."""
        head = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n"
            f"Content-Type: {self.kind}\r\nContent-Length: {len(self.body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        return head.encode() + (self.body if with_body else b"")


@dataclass(frozen=True, slots=True)
class Sites:
    """What each host serves: the files below `folder/<host>/`, and nothing beside them."""

    folder: Path

    def answer(self, head: str) -> bytes:
        """Answer one request, given its request line and headers."""
        first, *lines = head.split("\r\n")
        headers = dict(_header(line) for line in lines)
        match first.split(" "):
            case ["GET" | "HEAD" as method, target, "HTTP/1.1" | "HTTP/1.0"]:
                path = unquote(target.partition("?")[0])
                found = self.find(headers.get("host", ""), path)
                return found.wire(with_body=method == "GET")
            case [_, _, "HTTP/1.1" | "HTTP/1.0"]:
                return _plain(HTTPStatus.METHOD_NOT_ALLOWED).wire()
            case _:
                return _plain(HTTPStatus.BAD_REQUEST).wire()

    def find(self, host: str, target: str) -> Answer:
        """Look for the file at the path `target`; a folder answers with its index."""
        name = host_name(host)
        if name is None:
            return _plain(HTTPStatus.BAD_REQUEST)
        site = (self.folder / name).resolve()
        try:
            path = (site / target.lstrip("/")).resolve()
            path = path / INDEX if path.is_dir() else path
            # After resolving: neither dots nor links lead out of the host's own folder.
            if path.is_relative_to(site) and path.is_file():
                kind, _ = mimetypes.guess_type(path)
                return Answer(HTTPStatus.OK, path.read_bytes(), kind or "text/plain; charset=utf-8")
        except (OSError, ValueError):  # a name too long, or with a NUL
            log.debug("no file for %s %s", host, target)
        return _plain(HTTPStatus.NOT_FOUND)


@dataclass(slots=True)
class _Loaded:
    stamp: tuple[tuple[int, ...], ...]
    context: ssl.SSLContext


class Certificates:
    """The certificate of each host, as it lies there at the moment of a handshake."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: dict[str, _Loaded] = {}

    def server_context(self) -> ssl.SSLContext:
        """Return a context that has no certificate itself: the name that is asked for chooses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sni_callback = self._choose
        return context

    def _choose(
        self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext
    ) -> int | None:
        context = self.find(name or "")
        if context is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = context
        return None

    def find(self, host: str) -> ssl.SSLContext | None:
        """Return what `host` serves; while its files do not fit together, what it served before."""
        name = host_name(host)
        if name is None:
            return None
        chain, key = self._folder / name / CHAIN, self._folder / name / KEY
        known = self._loaded.get(name)
        try:
            stamp = (_stamp(chain), _stamp(key))
            if known is None or known.stamp != stamp:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(chain, key)
                known = self._loaded[name] = _Loaded(stamp, context)
        except FileNotFoundError:
            self._loaded.pop(name, None)
            return None
        except (OSError, ssl.SSLError) as error:
            log.warning("%s: chain and key cannot be used: %s", name, error)
        return known.context if known else None


def _stamp(file: Path) -> tuple[int, ...]:
    found = file.stat()
    return found.st_mtime_ns, found.st_ino, found.st_size


def host_name(host: str) -> str | None:
    """Return a host's name without port and final dot, in lower case; None if it is no name."""
    name = host.partition(":")[0].rstrip(".").lower()
    usual = name and all(one.isascii() and (one.isalnum() or one in "-_.") for one in name)
    return name if usual and not name.startswith(".") and ".." not in name else None


def _plain(status: HTTPStatus) -> Answer:
    return Answer(status, f"{status.value} {status.phrase}\n".encode())


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


async def converse(
    sites: Sites, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer one request and hang up."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(sites.answer(head.decode("latin-1").removesuffix("\r\n\r\n")))
            await writer.drain()
    except asyncio.LimitOverrunError:
        writer.write(_plain(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE).wire())
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        log.debug("a client went away")
    finally:
        writer.close()


async def serve(files: Path, http_port: int, tls_port: int, address: str = ADDRESS) -> None:
    """Answer on both ports until cancelled."""
    for folder in (files / WWW, files / TLS):
        folder.mkdir(parents=True, exist_ok=True)
    talk = partial(converse, Sites(files / WWW))
    context = Certificates(files / TLS).server_context()
    plain = await asyncio.start_server(talk, address, http_port, limit=LONGEST_HEAD)
    secure = await asyncio.start_server(talk, address, tls_port, limit=LONGEST_HEAD, ssl=context)
    async with plain, secure:
        await asyncio.gather(plain.serve_forever(), secure.serve_forever())


async def main() -> None:
    """Serve until told to stop."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--files", type=Path, required=True, help="holds www/ and tls/")
    options.add_argument("--http-port", type=int, required=True)
    options.add_argument("--tls-port", type=int, required=True)
    chosen = options.parse_args()
    serving = asyncio.ensure_future(serve(chosen.files, chosen.http_port, chosen.tls_port))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main())
