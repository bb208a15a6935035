"""What the inventory answers over HTTP: quota, instances, and whether they may be combined."""

from datetime import date
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import FastAPI, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from services.inventory import plans, store
from services.inventory.domain.messages import (
    AnnotateInstance,
    CreateInstances,
    RefundInstance,
    RefundQuota,
    SetAutoCreate,
    SetHosting,
    Tag,
)
from services.inventory.domain.things import Instance, Purchase, account_key
from services.inventory.views import (
    HistoryEntry,
    InstanceView,
    Items,
    Preview,
    Quota,
    preview,
    quota,
    view,
)
from shared.api import PREFIX, PROBLEMS, ASlice, AWish, Page, Person, Wish, allow, carry, make_api
from shared.contracts.base import Command, ForeignId, Text
from shared.contracts.inventory import InstanceStatus
from shared.contracts.purchases import CertificateType
from shared.problems import not_found
from shared.service import Parts
from shared.tables import WantsCsv, listed

MOST_MEMBERS = 1000
Sort = Literal[
    "created_at", "-created_at", "name", "-name",
    "names_total", "-names_total", "paid_at", "-paid_at",
]  # fmt: skip
ANYONE = allow("applicant", "officer", "reviewer", "auditor", "operator")
APPLICANT = allow("applicant")


class CreateBody(BaseModel):
    """How many instances to make of which purchase."""

    purchase_id: ForeignId
    count: Annotated[int, Field(ge=1, le=10_000)]
    term_years: Annotated[int, Field(ge=1, le=10)] = 1


class RefundBody(BaseModel):
    """How many instances that were never made to give back."""

    count: Annotated[int, Field(ge=1, le=10_000)]


class HostingBody(BaseModel):
    """Whether to renew automatically."""

    hosted: bool


class AnnotationBody(BaseModel):
    """What to write on the instance; what is left out stays as it is."""

    remark: Annotated[Text, Field(max_length=500)] | None = None
    tags: Annotated[list[Tag], Field(max_length=20)] | None = None


class AccountView(BaseModel):
    """What an account has chosen."""

    account_id: str
    auto_create: bool


class AccountBody(BaseModel):
    """Whether every purchase is to become instances at once."""

    auto_create: bool


class PreviewBody(BaseModel):
    """Which instances one might combine; `as_of` judges by the rules of that day."""

    instance_ids: Annotated[list[UUID], Field(max_length=MOST_MEMBERS)]
    as_of: date | None = None


def api(parts: Parts) -> FastAPI:
    """Serve quota, instances and previews."""
    app = make_api(parts, "Inventory")
    _quota(app, parts)
    _instances(app, parts)
    _changes(app, parts)
    _accounts(app, parts)
    _combining(app, parts)
    return app


def _quota(app: FastAPI, parts: Parts) -> None:
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
        return _done(wish, quota(left), f"{PREFIX}/quota")

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
        return _done(
            wish, items, f"{PREFIX}/instances?{urlencode({'purchase_id': body.purchase_id})}"
        )


async def _purchase(parts: Parts, account: str, purchase_id: str) -> Purchase | None:
    """Find a purchase; of several shops that use the same id, the one with most left."""
    async with parts.postgres.transaction() as tx:
        bought = await store.find_purchases(tx, account, purchase_id)
    return max(bought, key=lambda one: one.remaining, default=None)


def _instances(app: FastAPI, parts: Parts) -> None:
    @app.get(f"{PREFIX}/instances", tags=["inventory"], response_model=Page[InstanceView])
    async def list_instances(
        piece: ASlice,
        person: Annotated[Person, ANYONE],
        as_csv: WantsCsv,
        *,
        status: InstanceStatus | None = None,
        q: Annotated[str | None, Query(max_length=100, description="any part of a name")] = None,
        brand: Annotated[str | None, Query(max_length=32)] = None,
        certificate_type: Annotated[CertificateType | None, Query()] = None,
        purchase_id: Annotated[str | None, Query(max_length=64)] = None,
        tag: Annotated[str | None, Query(max_length=40)] = None,
        sort: Annotated[Sort, Query(description="`-` turns the order round")] = "created_at",
    ) -> Page[InstanceView] | Response:
        """Instances of the caller's account, whatever their status."""
        async with parts.postgres.transaction() as tx:
            found = await store.list_instances(
                tx,
                parts.clock(),
                person.account_id,
                status=status,
                part_of_name=q,
                brand=brand,
                certificate_type=certificate_type,
                purchase_id=purchase_id,
                tag=tag,
                sort=sort,
                after=piece.after,
                limit=piece.limit + 1,
            )
        page = piece.page(found, lambda one: one[0].id)
        shown: Page[InstanceView] = Page(
            items=[view(*one, parts.settings.rulebook) for one in page.items],
            next_cursor=page.next_cursor,
        )
        return listed(shown, InstanceView, as_csv=as_csv)

    @app.get(f"{PREFIX}/instances/{{instance_id}}", tags=["inventory"], responses=PROBLEMS)
    async def get_instance(instance_id: UUID, person: Annotated[Person, ANYONE]) -> InstanceView:
        """Show one instance."""
        return view(*await _find(parts, instance_id, person), parts.settings.rulebook)

    @app.get(
        f"{PREFIX}/instances/{{instance_id}}/history",
        tags=["inventory"],
        response_model=Page[HistoryEntry],
        responses=PROBLEMS,
    )
    async def get_history(
        instance_id: UUID, piece: ASlice, person: Annotated[Person, ANYONE], as_csv: WantsCsv
    ) -> Page[HistoryEntry] | Response:
        """Show all that ever happened to an instance."""
        await _find(parts, instance_id, person)
        async with parts.postgres.transaction() as tx:
            rows = await store.list_history(tx, instance_id, piece.after, piece.limit + 1)
        entries = [HistoryEntry.model_validate(dict(row)) for row in rows]
        return listed(piece.page(entries, lambda one: one.event_id), HistoryEntry, as_csv=as_csv)


async def _find(parts: Parts, instance_id: UUID, person: Person) -> tuple[Instance, str]:
    """Read an instance that the person may see, or say that there is none."""
    async with parts.postgres.transaction() as tx:
        found = await store.list_instances(
            tx, parts.clock(), person.account_id, instance_id=instance_id
        )
    if not found:
        raise not_found("instance", instance_id)
    return found[0]


def _changes(app: FastAPI, parts: Parts) -> None:
    async def change(instance_id: UUID, wish: Wish, person: Person, command: Command) -> Response:
        """Carry a command about an instance that the person owns; show how it is then."""
        await _find(parts, instance_id, person)
        await carry(parts, person.account, wish, lambda _: command)
        shown = view(*await _find(parts, instance_id, person), parts.settings.rulebook)
        return _done(wish, shown, f"{PREFIX}/instances/{instance_id}")

    @app.post(
        f"{PREFIX}/instances/{{instance_id}}/refund",
        tags=["inventory"],
        status_code=202,
        response_model=InstanceView,
        responses=PROBLEMS,
    )
    async def refund(
        instance_id: UUID, wish: AWish, person: Annotated[Person, APPLICANT]
    ) -> Response:
        """Give an instance back, within the time for refunds; never once combined."""
        command = RefundInstance(instance_id=instance_id, account_id=person.account)
        return await change(instance_id, wish, person, command)

    @app.put(
        f"{PREFIX}/instances/{{instance_id}}/hosting",
        tags=["inventory"],
        status_code=202,
        response_model=InstanceView,
        responses=PROBLEMS,
    )
    async def set_hosting(
        instance_id: UUID, body: HostingBody, wish: AWish, person: Annotated[Person, APPLICANT]
    ) -> Response:
        """Have an instance renewed automatically, or no longer; hosted ones are not combined."""
        command = SetHosting(instance_id=instance_id, account_id=person.account, hosted=body.hosted)
        return await change(instance_id, wish, person, command)

    @app.patch(
        f"{PREFIX}/instances/{{instance_id}}",
        tags=["inventory"],
        status_code=202,
        response_model=InstanceView,
        responses=PROBLEMS,
    )
    async def annotate(
        instance_id: UUID, body: AnnotationBody, wish: AWish, person: Annotated[Person, APPLICANT]
    ) -> Response:
        """Write a remark or tags on an instance."""
        command = AnnotateInstance(
            instance_id=instance_id,
            account_id=person.account,
            remark=body.remark,
            tags=None if body.tags is None else tuple(body.tags),
        )
        return await change(instance_id, wish, person, command)


def _accounts(app: FastAPI, parts: Parts) -> None:
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
        return _done(wish, await show(person.account), f"{PREFIX}/account")


def _combining(app: FastAPI, parts: Parts) -> None:
    @app.post(f"{PREFIX}/combinations/preview", tags=["combination"], responses=PROBLEMS)
    async def preview_combination(
        body: PreviewBody, person: Annotated[Person, APPLICANT]
    ) -> Preview:
        """Tell whether these could be combined, every objection, and what would come of it."""
        async with parts.postgres.transaction() as tx:
            found = await store.find_instances(tx, body.instance_ids)
        day = body.as_of or parts.clock().date()
        rulebook = parts.settings.rulebook
        return preview(found, body.instance_ids, person.account, day, rulebook)

    plans.serve(app, parts)


def _done(wish: Wish, shown: BaseModel, location: str) -> Response:
    """Answer a command that was decided at once: it need not be waited for, but may be."""
    headers = {"location": location}
    if wish.wait_seconds:
        headers["preference-applied"] = f"wait={wish.wait_seconds}"
    status = HTTPStatus.OK if wish.wait_seconds else HTTPStatus.ACCEPTED
    return JSONResponse(shown.model_dump(mode="json"), int(status), headers)
