"""Who gets money back, and until when: never for what was combined."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain import combine, note_refund, refund, refund_quota, revoke
from services.inventory.domain.keeping import RefundContradictedError, refundable_until
from services.inventory.domain.policy import parse
from services.inventory.domain.things import Claimed, Instance, Purchase, Refunded
from services.inventory.views import preview
from shared.contracts.base import Objection
from shared.contracts.inventory import (
    InstanceRefunded,
    InstanceStatusChanged,
    QuotaRefunded,
    RefundRefused,
)
from shared.decision import Decision
from shared.replacing import replace
from tests.inventory import make
from tests.inventory.make import ACCOUNT, MOMENT, NOON, PRICE, A, B, C

PERIOD = timedelta(days=7)
LAST_SECOND = NOON + PERIOD
TOO_LATE = LAST_SECOND + timedelta(seconds=1)
PAID_BACK = Refunded(NOON)
SHANGHAI = timezone(timedelta(hours=8))


def told(instance: Instance, at: datetime = NOON) -> list[str]:
    """Ask for a refund that is refused; return the code of each objection."""
    decision = refund(instance, make.refund(), replace(MOMENT, now=at))
    [refused] = decision.facts
    assert isinstance(refused, RefundRefused)
    assert decision == Decision(facts=(refused,))
    return [one.code for one in refused.objections]


@pytest.mark.parametrize("stage", [make.PENDING, make.FAILED, make.REVOKED])
@pytest.mark.parametrize("at", [NOON, LAST_SECOND])
def test_what_was_never_combined_is_refunded_and_the_shop_told(stage, at) -> None:
    instance = make.instance(stage=stage)

    assert refund(instance, make.refund(), replace(MOMENT, now=at)) == Decision(
        changed=(replace(instance, stage=Refunded(at)),),
        facts=(
            InstanceRefunded(
                account_id=ACCOUNT,
                instance_id=A,
                purchase_id="order-7",
                price=PRICE,
                refunded_at=at,
            ),
            InstanceStatusChanged(
                instance_id=A, account_id=ACCOUNT, application_id=None, status="refunded"
            ),
        ),
    )


def test_refund_ends_seven_times_24_hours_after_payment_to_the_second() -> None:
    assert told(make.instance(), TOO_LATE) == ["refund_period_over"]


def test_zone_in_which_the_refund_ends_is_told() -> None:
    paid = datetime(2026, 11, 22, 20, 0, tzinfo=SHANGHAI)
    bought = make.purchase(paid_at=paid)
    instance = make.instance(paid_at=bought.paid_at)

    [refused] = refund(instance, make.refund(), replace(MOMENT, now=TOO_LATE)).facts

    assert refused.objections == (
        Objection(
            code="refund_period_over",
            subject=str(A),
            message="refunds were possible until 2026-11-29 12:00:00 UTC",
        ),
    )
    assert refundable_until(instance) == datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stage", "code"),
    [
        (make.RESERVED, "combined"),
        (make.COMBINED, "combined"),
        (make.CLAIMED, "in_use"),
        (make.UNDER_REVIEW, "in_use"),
        (make.ISSUED, "certificate_not_revoked"),
        (PAID_BACK, "already_refunded"),
    ],
)
def test_instance_that_something_has_is_not_refunded(stage, code) -> None:
    assert told(make.instance(stage=stage)) == [code]


def test_every_reason_is_told_at_once() -> None:
    assert told(make.instance(stage=make.ISSUED), TOO_LATE) == [
        "certificate_not_revoked",
        "refund_period_over",
    ]


def test_after_issue_it_is_refunded_only_once_revoked() -> None:
    issued = make.instance(stage=make.ISSUED)
    [revoked] = revoke(issued, make.revoked(), MOMENT).changed

    assert told(issued) == ["certificate_not_revoked"]
    assert isinstance(refund(revoked, make.refund(), MOMENT).facts[0], InstanceRefunded)


ENDS = [make.PENDING, make.FAILED, make.CLAIMED, make.ISSUED, make.REVOKED]


@pytest.mark.parametrize("stage", ENDS)
def test_neither_members_nor_their_result_are_ever_refunded(stage) -> None:
    held = make.estate(*(make.instance(one, stage=make.RESERVED) for one in (A, B)))
    *members, merged = combine(held, make.combined(), MOMENT).changed
    became = replace(merged, stage=stage)

    assert [told(one) for one in members] == [["combined"], ["combined"]]
    assert told(became)[-1] == "combined"
    assert [refundable_until(one) for one in (*members, became)] == [None, None, None]


def test_quota_that_never_became_an_instance_is_given_back() -> None:
    decision = refund_quota(make.quota(created=1), make.quota_refund(), MOMENT)

    assert decision == Decision(
        (make.quota(created=1, refunded=1),),
        (
            QuotaRefunded(
                account_id=ACCOUNT, purchase_id="order-7", count=1, price=PRICE, refunded_at=NOON
            ),
        ),
    )


@pytest.mark.parametrize(
    ("purchase", "asked", "at", "codes"),
    [
        (None, {}, NOON, ["unknown"]),
        (make.quota(account_id="rival"), {}, TOO_LATE, ["unknown"]),
        (make.quota(created=2), {}, NOON, ["quota_exceeded"]),
        (make.quota(refunded=1), {"count": 2}, LAST_SECOND, ["quota_exceeded"]),
        (make.quota(), {"count": 3}, TOO_LATE, ["quota_exceeded", "refund_period_over"]),
    ],
)
def test_quota_that_is_used_or_old_is_not_given_back(purchase, asked, at, codes) -> None:
    [refused] = refund_quota(purchase, make.quota_refund(**asked), replace(MOMENT, now=at)).facts

    assert [one.code for one in refused.objections] == codes


def test_what_the_shop_paid_back_by_itself_is_noted_however_late() -> None:
    decision = note_refund(
        make.quota(created=1), make.estate(make.instance()), make.paid_back(A, count=1), MOMENT
    )

    instance, purchase = decision.changed
    assert instance.stage == PAID_BACK
    assert purchase == replace(make.quota(created=1, refunded=1), heard=(MOMENT.cause,))
    assert [type(fact) for fact in decision.facts] == [
        InstanceRefunded,
        InstanceStatusChanged,
        QuotaRefunded,
    ]
    assert all(fact.by_shop for fact in decision.facts if hasattr(fact, "by_shop"))


def test_instance_that_the_shop_names_twice_is_paid_back_once() -> None:
    decision = note_refund(
        make.quota(created=1), make.estate(make.instance()), make.paid_back(A, A), MOMENT
    )

    assert [type(fact) for fact in decision.facts] == [InstanceRefunded, InstanceStatusChanged]


def test_refund_that_the_shop_tells_twice_has_one_effect() -> None:
    found, told_twice = make.estate(make.instance()), make.paid_back(A, count=1)
    instance, purchase = note_refund(make.quota(created=1), found, told_twice, MOMENT).changed

    assert note_refund(purchase, make.estate(instance), told_twice, MOMENT) == Decision()


STRANGE = {
    "combined": make.estate(make.instance(stage=make.COMBINED)),
    "being combined": make.estate(make.instance(stage=make.RESERVED)),
    "applied for": make.estate(make.instance(stage=make.CLAIMED)),
    "issued": make.estate(make.instance(stage=make.ISSUED)),
    "of another purchase": make.estate(
        make.instance(purchase=make.purchase(purchase_id="order-8").key)
    ),
    "of another shop": make.estate(make.instance(purchase=make.purchase(source="/other").key)),
    "of a shop that nobody knows": make.estate(make.instance(purchase=None)),
    "unknown": {},
}


@pytest.mark.parametrize("found", [pytest.param(it, id=name) for name, it in STRANGE.items()])
def test_money_paid_back_for_what_is_used_needs_a_person(found) -> None:
    with pytest.raises(RefundContradictedError):
        note_refund(make.quota(created=1), found, make.paid_back(A), MOMENT)


def test_money_paid_back_for_what_is_not_known_needs_a_person() -> None:
    with pytest.raises(RefundContradictedError, match=r"order-7 of /shop is not known \(yet\)"):
        note_refund(None, {}, make.paid_back(count=1), MOMENT)
    with pytest.raises(RefundContradictedError, match="2 were paid back, 1 of them"):
        note_refund(make.quota(created=1), {}, make.paid_back(count=2), MOMENT)


LONGER = parse(
    """
    [[rules]]
    since = 2026-11-22
    brand = "digicert"
    certificate_type = "OV"
    refund_days = 30

    [[rules]]
    since = 2026-11-23
    refund_days = 0
    """
)


@pytest.mark.parametrize(
    ("brand", "paid_at", "days"),
    [
        ("digicert", NOON - timedelta(days=1), 7),
        ("digicert", NOON, 30),
        ("cfca", NOON, 7),
        ("cfca", NOON + timedelta(days=1), 0),
    ],
)
def test_time_for_refunds_is_that_of_the_day_of_payment(brand, paid_at, days) -> None:
    instance = make.instance(brand=brand, paid_at=paid_at)
    bought = make.quota(brand=brand, paid_at=paid_at)
    until = paid_at + timedelta(days=days)
    in_time = replace(MOMENT, now=until)
    late = replace(MOMENT, now=until + timedelta(seconds=1))

    assert refundable_until(instance, LONGER) == until
    assert refund(instance, make.refund(), in_time, LONGER).changed
    assert not refund(instance, make.refund(), late, LONGER).changed
    assert refund_quota(bought, make.quota_refund(), in_time, LONGER).changed
    assert not refund_quota(bought, make.quota_refund(), late, LONGER).changed
    shown = preview(make.estate(instance), (A,), ACCOUNT, paid_at.date(), LONGER)
    assert [one.refundable_until for one in shown.refunds_lost] == [until]


def test_payment_at_the_end_of_time_hinders_no_list() -> None:
    last = datetime.max.replace(tzinfo=UTC)

    assert refundable_until(make.instance(paid_at=last)) == last


SECONDS = st.integers(-3 * 86_400, 10 * 86_400)


@given(SECONDS, st.sampled_from([make.PENDING, Claimed(make.APPLICATION), make.REVOKED]))
def test_refund_is_possible_exactly_until_the_moment_that_is_shown(seconds, stage) -> None:
    now, instance = NOON + timedelta(seconds=seconds), make.instance(C, stage=stage)
    until = refundable_until(instance)
    assert until is not None

    facts = refund(instance, make.refund(C), replace(MOMENT, now=now)).facts

    in_use = isinstance(stage, Claimed)
    assert isinstance(facts[0], InstanceRefunded) == (now <= until and not in_use)


@given(st.integers(1, 30), st.lists(st.integers(1, 12)))
def test_no_more_is_given_back_than_was_bought(quantity, counts) -> None:
    purchase, back = make.quota(quantity=quantity), 0

    for count in counts:
        decision = refund_quota(purchase, make.quota_refund(count=count), MOMENT)
        for changed in (one for one in decision.changed if isinstance(one, Purchase)):
            purchase = changed
            back += count

    assert purchase.refunded == back <= quantity
