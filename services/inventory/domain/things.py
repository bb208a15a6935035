"""What the inventory knows of: accounts, purchases, instances, and the stages of these."""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import NAMESPACE_URL, UUID, uuid5

from msgspec import Struct

from shared.contracts.base import Names
from shared.contracts.inventory import InstanceStatus
from shared.contracts.purchases import CertificateType, Price, PurchaseCompleted


class Account(Struct, frozen=True):
    """What an account has chosen about its instances."""

    id: UUID
    account_id: str
    auto_create: bool = False
    version: int = 0


def account_key(account_id: str) -> UUID:
    """Name an account; its own id is text that somebody else has chosen."""
    return uuid5(NAMESPACE_URL, f"account#{account_id}")


class Purchase(Struct, frozen=True):
    """What an account has paid for, and how much of it has become instances or was refunded."""

    id: UUID
    content: PurchaseCompleted
    created: int = 0
    refunded: int = 0
    heard: tuple[UUID, ...] = ()  # which refunds of the shop's own are counted among these
    version: int = 0

    @property
    def remaining(self) -> int:
        """How many instances may still be made of it."""
        return self.content.quantity - self.created - self.refunded


@dataclass(frozen=True, slots=True)
class PendingApplication:
    """Nothing has been sent to the CA, or all of it was withdrawn."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """Held for one combination; the rest is how it was before."""

    combination_id: UUID
    failed: UUID | None = None


@dataclass(frozen=True, slots=True)
class Combined:
    """Gone into another instance, for good."""

    combination_id: UUID
    into: UUID


@dataclass(frozen=True, slots=True)
class Claimed:
    """Held for one application; `under_review` when only the CA has still to act."""

    application_id: UUID
    under_review: bool = False


@dataclass(frozen=True, slots=True)
class ValidationFailed:
    """The CA has rejected the application; another one may be made."""

    application_id: UUID


@dataclass(frozen=True, slots=True)
class Issued:
    """There is a certificate."""

    application_id: UUID
    certificate_id: UUID
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Revoked:
    """There was a certificate; it is not to be trusted any more."""

    application_id: UUID
    certificate_id: UUID


@dataclass(frozen=True, slots=True)
class Refunded:
    """The shop pays the money back."""

    at: datetime


Stage = (
    PendingApplication
    | Reserved
    | Combined
    | Claimed
    | ValidationFailed
    | Issued
    | Revoked
    | Refunded
)


class Instance(Struct, frozen=True):
    """A prepaid right to one certificate subscription."""

    id: UUID
    account_id: str
    name: str
    brand: str
    certificate_type: CertificateType
    names: Names
    term_years: int
    created_at: datetime
    purchase_id: str | None = None  # none: made by combining
    purchase: UUID | None = None  # its key: two shops may use one purchase_id
    paid_at: datetime | None = None
    price: Price | None = None
    member_ids: tuple[UUID, ...] = ()
    lot_id: UUID | None = None  # names those that one request has made
    hosted: bool = False  # renewed automatically
    remark: str = ""
    tags: tuple[str, ...] = ()
    decided: tuple[UUID, ...] = ()  # applications whose wish for it was granted or refused
    stage: Stage = PendingApplication()
    version: int = 0


def status_of(stage: Stage) -> InstanceStatus:
    """Return the status that a stage is shown with; time makes more of an issued one's."""
    match stage:
        case PendingApplication() | Reserved(failed=None):
            return "pending_application"
        case ValidationFailed() | Reserved():
            return "validation_failed"
        case Claimed(under_review=under_review):
            return "under_review" if under_review else "pending_validation"
        case Issued():
            return "issued"
        case Combined() | Revoked() | Refunded():
            return ENDS[type(stage)]
        case _:
            assert_never(stage)


ENDS: dict[type[Stage], InstanceStatus] = {
    Combined: "combined",
    Revoked: "revoked",
    Refunded: "refunded",
}
