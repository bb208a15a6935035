"""What a service says of itself on its own port: `/livez`, `/readyz`, `/metrics`, `/clock`."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from faststream.asgi import AsgiResponse, get
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp

from shared.clock import Clock
from shared.kafka import Listening, Witness
from shared.postgres import Postgres
from shared.relay import Relay
from shared.runner import Runner
from shared.traffic import Traffic

STUCK_SECONDS = 60.0
ASK_SECONDS = 1.0


class Pulse:
    """When each loop of a service went round for the last time: the watchdog's knowledge."""

    def __init__(self) -> None:
        self._beats: dict[str, float] = {}

    def of(self, loop: str) -> Callable[[], None]:
        """Return what `loop` has to call each time that it goes round."""

        def beat() -> None:
            self._beats[loop] = time.monotonic()

        return beat

    def stuck(self) -> dict[str, str]:
        """Name the loops that have not gone round for too long, and for how long."""
        now = time.monotonic()
        silent = {loop: now - beat for loop, beat in self._beats.items()}
        return {n: f"silent for {s:.0f} s" for n, s in silent.items() if s > STUCK_SECONDS}


class Health:
    """Whether a service lives, and what it waits for."""

    def __init__(
        self,
        traffic: Traffic,
        relay: Relay,
        runner: Runner,
        listening: Listening,
        witness: Witness,
        *,
        pulse: Pulse,
        kafka_servers: str,
    ) -> None:
        self._traffic, self._relay, self._runner = traffic, relay, runner
        self._listening, self._witness = listening, witness
        self._pulse, self._kafka_servers = pulse, kafka_servers
        self.starting: str | None = "starting"

    async def waits_for(self) -> dict[str, str]:
        """Name all that keeps the service from working, with the reason."""
        postgres, kafka = await asyncio.gather(
            answers(self._traffic.postgres), reachable(self._kafka_servers)
        )
        listens = self._listening.assigned or not self._traffic.road.topics
        found = {
            "postgres": postgres,
            "kafka": kafka,
            "start": self.starting,
            "partitions": None if listens else "not assigned yet",
            "messages": self._traffic.waits_for,
        }
        return {name: reason for name, reason in found.items() if reason}

    async def is_settled(self) -> bool:
        """Say whether nothing is on its way through this service, or to it."""
        if not (self._runner.is_settled and self._relay.is_idle):
            return False
        ends = await self._witness.ends(self._listening.partitions())
        return not self._listening.busy and self._listening.has_handled(ends)

    def routes(self, clock: Clock, *, show_clock: bool) -> list[tuple[str, ASGIApp]]:
        """Return what the health port answers; the clock only where it can be moved."""

        @get
        async def livez(_: object) -> AsgiResponse:
            """Whether a restart would help: no loop has been silent for a minute."""
            return respond({"stuck": stuck} if (stuck := self._pulse.stuck()) else {}, stuck)

        @get
        async def readyz(_: object) -> AsgiResponse:
            """Whether messages are handled and requests answered, and if not, why."""
            waits = await self.waits_for()
            return respond({"ready": not waits, "waits_for": waits}, waits)

        @get(include_in_schema=False)
        async def metrics(_: object) -> AsgiResponse:
            return AsgiResponse(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})

        @get(include_in_schema=False)
        async def clock_(_: object) -> AsgiResponse:
            due = self._runner.next_due
            told = {
                "now": clock().isoformat(),
                "next_due": due.isoformat() if due else None,
                "settled": await self.is_settled(),
            }
            return respond(told, {})

        routes = [("/livez", livez), ("/readyz", readyz), ("/metrics", metrics)]
        return [*routes, *([("/clock", clock_)] if show_clock else [])]


def respond(told: Mapping[str, Any], faults: Mapping[str, str]) -> AsgiResponse:
    """Answer in JSON: 200, or 503 where something is at fault."""
    status = HTTPStatus.SERVICE_UNAVAILABLE if faults else HTTPStatus.OK
    return AsgiResponse(json.dumps(told).encode(), status, {"content-type": "application/json"})


async def answers(postgres: Postgres) -> str | None:
    """Ask PostgreSQL something; return why it does not answer."""
    try:
        async with asyncio.timeout(ASK_SECONDS), postgres.transaction() as tx:
            await tx.execute("SELECT 1")
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


async def reachable(servers: str) -> str | None:
    """Connect to one of Kafka's bootstrap servers; return why none can be reached."""
    reason = "no server is configured"
    for server in servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            async with asyncio.timeout(ASK_SECONDS):
                _, writer = await asyncio.open_connection(host, int(port))
        except (OSError, TimeoutError, ValueError) as error:
            reason = f"{server}: {error!r}"
        else:
            writer.close()
            return None
    return reason
