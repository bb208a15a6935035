"""How records are read, whatever they hold; and how facts are dressed for the wire."""

import json
from base64 import b64encode
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.cloudevents import (
    LONGEST_ATTRIBUTE,
    Envelope,
    Heard,
    NotACloudEventError,
    NotUnderstood,
    UnknownTypeError,
    because_of,
    headers,
    identity,
    sequence_header,
    standing,
    understand,
)
from shared.contracts.base import Event
from tests.shared.make import A, Record
from tests.shared.tally import Counted, CountEvent, Recounted, Tallied, TallyEvent

COUNTED = Counted(tally_id=A, amount=4)
DATA = COUNTED.model_dump_json().encode()
ATTRIBUTES = {"specversion": "1.0", "id": "order 66", "source": "/shop", "type": Counted.type}


def read(record: Record, family: type[Event] = CountEvent) -> Envelope | None:
    return understand(record, family.family, frozenset({Counted}))


def binary(value: bytes | None = DATA, *, without: str = "", **changes: str) -> Record:
    attributes = {name: text for name, text in (ATTRIBUTES | changes).items() if name != without}
    return Record(value, [(f"ce_{name}", text.encode()) for name, text in attributes.items()])


def structured(value: object, content_type: bytes = b"application/cloudevents+json") -> Record:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Record(text, [("content-type", content_type)])


def whole(**changes: object) -> dict[str, object]:
    return ATTRIBUTES | {"data": json.loads(DATA)} | changes


def error_of(record: Record) -> Exception:
    envelope = read(record)
    assert isinstance(envelope, NotUnderstood)
    assert envelope == NotUnderstood(record, envelope.error, is_bug=False)
    return envelope.error


def test_binary_mode_has_its_attributes_in_the_headers() -> None:
    record = binary(correlationid="story")
    record.headers.append(("traceparent", b"00-trace"))

    assert read(record) == Heard(
        id=identity("/shop", "order 66", COUNTED.model_dump_json()),
        message=COUNTED,
        correlation_id="story",
        traceparent="00-trace",
        record=record,
        actor="/shop",
    )


@pytest.mark.parametrize(
    "content_type",
    [b"application/cloudevents+json", b"application/cloudevents+json; charset=UTF-8"],
)
def test_structured_mode_has_all_of_it_in_the_value(content_type) -> None:
    record = structured(whole(correlationid="story", traceparent="00-trace"), content_type)

    assert read(record) == Heard(
        id=identity("/shop", "order 66", COUNTED.model_dump_json()),
        message=COUNTED,
        correlation_id="story",
        traceparent="00-trace",
        record=record,
        actor="/shop",
    )


def test_structured_mode_may_carry_its_data_as_base64() -> None:
    envelope = {**ATTRIBUTES, "data_base64": b64encode(DATA).decode()}

    assert read(structured(envelope)).message == COUNTED


def test_story_begins_with_the_message_where_nobody_has_named_it() -> None:
    assert read(binary()).correlation_id == "order 66"


@pytest.mark.parametrize("name", ["id", "source", "type"])
def test_missing_attribute_is_named(name) -> None:
    told = f"^attributes are missing: {name}$"

    for record in (
        binary(without=name),
        binary(**{name: ""}),
        structured({key: value for key, value in whole().items() if key != name}),
        structured(whole(**{name: 7})),
    ):
        with pytest.raises(NotACloudEventError, match=told):
            raise error_of(record)


def test_missing_attributes_are_all_named_at_once() -> None:
    assert str(error_of(Record(DATA, []))) == "attributes are missing: id, source, type"


@pytest.mark.parametrize("specversion", ["0.3", "2.0", "one"])
@pytest.mark.parametrize("dress", [binary, lambda **more: structured(whole(**more))])
def test_another_version_of_cloudevents_is_not_understood(dress, specversion) -> None:
    error = error_of(dress(specversion=specversion))

    assert isinstance(error, NotACloudEventError)
    assert str(error) == f"specversion {specversion!r} is not 1.0"


def test_null_header_is_named() -> None:
    record = binary()
    record.headers.append(("tenant", None))

    assert str(error_of(record)) == "null headers: ['tenant']"


@pytest.mark.parametrize("value", [b"[]", b'"text"', b"7", b"null"])
def test_structured_value_that_is_no_object_is_not_understood(value) -> None:
    assert "is a JSON object" in str(error_of(structured(value)))


def test_half_of_a_character_is_no_id() -> None:
    error_of(structured(rb'{"id": "\ud800", "source": "/shop", "type": "certfold.Counted.v1"}'))


def test_word_that_we_do_not_know_is_parked_where_others_speak() -> None:
    error = error_of(binary(type="certfold.Praised.v1"))

    assert isinstance(error, UnknownTypeError)
    assert "'certfold.Praised.v1' is none of ['certfold.Cloned.v1'," in str(error)


def test_word_that_we_do_not_know_passes_by_where_our_own_newer_services_speak() -> None:
    assert read(binary(type="certfold.Praised.v1"), TallyEvent) is None


def test_word_that_we_know_and_have_no_use_for_passes_by() -> None:
    assert read(binary(type=Recounted.type)) is None
    assert read(binary(type=Tallied.type), TallyEvent) is None


def test_of_foreigners_the_content_belongs_to_the_identity() -> None:
    other = Counted(tally_id=A, amount=5).model_dump_json().encode()
    heard = [
        read(binary(data, source=source, id=one)).id
        for source in ("/shop", "/other")
        for one in ("1", "2")
        for data in (DATA, other)
    ]
    respelled = json.dumps(json.loads(DATA), indent=4).encode()

    assert len(set(heard)) == 8
    assert read(binary(respelled, source="/shop", id="1")).id == heard[0]


@pytest.mark.parametrize("name", ["id", "source", "correlationid", "subject"])
def test_attribute_that_would_weigh_on_all_that_follows_is_refused(name) -> None:
    assert isinstance(read(binary(**{name: "x" * LONGEST_ATTRIBUTE})), Heard)

    assert name in str(error_of(binary(**{name: "x" * (LONGEST_ATTRIBUTE + 1)})))


def test_our_own_ids_are_taken_as_they_are() -> None:
    assert identity("/certfold/inventory", str(A)) == A


def test_fact_is_dressed_so_that_it_is_understood_again() -> None:
    cause = Heard(UUID(int=5), COUNTED, "story", "00-trace", actor="ann")
    tallied = Tallied(tally_id=A, total=4)

    time = b"2026-11-22T12:00:00+00:00"
    always = standing(Tallied, "tally")
    dressed = headers(always, UUID(int=9), time, str(A).encode(), because_of(cause))

    assert dict(dressed) == {
        "ce_specversion": b"1.0",
        "ce_id": str(UUID(int=9)).encode(),
        "ce_source": b"/certfold/tally",
        "ce_type": b"certfold.Tallied.v1",
        "ce_time": b"2026-11-22T12:00:00+00:00",
        "ce_subject": str(A).encode(),
        "ce_dataschema": b"urn:certfold:events:Tallied:1",
        "ce_correlationid": b"story",
        "ce_causationid": str(UUID(int=5)).encode(),
        "ce_actor": b"ann",
        "content-type": b"application/json",
        "traceparent": b"00-trace",
    }
    record = Record(tallied.model_dump_json().encode(), dressed)
    assert understand(record, TallyEvent.family, frozenset({Tallied})) == Heard(
        UUID(int=9), tallied, "story", "00-trace", record, actor="ann"
    )


def test_place_in_the_story_is_text_that_sorts_as_the_number_does() -> None:
    places = [1, 2, 10, 999, 2**63 - 1]

    assert sorted(map(sequence_header, reversed(places))) == list(map(sequence_header, places))


NAMES = st.sampled_from(["content-type", *(f"ce_{name}" for name in ATTRIBUTES)]) | st.text()
HEADERS = st.lists(
    st.tuples(NAMES, st.none() | st.binary() | st.sampled_from([b"application/cloudevents"]))
)
JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=3)
ENVELOPES = st.dictionaries(
    st.sampled_from([*ATTRIBUTES, "data", "data_base64", "correlationid"]),
    JSON | st.sampled_from([Counted.type, "/shop", "/certfold/x", "1.0"]),
)


@settings(deadline=None)
@given(st.none() | st.binary() | ENVELOPES.map(lambda it: json.dumps(it).encode()), HEADERS)
def test_every_record_is_understood_passed_by_or_told_why_not(value, given_headers) -> None:
    record = Record(value, given_headers)

    for family in (CountEvent, TallyEvent):
        assert isinstance(read(record, family), Heard | NotUnderstood | None)


@settings(deadline=None)
@given(ENVELOPES)
def test_every_structured_envelope_is_understood_passed_by_or_told_why_not(envelope) -> None:
    assert isinstance(read(structured(envelope)), Heard | NotUnderstood | None)
