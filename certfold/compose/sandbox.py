"""The world outside, in a container: DNS, web hosts, the clock, and one login for each role.

    python -m certfold.compose.sandbox

The host sees all of it on loopback, as that of `certfold up`. The services, in other containers,
have a loopback of their own: a second name server answers them with this container's address
where the first one says loopback.
"""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import httpx

from certfold.compose import volumes
from certfold.embedded import keep
from certfold.provision import SERVICES
from certfold.sandbox import clock, dns, web
from certfold.sandbox.hosts import Hosts
from certfold.sandbox.records import Records

ANY = "0.0.0.0"  # noqa: S104 - of this container; the host publishes it on loopback only
DNS, DNS_FOR_SERVICES, HTTP, TLS, HEALTH = 5353, 5354, 8080, 8443, 8010
FILES = volumes.CHECKOUT / "sandbox"
TICK_SECONDS = 0.05
AGAIN_SECONDS = 0.25
ANSWER_SECONDS = 2.0


async def main() -> None:
    """Be the world, until told to stop."""
    endpoints = volumes.CHECKOUT / "endpoints.json"
    endpoints.unlink(missing_ok=True)  # what is read there is true, or not there yet
    prepare(FILES)
    records = Records(FILES / "dns.zone", Hosts(FILES))
    here = socket.gethostbyname(socket.gethostname())
    async with asyncio.TaskGroup() as world:
        world.create_task(dns.serve(records, DNS, ANY))
        world.create_task(dns.serve(records, DNS_FOR_SERVICES, ANY, loopback=here))
        world.create_task(web.serve(FILES, HTTP, TLS, ANY))
        world.create_task(show(FILES / "clock.json"))
        world.create_task(tell(endpoints))


def prepare(files: Path) -> None:
    """Make the folder that people put their hosts into."""
    clock.prepare(files / "clock.json")
    # Whoever writes "files/www/…" below the sandbox's folder means the same place.
    if not (alias := files / "files").exists():
        alias.symlink_to(".", target_is_directory=True)


async def show(kept: Path) -> None:
    """Show the services the clock, which its owner alone may read, as it is moved."""
    seen = 0
    while True:
        with suppress(FileNotFoundError):
            if (changed := kept.stat().st_mtime_ns) != seen:
                volumes.write(volumes.CLOCK, kept.read_text(), volumes.EVERYBODY)
                seen = changed
        await asyncio.sleep(TICK_SECONDS)


async def tell(file: Path) -> None:
    """Wait until all services live in the sandbox, then write down, and say, where all of it is."""
    said = ""
    async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
        while away := [name for name in SERVICES if not await _is_in(client, name)]:
            if said != (said := f"waiting for {', '.join(away)}"):
                _say([said])
            await asyncio.sleep(AGAIN_SECONDS)
    root = file.with_name("compose") / "root.pem"
    root.parent.mkdir(exist_ok=True)
    volumes.write(root, (volumes.TOLD / "root.pem").read_text(), volumes.EVERYBODY)
    found = json.loads((volumes.TOLD / "endpoints.json").read_text())
    keep.write(file, found)
    _say([f"console {found['console']}, all addresses in .data/endpoints.json"])
    _say(f"login {name:<16} {token}" for name, token in found["tokens"].items())


async def _is_in(client: httpx.AsyncClient, service: str) -> bool:
    """Ask whether a service is ready, and lives by the clock of a sandbox."""
    try:
        answers = [
            await client.get(f"http://{service}:{HEALTH}/{it}") for it in ("readyz", "clock")
        ]
    except httpx.HTTPError:
        return False
    return all(answer.is_success for answer in answers)


def _say(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


async def _until_stopped() -> None:
    running = asyncio.ensure_future(main())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    with suppress(asyncio.CancelledError):
        await running


if __name__ == "__main__":
    asyncio.run(_until_stopped())
