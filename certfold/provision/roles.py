"""One database role and one schema for each service, closed to every other role."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg

from shared.postgres import Connection

DATABASE = "certfold"
SERVICES = ("inventory", "combination", "application", "ca_verification", "console")
ROUNDS = 4096  # PostgreSQL's own choice

# Each takes a name, which the server quotes; it needs no privilege that a superuser lacks.
DATABASE_RIGHTS = (
    "REVOKE ALL ON DATABASE %1$I FROM PUBLIC",
    "REVOKE ALL ON SCHEMA public FROM PUBLIC",
)
ROLE_RIGHTS = (
    "ALTER ROLE %1$I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS",
    "ALTER ROLE %1$I IN DATABASE %2$I SET search_path = %1$I",
    "GRANT CONNECT ON DATABASE %2$I TO %1$I",
    "CREATE SCHEMA IF NOT EXISTS %1$I AUTHORIZATION %1$I",
    "ALTER SCHEMA %1$I OWNER TO %1$I",
    "REVOKE ALL ON SCHEMA %1$I FROM PUBLIC",
)


class RolesRefusedError(Exception):
    """The database server did not let us do it; the message says what it answered."""


async def roles(admin_dsn: str, passwords: Mapping[str, str], *, database: str = DATABASE) -> None:
    """Give each name in `passwords` a role with that password, and a schema of its own name.

    `admin_dsn` is a superuser's, on any database of the server. Passwords travel as SCRAM
    verifiers, so that no log of the server ever holds one.
    """
    try:
        server = await asyncpg.connect(admin_dsn)
        try:
            # Two who provision at once take turns; the lock ends with the connection.
            await server.execute("SELECT pg_advisory_lock(hashtext('certfold.provision'))")
            known = "SELECT true FROM pg_database WHERE datname = $1"
            if not await server.fetchval(known, database):
                await _run(server, "CREATE DATABASE %1$I", database)
            await _fill(_on(admin_dsn, database), passwords, database)
        finally:
            await server.close()
    except asyncpg.PostgresError as error:
        raise RolesRefusedError(f"PostgreSQL refuses to provision roles: {error}") from error


def passwords(environment: Mapping[str, str]) -> dict[str, str]:
    """Take each role's password out of `CERTFOLD_<SERVICE>_POSTGRES_DSN`.

    Raises `ValueError` that names every variable that is missing, or that holds no password or
    another role's name.
    """
    found, faults = {}, []
    for name in SERVICES:
        variable = f"CERTFOLD_{name.upper()}_POSTGRES_DSN"
        dsn = urlsplit(environment.get(variable, ""))
        if dsn.username == name and dsn.password:
            found[name] = unquote(dsn.password)
        else:
            faults.append(f"{variable} is not postgresql://{name}:<password>@…")
    if faults:
        raise ValueError("\n".join(faults))
    return found


async def _fill(dsn: str, passwords: Mapping[str, str], database: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            for sql in DATABASE_RIGHTS:
                await _run(connection, sql, database)
            for role, password in passwords.items():
                known = "SELECT true FROM pg_roles WHERE rolname = $1"
                if not await connection.fetchval(known, role):
                    await _run(connection, "CREATE ROLE %1$I", role)
                await _run(connection, "ALTER ROLE %1$I PASSWORD %2$L", role, scram(password))
                for sql in ROLE_RIGHTS:
                    await _run(connection, sql, role, database)
    finally:
        await connection.close()


async def _run(connection: Connection, sql: str, *names: str) -> None:
    """Run what takes no parameters, with `names` quoted by the server itself (`format`)."""
    await connection.execute(
        await connection.fetchval("SELECT format($1, VARIADIC $2::text[])", sql, names)
    )


def _on(dsn: str, database: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


def scram(password: str, salt: bytes | None = None) -> str:
    """Return what PostgreSQL keeps of an ASCII password (RFC 5803): it cannot be turned back."""
    salt = salt or secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, ROUNDS)
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    server = _hmac(salted, b"Server Key")
    return f"SCRAM-SHA-256${ROUNDS}:{_base64(salt)}${_base64(stored)}:{_base64(server)}"


def _hmac(key: bytes, said: bytes) -> bytes:
    return hmac.digest(key, said, "sha256")


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
