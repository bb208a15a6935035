"""What the CA's verification answers over HTTP: officers' tasks, and looking at names now."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import FastAPI
from fastapi.responses import Response
from pydantic import BaseModel, Field

from services.ca_verification import pki, store
from services.ca_verification.domain.messages import CheckNameNow, DecideTask
from services.ca_verification.domain.things import Application, Decided, Task, Verifying
from services.ca_verification.domain.waiting import open_tasks, progress
from shared.api import (
    APPLICANT,
    PREFIX,
    PROBLEMS,
    ASlice,
    AWish,
    Page,
    Person,
    accepted,
    allow,
    carry,
    make_api,
)
from shared.contracts.application import Contact, Organisation
from shared.contracts.base import Text
from shared.contracts.ca_verification import NameProgress
from shared.problems import Problem, not_found
from shared.service import Parts

OFFICERS = allow("officer", "reviewer", "auditor")
DECIDERS = allow("officer", "reviewer")

TaskStatus = Literal["open", "waiting", "confirmed", "refused", "closed"]


class TaskView(BaseModel):
    """One thing that a person at the CA has to look into."""

    task_id: UUID
    application_id: UUID
    item: str
    status: TaskStatus
    role: str
    due_by: datetime
    certificate_type: str
    names: Sequence[str]
    organisation: Organisation
    contact: Contact
    note: str | None
    decided_by: str | None
    decided_at: datetime | None


class DecisionBody(BaseModel):
    """What was found; `postpone` tells the applicant what to help with, and keeps the task open."""

    decision: Literal["confirm", "refuse", "postpone"]
    note: Annotated[Text, Field(max_length=2000)] = ""
    evidence: Annotated[Text, Field(max_length=10_000)] = ""


def api(parts: Parts) -> FastAPI:
    """Serve officers, and applicants who cannot wait."""
    app = make_api(parts, "CA verification")
    _list(app, parts)
    _decide(app, parts)
    _check(app, parts)
    pki.publish(app, parts)
    return app


def _list(app: FastAPI, parts: Parts) -> None:
    @app.get(f"{PREFIX}/verification/tasks", tags=["verification"])
    async def list_tasks(
        piece: ASlice,
        person: Annotated[Person, OFFICERS],
        status: TaskStatus | None = None,
    ) -> Page[TaskView]:
        """Tasks of all applications, oldest first; a page holds those of `limit` applications."""
        async with parts.postgres.transaction() as tx:
            found = await store.list_applications(
                tx,
                person.account_id,
                with_open_tasks=status == "open",
                after=piece.after,
                limit=piece.limit + 1,
            )
        page = piece.page(found, lambda one: one.id)
        tasks = [view(a, t) for a in page.items for t in a.tasks]
        shown = [one for one in tasks if status is None or one.status == status]
        return Page(items=shown, next_cursor=page.next_cursor)


async def find(parts: Parts, task_id: UUID) -> tuple[Application, Task]:
    """Read a task and its application, or say that there is none."""
    async with parts.postgres.transaction() as tx:
        found = await store.find_application_of_task(tx, task_id)
    if found is None:
        raise not_found("task", task_id)
    return found, next(one for one in found.tasks if one.id == task_id)


def _decide(app: FastAPI, parts: Parts) -> None:
    @app.post(
        f"{PREFIX}/verification/tasks/{{task_id}}/decision",
        tags=["verification"],
        status_code=202,
        response_model=TaskView,
        responses=PROBLEMS,
    )
    async def decide_task(
        task_id: UUID, body: DecisionBody, wish: AWish, person: Annotated[Person, DECIDERS]
    ) -> Response:
        """Decide a task; a refusal rejects the application."""
        application, task = await find(parts, task_id)
        if task.role != person.role:
            raise Problem(HTTPStatus.FORBIDDEN, f"this is a task for a {task.role}")
        await carry(
            parts,
            person.name,
            wish,
            lambda _: DecideTask(
                application_id=application.id,
                task_id=task_id,
                decided_by=person.name,
                role=task.role,
                decision=body.decision,
                note=body.note,
                evidence=body.evidence,
            ),
        )

        async def show() -> TaskView:
            return view(*await find(parts, task_id))

        return await accepted(wish, f"{PREFIX}/verification/tasks", show, lambda _: True)


def _check(app: FastAPI, parts: Parts) -> None:
    @app.post(
        f"{PREFIX}/applications/{{application_id}}/names/{{name}}/check",
        tags=["application"],
        status_code=202,
        response_model=NameProgress,
        responses=PROBLEMS,
    )
    async def check_name(
        application_id: UUID, name: str, wish: AWish, person: Annotated[Person, APPLICANT]
    ) -> Response:
        """Look for the proof of one name now."""

        async def show() -> NameProgress:
            async with parts.postgres.transaction() as tx:
                found = await store.find_application(tx, application_id)
            if found is None or not person.may_see(found.submitted.account_id):
                raise not_found("application", application_id)
            checks = [one for one in found.names if one.name == name.lower()]
            if not checks:
                raise not_found("name", name)
            return progress(checks[0])

        name = (await show()).name
        await carry(
            parts,
            person.account,
            wish,
            lambda _: CheckNameNow(
                application_id=application_id, account_id=person.account, name=name
            ),
        )
        return await accepted(
            wish,
            f"{PREFIX}/applications/{application_id}",
            show,
            lambda one: one.state != "pending" or one.checked_at is not None,
        )


def view(application: Application, task: Task) -> TaskView:
    """Show a task, and what an officer needs to know for it."""
    outcome = task.outcome
    return TaskView(
        task_id=task.id,
        application_id=application.id,
        item=task.item,
        status=status_of(application, task),
        role=task.role,
        due_by=application.expected_by,
        certificate_type=application.submitted.certificate_type,
        names=application.certified,
        organisation=application.submitted.organisation,
        contact=application.submitted.contact,
        note=outcome.note if isinstance(outcome, Decided) else outcome.reason,
        decided_by=outcome.by if isinstance(outcome, Decided) else None,
        decided_at=outcome.at if isinstance(outcome, Decided) else None,
    )


def status_of(application: Application, task: Task) -> TaskStatus:
    """Say whether somebody can, has still to wait to, did, or need no longer decide it."""
    if isinstance(task.outcome, Decided):
        return "confirmed" if task.outcome.confirmed else "refused"
    if not isinstance(application.stage, Verifying):
        return "closed"
    return "open" if task in tuple(open_tasks(application)) else "waiting"
