"""Which instances to combine for given names: as few as possible, and what is missing.

Alike instances are grouped; greedy choices give a first answer, and every group that others
outdo is left out; then a depth-first search with lower bounds looks for a better one. What comes
of combining may hold no more names than one certificate, so names that nobody asked for count
against a choice. Where more than two are needed to combine at all, a choice of fewer is filled up
with the smallest ones left, or is none. It is exact unless it runs out of `work`, which is said.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import mul
from uuid import UUID

from shared.contracts.base import Names

Vector = tuple[int, int, int]  # single, wildcard, ip
MOST_WORK = 300_000  # groups that are looked at
BASE_WORK = 20  # what a look costs besides, in groups
# How much a name that nobody asked for weighs against one that is needed: useful, useless.
WEIGHTS = ((1, 0), (2, 1), (1, 1), (1, 3))
KINDS = ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
NEVER = 1 << 30


@dataclass(frozen=True, slots=True)
class Plan:
    """Which instances to take. What they lack is `missing`; `is_minimal` says that it is proven."""

    instance_ids: tuple[UUID, ...]
    names: Names
    missing: Names
    is_minimal: bool


@dataclass(frozen=True, slots=True)
class Stock:
    """Instances that may be combined with each other, `fewest` at least, to `most` names."""

    instances: Mapping[UUID, Names]
    most: int
    fewest: int = 2


def plan(stocks: Iterable[Stock], needed: Names) -> Plan:
    """Choose the fewest instances of one stock that hold `needed`; else what lacks the least."""
    plans: list[Plan] = []
    searches = sorted((_search(stock, needed) for stock in stocks), key=_Search.breadth)
    left = MOST_WORK
    for n, search in enumerate(searches):  # what the small ones spare, the large ones may spend
        plans.append(_planned(search, needed, left // (len(searches) - n)))
        left -= search.work
    best = min(plans, key=_worth, default=Plan((), Names(), needed, is_minimal=True))
    return replace(best, is_minimal=all(one.is_minimal for one in plans))


def _worth(one: Plan) -> tuple[int, int, int]:
    return one.missing.total, len(one.instance_ids), one.names.total


def _search(stock: Stock, needed: Names) -> "_Search":
    owned, wanted = _vector(_sum(stock.instances.values())), _vector(needed)
    return _Search(stock, _common(owned, wanted))


def _planned(search: "_Search", needed: Names, work: int) -> Plan:
    ids = search.run(work)
    names = _sum(search.stock.instances[one] for one in ids)
    missing = Names(
        single=max(needed.single - names.single, 0),
        wildcard=max(needed.wildcard - names.wildcard, 0),
        ip=max(needed.ip - names.ip, 0),
    )
    return Plan(ids, names, missing, search.is_proven)


def _vector(names: Names) -> Vector:
    return names.single, names.wildcard, names.ip


def _sum(names: Iterable[Names]) -> Names:
    return sum(names, Names())


@dataclass(frozen=True, slots=True)
class _Group:
    """Instances that hold alike: of what is needed `holds`, in all `size` names."""

    holds: Vector
    size: int
    ids: Sequence[UUID]

    @property
    def use(self) -> int:
        """How many of its names are needed."""
        return sum(self.holds)

    def outdoes(self, other: "_Group") -> bool:
        """Say whether it can always take the place of the other one."""
        (a, b, c), (x, y, z) = self.holds, other.holds
        return self.size <= other.size and a >= x and b >= y and c >= z


def _groups(stock: Stock, need: Vector) -> list[_Group]:
    """Group a stock, the most useful first; what is of no use is left out."""
    alike: defaultdict[tuple[Vector, int], list[UUID]] = defaultdict(list)
    for instance_id, names in sorted(stock.instances.items(), key=lambda item: item[0].int):
        alike[_common(_vector(names), need), names.total].append(instance_id)
    groups = [_Group(holds, size, ids) for (holds, size), ids in alike.items() if any(holds)]
    return sorted(groups, key=lambda group: (-group.use, group.size, group.holds))


@dataclass(frozen=True, slots=True)
class _Choice:
    """So many of each group, and what they come to."""

    missing: int
    count: int
    size: int
    taken: tuple[tuple[_Group, int], ...] = ()
    filled: tuple[UUID, ...] = ()  # what is of no use, but makes it enough to be combined

    @property
    def worth(self) -> tuple[int, int, int]:
        return self.missing, self.count, self.size

    @property
    def ids(self) -> tuple[UUID, ...]:
        return tuple(one for group, n in self.taken for one in group.ids[:n]) + self.filled


class _Search:
    """Fewest members of groups whose sum reaches a need, or comes as near as it can."""

    def __init__(self, stock: Stock, need: Vector) -> None:
        self.stock, self.work = stock, 0
        self._groups, self._need, self._most = _groups(stock, need), need, stock.most
        self._smallest = sorted(stock.instances, key=lambda one: stock.instances[one].total)
        self._best = _Choice(sum(need), 0, 0)
        self._seen: defaultdict[tuple[int, Vector], list[tuple[int, int]]] = defaultdict(list)
        self._most_work = 0

    def breadth(self) -> int:
        """Say how many groups there are to choose from."""
        return len(self._groups)

    @property
    def is_proven(self) -> bool:
        """Say whether there was time to look at all that could be better."""
        return self.work <= self._most_work

    def run(self, most_work: int) -> tuple[UUID, ...]:
        """Return which to take, after no more work than that."""
        self._most_work = most_work
        for group in self._groups:  # one alone is not combined: its size does not matter
            missing = sum(_less(self._need, group.holds, 1))
            self._note(_Choice(missing, 1, group.size, ((group, 1),)))
        scarce = [1 / max((1, *(g.holds[kind] for g in self._groups))) for kind in range(3)]
        for useful, useless in WEIGHTS:
            self._take_greedily([useful, useful, useful], useless)
            self._take_greedily([useful * one for one in scarce], useless * min(scarce))
        self._groups = list(self._worth_trying())
        self._look(0, self._need, self._most, _Choice(0, 0, 0))
        return self._best.ids

    def _note(self, choice: _Choice) -> None:
        if choice.worth < self._best.worth:
            enough = self._filled(choice)
            if enough and enough.worth < self._best.worth:
                self._best = enough

    def _filled(self, choice: _Choice) -> _Choice | None:
        """Add the smallest ones that are left until there are enough to combine, if that fits."""
        lacking = self.stock.fewest - choice.count
        if choice.count <= 1 or lacking <= 0:
            return choice
        taken = set(choice.ids)
        left = tuple(islice((one for one in self._smallest if one not in taken), lacking))
        size = choice.size + sum(self.stock.instances[one].total for one in left)
        if len(left) < lacking or size > self._most:
            return None
        return replace(choice, count=self.stock.fewest, size=size, filled=left)

    def _take_greedily(self, useful: Sequence[float], useless: float) -> None:
        """Take again and again what seems best, by what a name of each kind counts."""
        left = {id(group): len(group.ids) for group in self._groups}
        rest, room, taken = self._need, self._most, dict[int, tuple[_Group, int]]()
        while True:
            best, score = None, -math.inf
            for group in self._groups:
                common = _common(group.holds, rest)
                use = sum(common)
                value = sum(map(mul, useful, common)) - useless * (group.size - use)
                if use and left[id(group)] and group.size <= room and value > score:
                    best, score = group, value
            if best is None:
                break
            left[id(best)] -= 1
            taken[id(best)] = (best, len(best.ids) - left[id(best)])
            rest, room = _less(rest, best.holds, 1), room - best.size
        count = sum(n for _, n in taken.values())
        choice = _Choice(sum(rest), count, self._most - room, tuple(taken.values()))
        self._note(choice)

    def _worth_trying(self) -> Iterator[_Group]:
        """Yield the groups that a better choice may need.

        Of a group that is outdone by as many instances as a better choice may have, none is: one
        of these would be free to take its place.
        """
        few = self._best.count - 1 if not self._best.missing else sum(self._need)
        kept: list[_Group] = []
        for group in self._groups:
            waste = group.size - group.use
            if group.size > self._most or waste > self._slack(self._need, self._most):
                continue
            better = 0
            for other in kept:
                if other.outdoes(group):
                    better += len(other.ids)
                    if better >= few:
                        break
            else:
                kept.append(group)
                yield group

    def _slack(self, rest: Vector, room: int) -> int:
        """Return how many names that nobody asked for a choice may hold, to be no worse."""
        return room - sum(rest) + self._best.missing

    def _look(self, start: int, rest: Vector, room: int, so_far: _Choice) -> None:
        count, taken = so_far.count, so_far.taken
        self._note(_Choice(sum(rest), count, self._most - room, taken))
        if self._was_seen(start, rest, room, count):
            return
        for index in range(start, len(self._groups)):
            if self._is_hopeless(index, rest, room, count):
                return
            group = self._groups[index]
            for n in range(_most_of(group, rest, room), 0, -1):
                chosen = _Choice(0, count + n, 0, (*taken, (group, n)))
                self._look(index + 1, _less(rest, group.holds, n), room - n * group.size, chosen)

    def _was_seen(self, index: int, rest: Vector, room: int, count: int) -> bool:
        """Say whether the same was looked at with as much room and as few taken."""
        seen = self._seen[index, rest]
        if any(fewer <= count and more >= room for fewer, more in seen):
            return True
        seen.append((count, room))
        return False

    def _is_hopeless(self, index: int, rest: Vector, room: int, count: int) -> bool:
        """Say whether the groups from `index` on cannot make a better choice of this one."""
        self.work += BASE_WORK + len(self._groups) - index
        if not self.is_proven:
            return True
        allowed = self._best.missing
        fewest = self._least(index, rest, room, allowed)
        needed = max(count + fewest, self.stock.fewest)  # one alone was looked at before
        if not allowed or fewest == NEVER:
            return needed >= self._best.count
        nearer = self._least(index, rest, room, allowed - 1)
        return needed >= self._best.count and nearer == NEVER

    def _least(self, index: int, rest: Vector, room: int, allowed: int) -> int:
        """Return how many are needed at least so that no more than `allowed` are missing."""
        amount = sum(rest) - allowed
        if (slack := room - amount) < 0:
            return NEVER
        held: list[tuple[int, int, int, Vector]] = []
        for group in self._groups[index:]:
            common = _common(group.holds, rest)
            use = sum(common)
            if use and group.size - use <= slack:
                held.append((use, group.size - use, len(group.ids), common))
        least = 0
        for useful, useless in WEIGHTS:
            values = [(useful * use - useless * waste, n) for use, waste, n, _ in held]
            least = max(least, _fewest(useful * amount - useless * slack, values))
        for kinds in KINDS:
            if (amount := sum(rest[kind] for kind in kinds)) > allowed:
                values = [(sum(c[kind] for kind in kinds), n) for _, _, n, c in held]
                least = max(least, _fewest(amount - allowed, values))
        return least


def _fewest(amount: int, values: list[tuple[int, int]]) -> int:
    """Return how many of so many things, each of a value, reach an amount at least."""
    fewest = 0
    for value, there in sorted(values, reverse=True):
        if amount <= 0:
            return fewest
        if value <= 0:
            break
        take = min(there, -(-amount // value))
        amount -= take * value
        fewest += take
    return fewest if amount <= 0 else NEVER


def _most_of(group: _Group, rest: Vector, room: int) -> int:
    """Return how many of a group might help."""
    enough = max((-(-r // v) for v, r in zip(group.holds, rest, strict=True) if v), default=0)
    return min(len(group.ids), room // group.size, enough)


def _common(one: Vector, other: Vector) -> Vector:
    return min(one[0], other[0]), min(one[1], other[1]), min(one[2], other[2])


def _less(rest: Vector, vector: Vector, times: int) -> Vector:
    return (
        max(rest[0] - times * vector[0], 0),
        max(rest[1] - times * vector[1], 0),
        max(rest[2] - times * vector[2], 0),
    )
