"""Instances: listed, searched, shown, and what ever happened to them."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import FastAPI, Query
from fastapi.responses import Response

from services.inventory import store
from services.inventory.api.answers import find
from services.inventory.views import HistoryEntry, InstanceView, view
from shared.api import ANYONE, PREFIX, PROBLEMS, ASlice, Page, Person
from shared.contracts.inventory import InstanceStatus
from shared.contracts.purchases import CertificateType
from shared.service import Parts
from shared.tables import WantsCsv, listed

Sort = Literal[
    "created_at", "-created_at", "name", "-name",
    "names_total", "-names_total", "paid_at", "-paid_at",
]  # fmt: skip


def serve(app: FastAPI, parts: Parts) -> None:
    """Serve instances and their history."""
    _list(app, parts)
    _show(app, parts)


def _list(app: FastAPI, parts: Parts) -> None:
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


def _show(app: FastAPI, parts: Parts) -> None:
    @app.get(f"{PREFIX}/instances/{{instance_id}}", tags=["inventory"], responses=PROBLEMS)
    async def get_instance(instance_id: UUID, person: Annotated[Person, ANYONE]) -> InstanceView:
        """Show one instance."""
        return view(*await find(parts, instance_id, person), parts.settings.rulebook)

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
        await find(parts, instance_id, person)
        async with parts.postgres.transaction() as tx:
            rows = await store.list_history(tx, instance_id, piece.after, piece.limit + 1)
        entries = [HistoryEntry.model_validate(dict(row)) for row in rows]
        return listed(piece.page(entries, lambda one: one.event_id), HistoryEntry, as_csv=as_csv)
