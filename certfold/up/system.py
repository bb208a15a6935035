"""The order in which everything comes up, and what is told on the way."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from certfold import provision
from certfold.embedded import jars, keep, ports
from certfold.embedded.kafka import Kafka
from certfold.embedded.once import finish
from certfold.embedded.postgres import Postgres
from certfold.embedded.supervise import CannotStartError, Supervisor, Tell
from certfold.sandbox import clock
from certfold.up.places import Places, shown
from certfold.up.programs import name_server, service, web_hosts
from certfold.up.settings import USUAL_PORTS, chosen_partitions, chosen_ports

CA_PROGRAM = "services.ca_verification.ca"


async def up(folder: Path, tell: Tell, services: Collection[str] = provision.SERVICES) -> None:
    """Run the system on the data in `folder` until cancelled; leave nothing running."""
    async with system(folder, tell, services) as endpoints:
        summarise(folder, tell, endpoints)
        await asyncio.Event().wait()


@asynccontextmanager
async def system(
    folder: Path, tell: Tell, services: Collection[str] = provision.SERVICES
) -> AsyncIterator[dict[str, Any]]:
    """Bring the system up and yield its endpoints; stop all of it, in order, at the end."""
    folder = folder.absolute()
    chosen = chosen_ports()
    async with Supervisor(folder, tell) as supervisor:
        # What is read there is true, or not there yet.
        (folder / "endpoints.json").unlink(missing_ok=True)
        with ports.reserved(folder / "ports.json", USUAL_PORTS, chosen) as port:
            _tell_replaced(tell, port, {**USUAL_PORTS, **chosen})
            password = keep.secret(folder / "secrets.json", "postgres")
            postgres = Postgres(folder / "postgres", port["postgres"], password)
            places = Places(folder, port, postgres)
            await _start_servers(supervisor, places, tell)
            people = await _provide(places, tell)
            if services:
                await _make_ca(places, tell)
            await supervisor.start(
                *(
                    service(name, port[f"health_{name}"], places.environment(name))
                    for name in services
                )
            )
            endpoints = places.endpoints(people)
            keep.write(folder / "endpoints.json", endpoints)
            yield endpoints


async def _start_servers(supervisor: Supervisor, places: Places, tell: Tell) -> None:
    """Start what the services stand on: everything of the first stage, together."""
    folder, port = places.folder, places.port
    _prepare_sandbox(places)
    classpath = await _classpath(tell)
    kafka = Kafka(folder / "kafka", port["kafka"], port["kafka_controller"], classpath)
    await asyncio.gather(places.postgres.prepare(), kafka.prepare())
    await supervisor.start(
        places.postgres.program,
        kafka.program,
        name_server(places.sandbox, port["dns"]),
        web_hosts(places.sandbox, port["http"], port["tls"]),
    )


def _prepare_sandbox(places: Places) -> None:
    clock.prepare(places.clock)
    # Whoever writes "files/www/…" below the sandbox's folder means the same place.
    if not (alias := places.sandbox / "files").exists():
        alias.symlink_to(".", target_is_directory=True)


async def _provide(places: Places, tell: Tell) -> list[provision.Person]:
    try:
        _, changes = await asyncio.gather(
            provision.roles(places.postgres.dsn(), places.passwords()),
            provision.apply_topics(places.kafka, chosen_partitions()),
        )
    except (provision.RolesRefusedError, provision.TopicsRefusedError) as error:
        raise CannotStartError(str(error)) from error
    if changes:
        tell("kafka", f"{len(changes)} topics made or changed")
    return provision.people(places.people, places.secrets)


async def _make_ca(places: Places, tell: Tell) -> None:
    """Have the CA make its keys, once."""
    if (places.ca / "root.pem").exists():
        return
    tell("ca", "making its keys, once")
    await finish(
        *(sys.executable, "-m", CA_PROGRAM, "init", "--folder", str(places.ca)),
        environment=places.environment("ca_verification"),
        fault="the CA could not make its keys",
    )


async def _classpath(tell: Tell) -> tuple[Path, ...]:
    """Fetch what Kafka is made of, in a thread that ends soon after we are cancelled."""
    cancelled = threading.Event()

    def progress(done: int, of: int) -> None:
        if cancelled.is_set():
            raise InterruptedError
        if done in {1, of} or done % 10 == 0:
            tell("kafka", f"fetched {done} of {of} Java archives, once")

    try:
        return tuple(await asyncio.to_thread(jars.classpath, progress))
    except jars.JarsMissingError as error:
        raise CannotStartError(str(error)) from error
    except asyncio.CancelledError:
        cancelled.set()
        raise


def _tell_replaced(tell: Tell, port: Mapping[str, int], wished: Mapping[str, int]) -> None:
    for name in (name for name in port if port[name] != wished[name]):
        tell("ports", f"{name} is on {port[name]}; {wished[name]} is taken, or was")


def summarise(folder: Path, tell: Tell, endpoints: Mapping[str, Any]) -> None:
    """Tell people where everything is, and how each role comes in."""
    sandbox = endpoints["sandbox"]
    tell("up", f"console {endpoints['console']} · API {endpoints['api']}")
    tell("up", f"Kafka {endpoints['kafka']} · PostgreSQL {endpoints['postgres']}")
    tell("up", f"sandbox: DNS {sandbox['dns']} · HTTP {sandbox['http']} · TLS {sandbox['tls']}")
    tell("up", f"sandbox: hosts in {sandbox['files']}/www and {sandbox['files']}/tls")
    for name, token in endpoints["tokens"].items():
        tell("login", f"{name:<16} {token}")
    tell("up", f"logs in {shown(folder / 'logs')}; all of this in {shown(folder)}/endpoints.json")
    tell("up", "Ctrl-C stops everything")
