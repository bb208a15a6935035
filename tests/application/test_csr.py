import base64
import hashlib
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from services.application.csr import Csr, inspect, objections
from services.application.keys import make
from shared.contracts.base import Objection

P256 = ec.generate_private_key(ec.SECP256R1())


def pem(
    *names: x509.GeneralName,
    common_name: str | None = None,
    key: CertificateIssuerPrivateKeyTypes = P256,
) -> str:
    subject = [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)] if common_name else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.PEM).decode()


def codes(text: str) -> list[str]:
    outcome = inspect(text)
    return [] if isinstance(outcome, Csr) else [one.code for one in outcome]


def tampered(text: str, old: bytes, new: bytes) -> str:
    der = x509.load_pem_x509_csr(text.encode()).public_bytes(Encoding.DER)
    assert len(old) == len(new)
    return x509.load_der_x509_csr(der.replace(old, new)).public_bytes(Encoding.PEM).decode()


def test_a_good_request_says_what_is_in_it() -> None:
    text = pem(
        x509.DNSName("WWW.acme.com"),
        x509.DNSName("*.acme.com"),
        x509.IPAddress(ip_address("8.8.8.8")),
        common_name="Acme.com",
    )
    spki = P256.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    assert inspect(text) == Csr(
        pem=text,
        key_algorithm="P-256",
        names=("acme.com", "www.acme.com", "*.acme.com", "8.8.8.8"),
        spki_sha256=hashlib.sha256(spki).hexdigest(),
    )


def test_our_own_requests_are_good() -> None:
    made = make("RSA-2048", ["acme.com", "2a00:1450:4001::1"])

    outcome = inspect(made.csr_pem)

    assert isinstance(outcome, Csr)
    assert (outcome.key_algorithm, outcome.names) == ("RSA-2048", ("acme.com", "2a00:1450:4001::1"))
    assert list(objections(outcome, ["ACME.com", "2A00:1450:4001:0::1"])) == []


def test_the_text_that_openssl_writes_around_a_request_is_left_out(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *("openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-text"),
            *("-keyout", tmp_path / "key", "-subj", "/CN=Acme Limited/O=Acme"),
            *("-addext", "subjectAltName=DNS:acme.com"),
        ],
        capture_output=True,
        check=True,
        text=True,
    )

    outcome = inspect(done.stdout.replace("\n", "\r\n"))

    assert isinstance(outcome, Csr)
    assert outcome.names == ("acme.com",)  # a company is no host
    assert outcome.pem.startswith("-----BEGIN CERTIFICATE REQUEST-----\n")


def test_names_that_were_not_applied_for_are_told_each() -> None:
    outcome = inspect(
        pem(
            x509.DNSName("acme.com"),
            x509.DNSName("rival.com"),
            x509.RFC822Name("ceo@acme.com"),
            x509.DirectoryName(x509.Name([])),
            common_name="10.0.0.1",
        )
    )

    assert isinstance(outcome, Csr)
    assert [one.subject for one in objections(outcome, ["acme.com"])] == [
        "10.0.0.1",
        "rival.com",
        "ceo@acme.com",
        "",
    ]
    assert next(objections(outcome, ["acme.com", "10.0.0.1"])) == Objection(
        code="csr_foreign_name",
        subject="rival.com",
        message="the request is for rival.com too, which is not among the names applied for",
    )


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 1024),  # noqa: S505 - which is refused
        rsa.generate_private_key(65537, 2056),
        ec.generate_private_key(ec.SECP521R1()),
        ec.generate_private_key(ec.SECP256K1()),
        ed25519.Ed25519PrivateKey.generate(),
        dsa.generate_private_key(2048),
    ],
)
def test_other_keys_are_not_allowed(key: CertificateIssuerPrivateKeyTypes) -> None:
    assert codes(pem(key=key)) == ["csr_key_not_allowed"]


def test_a_key_of_exponent_three_is_weak() -> None:
    assert codes(pem(key=rsa.generate_private_key(3, 2048))) == ["csr_key_weak"]


def test_a_changed_request_proves_nothing() -> None:
    text = pem(x509.DNSName("acme.com"))

    assert codes(tampered(text, b"acme.com", b"evil.com")) == ["csr_signature_invalid"]


def test_all_that_stands_against_a_request_is_told_at_once() -> None:
    text = pem(x509.DNSName("acme.com"), key=rsa.generate_private_key(3, 2056))

    assert codes(tampered(text, b"acme.com", b"evil.com")) == [
        "csr_signature_invalid",
        "csr_key_not_allowed",
        "csr_key_weak",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----",
        "-----BEGIN CERTIFICATE REQUEST-----\n!!!\n-----END CERTIFICATE REQUEST-----",
        "-----BEGIN CERTIFICATE REQUEST-----",
        pem() * 2,
        pem().replace("CERTIFICATE REQUEST", "CERTIFICATE"),
        pem()[:200],
        pem(x509.DNSName("acme.com")).replace("M", "\x00", 1),
    ],
)
def test_what_is_no_request_is_malformed(text: str) -> None:
    assert codes(text) == ["csr_malformed"]


def test_a_pasted_private_key_is_refused_and_not_repeated() -> None:
    text = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\n-----END PRIVATE KEY-----\n" + pem()

    [objection] = inspect(text)

    assert isinstance(objection, Objection)
    assert objection.code == "csr_malformed"
    assert "make another one" in objection.message
    assert "MIGHAgEAMBMG" not in repr(objection)


def test_sixteen_kibibytes_are_the_most() -> None:
    text = pem()

    assert codes(text.rjust(16 * 1024)) == []
    assert codes(text.rjust(16 * 1024 + 1)) == ["csr_too_large"]


def test_the_same_key_is_known_again_in_another_request() -> None:
    one, other = inspect(pem(x509.DNSName("a.com"))), inspect(pem(x509.DNSName("b.com")))

    assert isinstance(one, Csr)
    assert isinstance(other, Csr)
    assert one.spki_sha256 == other.spki_sha256
    assert one.pem != other.pem


REQUEST = x509.load_pem_x509_csr(
    pem(
        x509.DNSName("acme.com"), x509.IPAddress(ip_address("8.8.8.8")), common_name="a.com"
    ).encode()
)
DER = REQUEST.public_bytes(Encoding.DER)
START = DER.index(REQUEST.tbs_certrequest_bytes)
SIGNED = range(START, START + len(REQUEST.tbs_certrequest_bytes))


@pytest.mark.filterwarnings("ignore:Attribute's length")
@settings(max_examples=500)
@given(st.integers(0, len(DER) - 1), st.integers(1, 255))
def test_a_changed_octet_is_always_answered_and_always_noticed_where_it_is_signed(
    at: int, change: int
) -> None:
    broken = bytearray(DER)
    broken[at] ^= change
    body = base64.encodebytes(bytes(broken)).decode()

    told = codes(f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n")

    assert told or at not in SIGNED
