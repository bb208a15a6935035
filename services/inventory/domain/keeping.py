"""What an account does with its instances: refunds, automatic renewal, remarks."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from services.inventory.domain.combining import shown
from services.inventory.domain.holding import changed
from services.inventory.domain.messages import AnnotateInstance, RefundInstance, SetHosting
from services.inventory.domain.policy import BUILT_IN, Rulebook
from services.inventory.domain.quota import given_back, too_late
from services.inventory.domain.things import (
    Claimed,
    Combined,
    Instance,
    Issued,
    PendingApplication,
    Purchase,
    Refunded,
    Reserved,
    Revoked,
    ValidationFailed,
)
from shared.contracts.base import Objection
from shared.contracts.inventory import (
    ChangeRefused,
    InstanceAnnotated,
    InstanceHostingChanged,
    InstanceRefunded,
    RefundRefused,
)
from shared.contracts.purchases import PurchaseRefunded
from shared.decision import Decision, Moment, PersonNeededError
from shared.replacing import replace


class RefundContradictedError(PersonNeededError):
    """A shop has paid back what we know otherwise: combined, in use, or never bought."""


def refundable_until(instance: Instance, rulebook: Rulebook = BUILT_IN) -> datetime | None:
    """Say how long a refund is possible: never once combined, nor of what combining made."""
    if instance.member_ids or isinstance(instance.stage, Combined | Reserved | Refunded):
        return None
    return _period_end(instance, rulebook)


def _period_end(instance: Instance, rulebook: Rulebook) -> datetime | None:
    if instance.paid_at is None:
        return None
    return rulebook.refund_end(instance.paid_at, instance.brand, instance.certificate_type)


def refund(
    instance: Instance | None,
    asked: RefundInstance,
    moment: Moment,
    rulebook: Rulebook = BUILT_IN,
) -> Decision:
    """Give an instance back, or tell every reason why not."""
    if instance is None:
        raise AssertionError(asked)
    if found := tuple(refund_objections(instance, moment.now, rulebook)):
        refused = RefundRefused(
            account_id=instance.account_id,
            purchase_id=instance.purchase_id or "",
            instance_id=instance.id,
            objections=found,
        )
        return Decision(facts=(refused,))
    return refunded(instance, moment.now)


def refunded(instance: Instance, at: datetime, *, by_shop: bool = False) -> Decision:
    """End the instance, and say so to the shop."""
    if instance.price is None:
        raise AssertionError(instance)
    fact = InstanceRefunded(
        account_id=instance.account_id,
        instance_id=instance.id,
        purchase_id=instance.purchase_id or "",
        price=instance.price,
        refunded_at=at,
        by_shop=by_shop,
    )
    ended = changed(instance, Refunded(at), None)
    return Decision(ended.changed, (fact, *ended.facts))


def refund_objections(instance: Instance, now: datetime, rulebook: Rulebook) -> Iterator[Objection]:
    """Yield every ground against giving the instance back."""
    subject = str(instance.id)

    def objection(code: str, message: str) -> Objection:
        return Objection(code=code, subject=subject, message=f"{instance.name}: {message}")

    match instance.stage:
        case PendingApplication() | ValidationFailed() | Revoked():
            pass
        case Combined() | Reserved():
            yield objection("combined", "what was combined can never be refunded")
        case Claimed():
            yield objection("in_use", "withdraw the application first")
        case Issued():
            yield objection("certificate_not_revoked", "revoke the certificate first")
        case Refunded(at):
            yield objection("already_refunded", f"it was refunded on {at:%Y-%m-%d}")
    if instance.member_ids:
        yield objection("combined", "the result of combining can never be refunded")
    elif end := _period_end(instance, rulebook):
        yield from too_late(end, subject, now)


def note_refund(
    purchase: Purchase | None,
    found: Mapping[UUID, Instance],
    refund: PurchaseRefunded,
    moment: Moment,
) -> Decision:
    """Note what the shop has paid back by itself; what cannot be needs a person."""
    if purchase is None:
        raise RefundContradictedError(
            f"purchase {refund.purchase_id} of {refund.source} is not known (yet)"
        )
    if moment.cause in purchase.heard:
        return Decision()  # a count that comes again is not another one
    changes: list[Any] = []
    facts: list[Any] = []
    for instance_id in dict.fromkeys(refund.instance_ids):
        instance = found.get(instance_id)
        if instance is None or instance.purchase != purchase.id:
            raise RefundContradictedError(
                f"{instance_id} is not of {refund.purchase_id} of {refund.source}"
            )
        if isinstance(instance.stage, Refunded):
            continue
        if not isinstance(instance.stage, PendingApplication | ValidationFailed | Revoked):
            raise RefundContradictedError(f"{instance.name} is {shown(instance)}")
        ended = refunded(instance, refund.refunded_at, by_shop=True)
        changes += ended.changed
        facts += ended.facts
    if refund.count > purchase.remaining:
        raise RefundContradictedError(
            f"{refund.count} were paid back, {purchase.remaining} of them are no instances yet"
        )
    if refund.count:
        noted = replace(purchase, heard=(*purchase.heard, moment.cause))
        back = given_back(noted, refund.count, refund.refunded_at, by_shop=True)
        changes += back.changed
        facts += back.facts
    return Decision(tuple(changes), tuple(facts))


def set_hosting(instance: Instance | None, asked: SetHosting, _: Moment) -> Decision:
    """Have the instance renewed automatically, or no longer."""
    if instance is None:
        raise AssertionError(asked)
    if isinstance(instance.stage, Combined | Refunded | Reserved):
        found = Objection(
            code="not_changeable",
            subject=str(instance.id),
            message=f"{instance.name} is {shown(instance)}",
        )
        refused = ChangeRefused(
            account_id=instance.account_id, instance_id=instance.id, objections=(found,)
        )
        return Decision(facts=(refused,))
    if instance.hosted == asked.hosted:
        return Decision()
    fact = InstanceHostingChanged(
        account_id=instance.account_id, instance_id=instance.id, hosted=asked.hosted
    )
    return Decision((replace(instance, hosted=asked.hosted),), (fact,))


def annotate(instance: Instance | None, asked: AnnotateInstance, _: Moment) -> Decision:
    """Write on the instance; it never matters to what may be done with it."""
    if instance is None:
        raise AssertionError(asked)
    remark = instance.remark if asked.remark is None else asked.remark
    tags = instance.tags if asked.tags is None else tuple(dict.fromkeys(asked.tags))
    after = replace(instance, remark=remark, tags=tags)
    if after == instance:
        return Decision()
    fact = InstanceAnnotated(
        account_id=instance.account_id, instance_id=instance.id, remark=remark, tags=tags
    )
    return Decision((after,), (fact,))
