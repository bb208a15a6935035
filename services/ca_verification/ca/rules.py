"""The rules that a certificate is linted by: pkilint's, and those it does not know.

Importing this takes half a second and 60 MB: for who lints, see `lint`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from cryptography import x509
from pkilint import finding_filter, loader
from pkilint.cabf import serverauth
from pkilint.cabf.serverauth.serverauth_constants import CertificateType as Kind
from pkilint.pkix import certificate as pkix

from services.ca_verification import policy
from services.ca_verification.ca.finding import Finding, Severity
from services.ca_verification.ca.plan import LEAST_SERIAL, SERIAL_BITS
from shared.contracts.purchases import CertificateType
from shared.dnsnames import WILDCARD, is_public_suffix, is_within

KINDS: dict[CertificateType, Kind] = {
    "DV": Kind.DV_FINAL_CERTIFICATE,
    "OV": Kind.OV_FINAL_CERTIFICATE,
    "EV": Kind.EV_FINAL_CERTIFICATE,
}


@dataclass(frozen=True, slots=True)
class Suppression:
    """A finding that is known and accepted: which, where in the certificate, and why.

    With `of_trial_names`, only for names under the suffixes that a sandbox certifies.
    """

    code: str
    where: re.Pattern[str]
    reason: str
    of_trial_names: bool = False


SUPPRESSIONS = (
    Suppression(
        code="cabf.internal_domain_name",
        where=re.compile(r"authorityInfoAccessSyntax|cRLDistributionPoints"),
        reason="a private CA publishes where its operator says, on loopback too",
    ),
    Suppression(
        code="cabf.internal_domain_name",
        where=re.compile(r"subjectAltName\.\d+\.dNSName$"),
        reason="a sandbox certifies names that are reserved for trying; `reserved_ok` names them",
        of_trial_names=True,
    ),
    Suppression(
        code="cabf.serverauth.subscriber.subject_key_identifier_extension_present",
        where=re.compile(r"extensions$"),
        reason="RFC 5280 §4.2.1.2 wants it (SHOULD), and tools find keys by it",
    ),
    Suppression(
        code="cabf.serverauth.subscriber_rsa_digitalsignature_and_keyencipherment_present",
        where=re.compile(r"keyUsage$"),
        reason="a server's RSA key has to serve TLS 1.2's RSA key exchange as well as signatures",
    ),
    Suppression(
        code="pkix.subject_key_identifier_method_1_identified",
        where=re.compile(r"subjectKeyIdentifier$"),
        reason="says which of RFC 5280's methods was used, and finds no fault",
    ),
)


def find(
    der: bytes, certificate_type: CertificateType, reserved_ok: frozenset[str]
) -> tuple[Finding, ...]:
    """Lint the certificate `der` as one of that type, and tell the findings, the worst first."""
    found = [*_find_by_pkilint(der, KINDS[certificate_type], reserved_ok), *_find_ourselves(der)]
    order: tuple[Severity, ...] = ("fatal", "error", "warning", "notice", "info", "debug")
    return tuple(sorted(found, key=lambda finding: order.index(finding.severity)))


def warm_up() -> None:
    """Build the validators of every type, which takes half a second."""
    for kind in KINDS.values():
        _validators(kind)


def _find_by_pkilint(der: bytes, kind: Kind, reserved_ok: frozenset[str]) -> Iterator[Finding]:
    document = loader.load_certificate(der, "specimen")
    results, _ = finding_filter.filter_results(
        serverauth.create_serverauth_finding_filters(kind),
        _validators(kind).validate(document.root),
    )
    for result in results:
        for description in result.finding_descriptions:
            finding = Finding(
                severity=cast("Severity", str(description.finding.severity).lower()),
                code=description.finding.code,
                where=result.node.path,
                message=description.message or "",
            )
            if not _is_suppressed(finding, str(result.node.pdu), reserved_ok):
                yield finding


@cache
def _validators(kind: Kind) -> Any:
    return pkix.create_pkix_certificate_validator_container(
        serverauth.create_decoding_validators(), serverauth.create_validators(kind)
    )


def _is_suppressed(finding: Finding, value: str, reserved_ok: frozenset[str]) -> bool:
    return any(
        known.code == finding.code
        and known.where.search(finding.where)
        and (not known.of_trial_names or is_within(value, reserved_ok))
        for known in SUPPRESSIONS
    )


def _find_ourselves(der: bytes) -> Iterator[Finding]:
    certificate = x509.load_der_x509_certificate(der)
    number = certificate.serial_number
    if not LEAST_SERIAL <= number < 1 << SERIAL_BITS:
        yield _error("serial_number", "serialNumber", "not from 2^64 to 2^159 (BR 7.1.2.7)")
    lives = certificate.not_valid_after_utc - certificate.not_valid_before_utc + policy.ONE_SECOND
    longest = policy.at(certificate.not_valid_before_utc.date()).longest_validity
    if lives > longest:
        yield _error("validity", "validity", f"lives longer than {longest.days} days (BR 6.3.2)")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    for name in names.get_values_for_type(x509.DNSName):
        if is_public_suffix(name.removeprefix(WILDCARD)):
            yield _error("public_suffix", "subjectAltName", f"{name} is everyone's (BR 3.2.2.6)")


def _error(rule: str, where: str, message: str) -> Finding:
    return Finding("error", f"certfold.{rule}", f"certificate.tbsCertificate.{where}", message)
