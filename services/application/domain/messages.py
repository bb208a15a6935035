"""What the application service is asked, and what it has to do in the world."""

from datetime import datetime
from functools import lru_cache
from typing import ClassVar
from uuid import NAMESPACE_URL, UUID, uuid5

from services.application.domain.things import Form, HostState
from shared.contracts.application import KeyAlgorithm, RevocationReason
from shared.contracts.base import Command, Errand, Names, Objection

NAMED = 1 << 12  # names of things that need not be made again


class RequestApplication(Command):
    """An account wants to use an instance; `objections` were found in the form."""

    application_id: UUID
    account_id: str
    instance_id: UUID
    form: Form
    counts: Names
    primary_domains: tuple[str, ...] = ()
    objections: tuple[Objection, ...] = ()


class RequestWithdrawal(Command):
    """The applicant wants the application back."""

    application_id: UUID
    account_id: str
    requested_by: str


class RequestNameDrop(Command):
    """The applicant wants to go on without one name."""

    application_id: UUID
    account_id: str
    requested_by: str
    name: str


class RequestRevocation(Command):
    """The applicant, or the CA, wants a certificate not to be trusted any more."""

    certificate_id: UUID
    account_id: str
    requested_by: str
    by_ca: bool = False
    reason: RevocationReason


class MakeKey(Errand):
    """Make a key and a request for a certificate; the key leaves this service never."""

    about: ClassVar[str] = "application_id"

    application_id: UUID
    key_algorithm: KeyAlgorithm
    names: tuple[str, ...]


class KeyMade(Command):
    """There is a key, encrypted already, and a request signed by it."""

    application_id: UUID
    csr_pem: str
    encrypted_key: bytes


class LookAtHost(Errand):
    """See by a TLS handshake which certificate a name serves."""

    about: ClassVar[str] = "certificate_id"

    certificate_id: UUID
    name: str
    sha256_fingerprint: str

    @property
    def thing(self) -> UUID:
        """Each name is looked at by itself."""
        return look_id(self.certificate_id, self.name)


class LookAtHosts(Command):
    """Somebody wants to know now."""

    certificate_id: UUID


class HostSeen(Command):
    """A name was looked at."""

    certificate_id: UUID
    name: str
    state: HostState
    sha256_fingerprint: str | None
    reason: str | None
    seen_at: datetime


@lru_cache(NAMED)
def look_id(certificate_id: UUID, name: str) -> UUID:
    """Name the looking at one host."""
    return uuid5(NAMESPACE_URL, f"{certificate_id}/{name}")
