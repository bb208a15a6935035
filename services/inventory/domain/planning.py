"""Which instances to combine for given names: as few as possible, and what is missing.

Identical instances are grouped; then a depth-first search over the groups, largest first, with two
bounds, finds the fewest. It is exact unless it runs out of `steps`, which is said.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.contracts.base import Names

Vector = tuple[int, int, int]  # single, wildcard, ip
Holds = Callable[[Vector], int]
MOST_STEPS = 60_000  # some 0.3 s


@dataclass(frozen=True, slots=True)
class Plan:
    """Which instances to take. What they lack is `missing`; `is_minimal` says that it is proven."""

    instance_ids: tuple[UUID, ...]
    names: Names
    missing: Names
    is_minimal: bool


@dataclass(frozen=True, slots=True)
class Stock:
    """Instances that may be combined with each other."""

    instances: Mapping[UUID, Names]


def plan(stocks: Iterable[Stock], needed: Names) -> Plan:
    """Choose the fewest instances of one stock that hold `needed`; else what lacks the least."""
    plans = [_plan(stock, needed) for stock in stocks]
    nothing = Plan((), Names(), needed, is_minimal=True)
    return min(plans, key=_worth, default=nothing)


def _worth(one: Plan) -> tuple[int, int, int]:
    return one.missing.total, len(one.instance_ids), one.names.total


def _plan(stock: Stock, needed: Names) -> Plan:
    groups: defaultdict[Vector, list[UUID]] = defaultdict(list)
    for instance_id, names in sorted(stock.instances.items(), key=lambda item: item[0].int):
        groups[_vector(names)].append(instance_id)
    all_of_it = _sum(stock.instances.values())
    need = _vector(needed)
    reachable: Vector = (
        min(need[0], all_of_it.single),
        min(need[1], all_of_it.wildcard),
        min(need[2], all_of_it.ip),
    )
    search = _Search([(vector, len(ids)) for vector, ids in groups.items()], reachable)
    chosen = search.run()
    ids = tuple(one for vector, count in chosen.items() for one in groups[vector][:count])
    names = _sum(stock.instances[one] for one in ids)
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


class _Search:
    """Fewest members of groups whose sum reaches a need, which all of them together do reach."""

    def __init__(self, groups: Sequence[tuple[Vector, int]], need: Vector) -> None:
        self._need = need
        useful = [(v, n) for v, n in groups if any(a and b for a, b in zip(v, need, strict=True))]
        # Those that hold most of what is needed come first: good answers early bound the rest.
        self._groups = sorted(useful, key=lambda group: self._use(group[0]), reverse=True)
        self._best: dict[Vector, int] | None = None
        self._best_count = 1 + sum(count for _, count in useful)
        self._seen: dict[tuple[int, Vector], int] = {}
        self._steps = 0

    @property
    def is_proven(self) -> bool:
        """Say whether there was time to look at all that could be better."""
        return self._steps < MOST_STEPS

    def run(self) -> dict[Vector, int]:
        """Return how many to take of each group."""
        if any(self._need):
            self._look(0, self._need, {}, 0)
        return {vector: count for vector, count in (self._best or {}).items() if count}

    def _use(self, vector: Vector) -> tuple[int, int]:
        used = sum(min(a, b) for a, b in zip(vector, self._need, strict=True))
        return used, -sum(vector)

    def _look(self, index: int, rest: Vector, taken: dict[Vector, int], count: int) -> None:
        if not any(rest):
            if count < self._best_count:
                self._best, self._best_count = dict(taken), count
            return
        self._steps += 1
        if index == len(self._groups) or not self.is_proven:
            return
        if count + self._least(index, rest) >= self._best_count:
            return
        if self._seen.get((index, rest), self._best_count) <= count:
            return
        self._seen[index, rest] = count
        vector, there = self._groups[index]
        for take in self._takes(vector, there, rest):
            taken[vector] = take
            self._look(index + 1, _less(rest, vector, take), taken, count + take)
        taken.pop(vector, None)

    def _takes(self, vector: Vector, there: int, rest: Vector) -> Iterator[int]:
        """Yield how many one might take, most first: more than are needed never help."""
        enough = max(-(-r // v) for v, r in zip(vector, rest, strict=True) if v)
        return iter(range(min(there, enough), -1, -1))

    def _least(self, index: int, rest: Vector) -> int:
        """Return how many are needed at least: for each kind by itself, and for all together."""
        needed = [self._fewest(index, rest[kind], lambda v, k=kind: v[k]) for kind in range(3)]  # type: ignore[misc]
        together = self._fewest(index, sum(rest), lambda v: sum(map(min, v, rest)))
        return max(*needed, together)

    def _fewest(self, index: int, amount: int, holds: Holds) -> int:
        """Take what holds most of it, as if nothing else mattered."""
        if amount <= 0:
            return 0
        fewest = 0
        held = sorted(((holds(v), n) for v, n in self._groups[index:]), reverse=True)
        for each, there in held:
            if each <= 0:
                break
            take = min(there, -(-amount // each))
            amount -= take * each
            fewest += take
            if amount <= 0:
                return fewest
        return 1 << 30  # what is left does not reach


def _less(rest: Vector, vector: Vector, times: int) -> Vector:
    return (
        max(rest[0] - times * vector[0], 0),
        max(rest[1] - times * vector[1], 0),
        max(rest[2] - times * vector[2], 0),
    )
