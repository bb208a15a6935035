"""How the CA comes to be: a root and an issuing CA under it, in one folder, at once or not at all.

The root signs one certificate in its life. Move `root.key` off the machine afterwards: nothing in
service needs it.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    NameOID,
    ObjectIdentifier,
)

from services.ca_verification.ca.authority import (
    ISSUING,
    ISSUING_KEY,
    ROOT,
    ROOT_KEY,
    ROOT_LIST,
    Authority,
)
from services.ca_verification.ca.root_list import signed_list

ROOT_LIFE = timedelta(days=3652)
ISSUING_LIFE = timedelta(days=1826)
EARLIER = timedelta(hours=1)  # for clocks that are slow; a day is the most (BR 7.1.2.1.1)
ONE_SECOND = timedelta(seconds=1)
PKI_URL = "http://pki.certfold.example"
ANY_POLICY = ObjectIdentifier("2.5.29.32.0")


class FoundingRefusedError(Exception):
    """The folder holds something else, or half a CA: a person must look."""


@dataclass(frozen=True, slots=True)
class _Half:
    """A CA's certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def found(
    folder: Path,
    passphrase: str,
    now: datetime,
    organisation: str = "Certfold",
    country: str = "CN",
    *,
    pki_url: str = PKI_URL,
) -> Authority:
    """Make root and issuing CA in `folder`, unless they are there; return them, ready to sign.

    The issuing CA's certificate points to `pki_url`, for the root and for what it has taken back.
    The keys are P-256, in PKCS#8 encrypted under `passphrase`, for the owner's eyes alone (0600).
    Raises FoundingRefusedError when the folder holds anything else, and AuthorityRefusedError when
    the CA that is there cannot be used.
    """
    if not (folder / ROOT).exists():
        _make(folder, passphrase, now, _names(organisation, country), pki_url)
    return Authority.load(folder, passphrase, now)


def _make(
    folder: Path, passphrase: str, now: datetime, names: Sequence[x509.Name], pki_url: str
) -> None:
    if not passphrase:
        raise FoundingRefusedError("there is no passphrase to keep the keys under")
    if folder.exists() and any(folder.iterdir()):
        raise FoundingRefusedError(f"{folder} holds other things, and no {ROOT}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _fill(draft, passphrase, now, names, pki_url)
        draft.chmod(0o755)
        draft.rename(folder)
    except OSError as error:
        # Whoever was faster has made it; what is there is judged when it is loaded.
        if not (folder / ROOT).exists():
            raise FoundingRefusedError(f"{folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _names(organisation: str, country: str) -> Sequence[x509.Name]:
    """Name the root and the issuing CA."""
    tag = os.urandom(3).hex()  # so that programs which know an earlier one do not mix them up
    return [
        x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, country),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
                x509.NameAttribute(NameOID.COMMON_NAME, f"{organisation} {role} {tag}"),
            ]
        )
        for role in ("Private Root", "Private TLS CA")
    ]


def _fill(
    folder: Path, passphrase: str, now: datetime, names: Sequence[x509.Name], pki_url: str
) -> None:
    begins = now.replace(microsecond=0) - EARLIER
    root = _root(names[0], begins)
    issuing = _issuing(names[1], begins, root, pki_url)
    encryption = BestAvailableEncryption(passphrase.encode())
    for half, certificate_file, key_file in (
        (root, ROOT, ROOT_KEY),
        (issuing, ISSUING, ISSUING_KEY),
    ):
        key = half.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        _write(folder / key_file, key, 0o600)
        _write(folder / certificate_file, half.certificate.public_bytes(Encoding.PEM), 0o644)
    _write(folder / ROOT_LIST, signed_list(root.certificate, root.key, now), 0o644)


def _root(name: x509.Name, begins: datetime) -> _Half:
    """Make a root (BR 7.1.2.1), above which there is none and below which there is one CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, key, begins, ROOT_LIFE, path_length=1).issuer_name(name)
    return _Half(builder.sign(key, hashes.SHA256()), key)


def _issuing(name: x509.Name, begins: datetime, root: _Half, pki_url: str) -> _Half:
    """Make an issuing CA for TLS servers (BR 7.1.2.6), below which there is none."""
    key = ec.generate_private_key(ec.SECP256R1())
    key_id = root.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    above = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id)
    access = x509.AccessDescription(
        AuthorityInformationAccessOID.CA_ISSUERS,
        x509.UniformResourceIdentifier(f"{pki_url}/root.cer"),
    )
    point = x509.UniformResourceIdentifier(f"{pki_url}/{ROOT_LIST}")
    builder = (
        _builder(name, key, begins, ISSUING_LIFE, path_length=0)
        .issuer_name(root.certificate.subject)
        .add_extension(above, critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityInformationAccess([access]), critical=False)
        .add_extension(
            x509.CRLDistributionPoints([x509.DistributionPoint([point], None, None, None)]),
            critical=False,
        )
        .add_extension(
            x509.CertificatePolicies([x509.PolicyInformation(ANY_POLICY, None)]), critical=False
        )
    )
    return _Half(builder.sign(root.key, hashes.SHA256()), key)


def _builder(
    name: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begins: datetime,
    life: timedelta,
    path_length: int,
) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + life - ONE_SECOND)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file that was never open to more eyes than `mode` says, and is on the disk."""
    path.touch(mode, exist_ok=False)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
