"""What an applicant asks of the inventory by HTTP, and what it answers."""

from datetime import datetime, timedelta
from typing import Any

from services.inventory.api import api
from services.inventory.domain.policy import parse
from services.inventory.handlers import make_road
from shared.api import PREFIX
from shared.clock import MovableClock
from shared.contracts.base import Names
from shared.contracts.inventory import InstanceRefunded
from tests.ca_verification.alone import Alone, running
from tests.inventory import make
from tests.inventory.conftest import ask, bought, hear
from tests.inventory.make import ACCOUNT

INSTANCES, COMBINATIONS = f"{PREFIX}/instances", f"{PREFIX}/combinations"
PREVIEW, PLAN = f"{COMBINATIONS}/preview", f"{COMBINATIONS}/plan"


async def refused(alone: Alone, method: str, path: str, status: int = 409, **how: Any) -> list[str]:
    answer = await alone.ask(method, path, "applicant", **{"account": ACCOUNT} | how)
    assert answer.status_code == status, answer.text
    return [one["code"] for one in answer.json()["objections"]]


async def everything(alone: Alone) -> list[tuple[object, ...]]:
    """Return all rows that a preview might have touched."""
    tables = ("instances", "purchases", "history", "outbox", "errands", "inbox")
    async with alone.traffic.postgres.transaction() as tx:
        rows = [row for table in tables for row in await tx.fetch(f"SELECT * FROM {table}")]
    return [tuple(row) for row in rows]


async def test_preview_tells_the_outcome_and_changes_nothing(inventory) -> None:
    ids = await bought(inventory, names=Names(single=1, ip=1))
    before = await everything(inventory)
    wish = {"instance_ids": [str(one) for one in ids]}

    today = await ask(inventory, "POST", PREVIEW, json=wish)
    once = await ask(inventory, "POST", PREVIEW, json=wish | {"as_of": "2025-07-31"})

    assert (today["allowed"], today["names_total"]) == (True, 4)
    assert {one["instance_id"] for one in today["refunds_lost"]} == set(wish["instance_ids"])
    assert today["refunds_lost"][0]["price"] == {"amount": "298.00", "currency": "CNY"}
    assert [one["code"] for one in once["objections"]] == ["ip_not_combinable"] * 2
    assert await everything(inventory) == before


async def test_plan_tells_which_instances_to_combine_and_what_is_missing(inventory) -> None:
    ids = await bought(inventory, names=Names(single=2))
    [hosted] = await bought(inventory, purchase_id="order-8", quantity=1, names=Names(single=9))
    await ask(inventory, "PUT", f"{INSTANCES}/{hosted}/hosting", json={"hosted": True})
    names = ["müller.de", "a.example", "*.b.example", "b.example"]

    plan = await ask(inventory, "POST", PLAN, json={"names": names, "certificate_type": "OV"})

    assert plan["instance_ids"] == [str(hosted)]
    assert (plan["missing"], plan["minimal"]) == ({"single": 0, "wildcard": 1, "ip": 0}, True)
    of_two = await ask(inventory, "POST", PLAN, json={"names": names[:2] + names[3:]})
    assert of_two["instance_ids"] == [str(hosted)]
    await ask(inventory, "POST", f"{INSTANCES}/{hosted}/refund")
    of_two = await ask(inventory, "POST", PLAN, json={"names": names[:2] + names[3:]})
    assert set(of_two["instance_ids"]) == {str(one) for one in ids}


async def test_plan_for_what_are_no_names_tells_every_fault(inventory) -> None:
    faulty = ["a..example", "*.com", "10.0.0.1", "fine.example"]

    assert await refused(inventory, "POST", PLAN, 422, json={"names": faulty}) == [
        "name_invalid",
        "wildcard_of_public_suffix",
        "ip_reserved",
    ]


async def test_instance_is_refunded_once_and_within_seven_days(inventory) -> None:
    one, other = await bought(inventory)
    path = f"{INSTANCES}/{one}/refund"

    shown = await ask(inventory, "POST", path)

    assert (shown["status"], shown["refundable_until"]) == ("refunded", None)
    assert [it.instance_id for it in await inventory.said(InstanceRefunded)] == [one]
    assert await refused(inventory, "POST", path) == ["already_refunded"]
    inventory.clock.move_to(inventory.clock() + timedelta(days=7, seconds=1))
    late = f"{INSTANCES}/{other}/refund"
    assert await refused(inventory, "POST", late) == ["refund_period_over"]


async def test_operator_s_time_for_refunds_holds_and_is_shown(inventory_dsn) -> None:
    rulebook = parse("rules = [{ since = 2020-01-01, refund_days = 1 }]")
    road, chosen = make_road(rulebook), {"sandbox": True, "rulebook": rulebook}
    async with running(inventory_dsn, road, None, api, MovableClock(), **chosen) as alone:
        one, _ = await bought(alone)
        shown = await ask(alone, "GET", f"{INSTANCES}/{one}")
        [listed, _] = (await ask(alone, "GET", INSTANCES))["items"]
        assert listed == shown
        await hear(alone.traffic, make.purchase(purchase_id="order-8", paid_at=alone.clock()))
        end = alone.clock() + timedelta(days=1)
        assert datetime.fromisoformat(shown["refundable_until"]) <= end

        alone.clock.move_to(end + timedelta(seconds=1))

        path, quota = f"{INSTANCES}/{one}/refund", f"{PREFIX}/quota/order-8/refund"
        assert await refused(alone, "POST", path) == ["refund_period_over"]
        assert await refused(alone, "POST", quota, json={"count": 1}) == ["refund_period_over"]


async def test_what_was_combined_is_neither_refunded_nor_hosted(inventory) -> None:
    ids = await bought(inventory)
    await hear(inventory.traffic, make.request(*ids))
    await hear(inventory.traffic, make.combined(*ids))

    for one in (*ids, make.MERGED):
        assert (await refused(inventory, "POST", f"{INSTANCES}/{one}/refund"))[0] == "combined"
    hosting = f"{INSTANCES}/{ids[0]}/hosting"
    assert await refused(inventory, "PUT", hosting, json={"hosted": True}) == ["not_changeable"]


async def test_instance_of_another_account_is_nowhere_to_be_found(inventory) -> None:
    one, _ = await bought(inventory)
    as_stranger = {"status": 404, "account": make.STRANGER}

    for method, path in (("GET", ""), ("GET", "/history"), ("POST", "/refund")):
        of_it = f"{INSTANCES}/{one}{path}"
        assert await refused(inventory, method, of_it, **as_stranger) == ["unknown"]


async def test_account_that_wants_it_has_instances_at_once(inventory) -> None:
    account = f"{PREFIX}/account"
    assert (await ask(inventory, "GET", account))["auto_create"] is False
    await ask(inventory, "PUT", account, json={"auto_create": True})

    await hear(inventory.traffic, make.purchase(quantity=3))

    assert len((await ask(inventory, "GET", INSTANCES))["items"]) == 3
    assert (await ask(inventory, "GET", f"{PREFIX}/quota"))["items"] == []
