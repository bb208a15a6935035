"""The inventory on a real PostgreSQL: lists, searches, history, CSV, and what comes at its time."""

import csv
import io
from datetime import timedelta
from urllib.parse import quote
from uuid import UUID

import pytest
from msgspec import msgpack

from services.inventory import store
from services.inventory.domain.things import Instance, Purchase, Refunded, Reserved
from shared.api import PREFIX
from shared.contracts.base import Names
from shared.contracts.inventory import QuotaRefunded, ReservationUnclaimed
from shared.replacing import replace
from shared.runner import travel
from tests.ca_verification.alone import Alone
from tests.inventory import make
from tests.inventory.conftest import ask, bought, hear
from tests.inventory.make import ACCOUNT, A, B
from tests.shared.stored import stored

INSTANCES = f"{PREFIX}/instances"


async def listed(alone: Alone, **asked: object) -> list[str]:
    page = await ask(alone, "GET", INSTANCES, params=asked)
    return [one["instance_id"] for one in page["items"]]


async def bought_by_stranger(alone: Alone) -> list[UUID]:
    """Have another account buy an instance."""
    theirs = make.purchase(
        purchase_id="order-9", account_id=make.STRANGER, quantity=1, auto_create=True
    )
    await alone.hear(theirs)
    async with alone.traffic.postgres.transaction() as tx:
        found = await store.list_instances(tx, alone.clock(), make.STRANGER, limit=2)
    return [one.id for one, _ in found]


async def combine(alone: Alone, *ids: UUID, name: str = "cas-merge-4") -> None:
    names = Names(single=len(ids))
    await hear(alone.traffic, make.request(*ids), actor="ben")
    combined = make.combined(*ids, names=names, names_total=names.total, instance_name=name)
    await hear(alone.traffic, combined, actor="ben")


async def test_history_tells_who_did_what_and_when_and_by_which_event(inventory) -> None:
    one, other = await bought(inventory)
    path = f"{INSTANCES}/{one}"
    await ask(inventory, "PATCH", path, name="cleo", json={"remark": "for the shop"})
    stranger = make.wish(instance_id=one, account_id=make.STRANGER)
    await hear(inventory.traffic, stranger, actor="mallory")
    began = inventory.clock()
    await combine(inventory, one, other)

    story = (await ask(inventory, "GET", f"{path}/history"))["items"]

    assert [(it["who"], it["what"]) for it in story] == [
        ("ann", "InstanceCreated"),
        ("cleo", "InstanceAnnotated"),
        ("ben", f"InstancesReserved: {make.COMBINATION}"),
        ("ben", "InstanceStatusChanged: combined"),
    ]
    async with inventory.traffic.postgres.transaction() as tx:
        rows = await tx.fetch("SELECT headers FROM outbox ORDER BY id")
    said = {dict(msgpack.decode(row["headers"]))["ce_id"].decode() for row in rows}
    assert {it["event_id"] for it in story} <= said
    assert story[0]["at"] < began.isoformat() < story[3]["at"]
    merged = (await ask(inventory, "GET", f"{INSTANCES}/{make.MERGED}/history"))["items"]
    assert [(it["who"], it["what"]) for it in merged] == [("ben", "InstanceCreated")]


async def test_history_of_a_member_tells_how_it_was_held_let_go_and_refused(inventory) -> None:
    one, other = await bought(inventory)
    [theirs] = await bought_by_stranger(inventory)
    twice = make.request(one, other, one, theirs, combination_id=make.OTHER_COMBINATION)
    await inventory.hear(make.request(one, other), twice, make.refused(one, other))

    for its_id in (one, other):
        story = (await ask(inventory, "GET", f"{INSTANCES}/{its_id}/history"))["items"]
        assert [it["what"] for it in story] == [
            "InstanceCreated",
            f"InstancesReserved: {make.COMBINATION}",
            f"ReservationRefused: {make.OTHER_COMBINATION}",
            f"InstancesReleased: {make.COMBINATION}",
        ]
    async with inventory.traffic.postgres.transaction() as tx:
        assert len(await store.list_history(tx, theirs, None, 10)) == 1


async def test_history_of_one_batch_is_told_as_it_went(inventory) -> None:
    one, _ = await bought(inventory)
    of = {"instance_id": one}
    news = [
        make.wish().model_copy(update=of),
        make.verification("ca").model_copy(update=of),
        make.rejected().model_copy(update=of),
        make.wish(make.OTHER_APPLICATION).model_copy(update=of),
    ]

    await inventory.hear(*news)

    story = (await ask(inventory, "GET", f"{INSTANCES}/{one}/history"))["items"]
    assert [it["what"] for it in story] == [
        "InstanceCreated",
        "InstanceClaimed",
        "InstanceStatusChanged: pending_validation",
        "InstanceStatusChanged: under_review",
        "InstanceStatusChanged: validation_failed",
        "InstanceClaimed",
        "InstanceStatusChanged: pending_validation",
    ]


async def test_purchase_may_be_called_anything_by_its_shop(inventory) -> None:
    called = "Bestellung №7/ä&b=c"
    await hear(inventory.traffic, make.purchase(purchase_id=called, paid_at=inventory.clock()))
    asked = {"json": {"purchase_id": called, "count": 1}, "account": ACCOUNT}

    made = await inventory.ask("POST", INSTANCES, "applicant", **asked)
    there = await ask(inventory, "GET", made.headers["location"])
    quota = f"{PREFIX}/quota/{quote(called, safe='')}/refund"
    left = await ask(inventory, "POST", quota, json={"count": 1})

    assert [one["purchase_id"] for one in there["items"]] == [called]
    assert left["remaining"] == 0


async def test_instances_are_found_by_any_part_of_their_name_whatever_the_case(inventory) -> None:
    one, other = await bought(inventory)
    await combine(inventory, one, other, name="cas-merge-0815")

    assert await listed(inventory, q="Merge") == [str(make.MERGED)]
    assert await listed(inventory, q="0815") == [str(make.MERGED)]
    assert await listed(inventory, q=one.hex[-6:]) == [str(one)]
    assert await listed(inventory, q="%") == []


async def test_instances_are_filtered_by_each_of_their_traits(inventory) -> None:
    ov = await bought(inventory)
    [ev] = await bought(
        inventory, purchase_id="order-8", quantity=1, certificate_type="EV", brand="cfca"
    )
    await ask(inventory, "PATCH", f"{INSTANCES}/{ev}", json={"tags": ["web", "shop"]})
    await combine(inventory, *ov)

    assert await listed(inventory, status="combined") == [str(one) for one in sorted(ov)]
    assert set(await listed(inventory, status="pending_application")) == {
        str(ev),
        str(make.MERGED),
    }
    for asked in (
        {"brand": "CFCA"},
        {"certificate_type": "EV"},
        {"purchase_id": "order-8"},
        {"tag": "shop"},
    ):
        assert await listed(inventory, **asked) == [str(ev)], asked
    assert await listed(inventory, brand="cfca", certificate_type="OV") == []


SORTS = {
    "created_at": lambda one: (one["created_at"], one["instance_id"]),
    "name": lambda one: (one["name"], one["instance_id"]),
    "names_total": lambda one: (one["names_total"], one["instance_id"]),
}


@pytest.mark.parametrize("way", ["", "-"], ids=["up", "down"])
@pytest.mark.parametrize("sort", list(SORTS))
async def test_every_instance_is_on_exactly_one_page_in_order(inventory, sort, way) -> None:
    await bought(inventory, quantity=4, names=Names(single=3))
    await bought(inventory, quantity=3, purchase_id="order-8")
    asked, items = {"sort": way + sort, "limit": 2}, []

    while True:
        page = await ask(inventory, "GET", INSTANCES, params=asked)
        items += page["items"]
        if not (cursor := page["next_cursor"]):
            break
        asked["cursor"] = cursor

    assert len(items) == 7
    assert items == sorted(items, key=SORTS[sort], reverse=bool(way))


async def test_list_is_given_as_csv_with_the_same_rows(inventory) -> None:
    await bought(inventory, names=Names(single=2, wildcard=1))
    as_json = (await ask(inventory, "GET", INSTANCES))["items"]

    answer = await inventory.ask(
        "GET", INSTANCES, "applicant", account=ACCOUNT, headers={"accept": "text/csv"}
    )

    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    for kept in ("instance_id", "name", "status", "refundable_until"):
        assert [row[kept] for row in rows] == [one[kept] for one in as_json]
    assert [row["names.wildcard"] for row in rows] == ["1", "1"]


async def test_members_that_nobody_concludes_on_are_asked_after_and_then_free(inventory) -> None:
    ids = tuple(await bought(inventory))
    await hear(inventory.traffic, make.request(*ids))
    questions = await inventory.said(ReservationUnclaimed)

    await travel(inventory.clock, inventory.clock() + timedelta(minutes=25), inventory.runner)
    asked_after = await inventory.said(ReservationUnclaimed)
    await inventory.hear(make.refused(*ids))
    await travel(inventory.clock, inventory.clock() + timedelta(hours=1), inventory.runner)

    assert (questions, len(asked_after)) == ([], 2)
    assert asked_after[0].member_instance_ids == ids
    assert await inventory.said(ReservationUnclaimed) == asked_after
    assert [type(one.stage) for one in (await kept(inventory, *ids)).values()] == [
        type(make.PENDING)
    ] * 2


async def test_refund_that_a_shop_tells_again_after_the_inbox_forgot_it_counts_once(
    inventory,
) -> None:
    await hear(inventory.traffic, make.purchase(quantity=5))
    for _ in range(2):
        await hear(inventory.traffic, make.paid_back(count=2), ce_id="refund-1")
        async with inventory.traffic.postgres.transaction() as tx:
            await tx.execute("DELETE FROM inbox")

    assert [one.count for one in await inventory.said(QuotaRefunded)] == [2]
    [quota] = (await ask(inventory, "GET", f"{PREFIX}/quota"))["items"]
    assert quota["remaining"] == 3


async def test_shop_pays_back_its_own_even_if_another_uses_the_same_id(inventory) -> None:
    bought_twice = make.purchase(quantity=1, auto_create=True)
    for shop in ("/shop", "/other"):
        await hear(inventory.traffic, bought_twice, source=shop)
    instances = (await kept(inventory, *map(UUID, await listed(inventory)))).values()
    [theirs] = [one.id for one in instances if one.purchase != bought_twice.key]

    await hear(inventory.traffic, make.paid_back(theirs), source="/shop")
    assert await listed(inventory, status="refunded") == []
    await hear(inventory.traffic, make.paid_back(theirs), source="/other")

    assert await listed(inventory, status="refunded") == [str(theirs)]


async def kept(alone: Alone, *ids: UUID) -> dict[UUID, Instance]:
    async with alone.traffic.postgres.transaction() as tx:
        return await store.find_instances(tx, ids)


STAGES = [
    make.PENDING,
    make.RESERVED,
    Reserved(make.COMBINATION, failed=make.APPLICATION),
    make.COMBINED,
    make.CLAIMED,
    make.UNDER_REVIEW,
    make.FAILED,
    make.ISSUED,
    make.REVOKED,
    Refunded(make.NOON),
]


async def test_instances_and_purchases_are_kept_as_they_are(inventory) -> None:
    instances = [
        make.instance(
            UUID(int=n),
            stage=stage,
            names=Names(single=n, wildcard=2, ip=3),
            member_ids=(A, B),
            lot_id=make.LOT,
            hosted=bool(n % 2),
            remark="ä;'\n",
            tags=("b", "a"),
            decided=(make.OTHER_APPLICATION, make.APPLICATION),
            version=1,
        )
        for n, stage in enumerate(STAGES, start=1)
    ]
    bought = make.quota(created=1, refunded=1)
    purchase = Purchase(bought.id, bought.content, 1, 1, heard=(A, B), version=1)
    async with inventory.traffic.postgres.transaction() as tx:
        await stored(tx, store.save_instances, [replace(one, version=0) for one in instances])
        await stored(tx, store.save_purchases, [replace(purchase, version=0)])
        loaded = list(await store.load_instances(tx, [one.id for one in instances]))
        assert list(await store.load_purchases(tx, [purchase.id])) == [purchase]

    assert loaded == instances
