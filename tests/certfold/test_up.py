"""What a person relies on who starts everything on one machine, and what no accident may break."""

import json
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import dns.asyncquery
import dns.message
import dns.update
import httpx
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from certfold.embedded import jars
from certfold.provision import SERVICES
from shared.contracts.purchases import PurchaseEvent
from tests.certfold.system import BARE, CERTFOLD, OFFLINE, READY, Up, running

TOPIC = PurchaseEvent.topic


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data directory for most tests: what one of them leaves is what the next one finds."""
    return tmp_path_factory.mktemp("up") / "data"


@pytest.fixture(scope="module")
def kept(folder: Path) -> Iterator[list[Up]]:
    """Keep a running system from one test to the next, unless a test has ended it."""
    systems: list[Up] = []
    yield systems
    for up in systems:
        up.close()


@pytest.fixture
def up(folder: Path, kept: list[Up]) -> Up:
    if not (kept and kept[-1].process.poll() is None):
        kept.append(Up(folder).wait_for(READY))
    return kept[-1]


def address(up: Up) -> tuple[str, int]:
    host, _, port = up.endpoints["sandbox"]["dns"].partition(":")
    return host, int(port)


async def publish(up: Up, *values: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=up.endpoints["kafka"], acks="all")
    await producer.start()
    for value in values:
        await producer.send_and_wait(TOPIC, value)
    await producer.stop()


async def published(up: Up) -> set[bytes]:
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=up.endpoints["kafka"], auto_offset_reset="earliest"
    )
    await consumer.start()
    found = await consumer.getmany(timeout_ms=5000)
    more = await consumer.getmany(timeout_ms=500)
    await consumer.stop()
    return {record.value for some in (found, more) for it in some.values() for record in it}


async def execute(up: Up, sql: str) -> object:
    connection = await asyncpg.connect(up.endpoints["postgres"])
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def ask(up: Up, name: str, kind: str) -> str:
    host, port = address(up)
    query = dns.message.make_query(name, kind)
    reply = await dns.asyncquery.udp(query, host, port=port, timeout=2)
    return " ".join(one.to_text() for one in reply.answer)


def certfold(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [CERTFOLD, *arguments, "--data", str(folder)]
    return subprocess.run(command, text=True, capture_output=True, timeout=30, check=False)


def gone(processes: list[psutil.Process], within: float) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=within)
    return not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]


async def test_stop_leaves_nothing_running_and_start_finds_everything(
    folder: Path, kept: list[Up]
) -> None:
    with running(Up(folder)) as up:
        await publish(up, b"kept")
        await execute(up, "CREATE TABLE kept AS SELECT 42 AS answer")
        update = dns.update.UpdateMessage("shop.example")
        update.add("@", 60, "TXT", "kept")
        host, port = address(up)
        await dns.asyncquery.udp(update, host, port=port, timeout=2)
        endpoints, processes = up.endpoints, up.all()
        assert up.stop(signal.SIGINT, whole_group=True) < 10
        assert up.process.returncode == 0
        assert gone(processes, within=0.5)

    kept.append(Up(folder).wait_for(READY))
    assert kept[-1].endpoints == endpoints
    assert b"kept" in await published(kept[-1])
    assert await execute(kept[-1], "SELECT answer FROM kept") == 42
    assert '"kept"' in await ask(kept[-1], "shop.example", "TXT")


def test_endpoints_are_told_to_programs_and_people(up: Up) -> None:
    assert set(up.endpoints) == {
        *("console", "api", "kafka", "postgres", "sandbox", "tokens", "account_id"),
        *("other_account_id", "ca_root", "health"),
    }
    assert up.endpoints["api"] == f"{up.endpoints['console']}/api/v1"
    assert set(up.endpoints["sandbox"]) == {"dns", "files", "http", "tls"}
    assert all(any(token in line for line in up.said) for token in up.endpoints["tokens"].values())
    for secret in ("endpoints.json", "people.json", "secrets.json"):
        assert stat.S_IMODE((up.folder / secret).stat().st_mode) == 0o600


async def test_every_service_answers_and_names_its_ports(up: Up) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        for url in up.endpoints["health"].values():
            clock = await client.get(f"{url}/clock")
            assert set(clock.json()) >= {"now", "next_due", "settled"}
        assert (await client.get(f"{up.endpoints['api']}/openapi.json")).is_success
        headers = {"Authorization": f"Bearer {up.endpoints['tokens']['applicant']}"}
        quota = await client.get(f"{up.endpoints['api']}/quota", headers=headers)
        assert (quota.status_code, quota.json()["items"]) == (200, [])


async def test_roles_of_the_services_cannot_read_each_other(up: Up) -> None:
    readable = "SELECT has_schema_privilege('{}', '{}', 'USAGE')"
    for role in SERVICES:
        for schema in SERVICES:
            assert await execute(up, readable.format(role, schema)) is (role == schema)


async def test_host_of_the_sandbox_has_an_address_and_a_page(up: Up) -> None:
    page = Path(up.endpoints["sandbox"]["files"], "www", "www.shop.example", "index.html")
    page.parent.mkdir(exist_ok=True)
    page.write_text("welcome")
    assert "127.0.0.1" in await ask(up, "www.shop.example", "A")
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"http://{up.endpoints['sandbox']['http']}/"
        assert (await client.get(url, headers={"Host": "www.shop.example"})).text == "welcome"


def test_topics_and_roles_are_as_they_are_to_be(up: Up) -> None:
    plan = certfold(up.folder, "topics", "plan", "--json")
    assert (plan.returncode, json.loads(plan.stdout)) == (0, [])
    assert certfold(up.folder, "topics", "apply").stdout == "all topics are as they are to be\n"
    assert "inventory" in certfold(up.folder, "migrate").stdout


def test_clock_is_moved_and_refusals_have_their_exit_codes(up: Up, tmp_path: Path) -> None:
    shown = certfold(up.folder, "sandbox", "clock", "+90m", "--json")
    assert (shown.returncode, shown.stderr) == (0, "")
    ahead = datetime.fromisoformat(json.loads(shown.stdout)["now"]) - datetime.now(UTC)
    assert timedelta(minutes=89) < ahead <= timedelta(minutes=90)
    back = certfold(up.folder, "sandbox", "clock", "--to", "2001-01-01T00:00Z")
    assert (back.returncode, "only goes forward" in back.stderr) == (1, True)
    assert certfold(up.folder, "sandbox", "clock", "soon").returncode == 2
    nothing = certfold(tmp_path, "sandbox", "clock")
    assert (nothing.returncode, "nothing is up" in nothing.stderr) == (3, True)


async def test_killed_kafka_is_started_again_and_has_lost_nothing(up: Up) -> None:
    messages = [b"before %d" % n for n in range(20)]
    await publish(up, *messages)

    psutil.Process(up.pid("kafka")).kill()
    began = time.monotonic()
    up.wait_for("kafka  ready")

    assert time.monotonic() - began < 10
    assert set(messages) <= await published(up)


async def test_killed_programs_are_started_again(up: Up) -> None:
    await execute(up, "CREATE TABLE IF NOT EXISTS survives AS SELECT 1 AS answer")
    for name in ("postgres", "dns", "inventory"):
        psutil.Process(up.pid(name)).kill()
        up.wait_for(f"{name}  ready")
    assert await execute(up, "SELECT answer FROM survives") == 1


def test_second_up_on_the_same_data_is_refused_and_the_first_goes_on(up: Up, folder: Path) -> None:
    said = Up(folder).refusal()
    assert f"process {up.process.pid} is already up on it" in said
    assert up.process.poll() is None


def test_two_live_side_by_side_with_what_is_chosen_and_without_what_is_taken(
    up: Up, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port, chosen = taken.getsockname()[1], free.getsockname()[1]
        free.close()
        other = Up(tmp_path, BARE, CERTFOLD_PORT_KAFKA=str(port), CERTFOLD_PORT_CONSOLE=str(chosen))
        with running(other):
            assert f"{port} is taken" in "".join(other.said)
            assert other.endpoints["console"] == f"http://127.0.0.1:{chosen}"
            mine, theirs = up.endpoints.values(), other.endpoints.values()
            assert set(map(str, theirs)).isdisjoint(map(str, mine))


def test_faulty_ports_are_all_named(tmp_path: Path) -> None:
    said = Up(tmp_path, CERTFOLD_PORT_DNS="53a", CERTFOLD_PORT_TLS="70000").refusal()
    assert "CERTFOLD_PORT_DNS is '53a'" in said
    assert "CERTFOLD_PORT_TLS is '70000'" in said


def test_killed_parent_leaves_no_process_and_the_next_start_is_clean(
    up: Up, folder: Path, kept: list[Up]
) -> None:
    processes = up.all()
    assert len(processes) > 15

    up.process.kill()
    up.process.wait()
    kept.append(Up(folder, BARE).wait_for(READY))  # waits for the guardian, which holds the lock
    assert gone(processes, within=0)


def test_killed_parent_and_guardian_are_cleared_up_after_by_the_next_start(
    up: Up, folder: Path, kept: list[Up]
) -> None:
    processes = up.all()
    [guard] = [one for one in processes if "certfold.embedded.guardian" in one.cmdline()]
    up.process.send_signal(signal.SIGSTOP)  # or it would start another guardian
    guard.kill()
    up.process.kill()
    up.process.wait()
    assert not gone(processes, within=1)

    kept.append(Up(folder, BARE).wait_for(READY))
    assert gone(processes, within=0)
    assert any("of an earlier run" in line for line in kept[-1].said)


def test_killed_make_takes_the_system_with_it_and_it_starts_without_network(
    up: Up, folder: Path
) -> None:
    up.stop()
    shell = ("sh", "-c", '"$@"; true', "sh")  # stays above us, as make does
    again = Up(folder, BARE, before=(*OFFLINE, *shell), MAKELEVEL="1").wait_for(READY)
    processes = again.all()
    again.process.kill()
    assert gone(processes, within=10)
    again.close()


def test_stop_on_the_way_up_leaves_nothing(tmp_path: Path) -> None:
    early = Up(tmp_path).wait_for("console  starting")
    processes = early.all()
    assert early.stop() < 10
    assert early.process.returncode == 0
    assert gone(processes, within=0.5)


def test_missing_archives_without_network_are_explained(tmp_path: Path) -> None:
    said = Up(tmp_path / "data", before=OFFLINE, M2_REPO=str(tmp_path / "m2")).refusal()
    assert jars.REPOSITORY in said
    assert not (tmp_path / "data" / "children.json").exists()


def test_unusable_data_directories_are_refused_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot hold our data" in Up(tmp_path / "file").refusal()

    older = tmp_path / "older" / "postgres"
    older.mkdir(parents=True)
    (older / "PG_VERSION").write_text("17\n")
    assert "was made by PostgreSQL 17" in Up(older.parent).refusal()

    (tmp_path / "alien" / "kafka").mkdir(parents=True)
    assert "is not a log of Kafka" in Up(tmp_path / "alien").refusal()


def test_damaged_archive_is_fetched_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M2_REPO", str(tmp_path))
    lock = tmp_path / "lock"
    lock.write_text(next(it for it in jars.LOCK.read_text().splitlines() if "slf4j-api" in it))
    [path] = jars.classpath(lock=lock)
    path.write_bytes(b"half")

    assert jars.classpath(lock=lock) == [path]
    assert path.stat().st_size > 10_000

    lock.write_text(lock.read_text().replace("sha256:", "sha256:00"))
    with pytest.raises(jars.JarsMissingError, match="is not what was locked"):
        jars.classpath(lock=lock)
