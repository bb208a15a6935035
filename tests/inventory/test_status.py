"""What a list shows as the status, in SQL, is what the domain says of the stage."""

from datetime import timedelta
from typing import get_args
from uuid import UUID

import pytest

from services.inventory import store
from services.inventory.domain.things import (
    Claimed,
    Combined,
    Issued,
    PendingApplication,
    Refunded,
    Reserved,
    Revoked,
    Stage,
    ValidationFailed,
    status_of,
)
from tests.inventory import make
from tests.inventory.make import ACCOUNT, NOON
from tests.shared.stored import stored

HOLDER, RESULT = UUID(int=70), UUID(int=71)
FRESH = Issued(HOLDER, RESULT, NOON, NOON + timedelta(days=199))
STAGES: tuple[Stage, ...] = (
    PendingApplication(),
    Reserved(HOLDER),
    Reserved(HOLDER, failed=RESULT),
    Combined(HOLDER, RESULT),
    Claimed(HOLDER),
    Claimed(HOLDER, under_review=True),
    ValidationFailed(HOLDER),
    FRESH,
    Revoked(HOLDER, RESULT),
    Refunded(NOON),
)
THIRD = (FRESH.not_after - FRESH.not_before) / 3


def test_every_stage_is_among_them() -> None:
    assert {type(one) for one in STAGES} == set(get_args(Stage))


async def test_list_says_of_every_stage_what_the_domain_says(inventory) -> None:
    ids = [UUID(int=n) for n in range(1, len(STAGES) + 1)]
    kept = [make.instance(i, stage=stage) for i, stage in zip(ids, STAGES, strict=True)]
    async with inventory.traffic.postgres.transaction() as tx:
        await stored(tx, store.save_instances, kept)
        listed = await store.list_instances(tx, NOON, ACCOUNT, limit=len(ids) + 1)

    assert [one.stage for one, _ in listed] == list(STAGES)
    assert [status for _, status in listed] == [status_of(stage) for stage in STAGES]


@pytest.mark.parametrize(
    ("moment", "status"),
    [
        (FRESH.not_after - THIRD, "issued"),
        (FRESH.not_after - THIRD + timedelta(seconds=1), "about_to_expire"),
        (FRESH.not_after, "about_to_expire"),
        (FRESH.not_after + timedelta(seconds=1), "expired"),
    ],
)
async def test_time_makes_more_of_what_is_issued(inventory, moment, status) -> None:
    async with inventory.traffic.postgres.transaction() as tx:
        await stored(tx, store.save_instances, [make.instance(stage=FRESH)])
        [(_, shown)] = await store.list_instances(tx, moment, ACCOUNT)

    assert shown == status
