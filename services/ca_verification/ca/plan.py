"""What is going to be certified: decided once, remembered, and signed from then on."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from shared.contracts.application import Organisation, OrganisationType
from shared.contracts.purchases import CertificateType
from shared.dnsnames import WILDCARD, canonical, is_address

LEAST_SERIAL = 1 << 64
SERIAL_BITS = 159  # positive and at most 20 octets (RFC 5280 §4.1.2.2)

_BUSINESS_CATEGORY: dict[OrganisationType, str] = {  # EVG 7.1.4.2.3
    "private": "Private Organization",
    "government": "Government Entity",
    "business": "Business Entity",
    "non_profit": "Non-Commercial Entity",
}


class PlanRefusedError(ValueError):
    """No certificate can be made by the plan, for all of `reasons`; for people to read."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a certificate names (BR 7.1.2.7.4); the last three for EV alone (EVG 7.1.4.2)."""

    country: str
    province: str | None
    city: str | None
    organisation: str
    business_category: str | None = None
    jurisdiction_country: str | None = None
    registration_number: str | None = None

    @classmethod
    def of(cls, organisation: Organisation, certificate_type: CertificateType) -> Self | None:
        """Take from a verified organisation what a certificate of that type says of it."""
        if certificate_type == "DV":
            return None
        plain = cls(
            country=organisation.country,
            province=organisation.province,
            city=organisation.city,
            organisation=organisation.legal_name,
        )
        return plain if certificate_type == "OV" else plain._with(organisation)

    def _with(self, organisation: Organisation) -> Self:
        return type(self)(
            self.country,
            self.province,
            self.city,
            self.organisation,
            _BUSINESS_CATEGORY[organisation.type],
            organisation.country,
            organisation.registration_number,
        )


@dataclass(frozen=True, slots=True)
class Profile:
    """What the operator chose for all certificates; in each plan, so that it stays the same.

    `pki_url` is where `issuing.cer` and `issuing.crl` can be fetched: http, without a final slash
    (BR 7.1.2.7.7, 7.1.2.11.2). `reserved_ok` are suffixes that a sandbox certifies.
    """

    pki_url: str
    ocsp_url: str | None = None
    reserved_ok: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A certificate that was decided on: everything in it that is not the issuer's.

    `names` are as `shared.dnsnames` writes them, `serial_number` is hex, times are whole seconds
    in UTC, both inclusive. Raises PlanRefusedError when no certificate can be like that.
    """

    names: tuple[str, ...]
    subject: Subject | None
    csr_pem: str
    serial_number: str
    not_before: datetime
    not_after: datetime
    certificate_type: CertificateType
    profile: Profile

    def __post_init__(self) -> None:
        if reasons := tuple(_reasons(self)):
            raise PlanRefusedError(reasons)


def _reasons(plan: Plan) -> Iterator[str]:
    if not plan.names:
        yield "it has no names"
    if len(set(plan.names)) < len(plan.names):
        yield "it has a name twice"
    for name in plan.names:
        if canonical(name) != name:
            yield f"{name} is not written as certificates do"
    yield from _reasons_of_type(plan)
    yield from _reasons_of_number(plan.serial_number)
    yield from _reasons_of_time(plan.not_before, plan.not_after)


def _reasons_of_type(plan: Plan) -> Iterator[str]:
    if (plan.subject is None) != (plan.certificate_type == "DV"):
        yield f"a certificate of type {plan.certificate_type} names an organisation, or DV none"
    if plan.certificate_type == "EV":
        for name in plan.names:
            if name.startswith(WILDCARD) or is_address(name):
                yield f"EV certificates cannot hold {name} (EVG 7.1.2.1)"


def _reasons_of_number(serial_number: str) -> Iterator[str]:
    try:
        number = int(serial_number, 16)
    except ValueError:
        yield "its serial number is not hex"
        return
    if not LEAST_SERIAL <= number < 1 << SERIAL_BITS:
        yield "its serial number is not between 2^64 and 2^159 (BR 7.1.2.7)"
    if serial_number != f"{number:x}":
        yield "its serial number is not in lower case, without separators or leading zeros"


def _reasons_of_time(not_before: datetime, not_after: datetime) -> Iterator[str]:
    if any(moment.utcoffset() != timedelta() for moment in (not_before, not_after)):
        yield "its times are not in UTC"
    elif not_after <= not_before:
        yield "it ends before it begins"
    if not_before.microsecond or not_after.microsecond:
        yield "its times are not whole seconds"
