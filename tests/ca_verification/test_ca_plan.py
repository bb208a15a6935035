from datetime import timedelta

import pytest
from pydantic import TypeAdapter

from services.ca_verification.ca.plan import Plan, PlanRefusedError, Subject
from shared.contracts.application import Organisation
from tests.ca_verification.certificates import ACME, ACME_EV, NOON, plan

ORGANISATION = Organisation(
    legal_name="杭州阿克米有限公司",
    type="private",
    registration_number="91330000MA2700000X",
    country="CN",
    province="Zhejiang",
    city="Hangzhou",
    address="1 West Lake",
    postcode="310000",
    phone="+8657188158198",
    email="legal@acme.com",
)


def test_every_reason_against_a_plan_is_told_at_once() -> None:
    with pytest.raises(PlanRefusedError) as refused:
        plan(
            "A.com",
            "*.acme.com",
            "8.8.8.8",
            "8.8.8.8",
            certificate_type="EV",
            subject=None,
            serial_number="00ff",
            not_before=NOON + timedelta(microseconds=1),
            not_after=NOON,
        )

    assert refused.value.reasons == (
        "it has a name twice",
        "A.com is not written as certificates do",
        "a certificate of type EV names an organisation, or DV none",
        "EV certificates cannot hold *.acme.com (EVG 7.1.2.1)",
        "EV certificates cannot hold 8.8.8.8 (EVG 7.1.2.1)",
        "EV certificates cannot hold 8.8.8.8 (EVG 7.1.2.1)",
        "its serial number is not between 2^64 and 2^159 (BR 7.1.2.7)",
        "its serial number is not in lower case, without separators or leading zeros",
        "it ends before it begins",
        "its times are not whole seconds",
    )


@pytest.mark.parametrize("serial_number", ["", "0x4a", "not hex", "-" + "4a" * 16, f"{1 << 159:x}"])
def test_a_serial_number_is_positive_hex_of_enough_chance(serial_number: str) -> None:
    with pytest.raises(PlanRefusedError, match="serial number"):
        plan(serial_number=serial_number)


def test_a_plan_without_names_is_none() -> None:
    with pytest.raises(PlanRefusedError, match="it has no names"):
        plan(names=())


def test_a_plan_of_no_known_place_on_earth_is_none() -> None:
    with pytest.raises(PlanRefusedError, match="not in UTC"):
        plan(not_after=NOON.replace(tzinfo=None))


def test_a_plan_comes_back_from_json_as_it_was() -> None:
    of_plans = TypeAdapter(Plan)
    planned = plan("acme.com", "*.acme.com", "8.8.8.8")

    assert of_plans.validate_json(of_plans.dump_json(planned)) == planned


def test_a_certificate_says_of_an_organisation_what_its_type_requires() -> None:
    assert Subject.of(ORGANISATION, "DV") is None
    assert Subject.of(ORGANISATION, "OV") == ACME
    assert Subject.of(ORGANISATION, "EV") == ACME_EV
