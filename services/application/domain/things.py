"""What the application service knows of: applications, keys, certificates and who serves them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from shared.contracts.application import (
    CertificateKind,
    Contact,
    KeyAlgorithm,
    Organisation,
    RevocationReason,
    ValidationMethod,
)
from shared.contracts.base import Objection
from shared.contracts.ca_verification import NameProgress, Waiting
from shared.contracts.inventory import InstanceStatus
from shared.contracts.purchases import CertificateType

HostState = Literal["serving", "serving_other", "unreachable"]


@dataclass(frozen=True, slots=True)
class Form:
    """What the applicant has filled in, already judged. `csr_pem` is None where we make it."""

    names: tuple[str, ...]
    kind: CertificateKind
    organisation: Organisation
    contact: Contact
    key_algorithm: KeyAlgorithm
    validation_method: ValidationMethod
    csr_pem: str | None
    spki_sha256: str | None = None  # of a pasted request's key


@dataclass(frozen=True, slots=True)
class Requested:
    """The inventory has been asked for the instance."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was sent to the CA."""

    objections: tuple[Objection, ...]


@dataclass(frozen=True, slots=True)
class Claimed:
    """The instance is ours; a key is being made."""

    brand: str
    certificate_type: CertificateType


@dataclass(frozen=True, slots=True)
class Submitted:
    """The CA has it. The rest is what the CA has said about it so far."""

    submitted_at: datetime
    expected_by: datetime | None = None
    overdue: bool = False
    waiting_on: tuple[Waiting, ...] = ()
    names: tuple[NameProgress, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The CA has said no; the instance can be applied for again."""

    objections: tuple[Objection, ...]
    support_contact: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The applicant has taken it back."""


@dataclass(frozen=True, slots=True)
class Issued:
    """There is a certificate."""

    certificate_id: UUID


Stage = Requested | Refused | Claimed | Submitted | Failed | Withdrawn | Issued


class Application(Struct, frozen=True):
    """One account's application for one certificate."""

    id: UUID
    account_id: str
    instance_id: UUID
    form: Form
    stage: Stage = Requested()
    instance_status: InstanceStatus | None = None  # as the inventory shows the instance by now
    withdrawal_objections: tuple[Objection, ...] = ()  # to the last wish to withdraw
    drop_objections: tuple[Objection, ...] = ()  # to the last wish to drop a name
    version: int = 0

    @property
    def dropped(self) -> tuple[str, ...]:
        """The names that the CA goes on without."""
        seen = self.stage.names if isinstance(self.stage, Submitted) else ()
        return tuple(one.name for one in seen if one.state == "dropped")


class Key(Struct, frozen=True):
    """A private key that we have made, encrypted; named after its application."""

    id: UUID
    encrypted: bytes
    version: int = 0


class UsedKey(Struct, frozen=True):
    """A key that somebody else has made, and the instances that were applied for with it."""

    spki_sha256: str
    instances: frozenset[UUID] = frozenset()
    version: int = 0

    @property
    def id(self) -> UUID:
        """Name it after what it is."""
        return used_key_id(self.spki_sha256)


def used_key_id(spki_sha256: str) -> UUID:
    """Name the key of that fingerprint by half of it, as the migration does."""
    return UUID(spki_sha256[:32])


@dataclass(frozen=True, slots=True)
class Host:
    """What was seen of one name: whether it serves the certificate."""

    name: str
    state: HostState | None = None
    sha256_fingerprint: str | None = None
    reason: str | None = None
    seen_at: datetime | None = None
    looks: int = 0
    asked_at: datetime | None = None  # when somebody wanted to know, if that look has no outcome


@dataclass(frozen=True, slots=True)
class Revocation:
    """The certificate is not to be trusted any more."""

    reason: RevocationReason
    revoked_at: datetime


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate for download, and where it is installed."""

    id: UUID
    application_id: UUID
    account_id: str
    instance_id: UUID
    brand: str
    certificate_type: CertificateType
    names: tuple[str, ...]
    serial_number: str
    not_before: datetime
    not_after: datetime
    sha256_fingerprint: str
    certificate_pem: str
    chain_pem: str
    root_pem: str
    replaces_certificate_id: UUID | None
    hosts: tuple[Host, ...]
    revocation: Revocation | None = None
    revocation_objections: tuple[Objection, ...] = ()  # to the last wish to revoke
    version: int = 0
