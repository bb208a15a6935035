"""Lifecycles pour in while programs die; then all is counted."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from uuid import uuid4

from tests.chaos.faults import SERVERS, SERVICES, Faults, deck
from tests.chaos.lifecycle import NO_WORD, Lifecycle, Officer, Patient, Shop
from tests.chaos.spares import spares
from tests.chaos.verdict import Check, drained, judge, trouble
from tests.end_to_end.outside import Person
from tests.end_to_end.running import System

ACCOUNTS = 8
AT_ONCE = 24
LIFE_SECONDS = 90.0
DRAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How many lifecycles, how often each program is killed, and which services stand still."""

    lifecycles: int
    service_kills: int
    server_kills: int
    stopped: tuple[str, ...]
    pause_seconds: float
    seed: int


@dataclass
class Report:
    """What has happened, and whether every promise was kept."""

    plan: Plan
    checks: list[Check] = field(default_factory=list)
    numbers: dict[str, object] = field(default_factory=dict)
    killed: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)
    unfinished: list[str] = field(default_factory=list)
    trouble: Counter[str] = field(default_factory=Counter)

    @property
    def victims(self) -> set[str]:
        """Name all programs that the plan has die."""
        return {*SERVICES, *SERVERS}

    @property
    def broken(self) -> list[Check]:
        return [one for one in self.checks if not one.holds]


async def storm(system: System, plan: Plan, tell: Callable[[str], None]) -> Report:
    """Pour and kill, wait until all is quiet, and judge."""
    report, run = Report(plan), f"c{uuid4().hex[:6]}"
    chance = random.Random(plan.seed)
    cards = deck(plan.service_kills, plan.server_kills, plan.stopped, chance)
    faults = Faults(system, cards, plan.pause_seconds, chance)
    Patient.tried_again.clear()
    async with AsyncExitStack() as stack:
        spare = stack.enter_context(spares(system, plan.stopped))
        applicants = await enrol(system, stack)
        lifecycles = [
            Lifecycle(number, run, applicants[number % len(applicants)])
            for number in range(plan.lifecycles)
        ]
        officer = Officer(await _patient(system, stack, "officer"))
        shop = Shop(system.endpoints["kafka"])
        stack.push_async_callback(shop.close)
        working = asyncio.create_task(officer.work())
        began = time.monotonic()
        seconds = plan.pause_seconds * len(cards)
        tell(f"{plan.lifecycles} lifecycles, {len(cards)} faults, seed {plan.seed}")
        striking = asyncio.create_task(faults.strike())
        ends = await pour(lifecycles, shop, system.endpoints["sandbox"]["dns"], seconds, tell)
        await striking
        tell(f"poured and struck in {time.monotonic() - began:.0f} s")
        left = await drained(system.endpoints, DRAIN_SECONDS)
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        report.numbers["messages that spares handled"] = sum(one.handled() for one in spare)
    report.numbers["seconds"] = round(time.monotonic() - began)
    report.numbers["clients tried again"] = dict(Patient.tried_again)
    report.numbers["shop tried again"] = shop.tried_again
    report.killed, report.stopped = faults.killed, faults.stopped
    report.unfinished = [one for one in ends if one]
    report.checks = [
        Check("lifecycles that did not come to their end", [], report.unfinished),
        Check("still on its way", {}, left),
        Check("decisions of the officer that were refused", [], officer.refusals),
        Check("answers that blame ourselves (HTTP 500)", 0, Patient.tried_again["HTTP 500"]),
        Check("answers 503 that do not say when to try again", 0, Patient.tried_again[NO_WORD]),
    ]
    checks, numbers = await judge(system.endpoints, lifecycles)
    report.checks += checks
    report.numbers |= numbers
    report.trouble = trouble(system.folder / "logs")
    return report


async def pour(
    lifecycles: Sequence[Lifecycle],
    shop: Shop,
    name_server: str,
    seconds: float,
    tell: Callable[[str], None],
) -> list[str]:
    """Begin lifecycles evenly over `seconds`; return, for each, why it did not end, or nothing."""
    places, began = asyncio.Semaphore(AT_ONCE), time.monotonic()
    done = 0

    async def live(one: Lifecycle) -> str:
        nonlocal done
        start = began + seconds * one.number / len(lifecycles)
        await asyncio.sleep(max(start - time.monotonic(), 0))
        async with places:
            try:
                async with asyncio.timeout(LIFE_SECONDS):
                    await one.live(shop, name_server)
            except Exception as error:
                return f"{one.purchase_id} at '{one.step}': {error!r}"[:600]
        done += 1
        if done % 20 == 0:
            tell(f"{done} of {len(lifecycles)} issued, {time.monotonic() - began:.0f} s")
        return ""

    return await asyncio.gather(*map(live, lifecycles))


async def enrol(system: System, stack: AsyncExitStack) -> list[Person]:
    """Have the operator let in one applicant for each account."""
    operator = await _patient(system, stack, "operator")
    people: list[Person] = []
    for number in range(ACCOUNTS):
        account = f"chaos-{number}-{uuid4().hex[:6]}"
        body = {"name": f"applicant of {account}", "role": "applicant", "account_id": account}
        token = (await operator.post("/tokens", body))["token"]
        people.append(
            await stack.enter_async_context(Patient(system.endpoints["api"], token, account))
        )
    return people


async def _patient(system: System, stack: AsyncExitStack, role: str) -> Person:
    token = system.endpoints["tokens"][role]
    return await stack.enter_async_context(Patient(system.endpoints["api"], token))
