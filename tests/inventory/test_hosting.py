"""Automatic renewal: what is hosted is not combined, and the other way round."""

import pytest

from services.inventory.domain import annotate, reserve, set_hosting
from services.inventory.domain.messages import AnnotateInstance
from services.inventory.domain.things import Refunded
from shared.contracts.base import Objection
from shared.contracts.inventory import (
    ChangeRefused,
    InstanceAnnotated,
    InstanceHostingChanged,
    InstancesReserved,
    ReservationRefused,
)
from shared.decision import Decision
from shared.replacing import replace
from tests.inventory import make
from tests.inventory.make import ACCOUNT, MOMENT, A, B


@pytest.mark.parametrize("hosted", [True, False])
@pytest.mark.parametrize(
    "stage", [make.PENDING, make.FAILED, make.CLAIMED, make.ISSUED, make.REVOKED]
)
def test_hosting_is_turned_on_and_off_and_said(stage, hosted) -> None:
    instance = make.instance(stage=stage, hosted=not hosted)

    assert set_hosting(instance, make.hosting(hosted=hosted), MOMENT) == Decision(
        (replace(instance, hosted=hosted),),
        (InstanceHostingChanged(account_id=ACCOUNT, instance_id=A, hosted=hosted),),
    )


def test_hosting_that_is_so_already_is_not_said_again() -> None:
    assert set_hosting(make.instance(hosted=True), make.hosting(), MOMENT) == Decision()


def test_hosted_instance_is_combined_once_hosting_is_off() -> None:
    members = make.estate(make.instance(A), make.instance(B, hosted=True))
    [freed] = set_hosting(members[B], make.hosting(B, hosted=False), MOMENT).changed

    [refused] = reserve(members, make.request(), MOMENT).facts
    [reserved] = reserve(members | {B: freed}, make.request(), MOMENT).facts

    assert isinstance(refused, ReservationRefused)
    assert refused.objections == (
        Objection(
            code="hosted",
            subject=str(B),
            message="cas-2: it is renewed automatically; turn hosting off first",
        ),
    )
    assert isinstance(reserved, InstancesReserved)


@pytest.mark.parametrize(
    ("stage", "shown"),
    [
        (make.RESERVED, "being combined"),
        (make.COMBINED, "combined already"),
        (Refunded(make.NOON), "refunded"),
    ],
)
def test_what_is_combined_or_paid_back_is_not_hosted_any_more(stage, shown) -> None:
    [refused] = set_hosting(make.instance(stage=stage), make.hosting(), MOMENT).facts

    assert refused == ChangeRefused(
        account_id=ACCOUNT,
        instance_id=A,
        objections=(Objection(code="not_changeable", subject=str(A), message=f"cas-1 is {shown}"),),
    )


def test_remark_and_tags_are_kept_whatever_the_status_and_what_is_left_out_stays() -> None:
    instance = make.instance(stage=make.COMBINED, tags=("web",))
    asked = AnnotateInstance(instance_id=A, account_id=ACCOUNT, remark="for the shop")

    decision = annotate(instance, asked, MOMENT)

    assert decision == Decision(
        (replace(instance, remark="for the shop"),),
        (
            InstanceAnnotated(
                account_id=ACCOUNT, instance_id=A, remark="for the shop", tags=("web",)
            ),
        ),
    )
    assert annotate(decision.changed[0], asked, MOMENT) == Decision()  # type: ignore[arg-type]


def test_tag_that_is_given_twice_is_one() -> None:
    asked = AnnotateInstance(instance_id=A, account_id=ACCOUNT, tags=("b", "a", "b"))

    [after] = annotate(make.instance(), asked, MOMENT).changed

    assert after == make.instance(tags=("b", "a"))
