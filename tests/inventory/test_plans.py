"""What an applicant is told about which instances to combine for the names in hand."""

from datetime import date
from uuid import UUID

import pytest

from services.inventory.api.combining import PlanView, shown, stocks
from services.inventory.domain.combining import objections
from services.inventory.domain.planning import plan
from services.inventory.domain.policy import BUILT_IN, parse
from services.inventory.domain.things import Instance
from shared import dnsnames
from shared.contracts.base import Names
from tests.inventory import make
from tests.inventory.make import ACCOUNT, A, B, C

TODAY = date(2026, 11, 22)
APART = {"brand": "globalsign", "certificate_type": "DV"}


def planned(names: list[str], *owned: Instance, rules=BUILT_IN, day=TODAY) -> PlanView:
    judged, against = dnsnames.judge(names, most=1000)
    assert against == ()
    single, wildcard, ip = dnsnames.count(judged)
    needed = Names(single=single, wildcard=wildcard, ip=ip)
    return shown(plan(stocks(owned, judged, needed, day, rules), needed), needed, judged)


def notes(view: PlanView) -> list[tuple[str, str]]:
    return [(one.code, one.subject) for one in view.notes]


def test_250_names_in_unicode_with_wildcards_and_addresses_are_planned() -> None:
    names = [
        *(f"müller-{n}.de" for n in range(200)),
        *(f"*.straße-{n}.de" for n in range(40)),
        *(f"8.8.8.{n}" for n in range(10)),
    ]
    owned = [
        make.instance(UUID(int=n), names=Names(single=40, wildcard=8, ip=2)) for n in range(1, 8)
    ]

    found = planned(names, *owned)

    assert (len(found.instance_ids), found.minimal) == (5, True)
    assert (found.needed, found.names) == (Names(single=200, wildcard=40, ip=10),) * 2
    assert (found.missing, found.notes) == (Names(), ())


def test_what_was_planned_can_be_combined() -> None:
    owned = [
        make.instance(UUID(int=n), names=Names(single=60 if n < 6 else 5)) for n in range(1, 9)
    ]

    found = planned([f"a-{n}.com" for n in range(245)], *owned)

    ids = list(found.instance_ids)
    assert found.missing == Names()
    assert list(objections(make.estate(*owned), ids, ACCOUNT, TODAY, BUILT_IN)) == []


def test_what_was_planned_can_be_combined_where_more_than_two_are_needed() -> None:
    rules = parse("rules = [{ since = 2026-01-01, fewest = 3 }]")
    owned = [make.instance(one) for one in (A, B, C)]

    found = planned(["a.com", "b.com"], *owned, rules=rules)

    assert set(found.instance_ids) == {A, B, C}
    ids = list(found.instance_ids)
    assert list(objections(make.estate(*owned), ids, ACCOUNT, TODAY, rules)) == []
    assert planned(["a.com", "b.com"], *owned[:2], rules=rules).missing == Names(single=1)


def test_single_name_that_a_wildcard_covers_need_not_be_named() -> None:
    found = planned(
        ["*.shop.com", "www.shop.com", "shop.com", "a.b.shop.com"],
        make.instance(names=Names(single=3, wildcard=1)),
    )

    assert notes(found) == [
        ("covered_by_wildcard", "www.shop.com"),
        ("no_combining_needed", str(A)),
    ]


def test_slots_of_another_kind_are_told_not_to_help() -> None:
    found = planned(["*.shop.com", "shop.com"], make.instance(names=Names(single=5)))

    assert found.missing == Names(wildcard=1)
    assert notes(found) == [("kinds_are_apart", "wildcard")]
    assert found.notes[0].message == "a single slot does not hold a wildcard name"


def test_more_names_than_a_certificate_holds_are_told() -> None:
    owned = [make.instance(UUID(int=n), names=Names(single=100)) for n in (1, 2, 3)]

    found = planned([f"a-{n}.com" for n in range(251)], *owned)

    assert (found.names, found.missing) == (Names(single=200), Names(single=51))
    assert notes(found) == [("too_many_names", "names")]


@pytest.mark.parametrize(
    "hinders", [{"hosted": True}, {"term_years": 2}, {"certificate_type": "DV"}], ids=str
)
def test_what_cannot_be_combined_is_planned_only_alone(hinders) -> None:
    pair = (make.instance(A, **hinders), make.instance(B, **hinders))

    alone, together = planned(["a.com"], *pair), planned(["a.com", "b.com"], *pair)

    assert (alone.instance_ids, alone.missing) == ((A,), Names())
    assert (together.instance_ids, together.missing) == ((A,), Names(single=1))


def test_brands_and_types_are_not_mixed() -> None:
    owned = (make.instance(A), make.instance(B, brand="cfca"), make.instance(C, brand="cfca"))

    assert set(planned(["a.com", "b.com"], *owned).instance_ids) == {B, C}


def test_ev_is_planned_for_no_wildcard_and_no_address() -> None:
    owned = make.instance(certificate_type="EV", names=Names(single=2, wildcard=2, ip=2))

    assert planned(["a.com"], owned).missing == Names()
    assert planned(["*.a.com"], owned).missing == Names(wildcard=1)
    assert planned(["8.8.8.8"], owned).missing == Names(ip=1)


def test_rule_about_domains_is_heeded_as_the_names_are_known() -> None:
    pair = (make.instance(A, **APART), make.instance(B, **APART))

    assert planned(["a.shop.com", "b.shop.com"], *pair).missing == Names()
    assert planned(["a.com", "b.com"], *pair).missing == Names(single=1)


def test_rule_about_kinds_of_name_is_heeded() -> None:
    pair = (make.instance(A), make.instance(B, names=Names(wildcard=1)))
    strict = parse("rules = [{ since = 2026-01-01, same_name_kind = true }]")

    assert planned(["a.com", "*.a.com"], *pair).missing == Names()
    assert planned(["a.com", "*.a.com"], *pair, rules=strict).missing.total == 1
