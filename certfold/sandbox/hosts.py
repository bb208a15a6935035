"""Which hosts the sandbox has: one for each folder in `www` and in `tls`."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

import dns.exception
import dns.name
from dns.name import Name

WWW = "www"
TLS = "tls"


class Hosts:
    """The names of the folders, looked at whenever asked: who makes one has made a host."""

    def __init__(self, files: Path) -> None:
        self._folders = (files / WWW, files / TLS)
        self._found: set[str] = set()
        self._names: frozenset[Name] = frozenset()

    def __call__(self) -> Collection[Name]:
        """Return every host there is at this moment."""
        found = {name for folder in self._folders for name in _folders_in(folder)}
        if found != self._found:
            self._found = found
            self._names = frozenset(map(_name, found)) - {dns.name.root}
        return self._names


def _folders_in(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (it.name for it in entries if it.is_dir() and it.name[0] not in ".*")
    except FileNotFoundError:
        return


def _name(folder: str) -> Name:
    """Return the host that a folder is named after, or the root where it is no host's name."""
    try:
        return dns.name.from_text(folder.lower())
    except dns.exception.DNSException:
        return dns.name.root
