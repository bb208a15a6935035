"""What to combine for given names: `POST /combinations/plan`, which changes nothing."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Annotated
from uuid import UUID

from fastapi import FastAPI
from pydantic import BaseModel, Field

from services.inventory import store
from services.inventory.domain import combining
from services.inventory.domain.planning import Plan, Stock, plan
from services.inventory.domain.policy import Rulebook
from services.inventory.domain.things import Instance
from shared import dnsnames
from shared.api import PREFIX, PROBLEMS, Person, allow
from shared.contracts.base import Names, Objection, Text
from shared.contracts.purchases import CertificateType
from shared.problems import invalid
from shared.service import Parts

MOST_INSTANCES = 10_000  # of an account that are looked at
MOST_GIVEN = 1000
APPLICANT = allow("applicant")


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
    """Serve plans."""

    @app.post(f"{PREFIX}/combinations/plan", tags=["combination"], responses=PROBLEMS)
    async def plan_combination(
        body: PlanBody, person: Annotated[Person, allow("applicant")]
    ) -> PlanView:
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
        stocks = _stocks(fitting, needed, parts)
        return _shown(plan(stocks, needed), needed, names)


def _stocks(owned: Sequence[Instance], needed: Names, parts: Parts) -> Iterator[Stock]:
    """Yield what may be combined with each other; and each instance that may be used alone."""
    rulebook: Rulebook = parts.settings.rulebook
    day = parts.clock().date()
    together: defaultdict[tuple[str, str], dict[UUID, Names]] = defaultdict(dict)
    for one in owned:
        alone = combining.alone_objections(one, rulebook.on(day, one.brand, one.certificate_type))
        if not any(alone):
            together[one.brand, one.certificate_type][one.id] = one.names
        elif not any(combining.ev_objections(one.certificate_type, needed, "")):
            yield Stock({one.id: one.names})
    for (_, certificate_type), instances in together.items():
        if not any(combining.ev_objections(certificate_type, needed, "")):
            yield Stock(instances)


def _shown(found: Plan, needed: Names, names: Sequence[dnsnames.Name]) -> PlanView:
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
    for kind in ("single", "wildcard", "ip"):
        spare = [k for k in ("single", "wildcard", "ip") if k != kind and _spare(found, k, names)]
        if getattr(found.missing, kind) and spare:
            yield Objection(
                code="kinds_are_apart",
                subject=kind,
                message=f"a {' or '.join(spare)} slot does not hold a {kind} name",
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
