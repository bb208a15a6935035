"""What is shown of an application: never more than the inventory shows of its instance."""

from typing import get_args

import pytest

from services.application.domain.things import Submitted
from services.application.views import show_application, show_certificate, status_of
from shared.contracts.inventory import InstanceStatus
from shared.replacing import replace
from tests.application import make
from tests.application.make import CERTIFICATE, NOON, STAGES, later

# How the inventory shows the instance when we show each end; what was issued may have ended since.
ENDS = {
    "validation_failed": {"validation_failed"},
    "issued": {"issued", "about_to_expire", "expired", "revoked"},
    "withdrawn": {"pending_application"},
}
STATUSES = [None, *get_args(InstanceStatus)]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("instance_status", STATUSES)
def test_end_is_shown_only_once_the_inventory_shows_it(stage, instance_status) -> None:
    shown = status_of(make.application(STAGES[stage], instance_status=instance_status))

    assert instance_status in ENDS.get(shown, {instance_status})


@pytest.mark.parametrize(
    ("stage", "instance_status", "shown"),
    [
        (STAGES["requested"], None, "requested"),
        (STAGES["claimed"], "pending_validation", "requested"),
        (STAGES["refused"], None, "refused"),
        (STAGES["submitted"], "pending_validation", "submitted"),
        (make.VERIFYING, "pending_validation", "pending_validation"),
        (make.VERIFYING, None, "pending_validation"),
        (make.VERIFYING, "under_review", "under_review"),
        (STAGES["failed"], "under_review", "under_review"),
        (STAGES["failed"], "validation_failed", "validation_failed"),
        (STAGES["issued"], "under_review", "under_review"),
        (STAGES["issued"], "issued", "issued"),
        (STAGES["issued"], "expired", "issued"),
        (STAGES["issued"], "revoked", "issued"),
        (STAGES["withdrawn"], "pending_application", "withdrawn"),
    ],
)
def test_status_is_that_of_the_stage_and_the_instance(stage, instance_status, shown) -> None:
    assert status_of(make.application(stage, instance_status=instance_status)) == shown


@pytest.mark.parametrize(
    ("instance_status", "objections"), [("under_review", ()), ("validation_failed", make.FOUND)]
)
def test_reasons_of_a_rejection_come_with_its_status(instance_status, objections) -> None:
    failed = make.application(STAGES["failed"], instance_status=instance_status)

    assert show_application(failed).objections == objections


@pytest.mark.parametrize(
    ("instance_status", "certificate_id"), [("under_review", None), ("issued", CERTIFICATE)]
)
def test_certificate_comes_with_its_status(instance_status, certificate_id) -> None:
    issued = make.application(STAGES["issued"], instance_status=instance_status)

    assert show_application(issued).certificate_id == certificate_id


def test_refusal_is_shown_with_all_its_reasons() -> None:
    assert show_application(make.application(STAGES["refused"])).objections == make.FOUND


def test_what_is_waited_on_is_shown_as_the_ca_said_it() -> None:
    shown = show_application(make.application(replace(make.VERIFYING, overdue=True)))

    assert (shown.waiting_on, shown.names) == (make.WAITING, make.PROGRESS)
    assert (shown.expected_by, shown.overdue) == (make.VERIFYING.expected_by, True)


@pytest.mark.parametrize(
    ("stage", "state"), [(Submitted(NOON), "pending"), (STAGES["issued"], "valid")]
)
def test_every_name_is_shown_though_the_ca_has_said_nothing_of_it(stage, state) -> None:
    shown = show_application(make.application(stage))

    assert [(one.name, one.state) for one in shown.names] == [(n, state) for n in make.NAMES]


@pytest.mark.parametrize(
    ("moment", "status"),
    [
        (later(days=199), "issued"),  # notAfter is inclusive
        (later(days=199, seconds=1), "expired"),
    ],
)
def test_certificate_expires_after_its_last_second(moment, status) -> None:
    assert show_certificate(make.certificate(), moment.now).status == status
