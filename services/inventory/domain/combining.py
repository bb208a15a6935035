"""Whether instances may be combined: every ground against it, and what would come of it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from uuid import UUID

from services.inventory.domain.policy import Rulebook, Rules
from services.inventory.domain.things import (
    Combined,
    Instance,
    PendingApplication,
    Refunded,
    Reserved,
    ValidationFailed,
    status_of,
)
from shared.contracts.application import CertificateKind
from shared.contracts.base import Names, Objection


def objections(
    found: Mapping[UUID, Instance],
    asked: Sequence[UUID],
    account_id: str,
    day: date,
    rulebook: Rulebook,
) -> Iterator[Objection]:
    """Yield every ground for refusal by the rules of `day`, so that all can be told at once."""
    wanted = dict.fromkeys(asked)
    ours = [found[one] for one in wanted if one in found and found[one].account_id == account_id]
    rules = [rulebook.on(day, one.brand, one.certificate_type) for one in ours]
    fewest = max((one.fewest for one in rules), default=Rules().fewest)
    if len(wanted) < fewest:
        yield Objection(
            code="too_few_instances",
            subject="instance_ids",
            message=f"at least {fewest} different instances are needed",
        )
    for repeated in (one for one, times in Counter(asked).items() if times > 1):
        yield Objection(
            code="duplicate_instance", subject=str(repeated), message="is named more than once"
        )
    known = {one.id for one in ours}
    for unknown in (one for one in wanted if one not in known):
        yield Objection(code="unknown", subject=str(unknown), message="there is no such instance")
    yield from _together(ours, rules)
    for one, its_rules in zip(ours, rules, strict=True):
        yield from alone_objections(one, its_rules)


def _together(ours: Sequence[Instance], rules: Sequence[Rules]) -> Iterator[Objection]:
    """Yield what speaks against these instances being one."""
    yield from _different("brand", "brands", sorted({one.brand for one in ours}))
    yield from _different("type", "types", sorted({one.certificate_type for one in ours}))
    if any(one.same_name_kind for one in rules):
        kinds = sorted({name_kind(one.names) for one in ours})
        yield from _different("kind of name", "name_kinds", kinds)
    most = min((one.most_names for one in rules), default=Rules().most_names)
    if (total := total_of(ours).total) > most:
        yield Objection(
            code="too_many_names",
            subject="instance_ids",
            message=f"{total} names; one certificate holds at most {most}",
        )


def _different(what: str, plural: str, values: Sequence[str]) -> Iterator[Objection]:
    if len(values) > 1:
        yield Objection(
            code=f"different_{plural}",
            subject="instance_ids",
            message=f"instances of one {what} only can be combined, not of {', '.join(values)}",
        )


def alone_objections(one: Instance, rules: Rules) -> Iterator[Objection]:
    """Yield what speaks against combining this instance with any other."""
    if not rules.combinable:
        what = f"{one.brand} {one.certificate_type}"
        yield _objection("type_not_combinable", one, f"{what} cannot be combined")
    if one.term_years != rules.term_years:
        yield _objection(
            "term_not_one_year", one, f"its term is {one.term_years} years; it must be one"
        )
    yield from _of_stage(one, rules)
    if one.hosted and not rules.hosted_ok:
        yield _objection("hosted", one, "it is renewed automatically; turn hosting off first")
    if one.member_ids and not rules.combined_ok:
        yield _objection("already_combined", one, "what was combined cannot be combined again")
    if one.names.ip and not rules.ip_ok and one.certificate_type != "EV":
        yield _objection("ip_not_combinable", one, "IP addresses cannot be combined")
    if one.certificate_type == "EV":
        yield from ev_objections(one.certificate_type, one.names, str(one.id))


def _of_stage(one: Instance, rules: Rules) -> Iterator[Objection]:
    match one.stage:
        case PendingApplication():
            return
        case ValidationFailed() if rules.failed_ok:
            return
        case _:
            yield _objection("not_pending", one, f"it is {shown(one)}")


def shown(one: Instance) -> str:
    """Say in words in which status an instance is."""
    match one.stage:
        case Reserved():
            return "being combined"
        case Combined():
            return "combined already"
        case Refunded():
            return "refunded"
        case _:
            return status_of(one.stage).replace("_", " ")


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


def warnings(ours: Sequence[Instance], day: date, rulebook: Rulebook) -> Iterator[Objection]:
    """Yield what can be judged only once there are names, and may stand in the way then."""
    rules = [rulebook.on(day, one.brand, one.certificate_type) for one in ours]
    if any(one.domains == "same_primary" for one in rules):
        yield Objection(
            code="same_primary_domain_needed",
            subject="names",
            message="all names of the certificate must be of one primary domain",
        )


def total_of(instances: Sequence[Instance]) -> Names:
    """Add up the names of each kind; a wildcard slot never becomes a single one."""
    return Names.model_construct(
        single=sum(one.names.single for one in instances),
        wildcard=sum(one.names.wildcard for one in instances),
        ip=sum(one.names.ip for one in instances),
    )


def name_kind(names: Names) -> str:
    """Return the kind of name that an instance was sold for: one of three."""
    if names.wildcard:
        return "wildcard"
    return "single" if names.total == 1 else "multi-domain"


def kinds_of(names: Names) -> Iterator[CertificateKind]:
    """Yield the kinds of certificate that so many names allow."""
    if names.single + names.ip:
        yield "single"
    if names.wildcard:
        yield "wildcard"
    if names.single + names.ip > 1:
        yield "multi_domain"
    if names.wildcard > 1:
        yield "multi_domain_wildcard"
    if names.wildcard and names.single + names.ip:
        yield "hybrid"
