"""Which name server is asked."""

from dns.asyncresolver import Resolver


def resolver(address: str) -> Resolver:
    """Ask the name server at `address` ("host:port"), or those that the system asks if empty."""
    if not address:
        return Resolver()
    host, _, port = address.rpartition(":")
    found = Resolver(configure=False)
    found.nameservers, found.port = [host], int(port)
    return found
