"""Makes passwords, keys and logins, once, and gives each container its own.

    python -m certfold.compose.keys

It comes before everything else, each time. That the sandbox is on is forgotten here: only a
sandbox that runs says so again.
"""

import base64
import json
import os
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from certfold import provision
from certfold.compose import volumes
from certfold.embedded import keep
from certfold.provision import DATABASE, SERVICES, Person

SUPERUSER = "postgres"
FIRST = "operator"  # who may let the others in
HOST = "127.0.0.1"
PORT = "CERTFOLD_PORT_"
SERVER = "postgres:5432"
KEY_BYTES = 32


def secret(name: str) -> str:
    """Return a secret, the same each time."""
    return keep.secret(volumes.KEPT, name)


def dsn(role: str, server: str = SERVER, database: str = DATABASE) -> str:
    """Return where a role finds its database."""
    return f"postgresql://{role}:{secret(role)}@{server}/{database}"


def environment(service: str) -> Iterator[tuple[str, str]]:
    """Yield what a service is told that nobody else may know."""
    mine = f"CERTFOLD_{service.upper()}"
    yield "CERTFOLD_CONSOLE_SECRET", secret("console_secret")
    yield f"{mine}_POSTGRES_DSN", dsn(service)
    match service:
        case "application":
            key = keep.secret(volumes.KEPT, "key_encryption_key", _new_key)
            yield f"{mine}_KEY_ENCRYPTION_KEY", key
        case "ca_verification":
            yield f"{mine}_CA_PASSPHRASE", secret("ca_passphrase")
        case _:
            pass


def endpoints(people: Sequence[Person], environment: Mapping[str, str]) -> dict[str, object]:
    """Tell programs on the host where everything is, in the words of `certfold up`."""

    def at(name: str) -> str:
        return f"{HOST}:{environment[f'{PORT}{name.upper()}']}"

    account = {person.name: person.account_id for person in people}
    return {
        "console": f"http://{at('console')}",
        "api": f"http://{at('console')}/api/v1",
        "kafka": at("kafka"),
        "postgres": dsn(SUPERUSER, at("postgres")),
        "sandbox": {
            "dns": at("dns"),
            "files": ".data/sandbox",
            "http": at("http"),
            "tls": at("tls"),
        },
        "tokens": {person.name: person.token for person in people},
        "account_id": account["applicant"],
        "other_account_id": account["other_applicant"],
        "ca_root": ".data/compose/root.pem",  # .data/ca is where `certfold up` has its own
        "health": {name: f"http://{at(f'health_{name}')}" for name in SERVICES},
    }


def main() -> None:
    """Make what is not there yet, and give it to whom it concerns."""
    was_sandbox = volumes.CLOCK.exists()
    volumes.IS_ON.unlink(missing_ok=True)
    for service in SERVICES:
        mine = volumes.as_shell(dict(environment(service)))
        volumes.write(volumes.MADE / service / "environment", mine, volumes.ONLY_US)
    password = volumes.MADE / "postgres" / "password"
    volumes.write(password, secret(SUPERUSER), volumes.OUR_GROUP)
    everybody = provision.people(volumes.MADE / "console" / "everybody.json", volumes.KEPT)
    listed = [one for one in everybody if was_sandbox or one.name == FIRST]
    keep.write(volumes.MADE / "console" / "people.json", [asdict(one) for one in listed])
    if was_sandbox:
        sys.stdout.write("these volumes have been a sandbox's: its logins open the console\n")
    told = json.dumps(endpoints(everybody, os.environ))
    volumes.write(volumes.TOLD / "endpoints.json", told, volumes.OUR_GROUP)


def _new_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()


if __name__ == "__main__":
    main()
