"""Members that are held for long are asked after, and the saga ends once in whatever order."""

from collections.abc import Iterable
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.combination.domain import (
    Combination,
    Concluded,
    Refused,
    RequestCombination,
    answer_for,
    conclude,
)
from services.combination.handlers import road as combination
from services.inventory.domain import ask_after, let_go, reserve
from services.inventory.domain.things import Instance, Reserved
from shared.contracts.base import Objection
from shared.contracts.combination import CombinationRefused, InstancesCombined
from shared.contracts.inventory import InstancesReleased, ReservationUnclaimed
from shared.contracts.purchases import PurchaseCompleted
from shared.decision import Decision
from shared.replacing import replace
from tests.combination.test_domain import CONCLUDED, MOMENT, OPEN, REFUSED, RESERVED, WAITING
from tests.combination.test_domain import ID as COMBINATION
from tests.inventory import make
from tests.inventory.make import ACCOUNT, A, B
from tests.inventory.network import Network

UNCLAIMED = ReservationUnclaimed(
    combination_id=COMBINATION, account_id=ACCOUNT, member_instance_ids=(A, B)
)
IN_VAIN = (
    Objection(
        code="reservation_unclaimed",
        subject=str(COMBINATION),
        message="the combination was not concluded in time; its members are free again",
    ),
)
STAGES = [
    make.PENDING,
    make.FAILED,
]


def given_up(*objections: Objection) -> CombinationRefused:
    return CombinationRefused(
        combination_id=COMBINATION,
        account_id=ACCOUNT,
        member_instance_ids=(A, B),
        objections=objections,
    )


@pytest.mark.parametrize("stage", STAGES, ids=["pending", "failed"])
def test_members_of_what_came_to_nothing_are_as_they_were_before(stage) -> None:
    before = make.estate(make.instance(A, stage=stage), make.instance(B))
    held = reserve(before, make.request(), MOMENT).changed
    assert all(isinstance(one, Instance) and isinstance(one.stage, Reserved) for one in held)

    freed = let_go({one.id: one for one in held}, given_up(), MOMENT)

    told = InstancesReleased(
        combination_id=COMBINATION, account_id=ACCOUNT, member_instance_ids=(A, B)
    )
    assert freed == Decision(tuple(before.values()), (told,), closed=(COMBINATION,))


def test_members_that_are_still_held_are_asked_after_again_and_again() -> None:
    held = make.estate(make.instance(A, stage=make.RESERVED), make.instance(B))

    asked = ask_after(held, make.end_of_reservation(), MOMENT)

    assert asked == Decision(facts=(UNCLAIMED,), errands=(make.end_of_reservation(),))


def test_members_that_nobody_holds_any_more_are_not_asked_after() -> None:
    elsewhere = make.instance(A, stage=Reserved(make.OTHER_COMBINATION))
    gone = make.instance(B, stage=make.COMBINED)

    assert ask_after(make.estate(elsewhere, gone), make.end_of_reservation(), MOMENT) == Decision()


@pytest.mark.parametrize("ended", [CONCLUDED, OPEN])
def test_what_was_concluded_is_not_given_up(ended) -> None:
    assert answer_for(ended, UNCLAIMED, MOMENT) == Decision()


def test_what_still_waits_is_given_up_and_cannot_be_concluded_afterwards() -> None:
    decision = answer_for(WAITING, UNCLAIMED, MOMENT)

    ended = replace(WAITING, stage=Refused(IN_VAIN))
    assert decision == Decision((ended,), (given_up(*IN_VAIN),))
    assert conclude(ended, RESERVED, MOMENT) == Decision()


def test_refusal_that_was_not_heard_is_repeated_with_its_reasons() -> None:
    assert isinstance(REFUSED.stage, Refused)

    decision = answer_for(REFUSED, UNCLAIMED, MOMENT)

    assert decision.facts == (given_up(*REFUSED.stage.objections),)
    assert decision.changed == (REFUSED,)


def test_combination_that_was_lost_with_a_database_is_given_up() -> None:
    assert answer_for(None, UNCLAIMED, MOMENT).facts == (given_up(*IN_VAIN),)


def wishes(members: Iterable[tuple[int, int]]) -> Network:
    """Buy three instances, and ask for combinations of some, all at once."""
    network = Network()
    bought: PurchaseCompleted = make.purchase(quantity=3, auto_create=True)
    network.send(bought)
    ids = sorted(network.instances)
    for n, (one, two) in enumerate(members):
        network.send(
            RequestCombination(
                combination_id=UUID(int=80 + n),
                account_id=ACCOUNT,
                asked_by="ann",
                member_instance_ids=(ids[one], ids[two]),
                refund_waiver_acknowledged=True,
            ),
            to=combination,
        )
    return network


PAIRS = st.sampled_from([(0, 1), (1, 2), (0, 2)])


@given(st.lists(PAIRS, min_size=1, max_size=4), st.data())
def test_every_combination_ends_once_in_whatever_order_messages_and_timers_come(
    members, data
) -> None:
    network = wishes(members)

    for _ in range(data.draw(st.integers(0, 30), label="steps")):
        if not (events := [*network.under_way, *network.timers]):
            break
        if (n := data.draw(st.integers(0, len(events) - 1))) < len(network.under_way):
            network.deliver(list(network.under_way)[n])
        else:
            network.fire(network.timers[n - len(network.under_way)])
    network.settle()

    assert network.parked == []
    assert not any(isinstance(one.stage, Reserved) for one in network.instances.values())
    assert [ends_of(network, one) for one in network.combinations] == [
        {InstancesCombined} if isinstance(one.stage, Concluded) else {CombinationRefused}
        for one in network.combinations
    ]
    won = [one for one in network.combinations if isinstance(one.stage, Concluded)]
    assert len(won) <= 1  # any two pairs of three overlap


def test_the_first_of_several_that_want_the_same_wins_when_nothing_is_late() -> None:
    network = wishes([(0, 1), (1, 2), (0, 2)])

    network.settle()

    first, *others = network.combinations
    assert isinstance(first.stage, Concluded)
    assert first.stage.is_open
    for other in others:
        assert isinstance(other.stage, Refused)
        assert [one.code for one in other.stage.objections] == ["not_pending"]


def ends_of(network: Network, combination: Combination) -> set[type[object]]:
    """Return the kinds of fact that have ended a combination."""
    return {
        type(fact)
        for fact in network.said
        if isinstance(fact, InstancesCombined | CombinationRefused)
        and fact.combination_id == combination.id
    }
