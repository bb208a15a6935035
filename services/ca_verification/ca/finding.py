"""What a rule says of a certificate."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["fatal", "error", "warning", "notice", "info", "debug"]


@dataclass(frozen=True, slots=True)
class Finding:
    """How bad it is, which rule says so, where in the certificate, and why (`""`: see the code)."""

    severity: Severity
    code: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message} ({self.where})"

    @property
    def forbids(self) -> bool:
        """Tell whether a MUST is broken; a SHOULD is only told."""
        return self.severity in {"fatal", "error"}
