"""What the root has taken back: the issuing CA, or nothing."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from services.ca_verification.ca.__main__ import PASSPHRASE, PKI, main
from services.ca_verification.ca.authority import Authority, AuthorityRefusedError, Fault
from services.ca_verification.ca.founding import found
from services.ca_verification.ca.root_list import renew
from shared.clock import utc_now
from tests.ca_verification.certificates import NOON, WORD

YEAR = timedelta(days=365)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found(tmp_path / "ca", WORD, NOON)
    return tmp_path / "ca"


def listed(folder: Path) -> x509.CertificateRevocationList:
    """Read the list as who relies on it (RFC 5280 §6.3)."""
    root = x509.load_pem_x509_certificate((folder / "root.pem").read_bytes())
    crl = x509.load_der_x509_crl((folder / "root.crl").read_bytes())
    assert crl.is_signature_valid(root.public_key())  # type: ignore[arg-type]
    assert crl.issuer == root.subject
    return crl


def test_new_root_has_taken_nothing_back_for_twelve_months(folder: Path) -> None:
    """BR 4.9.7."""
    crl = listed(folder)

    assert list(crl) == []
    assert crl.last_update_utc == NOON
    assert crl.next_update_utc == NOON + YEAR - timedelta(seconds=1)


def test_issuing_ca_that_is_taken_back_stays_on_every_later_list(folder: Path) -> None:
    issuing = Authority.load(folder, WORD, NOON).issuing

    renew(folder, WORD, NOON + YEAR, x509.ReasonFlags.ca_compromise)
    renew(folder, WORD, NOON + 2 * YEAR)

    [entry] = listed(folder)
    reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    assert entry.serial_number == issuing.serial_number
    assert entry.revocation_date_utc == NOON + YEAR
    assert reason == x509.ReasonFlags.ca_compromise
    assert listed(folder).last_update_utc == NOON + 2 * YEAR


def test_list_is_renewed_by_command_where_the_roots_key_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(PASSPHRASE, WORD)

    assert main(["crl", "--folder", str(folder), "--revoke-issuing", "superseded"]) == 0
    assert abs(listed(folder).last_update_utc - utc_now()) < timedelta(hours=1)
    assert len(list(listed(folder))) == 1
    (folder / "root.key").unlink()
    assert main(["crl", "--folder", str(folder)]) == 1
    assert capsys.readouterr().err == "file_missing: root.key: No such file or directory\n"


@pytest.mark.parametrize(
    ("content", "fault"),
    [("nothing", Fault.FILE_UNREADABLE), ("another's", Fault.NOT_ISSUED_BY_ROOT)],
)
def test_ca_is_not_used_with_a_list_that_is_not_its_roots(
    folder: Path, tmp_path: Path, content: str, fault: Fault
) -> None:
    found(tmp_path / "other", WORD, NOON)
    other = (tmp_path / "other" / "root.crl").read_bytes()
    (folder / "root.crl").write_bytes(b"nothing" if content == "nothing" else other)

    with pytest.raises(AuthorityRefusedError) as refused:
        Authority.load(folder, WORD, NOON)

    assert refused.value.fault is fault


def test_ca_from_before_the_root_had_a_list_can_be_used(folder: Path) -> None:
    (folder / "root.crl").unlink()

    assert Authority.load(folder, WORD, NOON).root_list is None


def test_issuing_ca_points_to_where_the_operator_publishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSPHRASE, WORD)
    monkeypatch.setenv(PKI, "http://pki.acme.com")

    assert main(["init", "--folder", str(tmp_path / "ca")]) == 0

    issuing = Authority.load(tmp_path / "ca", WORD, utc_now()).issuing
    [point] = issuing.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert point.full_name == [x509.UniformResourceIdentifier("http://pki.acme.com/root.crl")]
