"""How the rules of combining moved: each change on its day, the day before it, and why."""

from datetime import date

import pytest

from services.inventory.domain.combining import objections
from services.inventory.domain.policy import BUILT_IN, Rulebook, parse
from services.inventory.domain.things import Instance
from services.inventory.views import preview
from shared.contracts.base import Names
from tests.inventory import make
from tests.inventory.make import ACCOUNT, A, B

SINGLE, WILDCARD, IP = Names(single=1), Names(wildcard=1), Names(single=1, ip=1)
BEFORE_2021, SINCE_2021 = date(2020, 12, 31), date(2021, 1, 1)
BEFORE_2022, SINCE_2022 = date(2021, 12, 31), date(2022, 1, 1)
BEFORE_2023, SINCE_2023 = date(2022, 12, 31), date(2023, 1, 1)
BEFORE_IP, SINCE_IP = date(2025, 7, 31), date(2025, 8, 1)
CFCA = {"brand": "cfca"}
GLOBALSIGN_DV = {"brand": "globalsign", "certificate_type": "DV"}


def pair(first: dict[str, object], second: dict[str, object] | None = None) -> list[Instance]:
    """Two instances that differ from the plainest ones as is said."""
    return [make.instance(A, **first), make.instance(B, **(second or first))]


def codes(members: list[Instance], day: date, rulebook: Rulebook = BUILT_IN) -> set[str]:
    """Name what spoke against combining them on that day."""
    found = objections(make.estate(*members), [one.id for one in members], ACCOUNT, day, rulebook)
    return {one.code for one in found}


@pytest.mark.parametrize(
    ("members", "before", "against", "since"),
    [
        pytest.param(
            pair({}), BEFORE_2021, {"type_not_combinable"}, SINCE_2021, id="OV, by ticket before"
        ),
        pytest.param(
            pair({"certificate_type": "EV"}),
            BEFORE_2021,
            {"type_not_combinable"},
            SINCE_2021,
            id="EV, by ticket before",
        ),
        pytest.param(
            pair({"stage": make.FAILED}, {}),
            BEFORE_2022,
            {"not_pending"},
            SINCE_2022,
            id="Validation Failed",
        ),
        pytest.param(
            pair(CFCA | {"names": SINGLE}, CFCA | {"names": WILDCARD}),
            BEFORE_2022,
            {"different_name_kinds"},
            SINCE_2022,
            id="CFCA of two kinds of name",
        ),
        pytest.param(
            pair({"names": IP}), BEFORE_IP, {"ip_not_combinable"}, SINCE_IP, id="IP addresses"
        ),
        pytest.param(
            pair(GLOBALSIGN_DV), BEFORE_IP, {"type_not_combinable"}, SINCE_IP, id="GlobalSign DV"
        ),
    ],
)
def test_what_was_refused_until_a_day_is_allowed_from_it_on(
    members, before, against, since
) -> None:
    assert codes(members, before) == against
    assert codes(members, since) == set()


def test_hosted_instances_could_be_combined_until_a_day() -> None:
    hosted = pair({"hosted": True}, {})

    assert codes(hosted, BEFORE_2023) == set()
    assert codes(hosted, SINCE_2023) == {"hosted"}


def test_two_kinds_of_name_were_never_a_fault_but_with_cfca() -> None:
    assert codes(pair({"names": SINGLE}, {"names": WILDCARD}), BEFORE_2022) == set()


@pytest.mark.parametrize("brand", ["digicert", "geotrust", "cfca", "wosign", "vtrus", "rapid"])
def test_dv_is_combined_with_no_brand_but_globalsign(brand) -> None:
    assert codes(pair({"brand": brand, "certificate_type": "DV"}), SINCE_IP) == {
        "type_not_combinable"
    }


def test_globalsign_ev_takes_differing_domains_but_no_wildcards_and_no_addresses() -> None:
    ev = {"brand": "globalsign", "certificate_type": "EV"}
    mixed = pair(ev | {"names": Names(single=1, wildcard=1)}, ev | {"names": IP})

    assert codes(pair(ev), SINCE_IP) == set()
    assert codes(mixed, SINCE_IP) == {"ev_wildcard", "ev_ip"}
    assert BUILT_IN.on(SINCE_IP, "globalsign", "EV").domains == "any"


def test_rule_about_domains_is_a_warning_as_long_as_there_are_no_names() -> None:
    found = make.estate(*pair(GLOBALSIGN_DV))

    before, since = (preview(found, (A, B), ACCOUNT, day) for day in (BEFORE_IP, SINCE_IP))

    assert before.warnings == ()
    assert since.allowed
    assert [one.code for one in since.warnings] == ["same_primary_domain_needed"]


def test_past_decision_is_explained_by_the_rules_of_its_day() -> None:
    found = make.estate(*pair({"names": IP}))

    then, now = (preview(found, (A, B), ACCOUNT, day) for day in (BEFORE_IP, SINCE_IP))

    assert [one.message for one in then.objections] == [
        "cas-1: IP addresses cannot be combined",
        "cas-2: IP addresses cannot be combined",
    ]
    assert (now.allowed, now.objections) == (True, ())


def test_line_of_an_operator_holds_from_its_day_for_whom_it_names() -> None:
    rulebook = parse(
        """
        [[rules]]
        since = 2027-01-01
        brand = "DigiCert"
        certificate_type = "OV"
        most_names = 100
        """
    )
    many = Names(single=60)

    new_year, day_before = date(2027, 1, 1), date(2026, 12, 31)
    assert codes(pair({"names": many}), day_before, rulebook) == set()
    assert codes(pair({"names": many}), new_year, rulebook) == {"too_many_names"}
    assert codes(pair(CFCA | {"names": many}), new_year, rulebook) == set()


def test_of_two_lines_of_one_day_the_more_precise_one_overrules() -> None:
    rulebook = parse(
        """
        rules = [
            { since = 2027-01-01, brand = "cfca", hosted_ok = true },
            { since = 2027-01-01, hosted_ok = false },
        ]
        """
    )

    day = date(2027, 1, 1)
    assert rulebook.on(day, "cfca", "OV").hosted_ok
    assert not rulebook.on(day, "digicert", "OV").hosted_ok


def test_operator_may_forbid_to_combine_what_was_combined() -> None:
    members = pair({"member_ids": (make.C, make.MERGED)}, {})
    forbids = parse("rules = [{ since = 2026-01-01, combined_ok = false }]")

    assert codes(members, date(2026, 6, 1)) == set()
    assert codes(members, date(2026, 6, 1), forbids) == {"already_combined"}
