"""What the combination service decides."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.combination.api import WaiverView, view
from services.combination.domain import (
    Combination,
    CombinationUnknownError,
    Concluded,
    Refused,
    RequestCombination,
    conclude,
    finish,
    give_up,
    request,
)
from services.combination.handlers import road
from shared.contracts.base import Names, Objection
from shared.contracts.combination import (
    CombinationRefused,
    CombinationRequested,
    InstancesCombined,
    RefundWaiver,
)
from shared.contracts.inventory import InstanceCreated, InstancesReserved, ReservationRefused
from shared.contracts.waiver import TEXT, TEXT_SHA256
from shared.decision import Decision, Moment
from shared.replacing import replace
from tests.shared.make import NOON, fold, heard

MOMENT = Moment(NOON, cause=UUID(int=99), host=NOON, secret=bytes(32))
ID, A, B = UUID(int=80), UUID(int=1), UUID(int=2)
WHO = {"combination_id": ID, "account_id": "acme"}
NAMES = Names(single=3, wildcard=1, ip=1)
WAIVER = RefundWaiver(acknowledged_by="ann", acknowledged_at=NOON, text_sha256=TEXT_SHA256)
WAITING = Combination(ID, "acme", (A, B), WAIVER)
MERGED = MOMENT.new_id()
NAME = f"cas-merge-{MERGED.hex[-12:]}"
CONCLUDED = replace(WAITING, stage=Concluded(MERGED, NAME))
OPEN = replace(WAITING, stage=Concluded(MERGED, NAME, is_open=True))
FOUND = (Objection(code="not_pending", subject=str(A), message="it is issued"),)
REFUSED = replace(WAITING, stage=Refused(FOUND))

RESERVED = InstancesReserved(**WHO, brand="digicert", certificate_type="OV", names=NAMES)
REFUSAL = ReservationRefused(**WHO, objections=FOUND)
CREATED = InstanceCreated(
    **WHO,
    instance_id=MERGED,
    instance_name=NAME,
    purchase_id=None,
    brand="digicert",
    certificate_type="OV",
    names=NAMES,
    names_total=5,
    term_years=1,
)


def ask(**changes: object) -> RequestCombination:
    asked = RequestCombination(
        **WHO,
        asked_by="ann",
        member_instance_ids=(A, B),
        refund_waiver_acknowledged=True,
        refund_waiver_text_sha256=TEXT_SHA256,
    )
    return asked.model_copy(update=changes)


@pytest.mark.parametrize("text_sha256", [TEXT_SHA256, None])
def test_wish_is_passed_on_to_the_inventory_and_the_waiver_kept(text_sha256) -> None:
    requested = CombinationRequested(**WHO, member_instance_ids=(A, B))

    assert request(None, ask(refund_waiver_text_sha256=text_sha256), MOMENT) == Decision(
        (WAITING,), (requested,)
    )


NOT_ACKNOWLEDGED = ("refund_waiver_not_acknowledged", "refund_waiver_acknowledged")
OUTDATED = ("refund_waiver_text_outdated", "refund_waiver_text_sha256")


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ({"refund_waiver_acknowledged": False}, [NOT_ACKNOWLEDGED]),
        ({"refund_waiver_text_sha256": "abc"}, [OUTDATED]),
        (
            {"refund_waiver_acknowledged": False, "refund_waiver_text_sha256": "abc"},
            [NOT_ACKNOWLEDGED, OUTDATED],
        ),
    ],
)
def test_faulty_waiver_goes_along_so_that_the_inventory_tells_all_objections_at_once(
    fault, found
) -> None:
    decision = request(None, ask(**fault), MOMENT)

    assert decision.changed == (replace(WAITING, refund_waiver=None),)
    [requested] = decision.facts
    assert [(one.code, one.subject) for one in requested.objections] == found


def test_nothing_is_combined_without_a_waiver_whatever_the_inventory_says() -> None:
    assert conclude(replace(WAITING, refund_waiver=None), RESERVED, MOMENT) == Decision()


def test_reserved_members_become_one_instance_with_the_waiver_on_record() -> None:
    combined = InstancesCombined(
        **WHO,
        instance_id=MERGED,
        instance_name=NAME,
        member_instance_ids=(A, B),
        brand="digicert",
        certificate_type="OV",
        names=NAMES,
        names_total=5,
        refund_waiver=WAIVER,
        combined_at=NOON,
    )

    assert conclude(WAITING, RESERVED, MOMENT) == Decision((CONCLUDED,), (combined,))


def test_refusal_of_the_inventory_is_passed_on_with_all_its_objections() -> None:
    refused = CombinationRefused(**WHO, member_instance_ids=(A, B), objections=FOUND)

    assert give_up(WAITING, REFUSAL, MOMENT) == Decision((REFUSED,), (refused,))


def test_combination_is_open_once_the_new_instance_is_in_the_list() -> None:
    assert finish(CONCLUDED, CREATED, MOMENT) == Decision((OPEN,))


@pytest.mark.parametrize("ended", [CONCLUDED, OPEN, REFUSED])
def test_saga_ends_once(ended) -> None:
    assert request(ended, ask(), MOMENT) == Decision()
    assert conclude(ended, RESERVED, MOMENT) == Decision()
    assert give_up(ended, REFUSAL, MOMENT) == Decision()


@pytest.mark.parametrize("stranger", [None, WAITING, OPEN, REFUSED])
def test_instance_that_no_combination_waits_for_is_passed_by(stranger) -> None:
    assert finish(stranger, CREATED, MOMENT) == Decision()


@pytest.mark.parametrize(("decide", "answer"), [(conclude, RESERVED), (give_up, REFUSAL)])
def test_answer_to_a_question_that_was_never_asked_needs_a_person(decide, answer) -> None:
    with pytest.raises(CombinationUnknownError, match=str(ID)):
        decide(None, answer, MOMENT)


@pytest.mark.parametrize(
    ("combination", "status", "objections", "instance_id"),
    [
        (WAITING, "requested", (), None),
        (CONCLUDED, "requested", (), None),  # who asks for the instance would not find it yet
        (OPEN, "combined", (), MERGED),
        (REFUSED, "refused", FOUND, None),
    ],
)
def test_what_is_shown_never_runs_ahead_of_the_inventory(
    combination, status, objections, instance_id
) -> None:
    shown = view(combination)

    assert (shown.status, shown.objections, shown.instance_id) == (status, objections, instance_id)


def test_who_agreed_to_lose_the_refund_is_shown_and_when_and_to_which_text() -> None:
    assert view(OPEN).refund_waiver == WaiverView(**dict(WAIVER), text=TEXT)
    assert view(replace(REFUSED, refund_waiver=None)).refund_waiver is None


IDS = st.sampled_from([UUID(int=80), UUID(int=81)])
MESSAGES = st.lists(
    st.tuples(
        st.sampled_from(
            [
                ask(),
                ask(refund_waiver_acknowledged=False),
                RESERVED,
                REFUSAL,
                CREATED,
            ]
        ),
        IDS,
    ).map(lambda told: told[0].model_copy(update={"combination_id": told[1]})),
    max_size=20,
)


@given(MESSAGES)
def test_no_combination_is_both_concluded_and_refused(messages) -> None:
    told = fold(road, [heard(message, n) for n, message in enumerate(messages)]).said

    ends = [fact.combination_id for _, fact in told if not isinstance(fact, CombinationRequested)]
    assert len(ends) == len(set(ends))


@given(MESSAGES, st.data())
def test_cutting_a_batch_changes_nothing(messages, data) -> None:
    batch = [heard(message, n) for n, message in enumerate(messages)]
    cut = data.draw(st.integers(0, len(batch)))

    assert fold(road, batch[:cut], batch[cut:]) == fold(road, batch)
