"""What an operator chose about how the CA works, as far as decisions depend on it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Practice:
    """How this CA works: whose business days count, who helps applicants, where its CRL is."""

    country: str = "CN"
    zone: str = "Asia/Shanghai"
    support_contact: str = "support@certfold.example"
    pki_url: str = "http://pki.certfold.example"  # where certificates say that CRLs are found
    reserved_ok: tuple[str, ...] = ()  # suffixes that a sandbox certifies


PRACTICE = Practice()
