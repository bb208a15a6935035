"""What an operator may choose about the CA's verification."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from services.ca_verification.domain import Practice
from shared import service
from shared.dnsnames import SANDBOX


class Settings(service.Settings):
    """Read from `CERTFOLD_CA_VERIFICATION_…`, or `CERTFOLD_…` for all services."""

    service: ClassVar[str] = "ca_verification"

    ca_folder: Path = Field(description="root.pem, issuing.pem, issuing.key: the embedded CA")
    ca_passphrase: str = Field(repr=False, description="what the CA's keys are encrypted under")
    pki_url: str = Field(
        "http://pki.certfold.example", description="where certificates say that CRLs are found"
    )
    resolver: str = Field("", description="host:port of a name server; empty: the system's own")
    lint_workers: int = Field(1, ge=1, description="processes that lint certificates")
    dns_seconds: float = Field(5.0, gt=0, description="how long one DNS lookup may take")
    country: str = Field("CN", description="whose public holidays count (ISO 3166-1 alpha-2)")
    zone: str = Field("Asia/Shanghai", description="the time zone of the CA's business days")
    support_contact: str = Field(
        "support@certfold.example", description="where rejected applicants get help"
    )

    @property
    def practice(self) -> Practice:
        """How this CA works."""
        return Practice(
            country=self.country,
            zone=self.zone,
            support_contact=self.support_contact,
            pki_url=self.pki_url,
            reserved_ok=tuple(sorted(SANDBOX)) if self.sandbox else (),
        )
