"""Which instances to combine for given names: as few as possible, whatever is owned."""

import random
from itertools import combinations
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.inventory.domain import planning
from services.inventory.domain.planning import MOST_WORK, Plan, Stock, plan
from shared.contracts.base import Names

MOST = 250
SINGLE, WILDCARD, IP = Names(single=1), Names(wildcard=1), Names(ip=1)


def stock(*names: Names, most: int = MOST, first: int = 1, fewest: int = 2) -> Stock:
    return Stock({UUID(int=first + n): its for n, its in enumerate(names)}, most, fewest)


def names(*vectors: tuple[int, int, int]) -> list[Names]:
    return [Names(single=s, wildcard=w, ip=i) for s, w, i in vectors]


def chosen(found: Plan) -> list[int]:
    return sorted(one.int for one in found.instance_ids)


def test_fewest_are_chosen_that_hold_all() -> None:
    owned = stock(SINGLE, SINGLE, Names(single=3), WILDCARD, Names(single=2, wildcard=1))

    found = plan([owned], Names(single=4, wildcard=1))

    assert (chosen(found), found.is_minimal) == ([3, 5], True)
    assert (found.names, found.missing) == (Names(single=5, wildcard=1), Names())


def test_of_as_few_those_are_chosen_that_waste_the_least() -> None:
    assert chosen(plan([stock(Names(single=9), Names(single=2), SINGLE)], Names(single=2))) == [2]


def test_no_kind_of_name_stands_for_another() -> None:
    found = plan([stock(Names(wildcard=9, ip=9), SINGLE)], Names(single=2))

    assert (chosen(found), found.missing) == ([2], Names(single=1))


def test_what_is_missing_is_told_by_kind() -> None:
    found = plan([stock(SINGLE, WILDCARD)], Names(single=3, wildcard=1, ip=2))

    assert (chosen(found), found.missing) == ([1, 2], Names(single=2, ip=2))


def test_who_owns_nothing_lacks_everything() -> None:
    assert plan([], Names(single=2)) == Plan((), Names(), Names(single=2), is_minimal=True)


def test_only_one_stock_is_drawn_on_and_the_best_one() -> None:
    needed = Names(single=4)
    many = stock(*[Names(single=2)] * 2)
    lacking, one = stock(Names(single=3), first=10), stock(Names(single=5), first=20)

    assert chosen(plan([many, lacking], needed)) == [1, 2]
    assert chosen(plan([many, lacking, one], needed)) == [20]


def test_no_more_names_are_combined_than_a_certificate_holds() -> None:
    """Four of 70 would be too many; three of 70 and four of 10 are just enough."""
    owned = stock(*[Names(single=70)] * 4, *[Names(single=10)] * 5)

    found = plan([owned], Names(single=250))

    assert (chosen(found), found.names.total) == ([1, 2, 3, 5, 6, 7, 8], 250)


def test_one_instance_that_holds_all_is_not_combined_and_may_hold_more() -> None:
    assert chosen(plan([stock(Names(single=300), *[SINGLE] * 3)], Names(single=4))) == [1]


def test_fewer_than_may_be_combined_are_filled_up_with_the_smallest() -> None:
    owned = stock(*names((2, 0, 0), (5, 0, 0), (2, 0, 0), (0, 3, 0), (0, 2, 0)), fewest=4)

    found = plan([owned], Names(single=7))

    assert (chosen(found), found.missing, found.is_minimal) == ([1, 2, 3, 5], Names(), True)


def test_what_cannot_be_filled_up_is_no_choice() -> None:
    few = stock(Names(single=3), Names(single=2), fewest=3)
    full = stock(Names(single=3), Names(single=2), Names(wildcard=9), fewest=3, most=13)

    for owned in (few, full):
        found = plan([owned], Names(single=5))
        assert (chosen(found), found.missing) == ([1], Names(single=2))


VECTORS = st.builds(
    Names, single=st.integers(0, 9), wildcard=st.integers(0, 4), ip=st.integers(0, 2)
).filter(lambda names: names.total)
NEEDS = st.builds(
    Names, single=st.integers(0, 25), wildcard=st.integers(0, 8), ip=st.integers(0, 3)
)


def lacking(needed: Names, held: Names) -> int:
    kinds = ("single", "wildcard", "ip")
    return sum(max(getattr(needed, kind) - getattr(held, kind), 0) for kind in kinds)


def brute_force(owned: Stock, needed: Names) -> tuple[int, int]:
    """Try every choice; return what is missing at least, and of how few."""
    best = (needed.total, 0)
    for size in range(1, len(owned.instances) + 1):
        if 1 < size < owned.fewest:
            continue
        for some in combinations(owned.instances.values(), size):
            held = sum(some, Names())
            if size == 1 or held.total <= owned.most:
                best = min(best, (lacking(needed, held), size))
    return best


# What takes the most useful first is not the best here, nor what ignores useless names.
GREED = names((4, 2, 2), (8, 0, 1), (3, 0, 0), (1, 2, 1), (3, 3, 2), (1, 4, 0))
WASTE = names(
    *((7, 4, 0), (3, 0, 0), (0, 1, 2), (0, 3, 0)), *((5, 3, 1), (2, 0, 1), (3, 4, 1), (6, 1, 1))
)


@example(GREED, Names(single=5, wildcard=3, ip=3), 4, 2)
@example(WASTE, Names(single=12, wildcard=4, ip=2), 3, 2)
@given(st.lists(VECTORS, max_size=7), NEEDS, st.integers(0, 12), st.integers(2, 5))
def test_no_choice_is_better_than_the_one_that_is_found(own, needed, spare, fewest) -> None:
    owned = stock(*own, most=needed.total + spare, fewest=fewest)

    found = plan([owned], needed)

    assert found.is_minimal
    assert (found.missing.total, len(found.instance_ids)) == brute_force(owned, needed)
    assert found.names == sum((owned.instances[one] for one in found.instance_ids), Names())
    assert lacking(needed, found.names) == found.missing.total
    assert len(found.instance_ids) < 2 or found.names.total <= owned.most


SHOPS = {
    "singles and wildcards": [SINGLE, WILDCARD],
    "bundles": [Names(single=n) for n in (1, 3, 5, 10, 25)] + [WILDCARD, Names(wildcard=5)],
    "mixed bundles": [
        *(SINGLE, WILDCARD, IP, Names(single=3), Names(single=10), Names(ip=2)),
        *(Names(single=5, wildcard=1), Names(single=2, wildcard=2), Names(single=1, ip=1)),
    ],
    "combined before": [
        Names(single=s, wildcard=w, ip=i) for s in range(4) for w in range(3) for i in range(2)
    ][1:],
}
WISHES = [
    Names(single=10),
    Names(single=37, wildcard=11),
    Names(single=100, wildcard=20, ip=10),
    Names(single=200, wildcard=40, ip=10),
    Names(single=250),
    Names(single=80, wildcard=80, ip=80),
]


@pytest.mark.parametrize("shop", list(SHOPS))
@pytest.mark.parametrize("needed", WISHES, ids=str)
def test_a_thousand_instances_are_planned_exactly_and_with_little_work(
    shop, needed, monkeypatch
) -> None:
    chance = random.Random(7)
    owned = stock(*(chance.choice(SHOPS[shop]) for _ in range(1000)))
    monkeypatch.setattr(planning, "MOST_WORK", MOST_WORK // 10)

    found = plan([owned], needed)

    assert found.is_minimal
    assert len(found.instance_ids) < 2 or found.names.total <= MOST


def test_plan_that_was_not_proven_minimal_says_so_and_holds_what_it_says(monkeypatch) -> None:
    chance = random.Random(1)
    names = [
        Names(single=chance.randint(0, 40), wildcard=chance.randint(0, 10)) for _ in range(1000)
    ]
    owned, needed = stock(*names), Names(single=208, wildcard=41)
    monkeypatch.setattr(planning, "MOST_WORK", 10)

    found = plan([owned], needed)

    assert not found.is_minimal
    assert lacking(needed, found.names) == found.missing.total
    assert found.names.total <= MOST


def test_stock_that_was_not_searched_to_the_end_leaves_the_whole_plan_unproven(
    monkeypatch,
) -> None:
    chance = random.Random(1)
    wide = stock(*(Names(single=chance.randint(1, 40), wildcard=1) for _ in range(500)))
    monkeypatch.setattr(planning, "MOST_WORK", 10)

    found = plan([stock(Names(single=200, wildcard=41), first=900), wide], WISHES[3])

    assert not found.is_minimal
