"""What shops say late, early, twice, or out of order."""

import json
from datetime import timedelta

import pytest

from services.inventory.domain import receive, refund
from services.inventory.domain.things import Instance, Purchase
from shared.cloudevents import Heard, NotUnderstood, understand
from shared.contracts.inventory import InstanceRefunded, QuotaRefunded, RefundRefused
from shared.contracts.purchases import PurchaseCompleted
from tests.inventory import make
from tests.inventory.conftest import hear
from tests.inventory.make import MOMENT, NOON
from tests.shared.make import record

YEARS = timedelta(days=9 * 365)


def bought(**changes: object) -> tuple[Purchase, Instance]:
    message = make.purchase(quantity=1, auto_create=True, **changes)
    purchase, instance = receive(None, None, message, MOMENT).changed
    assert isinstance(purchase, Purchase)
    assert isinstance(instance, Instance)
    return purchase, instance


def test_purchase_that_is_years_old_counts_and_is_past_its_refund() -> None:
    purchase, instance = bought(paid_at=NOON - YEARS)

    [fact] = refund(instance, make.refund(instance.id), MOMENT).facts

    assert (purchase.created, purchase.remaining) == (1, 0)
    assert isinstance(fact, RefundRefused)


def test_purchase_that_is_dated_ahead_counts_and_its_refund_ends_after_that_date() -> None:
    _, instance = bought(paid_at=NOON + YEARS)

    fact, _ = refund(instance, make.refund(instance.id), MOMENT).facts

    assert isinstance(fact, InstanceRefunded)


@pytest.mark.parametrize(
    ("quantity", "read"), [(0, False), (1, True), (10_000, True), (10_001, False)]
)
def test_quantity_that_nobody_can_buy_is_not_understood(quantity, read) -> None:
    event = make.purchase()
    came = record(event)
    came.value = event.model_copy(update={"quantity": quantity}).model_dump_json().encode()

    understood = understand(came, event.family, frozenset({PurchaseCompleted}))

    assert isinstance(understood, Heard if read else NotUnderstood)


def test_purchase_without_a_name_is_not_understood() -> None:
    came = record(make.purchase())
    came.value = json.dumps(make.purchase().model_dump(mode="json") | {"names": {}}).encode()

    understood = understand(came, PurchaseCompleted.family, frozenset({PurchaseCompleted}))

    assert isinstance(understood, NotUnderstood)
    assert "holds at least one name" in str(understood.error)


async def test_refund_that_comes_before_its_purchase_waits_for_a_person_and_then_counts(
    inventory,
) -> None:
    await hear(inventory.traffic, make.paid_back(count=1))
    async with inventory.traffic.postgres.transaction() as tx:
        [parked] = await tx.fetch("SELECT id, error_class FROM parked")
    assert parked["error_class"] == "RefundContradictedError"

    await hear(inventory.traffic, make.purchase(quantity=3))
    assert await inventory.traffic.replay(parked["id"])

    assert [one.count for one in await inventory.said(QuotaRefunded)] == [1]


async def test_purchase_that_comes_twice_in_one_batch_and_again_later_is_one(inventory) -> None:
    twice = make.purchase(quantity=2, auto_create=True)

    await inventory.hear(twice, twice)
    await inventory.hear(twice)

    async with inventory.traffic.postgres.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM instances") == 2
        assert await tx.fetchval("SELECT count(*) FROM parked") == 0
