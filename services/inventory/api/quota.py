"""What was bought: shown, given back, and made instances of."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import FastAPI
from fastapi.responses import Response
from pydantic import BaseModel, Field

from services.inventory import store
from services.inventory.api.answers import done
from services.inventory.domain.messages import CreateInstances, RefundQuota
from services.inventory.domain.things import Purchase
from services.inventory.views import Items, Quota, quota, view
from shared.api import ANYONE, APPLICANT, PREFIX, PROBLEMS, ASlice, AWish, Page, Person, carry
from shared.contracts.base import ForeignId
from shared.problems import not_found
from shared.service import Parts
from shared.tables import WantsCsv, listed


class CreateBody(BaseModel):
    """How many instances to make of which purchase."""

    purchase_id: ForeignId
    count: Annotated[int, Field(ge=1, le=10_000)]
    term_years: Annotated[int, Field(ge=1, le=10)] = 1


class RefundBody(BaseModel):
    """How many instances that were never made to give back."""

    count: Annotated[int, Field(ge=1, le=10_000)]


def serve(app: FastAPI, parts: Parts) -> None:
    """Serve quota, and the making of instances."""
    _show(app, parts)
    _refund(app, parts)
    _create(app, parts)


def _show(app: FastAPI, parts: Parts) -> None:
    @app.get(f"{PREFIX}/quota", tags=["inventory"], response_model=Page[Quota])
    async def get_quota(
        piece: ASlice, person: Annotated[Person, ANYONE], as_csv: WantsCsv
    ) -> Page[Quota] | Response:
        """Show what was bought and is not yet an instance."""
        async with parts.postgres.transaction() as tx:
            found = await store.list_quota(tx, person.account_id, piece.after, piece.limit + 1)
        page = piece.page(found, lambda one: one.id)
        shown: Page[Quota] = Page(
            items=[quota(one) for one in page.items], next_cursor=page.next_cursor
        )
        return listed(shown, Quota, as_csv=as_csv)


def _refund(app: FastAPI, parts: Parts) -> None:
    @app.post(
        f"{PREFIX}/quota/{{purchase_id:path}}/refund",
        tags=["inventory"],
        status_code=202,
        response_model=Quota,
        responses=PROBLEMS,
    )
    async def refund_quota(
        purchase_id: str, body: RefundBody, wish: AWish, person: Annotated[Person, APPLICANT]
    ) -> Response:
        """Give back what never became an instance, within the time for refunds."""
        bought = await _purchase(parts, person.account, purchase_id)
        if bought is None:
            raise not_found("purchase", purchase_id)
        await carry(
            parts,
            person.account,
            wish,
            lambda _: RefundQuota(
                purchase=bought.id,
                purchase_id=purchase_id,
                account_id=person.account,
                count=body.count,
            ),
        )
        left = await _purchase(parts, person.account, purchase_id) or bought
        return await done(wish, quota(left), f"{PREFIX}/quota")


def _create(app: FastAPI, parts: Parts) -> None:
    @app.post(
        f"{PREFIX}/instances",
        tags=["inventory"],
        status_code=202,
        response_model=Items,
        responses=PROBLEMS,
    )
    async def create_instances(
        body: CreateBody, wish: AWish, person: Annotated[Person, APPLICANT]
    ) -> Response:
        """Make instances of quota: *Apply for Certificate* above the list."""
        account = person.account
        best = await _purchase(parts, account, body.purchase_id)
        carried = await carry(
            parts,
            account,
            wish,
            lambda reference: CreateInstances(
                lot_id=reference,
                purchase=best.id if best else reference,
                purchase_id=body.purchase_id,
                account_id=account,
                count=body.count,
                term_years=body.term_years,
            ),
        )
        async with parts.postgres.transaction() as tx:
            made = await store.list_lot(tx, parts.clock(), carried.reference)
        items = Items(items=[view(*one, parts.settings.rulebook) for one in made])
        return await done(
            wish, items, f"{PREFIX}/instances?{urlencode({'purchase_id': body.purchase_id})}"
        )


async def _purchase(parts: Parts, account: str, purchase_id: str) -> Purchase | None:
    """Find a purchase; of several shops that use the same id, the one with most left."""
    async with parts.postgres.transaction() as tx:
        bought = await store.find_purchases(tx, account, purchase_id)
    return max(bought, key=lambda one: one.remaining, default=None)
