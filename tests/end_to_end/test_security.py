"""What must not get out: other services' data, keys, tokens, passwords; and no open ports."""

import base64
import io
import ipaddress
import json
import re
import zipfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import psutil
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.end_to_end.outside import PURCHASES
from tests.end_to_end.running import SERVICES, System
from tests.end_to_end.steps import World

OWNER_ONLY = 0o077  # what nobody else may do with a file that holds secrets
LISTS = {
    "applicant": ("/quota", "/instances", "/applications", "/certificates"),
    "other_applicant": ("/applications",),
    "officer": ("/verification/tasks",),
    "auditor": ("/instances", "/applications", "/certificates", "/verification/tasks"),
    "operator": ("/tokens", *(f"/services/{name}/parked" for name in SERVICES)),
}


@pytest.fixture(scope="module")
def kept(system: System) -> Mapping[str, str]:
    """Return all secrets of the system, by name; accounts are none."""
    found: dict[str, str] = json.loads((system.folder / "secrets.json").read_text())
    return {name: text for name, text in found.items() if not name.startswith("account_")}


@asynccontextmanager
async def connected(world: World, user: str = "", password: str = "") -> AsyncIterator[Any]:
    """Connect to the database, as its administrator or as one of the services."""
    parts = urlsplit(world.endpoints["postgres"])
    if user:
        parts = parts._replace(netloc=f"{user}:{password}@{parts.hostname}:{parts.port}")
    connection = await asyncpg.connect(urlunsplit(parts))
    try:
        yield connection
    finally:
        await connection.close()


async def tables(world: World) -> list[tuple[str, str]]:
    """Return (schema, table) of all that the services have."""
    sql = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY($1) ORDER BY 1, 2"
    async with connected(world) as admin:
        return [(row[0], row[1]) for row in await admin.fetch(sql, list(SERVICES))]


@pytest.mark.parametrize("service", SERVICES)
async def test_role_of_a_service_reads_and_changes_its_own_schema_and_no_other(
    world, kept, service
) -> None:
    found = await tables(world)
    assert {schema for schema, _ in found} == {*SERVICES}

    async with connected(world, service, kept[service]) as role:
        for schema, table in found:
            sentences = (
                f"SELECT * FROM {schema}.{table} LIMIT 1",
                f"DELETE FROM {schema}.{table} WHERE false",
            )
            for sql in sentences:
                if schema == service:
                    await role.execute(sql)
                else:
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await role.execute(sql)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM pg_authid",
        "CREATE ROLE friend",
        "CREATE SCHEMA more",
        "CREATE TABLE public.more (id int)",
        "CREATE DATABASE more",
        "SET ROLE postgres",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ],
)
async def test_role_of_a_service_can_do_nothing_beside_its_work(world, kept, service, sql) -> None:
    async with connected(world, service, kept[service]) as role:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await role.execute(sql)


async def test_role_of_a_service_comes_in_by_its_password_only(world, kept) -> None:
    for password in ("wrong", kept["postgres"], kept["combination"]):
        with pytest.raises(asyncpg.InvalidPasswordError):
            async with connected(world, "inventory", password):
                pass


async def private_key(world: World, certificate: Any) -> ec.EllipticCurvePrivateKey:
    """Download the key that the application service has made."""
    path = f"/certificates/{certificate['certificate_id']}/download"
    answer = await world.applicant.send("GET", path, format="nginx")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
        [pem] = [bundle.read(name) for name in bundle.namelist() if name.endswith(".key")]
    key = serialization.load_pem_private_key(pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


@pytest.fixture(scope="module")
async def secrets(world: World, kept: Mapping[str, str], certificate: Any) -> list[bytes]:
    """Return whatever must be found nowhere, in the forms in which it might be written."""
    key = await private_key(world, certificate)
    der = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    number = key.private_numbers().private_value.to_bytes(32)
    forms = [base64.b64encode(der), number, number.hex().encode()]
    texts = [*kept.values(), *world.endpoints["tokens"].values()]
    return [b"PRIVATE KEY-----", *forms, *(text.encode() for text in texts)]


def leaked(secrets: list[bytes], content: bytes) -> list[bytes]:
    return [secret[:12] for secret in secrets if secret in content]


def test_search_finds_what_is_there(secrets) -> None:
    assert len(secrets) > 12
    assert all(len(secret) >= 16 for secret in secrets)
    assert leaked(secrets, b"x" + secrets[1] + b"y") == [secrets[1][:12]]


async def test_no_secret_is_in_any_log(system, secrets) -> None:
    logs = [one for one in (system.folder / "logs").rglob("*") if one.is_file()]

    assert {one.stem for one in logs} >= {*SERVICES}
    assert {one.name: leaked(secrets, one.read_bytes()) for one in logs} == {
        one.name: [] for one in logs
    }


async def test_no_secret_is_in_any_record_of_any_topic(world, secrets) -> None:
    names = {one for one in await world.topics.names() if one.startswith("certificates.")}
    assert PURCHASES in names

    for one in await world.topics.read(*names):
        headers = b"\n".join(name.encode() + (value or b"") for name, value in one.headers)
        assert leaked(secrets, headers + (one.key or b"") + (one.value or b"")) == []


@pytest.mark.parametrize("login", LISTS)
async def test_no_secret_is_in_any_answer(world, secrets, login) -> None:
    for path in LISTS[login]:
        for one in await world.people[login].all(path):
            assert leaked(secrets, json.dumps(one).encode()) == []


async def test_key_is_nowhere_in_the_database_but_encrypted(world, secrets) -> None:
    _, base64_, _, hexadecimal, *_ = secrets
    async with connected(world) as admin:
        for schema, table in await tables(world):
            rows = await admin.fetch(f"SELECT one::text FROM {schema}.{table} AS one")
            whole = "\n".join(row[0] for row in rows).encode()
            assert leaked([base64_, hexadecimal, b"PRIVATE KEY-----"], whole) == []


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/livez", "/clock"])
@pytest.mark.parametrize("service", SERVICES)
async def test_health_tells_no_secret(world, secrets, service, path) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(world.endpoints["health"][service] + path)

    assert leaked(secrets, answer.content) == []


def test_files_that_hold_secrets_are_their_owners_only(system, kept) -> None:
    texts = [text.encode() for text in kept.values()]
    files = [one for one in system.folder.glob("*") if one.is_file() and one != system.said_log]
    holders = [one for one in files if any(text in one.read_bytes() for text in texts)]
    keys = [one for one in (system.folder / "ca").rglob("*") if b"PRIVATE" in one.read_bytes()]

    assert {one.name for one in holders} >= {"secrets.json"}
    assert keys
    assert all(b"BEGIN ENCRYPTED PRIVATE KEY" in one.read_bytes() for one in keys)
    assert [one.name for one in (*holders, *keys) if one.stat().st_mode & OWNER_ONLY] == []


def listening(system: System) -> Iterator[tuple[str, str, int]]:
    """Yield (program, address, port) for each socket on which a program takes connections."""
    stages = json.loads((system.folder / "children.json").read_text())
    for child in (one for stage in stages for one in stage):
        parent = psutil.Process(child["pid"])
        for process in (parent, *parent.children(recursive=True)):
            for one in process.net_connections("inet"):
                if one.status == psutil.CONN_LISTEN or (one.type == 2 and not one.raddr):
                    yield child["name"], one.laddr.ip, one.laddr.port


def test_every_program_listens_on_loopback_only(system) -> None:
    found = set(listening(system))

    assert {program for program, _, _ in found} >= {*SERVICES, "postgres", "kafka", "dns", "web"}
    addresses = [ipaddress.ip_address(ip.removeprefix("::ffff:")) for _, ip, _ in found]
    assert [str(one) for one in addresses if not one.is_loopback] == []


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "console"])
async def test_service_lets_nobody_in_beside_the_console(system, world, service) -> None:
    health = urlsplit(world.endpoints["health"][service]).port
    [port] = {port for name, _, port in listening(system) if name == service and port != health}
    forged = {"certfold-role": "operator", "certfold-person": "operator"}

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        for token in ("nobody", world.endpoints["tokens"]["operator"]):
            answer = await client.get(
                f"/api/v1/services/{service}/parked",
                headers={"authorization": f"Bearer {token}", **forged},
            )
            assert answer.status_code == 401


async def test_command_line_of_a_program_tells_no_secret(system, secrets) -> None:
    stages = json.loads((system.folder / "children.json").read_text())
    for child in (one for stage in stages for one in stage):
        command = Path(f"/proc/{child['pid']}/cmdline").read_bytes()
        assert leaked(secrets, command) == []


async def test_token_that_is_shown_once_is_kept_as_a_digest(world) -> None:
    body = {"name": "shown once", "role": "auditor"}
    made = await world.operator.post("/tokens", body)

    async with connected(world) as admin:
        rows = await admin.fetch("SELECT one::text FROM console.tokens AS one")

    whole = "\n".join(row[0] for row in rows)
    assert re.search(re.escape(made["token_id"]), whole)
    assert made["token"] not in whole
    await world.operator.send("DELETE", f"/tokens/{made['token_id']}")
