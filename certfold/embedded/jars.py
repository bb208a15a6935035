"""Java archives by their Maven coordinates, each held to the checksum in a lock file.

jgo resolves and downloads, but it warns where a checksum differs and leaves half a file behind
when it is interrupted, to be taken for whole the next time. So what is fetched is judged here,
and only then moved into Maven's own cache, where jgo and Maven find it too.

    python -m certfold.embedded.jars     resolves what Kafka needs and writes the lock anew
"""

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from jgo.maven import Artifact, MavenContext
from requests import RequestException

LOCK = Path(__file__).with_name("kafka.lock")
ROOTS = (
    "org.apache.kafka:kafka_2.13:4.3.1",
    # Kafka leaves the choice of a logging back end to its distribution. SLF4J 1.7, log4j 2.
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
)
AT_ONCE = 8
REPOSITORY = "CERTFOLD_MAVEN_REPOSITORY"

Progress = Callable[[int, int], None]


class JarsMissingError(Exception):
    """Some archives are neither in the cache nor to be had; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Locked:
    """One archive: "group:artifact:version", and the SHA-256 of its bytes in hex."""

    coordinates: str
    sha256: str

    def artifact(self, maven: MavenContext) -> Artifact:
        group, name, version = self.coordinates.split(":")
        return maven.project(group, name).at_version(version).artifact()

    def path(self, maven: MavenContext) -> Path:
        """Return where the archive lies in Maven's cache, or would."""
        return maven.repo_cache / str(self.artifact(maven).cached_path)

    def is_at(self, path: Path) -> bool:
        """Say whether the very bytes that were locked lie at `path`."""
        return path.is_file() and sha256(path) == self.sha256


def classpath(progress: Progress = lambda _done, _of: None, lock: Path = LOCK) -> list[Path]:
    """Return every archive of the lock, in its order, fetching those that are not cached.

    Needs no network when all are there. Safe to run twice at once, and to interrupt, by raising
    from `progress` too.
    """
    wanted = list(read(lock))
    maven = context()
    paths = [one.path(maven) for one in wanted]
    missing = [(one, path) for one, path in zip(wanted, paths, strict=True) if not one.is_at(path)]
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        for done, failure in enumerate(pool.map(_fetch, missing), start=1):
            if failure is not None:
                raise JarsMissingError(_advice(failure, len(missing), maven)) from failure
            progress(done, len(missing))
    finally:
        pool.shutdown(cancel_futures=True)
    return paths


def _fetch(wanted: tuple[Locked, Path]) -> Exception | None:
    one, path = wanted
    path.parent.mkdir(parents=True, exist_ok=True)
    # A cache of its own beside the real one, so that the last step is a rename.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".certfold-") as aside:
        try:
            found = one.artifact(context(Path(aside))).resolve()
        except (RequestException, RuntimeError, OSError) as error:
            return error
        if not one.is_at(found):
            return ValueError(f"{one.coordinates} is not what was locked ({sha256(found)})")
        found.replace(path)
    return None


def _advice(failure: Exception, count: int, maven: MavenContext) -> str:
    places = ", ".join(maven.remote_repos.values())
    return (
        f"{count} Java archives of Apache Kafka are not in {maven.repo_cache} and could not be "
        f"fetched from {places}: {failure}\n"
        f"Connect this machine once, or point {REPOSITORY} at a mirror of Maven Central, "
        f"or copy {maven.repo_cache} from a machine that has run this before."
    )


def context(cache: Path | None = None) -> MavenContext:
    """Look in Maven's usual cache, or `cache`, and fetch from Central or the operator's mirror."""
    mirror = os.environ.get(REPOSITORY)
    return MavenContext(
        repo_cache=cache, remote_repos={"mirror": mirror} if mirror else None, timeout=30
    )


def read(lock: Path) -> Iterator[Locked]:
    """Read "<coordinates> sha256:<hex>" lines."""
    for line in lock.read_text().splitlines():
        coordinates, _, digest = line.partition(" sha256:")
        yield Locked(coordinates, digest)


def write(lock: Path, roots: Iterable[str] = ROOTS) -> None:
    """Resolve `roots` with all they need at run time, fetch it, and lock what came.

    One root at a time, the first to name an archive chooses its version: resolved together, jgo
    lets what log4j manages for itself (Jackson 2.19) overrule what Kafka asks for (2.21).
    """
    maven = context()
    chosen: dict[tuple[str, str], Artifact] = {}
    for root in roots:
        given, needed = maven.resolver.resolve([maven.create_dependency(root)])
        for one in chain(given, needed):
            if one.scope in {None, "compile", "runtime"}:
                chosen.setdefault((one.groupId, one.artifactId), one.artifact)
    lines = [f"{':'.join(_gav(one))} sha256:{sha256(one.resolve())}\n" for one in chosen.values()]
    lock.write_text("".join(sorted(lines)))


def _gav(one: Artifact) -> tuple[str, str, str]:
    return one.groupId, one.artifactId, one.version


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    write(LOCK)
