"""What the combination service decides. Pure: values in, facts out."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from msgspec import Struct

from shared.contracts import waiver
from shared.contracts.base import Command, Objection
from shared.contracts.combination import (
    CombinationRefused,
    CombinationRequested,
    InstancesCombined,
    RefundWaiver,
)
from shared.contracts.inventory import (
    InstanceCreated,
    InstancesReserved,
    ReservationRefused,
    ReservationUnclaimed,
)
from shared.decision import Decision, Moment, PersonNeededError
from shared.replacing import replace


class RequestCombination(Command):
    """An account asks for its instances to be combined, knowing that refunds end with it."""

    combination_id: UUID
    account_id: str
    asked_by: str
    member_instance_ids: tuple[UUID, ...]
    refund_waiver_acknowledged: bool
    refund_waiver_text_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Requested:
    """The inventory has been asked to hold the members."""


@dataclass(frozen=True, slots=True)
class Concluded:
    """The members become one instance; the inventory has still to `open` it."""

    instance_id: UUID
    instance_name: str
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was combined."""

    objections: tuple[Objection, ...]


Stage = Requested | Concluded | Refused


class Combination(Struct, frozen=True):
    """One account's wish to make one instance of several, and what became of it."""

    id: UUID
    account_id: str
    member_instance_ids: tuple[UUID, ...]
    refund_waiver: RefundWaiver | None
    stage: Stage = Requested()
    version: int = 0


class CombinationUnknownError(PersonNeededError):
    """The inventory answers a question that was never asked."""


def request(combination: Combination | None, ask: RequestCombination, moment: Moment) -> Decision:
    """Ask the inventory for the members; what is wrong with the wish itself goes with it.

    The inventory refuses then, with its own objections too, so that all are told at once.
    """
    if combination is not None:
        return Decision()
    against = tuple(objections(ask))
    agreed = RefundWaiver(
        acknowledged_by=ask.asked_by,
        acknowledged_at=moment.now,
        text_sha256=waiver.TEXT_SHA256,
    )
    asked = Combination(
        ask.combination_id,
        ask.account_id,
        ask.member_instance_ids,
        None if against else agreed,
    )
    requested = CombinationRequested(
        combination_id=ask.combination_id,
        account_id=ask.account_id,
        member_instance_ids=ask.member_instance_ids,
        objections=against,
    )
    return Decision(changed=(asked,), facts=(requested,))


def objections(ask: RequestCombination) -> Iterator[Objection]:
    """Yield what is wrong with the waiver, whoever holds the members."""
    if not ask.refund_waiver_acknowledged:
        yield Objection(
            code="refund_waiver_not_acknowledged",
            subject="refund_waiver_acknowledged",
            message=f"combining needs your agreement: {waiver.TEXT}",
        )
    if ask.refund_waiver_text_sha256 not in {None, waiver.TEXT_SHA256}:
        yield Objection(
            code="refund_waiver_text_outdated",
            subject="refund_waiver_text_sha256",
            message=f"another text holds now: {waiver.TEXT}",
        )


def conclude(
    combination: Combination | None, reserved: InstancesReserved, moment: Moment
) -> Decision:
    """Make one instance of the members that the inventory holds for us."""
    match combination:
        case Combination(stage=Requested(), refund_waiver=RefundWaiver() as agreed):
            pass
        case Combination():
            return Decision()
        case None:
            raise CombinationUnknownError(str(reserved.combination_id))

    instance_id = moment.new_id()
    combined = InstancesCombined(
        combination_id=combination.id,
        account_id=combination.account_id,
        instance_id=instance_id,
        instance_name=f"cas-merge-{instance_id.hex[-12:]}",
        member_instance_ids=combination.member_instance_ids,
        brand=reserved.brand,
        certificate_type=reserved.certificate_type,
        names=reserved.names,
        names_total=reserved.names.total,
        refund_waiver=agreed,
        combined_at=moment.now,
    )
    stage = Concluded(instance_id, combined.instance_name)
    return Decision(changed=(replace(combination, stage=stage),), facts=(combined,))


def finish(combination: Combination | None, _: InstanceCreated, __: Moment) -> Decision:
    """Note that the new instance is in the list, so that who asks next will find it there."""
    match combination:
        case Combination(stage=Concluded(is_open=False) as stage):
            opened = replace(stage, is_open=True)
            return Decision(changed=(replace(combination, stage=opened),))
        case _:
            return Decision()


def give_up(combination: Combination | None, refusal: ReservationRefused, _: Moment) -> Decision:
    """Pass all the objections on."""
    match combination:
        case Combination(stage=Requested()):
            return refuse(combination, refusal.objections)
        case Combination():
            return Decision()
        case None:
            raise CombinationUnknownError(str(refusal.combination_id))


def refuse(combination: Combination, objections: tuple[Objection, ...]) -> Decision:
    """End the combination: nothing was combined."""
    refused = CombinationRefused(
        combination_id=combination.id,
        account_id=combination.account_id,
        member_instance_ids=combination.member_instance_ids,
        objections=objections,
    )
    return Decision((replace(combination, stage=Refused(objections)),), (refused,))


def answer_for(
    combination: Combination | None, question: ReservationUnclaimed, _: Moment
) -> Decision:
    """Say what has become of a combination whose members are held for long.

    Where it was concluded, the inventory will hear so: that was said before this.
    """
    match combination:
        case Combination(stage=Concluded()):
            return Decision()
        case Combination(stage=Refused(objections)):
            return refuse(combination, objections)
        case Combination():
            return refuse(combination, (_unclaimed(combination.id),))
        case None:  # a restored database: we never asked, as far as we know
            stranger = Combination(
                question.combination_id, question.account_id, question.member_instance_ids, None
            )
            return refuse(stranger, (_unclaimed(question.combination_id),))


def _unclaimed(combination_id: UUID) -> Objection:
    return Objection(
        code="reservation_unclaimed",
        subject=str(combination_id),
        message="the combination was not concluded in time; its members are free again",
    )
