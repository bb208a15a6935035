"""What an operator chooses, and what is told when it is wrong."""

import json
from pathlib import Path

import pytest

from services.console.settings import Settings, read_people

SECRETS = ("a-token-that-nobody-may-ever-see-000000", "tiny-secret")
NEEDED = {
    "POSTGRES_DSN": "postgresql://a",
    "KAFKA_SERVERS": "b:1",
    "API_PORT": "1",
    "HEALTH_PORT": "2",
    "SECRET": "0123456789abcdef",
    "CONSOLE_INVENTORY_URL": "http://127.0.0.1:1",
    "CONSOLE_COMBINATION_URL": "http://127.0.0.1:2",
    "CONSOLE_APPLICATION_URL": "http://127.0.0.1:3",
    "CONSOLE_CA_VERIFICATION_URL": "http://127.0.0.1:4",
}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in NEEDED.items():
        prefix = "CERTFOLD_CONSOLE_" if name == "SECRET" else "CERTFOLD_"
        monkeypatch.setenv(f"{prefix}{name}", value)
    return monkeypatch


def test_every_service_has_an_address(told: pytest.MonkeyPatch) -> None:
    told.setenv("CERTFOLD_CONSOLE_HEALTH_URLS", '{"inventory": "http://127.0.0.1:8/readyz"}')

    settings = Settings.from_environment()

    assert isinstance(settings, Settings)
    assert settings.upstreams["application"] == "http://127.0.0.1:3"
    assert settings.health_urls == {"inventory": "http://127.0.0.1:8/readyz"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEALTH_URLS", "not JSON"),
        ("HEALTH_URLS", '{"a": "file:///etc/passwd"}'),
        ("INVENTORY_URL", "127.0.0.1:1"),
        ("INVENTORY_URL", "http://127.0.0.1:1/path"),
        ("PEOPLE_FILE", "/nowhere.json"),
    ],
)
def test_what_is_wrong_is_named(
    told: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    told.setenv(f"CERTFOLD_CONSOLE_{name}", value)

    with pytest.raises(SystemExit) as end:
        Settings.from_environment()

    assert end.value.code == 2
    assert f"CERTFOLD_CONSOLE_{name}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("people", "reason"),
    [
        ([{"name": "a", "role": "officer", "token": SECRETS[1]}], "at least 32"),
        ([{"name": "a", "role": "root", "token": SECRETS[0]}], "0.role"),
        ([{"name": "a", "role": "applicant", "token": SECRETS[0]}], "has an account"),
        ([{"name": n, "role": "officer", "token": SECRETS[0]} for n in "ab"], "same token"),
        ([{"name": "a", "role": "officer", "token": SECRETS[0] + t} for t in "ab"], "same name"),
        ({"token": SECRETS[0]}, "valid array"),
    ],
)
def test_a_wrong_file_of_people_is_told_without_its_tokens(
    tmp_path: Path, people: object, reason: str
) -> None:
    file = tmp_path / "people.json"
    file.write_text(json.dumps(people))

    with pytest.raises(ValueError, match=reason) as error:
        read_people(file)

    assert not [secret for secret in SECRETS if secret in str(error.value)]
