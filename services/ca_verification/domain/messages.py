"""What the CA's verification is asked, and what it has to do in the world."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from services.ca_verification.domain.things import Role, again_id, check_id
from shared.contracts.application import KeyAlgorithm, Organisation
from shared.contracts.base import Command, Errand
from shared.contracts.purchases import CertificateType


class ApplicationErrand(Errand):
    """Something that one application needs."""

    about: ClassVar[str] = "application_id"

    application_id: UUID


class CheckName(ApplicationErrand):
    """Look for the proof of control of one name in the DNS (BR 3.2.2.4.7)."""

    name: str
    record_name: str
    record_value: str
    on_request: bool = False

    @property
    def thing(self) -> UUID:
        """Each name is looked for by itself."""
        return check_id(self.application_id, self.name)


class SignCertificate(ApplicationErrand):
    """Lint and sign exactly this: it was decided and stored before, so twice is once."""

    certificate_id: UUID
    certificate_type: CertificateType
    names: tuple[str, ...]
    organisation: Organisation
    csr_pem: str
    key_algorithm: KeyAlgorithm
    serial_number: str
    not_before: datetime
    not_after: datetime
    pki_url: str
    reserved_ok: tuple[str, ...]


class TryAgain(ApplicationErrand):
    """What the linter objected to may have been mended."""

    @property
    def thing(self) -> UUID:
        """It may be too late for it while other things are still to be done."""
        return again_id(self.application_id)


class RemindApplicant(ApplicationErrand):
    """One business day has passed."""


class NameChecked(Command):
    """A name was looked at; `reason` says why nothing was found, None when the proof was."""

    application_id: UUID
    name: str
    reason: str | None
    on_request: bool


class CertificateSigned(Command):
    """The CA has signed."""

    application_id: UUID
    certificate_pem: str
    chain_pem: str
    root_pem: str
    sha256_fingerprint: str


class CertificateNotLinted(Command):
    """The linter has found errors: nothing was signed (BR 4.3.1.2)."""

    application_id: UUID
    findings: tuple[str, ...]


class IntentOutdated(Command):
    """The intent is too old to be signed: nothing was (BR 7.1.2.7)."""

    application_id: UUID


class CheckNameNow(Command):
    """The applicant asks to look at one name at once."""

    application_id: UUID
    account_id: str
    name: str


class DecideTask(Command):
    """An officer has found out; or could not, and says why (`postpone`)."""

    application_id: UUID
    task_id: UUID
    decided_by: str
    role: Role
    decision: Literal["confirm", "refuse", "postpone"]
    note: str
    evidence: str
