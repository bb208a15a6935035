"""Our side: the five services as they run, in one process, and what people do in bulk.

Everything but the people goes its real way: Kafka, batches, PostgreSQL, outbox, relay, errands.
What an applicant or an officer commands is handed to each service's `traffic`, where the HTTP API
would hand it too: HTTP is measured by nobody here. Names are found in no DNS and the linter lets
all pass, because the other side has neither.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from aiokafka import AIOKafkaProducer

from services.application import app as application
from services.application import form
from services.application import settings as application_settings
from services.application.domain.messages import RequestApplication
from services.ca_verification import app as ca_verification
from services.ca_verification import handlers as ca_verification_handlers
from services.ca_verification import settings as ca_verification_settings
from services.ca_verification.ca.lint import _SEAL, Linted, Prepared
from services.ca_verification.domain.messages import CheckName, DecideTask, NameChecked
from services.combination import app as combination
from services.combination import settings as combination_settings
from services.combination.domain import RequestCombination
from services.console import app as console
from services.console import settings as console_settings
from services.inventory import app as inventory
from services.inventory import settings as inventory_settings
from services.inventory.domain import CreateInstances
from shared.clock import Clock, utc_now
from shared.contracts.base import Command, Event
from shared.contracts.inventory import InstanceCreated
from shared.contracts.purchases import PurchaseEvent
from shared.dnsnames import SANDBOX
from shared.errands import does
from shared.ids import new_id
from shared.postgres import Postgres, Transaction
from shared.road import Road
from shared.service import Blueprint, Service, Settings
from shared.traffic import Traffic
from tests.benchmarks.ground import KEY_ENCRYPTION_KEY, SECRET, Ground
from tests.benchmarks.people import MEMBERS, OFFICER, Order

PATIENCE_SECONDS = 240.0
LOOK_SECONDS = 0.1
NAMES = ("inventory", "combination", "application", "ca_verification")
UPSTREAMS = [f"{name}_url" for name in NAMES]
ASIDE = "http://127.0.0.1:9"  # nobody asks the console for anything


class PassThrough:
    """A linter that finds nothing, at once."""

    async def lint(self, prepared: Prepared) -> Linted:
        return Linted(prepared, (), seal=_SEAL)

    def close(self) -> None:
        """Have nothing to end."""


async def found(_: object, errand: CheckName) -> NameChecked:
    """Find every name's proof, at once."""
    return NameChecked(
        application_id=errand.application_id,
        name=errand.name,
        reason=None,
        on_request=errand.on_request,
    )


def verification_road(settings: ca_verification_settings.Settings) -> Road:
    """Lay the real road; only the DNS is answered in this process."""
    road = ca_verification_handlers.make_road(settings.practice)
    road.duties[CheckName] = does(CheckName, found, at_once=250)
    return road


def verification_world(settings: ca_verification_settings.Settings, clock: Clock) -> Any:
    real = ca_verification.world(settings, clock)
    return replace(real, linter=PassThrough())


def services(ground: Ground) -> Sequence[Service]:
    """Assemble the services."""
    verifying = ca_verification_settings.Settings(
        **_told(ground, "ca_verification"), ca_folder=ground.ca_folder, ca_passphrase=SECRET
    )
    verification = replace(
        ca_verification.BLUEPRINT, road=verification_road(verifying), world=verification_world
    )
    applying = application_settings.Settings(
        **_told(ground, "application"), key_encryption_key=KEY_ENCRYPTION_KEY
    )
    pairs: Sequence[tuple[Blueprint, Settings]] = (
        (
            inventory.BLUEPRINT,
            inventory_settings.Settings(**_told(ground, "inventory")),
        ),
        (
            combination.BLUEPRINT,
            combination_settings.Settings(**_told(ground, "combination")),
        ),
        (application.BLUEPRINT, applying),
        (verification, verifying),
        (
            console.BLUEPRINT,
            console_settings.Settings(
                **_told(ground, "console"), **dict.fromkeys(UPSTREAMS, ASIDE)
            ),
        ),
    )
    return [Service(blueprint, settings) for blueprint, settings in pairs]


def _told(ground: Ground, name: str) -> dict[str, Any]:
    return {
        "postgres_dsn": ground.dsn(name),
        "kafka_servers": ground.kafka,
        "console_secret": SECRET,
        "api_port": 0,
        "health_port": 0,
        "sandbox": True,
    }


async def a_while(_: str) -> None:
    """Look now and then."""
    await asyncio.sleep(LOOK_SECONDS)


class Commits:
    """Tells who looks at what a service shows when it has committed something."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self._made: Counter[str] = Counter()
        self._changed = asyncio.Event()

    async def next(self, service: str) -> None:
        """Wait until the service has committed what nobody has looked at yet."""
        while self._seen[service] == self._made[service]:
            self._changed.clear()
            await self._changed.wait()
        self._seen[service] = self._made[service]

    @contextmanager
    def overheard(self) -> Iterator[None]:
        """Notice whenever a service of this process has done with a connection."""
        original = Postgres.connection

        @asynccontextmanager
        async def connection(postgres: Postgres) -> AsyncIterator[Transaction]:
            async with original(postgres) as lent:
                yield lent
            self._made[str(urlsplit(postgres.dsn).username)] += 1
            self._changed.set()

        Postgres.connection = connection  # type: ignore[method-assign]
        try:
            yield
        finally:
            Postgres.connection = original  # type: ignore[method-assign]


@dataclass(frozen=True, slots=True)
class Ours:
    """The running services, and a shop's producer.

    `pause` is how long to wait before one looks again at what a service shows.
    """

    ground: Ground
    traffic: dict[str, Traffic]
    producer: AIOKafkaProducer
    pause: Callable[[str], Awaitable[None]]

    async def live(self, orders: Sequence[Order]) -> None:
        """Lead every order to its certificate, all of them abreast, and all events to Kafka."""
        await self.reach_the_end(orders)
        await self.settled()

    async def reach_the_end(self, orders: Sequence[Order]) -> None:
        """Lead every order to its certificate, until all are shown as issued."""
        await self.sell(orders)
        members = await self.create(orders)
        merged = await self.combine(orders, members)
        applications = await self.apply(orders, merged)
        await self.decide(orders, applications)

    async def sell(self, orders: Sequence[Order]) -> None:
        """Publish what a shop has sold, and wait for the quota."""
        sent = [
            await self.producer.send(
                PurchaseEvent.topic,
                one.value,
                key=one.purchase_id.encode(),
                headers=one.headers,
            )
            for one in orders
        ]
        await asyncio.gather(*sent)
        sql = "SELECT count(*) FROM inventory.purchases WHERE account_id = $1"
        await self.until("inventory", sql, orders)

    async def create(self, orders: Sequence[Order]) -> list[tuple[UUID, ...]]:
        """Make instances of all quota; return which came of each order."""
        commands = [
            CreateInstances(
                lot_id=new_id(utc_now()),
                purchase=one.key,
                purchase_id=one.purchase_id,
                account_id=one.account_id,
                count=MEMBERS,
                term_years=1,
            )
            for one in orders
        ]
        answers = await self.ask("inventory", commands)
        return [
            tuple(fact.instance_id for fact in facts if isinstance(fact, InstanceCreated))
            for facts in answers
        ]

    async def combine(
        self, orders: Sequence[Order], members: Sequence[tuple[UUID, ...]]
    ) -> list[UUID]:
        """Combine the instances of each order, and return what they became."""
        commands = [
            RequestCombination(
                combination_id=new_id(utc_now()),
                account_id=order.account_id,
                asked_by=order.account_id,
                member_instance_ids=ids,
                refund_waiver_acknowledged=True,
            )
            for order, ids in zip(orders, members, strict=True)
        ]
        await self.ask("combination", commands)
        sql = """
            SELECT count(*) FROM combination.combinations
             WHERE account_id = $1 AND status = 'combined'
            """
        await self.until("combination", sql, orders)
        rows = await self.ground.admin.fetch(
            """
            SELECT id, outcome->>'instance_id' AS instance_id FROM combination.combinations
             WHERE account_id = $1
            """,
            orders[0].account_id,
        )
        became = {row["id"]: UUID(row["instance_id"]) for row in rows}
        return [became[one.combination_id] for one in commands]

    async def apply(self, orders: Sequence[Order], merged: Sequence[UUID]) -> list[UUID]:
        """Apply with a pasted request, and wait until only the CA has still to act."""
        commands = []
        for order, instance_id in zip(orders, merged, strict=True):
            judged = form.judge(order.form(instance_id), most_names=250, reserved_ok=SANDBOX)
            commands.append(
                RequestApplication(
                    application_id=new_id(utc_now()),
                    account_id=order.account_id,
                    instance_id=instance_id,
                    form=judged.form,
                    counts=judged.counts,
                    objections=judged.objections,
                )
            )
        await self.ask("application", commands)
        await self.until("application", _SHOWN, orders, "under_review")
        return [one.application_id for one in commands]

    async def decide(self, orders: Sequence[Order], applications: Sequence[UUID]) -> None:
        """Have an officer confirm both items of each, and wait until all is issued and shown."""
        rows = await self.ground.admin.fetch(
            """
            SELECT id, task_ids->>0, task_ids->>1 FROM ca_verification.applications
             WHERE id = ANY($1::uuid[])
            """,
            applications,
        )
        commands = [
            DecideTask(
                application_id=row[0],
                task_id=UUID(row[item]),
                decided_by=OFFICER,
                role="officer",
                decision="confirm",
                note="",
                evidence="register extract",
            )
            for item in (1, 2)
            for row in rows
        ]
        await self.ask("ca_verification", commands)
        await self.until("application", _SHOWN, orders, "issued")

    async def settled(self) -> None:
        """Wait until nothing is left to be published, and see that nothing was parked."""
        left = " + ".join(f"(SELECT count(*) FROM {name}.outbox)" for name in NAMES)
        await self.look(f"SELECT {left}", 0)
        parked = " + ".join(f"(SELECT count(*) FROM {name}.parked)" for name in NAMES)
        assert await self.ground.admin.fetchval(f"SELECT {parked}") == 0

    async def until(self, service: str, sql: str, orders: Sequence[Order], *more: object) -> None:
        """Wait until `sql` counts as many things of `service` as there are orders."""
        await self.look(sql, len(orders), orders[0].account_id, *more, of=service)

    async def look(self, sql: str, wanted: int, *arguments: object, of: str = "") -> None:
        """Look at what a service (or several) shows until it counts what is wanted."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.ground.admin.fetchval(sql, *arguments) != wanted:
                await (self.pause(of) if of else a_while(of))

    async def ask(self, service: str, commands: Sequence[Command]) -> list[tuple[Event, ...]]:
        traffic = self.traffic[service]
        return await asyncio.gather(
            *(traffic.ask(command, new_id(utc_now())) for command in commands)
        )


_SHOWN = """
    SELECT count(*) FROM application.applications WHERE account_id = $1 AND instance_status = $2
    """


@asynccontextmanager
async def running(
    ground: Ground, *, pause: Callable[[str], Awaitable[None]] = a_while
) -> AsyncIterator[Ours]:
    """Run the services until all of them are ready; stop them at the end."""
    async with AsyncExitStack() as stack:
        started = services(ground)
        for one in started:
            await stack.enter_async_context(one.start_lifespan_context())
        producer = AIOKafkaProducer(
            bootstrap_servers=ground.kafka, acks="all", max_batch_size=1 << 18
        )
        await stack.enter_async_context(producer)
        async with asyncio.timeout(PATIENCE_SECONDS):
            for one in started:
                while await one.health.waits_for():
                    await asyncio.sleep(LOOK_SECONDS)
        traffic = {one.blueprint.name: one.traffic for one in started}
        yield Ours(ground, traffic, producer, pause)
        # Looks at hosts are due a minute after each certificate: in no round of ours.
        for name in NAMES:
            await ground.admin.execute(f"TRUNCATE {name}.errands")
