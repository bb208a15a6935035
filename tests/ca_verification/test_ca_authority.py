import copy
import pickle
import subprocess
import sys
import weakref
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from services.ca_verification.ca.authority import (
    Authority,
    AuthorityRefusedError,
    Fault,
    Revoked,
    Signed,
    SomethingElseError,
)
from services.ca_verification.ca.founding import found
from services.ca_verification.ca.lint import Linted, Prepared, lint
from services.ca_verification.ca.plan import PlanRefusedError
from services.ca_verification.ca.profile import draft
from tests.ca_verification.certificates import (
    ACME_EV,
    NOON,
    PROFILE,
    WORD,
    authority,
    csr_pem,
    plan,
)

SEALED = BestAvailableEncryption(WORD.encode())


def passed(prepared: Prepared) -> Linted:
    linted = lint(prepared)
    assert isinstance(linted, Linted), linted.findings
    return linted


def issue(ca: Authority, *names: str, **changes: object) -> Signed:
    return ca.sign(passed(ca.prepare(plan(*names, **changes))))


def parsed(signed: Signed) -> x509.Certificate:
    return x509.load_pem_x509_certificate(signed.certificate_pem.encode())


def openssl(*arguments: str | Path, given: bytes = b"") -> str:
    done = subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True)
    return done.stdout.decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found(tmp_path / "ca", WORD, NOON)
    return tmp_path / "ca"


def fault_of(folder: Path, passphrase: str = WORD, now: datetime = NOON) -> Fault:
    with pytest.raises(AuthorityRefusedError) as refused:
        Authority.load(folder, passphrase, now)
    return refused.value.fault


def test_openssl_trusts_what_was_issued_by_its_root_alone(tmp_path: Path) -> None:
    signed = issue(authority(), "acme.com", "*.acme.com", "8.8.8.8")
    for name, pem in (
        ("root.pem", authority().root_pem),
        ("chain.pem", signed.chain_pem),
        ("leaf.pem", signed.certificate_pem),
    ):
        (tmp_path / name).write_text(pem)
    at = str(int(NOON.timestamp()))

    told = openssl(
        *("verify", "-x509_strict", "-purpose", "sslserver", "-attime", at),
        *("-verify_hostname", "shop.acme.com"),
        *("-CAfile", tmp_path / "root.pem", "-untrusted", tmp_path / "chain.pem"),
        tmp_path / "leaf.pem",
    )

    assert told.endswith("leaf.pem: OK\n")


def test_a_certificate_says_what_the_rules_want_and_nothing_else() -> None:
    certificate = issue(authority(), "acme.com", "8.8.8.8").certificate_pem.encode()
    oids = {
        extension.oid.dotted_string: extension.critical
        for extension in x509.load_pem_x509_certificate(certificate).extensions
    }
    text = openssl("x509", "-noout", "-text", "-nameopt", "utf8,sep_comma_plus", given=certificate)
    lines = [line.strip() for line in text.splitlines()]

    assert oids == {
        "2.5.29.35": False,  # authorityKeyIdentifier
        "2.5.29.14": False,  # subjectKeyIdentifier
        "2.5.29.17": False,  # subjectAltName
        "2.5.29.19": True,  # basicConstraints
        "2.5.29.15": True,  # keyUsage
        "2.5.29.37": False,  # extKeyUsage
        "2.5.29.32": False,  # certificatePolicies
        "1.3.6.1.5.5.7.1.1": False,  # authorityInfoAccess
        "2.5.29.31": False,  # cRLDistributionPoints
    }
    assert "Subject: C=CN,ST=Zhejiang,L=Hangzhou,O=杭州阿克米有限公司" in lines
    assert "Version: 3 (0x2)" in lines
    assert "Not Before: Nov 24 12:00:00 2026 GMT" in lines
    assert "Not After : Jun 11 11:59:59 2027 GMT" in lines
    assert "DNS:acme.com, IP Address:8.8.8.8" in lines
    assert "Digital Signature" in lines
    assert "TLS Web Server Authentication" in lines
    assert "Policy: 2.23.140.1.2.2" in lines
    assert "CA Issuers - URI:http://pki.acme.com/issuing.cer" in lines
    assert "URI:http://pki.acme.com/issuing.crl" in lines
    assert "CA:FALSE" in lines


def test_an_ev_certificate_names_the_registration_and_who_keeps_it() -> None:
    certificate = parsed(issue(authority(), subject=ACME_EV, certificate_type="EV"))

    assert [(one.oid._name, one.value) for one in certificate.subject] == [
        ("countryName", "CN"),
        ("stateOrProvinceName", "Zhejiang"),
        ("localityName", "Hangzhou"),
        ("organizationName", "杭州阿克米有限公司"),
        ("businessCategory", "Private Organization"),
        ("jurisdictionCountryName", "CN"),
        ("serialNumber", "91330000MA2700000X"),
    ]


def test_a_dv_certificate_names_nobody_so_its_names_are_critical() -> None:
    certificate = parsed(issue(authority(), subject=None, certificate_type="DV"))

    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert (list(certificate.subject), names.critical) == ([], True)


def test_an_rsa_key_may_be_encrypted_to() -> None:
    certificate = parsed(issue(authority(), csr_pem=csr_pem("RSA-2048")))

    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_encipherment) == (True, True)


def test_an_ocsp_responder_is_named_where_there_is_one() -> None:
    profile = type(PROFILE)(PROFILE.pki_url, "http://ocsp.acme.com")
    certificate = parsed(issue(authority(), profile=profile))

    access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert [one.access_location.value for one in access] == [
        "http://ocsp.acme.com",
        "http://pki.acme.com/issuing.cer",
    ]


def test_whoever_signs_a_plan_again_gets_the_same_certificate(folder: Path) -> None:
    before = issue(Authority.load(folder, WORD, NOON))
    after = issue(Authority.load(folder, WORD, NOON + timedelta(days=1)))

    assert after == before


def test_another_process_signs_the_same_certificate(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "plan.pickle").write_bytes(pickle.dumps(plan()))
    program = """if True:
        import pickle, sys
        from datetime import datetime
        from pathlib import Path
        from services.ca_verification.ca.authority import Authority
        from services.ca_verification.ca.lint import lint
        ca = Authority.load(Path(sys.argv[1]), sys.argv[2], datetime.fromisoformat(sys.argv[3]))
        plan = pickle.loads(Path(sys.argv[4]).read_bytes())
        print(ca.sign(lint(ca.prepare(plan))).certificate_pem, end="")
    """
    elsewhere = subprocess.run(
        [
            *(sys.executable, "-c", program, folder, WORD, NOON.isoformat()),
            tmp_path / "plan.pickle",
        ],
        capture_output=True,
        check=True,
        text=True,
    )

    assert elsewhere.stdout == issue(Authority.load(folder, WORD, NOON)).certificate_pem


def test_what_is_signed_is_what_was_linted_to_the_last_byte() -> None:
    linted = passed(authority().prepare(plan()))

    signed = parsed(authority().sign(linted))

    specimen = x509.load_der_x509_certificate(linted.prepared.specimen_der)
    assert signed.tbs_certificate_bytes == specimen.tbs_certificate_bytes
    assert specimen.signature != signed.signature
    signed.verify_directly_issued_by(authority().issuing)
    assert authority().sign(linted) == authority().sign(linted)


@pytest.mark.parametrize("curve", [ec.SECP256R1, ec.SECP384R1])
def test_a_certificate_is_put_together_as_the_library_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, curve: type[ec.EllipticCurve]
) -> None:
    wish = plan()
    monkeypatch.setattr(ec, "SECP256R1", curve)  # what a CA is founded with
    ca = found(tmp_path / "ca", WORD, NOON)
    key = serialization.load_pem_private_key(
        (tmp_path / "ca" / "issuing.key").read_bytes(), WORD.encode()
    )
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    digest = {256: hashes.SHA256(), 384: hashes.SHA384()}[key.key_size]
    assert isinstance(key.curve, curve)

    signed = ca.sign(passed(ca.prepare(wish)))

    theirs = draft(wish, ca.issuing).sign(key, digest, ecdsa_deterministic=True)
    assert signed == Signed(
        theirs.public_bytes(Encoding.PEM).decode(),
        (tmp_path / "ca" / "issuing.pem").read_text(),
        theirs.fingerprint(hashes.SHA256()).hex(),
    )


def test_another_ca_does_not_sign_what_was_prepared_for_this_one(folder: Path) -> None:
    linted = passed(authority().prepare(plan()))

    with pytest.raises(SomethingElseError):
        Authority.load(folder, WORD, NOON).sign(linted)


def test_nothing_is_signed_that_was_not_prepared() -> None:
    """What nobody prepared can be linted, but its request was proven to nobody."""
    prepared, other = authority().prepare(plan("a.com")), authority().prepare(plan("b.com"))
    unproven = draft(plan("a.com"), authority().issuing).sign(
        ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()
    )
    for forged in (
        Prepared(prepared.plan, unproven.public_bytes(Encoding.DER)),
        replace(prepared, plan=other.plan),
        replace(prepared, specimen_der=other.specimen_der),
        copy.copy(prepared),
    ):
        with pytest.raises(SomethingElseError):
            authority().sign(passed(forged))


def test_what_was_prepared_and_is_wanted_no_more_is_forgotten() -> None:
    prepared = authority().prepare(plan())
    kept = weakref.ref(prepared)

    del prepared

    assert kept() is None


def test_nothing_outlives_the_ca() -> None:
    late = NOON + timedelta(days=1800)

    with pytest.raises(PlanRefusedError, match="outlive"):
        authority().prepare(plan(not_before=late, not_after=late + timedelta(days=46)))


def test_a_key_that_may_not_be_certified_is_refused_by_the_ca_too() -> None:
    with pytest.raises(PlanRefusedError, match="its key is none of RSA-2048"):
        authority().prepare(plan(csr_pem=csr_pem("P-521")))


def test_a_request_that_proves_nothing_is_refused_by_the_ca_too() -> None:
    with pytest.raises(PlanRefusedError, match="cannot be read"):
        authority().prepare(plan(csr_pem="nothing"))
    der = bytearray(x509.load_pem_x509_csr(csr_pem().encode()).public_bytes(Encoding.DER))
    der[-1] ^= 1
    tampered = x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM).decode()
    with pytest.raises(PlanRefusedError, match="not signed by its own key"):
        authority().prepare(plan(csr_pem=tampered))


def test_a_list_of_the_revoked_is_signed_and_soon_over(tmp_path: Path) -> None:
    signed = parsed(issue(authority()))
    taken_back = Revoked(f"{signed.serial_number:x}", NOON, x509.ReasonFlags.key_compromise)
    plain = Revoked("4a" * 10, NOON)

    der = authority().crl([taken_back, plain], NOON)

    crl = x509.load_der_x509_crl(der)
    assert crl == x509.load_der_x509_crl(authority().crl([taken_back, plain], NOON))
    assert crl.is_signature_valid(authority().issuing.public_key())  # type: ignore[arg-type]
    assert crl.next_update_utc == NOON + timedelta(days=4, seconds=-1)
    [first, second] = crl
    reason = first.extensions.get_extension_for_class(x509.CRLReason).value.reason
    assert (first.serial_number, reason) == (
        signed.serial_number,
        x509.ReasonFlags.key_compromise,
    )
    assert (second.serial_number, len(second.extensions)) == (int("4a" * 10, 16), 0)
    (tmp_path / "issuing.pem").write_text(authority().issuing.public_bytes(Encoding.PEM).decode())
    openssl("crl", "-inform", "DER", "-noout", "-CAfile", tmp_path / "issuing.pem", given=der)


def test_a_long_list_holds_all_that_was_taken_back_in_order() -> None:
    revoked = [Revoked(f"{number:x}", NOON) for number in range(1 << 64, (1 << 64) + 1000)]

    crl = x509.load_der_x509_crl(authority().crl(iter(revoked), NOON))

    assert [f"{one.serial_number:x}" for one in crl] == [one.serial_number for one in revoked]


def test_a_later_list_has_a_greater_number() -> None:
    numbers = [
        x509.load_der_x509_crl(authority().crl([], NOON + timedelta(seconds=seconds)))
        .extensions.get_extension_for_class(x509.CRLNumber)
        .value.crl_number
        for seconds in range(3)
    ]

    assert numbers == sorted(set(numbers))


def test_a_ca_without_its_files_is_refused_by_name(folder: Path) -> None:
    (folder / "root.key").unlink()
    Authority.load(folder, WORD, NOON)
    (folder / "root.pem").write_text("nothing")
    assert fault_of(folder) is Fault.FILE_UNREADABLE
    (folder / "root.pem").unlink()
    assert fault_of(folder) is Fault.FILE_MISSING


def test_a_ca_is_refused_under_the_wrong_passphrase(folder: Path) -> None:
    assert fault_of(folder, "wrong") is Fault.WRONG_PASSPHRASE
    assert fault_of(folder, "") is Fault.WRONG_PASSPHRASE


def test_a_ca_is_refused_out_of_its_time(folder: Path) -> None:
    assert fault_of(folder, now=NOON - timedelta(hours=2)) is Fault.NOT_YET_VALID
    assert fault_of(folder, now=NOON + timedelta(days=1826)) is Fault.EXPIRED


def test_a_ca_with_anothers_key_is_refused(folder: Path) -> None:
    (folder / "root.key").replace(folder / "issuing.key")

    assert fault_of(folder) is Fault.KEY_NOT_THE_CERTIFICATES


@pytest.mark.parametrize(
    ("key", "encryption", "fault"),
    [
        (rsa.generate_private_key(65537, 2048), SEALED, Fault.WRONG_KIND_OF_KEY),
        (ec.generate_private_key(ec.SECP521R1()), SEALED, Fault.WRONG_KIND_OF_KEY),
        (ec.generate_private_key(ec.SECP256R1()), NoEncryption(), Fault.KEY_NOT_ENCRYPTED),
    ],
)
def test_a_ca_with_the_wrong_kind_of_key_is_refused(
    folder: Path,
    key: ec.EllipticCurvePrivateKey,
    encryption: KeySerializationEncryption,
    fault: Fault,
) -> None:
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    (folder / "issuing.key").write_bytes(content)

    assert fault_of(folder) is fault


def test_what_is_no_ca_is_refused(folder: Path) -> None:
    ca = Authority.load(folder, WORD, NOON)
    (folder / "root.pem").write_text(issue(ca).certificate_pem)

    assert fault_of(folder) is Fault.NOT_A_CA


def test_a_stranger_is_not_the_root(folder: Path, tmp_path: Path) -> None:
    found(tmp_path / "other", WORD, NOON)
    (tmp_path / "other" / "root.pem").replace(folder / "root.pem")

    assert fault_of(folder) is Fault.NOT_ISSUED_BY_ROOT


def test_a_fingerprint_is_of_the_certificate_itself() -> None:
    signed = issue(authority())

    assert signed.sha256_fingerprint == parsed(signed).fingerprint(hashes.SHA256()).hex()
    assert parsed(signed).not_valid_before_utc == datetime(2026, 11, 24, 12, tzinfo=UTC)
    key = serialization.load_pem_public_key(
        openssl("x509", "-noout", "-pubkey", given=signed.certificate_pem.encode()).encode()
    )
    assert key == parsed(signed).public_key()
