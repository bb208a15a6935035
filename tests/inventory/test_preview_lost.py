"""What an applicant gives up by combining is told before."""

from datetime import timedelta

from services.inventory.views import RefundLost, preview
from shared.contracts import waiver
from tests.inventory import make
from tests.inventory.make import ACCOUNT, NOON, PRICE, A, B, C


def test_refunds_that_are_still_possible_are_told_to_be_lost() -> None:
    paid_earlier = NOON - timedelta(days=8)
    found = make.estate(make.instance(A), make.instance(B, paid_at=paid_earlier), make.instance(C))

    shown = preview(found, (A, B), ACCOUNT, NOON.date())

    assert shown.refunds_lost == (
        RefundLost(instance_id=A, refundable_until=NOON + timedelta(days=7), price=PRICE),
    )
    assert "not eligible for refunds" in shown.refund_waiver.text
    assert dict(shown.refund_waiver) == {
        "since": waiver.PRESENT.since,
        "text": waiver.TEXT,
        "text_sha256": waiver.TEXT_SHA256,
    }


def test_nothing_is_lost_of_what_was_combined_before_or_is_a_strangers() -> None:
    found = make.estate(
        make.instance(A, member_ids=(B, C)), make.instance(B, account_id=make.STRANGER)
    )

    assert preview(found, (A, B), ACCOUNT, NOON.date()).refunds_lost == ()
