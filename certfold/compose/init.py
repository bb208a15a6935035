"""Makes what must exist before a service starts: roles, topics, the CA.

    python -m certfold.compose.init

It does so at each start; what is there, stays.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

from certfold import provision
from certfold.compose import volumes
from certfold.compose.keys import SUPERUSER, dsn, secret
from certfold.provision import PARTITIONS, SERVICES, RolesRefusedError, TopicsRefusedError
from services.ca_verification.ca import __main__ as ca

Result = TypeVar("Result")

PATIENCE_SECONDS = 60.0
AGAIN_SECONDS = 0.5


async def provide() -> None:
    """Provision both servers; raise what they answer when they go on saying no."""
    passwords = {name: secret(name) for name in SERVICES}
    servers = os.environ["CERTFOLD_KAFKA_SERVERS"]
    partitions = int(os.environ.get("CERTFOLD_TOPIC_PARTITIONS", PARTITIONS))
    _, changes = await asyncio.gather(
        _patiently(lambda: provision.roles(dsn(SUPERUSER, database="postgres"), passwords)),
        _patiently(lambda: provision.apply_topics(servers, partitions)),
    )
    sys.stdout.writelines(f"{change}\n" for change in changes)


async def _patiently(work: Callable[[], Awaitable[Result]]) -> Result:
    """Do `work`, again while its server, which listens already, cannot do it yet."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                return await work()
            except (OSError, RolesRefusedError, TopicsRefusedError) as error:
                sys.stderr.write(f"again: {error}\n")
            await asyncio.sleep(AGAIN_SECONDS)


def main() -> int:
    """Do it all: 0 done, 1 refused with the reason on stderr."""
    try:
        asyncio.run(provide())
    except TimeoutError:
        return 1
    os.environ[ca.PASSPHRASE] = secret("ca_passphrase")
    if failed := ca.main(["init", "--folder", str(volumes.CA)]):
        return failed
    root = (volumes.CA / "root.pem").read_text()
    volumes.write(volumes.TOLD / "root.pem", root, volumes.OUR_GROUP)
    return 0


if __name__ == "__main__":
    sys.exit(main())
