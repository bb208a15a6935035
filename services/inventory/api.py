"""What the inventory answers over HTTP: quota, instances, and whether they may be combined."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import FastAPI, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from services.inventory import store
from services.inventory.domain import CreateInstances, combining
from services.inventory.domain.policy import REFUND_DAYS, rules_on
from services.inventory.domain.things import Combined, Instance, Purchase
from shared.api import PREFIX, PROBLEMS, ASlice, AWish, Page, Person, allow, carry, make_api
from shared.contracts import waiver
from shared.contracts.application import CertificateKind
from shared.contracts.base import ForeignId, Names, Objection
from shared.contracts.inventory import InstanceStatus
from shared.contracts.purchases import CertificateType
from shared.problems import not_found
from shared.service import Parts

MOST_MEMBERS = 1000
ANYONE = allow("applicant", "officer", "reviewer", "auditor", "operator")
APPLICANT = allow("applicant")


class Quota(BaseModel):
    """What was bought in one purchase and is not yet an instance."""

    purchase_id: str
    brand: str
    certificate_type: CertificateType
    names: Names
    quantity: int
    remaining: int
    term_years: int
    paid_at: datetime


class InstanceView(BaseModel):
    """An instance as the list shows it."""

    instance_id: UUID
    name: str
    status: InstanceStatus
    brand: str
    certificate_type: CertificateType
    names: Names
    names_total: int
    term_years: int
    purchase_id: str | None
    combined_into: UUID | None
    member_instance_ids: Sequence[UUID]
    refundable_until: datetime | None
    created_at: datetime


class Items(BaseModel):
    """Instances that were made together."""

    items: Sequence[InstanceView]


class CreateBody(BaseModel):
    """How many instances to make of which purchase."""

    purchase_id: ForeignId
    count: Annotated[int, Field(ge=1, le=10_000)]
    term_years: Annotated[int, Field(ge=1, le=10)] = 1


class PreviewBody(BaseModel):
    """Which instances one might combine; `as_of` judges by the rules of that day."""

    instance_ids: Annotated[list[UUID], Field(max_length=MOST_MEMBERS)]
    as_of: date | None = None


class RefundWaiverText(BaseModel):
    """What is agreed to by combining."""

    text: str
    text_sha256: str


class Preview(BaseModel):
    """What would come of combining; nothing was changed."""

    allowed: bool
    objections: Sequence[Objection]
    warnings: Sequence[Objection]
    names: Names
    names_total: int
    certificate_kinds: Sequence[CertificateKind]
    refund_waiver: RefundWaiverText


def api(parts: Parts) -> FastAPI:
    """Serve quota, instances and previews."""
    app = make_api(parts, "Inventory")

    @app.get(f"{PREFIX}/quota", tags=["inventory"])
    async def get_quota(piece: ASlice, person: Annotated[Person, ANYONE]) -> Page[Quota]:
        """Show what was bought and is not yet an instance."""
        async with parts.postgres.transaction() as tx:
            found = await store.list_quota(tx, person.account_id, piece.after, piece.limit + 1)
        page = piece.page(found, lambda one: one.id)
        return Page(items=[quota(one) for one in page.items], next_cursor=page.next_cursor)

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
        async with parts.postgres.transaction() as tx:
            bought = await store.find_purchases(tx, account, body.purchase_id)
        # Several shops may have used the same id: take the one with most left.
        best = max(bought, key=lambda one: one.content.quantity - one.created, default=None)
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
        return await _created(parts, carried.reference, body.purchase_id, wish.wait_seconds)

    @app.get(f"{PREFIX}/instances", tags=["inventory"])
    async def list_instances(
        piece: ASlice,
        person: Annotated[Person, ANYONE],
        *,
        status: InstanceStatus | None = None,
        q: Annotated[str | None, Query(max_length=100, description="any part of a name")] = None,
        brand: Annotated[str | None, Query(max_length=32)] = None,
        certificate_type: Annotated[CertificateType | None, Query()] = None,
        purchase_id: Annotated[str | None, Query(max_length=64)] = None,
    ) -> Page[InstanceView]:
        """Instances of the caller's account, oldest first, whatever their status."""
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
                after=piece.after,
                limit=piece.limit + 1,
            )
        page = piece.page(found, lambda one: one[0].id)
        return Page(items=[view(*one) for one in page.items], next_cursor=page.next_cursor)

    @app.get(f"{PREFIX}/instances/{{instance_id}}", tags=["inventory"], responses=PROBLEMS)
    async def get_instance(instance_id: UUID, person: Annotated[Person, ANYONE]) -> InstanceView:
        """One instance."""
        async with parts.postgres.transaction() as tx:
            found = await store.list_instances(
                tx, parts.clock(), person.account_id, instance_id=instance_id
            )
        if not found:
            raise not_found("instance", instance_id)
        return view(*found[0])

    @app.post(f"{PREFIX}/combinations/preview", tags=["combination"], responses=PROBLEMS)
    async def preview_combination(
        body: PreviewBody, person: Annotated[Person, APPLICANT]
    ) -> Preview:
        """Whether these could be combined, every objection, and what would come of it."""
        async with parts.postgres.transaction() as tx:
            found = await store.find_instances(tx, body.instance_ids)
        day = body.as_of or parts.clock().date()
        return preview(found, body.instance_ids, person.account, day)

    return app


async def _created(parts: Parts, lot_id: UUID, purchase_id: str, wait_seconds: int) -> Response:
    async with parts.postgres.transaction() as tx:
        made = await store.list_lot(tx, parts.clock(), lot_id)
    items = Items(items=[view(*one) for one in made])
    headers = {"location": f"{PREFIX}/instances?purchase_id={purchase_id}"}
    if wait_seconds:
        headers["preference-applied"] = f"wait={wait_seconds}"
    status = HTTPStatus.OK if wait_seconds else HTTPStatus.ACCEPTED
    return JSONResponse(items.model_dump(mode="json"), int(status), headers)


def preview(found: dict[UUID, Instance], asked: Sequence[UUID], account: str, day: date) -> Preview:
    """Judge as combining would, by the rules of `day`, and change nothing."""
    against = tuple(combining.objections(found, asked, account, rules_on(day)))
    ours = [one for one in found.values() if one.account_id == account]
    names = combining.total_of(ours)
    return Preview(
        allowed=not against,
        objections=against,
        warnings=(),
        names=names,
        names_total=names.total,
        certificate_kinds=tuple(combining.kinds_of(names)),
        refund_waiver=RefundWaiverText(text=waiver.TEXT, text_sha256=waiver.TEXT_SHA256),
    )


def quota(purchase: Purchase) -> Quota:
    """Show what is left of a purchase."""
    content = purchase.content
    return Quota(
        purchase_id=content.purchase_id,
        brand=content.brand,
        certificate_type=content.certificate_type,
        names=content.names,
        quantity=content.quantity,
        remaining=content.quantity - purchase.created,
        term_years=content.term_years,
        paid_at=content.paid_at,
    )


def view(instance: Instance, status: str) -> InstanceView:
    """Show an instance; a refund is possible for 7 calendar days, and never once combined."""
    stage = instance.stage
    refundable = instance.paid_at is not None and not isinstance(stage, Combined)
    return InstanceView.model_validate(
        {
            "instance_id": instance.id,
            "name": instance.name,
            "status": status,
            "brand": instance.brand,
            "certificate_type": instance.certificate_type,
            "names": instance.names,
            "names_total": instance.names.total,
            "term_years": instance.term_years,
            "purchase_id": instance.purchase_id,
            "combined_into": stage.into if isinstance(stage, Combined) else None,
            "member_instance_ids": instance.member_ids,
            "refundable_until": instance.paid_at + timedelta(days=REFUND_DAYS)
            if refundable and instance.paid_at
            else None,
            "created_at": instance.created_at,
        }
    )
