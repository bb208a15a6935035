"""A shop of the outside world: it publishes what it has sold, as foreign programs do."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

TOPIC = "certificates.purchases.v1"


async def publish(kafka: str, purchases: Path, account_id: str, suffix: str = "") -> list[Any]:
    """Publish what the shop has sold, in both modes of CloudEvents; return the purchases.

    A shop that has sold the same before gives its orders another `suffix`.
    """
    lines = [json.loads(line) for line in purchases.read_text().splitlines()]
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all") as shop:
        for line in lines:
            line["id"] += suffix
            line["data"]["purchase_id"] += suffix
            line["data"]["account_id"] = account_id
            value, headers = _cloudevent(line)
            key = line["data"]["purchase_id"].encode()
            await shop.send_and_wait(TOPIC, value, key=key, headers=headers)
    return [line["data"] for line in lines]


def _cloudevent(line: Mapping[str, Any]) -> tuple[bytes, list[tuple[str, bytes]]]:
    attributes = {
        "specversion": "1.0",
        "id": line["id"],
        "source": "/sandbox/shop",
        "type": "certfold.PurchaseCompleted.v1",
    }
    if line["mode"] == "structured":
        event = {**attributes, "datacontenttype": "application/json", "data": line["data"]}
        return json.dumps(event).encode(), [("content-type", b"application/cloudevents+json")]
    headers = [(f"ce_{name}", text.encode()) for name, text in attributes.items()]
    return json.dumps(line["data"]).encode(), [*headers, ("content-type", b"application/json")]
