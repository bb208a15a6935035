"""What holds of every message and every preview, whatever there is."""

from copy import deepcopy
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain import NotHeldError, combine, reserve
from services.inventory.domain.policy import BUILT_IN, parse
from services.inventory.domain.things import Combined, Instance, Purchase
from services.inventory.handlers import road
from services.inventory.views import preview
from shared.contracts.base import Message, Names
from shared.contracts.inventory import InstancesReserved
from shared.reactions import World
from tests.inventory import make
from tests.inventory.make import ACCOUNT, MERGED, MOMENT, A, B, C
from tests.shared.make import NOON, chance, heard

TODAY = MOMENT.now.date()
STRICT = parse("rules = [{ since = 2026-01-01, fewest = 3, combined_ok = false, most_names = 4 }]")
STAGES = st.sampled_from(
    [
        *([make.PENDING] * 3),
        make.FAILED,
        make.CLAIMED,
        make.UNDER_REVIEW,
        make.RESERVED,
        make.COMBINED,
        make.ISSUED,
        make.REVOKED,
    ]
)
NAMES = st.builds(Names, single=st.integers(0, 3), wildcard=st.integers(0, 2), ip=st.integers(0, 1))
CHANGES = st.fixed_dictionaries(
    {"names": NAMES, "stage": STAGES, "hosted": st.booleans()},
    optional={
        "brand": st.sampled_from(["cfca", "globalsign"]),
        "certificate_type": st.sampled_from(["DV", "EV"]),
        "member_ids": st.just((UUID(int=70), UUID(int=71))),
        "account_id": st.just(make.STRANGER),
        "term_years": st.just(2),
    },
)
ESTATES = st.lists(CHANGES, min_size=3, max_size=3).map(
    lambda all_: make.estate(
        *(make.instance(i, **its) for i, its in zip((A, B, C), all_, strict=True))
    )
)
ASKED = st.lists(st.sampled_from([A, B, C, MERGED]), max_size=4).map(tuple)


@given(ESTATES, ASKED, st.sampled_from([BUILT_IN, STRICT]))
def test_preview_tells_what_combining_then_does_and_changes_nothing(estate, asked, rules) -> None:
    asked_for = make.request(member_instance_ids=asked, combination_id=UUID(int=89))
    before = deepcopy(estate)

    shown = preview(estate, asked, ACCOUNT, TODAY, rules)

    assert estate == before
    decision = reserve(estate, asked_for, MOMENT, rules)
    [fact] = decision.facts
    assert shown.allowed == isinstance(fact, InstancesReserved) == bool(decision.changed)
    if isinstance(fact, InstancesReserved):
        assert shown.names == fact.names
    else:
        assert shown.objections == fact.objections


def everything(estate: dict[UUID, Instance]) -> World:
    bought = make.quota(created=3, quantity=9)
    world: World = {(Instance, one.id): one for one in estate.values()}
    return world | {(Purchase, bought.id): bought}


MESSAGES: dict[str, Message] = {
    "purchase": make.purchase(quantity=9),
    "new purchase": make.purchase(purchase_id="order-8", auto_create=True),
    "shop's refund of an instance": make.paid_back(A),
    "shop's refund of quota": make.paid_back(A, B, count=2),
    "combination asked for": make.request(),
    "combination concluded": make.combined(),
    "combination refused": make.refused(),
    "application asked for": make.wish(),
    "application withdrawn": make.withdrawn(),
    "verification": make.verification("ca"),
    "application rejected": make.rejected(),
    "certificate issued": make.issued(),
    "certificate revoked": make.revoked(),
}


@pytest.mark.parametrize("message", [pytest.param(it, id=name) for name, it in MESSAGES.items()])
@given(ESTATES)
def test_message_that_comes_again_changes_nothing(message, estate) -> None:
    world, draw, once = everything(estate), chance(), heard(message, 0)
    road.fold(world, [once], NOON, draw=draw)
    after = dict(world)

    again = road.fold(world, [once], NOON, draw=draw)

    assert (world, again.changed, again.planned) == (after, {}, {})


@given(st.lists(NAMES, min_size=2, max_size=6))
def test_names_that_go_into_a_combination_come_out_of_it(names) -> None:
    ids = tuple(UUID(int=10 + n) for n in range(len(names)))
    members = make.estate(
        *(
            make.instance(one, names=its, stage=make.RESERVED)
            for one, its in zip(ids, names, strict=True)
        )
    )
    together = sum(names, Names())

    *gone, merged = combine(members, make.combined(*ids, names=together), MOMENT).changed

    assert isinstance(merged, Instance)
    for kind in ("single", "wildcard", "ip"):
        assert getattr(merged.names, kind) == sum(getattr(one, kind) for one in names)
    assert merged.member_ids == ids
    assert [one.id for one in gone] == list(ids)


def test_names_that_come_from_nowhere_need_a_person() -> None:
    held = make.estate(*(make.instance(one, stage=make.RESERVED) for one in (A, B)))

    with pytest.raises(NotHeldError, match="other names than its members"):
        combine(held, make.combined(names=Names(single=3)), MOMENT)


def test_members_of_members_can_be_traced_from_the_last_to_the_first() -> None:
    second, result = UUID(int=81), UUID(int=5)
    estate = make.estate(*(make.instance(one) for one in (A, B, C)))
    for step in (
        (make.request(), make.combined()),
        (
            make.request(MERGED, C, combination_id=second),
            make.combined(
                MERGED, C, combination_id=second, instance_id=result, names=Names(single=3)
            ),
        ),
    ):
        asked, concluded = step
        for decide, message in ((reserve, asked), (combine, concluded)):
            found = {i: estate[i] for i in (*message.member_instance_ids,) if i in estate}
            estate |= {one.id: one for one in decide(found, message, MOMENT).changed}

    assert estate[result].member_ids == (MERGED, C)
    assert estate[MERGED].member_ids == (A, B)
    assert [into(estate[one]) for one in (A, B, C, MERGED)] == [MERGED, MERGED, result, result]
    assert estate[result].names == Names(single=3)


def into(one: Instance) -> UUID | None:
    return one.stage.into if isinstance(one.stage, Combined) else None
