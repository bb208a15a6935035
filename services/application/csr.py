"""Requests for certificates (PKCS #10, RFC 2986) that applicants paste, and what is in them.

Of weak keys, `shared.publickeys` finds close factors and ROCA. Debian's predictable keys are
**not** found: their block list is not shipped.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared import publickeys
from shared.contracts.application import KeyAlgorithm
from shared.contracts.base import Objection
from shared.dnsnames import canonical

LARGEST = 16 * 1024  # octets
SUBJECT = "csr"

_BLOCK = re.compile(r"-----BEGIN ([^\n-]*)-----.*?-----END \1-----", re.DOTALL)  # RFC 7468
_LABELS = {"CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"}
_HOST = re.compile(r"(\*\.)?[^\s.@/]+(\.[^\s.@/]+)+\.?|[0-9A-Fa-f:]+:[0-9A-Fa-f:.]*")


@dataclass(frozen=True, slots=True)
class Csr:
    """A request that was found good. `names` are canonical, in the order of the request.

    `spki_sha256` is SHA-256 over the key (DER SubjectPublicKeyInfo), hex: the same key in another
    order's request has the same.
    """

    pem: str
    key_algorithm: KeyAlgorithm
    names: tuple[str, ...]
    spki_sha256: str


class _FaultyError(Exception):
    """It cannot be read any further."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.objection = _objection(code, message)


def inspect(csr_pem: str) -> Csr | tuple[Objection, ...]:
    """Read one PEM block of at most 16 KiB; tell all that stands against it (BR 6.1.1.3).

    Codes: `csr_too_large`, `csr_malformed`, `csr_signature_invalid`, `csr_key_not_allowed` and
    `csr_key_weak`. Text around the block is left out.
    """
    try:
        request = _request(csr_pem)
        key = _key(request)
        names = tuple(dict.fromkeys(_names(request)))
    except _FaultyError as faulty:
        return (faulty.objection,)
    algorithm = publickeys.algorithm(key)
    objections = tuple(_grounds(request, key))
    if objections or algorithm is None:
        return objections
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = request.public_bytes(Encoding.PEM).decode()
    return Csr(pem, algorithm, names, hashlib.sha256(spki).hexdigest())


def objections(csr: Csr, names: Sequence[str]) -> Iterator[Objection]:
    """Yield a `csr_foreign_name` for each name in the request that is not among `names`."""
    wanted = set(map(canonical, names))
    for name in csr.names:
        if name not in wanted:
            said = f"the request is for {name} too, which is not among the names applied for"
            yield Objection(code="csr_foreign_name", subject=name, message=said)


def _request(csr_pem: str) -> x509.CertificateSigningRequest:
    if len(csr_pem.encode(errors="replace")) > LARGEST:
        raise _FaultyError("csr_too_large", f"has more than {LARGEST // 1024} KiB")
    if "PRIVATE KEY-----" in csr_pem:
        said = "holds a private key, which nobody may see: make another one, and send its request"
        raise _FaultyError("csr_malformed", said)
    blocks = list(_BLOCK.finditer(csr_pem))
    if [block[1] in _LABELS for block in blocks] != [True]:
        said = "is not exactly one PEM block, from BEGIN to END CERTIFICATE REQUEST (RFC 7468 §7)"
        raise _FaultyError("csr_malformed", said)
    try:
        return x509.load_pem_x509_csr(blocks[0][0].encode())
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise _FaultyError("csr_malformed", "is not a request by RFC 2986") from None


def _key(request: x509.CertificateSigningRequest) -> PublicKeyTypes:
    try:
        return request.public_key()
    except (ValueError, UnsupportedAlgorithm):
        said = f"holds a key that cannot be read; {publickeys.ALLOWED} are allowed"
        raise _FaultyError("csr_key_not_allowed", said) from None


def _names(request: x509.CertificateSigningRequest) -> Iterator[str]:
    """Yield the alternative names, of any kind, and common names that look like a host's."""
    try:
        # Both are parsed no sooner than here.
        subject, extensions = request.subject, request.extensions
    except (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        said = "has a subject or extensions that cannot be read"
        raise _FaultyError("csr_malformed", said) from None
    for attribute in subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME):
        if _HOST.fullmatch(str(attribute.value)):
            yield canonical(str(attribute.value))
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    for name in names:
        yield canonical(_text(name))


def _text(name: x509.GeneralName) -> str:
    if isinstance(name, x509.DirectoryName):
        return name.value.rfc4514_string()
    if isinstance(name, x509.OtherName | x509.RegisteredID):
        return repr(name)
    return str(name.value)


def _grounds(request: x509.CertificateSigningRequest, key: PublicKeyTypes) -> Iterator[Objection]:
    try:
        is_proven = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm):
        yield _objection("csr_signature_invalid", "is signed by an algorithm that is not accepted")
    else:
        if not is_proven:
            said = "is not signed by the key in it, or was changed since (RFC 2986 §4.2)"
            yield _objection("csr_signature_invalid", said)
    if publickeys.algorithm(key) is None:
        said = f"holds a key that is none of {publickeys.ALLOWED} (BR 6.1.5)"
        yield _objection("csr_key_not_allowed", said)
    for why in publickeys.weaknesses(key):
        yield _objection("csr_key_weak", why)


def _objection(code: str, message: str) -> Objection:
    return Objection(code=code, subject=SUBJECT, message=message)
