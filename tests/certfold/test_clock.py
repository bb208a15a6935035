"""How the one clock of all services is moved: services are small fakes of their `GET /clock`."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certfold.embedded import keep
from certfold.sandbox.clock import ClockError, SandboxClock, parse, prepare

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


class Service:
    """Lives by the clock's file; busy for some answers after each thing that fell due."""

    def __init__(
        self,
        name: str,
        file: Path,
        order: list[str],
        *dues: timedelta,
        again: timedelta | None = None,
        busy_for: int = 2,
    ) -> None:
        self.name, self.order, self.again, self.busy_for = name, order, again, busy_for
        self.clock = SandboxClock(file, {})
        self.began = self.clock.now()
        self.dues = sorted(self.began + due for due in dues)
        self.busy = 0

    def answer(self) -> dict[str, object]:
        now = self.clock.now()
        if self.dues and self.dues[0] <= now:
            due = self.dues.pop(0)
            self.order.append(f"{self.name} at {(due - self.began) / hours(1):.0f}")
            self.busy = self.busy_for
            self.dues += [due + self.again] if self.again else []
        self.busy = max(self.busy - 1, 0)
        due_next = self.dues[0].isoformat() if self.dues else None
        return {"now": now.isoformat(), "next_due": due_next, "settled": not self.busy}

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"GET /clock HTTP/1.1\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        writer.write(json.dumps(self.answer()).encode())
        writer.close()


@asynccontextmanager
async def clock_of(
    file: Path, *services: Service, patience: float = 5.0
) -> AsyncIterator[SandboxClock]:
    async with AsyncExitStack() as stack:
        urls = {}
        for number, service in enumerate(services):
            server = await asyncio.start_server(service.converse, "127.0.0.1", 0)
            await stack.enter_async_context(server)
            urls[f"service{number}"] = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield SandboxClock(file, urls, patience)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    prepare(tmp_path / "sandbox" / "clock.json")
    return tmp_path / "sandbox" / "clock.json"


async def test_what_falls_due_on_the_way_happens_in_its_order_across_services(file: Path) -> None:
    order: list[str] = []
    one = Service("one", file, order, hours(5), hours(30), hours(50))
    two = Service("two", file, order, hours(1), hours(30), hours(29))
    async with clock_of(file, one, two) as clock:
        target = clock.now() + hours(48)
        reached = await clock.move(target)

    assert order[:3] == ["two at 1", "one at 5", "two at 29"]
    assert sorted(order[3:]) == ["one at 30", "two at 30"]
    assert timedelta() <= reached - target < timedelta(seconds=2)


async def test_what_an_event_leads_to_falls_due_in_the_same_move(file: Path) -> None:
    order: list[str] = []
    one = Service("one", file, order, hours(1), again=hours(10))
    async with clock_of(file, one) as clock:
        await clock.move(clock.now() + hours(24))
    assert order == ["one at 1", "one at 11", "one at 21"]


async def test_clock_survives_and_never_goes_back(file: Path) -> None:
    async with clock_of(file) as clock:
        await clock.move(clock.now() + hours(3))
        prepare(file)
        assert 2.99 < (clock.now() - datetime.now(UTC)) / hours(1) < 3.01
        with pytest.raises(ClockError, match=r"only goes forward: it is 20.*Z already"):
            await clock.move(datetime.now(UTC) + hours(2))


async def test_service_that_does_not_settle_is_named_and_the_clock_stands(file: Path) -> None:
    slow = Service("slow", file, [], hours(1), busy_for=10_000)
    async with clock_of(file, slow, patience=0.3) as clock:
        with pytest.raises(ClockError, match=r"after 0 s .* service0 has work to finish"):
            await clock.move(clock.now() + hours(2))
        assert 0.99 < (clock.now() - datetime.now(UTC)) / hours(1) < 1.01


async def test_service_that_does_not_answer_is_named(file: Path) -> None:
    clock = SandboxClock(file, {"gone": "http://127.0.0.1:9"}, patience=0.2)
    with pytest.raises(ClockError, match=r"gone does not tell its time \(ConnectError\)"):
        await clock.move(clock.now() + hours(2))
    assert keep.read(file) == {"ahead_seconds": 0.0}


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("+2d", NOON + timedelta(days=2)),
        ("+3h", NOON + timedelta(hours=3)),
        ("+90m", NOON + timedelta(minutes=90)),
        ("+1d12h", NOON + timedelta(hours=36)),
        ("2026-11-26T09:00+08:00", datetime(2026, 11, 26, 1, tzinfo=UTC)),
        ("2026-11-26T09:00:00Z", datetime(2026, 11, 26, 9, tzinfo=UTC)),
    ],
)
def test_distances_and_times_are_read(text: str, moment: datetime) -> None:
    assert parse(text, NOON) == moment


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("+2", "no distance"),
        ("+", "no distance"),
        ("+2d!", "no distance"),
        ("+" + "999999d" * 4, "farther than any calendar"),
        ("tomorrow", "is no time such as"),
        ("-2d", "is no time such as"),
        ("2026-11-26T09:00", "no offset from UTC"),
        ("2026-11-26", "no offset from UTC"),
    ],
)
def test_what_is_no_time_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(text, NOON)
