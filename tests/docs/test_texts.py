"""What the documents name is there, and what they quote is so."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.running import ROOT

TEXTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)#:]+)\)")
TESTS = re.compile(r"\btests/[\w/*.]+")
TARGET = re.compile(r"`make (\w+)")
QUOTE = re.compile(r"^```python\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

every_text = pytest.mark.parametrize("text", TEXTS, ids=lambda it: str(it.relative_to(ROOT)))


def quotes() -> Iterator[tuple[str, str]]:
    for text in TEXTS:
        yield from QUOTE.findall(text.read_text())


@every_text
def test_every_link_leads_somewhere(text: Path) -> None:
    links = LINK.findall(text.read_text())

    assert [one for one in links if not (text.parent / one).exists()] == []


@every_text
def test_every_test_that_is_named_exists(text: Path) -> None:
    named = {one.rstrip(".") for one in TESTS.findall(text.read_text())}

    assert [one for one in named if not any(ROOT.glob(one))] == []


@every_text
def test_every_target_that_is_named_exists(text: Path) -> None:
    there = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(TARGET.findall(text.read_text())) <= there


@pytest.mark.parametrize(("file", "lines"), list(quotes()))
def test_code_that_is_quoted_stands_there(file: str, lines: str) -> None:
    assert lines in (ROOT / file).read_text()
