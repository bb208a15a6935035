"""How long one lifecycle takes when nothing else happens, and how long its bare hops would."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from statistics import median

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.benchmarks import ours, people
from tests.benchmarks.ground import Ground, Tell, ground
from tests.benchmarks.measure import ratios
from tests.benchmarks.table import Finding, Section, at_most
from tests.servers import Servers

HOPS = 12
TOPIC = "bench.hops"
NOTES = f"""\
One lifecycle at a time, from the purchase's event until it is shown as issued. Its longest chain
goes {HOPS} times through Kafka: purchase; combination requested, reserved, combined, created;
application requested, claimed, submitted, pending, status changed; issued, status changed. Two
names are checked and one certificate signed on the way. The floor is {HOPS} times, one after the
other: a record sent, acknowledged and received, and a row committed. Both take turns; a round's
value is the median of its lifecycles. What people wait for is looked at whenever the service that
shows it has committed something.
"""


@dataclass(frozen=True, slots=True)
class Hops:
    """A topic of its own, and a table of its own."""

    ground: Ground
    producer: AIOKafkaProducer
    consumer: AIOKafkaConsumer

    async def go(self) -> None:
        """Send, receive and commit, so many times."""
        for _ in range(HOPS):
            await self.producer.send_and_wait(TOPIC, b"x" * 500)
            await self.consumer.getone()
            await self.ground.admin.execute("INSERT INTO public.hops VALUES (1)")


@asynccontextmanager
async def hopping(place: Ground) -> AsyncIterator[Hops]:
    """Make topic and table."""
    await place.admin.execute("CREATE TABLE public.hops (number integer)")
    admin = AIOKafkaAdminClient(bootstrap_servers=place.kafka)
    await admin.start()
    try:
        if TOPIC not in await admin.list_topics():
            await admin.create_topics([NewTopic(TOPIC, 1, 1)])
    finally:
        await admin.close()
    async with AsyncExitStack() as stack:
        producer = AIOKafkaProducer(bootstrap_servers=place.kafka, acks="all")
        consumer = AIOKafkaConsumer(bootstrap_servers=place.kafka)
        await stack.enter_async_context(producer)
        await stack.enter_async_context(consumer)
        partition = TopicPartition(TOPIC, 0)
        consumer.assign([partition])
        await consumer.seek_to_end(partition)
        yield Hops(place, producer, consumer)


async def measure(servers: Servers, lifecycles: int, rounds: int, tell: Tell) -> Section:
    """Let both take turns, `lifecycles` of each a round."""
    found: list[float] = []
    bare: list[float] = []
    commits = ours.Commits()
    async with AsyncExitStack() as stack:
        stack.enter_context(commits.overheard())
        place = await stack.enter_async_context(ground(servers))
        side = await stack.enter_async_context(ours.running(place, pause=commits.next))
        hops = await stack.enter_async_context(hopping(place))
        for number in range(rounds + 1):
            one, other = [], []
            for _ in range(lifecycles):
                order = people.orders(1)
                began = time.perf_counter()
                await side.reach_the_end(order)
                between = time.perf_counter()
                await side.settled()
                pause = time.perf_counter()
                await hops.go()
                one.append(between - began)
                other.append(time.perf_counter() - pause)
            if number:  # the first one warms up
                found.append(1000 * median(one))
                bare.append(1000 * median(other))
                tell(f"round {number}: {found[-1]:.0f} ms, {HOPS} bare hops {bare[-1]:.0f} ms")
    findings = (
        Finding(
            f"one lifecycle of {HOPS} hops, of bare hops", ratios(found, bare), "times", at_most(4)
        ),
        Finding("one lifecycle", found, "ms"),
        Finding(f"{HOPS} bare hops", bare, "ms"),
    )
    return Section("Latency", findings, NOTES)
