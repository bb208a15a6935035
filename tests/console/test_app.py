"""The console as a program: it starts, is ready, and stops when it is told to."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx

from tests.conftest import fresh_role
from tests.console.console import SECRET, free_port, people_file, token
from tests.servers import Servers

COMMAND = (sys.executable, "-m", "services.console")
SYSTEM = {name: value for name, value in os.environ.items() if not name.startswith("CERTFOLD_")}


async def test_it_starts_is_ready_and_stops(stack: Servers, tmp_path: Path) -> None:
    api, health = free_port(), free_port()
    urls = {
        f"CERTFOLD_CONSOLE_{name}_URL": "http://127.0.0.1:1"
        for name in ("INVENTORY", "COMBINATION", "APPLICATION", "CA_VERIFICATION")
    }
    environment = {
        "CERTFOLD_CONSOLE_POSTGRES_DSN": await fresh_role(stack.postgres_dsn, "console"),
        "CERTFOLD_KAFKA_SERVERS": stack.kafka,
        "CERTFOLD_CONSOLE_API_PORT": str(api),
        "CERTFOLD_CONSOLE_HEALTH_PORT": str(health),
        "CERTFOLD_CONSOLE_SECRET": SECRET,
        "CERTFOLD_CONSOLE_PEOPLE_FILE": str(people_file(tmp_path)),
        **urls,
    }
    log = tmp_path / "log"
    with log.open("w") as out:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, env=SYSTEM | environment, stderr=out, stdout=out
        )
    try:
        async with httpx.AsyncClient(timeout=2) as client:
            await until_ready(client, f"http://127.0.0.1:{health}/readyz", process, log)
            mine = {"authorization": f"Bearer {token('oli')}"}
            me = await client.get(f"http://127.0.0.1:{api}/api/v1/me", headers=mine)
        process.send_signal(signal.SIGTERM)
        ended = await asyncio.wait_for(process.wait(), 10)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    said = log.read_text()
    assert me.json() == {"name": "oli", "role": "officer", "account_id": None}
    assert ended in {0, -signal.SIGTERM}
    assert "console is ready" in said
    assert "Traceback" not in said
    assert token("oli") not in said


async def until_ready(
    client: httpx.AsyncClient, url: str, process: asyncio.subprocess.Process, log: Path
) -> None:
    for _ in range(300):
        assert process.returncode is None, log.read_text()
        with suppress(httpx.HTTPError):
            if (await client.get(url)).is_success:
                return
        await asyncio.sleep(0.1)
    raise AssertionError("never ready")


def test_without_settings_it_names_each_and_does_not_start() -> None:
    ended = subprocess.run(COMMAND, env=SYSTEM, capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    for name in ("POSTGRES_DSN", "API_PORT", "INVENTORY_URL", "CA_VERIFICATION_URL"):
        assert f"CERTFOLD_CONSOLE_{name}: Field required" in ended.stderr
