"""What the combination service answers over HTTP."""

from collections.abc import Sequence
from typing import Annotated, Literal, assert_never
from uuid import UUID

from fastapi import FastAPI
from fastapi.responses import Response
from pydantic import BaseModel, Field

from services.combination import store
from services.combination.domain import (
    Combination,
    Concluded,
    Refused,
    RequestCombination,
    Requested,
)
from shared.api import (
    ANYONE,
    APPLICANT,
    PREFIX,
    PROBLEMS,
    ASlice,
    AWish,
    Page,
    Person,
    accepted,
    carry,
    make_api,
)
from shared.contracts import waiver
from shared.contracts.base import Objection
from shared.contracts.combination import RefundWaiver
from shared.problems import not_found
from shared.service import Parts
from shared.tables import WantsCsv, listed

MOST_MEMBERS = 1000


class CombineBody(BaseModel):
    """Which instances to combine, and that no refund is possible afterwards."""

    instance_ids: Annotated[list[UUID], Field(max_length=MOST_MEMBERS)]
    refund_waiver_acknowledged: bool = False
    refund_waiver_text_sha256: Annotated[str | None, Field(max_length=64)] = None


class WaiverView(RefundWaiver):
    """Who agreed, when, and to which text; null only if it is none of ours."""

    text: str | None


Status = Literal["requested", "combined", "refused"]


class CombinationView(BaseModel):
    """How a combination stands."""

    combination_id: UUID
    status: Status
    instance_ids: Sequence[UUID]
    objections: Sequence[Objection]
    instance_id: UUID | None
    instance_name: str | None
    refund_waiver: WaiverView | None


def api(parts: Parts) -> FastAPI:
    """Serve combinations."""
    app = make_api(parts, "Combination")
    _combining(app, parts)
    _looking(app, parts)
    return app


async def _find(parts: Parts, combination_id: UUID, person: Person) -> CombinationView:
    """Show a combination that the person may see, or say that there is none."""
    async with parts.postgres.transaction() as tx:
        found = await store.find_combination(tx, combination_id)
    if found is None or not person.may_see(found.account_id):
        raise not_found("combination", combination_id)
    return view(found)


def _combining(app: FastAPI, parts: Parts) -> None:
    @app.post(
        f"{PREFIX}/combinations",
        tags=["combination"],
        status_code=202,
        response_model=CombinationView,
        responses=PROBLEMS,
    )
    async def combine(
        body: CombineBody, wish: AWish, person: Annotated[Person, APPLICANT]
    ) -> Response:
        """Combine instances: all of them or none. None can ever be refunded afterwards."""
        account = person.account
        carried = await carry(
            parts,
            account,
            wish,
            lambda reference: RequestCombination(
                combination_id=reference,
                account_id=account,
                asked_by=person.name,
                member_instance_ids=tuple(body.instance_ids),
                refund_waiver_acknowledged=body.refund_waiver_acknowledged,
                refund_waiver_text_sha256=body.refund_waiver_text_sha256,
            ),
        )
        return await accepted(
            wish,
            f"{PREFIX}/combinations/{carried.reference}",
            lambda: _find(parts, carried.reference, person),
            lambda one: one.status != "requested",
        )


def _looking(app: FastAPI, parts: Parts) -> None:
    @app.get(f"{PREFIX}/combinations", tags=["combination"], response_model=Page[CombinationView])
    async def list_combinations(
        piece: ASlice,
        person: Annotated[Person, ANYONE],
        as_csv: WantsCsv,
        *,
        status: Status | None = None,
    ) -> Page[CombinationView] | Response:
        """List combinations of the caller's account, refused ones too."""
        async with parts.postgres.transaction() as tx:
            found = await store.list_combinations(
                tx, person.account_id, status, piece.after, piece.limit + 1
            )
        page = piece.page(found, lambda one: one.id)
        shown: Page[CombinationView] = Page(
            items=[view(one) for one in page.items], next_cursor=page.next_cursor
        )
        return listed(shown, CombinationView, as_csv=as_csv)

    @app.get(f"{PREFIX}/combinations/{{combination_id}}", tags=["combination"], responses=PROBLEMS)
    async def get_combination(
        combination_id: UUID, person: Annotated[Person, ANYONE]
    ) -> CombinationView:
        """Show how a combination stands, and every objection to it."""
        return await _find(parts, combination_id, person)


def view(combination: Combination) -> CombinationView:
    """Show a combination; `combined` once the new instance is in the list."""
    shown = CombinationView(
        combination_id=combination.id,
        status="requested",
        instance_ids=combination.member_instance_ids,
        objections=(),
        instance_id=None,
        instance_name=None,
        refund_waiver=_waiver(combination.refund_waiver),
    )
    match combination.stage:
        case Requested() | Concluded(is_open=False):
            return shown
        case Concluded(instance_id, instance_name):
            return shown.model_copy(
                update={
                    "status": "combined",
                    "instance_id": instance_id,
                    "instance_name": instance_name,
                }
            )
        case Refused(objections):
            return shown.model_copy(update={"status": "refused", "objections": objections})
        case _:
            assert_never(combination.stage)


def _waiver(agreed: RefundWaiver | None) -> WaiverView | None:
    if agreed is None:
        return None
    kept = waiver.find_text(agreed.text_sha256)
    return WaiverView(**dict(agreed), text=kept.text if kept else None)
