"""What an operator may choose about the application service."""

from typing import ClassVar

from pydantic import Field, field_validator

from services.application.keys import load_key_encryption_key
from shared import service


class Settings(service.Settings):
    """Read from `CERTFOLD_APPLICATION_…`, or `CERTFOLD_…` for all services."""

    service: ClassVar[str] = "application"

    key_encryption_key: str = Field(
        repr=False, description="32 bytes in base64url: what private keys are encrypted under"
    )
    most_names: int = Field(250, ge=1, le=1000, description="names in one certificate")
    resolver: str = Field("", description="host:port of a name server; empty: the system's own")
    tls_port: int = Field(443, description="where installed certificates are looked for")
    tls_seconds: float = Field(3.0, gt=0, description="how long one handshake may take")
    key_threads: int = Field(1, ge=1, description="threads that make keys")

    @field_validator("key_encryption_key")
    @classmethod
    def _is_a_key(cls, text: str) -> str:
        load_key_encryption_key(text)
        return text
