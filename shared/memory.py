"""What a replica has read or written last, so that it need not read it again.

A thing is what it was for as long as its version is. Whoever decides by what is remembered finds
out when it is written: another has written it meanwhile if the version is another one, and then
all is decided again, by what is read under a lock.
"""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar
from uuid import UUID

from shared.decision import Thing

MOST = 2000  # of each kind, twice: those touched lately, and those touched before

V = TypeVar("V")


class Memory:
    """Things by their place, for so many of each kind as were touched lately."""

    def __init__(self) -> None:
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
            kind = type(thing)
            lately = self._lately.get(kind)
            if lately is None or len(lately) >= MOST:
                self._before[kind], lately = lately or {}, {}
                self._lately[kind] = lately
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


class Written(Generic[V]):
    """The JSON of values that never change: made once for as long as a value is remembered."""

    def __init__(self, write: Callable[[V], str]) -> None:
        self._write = write
        self._known: dict[int, tuple[V, str]] = {}  # holds the value, so that its id is its own

    def __call__(self, value: V) -> str:
        """Return the JSON of a value; the same object always has the same."""
        known = self._known.get(id(value))
        if known is None:
            if len(self._known) >= 2 * MOST:
                self._known.clear()
            known = self._known[id(value)] = value, self._write(value)
        return known[1]
