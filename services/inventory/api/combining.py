"""What would come of combining, and what to combine for given names; nothing is changed."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import FastAPI
from pydantic import BaseModel, Field

from services.inventory import store
from services.inventory.domain import combining
from services.inventory.domain.planning import Plan, Stock, plan
from services.inventory.domain.policy import Rulebook, Rules
from services.inventory.domain.things import Instance
from services.inventory.views import Preview, preview
from shared import dnsnames
from shared.api import APPLICANT, PREFIX, PROBLEMS, Person
from shared.contracts.base import Names, Objection, Text
from shared.contracts.purchases import CertificateType
from shared.problems import invalid
from shared.service import Parts

MOST_MEMBERS = 1000
MOST_INSTANCES = 10_000  # of an account that are looked at
MOST_GIVEN = 1000
HELD = {"single": "a single name", "wildcard": "a wildcard name", "ip": "an IP address"}


class PreviewBody(BaseModel):
    """Which instances one might combine; `as_of` judges by the rules of that day."""

    instance_ids: Annotated[list[UUID], Field(max_length=MOST_MEMBERS)]
    as_of: date | None = None


class PlanBody(BaseModel):
    """Which names are to be certified; of which brand and type, if it matters."""

    names: Annotated[list[Text], Field(min_length=1, max_length=MOST_GIVEN)]
    brand: Annotated[str | None, Field(max_length=32)] = None
    certificate_type: CertificateType | None = None


class PlanView(BaseModel):
    """Which instances to combine (a single one needs no combining), and what is missing."""

    instance_ids: Sequence[UUID]
    names: Names
    needed: Names
    missing: Names
    minimal: bool
    notes: Sequence[Objection]


def serve(app: FastAPI, parts: Parts) -> None:
    """Serve previews and plans."""
    _preview(app, parts)
    _plan(app, parts)


def _preview(app: FastAPI, parts: Parts) -> None:
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


def _plan(app: FastAPI, parts: Parts) -> None:
    @app.post(f"{PREFIX}/combinations/plan", tags=["combination"], responses=PROBLEMS)
    async def plan_combination(body: PlanBody, person: Annotated[Person, APPLICANT]) -> PlanView:
        """Choose the fewest of the caller's instances that hold these names."""
        sandbox = dnsnames.SANDBOX if parts.settings.sandbox else frozenset()
        names, against = dnsnames.judge(
            list(dict.fromkeys(body.names)), most=MOST_GIVEN, reserved_ok=sandbox
        )
        if against:
            raise invalid(against)
        async with parts.postgres.transaction() as tx:
            owned = await store.list_combinable(tx, person.account, MOST_INSTANCES)
        fitting = [
            one
            for one in owned
            if (body.brand or one.brand).lower() == one.brand
            and (body.certificate_type or one.certificate_type) == one.certificate_type
        ]
        single, wildcard, ip = dnsnames.count(names)
        needed = Names(single=single, wildcard=wildcard, ip=ip)
        there = stocks(fitting, names, needed, parts.clock().date(), parts.settings.rulebook)
        # It may take a third of a second, in which others are to be answered too.
        found = await asyncio.to_thread(plan, there, needed)
        if len(owned) == MOST_INSTANCES:  # there may be more
            found = replace(found, is_minimal=False)
        return shown(found, needed, names)


def stocks(
    owned: Sequence[Instance],
    names: Sequence[dnsnames.Name],
    needed: Names,
    day: date,
    rulebook: Rulebook,
) -> Iterator[Stock]:
    """Yield what may be combined with each other for these names, and what each holds alone."""
    domains = {dnsnames.primary_domain(one) for one in names}
    together: defaultdict[tuple[str, ...], dict[UUID, Names]] = defaultdict(dict)
    alone: dict[tuple[int, ...], Stock] = {}
    rules_of: dict[tuple[str, ...], Rules] = {}
    for one in owned:
        if any(combining.ev_objections(one.certificate_type, needed, "")):
            continue
        rules = rulebook.on(day, one.brand, one.certificate_type)
        of_one_domain = rules.domains == "same_primary" and len(domains) > 1
        if of_one_domain or any(combining.alone_objections(one, rules)):
            alike = (one.names.single, one.names.wildcard, one.names.ip)
            alone.setdefault(alike, Stock({one.id: one.names}, rules.most_names))
            continue
        kind = combining.name_kind(one.names) if rules.same_name_kind else ""
        key = (one.brand, one.certificate_type, kind)
        together[key][one.id], rules_of[key] = one.names, rules
    yield from alone.values()
    for alike_ones, instances in together.items():
        rules = rules_of[alike_ones]
        yield Stock(instances, rules.most_names, rules.fewest)


def shown(found: Plan, needed: Names, names: Sequence[dnsnames.Name]) -> PlanView:
    """Show a plan, with what helps to understand it."""
    return PlanView(
        instance_ids=found.instance_ids,
        names=found.names,
        needed=needed,
        missing=found.missing,
        minimal=found.is_minimal,
        notes=tuple(_notes(found, names)),
    )


def _notes(found: Plan, names: Sequence[dnsnames.Name]) -> Iterator[Objection]:
    """Yield what helps to need less, or explains why more is needed than it seems."""
    wildcards = {one.text.removeprefix("*.") for one in names if one.kind == "wildcard"}
    for one in names:
        if one.kind == "single" and one.text.partition(".")[2] in wildcards:
            yield Objection(
                code="covered_by_wildcard",
                subject=one.text,
                message=f"*.{one.text.partition('.')[2]} covers it: it need not be named",
            )
    for kind, name in HELD.items():
        spare = [k for k in HELD if k != kind and _spare(found, k, names)]
        if getattr(found.missing, kind) and spare:
            yield Objection(
                code="kinds_are_apart",
                subject=kind,
                message=f"a {' or '.join(spare)} slot does not hold {name}",
            )
    if found.missing.total and len(names) > (most := Rules().most_names):
        yield Objection(
            code="too_many_names",
            subject="names",
            message=f"{len(names)} names; one certificate holds at most {most}, as a rule",
        )
    if len(found.instance_ids) == 1 and not found.missing.total:
        yield Objection(
            code="no_combining_needed",
            subject=str(found.instance_ids[0]),
            message="this instance alone holds all names",
        )


def _spare(found: Plan, kind: str, names: Sequence[dnsnames.Name]) -> bool:
    used = sum(one.kind == kind for one in names)
    return bool(getattr(found.names, kind) > used)
