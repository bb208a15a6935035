"""What certificates point to is for everybody, by way of the console."""

from collections.abc import AsyncIterator

import httpx
import pytest
from cryptography import x509

from services.ca_verification.ca.authority import Authority
from services.ca_verification.ca.founding import found
from services.ca_verification.ca.lint import Linter
from shared.clock import utc_now
from tests.ca_verification.alone import migrated
from tests.ca_verification.ca import Ca
from tests.conftest import fresh_role
from tests.console.console import Console, free_port, running, serving, token
from tests.servers import Servers

MEDIA_TYPES = {  # RFC 5280 §4.2.1.13, RFC 2585 §4
    "root.pem": "application/x-pem-file",
    "root.cer": "application/pkix-cert",
    "root.crl": "application/pkix-crl",
    "issuing.cer": "application/pkix-cert",
    "issuing.crl": "application/pkix-crl",
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return found(tmp_path_factory.mktemp("ca") / "ca", "hush", utc_now())


@pytest.fixture(scope="module")
async def door(
    stack: Servers, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Console]:
    """Put a console before a real CA."""
    dsn = await migrated(await fresh_role(stack.postgres_dsn, "ca"), "ca_verification")
    async with (
        Ca(dsn, authority, Linter(1)).run() as alone,
        serving(alone.app, free_port()) as behind,
        running(stack, tmp_path_factory.mktemp("door"), ca_verification_url=behind) as console,
    ):
        yield console


@pytest.mark.parametrize("name", MEDIA_TYPES)
@pytest.mark.parametrize("who", [None, "ann", "oli"])
async def test_everybody_is_given_it_with_its_media_type(
    door: Console, name: str, who: str | None
) -> None:
    answer = await door.get(f"/pki/{name}", who)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == MEDIA_TYPES[name]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "public, max-age=60"


async def test_it_is_der_of_the_ca_and_pem_of_the_root(door: Console, authority: Authority) -> None:
    issuing = (await door.get("/pki/issuing.cer")).content
    root = (await door.get("/pki/root.pem")).content
    crl = x509.load_der_x509_crl((await door.get("/pki/issuing.crl")).content)

    assert x509.load_der_x509_certificate(issuing) == authority.issuing
    assert x509.load_pem_x509_certificate(root) == authority.root
    assert crl.is_signature_valid(authority.issuing.public_key())


@pytest.mark.parametrize("name", MEDIA_TYPES)
async def test_who_wants_to_know_only_whether_it_is_there_is_sent_no_body(
    door: Console, name: str
) -> None:
    answer = await door.ask("HEAD", f"/pki/{name}")

    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_nobody_changes_it(door: Console, method: str) -> None:
    answer = await door.ask(method, "/pki/root.pem", "ops")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path", ["/pki/", "/pki/issuing.key", "/pki/%2e%2e/api/v1/verification/tasks", "/pki/a/b"]
)
async def test_nothing_else_comes_out_by_that_way(door: Console, path: str) -> None:
    answer = await door.get(path, "oli")

    assert answer.status_code in {404, 422}


async def test_nobody_is_vouched_for_on_that_way(console: Console) -> None:
    """A request without a token must not reach the service in anybody's name."""
    forged = {"authorization": f"Bearer {token('oli')}", "certfold-role": "officer"}

    reached = (await console.get("/pki/issuing.crl", headers=forged)).json()["headers"]

    assert not {name for name in reached if name.startswith("certfold") or name == "authorization"}


async def test_ca_that_is_away_is_said_to_be_away(
    stack: Servers, tmp_path_factory: pytest.TempPathFactory
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    folder = tmp_path_factory.mktemp("away")
    async with running(stack, folder, ca_verification_url=nowhere) as console:
        answer: httpx.Response = await console.get("/pki/issuing.crl")

    assert answer.status_code == 503
    assert answer.headers["retry-after"]
