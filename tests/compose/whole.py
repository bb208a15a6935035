"""The whole of it in containers: real images, a real engine, the story played from the host.

It takes two or three minutes, and is run by `python -m tests.compose`.
"""

import json
import os
import signal
import time
from collections.abc import Iterator

import httpx
import pytest

from certfold.provision import SERVICES
from tests.compose.running import Stack, stack

ONCE = {"keys", "init", "switch"}
NO_POWERS = "0" * 16
BACK_SECONDS = 60


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("compose")) as made:
        made.up()
        yield made
    assert not made.left()


def test_all_is_healthy_and_what_runs_once_has_ended_well(up: Stack) -> None:
    state = {name: one["State"] for name, one in up.containers().items()}

    ended = {name: one["ExitCode"] for name, one in state.items() if one["Status"] == "exited"}
    healthy = {
        name
        for name, one in state.items()
        if "Health" in one and one["Health"]["Status"] == "healthy"
    }

    assert ended == dict.fromkeys(ONCE, 0)
    assert healthy == {*SERVICES, "postgres", "kafka", "sandbox"}


@pytest.mark.parametrize("service", [*SERVICES, "postgres", "kafka", "sandbox"])
def test_no_process_has_any_power(up: Stack, service: str) -> None:
    statuses = list(up.processes(service))

    powers = {(one["CapEff"], one["CapBnd"], one["NoNewPrivs"]) for one in statuses}
    users = {int(one["Uid"].split()[0]) for one in statuses}

    assert powers == {(NO_POWERS, NO_POWERS, "1")}
    if service == "sandbox":
        assert users == {up.folder.stat().st_uid}  # who owns the checkout, root's powers or not
    else:
        assert 0 not in users


def test_only_volumes_can_be_written_to_and_none_is_nameless(up: Stack) -> None:
    for name, one in up.containers().items():
        assert one["HostConfig"]["ReadonlyRootfs"], name
        volumes = [mount["Name"] for mount in one["Mounts"] if mount["Type"] == "volume"]
        assert all(volume.startswith(up.name) for volume in volumes), name


def test_story_is_played_again_on_the_data_of_a_former_up(up: Stack) -> None:
    assert "done in" in up.demo()
    before = _certificates(up)

    up.down()
    up.up()

    assert _certificates(up) == before
    assert "done in" in up.demo()
    assert before < _certificates(up)


@pytest.mark.parametrize("service", ["application", "kafka", "postgres"])
def test_who_is_killed_comes_back(up: Stack, service: str) -> None:
    before = up.containers()[service]

    os.kill(before["State"]["Pid"], signal.SIGKILL)

    end = time.monotonic() + BACK_SECONDS
    while not (_is_another(up, service, before["State"]["Pid"]) and _application_is_ready(up)):
        assert time.monotonic() < end, up.compose("logs", "--tail", "20", service, "application")
        time.sleep(0.2)


def _is_another(up: Stack, service: str, pid: int) -> bool:
    state = up.containers()[service]["State"]
    return bool(state["Running"] and state["Pid"] != pid)


def _application_is_ready(up: Stack) -> bool:
    try:
        return httpx.get(_endpoints(up)["health"]["application"] + "/readyz").is_success
    except httpx.HTTPError:
        return False


def _certificates(up: Stack) -> set[str]:
    told = _endpoints(up)
    token = told["tokens"]["applicant"]
    headers = {"authorization": f"Bearer {token}"}
    answer = httpx.get(f"{told['api']}/certificates?limit=200", headers=headers).raise_for_status()
    return {one["certificate_id"] for one in answer.json()["items"]}


def _endpoints(up: Stack) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(up.endpoints_file.read_text())
    return found
