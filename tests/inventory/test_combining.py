"""Which instances may become one, and what comes of them."""

from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain import NotHeldError, combine, reserve
from services.inventory.domain.things import Combined, Instance, Reserved, status_of
from services.inventory.views import preview, view
from shared.contracts.base import Names, Objection
from shared.contracts.combination import InstancesCombined
from shared.contracts.inventory import (
    InstanceCreated,
    InstancesReserved,
    InstanceStatusChanged,
    ReservationRefused,
)
from shared.decision import Decision
from shared.replacing import replace
from tests.inventory import make
from tests.inventory.make import ACCOUNT, COMBINATION, MERGED, MOMENT, A, B, C


def told(found: dict[UUID, Instance], *ids: UUID, **changes: object) -> list[tuple[str, str]]:
    """Ask for a combination that is refused; return the code and subject of each objection."""
    decision = reserve(found, make.request(*ids, **changes), MOMENT)
    [refused] = decision.facts
    assert isinstance(refused, ReservationRefused)
    assert decision == Decision(facts=(refused,))  # nothing was held
    return [(one.code, one.subject) for one in refused.objections]


def test_members_are_held_with_all_their_names_together() -> None:
    members = make.estate(
        make.instance(A, names=Names(single=1, ip=2)),
        make.instance(B, names=Names(single=2, wildcard=1)),
    )

    assert reserve(members, make.request(), MOMENT) == Decision(
        changed=tuple(replace(member, stage=make.RESERVED) for member in members.values()),
        facts=(
            InstancesReserved(
                combination_id=COMBINATION,
                account_id=ACCOUNT,
                brand="digicert",
                certificate_type="OV",
                names=Names(single=3, wildcard=1, ip=2),
            ),
        ),
        errands=(make.end_of_reservation(),),
    )


def test_what_has_failed_validation_can_be_combined() -> None:
    members = make.estate(make.instance(A, stage=make.FAILED), make.instance(B))

    assert len(reserve(members, make.request(), MOMENT).changed) == 2


EV_WILDCARD = {"certificate_type": "EV", "names": Names(single=1, wildcard=1)}
ELSEWHERE = Reserved(make.OTHER_COMBINATION)
GONE = Combined(make.OTHER_COMBINATION, into=C)
EV_IP = {"certificate_type": "EV", "names": Names(single=1, ip=1)}


@pytest.mark.parametrize(
    ("fault", "code", "subject"),
    [
        pytest.param({"account_id": "rival"}, "unknown", str(B), id="another account's"),
        pytest.param({"brand": "cfca"}, "different_brands", "instance_ids", id="brand"),
        pytest.param({"certificate_type": "EV"}, "different_types", "instance_ids", id="type"),
        pytest.param({"term_years": 2}, "term_not_one_year", str(B), id="two years"),
        pytest.param({"names": Names(single=250)}, "too_many_names", "instance_ids", id="names"),
        pytest.param({"stage": ELSEWHERE}, "not_pending", str(B), id="being combined"),
        pytest.param({"stage": GONE}, "not_pending", str(B), id="combined already"),
        pytest.param({"stage": make.CLAIMED}, "not_pending", str(B), id="applied for"),
        pytest.param({"stage": make.UNDER_REVIEW}, "not_pending", str(B), id="under review"),
        pytest.param({"stage": make.ISSUED}, "not_pending", str(B), id="issued"),
    ],
)
def test_each_fault_draws_its_own_objection(fault, code, subject) -> None:
    members = make.estate(make.instance(A), make.instance(B, **fault))

    assert told(members) == [(code, subject)]


@pytest.mark.parametrize(
    ("both", "code"),
    [
        pytest.param({"certificate_type": "DV"}, "type_not_combinable", id="DV"),
        pytest.param(EV_WILDCARD, "ev_wildcard", id="wildcard in EV"),
        pytest.param(EV_IP, "ev_ip", id="address in EV"),
    ],
)
def test_what_can_be_combined_with_nothing_is_told_of_each_member(both, code) -> None:
    members = make.estate(make.instance(A, **both), make.instance(B, **both))

    assert told(members) == [(code, str(A)), (code, str(B))]


def test_instance_that_nobody_has_is_unknown() -> None:
    assert told(make.estate(make.instance(A))) == [("unknown", str(B))]


def test_instance_that_is_named_twice_is_one_and_too_few() -> None:
    assert told(make.estate(make.instance(A)), A, A) == [
        ("too_few_instances", "instance_ids"),
        ("duplicate_instance", str(A)),
    ]


def test_nothing_at_all_is_too_little() -> None:
    assert told({}, member_instance_ids=()) == [("too_few_instances", "instance_ids")]


def test_every_objection_is_told_at_once_with_those_that_came_along() -> None:
    members = make.estate(
        make.instance(A, **EV_WILDCARD, term_years=3, stage=make.CLAIMED),
        make.instance(B, brand="cfca", certificate_type="DV", names=Names(ip=300)),
    )

    assert told(members, A, B, C, C, objections=(make.WAIVED,)) == [
        ("refund_waiver_not_acknowledged", "it"),
        ("duplicate_instance", str(C)),
        ("unknown", str(C)),
        ("different_brands", "instance_ids"),
        ("different_types", "instance_ids"),
        ("too_many_names", "instance_ids"),
        ("term_not_one_year", str(A)),
        ("not_pending", str(A)),
        ("ev_wildcard", str(A)),
        ("type_not_combinable", str(B)),
    ]


def test_as_many_names_as_a_certificate_holds_are_not_too_many() -> None:
    members = make.estate(make.instance(A, names=Names(single=249)), make.instance(B))

    [reserved] = reserve(members, make.request(), MOMENT).facts

    assert reserved.names.total == 250


def test_stranger_learns_nothing_from_an_objection() -> None:
    members = make.estate(make.instance(A), make.instance(B, account_id="rival", brand="cfca"))

    [refused] = reserve(members, make.request(), MOMENT).facts

    assert refused.objections == (
        Objection(code="unknown", subject=str(B), message="there is no such instance"),
    )


def held(*ids: UUID) -> dict[UUID, Instance]:
    return make.estate(*(make.instance(one, stage=make.RESERVED) for one in ids))


def test_held_members_go_into_one_new_instance() -> None:
    members = held(A, B)

    decision = combine(members, make.combined(), MOMENT)

    merged = make.instance(
        MERGED,
        name="cas-merge-4",
        names=Names(single=2),
        purchase_id=None,
        purchase=None,
        paid_at=None,
        price=None,
        member_ids=(A, B),
    )
    gone = tuple(replace(member, stage=make.COMBINED) for member in members.values())
    assert decision.changed == (*gone, merged)
    assert decision.facts == (
        *(
            InstanceStatusChanged(
                instance_id=one, account_id=ACCOUNT, application_id=None, status="combined"
            )
            for one in (A, B)
        ),
        InstanceCreated(
            account_id=ACCOUNT,
            instance_id=MERGED,
            instance_name="cas-merge-4",
            purchase_id=None,
            combination_id=COMBINATION,
            brand="digicert",
            certificate_type="OV",
            names=Names(single=2),
            names_total=2,
            term_years=1,
        ),
    )
    assert decision.closed == (COMBINATION,)  # nobody need ask after it


def test_neither_members_nor_what_came_of_them_can_be_refunded() -> None:
    before = make.instance(A)
    *gone, merged = combine(held(A, B), make.combined(), MOMENT).changed

    assert view(before, "pending_application").refundable_until is not None
    assert [view(one, status_of(one.stage)).refundable_until for one in (*gone, merged)] == [
        None,
        None,
        None,
    ]


def test_combination_that_is_told_twice_changes_nothing() -> None:
    estate = make.estate(*combine(held(A, B), make.combined(), MOMENT).changed)

    assert combine(estate, make.combined(), MOMENT) == Decision()


@pytest.mark.parametrize(
    "stage",
    [make.PENDING, Reserved(make.OTHER_COMBINATION), make.CLAIMED, make.COMBINED],
    ids=["pending", "held for another", "applied for", "gone already"],
)
def test_members_that_are_not_held_need_a_person(stage) -> None:
    members = held(A) | make.estate(make.instance(B, stage=stage))

    with pytest.raises(NotHeldError, match=f"{COMBINATION} does not hold all"):
        combine(members, make.combined(), MOMENT)


def test_members_that_are_missing_need_a_person() -> None:
    with pytest.raises(NotHeldError):
        combine(held(A), make.combined(), MOMENT)


def test_preview_tells_what_would_come_of_it() -> None:
    found = make.estate(
        make.instance(A, names=Names(single=2)), make.instance(B, names=Names(wildcard=2))
    )

    shown = preview(found, (A, B), ACCOUNT, date(2026, 11, 22))

    assert (shown.allowed, shown.objections) == (True, ())
    assert (shown.names, shown.names_total) == (Names(single=2, wildcard=2), 4)
    assert shown.certificate_kinds == (
        "single",
        "wildcard",
        "multi_domain",
        "multi_domain_wildcard",
        "hybrid",
    )


NAMES = st.builds(
    Names,
    single=st.sampled_from([0, 1, 2, 249]),
    wildcard=st.integers(0, 2),
    ip=st.integers(0, 1),
)
STAGES = st.sampled_from(
    [make.PENDING] * 4 + [make.FAILED, ELSEWHERE, GONE, make.CLAIMED, make.ISSUED, make.REVOKED]
)
FAULTS = st.fixed_dictionaries(
    {},
    optional={
        "brand": st.sampled_from(["digicert", "cfca"]),
        "certificate_type": st.sampled_from(["DV", "OV", "EV"]),
        "term_years": st.integers(1, 2),
        "account_id": st.sampled_from([ACCOUNT, make.STRANGER]),
        "names": NAMES,
        "stage": STAGES,
    },
)
ASKED = st.lists(st.sampled_from([A, B, C, MERGED]), max_size=4)


@st.composite
def estates(draw: st.DrawFn) -> dict[UUID, Instance]:
    ids = draw(st.permutations([A, B, C]))
    return make.estate(*(make.instance(one, **draw(FAULTS)) for one in ids))


@given(estates(), ASKED)
def test_all_members_are_held_or_none(estate, asked) -> None:
    decision = reserve(estate, make.request(member_instance_ids=tuple(asked)), MOMENT)

    [fact] = decision.facts
    is_held = isinstance(fact, InstancesReserved)
    assert [one.id for one in decision.changed] == (asked if is_held else [])
    assert is_held or fact.objections


@given(estates(), ASKED)
def test_preview_says_what_reserving_would(estate, asked) -> None:
    found = {one: estate[one] for one in dict.fromkeys(asked) if one in estate}
    [fact] = reserve(found, make.request(member_instance_ids=tuple(asked)), MOMENT).facts

    shown = preview(dict(reversed(found.items())), asked, ACCOUNT, MOMENT.now.date())

    if isinstance(fact, InstancesReserved):
        assert (shown.allowed, shown.objections) == (True, ())
        assert (shown.names, shown.names_total) == (fact.names, fact.names.total)
    else:
        assert not shown.allowed
        assert set(shown.objections) == set(fact.objections)


def open_names(estate: dict[UUID, Instance]) -> Names:
    """Add up the names of all that is not gone into something else."""
    open_ = [one for one in estate.values() if status_of(one.stage) != "combined"]
    return sum((one.names for one in open_), Names())


RESULTS = [UUID(int=180 + n) for n in range(4)]  # of each of four combinations
MEMBERS = st.lists(st.sampled_from([A, B, C, *RESULTS]), min_size=2, max_size=3, unique=True)


@given(
    st.lists(NAMES, min_size=3, max_size=3),
    st.lists(MEMBERS, min_size=4, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["ask", "conclude"])), max_size=30),
)
def test_names_are_neither_lost_nor_made_by_combining(names, members, story) -> None:
    ids = (A, B, C)
    estate = make.estate(
        *(make.instance(one, names=its) for one, its in zip(ids, names, strict=True))
    )
    before, concluded = open_names(estate), dict[int, InstancesCombined]()

    for n, step in story:  # each step may come early, late, or again
        wanted, combination = tuple(members[n]), UUID(int=80 + n)
        found = {one: estate[one] for one in (*wanted, RESULTS[n]) if one in estate}
        decision = Decision()
        if step == "ask":
            asked = make.request(*wanted, combination_id=combination)
            decision = reserve(found, asked, MOMENT)
            for fact in (one for one in decision.facts if isinstance(one, InstancesReserved)):
                concluded[n] = make.combined(
                    *wanted,
                    combination_id=combination,
                    instance_id=RESULTS[n],
                    names=fact.names,
                )
        elif n in concluded:
            decision = combine(found, concluded[n], MOMENT)
        estate |= {one.id: one for one in decision.changed}
        assert open_names(estate) == before
