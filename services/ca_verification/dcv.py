"""Domain control validation by a change of DNS (BR 3.2.2.4.7)."""

from dataclasses import dataclass
from typing import Literal

import dns.exception
from dns.asyncresolver import Resolver
from dns.resolver import NXDOMAIN, NoAnswer, NoNameservers

from shared.dnsnames import authorization_domain

LABEL = "_certfold-challenge"


@dataclass(frozen=True, slots=True)
class Found:
    """The random value is where it has to be."""


@dataclass(frozen=True, slots=True)
class NotFound:
    """It is not, for this reason, which people can act on."""

    reason: str


def dns_challenge(name: str, token: str) -> tuple[str, Literal["TXT"], str]:
    """Return what to publish: the record's name, its type and its value."""
    return f"{LABEL}.{authorization_domain(name)}", "TXT", f"certfold-validation={token}"


async def check(
    resolver: Resolver, record_name: str, record_value: str, lifetime: float
) -> Found | NotFound:
    """Look for the value; every answer of the DNS is an outcome, none an exception."""
    try:
        answer = await resolver.resolve(record_name, "TXT", lifetime=lifetime)
    except NXDOMAIN:
        return NotFound(f"{record_name} does not exist")
    except NoAnswer:
        return NotFound(f"{record_name} has no TXT record")
    except NoNameservers:
        return NotFound(f"the name servers of {record_name} fail (SERVFAIL)")
    except dns.exception.Timeout:
        return NotFound(f"no answer about {record_name} within {lifetime:.0f} s")
    except dns.exception.DNSException as error:
        return NotFound(f"{record_name}: {error}")
    values = [b"".join(record.strings).decode(errors="replace") for record in answer]
    if record_value in values:
        return Found()
    return NotFound(f"{record_name} has other values ({len(values)})")
