"""What a service does when messages arrive, line by line; and where it keeps its things."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from shared.contracts.base import Message
from shared.decision import Decision, Moment, Thing
from shared.ids import AS_NUMBER
from shared.postgres import Transaction, lock_versions
from shared.writing import Writes

M = TypeVar("M", bound=Message)
T = TypeVar("T", bound=Thing)
U = TypeVar("U", bound=Thing)

World = dict[tuple[type[Thing], UUID], Thing]
"""What there is, as far as somebody needs it: by what it is, and its id."""


@dataclass(frozen=True, slots=True)
class Shelf(Generic[T]):
    """Where things of one type are kept: one statement a table, however many things.

    With a `table` each thing is one row of it, and has that row's `version`: it may be remembered,
    by what it `weighs`.
    """

    holds: type[T]
    load: Callable[[Transaction, Sequence[UUID]], Awaitable[Iterable[T]]]
    save: Callable[[Writes, Sequence[T]], None]
    table: str | None = None
    weighs: Callable[[T], int] = lambda _: 1

    def one(self, world: World, its_id: UUID) -> T | None:
        """Return a thing, if it is there."""
        thing: Any = world.get((self.holds, its_id))
        found: T | None = thing
        return found

    def all(self, world: World, ids: Iterable[UUID]) -> dict[UUID, T]:
        """Return those things that are there."""
        found = ((its_id, self.one(world, its_id)) for its_id in ids)
        return {its_id: thing for its_id, thing in found if thing is not None}

    async def find(
        self, tx: Transaction, ids: Sequence[UUID], known: Mapping[UUID, T]
    ) -> dict[UUID, T]:
        """Lock what there is, in the order of `ids`; read what is not `known` as it is now."""
        found, missing = dict(known), ids
        if self.table and known:
            versions = await lock_versions(tx, self.table, ids)
            found = {one: known[one] for one in known if is_of(known[one], versions.get(one))}
            missing = [one for one in ids if one in versions and one not in found]
        if missing:
            found |= {thing.id: thing for thing in await self.load(tx, missing)}
        return found

    def keep(
        self,
        writes: Writes,
        changed: Sequence[T],
        hoped: Mapping[UUID, T],
        unheard: Sequence[UUID],
    ) -> None:
        """Write what changed; expect what else is only `hoped` to be so, or not to be, to be so."""
        beside: Any = hoped
        written = {thing.id for thing in changed}
        if self.table and hoped.keys() - written:
            ids = sorted(hoped, key=AS_NUMBER)
            writes.confirm(self.table, {one: beside[one].version for one in ids})
        # Of what is written, the writing itself expects that it is not there.
        if self.table and (absent := [one for one in unheard if one not in written]):
            writes.confirm_none(self.table, absent)
        if changed:
            self.save(writes, sorted(changed, key=lambda thing: thing.id.int))


def nothing(_: object) -> Iterable[UUID]:
    """Name no things."""
    return ()


@dataclass(frozen=True, slots=True)
class Need:
    """Which things of one shelf a message is about; those that are `new` are not there, as a rule.

    What is not remembered of the new ones is hoped not to be there, instead of looked for.
    """

    shelf: Shelf[Any]
    about: Callable[[Any], Iterable[UUID]]
    new: Callable[[Any], Iterable[UUID]] = nothing


@dataclass(frozen=True, slots=True)
class Reaction:
    """One line of a service's table: this message, about those things, is decided so.

    `weighs` is how many things one such message may make or change: batches are cut by it. Those
    that do not `concern` this service are passed by.
    """

    message: type[Message]
    needs: tuple[Need, ...]
    then: Callable[[World, Any, Moment], Decision]
    weighs: Callable[[Any], int]
    concerns: Callable[[Any], bool] = lambda _: True


def when(
    message: type[M],
    shelf: Shelf[T],
    *,
    about: Callable[[M], UUID],
    then: Callable[[T | None, M, Moment], Decision],
    weighs: Callable[[M], int] = lambda _: 1,
    begins: bool = False,
) -> Reaction:
    """React to a message about one thing, which may not exist yet; as a rule, if it `begins`."""

    def decide(world: World, message: M, moment: Moment) -> Decision:
        return then(shelf.one(world, about(message)), message, moment)

    return Reaction(message, (_one(shelf, about, new=begins),), decide, weighs)


def when_beside(
    message: type[M],
    shelf: Shelf[T],
    other: Shelf[U],
    *,
    about: Callable[[M], UUID],
    beside: Callable[[M], UUID],
    then: Callable[[T | None, U | None, M, Moment], Decision],
    weighs: Callable[[M], int] = lambda _: 1,
    begins: bool = False,
    rarely_beside: bool = False,
) -> Reaction:
    """React to a message about one thing, by what another one of another kind says too.

    It `begins` the one, and there is `rarely` the other.
    """

    def decide(world: World, message: M, moment: Moment) -> Decision:
        one, two = shelf.one(world, about(message)), other.one(world, beside(message))
        return then(one, two, message, moment)

    needs = _one(shelf, about, new=begins), _one(other, beside, new=rarely_beside)
    return Reaction(message, needs, decide, weighs)


def when_beside_all(
    message: type[M],
    shelf: Shelf[T],
    others: Shelf[U],
    *,
    about: Callable[[M], UUID],
    beside: Callable[[M], Iterable[UUID]],
    then: Callable[[T | None, Mapping[UUID, U], M, Moment], Decision],
    begins: bool = False,
) -> Reaction:
    """React to a message about one thing and several of another kind, all or none."""

    def decide(world: World, message: M, moment: Moment) -> Decision:
        one, all_ = shelf.one(world, about(message)), others.all(world, beside(message))
        return then(one, all_, message, moment)

    def weight(message: M) -> int:
        return 1 + len(tuple(beside(message)))

    needs = _one(shelf, about, new=begins), Need(others, beside)
    return Reaction(message, needs, decide, weight)


def _one(shelf: Shelf[T], about: Callable[[M], UUID], *, new: bool) -> Need:
    def only(message: M) -> tuple[UUID]:
        return (about(message),)

    return Need(shelf, only, only if new else nothing)


def when_some(
    message: type[M],
    shelf: Shelf[T],
    *,
    about: Callable[[M], UUID | None],
    then: Callable[[T | None, M, Moment], Decision],
) -> Reaction:
    """React to a message that may be about one thing of ours; pass it by where it is not."""

    def ours(message: M) -> tuple[UUID, ...]:
        thing = about(message)
        return () if thing is None else (thing,)

    def decide(world: World, message: M, moment: Moment) -> Decision:
        thing = next((shelf.one(world, its_id) for its_id in ours(message)), None)
        return then(thing, message, moment) if thing is not None else Decision()

    def concerns(message: M) -> bool:
        return about(message) is not None

    return Reaction(message, (Need(shelf, ours),), decide, lambda _: 1, concerns=concerns)


def when_all(
    message: type[M],
    shelf: Shelf[T],
    *,
    about: Callable[[M], Iterable[UUID]],
    then: Callable[[Mapping[UUID, T], M, Moment], Decision],
    new: Callable[[M], Iterable[UUID]] = nothing,
) -> Reaction:
    """React to a message about several things, all or none; those that exist are handed over.

    As a rule, those that are `new` do not.
    """

    def decide(world: World, message: M, moment: Moment) -> Decision:
        return then(shelf.all(world, about(message)), message, moment)

    def weight(message: M) -> int:
        return len(tuple(about(message)))

    return Reaction(message, (Need(shelf, about, new),), decide, weight)


def is_of(thing: Any, version: int | None) -> bool:
    """Say whether a thing is of that version."""
    return bool(thing.version == version)
