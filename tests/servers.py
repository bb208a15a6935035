"""A real PostgreSQL and a real Kafka for a whole run of tests.

`TEST_POSTGRES` (a superuser's DSN) and `TEST_KAFKA` (bootstrap servers) name servers that are
already there. Otherwise they come from containers, where a Docker engine answers and holds the
images, and else from the embedded stack, in a folder that is gone afterwards.
"""

import asyncio
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import docker  # type: ignore[import-untyped]
from docker.errors import DockerException  # type: ignore[import-untyped]
from requests import RequestException
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from certfold.embedded import jars, ports
from certfold.embedded.kafka import LARGEST_MESSAGE, Kafka
from certfold.embedded.postgres import Postgres
from certfold.embedded.supervise import Supervisor

POSTGRES_IMAGE = "postgres:18"
KAFKA_IMAGE = "apache/kafka:4.3.1"
PASSWORD = "tests-only"  # noqa: S105
PATIENCE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Servers:
    """Where they are: the DSN of a superuser, with its password, and Kafka's bootstrap servers."""

    postgres_dsn: str
    kafka: str


@contextmanager
def servers() -> Iterator[Servers]:
    """Find or start both servers; stop, at the end, what was started."""
    postgres, kafka = os.environ.get("TEST_POSTGRES"), os.environ.get("TEST_KAFKA")
    with ExitStack() as started:
        if not (postgres and kafka):
            make = contained if docker_has(POSTGRES_IMAGE, KAFKA_IMAGE) else embedded
            made = started.enter_context(make())
            postgres, kafka = postgres or made.postgres_dsn, kafka or made.kafka
        yield Servers(postgres, kafka)


def docker_has(*images: str) -> bool:
    """Say whether a Docker engine answers and has `images`, so that nothing is fetched."""
    if not docker_answers():
        return False
    engine = docker.from_env(timeout=5, version="1.41")
    try:
        for image in images:
            engine.images.get(image)
    except (DockerException, RequestException):
        return False
    finally:
        engine.close()
    return True


def docker_answers() -> bool:
    """Knock at the engine's socket: where nobody answers, Docker's own client leaks its own."""
    address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not address.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as knock:
        return knock.connect_ex(address.removeprefix("unix://")) == 0


@contextmanager
def contained() -> Iterator[Servers]:
    """Run the official images."""
    testcontainers_config.ryuk_disabled = True  # it would be one more image to fetch
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        wished = dict.fromkeys(("postgres", "kafka"), ports.ANY)
        port = stack.enter_context(ports.reserved(Path(folder, "ports.json"), wished))
        dsn = stack.enter_context(_postgres_container(port["postgres"]))
        stack.enter_context(_kafka_container(port["kafka"]))
        yield Servers(dsn, f"{ports.HOST}:{port['kafka']}")


@contextmanager
def _postgres_container(port: int) -> Iterator[str]:
    dsn = f"postgresql://postgres:{PASSWORD}@{ports.HOST}:{port}/postgres"
    container = (
        DockerContainer(POSTGRES_IMAGE)
        .with_bind_ports(5432, port)
        .with_env("POSTGRES_PASSWORD", PASSWORD)
        .with_command(["-c", "max_connections=200"])
    )
    with container, ThreadPoolExecutor(1) as thread:
        # Its log says "ready" of a first server too, which the image starts for its own set-up.
        thread.submit(lambda: asyncio.run(_answers(dsn))).result()
        yield dsn


async def _answers(dsn: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection = await asyncpg.connect(dsn)
                return await connection.close()
            await asyncio.sleep(0.1)


def _kafka_container(port: int) -> DockerContainer:
    settings = {
        "NODE_ID": "1",
        "PROCESS_ROLES": "broker,controller",
        "LISTENERS": "OUTSIDE://:9092,INSIDE://:19092,CONTROLLER://:9093",
        "ADVERTISED_LISTENERS": f"OUTSIDE://{ports.HOST}:{port},INSIDE://localhost:19092",
        "LISTENER_SECURITY_PROTOCOL_MAP": (
            "OUTSIDE:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT"
        ),
        "INTER_BROKER_LISTENER_NAME": "INSIDE",
        "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "AUTO_CREATE_TOPICS_ENABLE": "false",
        "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "OFFSETS_TOPIC_NUM_PARTITIONS": "8",
        "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
        "MESSAGE_MAX_BYTES": LARGEST_MESSAGE,
        "REPLICA_FETCH_MAX_BYTES": LARGEST_MESSAGE,
    }
    container = DockerContainer(KAFKA_IMAGE).with_bind_ports(9092, port)
    for name, value in settings.items():
        container = container.with_env(f"KAFKA_{name}", value)
    ready = LogMessageWaitStrategy("Kafka Server started")
    return container.waiting_for(ready.with_startup_timeout(PATIENCE_SECONDS))


@contextmanager
def embedded() -> Iterator[Servers]:
    """Run our own stack's servers, under a supervisor in a thread of its own."""
    with tempfile.TemporaryDirectory(prefix="certfold-tests-") as folder:
        running: Future[Servers] = Future()
        finish = threading.Event()
        thread = threading.Thread(
            target=lambda: asyncio.run(_supervise(Path(folder), running, finish)),
            name="servers",
        )
        thread.start()
        try:
            yield running.result()
        finally:
            finish.set()
            thread.join()


async def _supervise(folder: Path, running: Future[Servers], finish: threading.Event) -> None:
    wished = dict.fromkeys(("postgres", "kafka", "kafka_controller"), ports.ANY)
    log = folder / "supervisor.log"

    def tell(name: str, said: str) -> None:
        with log.open("a") as file:
            print(name, said, file=file)

    try:
        async with Supervisor(folder, tell) as supervisor:
            with ports.reserved(folder / "ports.json", wished) as port:
                postgres = Postgres(folder / "postgres", port["postgres"], PASSWORD)
                classpath = tuple(await asyncio.to_thread(jars.classpath))
                kafka = Kafka(folder / "kafka", port["kafka"], port["kafka_controller"], classpath)
                await asyncio.gather(postgres.prepare(), kafka.prepare())
                await supervisor.start(postgres.program, kafka.program)
                running.set_result(Servers(postgres.dsn(), kafka.servers))
                await asyncio.to_thread(finish.wait)
    except Exception as error:
        if running.done():
            raise
        running.set_exception(error)
