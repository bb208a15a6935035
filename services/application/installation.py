"""Which certificate a host serves, seen by a real TLS handshake.

Applicants choose the names, so what is connected to is chosen by others: hosts of the public
internet only, and the very address that was judged, whatever the DNS says a moment later.
"""

import asyncio
import hashlib
import ipaddress
import os
import ssl
from dataclasses import dataclass
from typing import Literal

import dns.name
from dns.asyncresolver import Resolver
from dns.exception import DNSException
from dns.rdatatype import AAAA, A, RdataType
from dns.resolver import NXDOMAIN, NoAnswer

from shared.dnsnames import WILDCARD, Address, is_address, is_public

PROBE = "certfold-check."
MOST_ADDRESSES = 4  # that are tried one after another


@dataclass(frozen=True, slots=True)
class Seen:
    """What was served; the fingerprint is SHA-256 over the leaf's DER, hex.

    `reason` says why nothing was served, for people, and is the same while nothing changes.
    """

    state: Literal["serving", "serving_other", "unreachable"]
    sha256_fingerprint: str | None = None
    reason: str | None = None


class _UnreachableError(Exception):
    """There is no handshake to be had, for the reason in its text."""


def host_of(name: str) -> str:
    """Return the host that is looked at for a name in a certificate.

    A wildcard names no host, and its parent need not serve it, so the host `certfold-check` under
    the parent stands for all: it is reached where the wildcard is in the DNS too, as it mostly is.
    """
    return PROBE + name.removeprefix(WILDCARD) if name.startswith(WILDCARD) else name


async def look(
    name: str,
    port: int,
    resolver: Resolver,
    sha256_fingerprint: str,
    *,
    allow_private: bool,
    timeout: float,  # noqa: ASYNC109 - every step has a share of it
) -> Seen:
    """Shake hands with the host of `name`, for at most `timeout` seconds, and compare its leaf.

    Whether the certificate is trusted, valid or the name's does not matter here. Addresses that
    are not of the public internet are refused unless `allow_private`; several are tried in turn.
    Every failure is an outcome, none an exception.
    """
    host = host_of(name)
    try:
        addresses = await _addresses(host, resolver, timeout / 2)
        allowed = _allowed(addresses, allow_private=allow_private)
        found = await _first_leaf(allowed, port, host, timeout / 2)
    except _UnreachableError as unreachable:
        return Seen("unreachable", reason=str(unreachable))
    return Seen("serving" if found == sha256_fingerprint else "serving_other", found)


async def _addresses(host: str, resolver: Resolver, lifetime: float) -> list[Address]:
    if is_address(host):
        return [ipaddress.ip_address(host)]
    kinds = (A, AAAA)
    outcomes = await asyncio.gather(*(_resolve(host, kind, resolver, lifetime) for kind in kinds))
    if addresses := [one for some in outcomes if isinstance(some, list) for one in some]:
        return addresses
    if any(isinstance(outcome, NXDOMAIN) for outcome in outcomes):
        raise _UnreachableError(f"{host} does not exist (NXDOMAIN)")
    if all(isinstance(outcome, NoAnswer) for outcome in outcomes):
        raise _UnreachableError(f"{host} has no address")
    raise _UnreachableError(f"the name servers of {host} fail")


async def _resolve(
    host: str, kind: RdataType, resolver: Resolver, lifetime: float
) -> list[Address] | DNSException:
    """Ask for an absolute name: the system's search list is not for names of applicants."""
    try:
        answer = await resolver.resolve(dns.name.from_text(host), kind, lifetime=lifetime)
    except DNSException as error:
        return error
    return [ipaddress.ip_address(record.address) for record in answer]


def _allowed(addresses: list[Address], *, allow_private: bool) -> list[Address]:
    allowed = [one for one in addresses if allow_private or is_public(one)]
    if not allowed:
        raise _UnreachableError(f"{addresses[0]} is not an address of the public internet")
    return allowed[:MOST_ADDRESSES]


async def _first_leaf(addresses: list[Address], port: int, host: str, seconds: float) -> str:
    """Return the fingerprint that the first address serves from which one comes."""
    reasons = []
    for address in addresses:
        try:
            async with asyncio.timeout(seconds / len(addresses)):
                return await _leaf(address, port, host)
        except ssl.SSLError as error:
            said = (error.reason or "protocol error").lower().replace("_", " ")
            reasons.append(f"the TLS handshake with {address} port {port} fails: {said}")
        except TimeoutError:
            reasons.append(f"{address} port {port} did not answer in time")
        except OSError as error:
            said = os.strerror(error.errno).lower() if error.errno else "connection lost"
            reasons.append(f"{address} port {port}: {said}")
    raise _UnreachableError(reasons[0])


async def _leaf(address: Address, port: int, host: str) -> str:
    _, writer = await asyncio.open_connection(
        str(address), port, ssl=_context(), server_hostname=host
    )
    try:
        tls = writer.get_extra_info("ssl_object")
        return hashlib.sha256(tls.getpeercert(binary_form=True)).hexdigest()
    finally:
        # Nothing was asked, so nothing is waited for.
        writer.transport.abort()


def _context() -> ssl.SSLContext:
    """Trust everybody: what is looked for is known to the last byte, and nothing is said."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
