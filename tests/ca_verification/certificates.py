"""What the tests about the embedded CA are made of."""

import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from services.ca_verification.ca.authority import Authority
from services.ca_verification.ca.founding import found
from services.ca_verification.ca.plan import Plan, Profile, Subject

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WORD = "hush"
PROFILE = Profile("http://pki.acme.com")
ACME = Subject("CN", "Zhejiang", "Hangzhou", "杭州阿克米有限公司")
ACME_EV = replace(
    ACME,
    business_category="Private Organization",
    jurisdiction_country="CN",
    registration_number="91330000MA2700000X",
)


@cache
def authority() -> Authority:
    with tempfile.TemporaryDirectory() as folder:
        return found(Path(folder) / "ca", WORD, NOON, pki_url=PROFILE.pki_url)


@cache
def csr_pem(algorithm: str = "P-256") -> str:
    key = (
        rsa.generate_private_key(65537, int(algorithm[4:]))
        if algorithm.startswith("RSA")
        else ec.generate_private_key({"P-256": ec.SECP256R1(), "P-521": ec.SECP521R1()}[algorithm])
    )
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def plan(*names: str, **changes: Any) -> Plan:
    fields = {
        "names": names or ("acme.com", "www.acme.com"),
        "subject": ACME,
        "csr_pem": csr_pem(),
        "serial_number": f"{0x4A << 152:x}",
        "not_before": NOON,
        "not_after": NOON + timedelta(days=199, seconds=-1),
        "certificate_type": "OV",
        "profile": PROFILE,
    }
    return Plan(**(fields | changes))
