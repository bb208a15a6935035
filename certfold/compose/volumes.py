"""Which volume holds what, as the containers see it."""

import shlex
from collections.abc import Mapping
from pathlib import Path

# To `keys` and `init`; each service has its own of these as /data, and cannot write to it.
MADE = Path("/made")
KEPT = MADE / "keys" / "secrets.json"
CA = MADE / "ca_verification" / "ca"
TOLD = MADE / "told"

# To all: `switch` and the sandbox write, the services read.
SANDBOX = Path("/sandbox")
IS_ON = SANDBOX / "environment"
CLOCK = SANDBOX / "clock.json"

# Of the host, to the sandbox only.
CHECKOUT = Path("/checkout/.data")

ONLY_US = 0o600
OUR_GROUP = 0o640  # PostgreSQL and the sandbox, who are others, belong to it
EVERYBODY = 0o644


def write(path: Path, text: str, mode: int) -> None:
    """Write a file: whoever reads sees the old one or the new one, never a part."""
    aside = path.with_name(f".{path.name}.new")
    aside.touch(mode=ONLY_US)
    aside.chmod(mode)
    aside.write_text(text)
    aside.replace(path)


def as_shell(variables: Mapping[str, str]) -> str:
    """Return `variables` as deploy/start reads them."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())
