"""What services remember, after whole lives, is what they would read.

A thing is remembered as a decision left it, and read as its row was written: the two are equal,
however a life ends.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import astuple, replace
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest

from services.application import handlers as application
from services.application.domain.messages import RequestRevocation, RequestWithdrawal
from services.application.form import ApplicationBody, AutomaticCsr
from services.ca_verification import handlers as ca_verification
from services.combination import handlers as combination
from services.console import handlers as console
from services.inventory import handlers as inventory
from services.inventory.domain.messages import SetAutoCreate
from services.inventory.domain.things import account_key
from shared.reactions import Shelf
from shared.traffic import Traffic
from tests.benchmarks import people
from tests.benchmarks.ground import ground
from tests.services.counting import Said
from tests.services.lockstep import Lockstep, lockstep
from tests.shared.truth import all_of

LIVES = 5  # that end alike

Case = tuple[str, Shelf[Any]]


def shelves(*modules: ModuleType) -> list[Case]:
    return [
        (module.__name__.split(".")[1], shelf)
        for module in modules
        for shelf in module.road.shelves.values()
    ]


def named(cases: Sequence[Case]) -> pytest.MarkDecorator:
    ids = [f"{service}-{shelf.holds.__name__}" for service, shelf in cases]
    return pytest.mark.parametrize(("service", "shelf"), cases, ids=ids)


SHELVES = shelves(inventory, combination, application, ca_verification, console)
of_rows = named([one for one in SHELVES if one[1].table])
of_other_things = named([one for one in SHELVES if not one[1].table])


class WithoutKey(people.Order):
    """One lifecycle's input, of somebody who wants the key made as well."""

    def form(self, instance_id: UUID) -> ApplicationBody:
        return super().form(instance_id).model_copy(update={"csr": AutomaticCsr()})


@pytest.fixture(scope="module")
async def traffic(stack) -> AsyncIterator[dict[str, Traffic]]:
    """Lead lives to a certificate, to one with a key of ours, to a revoked one, and to none."""
    plain, keyless, regretted, withdrawn = (people.orders(LIVES) for _ in range(4))
    async with ground(stack) as place, lockstep(place, Said()) as one:
        side = replace(one, lives=LIVES)
        await prefer(side, plain)
        await side.live(plain)
        await side.live([WithoutKey(*astuple(order)) for order in keyless])
        await side.live(regretted)
        await revoke(side, regretted)
        await withdraw(side, withdrawn)
        await side.come_and_go()
        yield side.traffic


async def prefer(side: Lockstep, orders: Sequence[people.Order]) -> None:
    """Say how an account wants its purchases, before it makes any."""
    account_id = orders[0].account_id
    command = SetAutoCreate(key=account_key(account_id), account_id=account_id, auto_create=False)
    await side.ask("inventory", [command])


async def revoke(side: Lockstep, orders: Sequence[people.Order]) -> None:
    account_id = orders[0].account_id
    rows = await side.ground.admin.fetch(
        "SELECT id FROM application.certificates WHERE account_id = $1", account_id
    )
    commands = [
        RequestRevocation(
            certificate_id=row["id"],
            account_id=account_id,
            requested_by=account_id,
            reason="superseded",
        )
        for row in rows
    ]
    await side.ask("application", commands)
    await side.until("application", SHOWN, orders, "revoked")


async def withdraw(side: Lockstep, orders: Sequence[people.Order]) -> None:
    """Apply, and think again."""
    await side.sell(orders)
    merged = await side.combine(orders, await side.create(orders))
    commands = [
        RequestWithdrawal(
            application_id=application_id, account_id=order.account_id, requested_by="ann"
        )
        for order, application_id in zip(orders, await side.apply(orders, merged), strict=True)
    ]
    await side.ask("application", commands)
    await side.until("application", WITHDRAWN, orders)


SHOWN = """
    SELECT count(*) FROM application.applications WHERE account_id = $1 AND instance_status = $2
    """
WITHDRAWN = """
    SELECT count(*) FROM application.applications WHERE account_id = $1 AND stage = 'withdrawn'
    """


@of_rows
async def test_what_is_remembered_is_what_is_read(traffic, service, shelf) -> None:
    known = all_of(traffic[service].memory, shelf.holds)

    async with traffic[service].postgres.transaction() as tx:
        there = {thing.id: thing for thing in await shelf.load(tx, sorted(known))}

    assert known
    assert known == there


@of_other_things
async def test_what_is_no_row_of_a_table_is_not_remembered(traffic, service, shelf) -> None:
    assert all_of(traffic[service].memory, shelf.holds) == {}
