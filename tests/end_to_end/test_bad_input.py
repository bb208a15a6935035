"""What CONTRACT §5 promises of bad messages, on the real topic, with the next good one behind."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.end_to_end.outside import (
    INVENTORY,
    PURCHASES,
    Heard,
    binary,
    codes,
    structured,
)
from tests.end_to_end.steps import Record, World, looks, problem

PARKED = "/services/inventory/parked"
LETTERS = f"{PURCHASES}.inventory.dlt"
PARTITION = 0
BIG = 5 << 20


def with_header(record: Record, name: str, value: bytes | None) -> Record:
    content, headers = record
    return content, [*headers, (name, value)]


def wrong(sale: Any) -> Record:
    """Break every rule that a field can break, in one message."""
    sale |= {
        "account_id": "a" * 65,
        "certificate_type": "XV",
        "names": {"single": -1},
        "quantity": 10_001,
        "term_years": "long",
        "price": {"amount": "free", "currency": "CNY"},
        "paid_at": "2026-11-20T01:02:03",  # without an offset from UTC
    }
    del sale["purchase_id"]
    return binary(sale)


WRONG_FIELDS = (
    *("purchase_id", "account_id", "certificate_type", "names.single", "quantity", "term_years"),
    *("price.amount", "paid_at"),
)
POISON: dict[str, tuple[Callable[[Any], Record], tuple[str, ...]]] = {
    "null header": (lambda sale: with_header(binary(sale), "tenant", None), ("null", "tenant")),
    "header not UTF-8": (lambda sale: with_header(binary(sale), "tenant", b"\xff"), ("utf-8",)),
    "no headers": (lambda sale: (binary(sale)[0], []), ("id", "source", "type")),
    "tombstone": (lambda sale: (None, binary(sale)[1]), ()),
    "not JSON": (lambda sale: (b'{"purchase_id": ', binary(sale)[1]), ("JSON",)),
    "bytes that are no text": (lambda sale: (b"\x00\xff\xfe", binary(sale)[1]), ()),
    "structured, not JSON": (lambda sale: (b"{", structured(sale)[1]), ()),
    "structured, a list": (lambda sale: (b"[]", structured(sale)[1]), ("object",)),
    "another version": (lambda sale: binary(sale, specversion="0.3"), ("specversion", "0.3")),
    "unknown type": (lambda sale: binary(sale, type="shop.Sold.v9"), ("shop.Sold.v9",)),
    "wrong schema": (wrong, WRONG_FIELDS),
    "NUL in an id": (lambda sale: binary(sale | {"purchase_id": "a\0b"}), ("purchase_id", "NUL")),
    "5 MB in one field": (lambda sale: binary(sale | {"purchase_id": "7" * BIG}), ("purchase_id",)),
    "5 MB of nothing": (lambda sale: (b"\0" * BIG, binary(sale)[1]), ()),
}


async def parked_at(world: World, partition: int, offset: int) -> Any:
    """Find what is parked of a record, if anything is."""
    where = PURCHASES, partition, offset
    found = [
        one
        for one in await world.operator.all(PARKED)
        if (one["topic"], one["partition"], one["offset"]) == where
    ]
    return found[0] if found else None


async def letter_of(world: World, offset: int) -> Heard:
    """Wait for the dead letter of the record at that place."""
    async with asyncio.timeout(20):
        while True:
            for one in await world.topics.read(LETTERS):
                story = dict(one.headers[-8:])
                if story["x-original-offset"] == str(offset).encode() and (
                    story["x-original-partition"] == str(PARTITION).encode()
                ):
                    return one
            await asyncio.sleep(0.05)


async def publishes(world: World, record: Record) -> int:
    """Publish to the one partition; return the offset."""
    value, headers = record
    sent = await world.shop.send_and_wait(
        PURCHASES, value, key=b"any", headers=headers, partition=PARTITION
    )
    offset: int = sent.offset
    return offset


async def bought(world: World, sale: Any) -> list[Heard]:
    """Return what the inventory has said of a purchase."""
    return [
        one
        for one in await world.topics.read(INVENTORY)
        if one.name == "InstancesPurchased" and one.said["purchase_id"] == sale["purchase_id"]
    ]


@pytest.mark.parametrize("name", POISON)
async def test_what_is_not_understood_is_parked_with_the_reason_and_the_next_is_handled(
    world, name
) -> None:
    make, words = POISON[name]
    value, headers = poison = make(world.sale())
    behind = world.sale()

    offset = await publishes(world, poison)
    await publishes(world, binary(behind))

    await world.topics.hears("InstancesPurchased", INVENTORY, purchase_id=behind["purchase_id"])
    parked = await parked_at(world, PARTITION, offset)
    letter = await letter_of(world, offset)
    story = {name: content.decode() for name, content in letter.headers[-8:]}
    assert [word for word in words if word not in parked["error_message"]] == []
    assert (
        story.items()
        >= {
            "x-original-topic": PURCHASES,
            "x-original-partition": str(PARTITION),
            "x-original-offset": str(offset),
            "x-group": "inventory",
            "x-error-class": parked["error_class"],
            "x-error-message": parked["error_message"],
        }.items()
    )
    assert story.keys() >= {"x-original-timestamp", "x-first-failed-at"}
    assert list(letter.headers[:-8]) == list(headers)
    assert (letter.key, letter.value) == (b"any", value)


async def test_purchase_that_comes_twice_has_one_effect(world) -> None:
    sale = world.sale(quantity=3)
    for record in (binary(sale, "one"), binary(sale, "one"), binary(sale, "two"), structured(sale)):
        offset = await publishes(world, record)
    await publishes(world, binary(behind := world.sale()))
    await world.topics.hears("InstancesPurchased", INVENTORY, purchase_id=behind["purchase_id"])

    [purchased] = await bought(world, sale)
    assert purchased.said["quantity"] == 3
    assert [await parked_at(world, PARTITION, offset - n) for n in range(4)] == [None] * 4
    quota = await world.applicant.all("/quota")
    ours = [one for one in quota if one["purchase_id"] == sale["purchase_id"]]
    assert [one["remaining"] for one in ours] == [3]


async def test_same_purchase_with_other_content_is_parked_with_the_difference_and_the_first_stands(
    world,
) -> None:
    sale = world.sale(quantity=3)
    changed = sale | {"quantity": 5, "price": {"amount": "1.00", "currency": "CNY"}}
    await publishes(world, binary(sale))
    offset = await publishes(world, binary(changed))
    await publishes(world, binary(behind := world.sale()))
    await world.topics.hears("InstancesPurchased", INVENTORY, purchase_id=behind["purchase_id"])

    parked = await parked_at(world, PARTITION, offset)
    assert "price, quantity" in parked["error_message"]
    [purchased] = await bought(world, sale)
    assert purchased.said["quantity"] == 3
    assert (await letter_of(world, offset)).said == changed


async def test_same_purchase_id_of_another_shop_is_another_purchase(world) -> None:
    sale = world.sale()
    await publishes(world, binary(sale))
    await publishes(world, binary(sale, source="/tests/another-shop"))

    await looks(
        world.applicant,
        "/quota?limit=200",
        lambda page: [one["purchase_id"] for one in page["items"]].count(sale["purchase_id"]) == 2,
    )


async def test_one_that_fails_among_five_hundred_neither_undoes_nor_stops_the_others(world) -> None:
    sales = [world.sale() for _ in range(499)]
    records = [binary(sale) for sale in sales]
    records.insert(250, binary(sales[0] | {"quantity": 7}))  # a person has to look at this one
    sent = await asyncio.gather(
        *[
            await world.shop.send(PURCHASES, value, b"any", PARTITION, headers=headers)
            for value, headers in records
        ]
    )

    last = sales[-1]["purchase_id"]
    await world.topics.hears("InstancesPurchased", INVENTORY, purchase_id=last)

    said = [
        one.said["purchase_id"]
        for one in await world.topics.read(INVENTORY)
        if one.name == "InstancesPurchased"
    ]
    wanted = [sale["purchase_id"] for sale in sales]
    assert sorted(one for one in said if one in set(wanted)) == sorted(wanted)
    parked = [
        one["offset"]
        for one in await world.operator.all(PARKED)
        if one["partition"] == PARTITION and sent[0].offset <= one["offset"] <= sent[-1].offset
    ]
    assert parked == [sent[250].offset]


async def test_what_could_not_be_handled_yet_is_replayed_when_it_can(world) -> None:
    sale = world.sale(quantity=2)
    refund = {
        "purchase_id": sale["purchase_id"],
        "account_id": sale["account_id"],
        "count": 1,
        "refunded_at": sale["paid_at"],
    }
    offset = await publishes(world, binary(refund, type="certfold.PurchaseRefunded.v1"))
    await publishes(world, binary(sale))
    await world.topics.hears("InstancesPurchased", INVENTORY, purchase_id=sale["purchase_id"])
    parked = await parked_at(world, PARTITION, offset)

    answer = await world.operator.send("POST", f"{PARKED}/{parked['id']}/replay")

    assert answer.status_code == 204, answer.text
    await world.topics.hears("QuotaRefunded", INVENTORY, purchase_id=sale["purchase_id"])
    assert await parked_at(world, PARTITION, offset) is None
    again = await world.operator.send("POST", f"{PARKED}/{parked['id']}/replay")
    assert codes(problem(again, 404)) == {"unknown"}


async def test_replay_of_what_fails_again_tells_the_reason_and_leaves_it(world) -> None:
    offset = await publishes(world, (b"{", binary(world.sale())[1]))
    await publishes(world, binary(behind := world.sale()))
    await world.topics.hears("InstancesPurchased", INVENTORY, purchase_id=behind["purchase_id"])
    parked = await parked_at(world, PARTITION, offset)

    answer = await world.operator.send("POST", f"{PARKED}/{parked['id']}/replay")

    [found] = problem(answer, 409)["objections"]
    assert (found["code"], found["message"]) == (parked["error_class"], parked["error_message"])
    assert await parked_at(world, PARTITION, offset) == parked


async def test_what_is_discarded_is_parked_no_more_and_its_letter_stays(world) -> None:
    offset = await publishes(world, (b"{", binary(world.sale())[1]))
    letter = await letter_of(world, offset)
    parked = await parked_at(world, PARTITION, offset)

    answer = await world.operator.send("DELETE", f"{PARKED}/{parked['id']}")

    assert answer.status_code == 204
    assert await parked_at(world, PARTITION, offset) is None
    assert letter in await world.topics.read(LETTERS)
