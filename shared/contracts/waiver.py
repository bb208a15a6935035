"""What an account agrees to when it combines: the right to a refund ends, for good."""

from dataclasses import dataclass
from datetime import date
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class WaiverText:
    """A text that held from a day on. Its SHA-256 (UTF-8, hex) is what is kept of an agreement."""

    since: date
    sha256: str
    text: str

    def __post_init__(self) -> None:
        if sha256(self.text.encode()).hexdigest() != self.sha256:
            raise ValueError(f"the text of {self.since} was changed: add another one instead")


# Oldest first, and every one there ever was; the last one holds.
TEXTS = (
    WaiverText(
        date(2026, 11, 24),
        "1b6e3f0d7b9c4ebdd0870182d619ab5a09fccff7504d2ae9205093448235ff78",
        "I understand that combined certificates are not eligible for refunds: none of the "
        "selected instances, nor the instance that results from combining them, can be refunded "
        "from now on, not even after a certificate was issued and revoked.",
    ),
)
PRESENT = TEXTS[-1]
TEXT, TEXT_SHA256 = PRESENT.text, PRESENT.sha256


def find_text(sha256: str) -> WaiverText | None:
    """Return the text with this hash (hex), whichever of all times it is of."""
    return next((one for one in TEXTS if one.sha256 == sha256), None)
