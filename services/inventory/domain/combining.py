"""Whether instances may be combined: every ground against it, and what would come of it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from services.inventory.domain.policy import Rules
from services.inventory.domain.things import (
    Instance,
    PendingApplication,
    ValidationFailed,
    status_of,
)
from shared.contracts.application import CertificateKind
from shared.contracts.base import Names, Objection


def objections(
    found: Mapping[UUID, Instance], asked: Sequence[UUID], account_id: str, rules: Rules
) -> Iterator[Objection]:
    """Yield every ground for refusal, so that all can be told at once."""
    ours = [one for one in found.values() if one.account_id == account_id and one.id in asked]
    if len(set(asked)) < rules.fewest:
        yield Objection(
            code="too_few_instances",
            subject="instance_ids",
            message=f"at least {rules.fewest} different instances are needed",
        )
    for repeated in (one for one, times in Counter(asked).items() if times > 1):
        yield Objection(
            code="duplicate_instance", subject=str(repeated), message="is named more than once"
        )
    for unknown in dict.fromkeys(one for one in asked if one not in {it.id for it in ours}):
        yield Objection(code="unknown", subject=str(unknown), message="there is no such instance")
    yield from _together(ours, rules)
    for one in ours:
        yield from _alone(one, rules)


def _together(ours: Sequence[Instance], rules: Rules) -> Iterator[Objection]:
    """Yield what speaks against these instances being one."""
    if len(brands := sorted({one.brand for one in ours})) > 1:
        yield Objection(
            code="different_brands",
            subject="instance_ids",
            message=f"instances of one brand only can be combined, not of {', '.join(brands)}",
        )
    if len(types := sorted({one.certificate_type for one in ours})) > 1:
        yield Objection(
            code="different_types",
            subject="instance_ids",
            message=f"instances of one type only can be combined, not of {', '.join(types)}",
        )
    if (total := total_of(ours).total) > rules.most_names:
        yield Objection(
            code="too_many_names",
            subject="instance_ids",
            message=f"{total} names; one certificate holds at most {rules.most_names}",
        )


def _alone(one: Instance, rules: Rules) -> Iterator[Objection]:
    """Yield what speaks against combining this instance with any other."""
    if one.certificate_type not in rules.certificate_types:
        allowed = " and ".join(sorted(rules.certificate_types, reverse=True))
        yield _objection("type_not_combinable", one, f"only {allowed} can be combined")
    if one.term_years != rules.term_years:
        yield _objection(
            "term_not_one_year", one, f"its term is {one.term_years} years; it must be one"
        )
    if not isinstance(one.stage, PendingApplication | ValidationFailed):
        yield _objection("not_pending", one, f"it is {status_of(one.stage).replace('_', ' ')}")
    yield from ev_objections(one.certificate_type, one.names, str(one.id))


def ev_objections(certificate_type: str, names: Names, subject: str) -> Iterator[Objection]:
    """Yield what an EV certificate cannot hold (EV Guidelines §7.1.2.1)."""
    if certificate_type == "EV" and names.wildcard:
        yield Objection(
            code="ev_wildcard", subject=subject, message="EV can hold no wildcard names"
        )
    if certificate_type == "EV" and names.ip:
        yield Objection(code="ev_ip", subject=subject, message="EV can hold no IP addresses")


def _objection(code: str, one: Instance, message: str) -> Objection:
    return Objection(code=code, subject=str(one.id), message=f"{one.name}: {message}")


def total_of(instances: Sequence[Instance]) -> Names:
    """Add up the names of each kind; a wildcard slot never becomes a single one."""
    return sum((one.names for one in instances), Names())


def kinds_of(names: Names) -> Iterator[CertificateKind]:
    """Yield the kinds of certificate that so many names allow."""
    if names.single:
        yield "single"
    if names.wildcard:
        yield "wildcard"
    if names.single + names.ip > 1:
        yield "multi_domain"
    if names.wildcard > 1:
        yield "multi_domain_wildcard"
    if names.wildcard and names.single + names.ip:
        yield "hybrid"
