"""What goes wrong: programs end, or stand still, in the middle of whatever they do."""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.end_to_end.running import System

SERVICES = ("inventory", "combination", "application", "ca_verification")
SERVERS = ("kafka", "postgres")
BACK_SECONDS = 30.0

Card = tuple[Literal["kill", "stop"], str]


@dataclass
class Faults:
    """A deck of faults, each with its victim, in an order that `chance` has shuffled."""

    system: System
    cards: Sequence[Card]
    pause_seconds: float
    chance: random.Random
    killed: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)

    async def strike(self) -> None:
        """Strike one by one; who is about to start again is waited for."""
        for fault, victim in self.cards:
            await asyncio.sleep(self.pause_seconds * self.chance.uniform(0.5, 1.5))
            if fault == "kill":
                await self._hit(victim, signal.SIGKILL)
                self.killed[victim] += 1
            else:
                await self._make_a_zombie_of(victim)
                self.stopped[victim] += 1

    async def _make_a_zombie_of(self, victim: str) -> None:
        """Stop a service until it owns nothing, unknown to itself; then let it go on."""
        pid = await self._hit(victim, signal.SIGSTOP)
        try:
            await self._hit("postgres", signal.SIGKILL)  # and with it the service's locks
            self.killed["postgres"] += 1
            async with asyncio.timeout(BACK_SECONDS):
                while await _members(self.system.endpoints["kafka"], victim) != 1:
                    await asyncio.sleep(0.2)
        finally:
            os.kill(pid, signal.SIGCONT)

    async def _hit(self, victim: str, number: signal.Signals) -> int:
        async with asyncio.timeout(BACK_SECONDS):
            while (pid := self.system.send(victim, number)) is None:
                await asyncio.sleep(0.1)
        return pid


async def _members(kafka: str, group: str) -> int:
    """Count who shares the partitions of a group; nobody, while it is being rearranged."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    try:
        await admin.start()
        [answer] = await admin.describe_consumer_groups([group])
    except KafkaError:  # killed a moment ago
        return 0
    finally:
        await admin.close()
    [(_, _, state, _, _, members, *_)] = answer.groups
    return len(members) if state == "Stable" else 0


def deck(services: int, servers: int, stopped: Sequence[str], chance: random.Random) -> list[Card]:
    """Kill each service and each server so many times, and stop some services, shuffled."""
    victims = [*SERVICES * services, *SERVERS * servers]
    cards: list[Card] = [("kill", one) for one in victims]
    cards += [("stop", one) for one in stopped]
    chance.shuffle(cards)
    return cards
