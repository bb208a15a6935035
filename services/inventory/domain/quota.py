"""What becomes of purchases: quota, instances, refunds of what was never made."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from services.inventory.domain.messages import CreateInstances, RefundQuota, SetAutoCreate
from services.inventory.domain.policy import BUILT_IN, Rulebook
from services.inventory.domain.things import Account, Instance, Purchase
from shared.contracts.base import Objection
from shared.contracts.inventory import (
    AccountChanged,
    CreationRefused,
    InstanceCreated,
    InstancesPurchased,
    QuotaRefunded,
    RefundRefused,
)
from shared.contracts.purchases import PurchaseCompleted
from shared.decision import Decision, Moment, PersonNeededError
from shared.replacing import replace


class PurchaseContradictedError(PersonNeededError):
    """A shop says two different things about one purchase."""


def receive(
    purchase: Purchase | None, account: Account | None, bought: PurchaseCompleted, moment: Moment
) -> Decision:
    """Turn a purchase into quota, and the quota into instances where the account wants that."""
    if purchase is not None:
        if differing := set(differences(purchase.content, bought)):
            raise PurchaseContradictedError(
                f"purchase {bought.purchase_id} of {bought.source} came before with another "
                f"{', '.join(sorted(differing))}"
            )
        return Decision()

    purchased = InstancesPurchased(
        purchase_id=bought.purchase_id,
        account_id=bought.account_id,
        brand=bought.brand,
        certificate_type=bought.certificate_type,
        names=bought.names,
        quantity=bought.quantity,
        term_years=bought.term_years,
        price=bought.price,
        paid_at=bought.paid_at,
    )
    at_once = bought.auto_create or (account is not None and account.auto_create)
    made = tuple(_made(bought, bought.quantity if at_once else 0, moment))
    return Decision(
        changed=(Purchase(bought.key, bought, len(made)), *made),
        facts=(purchased, *map(creation, made)),
    )


def create(purchase: Purchase | None, asked: CreateInstances, moment: Moment) -> Decision:
    """Make instances of quota; all that were asked for, or none."""
    if found := tuple(creation_objections(purchase, asked)):
        refused = CreationRefused(
            account_id=asked.account_id, purchase_id=asked.purchase_id, objections=found
        )
        return Decision(facts=(refused,))
    if purchase is None:
        raise AssertionError(asked)
    made = tuple(_made(purchase.content, asked.count, moment, asked.lot_id))
    return Decision(
        changed=(replace(purchase, created=purchase.created + len(made)), *made),
        facts=tuple(map(creation, made)),
    )


def creation_objections(purchase: Purchase | None, asked: CreateInstances) -> Iterator[Objection]:
    """Yield every ground against making so many instances of that term."""
    if purchase is None or purchase.content.account_id != asked.account_id:
        yield _unknown(asked.purchase_id)
        return
    yield from _exceeded(purchase, asked.count)
    if asked.term_years != (term := purchase.content.term_years):
        yield Objection(
            code="term_not_bought",
            subject="term_years",
            message=f"{asked.term_years} years are asked for, {term} were bought",
        )


def refund_quota(
    purchase: Purchase | None, asked: RefundQuota, moment: Moment, rulebook: Rulebook = BUILT_IN
) -> Decision:
    """Give back what never became an instance."""
    if found := tuple(quota_refund_objections(purchase, asked, moment.now, rulebook)):
        refused = RefundRefused(
            account_id=asked.account_id,
            purchase_id=asked.purchase_id,
            instance_id=None,
            objections=found,
        )
        return Decision(facts=(refused,))
    if purchase is None:
        raise AssertionError(asked)
    return given_back(purchase, asked.count, moment.now)


def given_back(purchase: Purchase, count: int, at: datetime, *, by_shop: bool = False) -> Decision:
    """Take so many off the quota, and say so."""
    content = purchase.content
    fact = QuotaRefunded(
        account_id=content.account_id,
        purchase_id=content.purchase_id,
        count=count,
        price=content.price,
        refunded_at=at,
        by_shop=by_shop,
    )
    return Decision((replace(purchase, refunded=purchase.refunded + count),), (fact,))


def quota_refund_objections(
    purchase: Purchase | None, asked: RefundQuota, now: datetime, rulebook: Rulebook
) -> Iterator[Objection]:
    """Yield every ground against giving so much back."""
    if purchase is None or purchase.content.account_id != asked.account_id:
        yield _unknown(asked.purchase_id)
        return
    yield from _exceeded(purchase, asked.count)
    bought = purchase.content
    end = rulebook.refund_end(bought.paid_at, bought.brand, bought.certificate_type)
    yield from too_late(end, asked.purchase_id, now)


def too_late(end: datetime, subject: str, now: datetime) -> Iterator[Objection]:
    """Yield an objection once the time for refunds has passed."""
    if now > end:
        yield Objection(
            code="refund_period_over",
            subject=subject,
            message=f"refunds were possible until {end:%Y-%m-%d %H:%M:%S} UTC",
        )


def set_auto_create(account: Account | None, asked: SetAutoCreate, _: Moment) -> Decision:
    """Note what the account wants to become of its purchases."""
    known = account or Account(asked.key, asked.account_id)
    if known.auto_create == asked.auto_create and account is not None:
        return Decision()
    fact = AccountChanged(account_id=asked.account_id, auto_create=asked.auto_create)
    return Decision((replace(known, auto_create=asked.auto_create),), (fact,))


def _exceeded(purchase: Purchase, count: int) -> Iterator[Objection]:
    if count > purchase.remaining:
        yield Objection(
            code="quota_exceeded",
            subject="count",
            message=f"{count} are asked for, {purchase.remaining} remain",
        )


def _unknown(purchase_id: str) -> Objection:
    return Objection(code="unknown", subject=purchase_id, message="there is no such purchase")


def differences(one: PurchaseCompleted, other: PurchaseCompleted) -> Iterator[str]:
    """Yield the fields in which two accounts of a purchase differ."""
    for field in PurchaseCompleted.model_fields:
        if getattr(one, field) != getattr(other, field):
            yield field


def _made(
    bought: PurchaseCompleted, count: int, moment: Moment, lot_id: UUID | None = None
) -> Iterator[Instance]:
    for n in range(count):
        instance_id = moment.new_id(n)
        yield Instance(
            id=instance_id,
            account_id=bought.account_id,
            name=f"cas-{instance_id.hex[-12:]}",
            brand=bought.brand,
            certificate_type=bought.certificate_type,
            names=bought.names,
            term_years=bought.term_years,
            created_at=moment.now,
            purchase_id=bought.purchase_id,
            purchase=bought.key,
            paid_at=bought.paid_at,
            price=bought.price,
            lot_id=lot_id,
        )


def creation(instance: Instance, combination_id: UUID | None = None) -> InstanceCreated:
    """Say that `instance` is in the list."""
    return InstanceCreated(
        account_id=instance.account_id,
        instance_id=instance.id,
        instance_name=instance.name,
        purchase_id=instance.purchase_id,
        combination_id=combination_id,
        brand=instance.brand,
        certificate_type=instance.certificate_type,
        names=instance.names,
        names_total=instance.names.total,
        term_years=instance.term_years,
    )
