"""The pages that everybody may see."""

import hashlib
import re
import time
from pathlib import Path

import pytest

from services.console import pages
from services.console.pages import STATIC, State, front
from tests.console.console import Console

VENDORED = STATIC / "swagger-ui"


async def test_the_root_page_tells_how_everything_is(console: Console) -> None:
    console.upstream.waits_for = {"kafka": "<script>alert(1)</script> & co"}

    page = await console.get("/")

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for shown in ("inventory", "waiting", "application", "away", "console", "ready"):
        assert shown in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; co" in page.text
    assert "alert(1)</script>" not in page.text
    assert "The sandbox is on." in page.text
    assert "not a publicly\ntrusted CA" in page.text
    assert f"{console.url}/api/v1" in page.text
    assert console.service.settings.kafka_servers in page.text
    console.upstream.waits_for = {}


async def test_a_service_that_hangs_does_not_hold_the_page_up(console: Console) -> None:
    console.upstream.slow_seconds, began = 5, time.monotonic()
    time.sleep(pages.FRESH_SECONDS)  # noqa: ASYNC251 - what was asked before is not fresh any more

    page = await console.get("/")

    console.upstream.slow_seconds = 0
    assert time.monotonic() - began < pages.FRESH_SECONDS + pages.ASK_SECONDS + 1.5
    assert "no answer within a second" in page.text


def test_without_a_sandbox_there_is_no_banner(console: Console) -> None:
    settings = console.service.settings.model_copy(update={"sandbox": False})

    page = front(settings, [State("console", "ready")], "http://here/")  # type: ignore[arg-type]

    assert "sandbox" not in page
    assert "Everything runs." in page


@pytest.mark.parametrize("path", ["/", "/docs", "/static/console.css", "/nothing"])
async def test_pages_load_nothing_from_elsewhere_and_run_nothing_inline(
    console: Console, path: str
) -> None:
    page = await console.get(path)

    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in page.headers
    assert not re.search(r"<script>|<style|\son\w+=|style=", page.text)
    assert not re.findall(r"(?:src|href)=\"(?!/)", page.text)


@pytest.mark.parametrize(
    "path", ["/api/v1/openapi.json", "/asyncapi.json", "/schemas/CertificateIssued.json"]
)
async def test_the_contract_is_served_to_everybody(console: Console, path: str) -> None:
    answer = await console.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()


@pytest.mark.parametrize(
    "path",
    [
        "/schemas/Nothing.json",
        "/schemas/..%2Fopenapi.json",
        "/schemas/%2e%2e%2f%2e%2e%2fpyproject.toml",
        "/static/..%2Fapi.py",
        "/static/%2e%2e/settings.py",
        "/static/swagger-ui/",
    ],
)
async def test_nothing_else_of_the_disk_is_served(console: Console, path: str) -> None:
    assert (await console.get(path)).status_code == 404


def test_what_is_vendored_is_what_the_notice_says_and_asks_no_registry() -> None:
    said = dict(
        reversed(line.split("  ", 1))  # type: ignore[arg-type]
        for line in (VENDORED / "NOTICE").read_text().splitlines()
        if re.match(r"[0-9a-f]{64}  ", line)
    )
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDORED.iterdir()
        if path.name != "NOTICE"
    }
    registries = re.compile(r"registry\.npm|npmjs|yarnpkg|pypi\.org|pythonhosted|unpkg|jsdelivr")

    assert found == said
    assert not [p.name for p in VENDORED.iterdir() if registries.search(Path(p).read_text())]
