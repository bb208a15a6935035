"""The issuing CA: who signs, what it prepares to sign, and what it takes back."""

import hashlib
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Self
from weakref import WeakSet

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.ca_verification import policy
from services.ca_verification.ca.lint import Linted, Prepared
from services.ca_verification.ca.plan import Plan, PlanRefusedError
from services.ca_verification.ca.profile import draft

ROOT, ISSUING, ROOT_KEY, ISSUING_KEY = "root.pem", "issuing.pem", "root.key", "issuing.key"
ROOT_LIST = "root.crl"


class Fault(StrEnum):
    """Why a folder is not a CA that may sign."""

    FILE_MISSING = "file_missing"
    FILE_UNREADABLE = "file_unreadable"
    WRONG_PASSPHRASE = "wrong_passphrase"  # noqa: S105 - a reason, no password
    KEY_NOT_ENCRYPTED = "key_not_encrypted"
    WRONG_KIND_OF_KEY = "wrong_kind_of_key"
    KEY_NOT_THE_CERTIFICATES = "key_not_the_certificates"
    NOT_A_CA = "not_a_ca"
    NOT_ISSUED_BY_ROOT = "not_issued_by_root"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"


class AuthorityRefusedError(Exception):
    """The CA cannot be used, for the one reason in `fault`."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(f"{fault}: {message}")
        self.fault = fault


class SomethingElseError(Exception):
    """What would be signed was not prepared by the CA that is to sign it."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A certificate. The fingerprint is SHA-256 over its DER, hex; the chain has no root."""

    certificate_pem: str
    chain_pem: str
    sha256_fingerprint: str


@asn1.sequence
class _Certificate:
    """The three parts of a certificate (RFC 5280 §4.1), none of them looked into."""

    tbs: asn1.TLV
    algorithm: asn1.TLV
    signature: asn1.BitString


@dataclass(frozen=True, slots=True)
class Revoked:
    """A certificate that is not to be trusted from `revoked_at` on (RFC 5280 §5.3.1)."""

    serial_number: str
    revoked_at: datetime
    reason: x509.ReasonFlags = x509.ReasonFlags.unspecified


class Authority:
    """An issuing CA under its root; to have one is the proof that it may sign.

    Raises AuthorityRefusedError unless, at `now`, all of it fits together.
    """

    def __init__(
        self,
        root: x509.Certificate,
        issuing: x509.Certificate,
        key: ec.EllipticCurvePrivateKey,
        now: datetime,
    ) -> None:
        _refuse_foreign_key(issuing, key)
        for certificate in (root, issuing):
            _refuse_leaf(certificate)
            _refuse_time(certificate, now)
        _refuse_stranger(root, issuing)
        self.root = root
        self.issuing = issuing
        self.root_list: x509.CertificateRevocationList | None = None
        self._key = key
        self._hash = hashes.SHA256() if key.key_size == 256 else hashes.SHA384()  # noqa: PLR2004
        self._ecdsa = ec.ECDSA(self._hash, deterministic_signing=True)  # RFC 6979
        self._specimen_key = ec.generate_private_key(key.curve)
        self._prepared: WeakSet[Prepared] = WeakSet()  # each for as long as somebody has it

    @classmethod
    def load(cls, folder: Path, passphrase: str, now: datetime) -> Self:
        """Read what `python -m services.ca_verification.ca init` made.

        The root's key is not touched, and need not be there.
        """
        authority = cls(
            read_certificate(folder / ROOT),
            read_certificate(folder / ISSUING),
            read_key(folder / ISSUING_KEY, passphrase),
            now,
        )
        authority.root_list = read_root_list(folder / ROOT_LIST, authority.root)
        return authority

    @cached_property
    def root_pem(self) -> str:
        """What those who trust this CA install."""
        return self.root.public_bytes(Encoding.PEM).decode()

    @cached_property
    def chain_pem(self) -> str:
        """What a server sends after its own certificate: the issuing CA's, without the root's."""
        return self.issuing.public_bytes(Encoding.PEM).decode()

    @cached_property
    def issuing_der(self) -> bytes:
        """What is published as `issuing.cer` (RFC 5280 §4.2.2.1)."""
        return self.issuing.public_bytes(Encoding.DER)

    def prepare(self, plan: Plan) -> Prepared:
        """Lay the certificate out, and sign a specimen of it with a key that is nobody's.

        Raises PlanRefusedError for a bad key in the request, or a plan that outlives the CA.
        """
        if plan.not_after > self.issuing.not_valid_after_utc:
            raise PlanRefusedError(("it would outlive the CA that signs it",))
        specimen = draft(plan, self.issuing).sign(
            self._specimen_key, self._hash, ecdsa_deterministic=True
        )
        prepared = Prepared(plan, specimen.public_bytes(Encoding.DER))
        self._prepared.add(prepared)
        return prepared

    def sign(self, linted: Linted) -> Signed:
        """Sign what was linted, and nothing else; the same to the last byte when done again.

        It is the specimen that is signed, not a certificate like it: nothing in it can differ.
        Raises SomethingElseError unless it was prepared here, where its request was checked.
        """
        prepared = linted.prepared
        if prepared not in self._prepared:
            raise SomethingElseError(prepared.plan.serial_number)
        specimen = asn1.decode_der(_Certificate, prepared.specimen_der)
        signature = self._key.sign(asn1.encode_der(specimen.tbs), self._ecdsa)
        certificate = replace(specimen, signature=asn1.BitString(signature, 0))
        return self._signed(asn1.encode_der(certificate))

    def crl(self, revoked: Iterable[Revoked], now: datetime) -> bytes:
        """List what is revoked (DER, RFC 5280 §5), until `policy`'s life of such a list is over.

        Its number is the moment in milliseconds, so that later lists have greater ones.
        """
        issuers = self.issuing.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        key_id = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuers)
        entries = [_entry(one, now) for one in revoked]
        builder = (
            # All at once: whoever adds them one by one copies the list each time.
            x509.CertificateRevocationListBuilder(revoked_certificates=entries)
            .issuer_name(self.issuing.subject)
            .last_update(now)
            .next_update(now + policy.at(now.date()).crl_life - policy.ONE_SECOND)
            .add_extension(key_id, critical=False)
            .add_extension(x509.CRLNumber(int(now.timestamp() * 1000)), critical=False)
        )
        signed = builder.sign(self._key, self._hash, ecdsa_deterministic=True)
        return signed.public_bytes(Encoding.DER)

    def _signed(self, der: bytes) -> Signed:
        return Signed(
            certificate_pem=ssl.DER_cert_to_PEM_cert(der),
            chain_pem=self.chain_pem,
            sha256_fingerprint=hashlib.sha256(der).hexdigest(),
        )


def _entry(one: Revoked, now: datetime) -> x509.RevokedCertificate:
    """Enter one; a list of `now` knows of nothing later, even if a clock was moved forward."""
    entry = (
        x509.RevokedCertificateBuilder()
        .serial_number(int(one.serial_number, 16))
        .revocation_date(min(one.revoked_at, now))
    )
    if one.reason is not x509.ReasonFlags.unspecified:  # which is to be left out (BR 7.2.2)
        entry = entry.add_extension(x509.CRLReason(one.reason), critical=False)
    return entry.build()


def _refuse_foreign_key(issuing: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.key_size not in {256, 384}:
        raise AuthorityRefusedError(Fault.WRONG_KIND_OF_KEY, "the key is not P-256 or P-384")
    encoding = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if key.public_key().public_bytes(*encoding) != issuing.public_key().public_bytes(*encoding):
        raise AuthorityRefusedError(Fault.KEY_NOT_THE_CERTIFICATES, "it is another's key")


def _refuse_leaf(certificate: x509.Certificate) -> None:
    """Refuse what may not sign certificates and lists of revoked ones (RFC 5280 §4.2.1.9)."""
    subject = certificate.subject.rfc4514_string()
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as error:
        raise AuthorityRefusedError(Fault.NOT_A_CA, subject) from error
    if not (constraints.ca and usage.key_cert_sign and usage.crl_sign):
        raise AuthorityRefusedError(Fault.NOT_A_CA, subject)


def _refuse_time(certificate: x509.Certificate, now: datetime) -> None:
    subject = certificate.subject.rfc4514_string()
    if now < certificate.not_valid_before_utc:
        since = certificate.not_valid_before_utc.isoformat()
        raise AuthorityRefusedError(Fault.NOT_YET_VALID, f"{subject}, before {since}")
    if now > certificate.not_valid_after_utc:
        since = certificate.not_valid_after_utc.isoformat()
        raise AuthorityRefusedError(Fault.EXPIRED, f"{subject}, since {since}")


def _refuse_stranger(root: x509.Certificate, issuing: x509.Certificate) -> None:
    try:
        issuing.verify_directly_issued_by(root)
    except Exception as error:  # a name, an algorithm or a signature that does not match
        message = f"{issuing.subject.rfc4514_string()}: {error}"
        raise AuthorityRefusedError(Fault.NOT_ISSUED_BY_ROOT, message) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AuthorityRefusedError(Fault.FILE_MISSING, f"{path.name}: {error.strerror}") from error


def read_certificate(path: Path) -> x509.Certificate:
    """Read a certificate (PEM)."""
    try:
        return x509.load_pem_x509_certificate(_read(path))
    except ValueError as error:
        raise AuthorityRefusedError(Fault.FILE_UNREADABLE, path.name) from error


def read_root_list(path: Path, root: x509.Certificate) -> x509.CertificateRevocationList | None:
    """Read the root's list (DER), if there is one: older CAs have none, nor point to it."""
    if not path.exists():
        return None
    try:
        found = x509.load_der_x509_crl(_read(path))
    except ValueError as error:
        raise AuthorityRefusedError(Fault.FILE_UNREADABLE, path.name) from error
    key = root.public_key()
    if not (isinstance(key, ec.EllipticCurvePublicKey) and found.is_signature_valid(key)):
        raise AuthorityRefusedError(Fault.NOT_ISSUED_BY_ROOT, path.name)
    return found


def read_key(path: Path, passphrase: str) -> ec.EllipticCurvePrivateKey:
    """Read a private key (encrypted PKCS#8, PEM)."""
    content = _read(path)
    if b"BEGIN ENCRYPTED PRIVATE KEY" not in content:
        raise AuthorityRefusedError(Fault.KEY_NOT_ENCRYPTED, f"{path.name} is no encrypted PKCS#8")
    try:
        key = serialization.load_pem_private_key(content, passphrase.encode())
    except (TypeError, ValueError) as error:
        raise AuthorityRefusedError(Fault.WRONG_PASSPHRASE, path.name) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise AuthorityRefusedError(Fault.WRONG_KIND_OF_KEY, path.name)
    return key
