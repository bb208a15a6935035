"""What docker-compose.yml says, as Docker itself reads it; no engine is needed."""

import json
import os
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from certfold import provision
from certfold.compose import keys, volumes
from certfold.embedded import kafka, postgres
from certfold.provision import SERVICES
from shared.service import Settings
from tests.compose.running import PLACES, ROOT

ONCE = {"keys", "init", "switch"}
SERVERS = {"postgres", "kafka"}
APPLICANTS = ("applicant", "other_applicant")
ROOT_USERS = {"", "0", "root"}
PORT = {name: str(20_000 + place) for place, name in enumerate(PLACES)}


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the secrets that are made here."""
    monkeypatch.setattr(volumes, "KEPT", tmp_path / "secrets.json")
    return tmp_path / "secrets.json"


@cache
def services() -> Mapping[str, Mapping[str, Any]]:
    """Read the file, with every port chosen otherwise than usual."""
    chosen = {f"{keys.PORT}{name.upper()}": port for name, port in PORT.items()}
    command = ("docker", "compose", "--profile", "sandbox", "config", "--format", "json")
    read = subprocess.run(
        command, cwd=ROOT, env=os.environ | chosen, capture_output=True, check=True
    )
    found: Mapping[str, Mapping[str, Any]] = json.loads(read.stdout)["services"]
    return found


def test_every_container_is_confined() -> None:
    for name, one in services().items():
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert one["read_only"], name
        assert one["logging"] == {"driver": "local"}, name  # which keeps a bounded length
        assert "privileged" not in one, name


def test_nobody_is_root_but_the_sandbox_until_it_has_become_who_owns_the_checkout() -> None:
    roots = {name for name, one in services().items() if one["user"] in ROOT_USERS}
    powerful = {name for name, one in services().items() if "cap_add" in one}

    assert roots == powerful == {"sandbox"}
    assert services()["sandbox"]["entrypoint"] == ["sh", "/app/deploy/sandbox"]


def test_what_goes_on_says_how_it_is_and_is_started_again() -> None:
    for name, one in services().items():
        goes_on = name not in ONCE
        assert ("healthcheck" in one) == goes_on, name
        assert (one.get("restart") == "unless-stopped") == goes_on, name


def test_nobody_starts_before_what_it_stands_on() -> None:
    for name in SERVICES:
        waits = {on: how["condition"] for on, how in services()[name]["depends_on"].items()}
        assert waits == {
            "init": "service_completed_successfully",
            "postgres": "service_healthy",
            "kafka": "service_healthy",
            "sandbox": "service_healthy",
        }


@pytest.mark.usefixtures("kept")
def test_only_this_machine_reaches_the_ports_and_programs_are_told_which() -> None:
    ports = [port for one in services().values() for port in one.get("ports", ())]
    people = [provision.Person(name, "applicant", name, "") for name in APPLICANTS]

    told = json.dumps(keys.endpoints(people, services()["keys"]["environment"]))

    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
    assert {port["published"] for port in ports} == set(PORT.values())
    assert [port for port in PORT.values() if f"127.0.0.1:{port}" not in told] == []


def test_images_are_the_official_ones_and_only_ours_is_built() -> None:
    images = {one["image"] for name, one in services().items() if name not in SERVERS}
    built = {name for name, one in services().items() if "build" in one}
    pulled = {name for name, one in services().items() if "pull_policy" not in one}

    assert images == {"certfold"}
    assert built == {"keys"}
    assert pulled == SERVERS


@pytest.mark.parametrize("service", SERVICES)
def test_service_is_told_all_it_must_be_and_nothing_it_does_not_know(
    service: str, kept: Path
) -> None:
    told = {*services()[service]["environment"], *dict(keys.environment(service))}
    known = {name: _variables(service, name) for name in _settings(service).model_fields}
    required = {name for name, one in _settings(service).model_fields.items() if one.is_required()}

    assert kept.exists()
    assert told <= set().union(*known.values())
    assert {name for name in required if not told & known[name]} == set()


def test_what_the_sandbox_says_of_itself_is_known_to_who_reads_it() -> None:
    known = set[str]().union(
        *(
            _variables(service, name)
            for service in SERVICES
            for name in _settings(service).model_fields
        )
    )

    assert services()["switch"]["environment"].keys() <= known


def test_servers_are_set_as_the_embedded_ones() -> None:
    environment = services()["kafka"]["environment"]
    broker = {_property(name): value for name, value in environment.items()}
    _, *options = services()["postgres"]["command"]
    database = dict(one.split("=") for one in options if "=" in one)
    named = {"controller.listener.names", "inter.broker.listener.name"}

    shared = (broker.keys() & kafka.SETTINGS.keys()) - named
    common = database.keys() & postgres.SETTINGS.keys()

    assert {name: broker[name] for name in shared} == {n: kafka.SETTINGS[n] for n in shared}
    assert {name: database[name] for name in common} == {n: postgres.SETTINGS[n] for n in common}
    assert len(shared) > len(kafka.SETTINGS) / 2
    assert len(common) == len(database)


def _settings(service: str) -> type[Settings]:
    found: type[Settings] = import_module(f"services.{service}.settings").Settings
    return found


def _variables(service: str, setting: str) -> set[str]:
    return {f"CERTFOLD_{setting.upper()}", f"CERTFOLD_{service.upper()}_{setting.upper()}"}


def _property(variable: str) -> str:
    return variable.removeprefix("KAFKA_").lower().replace("_", ".")
