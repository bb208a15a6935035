"""What goes wrong: programs end without a warning, in the middle of whatever they do."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.end_to_end.running import System

SERVICES = ("inventory", "combination", "application", "ca_verification")
SERVERS = ("kafka", "postgres")
BACK_SECONDS = 30.0


@dataclass
class Faults:
    """A deck of victims, in an order that `chance` has shuffled."""

    system: System
    victims: Sequence[str]
    pause_seconds: float
    chance: random.Random
    killed: Counter[str] = field(default_factory=Counter)

    async def strike(self) -> None:
        """Kill them one by one; who is about to start again is waited for."""
        for victim in self.victims:
            await asyncio.sleep(self.pause_seconds * self.chance.uniform(0.5, 1.5))
            async with asyncio.timeout(BACK_SECONDS):
                while self.system.kill(victim) is None:
                    await asyncio.sleep(0.1)
            self.killed[victim] += 1


def deck(services: int, servers: int, chance: random.Random) -> list[str]:
    """Each service so many times, and each server so many times, shuffled."""
    cards = [*SERVICES * services, *SERVERS * servers]
    chance.shuffle(cards)
    return cards
