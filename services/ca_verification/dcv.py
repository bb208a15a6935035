"""Domain control validation by a change of DNS (BR 3.2.2.4.7).

Whoever can publish a random value under a domain controls it, with all names under it. It is
looked for from one place only: nothing is corroborated (BR 3.2.2.9), and CAA not asked (3.2.2.8).
"""

from dataclasses import dataclass
from typing import Literal

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.resolver
from dns.asyncresolver import Resolver
from dns.rdatatype import TXT

from shared.dnsnames import authorization_domain

LABEL = "_certfold-challenge"
MOST_ALIASES = 8  # CNAMEs that are followed


@dataclass(frozen=True, slots=True)
class Found:
    """The random value is where it has to be."""


@dataclass(frozen=True, slots=True)
class NotFound:
    """It is not, for this reason: for people to act on, and the same while nothing changes."""

    reason: str


def dns_challenge(name: str, token: str) -> tuple[str, Literal["TXT"], str]:
    """Return the record that proves control of `name`: its name, its type and its value.

    A wildcard's is published under its parent. Names are without a final dot.
    """
    return f"{LABEL}.{authorization_domain(name)}", "TXT", f"certfold-validation={token}"


async def check(
    resolver: Resolver, record_name: str, record_value: str, lifetime: float
) -> Found | NotFound:
    """Look for the value among the TXT records of a name, for at most `lifetime` seconds.

    Other records beside it do not matter, nor into how many strings it is cut (RFC 7208 §3.3).
    Every outcome of the DNS is an answer, none an exception; a failure is no permission.
    """
    try:
        # An absolute name, or the system's search list would be tried, too.
        asked = dns.name.from_text(record_name)
        answer = await resolver.resolve(asked, TXT, lifetime=lifetime)
    except dns.exception.DNSException as error:
        return NotFound(_reason(record_name, error))
    if len(answer.chaining_result.cnames) > MOST_ALIASES:
        return NotFound(_too_long(record_name))
    values = [b"".join(record.strings) for record in answer]
    if record_value.encode() in values:
        return Found()
    return NotFound(f"{record_name} has other values ({len(values)})")


def _reason(record_name: str, error: dns.exception.DNSException) -> str:
    match error:
        case dns.resolver.NXDOMAIN():
            return f"{record_name} does not exist (NXDOMAIN)"
        case dns.resolver.NoAnswer():
            return f"{record_name} has no TXT record"
        case dns.resolver.NoNameservers() if _is_chain_too_long(error):
            return _too_long(record_name)
        case dns.resolver.NoNameservers():
            return f"the name servers of {record_name} fail ({_failures(error)})"
        case dns.exception.Timeout():
            return f"no name server has answered about {record_name} in time"
        case _:  # what the DNS itself forbids, such as a name of more than 255 octets
            return f"{record_name} cannot be looked for: {error}"


def _too_long(record_name: str) -> str:
    return f"{record_name} leads through more than {MOST_ALIASES} aliases (CNAME)"


def _failures(error: dns.resolver.NoNameservers) -> str:
    """Tell what the servers answered, if they did; DNSSEC that is broken shows as SERVFAIL."""
    replies = [response for *_, response in error.kwargs["errors"] if response]
    codes = {dns.rcode.to_text(reply.rcode()) for reply in replies if reply.rcode()}
    return ", ".join(sorted(codes)) or "no usable reply"


def _is_chain_too_long(error: dns.resolver.NoNameservers) -> bool:
    faults = [fault for _, _, _, fault, _ in error.kwargs["errors"]]
    return any(isinstance(fault, dns.message.ChainTooLong) for fault in faults)
