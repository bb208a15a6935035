"""Which certificate a host serves, seen by a real TLS handshake."""

import asyncio
import hashlib
import ipaddress
import ssl
from dataclasses import dataclass
from typing import Literal

import dns.exception
from dns.asyncresolver import Resolver


@dataclass(frozen=True, slots=True)
class Seen:
    """What was served; the fingerprint is SHA-256 over the DER, hex."""

    state: Literal["serving", "serving_other", "unreachable"]
    sha256_fingerprint: str | None = None
    reason: str | None = None


async def look(
    name: str,
    port: int,
    resolver: Resolver,
    expected: str,
    *,
    allow_private: bool,
    timeout: float,
) -> Seen:
    """Shake hands with the host."""
    host = name.replace("*.", "certfold-check.", 1)
    try:
        async with asyncio.timeout(timeout):
            answer = await resolver.resolve(host, "A", lifetime=timeout)
            address = str(next(iter(answer)))
            if not allow_private and not ipaddress.ip_address(address).is_global:
                return Seen("unreachable", reason=f"{address} is not a public address")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            _, writer = await asyncio.open_connection(
                address, port, ssl=context, server_hostname=host
            )
            der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.close()
    except (OSError, TimeoutError, dns.exception.DNSException) as error:
        return Seen("unreachable", reason=str(error) or type(error).__name__)
    found = hashlib.sha256(der).hexdigest()
    return Seen("serving" if found == expected else "serving_other", found)
