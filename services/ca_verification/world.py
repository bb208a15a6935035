"""What the CA's verification does in the world: never in a transaction, at least once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from dns.asyncresolver import Resolver

from services.ca_verification import dcv, policy
from services.ca_verification.ca.authority import Authority
from services.ca_verification.ca.lint import Linted, Linter
from services.ca_verification.ca.plan import Plan, PlanRefusedError, Profile, Subject
from services.ca_verification.domain.messages import (
    CertificateNotLinted,
    CertificateSigned,
    CheckName,
    IntentOutdated,
    NameChecked,
    SignCertificate,
)
from shared.clock import Clock, utc_now

Outcome = CertificateSigned | CertificateNotLinted | IntentOutdated


@dataclass(frozen=True, slots=True)
class World:
    """The tools: a resolver and its patience in seconds, the CA and its linters, the one clock."""

    resolver: Resolver
    dns_seconds: float
    authority: Authority
    linter: Linter
    clock: Clock

    def close(self) -> None:
        """End the linters."""
        self.linter.close()

    async def check_name(self, errand: CheckName) -> NameChecked:
        """Look for the random value in the DNS; whatever the DNS answers is an outcome."""
        found = await dcv.check(
            self.resolver, errand.record_name, errand.record_value, self.dns_seconds
        )
        return NameChecked(
            application_id=errand.application_id,
            name=errand.name,
            reason=found.reason if isinstance(found, dcv.NotFound) else None,
            on_request=errand.on_request,
        )

    async def sign(self, errands: Sequence[SignCertificate]) -> Sequence[Outcome]:
        """Lint each, in processes beside, and sign what the linter lets pass."""
        return await asyncio.gather(*map(self._sign, errands))

    async def _sign(self, errand: SignCertificate) -> Outcome:
        try:
            linted = await self.linter.lint(self.authority.prepare(self._plan(errand)))
        except PlanRefusedError as refused:
            return _not_linted(errand, refused.reasons)
        if not isinstance(linted, Linted):
            return _not_linted(errand, [str(one) for one in linted.findings if one.forbids])
        if not policy.may_sign(errand.not_before, self.clock(), utc_now()):
            return IntentOutdated(application_id=errand.application_id)
        signed = self.authority.sign(linted)
        return CertificateSigned(
            application_id=errand.application_id,
            certificate_pem=signed.certificate_pem,
            chain_pem=signed.chain_pem,
            root_pem=self.authority.root_pem,
            sha256_fingerprint=signed.sha256_fingerprint,
        )

    def _plan(self, errand: SignCertificate) -> Plan:
        return Plan(
            names=errand.names,
            subject=Subject.of(errand.organisation, errand.certificate_type),
            csr_pem=errand.csr_pem,
            serial_number=errand.serial_number,
            not_before=errand.not_before,
            not_after=errand.not_after,
            certificate_type=errand.certificate_type,
            profile=Profile(errand.pki_url, reserved_ok=errand.reserved_ok),
        )


def _not_linted(errand: SignCertificate, findings: Sequence[str]) -> CertificateNotLinted:
    return CertificateNotLinted(application_id=errand.application_id, findings=tuple(findings))
