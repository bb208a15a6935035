"""How identities are written and read; what they look like is RFC 9562's."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import ValidationError

from shared.ids import id_of, new_id, new_ids, text_of, uuid7

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@given(st.uuids())
def test_id_is_written_and_read_as_everybody_does(one) -> None:
    assert text_of(one) == str(one)
    assert id_of(str(one)) == one


def test_text_is_its_own_text() -> None:
    assert text_of("order 66") == "order 66"


@pytest.mark.parametrize("text", ["", "order 66", str(UUID(int=1))[:-1], f"{UUID(int=1)}0"])
def test_what_is_no_id_is_refused(text) -> None:
    with pytest.raises(ValidationError):
        id_of(text)


@given(st.binary(min_size=10, max_size=16))
def test_id_says_when_it_was_made_its_version_and_its_variant(tail) -> None:
    made = uuid7(NOON, tail)

    assert (made.version, made.variant) == (7, UUID(int=0x8 << 60).variant)
    assert made.int >> 80 == int(NOON.timestamp() * 1000)


def test_ids_of_one_moment_come_in_their_order_and_none_comes_twice() -> None:
    ids = [*new_ids(NOON, 100), *new_ids(NOON, 1), new_id(NOON)]

    assert ids[:100] == sorted(ids[:100])
    assert len(set(ids)) == 102
