"""What every certificate points to, given out to everybody (BR 7.1.2.7.7, 7.1.2.11.2)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import FastAPI
from fastapi.responses import Response

from services.ca_verification import policy, store
from services.ca_verification.ca.authority import Revoked
from services.ca_verification.domain import things
from shared.api import PROBLEMS
from shared.clock import utc_now
from shared.contracts.application import RevocationReason
from shared.problems import not_found
from shared.service import Parts

Name = Literal["root.pem", "root.cer", "root.crl", "issuing.cer", "issuing.crl"]
KEEP = timedelta(seconds=60)

REASONS: dict[RevocationReason, x509.ReasonFlags] = {
    "unspecified": x509.ReasonFlags.unspecified,
    "key_compromise": x509.ReasonFlags.key_compromise,
    "affiliation_changed": x509.ReasonFlags.affiliation_changed,
    "superseded": x509.ReasonFlags.superseded,
    "cessation_of_operation": x509.ReasonFlags.cessation_of_operation,
    "privilege_withdrawn": x509.ReasonFlags.privilege_withdrawn,
}
MEDIA_TYPES: dict[Name, str] = {  # RFC 5280 §4.2.1.13, RFC 2585 §4
    "root.pem": "application/x-pem-file",
    "root.cer": "application/pkix-cert",
    "root.crl": "application/pkix-crl",
    "issuing.cer": "application/pkix-cert",
    "issuing.crl": "application/pkix-crl",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A list (DER) that was signed: when, and after how many revocations."""

    der: bytes
    at: datetime
    revocations: int


class RevokedList:
    """The list of what is revoked: signed anew after each revocation, and when it is `KEEP` old.

    Anybody may ask for it, as often as they like; a signature is not to be had for nothing. One
    is made at a time, in a thread, and while no transaction is open: a list may be long.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts, self._turn = parts, asyncio.Lock()
        self._kept: Kept | None = None

    async def current(self) -> bytes:
        """Return the list (DER), which knows of every revocation that was recorded."""
        async with self._turn:
            now, kept = self._parts.clock(), self._kept
            async with self._parts.postgres.transaction() as tx:
                revocations = await store.count_revoked(tx)
                if kept and kept.revocations == revocations and now - kept.at < KEEP:
                    return kept.der
                # On one more list than they live (RFC 5280 §3.3).
                found = await store.list_revoked(tx, now - policy.at(now.date()).crl_life)
            der = await asyncio.to_thread(self._sign, found, now)
            self._kept = Kept(der, now, revocations)
            return der

    def _sign(self, found: Sequence[things.Revoked], now: datetime) -> bytes:
        revoked = [Revoked(one.serial_number, one.revoked_at, REASONS[one.reason]) for one in found]
        signed: bytes = self._parts.world.authority.crl(revoked, min(now, utc_now()))
        return signed


def publish(app: FastAPI, parts: Parts) -> None:
    """Serve them; whoever asks may keep the answer as long as the list is kept here."""
    revoked = RevokedList(parts)

    @app.head("/pki/{name}", include_in_schema=False)
    @app.get("/pki/{name}", tags=["pki"], responses=PROBLEMS, response_class=Response)
    async def pki(name: Name) -> Response:
        """Give out the certificates of the root and the issuing CA, and what each has revoked."""
        authority = parts.world.authority
        match name:
            case "root.pem":
                content = authority.root_pem.encode()
            case "root.cer":
                content = authority.root.public_bytes(Encoding.DER)
            case "root.crl":
                if authority.root_list is None:
                    raise not_found("list", name)
                content = authority.root_list.public_bytes(Encoding.DER)
            case "issuing.cer":
                content = authority.issuing_der
            case "issuing.crl":
                content = await revoked.current()
        headers = {"cache-control": f"public, max-age={int(KEEP.total_seconds())}"}
        return Response(content, media_type=MEDIA_TYPES[name], headers=headers)
