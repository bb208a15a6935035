from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ca_verification import policy

DAYS = st.dates(date(2025, 3, 15), date(2035, 1, 1))
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("day", "validity", "reuse"),
    [
        (date(2026, 3, 14), 398, 398),
        (date(2026, 3, 15), 200, 200),
        (date(2026, 11, 22), 200, 200),
        (date(2027, 3, 14), 200, 200),
        (date(2027, 3, 15), 100, 100),
        (date(2029, 3, 14), 100, 100),
        (date(2029, 3, 15), 47, 10),
    ],
)
def test_each_day_has_its_rules(day: date, validity: int, reuse: int) -> None:
    rules = policy.at(day)

    assert rules.longest_validity == timedelta(days=validity)
    assert policy.validity(day) == timedelta(days=validity - 1)
    assert rules.domain_reuse == timedelta(days=reuse)
    assert rules.organisation_reuse == timedelta(days=398)
    assert rules.random_value_life == timedelta(days=30)


def test_before_the_table_nothing_is_known() -> None:
    with pytest.raises(LookupError, match="2025-03-14"):
        policy.at(date(2025, 3, 14))


@given(DAYS, DAYS)
def test_the_rules_only_ever_tighten(one: date, other: date) -> None:
    earlier, later = sorted((one, other))

    assert policy.validity(later) <= policy.validity(earlier)
    assert policy.at(later).domain_reuse <= policy.at(earlier).domain_reuse


def test_the_table_is_in_order() -> None:
    assert all(one.since < next_.since for one, next_ in pairwise(policy.TABLE))


def test_a_certificate_of_today_lives_199_days_to_its_last_second() -> None:
    now = datetime(2026, 11, 24, 8, 30, 1, 999_999, tzinfo=UTC)

    assert policy.period(now, now) == (
        datetime(2026, 11, 24, 8, 30, 1, tzinfo=UTC),
        datetime(2027, 6, 11, 8, 30, 0, tzinfo=UTC),
    )


def test_a_clock_that_runs_ahead_does_not_make_certificates_of_the_future() -> None:
    host = datetime(2026, 11, 24, 8, tzinfo=UTC)

    assert policy.period(host + timedelta(days=2), host)[0] == host
    late = host + timedelta(days=9)
    assert policy.period(late, host)[0] == late - timedelta(hours=47)
    assert policy.period(host, host + timedelta(hours=1))[0] == host


@given(MOMENTS, MOMENTS)
def test_whatever_the_clocks_say_a_period_is_lawful(clock: datetime, host: datetime) -> None:
    not_before, not_after = policy.period(clock, host)

    lives = not_after - not_before + timedelta(seconds=1)
    assert lives < policy.at(clock.date()).longest_validity
    assert not_before <= clock
    later = timedelta(minutes=59)
    assert policy.may_sign(not_before, clock + later, host + later)


@pytest.mark.parametrize("ahead", [1, -1])
def test_nothing_is_signed_that_begins_more_than_48_hours_from_now(ahead: int) -> None:
    """BR 7.1.2.7."""
    now, two_days = datetime(2026, 11, 24, 8, tzinfo=UTC), timedelta(hours=48)

    assert policy.may_sign(now + ahead * two_days, now)
    late = now + ahead * (two_days + timedelta(seconds=1))
    assert not policy.may_sign(late, now)
    assert policy.may_sign(late, now, late)
