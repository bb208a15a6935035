"""Keys that are made for applicants, on their side (BR 6.1.1.3): never in an event, log or error.

They are encrypted at rest under the operator's key; the CA never sees them.
"""

import base64
import binascii
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.contracts.application import KeyAlgorithm
from shared.dnsnames import is_address

KEY_OCTETS = 32
NONCE_OCTETS = 12  # 96 bits (NIST SP 800-38D §8.2.2)
EXPONENT = 65_537  # BR 6.1.6

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class KeyUnreadableError(Exception):
    """What was kept is not what was encrypted, or under another key, or about another thing."""


@dataclass(frozen=True, slots=True)
class Made:
    """A request (PEM), and the private key it was signed by (PKCS#8, DER, **not encrypted**)."""

    csr_pem: str
    private_key_der: bytes = field(repr=False)


def make(key_algorithm: KeyAlgorithm, names: Sequence[str]) -> Made:
    """Make a key and a request for `names`, which are as `shared.dnsnames` writes them.

    Keeps a CPU busy: a millisecond for a curve, up to some seconds for RSA-4096.
    """
    key = _generate(key_algorithm)
    general = [
        x509.IPAddress(ip_address(name)) if is_address(name) else x509.DNSName(name)
        for name in names
    ]
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName(general), critical=True)
        .sign(key, hashes.SHA384() if key_algorithm == "P-384" else hashes.SHA256())
    )
    return Made(
        csr_pem=request.public_bytes(Encoding.PEM).decode(),
        private_key_der=key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
    )


def encrypt(der: bytes, key: bytes, about: bytes) -> bytes:
    """Encrypt by AES-256-GCM under `key` (32 octets): a random nonce of 12 octets, then the rest.

    `about` says what it belongs to, such as an application's id; it decrypts for that only.
    """
    nonce = secrets.token_bytes(NONCE_OCTETS)
    return nonce + AESGCM(key).encrypt(nonce, der, about)


def decrypt(kept: bytes, key: bytes, about: bytes) -> bytes:
    """Return what was given to `encrypt`. Raises KeyUnreadableError, which tells no more."""
    nonce, sealed = kept[:NONCE_OCTETS], kept[NONCE_OCTETS:]
    try:
        return AESGCM(key).decrypt(nonce, sealed, about)
    except (InvalidTag, ValueError):
        raise KeyUnreadableError("a kept private key cannot be decrypted") from None


def load_key_encryption_key(text: str) -> bytes:
    """Read the operator's key: 32 octets in base64url (RFC 4648 §5), padded or not, or base64.

    Raises ValueError, which says what is wrong without repeating the text.
    """
    try:
        octets = text.strip().rstrip("=").encode("ascii")
        padding = b"=" * (-len(octets) % 4)
        key = base64.b64decode(octets + padding, altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise ValueError("the key encryption key is not base64url") from None
    if len(key) != KEY_OCTETS:
        raise ValueError(f"the key encryption key has {len(key)} octets, not {KEY_OCTETS}")
    return key


def _generate(key_algorithm: KeyAlgorithm) -> PrivateKey:
    match key_algorithm:
        case "P-256":
            return ec.generate_private_key(ec.SECP256R1())
        case "P-384":
            return ec.generate_private_key(ec.SECP384R1())
        case _:
            return rsa.generate_private_key(EXPONENT, int(key_algorithm.removeprefix("RSA-")))
