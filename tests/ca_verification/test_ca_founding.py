import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.ca_verification.ca.authority import AuthorityRefusedError, Fault
from services.ca_verification.ca.founding import FoundingRefusedError, found
from tests.ca_verification.certificates import NOON, WORD


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {one.name: (one.stat().st_mode & 0o777, one.read_bytes()) for one in folder.iterdir()}


def names(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


def init(folder: Path, passphrase: str | None) -> tuple[int, str]:
    environment = os.environ | {"CERTFOLD_CA_VERIFICATION_CA_PASSPHRASE": passphrase or ""}
    done = subprocess.run(
        [sys.executable, "-m", "services.ca_verification.ca", "init", "--folder", folder],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
    )
    return done.returncode, done.stderr


def test_a_ca_is_founded_once(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "ca"

    assert init(folder, WORD) == (0, "")
    before = contents(folder)
    assert init(folder, WORD) == (0, "")

    assert contents(folder) == before
    assert {name: mode for name, (mode, _) in before.items()} == {
        "root.pem": 0o644,
        "issuing.pem": 0o644,
        "root.crl": 0o644,
        "root.key": 0o600,
        "issuing.key": 0o600,
    }
    assert all(
        content.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
        for name, (_, content) in before.items()
        if name.endswith(".key")
    )
    assert names(tmp_path / "new") == {"ca"}


def test_the_reason_why_a_ca_is_not_founded_is_told(tmp_path: Path) -> None:
    assert init(tmp_path / "ca", None) == (
        1,
        "CERTFOLD_CA_VERIFICATION_CA_PASSPHRASE is not set: the keys are kept under it\n",
    )
    init(tmp_path / "ca", WORD)
    assert init(tmp_path / "ca", "wrong") == (1, "wrong_passphrase: issuing.key\n")


def test_an_empty_folder_may_be_there(tmp_path: Path) -> None:
    (tmp_path / "ca").mkdir()

    assert found(tmp_path / "ca", WORD, NOON).root_pem == (tmp_path / "ca" / "root.pem").read_text()


def test_other_things_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("dear")

    with pytest.raises(FoundingRefusedError, match=r"holds other things, and no root\.pem"):
        found(tmp_path, WORD, NOON)

    assert names(tmp_path) == {"letter"}


def test_half_a_ca_is_not_mended(tmp_path: Path) -> None:
    found(tmp_path / "ca", WORD, NOON)
    (tmp_path / "ca" / "issuing.pem").unlink()

    with pytest.raises(AuthorityRefusedError) as refused:
        found(tmp_path / "ca", WORD, NOON)

    assert refused.value.fault is Fault.FILE_MISSING


def test_a_key_without_a_passphrase_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(FoundingRefusedError, match="no passphrase"):
        found(tmp_path / "ca", "", NOON)

    assert names(tmp_path) == set()


def test_many_who_found_at_once_found_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as crowd:
        founded = list(crowd.map(lambda _: found(tmp_path / "ca", WORD, NOON), range(8)))

    assert {authority.root_pem for authority in founded} == {
        (tmp_path / "ca" / "root.pem").read_text()
    }
    assert names(tmp_path) == {"ca"}
