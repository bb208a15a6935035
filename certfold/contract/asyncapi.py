"""The whole system in one AsyncAPI 3.0 document: every topic, who writes and who reads it.

FastStream's own document knows one service, and no channel that goes through an outbox.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from certfold.contract.examples import example
from certfold.contract.schemas import events
from certfold.contract.system import Service
from certfold.provision.topics import FAMILIES
from shared.contracts.base import Event

Json = dict[str, Any]

LETTER = "DeadLetter"
UUID = {"type": "string", "format": "uuid"}
ATTRIBUTES: Json = {
    "ce_specversion": {"type": "string", "const": "1.0"},
    "ce_id": {"type": "string", "description": "ours are UUIDv7; with ce_source unique"},
    "ce_source": {"type": "string", "description": "who says it: /certfold/<service>, or a shop"},
    "ce_type": {"type": "string"},
    "ce_time": {"type": "string", "format": "date-time"},
    "ce_subject": {"type": "string", "description": "the id that the event is about: the key"},
    "ce_dataschema": {"type": "string", "format": "uri"},
    "ce_sequence": {
        "type": "string",
        "pattern": "^[0-9]{19}$",
        "description": "counts the events of this subject in this topic, from 1 without gaps",
    },
    "ce_correlationid": {"type": "string", "description": "the same for all that one cause led to"},
    "ce_causationid": {"type": "string", "description": "what this one is said because of"},
    "content-type": {"type": "string", "const": "application/json"},
    "traceparent": {"type": "string", "description": "W3C Trace Context"},
}
FROM_FOREIGNERS = ("ce_id", "ce_source", "ce_type")
FROM_US = tuple(name for name in ATTRIBUTES if name != "traceparent")
STORY: Json = {
    "x-original-topic": {"type": "string"},
    "x-original-partition": {"type": "string", "pattern": "^[0-9]+$"},
    "x-original-offset": {"type": "string", "pattern": "^[0-9]+$"},
    "x-original-timestamp": {"type": "string", "description": "milliseconds since 1970"},
    "x-group": {"type": "string", "description": "the consumer that did not understand it"},
    "x-error-class": {"type": "string"},
    "x-error-message": {"type": "string"},
    "x-first-failed-at": {"type": "string", "format": "date-time"},
}
ABOUT = """Certfold's facts, as CloudEvents 1.0 in Kafka: binary content mode out, binary and
structured in. Delivered at least once, in order for each key; who drops repeated
(`ce_source`, `ce_id`) sees each fact once. Fields are only ever added: ignore what you do not know.
"""


def document(services: Sequence[Service]) -> Json:
    """Describe all topics, dead letters' too."""
    channels = dict(_channels(services))
    operations = dict(_operations(services))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Certfold",
            "version": "1",
            "description": ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "id": "urn:certfold",
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "127.0.0.1:9092",
                "protocol": "kafka",
                "description": "the embedded one; CERTFOLD_KAFKA_SERVERS tells of others",
            }
        },
        "channels": {name: channels[name] for name in sorted(channels)},
        "operations": {name: operations[name] for name in sorted(operations)},
        "components": {
            "messages": {
                **{event.__name__: _message(event) for event in events()},
                LETTER: _letter(),
            },
            "schemas": {
                "CloudEvent": {
                    "type": "object",
                    "properties": ATTRIBUTES,
                    "required": list(FROM_FOREIGNERS),
                }
            },
        },
    }


def dead_letters(topic: str, group: str) -> str:
    """Name the topic where `group` lays what it did not understand of `topic`."""
    return f"{topic}.{group}.dlt"


def _channels(services: Sequence[Service]) -> Iterator[tuple[str, Json]]:
    for family in FAMILIES:
        names = sorted(event.__name__ for event in family.family.values())
        yield family.topic, _channel(family.topic, (family.__doc__ or "").strip(), names)
    for service in services:
        for topic in service.hears:
            name = dead_letters(topic, service.name)
            told = f"What {service.name} could not understand of {topic}, as it came."
            yield name, _channel(name, told, [LETTER])


def _channel(topic: str, description: str, messages: Sequence[str]) -> Json:
    return {
        "address": topic,
        "description": description,
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"kafka": {"topic": topic, "bindingVersion": "0.5.0"}},
    }


def _operations(services: Sequence[Service]) -> Iterator[tuple[str, Json]]:
    for service in services:
        for topic, heard in service.hears.items():
            names = sorted(event.__name__ for event in heard)
            group = {"kafka": {"groupId": {"const": service.name}, "bindingVersion": "0.5.0"}}
            receive = _operation(service, "receive", topic, names) | {"bindings": group}
            yield f"{service.name}.receive.{topic}", receive
            letters = dead_letters(topic, service.name)
            yield f"{service.name}.send.{letters}", _operation(service, "send", letters, [LETTER])
        if says := service.says:
            names = sorted(event.__name__ for event in says.family.values())
            yield (
                f"{service.name}.send.{says.topic}",
                _operation(service, "send", says.topic, names),
            )


def _operation(service: Service, action: str, topic: str, messages: Sequence[str]) -> Json:
    channel = f"#/channels/{topic}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in messages],
        "tags": [{"name": service.name}],
    }


def _message(event: type[Event]) -> Json:
    fixed = {"ce_type": {"const": event.type}, "ce_dataschema": {"const": event.dataschema}}
    required = FROM_FOREIGNERS if event.is_foreign else FROM_US
    return {
        "name": event.type,
        "title": event.__name__,
        "summary": (event.__doc__ or "").strip(),
        "contentType": "application/json",
        "headers": {
            "allOf": [
                {"$ref": "#/components/schemas/CloudEvent"},
                {"type": "object", "properties": fixed, "required": list(required)},
            ]
        },
        "payload": {"$ref": f"schemas/{event.__name__}.json"},
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "bindings": {"kafka": {"key": _key(event), "bindingVersion": "0.5.0"}},
        "examples": [{"name": event.__name__, "payload": example(event)}],
    }


def _key(event: type[Event]) -> Json:
    if event.is_foreign:
        return {"description": "any"}
    return {"type": "string", "description": f"the {event.about}, as in ce_subject"}


def _letter() -> Json:
    return {
        "name": LETTER,
        "title": LETTER,
        "summary": "A message that was not understood, as it came (bytes, key, headers), and why.",
        "contentType": "application/octet-stream",
        "headers": {"type": "object", "properties": STORY, "required": list(STORY)},
        "payload": {"description": "the bytes as they came"},
    }
