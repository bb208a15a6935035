from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ca_verification.business_days import (
    business_days_after,
    expected_by,
    is_business_day,
    one_business_day_after,
)

MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is in the third
PLACES = st.sampled_from(
    [("CN", "Asia/Shanghai"), ("DE", "Europe/Berlin"), ("US", "America/New_York")]
)
COUNTS = st.integers(0, 12)


def shanghai(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00").astimezone(UTC)


@pytest.mark.parametrize(
    ("submitted", "reminded"),
    [
        ("2026-11-24T15:00", "2026-11-25T15:00"),  # Tuesday
        ("2026-11-27T15:00", "2026-11-30T15:00"),  # Friday, to Monday
        ("2026-11-28T15:00", "2026-12-01T00:00"),  # Saturday, all of Monday
        ("2026-11-29T23:59", "2026-12-01T00:00"),  # Sunday, likewise
        ("2026-02-13T09:00", "2026-02-14T09:00"),  # Friday, to a Saturday that is made up for
        ("2026-02-14T09:00", "2026-02-24T09:00"),  # that one, past the Spring Festival
        ("2026-09-30T09:00", "2026-10-08T09:00"),  # past the National Day's week
        ("2026-10-09T09:00", "2026-10-10T09:00"),  # to another working Saturday
    ],
)
def test_the_applicant_is_reminded_after_one_business_day(submitted: str, reminded: str) -> None:
    assert one_business_day_after(shanghai(submitted)) == shanghai(reminded)


def test_a_decision_is_expected_in_seven_business_days() -> None:
    assert expected_by(shanghai("2026-11-24T15:00")) == shanghai("2026-12-03T15:00")
    assert expected_by(shanghai("2026-09-24T10:00")) == shanghai("2026-10-12T10:00")


def test_another_country_rests_on_other_days() -> None:
    friday = datetime(2026, 10, 2, 8, tzinfo=UTC)

    after = one_business_day_after(friday, "DE", "Europe/Berlin")

    assert after == datetime(2026, 10, 5, 8, tzinfo=UTC)
    assert not is_business_day(date(2026, 10, 2), "CN")


def test_the_hour_is_the_local_one_when_the_clocks_change() -> None:
    friday = datetime(2026, 10, 23, 8, tzinfo=UTC)  # 10:00 in Berlin, in summer

    after = one_business_day_after(friday, "DE", "Europe/Berlin")

    assert after == datetime(2026, 10, 26, 9, tzinfo=UTC)  # 10:00 in Berlin, in winter


def test_an_unknown_country_or_zone_is_said() -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)

    with pytest.raises(LookupError, match="'QQ' are not known"):
        expected_by(now, "QQ")
    with pytest.raises(LookupError):
        expected_by(now, "CN", "Asia/Nowhere")
    with pytest.raises(ValueError, match="forward only"):
        business_days_after(now, -2)


@given(MOMENTS, st.timedeltas(timedelta(), timedelta(days=9)), COUNTS, PLACES)
def test_a_later_moment_never_has_an_earlier_answer(
    moment: datetime, later: timedelta, n: int, place: tuple[str, str]
) -> None:
    one, other = (business_days_after(at, n, *place) for at in (moment, moment + later))

    assert one <= other


@given(MOMENTS, COUNTS, PLACES)
def test_more_days_end_later_and_none_before_it_began(
    moment: datetime, n: int, place: tuple[str, str]
) -> None:
    assert moment <= business_days_after(moment, n, *place)
    assert business_days_after(moment, n, *place) < business_days_after(moment, n + 1, *place)


@given(MOMENTS, COUNTS, COUNTS)
def test_days_add_up(moment: datetime, n: int, m: int) -> None:
    first = business_days_after(moment, n)

    assert business_days_after(first, m) == business_days_after(moment, n + m)
