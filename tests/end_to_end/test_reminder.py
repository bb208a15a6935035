"""Who has waited for one business day is told on what, and on whom; a weekend does not count."""

import asyncio
import json
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import holidays
import pytest

from tests.end_to_end.outside import APPLICATION, VERIFICATION, Heard
from tests.end_to_end.running import CERTFOLD, ROOT
from tests.end_to_end.steps import World

CHINA = ZoneInfo("Asia/Shanghai")  # where the CA's people work
DAY = timedelta(days=1)


async def move(world: World, to: datetime) -> None:
    """Move the one clock of all services, as anybody does at a terminal."""
    command = ("sandbox", "clock", "--to", to.isoformat(), "--data", world.folder, "--json")
    process = await asyncio.create_subprocess_exec(
        CERTFOLD,
        *command,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, trouble = await process.communicate()
    assert process.returncode == 0, trouble.decode()
    assert datetime.fromisoformat(json.loads(said)["now"]) >= to - timedelta(seconds=1)


def ordinary_friday(after: datetime) -> date:
    """Find a Friday that is followed by a free weekend and an ordinary Monday."""
    calendar = holidays.country_holidays("CN")
    days = (after.astimezone(CHINA).date() + n * DAY for n in count(1))
    return next(
        day
        for day in days
        if day.weekday() == 4
        and [calendar.is_working_day(day + n * DAY) for n in range(4)] == [True, False, False, True]
    )


async def reminders(world: World, application_id: str) -> list[Heard]:
    heard = await world.topics.read(VERIFICATION)
    return [
        one
        for one in heard
        if one.name == "VerificationPending"
        and one.said["application_id"] == application_id
        and one.said["overdue"]
    ]


@pytest.fixture(scope="module")
async def waiting(world: World) -> Any:
    """Return an application that came on a Friday, whose names are proven and call was missed."""
    friday = datetime.combine(ordinary_friday(await world.now()), time(15), CHINA)
    await move(world, friday)
    application = await world.applies([f"www.{uuid4().hex[:8]}.example"])
    await world.proves(application)
    await world.decides(application["application_id"], "callback", "postpone")
    return application


async def test_one_business_day_later_and_not_sooner_the_applicant_is_told_what_is_missing(
    world, waiting
) -> None:
    application_id = waiting["application_id"]
    submitted = await world.topics.hears(
        "ApplicationSubmitted", APPLICATION, application_id=application_id
    )
    due = datetime.fromisoformat(submitted.said["submitted_at"]) + 3 * DAY  # the same hour, Monday
    await move(world, due - timedelta(minutes=1))
    assert await reminders(world, application_id) == []
    shown = await world.applicant.get(f"/applications/{application_id}")
    assert not shown["overdue"]

    await move(world, due + timedelta(minutes=1))

    [told] = await reminders(world, application_id)
    assert told.said["account_id"] == world.account_id
    missing = {one["item"]: one for one in told.said["waiting_on"]}
    parties = {item: one["party"] for item, one in missing.items()}
    assert parties == {"organisation_identity": "ca", "callback": "applicant"}
    assert missing["callback"]["reason"] == "callback: postpone"
    assert all(one["next_action"] and one["since"] for one in missing.values())
    assert datetime.fromisoformat(told.said["expected_by"]) > due.astimezone(UTC)


async def test_overdue_application_shows_what_the_reminder_said(world, waiting) -> None:
    [told] = await reminders(world, waiting["application_id"])

    shown = await world.applicant.get(f"/applications/{waiting['application_id']}")

    assert shown["overdue"]
    assert shown["waiting_on"] == told.said["waiting_on"]
