"""Identities: UUIDv7, which sort by time and keep indexes compact."""

import secrets
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from msgspec import convert, to_builtins

_VERSION_AND_VARIANT = 0x7 << 76 | 0x2 << 62
_FREE = ~(0xF << 76 | 0x3 << 62)
AS_NUMBER = attrgetter("int")  # sorts UUIDs as they do themselves, ten times as fast


def text_of(one: UUID | str) -> str:
    """Return an id's text, as `str` does, faster; what is text already as it is."""
    text: str = to_builtins(one)
    return text


def id_of(text: str) -> UUID:
    """Read an id's text, as `UUID` does, faster; `msgspec.ValidationError` if it is none."""
    return convert(text, UUID)


def new_id(now: datetime) -> UUID:
    """Make an id that sorts by `now` and that nobody can guess (UUIDv7, RFC 9562 §5.7)."""
    return uuid7(now, secrets.token_bytes(10))


def new_ids(now: datetime, count: int) -> list[UUID]:
    """Make so many ids as `new_id` does, in their order."""
    tails, time = secrets.token_bytes(10 * count), _milliseconds(now)
    return sorted(
        (_laid_out(time, tails[start : start + 10]) for start in range(0, len(tails), 10)),
        key=AS_NUMBER,
    )


def uuid7(now: datetime, tail: bytes) -> UUID:
    """Lay `now`, to the millisecond, and the first 10 bytes of `tail` out as a UUIDv7."""
    return _laid_out(_milliseconds(now), tail[:10])


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _laid_out(milliseconds: int, tail: bytes) -> UUID:
    value = milliseconds << 80 | int.from_bytes(tail)
    return convert((value & _FREE | _VERSION_AND_VARIANT).to_bytes(16), UUID)
