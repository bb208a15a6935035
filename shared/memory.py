"""What a replica has read or written last, so that it need not read it again.

A thing is what it was for as long as its version is. Whoever decides by what is remembered finds
out when it is written: another has written it meanwhile if the version is another one, and then
all is decided again, by what is read under a lock.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar
from uuid import UUID

from shared.decision import Thing

MOST = 4000  # weight of each kind, twice: things touched lately, and those touched before
IDS_PER_NAME = 30  # ids that weigh as much as a name
MOST_WRITTEN = 2 << 20  # characters of JSON

V = TypeVar("V")


class Memory:
    """Things by their place, for so many of each kind as were touched lately.

    What a thing weighs, for its kind, is about its size: 1 for some 3 kB, as a name with all that
    is known of it takes.
    """

    def __init__(self, weighs: Mapping[type[Thing], Callable[[Any], int]] | None = None) -> None:
        self._weighs = weighs or {}
        self._room: dict[type[Thing], int] = {}  # for what else may be touched lately
        self._lately: dict[type[Thing], dict[UUID, Thing]] = {}
        self._before: dict[type[Thing], dict[UUID, Thing]] = {}

    def recall(self, kind: type[Thing], ids: Iterable[UUID]) -> dict[UUID, Thing]:
        """Return those that are remembered."""
        lately, before = self._lately.get(kind, {}), self._before.get(kind, {})
        found = {one: lately.get(one) or before.get(one) for one in ids}
        return {one: thing for one, thing in found.items() if thing is not None}

    def note(self, things: Iterable[Thing]) -> None:
        """Remember things as they are in the database now."""
        for thing in things:
            kind, lately = type(thing), self._lately.get(type(thing), {})
            if thing.id not in lately:
                if self._room.get(kind, 0) <= 0:
                    self._before[kind], lately = lately, {}
                    self._lately[kind], self._room[kind] = lately, MOST
                self._room[kind] -= self._weighs[kind](thing) if kind in self._weighs else 1
            lately[thing.id] = thing

    def drop(self, kind: type[Thing], ids: Iterable[UUID]) -> None:
        """Forget what was misleading."""
        for one in ids:
            self._lately.get(kind, {}).pop(one, None)
            self._before.get(kind, {}).pop(one, None)

    def forget(self) -> None:
        """Forget everything."""
        self._lately.clear()
        self._before.clear()
        self._room.clear()


class Written(Generic[V]):
    """The JSON of one part of each thing: made once for as long as that part is the same value."""

    def __init__(self, write: Callable[[V], str]) -> None:
        self._write = write
        self._known: dict[UUID, tuple[V, str]] = {}
        self._size = 0

    def __call__(self, its_id: UUID, value: V) -> str:
        """Return the JSON of a part of the thing `its_id`, which never changes itself."""
        known = self._known.get(its_id)
        if known is not None and known[0] is value:
            return known[1]
        text = self._write(value)
        self._size += len(text) - (len(known[1]) if known else 0)
        if self._size > MOST_WRITTEN:
            self._known.clear()
            self._size = len(text)
        self._known[its_id] = value, text
        return text
