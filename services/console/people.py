"""Who somebody is who shows a token: remembered for a moment, so that it costs no query."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

import asyncpg

from services.console import store
from services.console.domain import Enrolled, EnrolPeople, fingerprint
from services.console.settings import Listed, read_people
from shared.api import Person
from shared.ids import new_id
from shared.postgres import Postgres, may_pass
from shared.problems import RETRY_AFTER_SECONDS, Problem
from shared.service import Parts

REMEMBERED_SECONDS = 3.0  # how long a revoked token may still open the door of another replica
MOST_REMEMBERED = 10_000
ENROLMENT_SECONDS = 5.0
AGAIN_SECONDS = 0.1

log = logging.getLogger(__name__)


class People:
    """Everybody who may come in, as far as they have come lately."""

    def __init__(self, postgres: Postgres, now: Callable[[], float] = time.monotonic) -> None:
        self._postgres, self._now = postgres, now
        self._remembered: dict[bytes, tuple[float, Person | None]] = {}
        self.enrolled = asyncio.Event()

    async def who(self, token: str) -> Person | None:
        """Return whose token it is; None for one that is unknown or was revoked.

        Looked up by its SHA-256: how long that takes tells nothing about a token that is near.
        """
        sha256 = fingerprint(token)
        end, person = self._remembered.get(sha256, (0.0, None))
        if self._now() < end:
            return person
        try:
            person = await self._look_up(sha256)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            log.warning("nobody can be recognised: %r", error)
            away = "the store of people cannot be reached; try again"
            again = {"retry-after": RETRY_AFTER_SECONDS}
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, away, (), again) from error
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[sha256] = self._now() + REMEMBERED_SECONDS, person
        return person

    async def _look_up(self, sha256: bytes) -> Person | None:
        await asyncio.wait_for(self.enrolled.wait(), ENROLMENT_SECONDS)
        async with self._postgres.transaction() as tx:
            token = await store.find_valid(tx, sha256)
        return Person(token.name, token.role, token.account_id) if token else None

    def forget(self) -> None:
        """Look everybody up again: a token was issued or revoked here."""
        self._remembered.clear()


@asynccontextmanager
async def enrolling(parts: Parts, people: People) -> AsyncIterator[None]:
    """Enrol who is in the file of people, as soon as the service's store is there."""
    file = parts.settings.people_file
    if file is None:
        people.enrolled.set()
        yield
        return
    task = asyncio.create_task(_enrol(parts, people, read_people(file)), name="enrolment")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _enrol(parts: Parts, people: People, listed: tuple[Listed, ...]) -> None:
    wanted = tuple(map(_enrolled, listed))
    while not people.enrolled.is_set():
        try:
            async with parts.postgres.transaction() as tx:
                known = await store.list_known_ids(tx, [one.token_sha256 for one in wanted])
            ask = EnrolPeople(people=wanted, known_ids=tuple(known))
            await parts.traffic.ask(ask, new_id(parts.clock()))
        except Exception as error:
            if may_pass(error):
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            log.exception("the file of people is refused; who could come in before still can")
        people.forget()
        people.enrolled.set()


def _enrolled(one: Listed) -> Enrolled:
    return Enrolled(
        name=one.name,
        role=one.role,
        account_id=one.account_id,
        token_sha256=fingerprint(one.token),
    )
