"""Who holds instances: combinations, then applications; and what becomes of them there."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import islice
from uuid import UUID

from services.inventory.domain import combining
from services.inventory.domain.messages import EndReservation
from services.inventory.domain.policy import BUILT_IN, Rulebook
from services.inventory.domain.quota import creation
from services.inventory.domain.things import (
    Claimed,
    Combined,
    Instance,
    Issued,
    PendingApplication,
    Reserved,
    Revoked,
    Stage,
    ValidationFailed,
    status_of,
)
from shared.contracts.application import ApplicationRequested, ApplicationWithdrawn
from shared.contracts.base import Objection
from shared.contracts.ca_verification import (
    ApplicationRejected,
    CertificateIssued,
    CertificateRevoked,
    VerificationPending,
)
from shared.contracts.combination import (
    CombinationRefused,
    CombinationRequested,
    InstancesCombined,
)
from shared.contracts.inventory import (
    ClaimRefused,
    InstanceClaimed,
    InstancesReleased,
    InstancesReserved,
    InstanceStatusChanged,
    ReservationRefused,
    ReservationUnclaimed,
)
from shared.decision import Decision, Moment, PersonNeededError
from shared.replacing import replace

UNCLAIMED_AFTER = timedelta(minutes=10)
MOST_TOLD = 2000  # objections, so that a refusal stays small enough to be said


class NotHeldError(PersonNeededError):
    """A combination was concluded over members, or names of theirs, that we do not hold for it."""


def reserve(
    found: Mapping[UUID, Instance],
    request: CombinationRequested,
    moment: Moment,
    rulebook: Rulebook = BUILT_IN,
) -> Decision:
    """Hold every member for the combination, or none of them."""
    if any(_was_for(one, request.combination_id) for one in found.values()):
        return Decision()  # it was decided before
    asked, day = request.member_instance_ids, moment.now.date()
    judged = combining.objections(found, asked, request.account_id, day, rulebook)
    if against := (*request.objections, *islice(judged, MOST_TOLD)):
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
    held = tuple(_hold(member, request.combination_id) for member in members)
    end = EndReservation(
        combination_id=request.combination_id,
        account_id=request.account_id,
        member_instance_ids=asked,
        due=moment.now + UNCLAIMED_AFTER,
    )
    return Decision(changed=held, facts=(reserved,), errands=(end,))


def _hold(member: Instance, combination_id: UUID) -> Instance:
    match member.stage:
        case ValidationFailed(application_id):
            return replace(member, stage=Reserved(combination_id, failed=application_id))
        case PendingApplication():
            return replace(member, stage=Reserved(combination_id))
        case _:
            raise AssertionError(member)


def _was_for(member: Instance, combination_id: UUID) -> bool:
    stage = member.stage
    return isinstance(stage, Reserved | Combined) and stage.combination_id == combination_id


def ask_after(found: Mapping[UUID, Instance], end: EndReservation, moment: Moment) -> Decision:
    """Ask what has become of a combination that holds members for so long; ask again later."""
    if not any(_is_held(one, end.combination_id) for one in found.values()):
        return Decision()
    question = ReservationUnclaimed(
        combination_id=end.combination_id,
        account_id=end.account_id,
        member_instance_ids=end.member_instance_ids,
    )
    again = end.model_copy(update={"due": moment.now + UNCLAIMED_AFTER})
    return Decision(facts=(question,), errands=(again,))


def _is_held(member: Instance, combination_id: UUID) -> bool:
    stage = member.stage
    return isinstance(stage, Reserved) and stage.combination_id == combination_id


def let_go(found: Mapping[UUID, Instance], refused: CombinationRefused, _: Moment) -> Decision:
    """Free what is still held for a combination that came to nothing."""
    free = []
    for member in found.values():
        if _is_held(member, refused.combination_id) and isinstance(member.stage, Reserved):
            failed = member.stage.failed
            stage = ValidationFailed(failed) if failed else PendingApplication()
            free.append(replace(member, stage=stage))
    if not free:
        return Decision()
    released = InstancesReleased(
        combination_id=refused.combination_id,
        account_id=refused.account_id,
        member_instance_ids=tuple(one.id for one in free),
    )
    return Decision(tuple(free), (released,), closed=(refused.combination_id,))


def combine(
    found: Mapping[UUID, Instance], combined: InstancesCombined, moment: Moment
) -> Decision:
    """Close the members and open the instance that holds all their names."""
    if combined.instance_id in found:
        return Decision()
    members = [found[one] for one in combined.member_instance_ids if one in found]
    held = [one.id for one in members if _is_held(one, combined.combination_id)]
    if held != list(combined.member_instance_ids):
        raise NotHeldError(f"{combined.combination_id} does not hold all of its members")
    if combined.names != combining.total_of(members):
        raise NotHeldError(f"{combined.combination_id} has other names than its members")

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
        closed=(combined.combination_id,),
    )


def claim(
    instance: Instance | None,
    request: ApplicationRequested,
    moment: Moment,
    rulebook: Rulebook = BUILT_IN,
) -> Decision:
    """Hold the instance for one application, or tell every reason why not."""
    if instance is not None and request.application_id in instance.decided:
        return Decision()  # the inbox may have forgotten it, and others have come since
    judged = claim_objections(instance, request, moment, rulebook)
    if against := (*request.objections, *judged):
        refused = ClaimRefused(
            instance_id=request.instance_id,
            account_id=request.account_id,
            application_id=request.application_id,
            objections=against,
        )
        if instance is None or instance.account_id != request.account_id:
            return Decision(facts=(refused,))
        return Decision((_decided(instance, request),), (refused,))
    if instance is None:
        raise AssertionError(request)
    held = changed(
        _decided(instance, request), Claimed(request.application_id), request.application_id
    )
    claimed = InstanceClaimed(
        instance_id=instance.id,
        account_id=instance.account_id,
        application_id=request.application_id,
        brand=instance.brand,
        certificate_type=instance.certificate_type,
        names=instance.names,
    )
    return Decision(held.changed, (claimed, *held.facts))


def _decided(instance: Instance, request: ApplicationRequested) -> Instance:
    return replace(instance, decided=(*instance.decided, request.application_id))


def claim_objections(
    instance: Instance | None, request: ApplicationRequested, moment: Moment, rulebook: Rulebook
) -> Iterator[Objection]:
    """Yield every ground against using the instance for these names."""
    if instance is None or instance.account_id != request.account_id:
        yield Objection(
            code="unknown", subject=str(request.instance_id), message="there is no such instance"
        )
        return
    if not isinstance(instance.stage, PendingApplication | ValidationFailed):
        yield Objection(
            code="not_pending",
            subject=str(instance.id),
            message=f"{instance.name} is {combining.shown(instance)}",
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
    yield from _of_domains(instance, request, moment, rulebook)


def _of_domains(
    instance: Instance, request: ApplicationRequested, moment: Moment, rulebook: Rulebook
) -> Iterator[Objection]:
    """Judge what could only be warned of when the instance was combined."""
    rules = rulebook.on(moment.now.date(), instance.brand, instance.certificate_type)
    domains = request.primary_domains
    if instance.member_ids and rules.domains == "same_primary" and len(domains) > 1:
        yield Objection(
            code="different_primary_domains",
            subject="names",
            message=f"all names must be of one primary domain, not of {', '.join(domains)}",
        )


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


def revoke(instance: Instance | None, revoked: CertificateRevoked, _: Moment) -> Decision:
    """Note that the certificate is not to be trusted any more."""
    match instance:
        case Instance(stage=Issued(application_id, certificate_id)):
            if certificate_id == revoked.certificate_id:
                return changed(instance, Revoked(application_id, certificate_id), application_id)
            return Decision()
        case _:
            return Decision()


def held_by(instance: Instance | None, application_id: UUID) -> Instance | None:
    """Return the instance if that application holds it; what others say of it is old news."""
    match instance:
        case Instance(stage=Claimed(holder)) if holder == application_id:
            return instance
        case _:
            return None


def changed(instance: Instance, stage: Stage, application_id: UUID | None) -> Decision:
    """Put the instance into another stage, and say with which status it is shown."""
    became = InstanceStatusChanged(
        instance_id=instance.id,
        account_id=instance.account_id,
        application_id=application_id,
        status=status_of(stage),
    )
    return Decision(changed=(replace(instance, stage=stage),), facts=(became,))
