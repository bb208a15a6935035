"""The file of people, changed between two starts on one database."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import asyncpg
import pytest

from tests.conftest import fresh_role
from tests.console.console import Console, running, token
from tests.servers import Servers

ANN, BOB, OPS = map(token, ("ann", "bob", "ops"))


class Start(Protocol):
    def __call__(self, file: Mapping[str, str]) -> AbstractAsyncContextManager[Console]: ...


@pytest.fixture
async def dsn(stack: Servers) -> str:
    return await fresh_role(stack.postgres_dsn, "console")


@pytest.fixture
def start(stack: Servers, tmp_path: Path, dsn: str) -> Start:
    """Start a console whose file holds these names, each with its token."""

    @asynccontextmanager
    async def start(file: Mapping[str, str]) -> AsyncIterator[Console]:
        people = tmp_path / "these.json"
        listed = [
            {"name": name, "role": "operator", "token": shown} for name, shown in file.items()
        ]
        people.write_text(json.dumps(listed))
        async with running(stack, tmp_path, postgres_dsn=dsn, people_file=people) as console:
            yield console

    return start


async def names(console: Console, *tokens: str) -> list[str | int]:
    """Tell for each token whose it is now, or the status that refuses it."""
    shown = ({"authorization": f"Bearer {one}"} for one in tokens)
    answers = [await console.get("/api/v1/me", headers=one) for one in shown]
    return [one.json()["name"] if one.status_code == 200 else one.status_code for one in answers]


async def issue(console: Console, name: str) -> dict[str, str]:
    body = {"name": name, "role": "operator"}
    made: dict[str, str] = (await console.ask("POST", "/api/v1/tokens", "ops", json=body)).json()
    return made


async def test_who_is_renamed_keeps_the_token_there_and_back(start: Start) -> None:
    async with start({"ann": ANN, "bob": BOB}):
        pass
    async with start({"anna": ANN, "bob": BOB}) as console:
        assert await names(console, ANN, BOB) == ["anna", "bob"]
    async with start({"ann": ANN, "bob": BOB}) as console:
        assert await names(console, ANN, BOB) == ["ann", "bob"]


async def test_two_people_may_swap_their_tokens(start: Start) -> None:
    async with start({"ann": ANN, "bob": BOB}):
        pass
    async with start({"ann": BOB, "bob": ANN}) as console:
        assert await names(console, ANN, BOB) == ["bob", "ann"]


async def test_an_issued_token_may_be_listed_and_a_revoked_one_opens_nothing_by_any_name(
    start: Start,
) -> None:
    async with start({"ops": OPS, "ann": ANN}) as console:
        kept, lost = [await issue(console, name) for name in ("kept", "lost")]
        items = (await console.get("/api/v1/tokens", "ops")).json()["items"]
        [ann] = [one["token_id"] for one in items if one["name"] == "ann"]
        for gone in (ann, lost["token_id"]):
            await console.ask("DELETE", f"/api/v1/tokens/{gone}", "ops")
    tokens = (OPS, ANN, kept["token"], lost["token"])

    async with start(dict(zip(("o", "a", "k", "l"), tokens, strict=True))) as console:
        assert await names(console, *tokens) == ["o", 401, "k", 401]


async def test_a_file_that_is_refused_locks_nobody_out_who_could_come_in(
    start: Start, dsn: str
) -> None:
    async with start({"ann": ANN}):
        pass
    connection = await asyncpg.connect(dsn)
    await connection.execute("ALTER TABLE tokens ADD CONSTRAINT no_bob CHECK (name <> 'bob')")
    await connection.close()

    async with start({"ann": ANN, "bob": BOB}) as console:
        assert await names(console, ANN, BOB) == ["ann", 401]
