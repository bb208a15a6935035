"""Who may use an instance for an application, and how it is shown as that goes on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain import claim, fail, issue, release, review
from services.inventory.domain.things import Claimed, Instance, ValidationFailed
from shared.contracts.application import ApplicationRequested, ApplicationWithdrawn
from shared.contracts.base import Event, Names, Objection
from shared.contracts.ca_verification import (
    ApplicationRejected,
    CertificateIssued,
    VerificationPending,
)
from shared.contracts.inventory import ClaimRefused, InstanceClaimed, InstanceStatusChanged
from shared.decision import Decision
from shared.replacing import replace
from tests.inventory import make
from tests.inventory.make import ACCOUNT, APPLICATION, MOMENT, OTHER_APPLICATION, A

MESSAGES = {
    ApplicationRequested: claim,
    ApplicationWithdrawn: release,
    VerificationPending: review,
    ApplicationRejected: fail,
    CertificateIssued: issue,
}
CLAIMED = make.instance(stage=make.CLAIMED)
ISSUED = replace(make.ISSUED, application_id=OTHER_APPLICATION)


def hear(instance: Instance | None, message: Event) -> Decision:
    return MESSAGES[type(message)](instance, message, MOMENT)


def became(stage: object, status: str) -> Decision:
    """Put the instance into a stage, and say with which status it is shown."""
    said = InstanceStatusChanged(
        instance_id=A, account_id=ACCOUNT, application_id=APPLICATION, status=status
    )
    return Decision(changed=(replace(CLAIMED, stage=stage),), facts=(said,))


@pytest.mark.parametrize(
    "stage",
    [make.PENDING, ValidationFailed(OTHER_APPLICATION)],
    ids=["pending", "failed before"],
)
def test_instance_is_held_for_one_application_and_shown_so(stage) -> None:
    before = make.instance(stage=stage, decided=(OTHER_APPLICATION,))
    held = replace(before, stage=make.CLAIMED, decided=(OTHER_APPLICATION, APPLICATION))
    shown = became(make.CLAIMED, "pending_validation")
    claimed = InstanceClaimed(
        instance_id=A,
        account_id=ACCOUNT,
        application_id=APPLICATION,
        brand="digicert",
        certificate_type="OV",
        names=Names(single=1),
    )

    assert claim(before, make.wish(), MOMENT) == Decision((held,), (claimed, *shown.facts))


def told(instance: Instance | None, **changes: object) -> list[tuple[str, str]]:
    """Ask for an instance that is refused; return the code and subject of each objection."""
    decision = claim(instance, make.wish(**changes), MOMENT)
    [refused] = decision.facts
    assert isinstance(refused, ClaimRefused)
    owned = instance is not None and instance.account_id == ACCOUNT
    noted = (replace(instance, decided=(APPLICATION,)),) if owned else ()
    assert decision == Decision(noted, (refused,))
    return [(one.code, one.subject) for one in refused.objections]


@pytest.mark.parametrize(
    "instance", [None, make.instance(account_id="rival")], ids=["nobody's", "another account's"]
)
def test_instance_of_others_is_unknown_whatever_is_wrong_with_it(instance) -> None:
    assert told(instance, names=Names(single=9)) == [("unknown", str(A))]


@pytest.mark.parametrize(
    ("stage", "shown"),
    [
        (make.RESERVED, "being combined"),
        (make.COMBINED, "combined already"),
        (Claimed(OTHER_APPLICATION), "pending validation"),
        (Claimed(OTHER_APPLICATION, under_review=True), "under review"),
        (ISSUED, "issued"),
    ],
)
def test_instance_that_something_else_has_is_refused_and_the_reason_named(stage, shown) -> None:
    [refused] = claim(make.instance(stage=stage), make.wish(), MOMENT).facts

    assert refused.objections == (
        Objection(code="not_pending", subject=str(A), message=f"cas-1 is {shown}"),
    )


@pytest.mark.parametrize("kind", ["single", "wildcard", "ip"])
def test_names_of_one_kind_take_no_slot_of_another(kind) -> None:
    ample = Names.model_validate({"single": 9, "wildcard": 9, "ip": 9, kind: 1})
    wanted = Names.model_validate({kind: 2})

    assert told(make.instance(names=ample), names=wanted) == [("quota_exceeded", f"names.{kind}")]


def test_every_objection_is_told_at_once_with_those_of_the_form() -> None:
    instance = make.instance(certificate_type="EV", stage=ISSUED)
    wanted = Names(single=2, wildcard=1, ip=1)

    assert told(instance, names=wanted, objections=(make.WAIVED,)) == [
        ("refund_waiver_not_acknowledged", "it"),
        ("not_pending", str(A)),
        ("quota_exceeded", "names.single"),
        ("quota_exceeded", "names.wildcard"),
        ("quota_exceeded", "names.ip"),
        ("ev_wildcard", "names"),
        ("ev_ip", "names"),
    ]


def test_fault_of_the_form_alone_is_enough_to_refuse() -> None:
    assert told(make.instance(), objections=(make.WAIVED,)) == [
        ("refund_waiver_not_acknowledged", "it")
    ]


def test_instance_is_under_review_when_only_the_ca_has_to_act() -> None:
    pending = make.verification("ca", "ca")

    assert review(CLAIMED, pending, MOMENT) == became(make.UNDER_REVIEW, "under_review")


@pytest.mark.parametrize("parties", [("dns",), ("ca", "applicant"), ("dns", "ca")])
def test_instance_waits_for_validation_while_others_have_to_act(parties) -> None:
    reviewed = make.instance(stage=make.UNDER_REVIEW)
    pending = make.verification(*parties)

    assert review(CLAIMED, pending, MOMENT) == Decision()
    assert review(reviewed, pending, MOMENT) == became(make.CLAIMED, "pending_validation")


@pytest.mark.parametrize("stage", [make.CLAIMED, make.UNDER_REVIEW])
def test_each_end_of_an_application_is_shown(stage) -> None:
    held = make.instance(stage=stage)

    assert release(held, make.withdrawn(), MOMENT) == became(make.PENDING, "pending_application")
    assert fail(held, make.rejected(), MOMENT) == became(make.FAILED, "validation_failed")
    assert issue(held, make.issued(), MOMENT) == became(make.ISSUED, "issued")


NEWS = [make.withdrawn, make.verification, make.rejected, make.issued]


@pytest.mark.parametrize("news", NEWS)
@pytest.mark.parametrize(
    "stage",
    [
        make.PENDING,
        make.RESERVED,
        make.COMBINED,
        Claimed(OTHER_APPLICATION),
        make.FAILED,
        make.ISSUED,
    ],
)
def test_what_is_said_of_an_application_that_does_not_hold_the_instance_is_old_news(
    news, stage
) -> None:
    assert hear(make.instance(stage=stage), news(application_id=APPLICATION)) == Decision()
    assert hear(None, news(application_id=APPLICATION)) == Decision()


@pytest.mark.parametrize("news", NEWS)
def test_news_that_comes_twice_has_one_effect(news) -> None:
    [after] = hear(CLAIMED, news()).changed

    assert hear(after, news()) == Decision()


@pytest.mark.parametrize(
    "stage",
    [
        make.PENDING,
        make.CLAIMED,
        make.UNDER_REVIEW,
        make.FAILED,
        make.ISSUED,
        make.REVOKED,
        make.RESERVED,
        make.COMBINED,
    ],
)
def test_wish_that_comes_again_changes_nothing_whatever_became_of_it(stage) -> None:
    decided = make.instance(stage=stage, decided=(APPLICATION,))

    assert claim(decided, make.wish(), MOMENT) == Decision()


@pytest.mark.parametrize(
    "story",
    [
        [make.wish(), make.withdrawn(), make.wish(OTHER_APPLICATION)],
        [make.wish(OTHER_APPLICATION), make.wish()],
    ],
    ids=["granted", "refused"],
)
def test_wish_is_decided_once_also_with_another_application_in_between(story) -> None:
    instance = make.instance()
    for message in (*story, make.withdrawn(OTHER_APPLICATION)):
        [instance] = hear(instance, message).changed
    assert instance.stage == make.PENDING

    assert claim(instance, make.wish(), MOMENT) == Decision()


APPLICATIONS = st.sampled_from([APPLICATION, OTHER_APPLICATION])
STORIES = st.lists(
    st.builds(make.wish, APPLICATIONS)
    | st.builds(make.withdrawn, APPLICATIONS)
    | st.builds(make.rejected, APPLICATIONS)
    | st.builds(make.issued, APPLICATIONS)
    | st.builds(make.verification, st.sampled_from(["ca", "dns"]), application_id=APPLICATIONS),
    max_size=20,
)


@given(STORIES)
def test_only_its_holder_ever_moves_an_instance(story) -> None:
    instance = make.instance()
    for message in story:
        before = instance.stage
        for after in hear(instance, message).changed:
            instance = after
        if isinstance(before, Claimed) and instance.stage != before:
            assert before.application_id == message.application_id
