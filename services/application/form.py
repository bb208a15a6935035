"""The application form, as it comes over HTTP: read, and judged with all objections at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from services.application import csr
from services.application.domain.things import Form
from shared import dnsnames
from shared.contracts.application import (
    Contact,
    KeyAlgorithm,
    Organisation,
    ValidationMethod,
)
from shared.contracts.base import Names, Objection, Text

MOST_GIVEN = 5000  # names that are worth reading at all


class AutomaticCsr(BaseModel):
    """The application service makes the key and keeps it, encrypted."""

    method: Literal["automatic"] = "automatic"


class PastedCsr(BaseModel):
    """The applicant has made the key; we never see it."""

    method: Literal["pasted"]
    csr_pem: Text


class ApplicationBody(BaseModel):
    """The form."""

    instance_id: UUID
    names: Annotated[list[Text], Field(max_length=MOST_GIVEN)]
    organisation: Organisation
    contact: Contact
    key_algorithm: KeyAlgorithm = "P-256"
    csr: Annotated[AutomaticCsr | PastedCsr, Field(discriminator="method")] = AutomaticCsr()
    validation_method: ValidationMethod = "dns"


@dataclass(frozen=True, slots=True)
class Judged:
    """A form that was read: what the names need, and everything that is wrong with it."""

    form: Form
    counts: Names
    primary_domains: tuple[str, ...]
    objections: tuple[Objection, ...]


def judge(body: ApplicationBody, *, most_names: int, reserved_ok: frozenset[str]) -> Judged:
    """Judge all that can be judged without knowing the instance."""
    names, against = dnsnames.judge(body.names, most=most_names, reserved_ok=reserved_ok)
    single, wildcard, ip = dnsnames.count(names)
    texts = tuple(one.text for one in names)
    found = [*against, *_against_addresses(names)]
    if not body.names:
        found.append(
            Objection(code="names_missing", subject="names", message="at least one is needed")
        )
    pasted = csr.inspect(body.csr.csr_pem) if isinstance(body.csr, PastedCsr) else None
    if isinstance(pasted, csr.Csr):
        found += csr.objections(pasted, texts)
    elif pasted is not None:
        found += pasted
    request = pasted if isinstance(pasted, csr.Csr) else None
    form = Form(
        names=texts,
        kind=dnsnames.certificate_kind(names) if names else "single",
        organisation=body.organisation,
        contact=body.contact,
        key_algorithm=request.key_algorithm if request else body.key_algorithm,
        validation_method=body.validation_method,
        csr_pem=request.pem if request else None,
        spki_sha256=request.spki_sha256 if request else None,
    )
    return Judged(
        form,
        Names(single=single, wildcard=wildcard, ip=ip),
        tuple(sorted({dnsnames.primary_domain(one) for one in names})),
        tuple(found),
    )


def _against_addresses(names: tuple[dnsnames.Name, ...]) -> Iterator[Objection]:
    """Control of an address cannot be shown by a change of DNS (BR 3.2.2.5)."""
    for one in names:
        if one.kind == "ip":
            yield Objection(
                code="validation_method_unfit",
                subject=one.text,
                message="control of an IP address cannot be proven by DNS",
            )
