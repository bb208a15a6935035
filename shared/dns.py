"""Which name server is asked."""

import asyncio
import socket
from typing import Any

from dns.asyncresolver import Resolver
from dns.inet import is_address
from dns.resolver import Answer


def resolver(address: str) -> Resolver:
    """Ask the name server at `address` ("host:port"), or those that the system asks if empty."""
    if not address:
        return Resolver()
    host, _, port = address.rpartition(":")
    found = Resolver(configure=False) if is_address(host) else NamedServer(host)
    if is_address(host):
        found.nameservers = [host]
    found.port = int(port)
    return found


class NamedServer(Resolver):
    """Asks the name server that has this name at the moment: a container's address may change."""

    def __init__(self, host: str) -> None:
        super().__init__(configure=False)
        self._host = host

    async def resolve(self, *args: Any, **kwargs: Any) -> Answer:
        """Resolve as ever; a server whose name is unknown is one that does not answer."""
        self.nameservers = await self._addresses()
        return await super().resolve(*args, **kwargs)

    async def _addresses(self) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(self._host, None, type=socket.SOCK_DGRAM)
        except OSError:
            return []
        return [str(address) for *_, (address, *_) in found]
