"""What an account has chosen."""

from typing import Annotated

from fastapi import FastAPI
from fastapi.responses import Response
from pydantic import BaseModel

from services.inventory import store
from services.inventory.api.answers import done
from services.inventory.domain.messages import SetAutoCreate
from services.inventory.domain.things import account_key
from shared.api import APPLICANT, PREFIX, AWish, Person, carry
from shared.service import Parts


class AccountView(BaseModel):
    """What an account has chosen."""

    account_id: str
    auto_create: bool


class AccountBody(BaseModel):
    """Whether every purchase is to become instances at once."""

    auto_create: bool


def serve(app: FastAPI, parts: Parts) -> None:
    """Serve what the account has chosen."""

    async def show(account_id: str) -> AccountView:
        async with parts.postgres.transaction() as tx:
            found = await store.find_account(tx, account_key(account_id))
        return AccountView(account_id=account_id, auto_create=bool(found and found.auto_create))

    @app.get(f"{PREFIX}/account", tags=["inventory"])
    async def get_account(person: Annotated[Person, APPLICANT]) -> AccountView:
        """Show what the caller's account has chosen."""
        return await show(person.account)

    @app.put(f"{PREFIX}/account", tags=["inventory"], status_code=202, response_model=AccountView)
    async def set_account(
        body: AccountBody, wish: AWish, person: Annotated[Person, APPLICANT]
    ) -> Response:
        """Have every later purchase become instances at once, or no longer."""
        command = SetAutoCreate(
            key=account_key(person.account),
            account_id=person.account,
            auto_create=body.auto_create,
        )
        await carry(parts, person.account, wish, lambda _: command)
        return await done(wish, await show(person.account), f"{PREFIX}/account")
