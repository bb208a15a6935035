"""What the root has taken back: a list a year, signed where the root's key is (BR 4.9.7).

The root signs one certificate in its life, so there is one that can be on it: the issuing CA's.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from services.ca_verification.ca.authority import (
    ISSUING,
    ROOT,
    ROOT_KEY,
    ROOT_LIST,
    read_certificate,
    read_key,
    read_root_list,
)

LIFE = timedelta(days=365)  # the longest: twelve months
ONE_SECOND = timedelta(seconds=1)


def renew(
    folder: Path, passphrase: str, now: datetime, revoke: x509.ReasonFlags | None = None
) -> None:
    """Sign `root.crl` anew; for the reason to `revoke` the issuing CA it is on it, for good.

    Raises AuthorityRefusedError for files that are missing or not what they should be.
    """
    root = read_certificate(folder / ROOT)
    issuing = read_certificate(folder / ISSUING)
    entries = list(read_root_list(folder / ROOT_LIST, root) or ())
    if revoke and not entries:
        entries = [entry(issuing, now, revoke)]
    der = signed_list(root, read_key(folder / ROOT_KEY, passphrase), now, entries)
    draft = folder / f".{ROOT_LIST}"
    draft.write_bytes(der)
    draft.chmod(0o644)
    draft.replace(folder / ROOT_LIST)


def entry(
    issuing: x509.Certificate, now: datetime, reason: x509.ReasonFlags
) -> x509.RevokedCertificate:
    """Enter the issuing CA, with the reason, which must be there (BR 7.2.2)."""
    return (
        x509.RevokedCertificateBuilder()
        .serial_number(issuing.serial_number)
        .revocation_date(now)
        .add_extension(x509.CRLReason(reason), critical=False)
        .build()
    )


def signed_list(
    root: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    entries: Iterable[x509.RevokedCertificate] = (),
) -> bytes:
    """Sign a list of the root's (DER). Its number is the moment in milliseconds."""
    key_id = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    above = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(root.subject)
        .last_update(now)
        .next_update(now + LIFE - ONE_SECOND)
        .add_extension(above, critical=False)
        .add_extension(x509.CRLNumber(int(now.timestamp() * 1000)), critical=False)
    )
    for one in entries:
        builder = builder.add_revoked_certificate(one)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
