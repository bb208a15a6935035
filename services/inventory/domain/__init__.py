"""What the inventory decides. Pure: values in, facts out."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.inventory.domain import combining
from services.inventory.domain.policy import rules_on
from services.inventory.domain.things import (
    Claimed,
    Combined,
    Instance,
    Issued,
    PendingApplication,
    Purchase,
    Reserved,
    Stage,
    ValidationFailed,
    status_of,
)
from shared.contracts.application import ApplicationRequested, ApplicationWithdrawn
from shared.contracts.base import Command, Objection
from shared.contracts.ca_verification import (
    ApplicationRejected,
    CertificateIssued,
    VerificationPending,
)
from shared.contracts.combination import CombinationRequested, InstancesCombined
from shared.contracts.inventory import (
    ClaimRefused,
    CreationRefused,
    InstanceClaimed,
    InstanceCreated,
    InstancesPurchased,
    InstancesReserved,
    InstanceStatusChanged,
    ReservationRefused,
)
from shared.contracts.purchases import PurchaseCompleted
from shared.decision import Decision, Moment, PersonNeededError


class CreateInstances(Command):
    """Make instances of what was bought: *Apply for Certificate* above the list."""

    lot_id: UUID
    purchase: UUID
    purchase_id: str
    account_id: str
    count: Annotated[int, Field(ge=1, le=10_000)]
    term_years: int


class PurchaseContradictedError(PersonNeededError):
    """A shop says two different things about one purchase."""


class NotHeldError(PersonNeededError):
    """A combination was concluded over members that we do not hold for it."""


def receive(purchase: Purchase | None, bought: PurchaseCompleted, moment: Moment) -> Decision:
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
    made = tuple(_made(bought, bought.quantity if bought.auto_create else 0, moment))
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
        yield Objection(
            code="unknown", subject=asked.purchase_id, message="there is no such purchase"
        )
        return
    if asked.count > (remaining := purchase.content.quantity - purchase.created):
        yield Objection(
            code="quota_exceeded",
            subject="count",
            message=f"{asked.count} are asked for, {remaining} remain",
        )
    if asked.term_years != (term := purchase.content.term_years):
        yield Objection(
            code="term_not_bought",
            subject="term_years",
            message=f"{asked.term_years} years are asked for, {term} were bought",
        )


def reserve(
    found: Mapping[UUID, Instance], request: CombinationRequested, moment: Moment
) -> Decision:
    """Hold every member for the combination, or none of them."""
    rules = rules_on(moment.now.date())
    asked = request.member_instance_ids
    against = (
        *request.objections,
        *combining.objections(found, asked, request.account_id, rules),
    )
    if against:
        refused = ReservationRefused(
            combination_id=request.combination_id,
            account_id=request.account_id,
            objections=against,
        )
        return Decision(facts=(refused,))

    members = [found[one] for one in asked]
    reserved = InstancesReserved(
        combination_id=request.combination_id,
        account_id=request.account_id,
        brand=members[0].brand,
        certificate_type=members[0].certificate_type,
        names=combining.total_of(members),
    )
    hold = Reserved(request.combination_id)
    return Decision(
        changed=tuple(replace(member, stage=hold) for member in members), facts=(reserved,)
    )


def combine(
    found: Mapping[UUID, Instance], combined: InstancesCombined, moment: Moment
) -> Decision:
    """Close the members and open the instance that holds all their names."""
    if combined.instance_id in found:
        return Decision()
    hold = Reserved(combined.combination_id)
    members = [found[one] for one in combined.member_instance_ids if one in found]
    if [one.id for one in members if one.stage == hold] != list(combined.member_instance_ids):
        raise NotHeldError(f"{combined.combination_id} does not hold all of its members")

    instance = Instance(
        id=combined.instance_id,
        account_id=combined.account_id,
        name=combined.instance_name,
        brand=combined.brand,
        certificate_type=combined.certificate_type,
        names=combined.names,
        term_years=members[0].term_years,
        created_at=moment.now,
        member_ids=combined.member_instance_ids,
    )
    gone = Combined(combined.combination_id, into=instance.id)
    changes = [changed(member, gone, None) for member in members]
    return Decision(
        changed=(*(it for one in changes for it in one.changed), instance),
        facts=(
            *(it for one in changes for it in one.facts),
            creation(instance, combined.combination_id),
        ),
    )


def claim(instance: Instance | None, request: ApplicationRequested, _: Moment) -> Decision:
    """Hold the instance for one application, or tell every reason why not."""
    against = (*request.objections, *claim_objections(instance, request))
    if against:
        refused = ClaimRefused(
            instance_id=request.instance_id,
            account_id=request.account_id,
            application_id=request.application_id,
            objections=against,
        )
        return Decision(facts=(refused,))
    if instance is None:
        raise AssertionError(request)
    held = changed(instance, Claimed(request.application_id), request.application_id)
    claimed = InstanceClaimed(
        instance_id=instance.id,
        account_id=instance.account_id,
        application_id=request.application_id,
        brand=instance.brand,
        certificate_type=instance.certificate_type,
        names=instance.names,
    )
    return Decision(held.changed, (claimed, *held.facts))


def claim_objections(
    instance: Instance | None, request: ApplicationRequested
) -> Iterator[Objection]:
    """Yield every ground against using the instance for these names."""
    if instance is None or instance.account_id != request.account_id:
        yield Objection(
            code="unknown", subject=str(request.instance_id), message="there is no such instance"
        )
        return
    if not isinstance(instance.stage, PendingApplication | ValidationFailed):
        status = status_of(instance.stage).replace("_", " ")
        if isinstance(instance.stage, Reserved):
            status = "being combined"
        yield Objection(
            code="not_pending", subject=str(instance.id), message=f"{instance.name} is {status}"
        )
    for kind in ("single", "wildcard", "ip"):
        wanted, held = getattr(request.names, kind), getattr(instance.names, kind)
        if wanted > held:
            yield Objection(
                code="quota_exceeded",
                subject=f"names.{kind}",
                message=f"{wanted} {kind} names, and {instance.name} holds {held}",
            )
    yield from combining.ev_objections(instance.certificate_type, request.names, "names")


def release(instance: Instance | None, withdrawn: ApplicationWithdrawn, _: Moment) -> Decision:
    """Let another application, or a combination, have the instance."""
    if (held := held_by(instance, withdrawn.application_id)) is None:
        return Decision()
    return changed(held, PendingApplication(), withdrawn.application_id)


def review(instance: Instance | None, pending: VerificationPending, _: Moment) -> Decision:
    """Note whether only the CA has still to act."""
    if (held := held_by(instance, pending.application_id)) is None:
        return Decision()
    only_ca = all(one.party == "ca" for one in pending.waiting_on)
    stage = Claimed(pending.application_id, under_review=only_ca)
    if stage == held.stage:
        return Decision()
    return changed(held, stage, pending.application_id)


def fail(instance: Instance | None, rejected: ApplicationRejected, _: Moment) -> Decision:
    """Let the instance be applied for, or combined, again."""
    if (held := held_by(instance, rejected.application_id)) is None:
        return Decision()
    return changed(held, ValidationFailed(rejected.application_id), rejected.application_id)


def issue(instance: Instance | None, issued: CertificateIssued, _: Moment) -> Decision:
    """Note the certificate."""
    if (held := held_by(instance, issued.application_id)) is None:
        return Decision()
    stage = Issued(
        issued.application_id, issued.certificate_id, issued.not_before, issued.not_after
    )
    return changed(held, stage, issued.application_id)


def held_by(instance: Instance | None, application_id: UUID) -> Instance | None:
    """Return the instance if that application holds it; what others say of it is old news."""
    match instance:
        case Instance(stage=Claimed(holder)) if holder == application_id:
            return instance
        case _:
            return None


def changed(instance: Instance, stage: Stage, application_id: UUID | None) -> Decision:
    """Put the instance into another stage and say so, where it is shown with another status."""
    became = InstanceStatusChanged(
        instance_id=instance.id,
        account_id=instance.account_id,
        application_id=application_id,
        status=status_of(stage),
    )
    return Decision(changed=(replace(instance, stage=stage),), facts=(became,))


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
            paid_at=bought.paid_at,
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
