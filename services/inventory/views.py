"""How the inventory is shown over HTTP."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel

from services.inventory.domain import combining
from services.inventory.domain.keeping import refundable_until
from services.inventory.domain.policy import BUILT_IN, Rulebook
from services.inventory.domain.things import Combined, Instance, Purchase
from shared.contracts import waiver
from shared.contracts.application import CertificateKind
from shared.contracts.base import Names, Objection
from shared.contracts.inventory import InstanceStatus
from shared.contracts.purchases import CertificateType, Price


class Quota(BaseModel):
    """What was bought in one purchase and is not yet an instance."""

    purchase_id: str
    brand: str
    certificate_type: CertificateType
    names: Names
    quantity: int
    remaining: int
    term_years: int
    paid_at: datetime


class InstanceView(BaseModel):
    """An instance as the list shows it."""

    instance_id: UUID
    name: str
    status: InstanceStatus
    brand: str
    certificate_type: CertificateType
    names: Names
    names_total: int
    term_years: int
    purchase_id: str | None
    combined_into: UUID | None
    member_instance_ids: Sequence[UUID]
    refundable_until: datetime | None
    hosted: bool
    remark: str
    tags: Sequence[str]
    created_at: datetime


class Items(BaseModel):
    """Instances that were made together."""

    items: Sequence[InstanceView]


class HistoryEntry(BaseModel):
    """What happened to an instance: when, who set it off, and by which event it was told."""

    at: datetime
    who: str
    what: str
    event_id: UUID


class RefundWaiverText(BaseModel):
    """What is agreed to by combining, and since when this text holds."""

    since: date
    text: str
    text_sha256: str


class RefundLost(BaseModel):
    """A refund that is still possible, and would not be once combined."""

    instance_id: UUID
    refundable_until: datetime
    price: Price | None


class Preview(BaseModel):
    """What would come of combining, and what would be lost by it; nothing was changed."""

    allowed: bool
    objections: Sequence[Objection]
    warnings: Sequence[Objection]
    names: Names
    names_total: int
    certificate_kinds: Sequence[CertificateKind]
    refunds_lost: Sequence[RefundLost]
    refund_waiver: RefundWaiverText


def preview(
    found: Mapping[UUID, Instance],
    asked: Sequence[UUID],
    account: str,
    day: date,
    rulebook: Rulebook = BUILT_IN,
) -> Preview:
    """Judge as combining would, by the rules of `day`, and change nothing."""
    against = tuple(combining.objections(found, asked, account, day, rulebook))
    wanted = set(asked)
    ours = [one for one in found.values() if one.account_id == account and one.id in wanted]
    names = combining.total_of(ours)
    return Preview(
        allowed=not against,
        objections=against,
        warnings=tuple(combining.warnings(ours, day, rulebook)),
        names=names,
        names_total=names.total,
        certificate_kinds=tuple(combining.kinds_of(names)),
        refunds_lost=tuple(_lost(ours, day, rulebook)),
        refund_waiver=RefundWaiverText(
            since=waiver.PRESENT.since, text=waiver.TEXT, text_sha256=waiver.TEXT_SHA256
        ),
    )


def _lost(ours: Sequence[Instance], day: date, rulebook: Rulebook) -> Iterator[RefundLost]:
    for one in ours:
        if (until := refundable_until(one, rulebook)) and until.date() >= day:
            yield RefundLost(instance_id=one.id, refundable_until=until, price=one.price)


def quota(purchase: Purchase) -> Quota:
    """Show what is left of a purchase."""
    content = purchase.content
    return Quota(
        purchase_id=content.purchase_id,
        brand=content.brand,
        certificate_type=content.certificate_type,
        names=content.names,
        quantity=content.quantity,
        remaining=purchase.remaining,
        term_years=content.term_years,
        paid_at=content.paid_at,
    )


def view(instance: Instance, status: str, rulebook: Rulebook = BUILT_IN) -> InstanceView:
    """Show an instance."""
    stage = instance.stage
    return InstanceView.model_validate(
        {
            "instance_id": instance.id,
            "name": instance.name,
            "status": status,
            "brand": instance.brand,
            "certificate_type": instance.certificate_type,
            "names": instance.names,
            "names_total": instance.names.total,
            "term_years": instance.term_years,
            "purchase_id": instance.purchase_id,
            "combined_into": stage.into if isinstance(stage, Combined) else None,
            "member_instance_ids": instance.member_ids,
            "refundable_until": refundable_until(instance, rulebook),
            "hosted": instance.hosted,
            "remark": instance.remark,
            "tags": instance.tags,
            "created_at": instance.created_at,
        }
    )
