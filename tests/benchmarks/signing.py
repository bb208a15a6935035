"""One signature, without specimen and lint: what floor and baseline sign with."""

import secrets

from cryptography.hazmat.primitives.serialization import Encoding

from services.ca_verification.ca.authority import Authority, Signed
from services.ca_verification.ca.plan import SERIAL_BITS, Plan
from services.ca_verification.ca.profile import draft


def new_serial() -> str:
    """Draw a serial number of 158 bits of chance, in hex, as the CA does."""
    top = 1 << (SERIAL_BITS - 1)
    return f"{top | secrets.randbelow(top):x}"


def sign(authority: Authority, plan: Plan) -> Signed:
    """Verify the request of the plan, and sign a certificate by it, once."""
    certificate = draft(plan, authority.issuing).sign(
        authority._key, authority._hash, ecdsa_deterministic=True
    )
    return authority._signed(certificate.public_bytes(Encoding.DER))
