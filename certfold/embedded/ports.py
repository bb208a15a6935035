"""Ports on loopback: the usual ones when they are free, and the same ones the next time."""

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from certfold.embedded import keep

HOST = "127.0.0.1"
ANY = 0
# Below those that the operating system gives to whoever connects (Linux from 32768, IANA from
# 49152): one of them may be taken between our look and the server's bind, or while it restarts.
SPARE = range(20_000, 32_000)


@contextmanager
def reserved(
    record: Path, usual: Mapping[str, int], wished: Mapping[str, int] | None = None
) -> Iterator[dict[str, int]]:
    """Choose a free port for each name, TCP and UDP, and remember the choice at `record`.

    The first choice is the one that is `wished`, then the remembered one, then the `usual` one.

    As long as the context lasts, no other program that chooses its ports here gets the same
    ones: between our look and the server's bind, two starting at once would see the same.
    """
    first = {**usual, **keep.read(record, {}), **(wished or {})}
    with ExitStack() as held:
        chosen = {name: _choose(held, first[name]) for name in usual}
        keep.write(record, chosen)
        yield chosen


def _choose(held: ExitStack, wish: int) -> int:
    port = wish or random.choice(SPARE)
    while not (_is_free(port) and _hold(held, port)):
        port = random.choice(SPARE)
    return port


def _is_free(port: int) -> bool:
    """Say whether a server could listen there now."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                # As servers do: connections that linger in TIME_WAIT are no obstacle.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                return False
    return True


def _hold(held: ExitStack, port: int) -> bool:
    folder = Path(tempfile.gettempdir(), f"certfold-{os.geteuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    file = (folder / f"{port}.port").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    held.enter_context(file)
    return True
