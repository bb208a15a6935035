"""Where everything of one system is: told to each service, to programs and to people."""

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from certfold.embedded import keep
from certfold.embedded.ports import HOST
from certfold.embedded.postgres import Postgres
from certfold.provision import DATABASE, SERVICES, Person

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Places:
    """One data directory, the ports of its programs, its database server."""

    folder: Path
    port: Mapping[str, int]
    postgres: Postgres

    @property
    def sandbox(self) -> Path:
        return self.folder / "sandbox"

    @property
    def clock(self) -> Path:
        return self.sandbox / "clock.json"

    @property
    def people(self) -> Path:
        return self.folder / "people.json"

    @property
    def ca(self) -> Path:
        return self.folder / "ca"

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets.json"

    @property
    def kafka(self) -> str:
        return f"{HOST}:{self.port['kafka']}"

    def health(self, names: Sequence[str] = SERVICES) -> dict[str, str]:
        """Return the URL below which each service tells how it is."""
        return {name: self._url(f"health_{name}") for name in names}

    def passwords(self) -> dict[str, str]:
        """Return the password of each service's role."""
        return {name: keep.secret(self.secrets, name) for name in SERVICES}

    def ca_passphrase(self) -> str:
        """Return what the CA's keys are encrypted under."""
        return keep.secret(self.secrets, "ca_passphrase")

    def environment(self, name: str) -> dict[str, str]:
        """Return what service `name` is told."""
        mine = f"CERTFOLD_{name.upper()}_"
        password = keep.secret(self.secrets, name)
        return {
            "CERTFOLD_KAFKA_SERVERS": self.kafka,
            "CERTFOLD_CONSOLE_SECRET": keep.secret(self.secrets, "console_secret"),
            "CERTFOLD_CLOCK_FILE": str(self.clock),
            "CERTFOLD_RESOLVER": f"{HOST}:{self.port['dns']}",
            "CERTFOLD_SANDBOX": "true",
            f"{mine}POSTGRES_DSN": self.postgres.dsn(name, password, DATABASE),
            f"{mine}API_PORT": str(self.port[name]),
            f"{mine}HEALTH_PORT": str(self.port[f"health_{name}"]),
            **{f"{mine}{key}": value for key, value in self._own(name).items()},
        }

    def _own(self, name: str) -> dict[str, str]:
        match name:
            case "application":
                key = keep.secret(self.secrets, "key_encryption_key", _new_key)
                return {"KEY_ENCRYPTION_KEY": key, "TLS_PORT": str(self.port["tls"])}
            case "ca_verification":
                return {
                    "CA_FOLDER": str(self.ca),
                    "CA_PASSPHRASE": self.ca_passphrase(),
                    "PKI_URL": f"{self._url('console')}/pki",
                }
            case "console":
                others = (one for one in SERVICES if one != name)
                return {
                    **{f"{one.upper()}_URL": self._url(one) for one in others},
                    "HEALTH_URLS": json.dumps(self.health()),
                    "PEOPLE_FILE": str(self.people),
                }
            case _:
                return {}

    def endpoints(self, people: Sequence[Person]) -> dict[str, object]:
        """Tell programs where everything is, and by which tokens they may come in."""
        account = {person.name: person.account_id for person in people}
        return {
            "console": self._url("console"),
            "api": f"{self._url('console')}/api/v1",
            "kafka": self.kafka,
            "postgres": self.postgres.dsn(database=DATABASE),
            "sandbox": {
                "dns": f"{HOST}:{self.port['dns']}",
                "files": shown(self.sandbox),
                "http": f"{HOST}:{self.port['http']}",
                "tls": f"{HOST}:{self.port['tls']}",
            },
            "tokens": {person.name: person.token for person in people},
            "account_id": account["applicant"],
            "other_account_id": account["other_applicant"],
            "ca_root": shown(self.ca / "root.pem"),
            "health": self.health(),
        }

    def _url(self, name: str) -> str:
        return f"http://{HOST}:{self.port[name]}"


def shown(path: Path) -> str:
    """Return `path` as a person in this directory writes it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _new_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()
