"""What the inventory knows of: purchases, instances, and the stages that these go through."""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID

from shared.contracts.base import Names
from shared.contracts.inventory import InstanceStatus
from shared.contracts.purchases import CertificateType, PurchaseCompleted


@dataclass(frozen=True, slots=True)
class Purchase:
    """What an account has paid for, and how much of it has become instances."""

    id: UUID
    content: PurchaseCompleted
    created: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class PendingApplication:
    """Nothing has been sent to the CA."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """Held for one combination."""

    combination_id: UUID


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


Stage = PendingApplication | Reserved | Combined | Claimed | ValidationFailed | Issued


@dataclass(frozen=True, slots=True)
class Instance:
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
    paid_at: datetime | None = None
    member_ids: tuple[UUID, ...] = ()
    lot_id: UUID | None = None  # names those that one request has made
    stage: Stage = PendingApplication()
    version: int = 0


def status_of(stage: Stage) -> InstanceStatus:
    """Return the status that a stage is shown with; time makes more of an issued one's."""
    match stage:
        case PendingApplication() | Reserved():
            return "pending_application"
        case Claimed(under_review=False):
            return "pending_validation"
        case Claimed():
            return "under_review"
        case ValidationFailed():
            return "validation_failed"
        case Issued():
            return "issued"
        case Combined():
            return "combined"
        case _:
            assert_never(stage)
