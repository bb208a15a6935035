"""Who comes in, to which service, in whose name."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from services.console.proxy import route
from tests.console.console import SECRET, Console, token

FORGED = {
    "certfold-account": "rival",
    "Certfold-Role": "operator",
    "certfold-person": "somebody else",
    "CERTFOLD-ANYTHING": "1",
    "cookie": "a=b",
    "x-forwarded-for": "10.0.0.1",
    "te": "trailers",
}


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/api/v1/me", "console"),
        ("/api/v1/tokens/1", "console"),
        ("/api/v1/quota", "inventory"),
        ("/api/v1/instances/1/history", "inventory"),
        ("/api/v1/combinations/preview", "inventory"),
        ("/api/v1/combinations/plan", "inventory"),
        ("/api/v1/combinations", "combination"),
        ("/api/v1/combinations/preview/1", "combination"),
        ("/api/v1/applications/1/withdrawal", "application"),
        ("/api/v1/applications/1/names/*.a.example", "application"),
        ("/api/v1/applications/1/names/*.a.example/check", "ca_verification"),
        ("/api/v1/certificates/1/download", "application"),
        ("/api/v1/verification/tasks", "ca_verification"),
        ("/api/v1/services/ca_verification/parked/1/replay", "ca_verification"),
        ("/api/v1/services/console/parked", "console"),
        ("/api/v1/services/nobody/parked", None),
        ("/api/v1/services/inventory/secrets", None),
        ("/api/v1/quotas", None),
        ("/api/v1/", None),
        ("/api/v1/quota/", None),
        ("/api/v1/quota/../tokens", None),
        ("/api/v1/instances//tokens", None),
        ("/api/v1/quota/./refund", None),
        ("/api/v1/quota//refund", None),
        ("/api/v1/quota/%2E/refund", "inventory"),
        ("/api/v1/quota/A%2F%2F1/refund", "inventory"),
        ("/api%2Fv1/me", None),
        ("/api/v1/applications/a/b/names/c/check", "application"),
    ],
)
def test_every_path_has_one_owner(path: str, service: str | None) -> None:
    assert route(path.encode()) == service


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Bearer",
        "Bearer unknown",
        f"Bearer {SECRET}",
        f"Basic {token('ann')}",
        token("ann"),
        f"Bearer {token('ann')} x",
        "Bearer \xe9\xff",
    ],
)
async def test_without_a_known_token_nobody_comes_in(
    console: Console, authorization: str | None
) -> None:
    headers = {"authorization": authorization.encode("latin-1")} if authorization else {}
    for path in ("me", "instances", "nothing"):
        answer = await console.get(f"/api/v1/{path}", headers=headers)

        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith('Bearer realm="certfold"')
        assert answer.json()["status"] == 401


async def test_a_person_is_who_the_token_says_whatever_the_headers_say(console: Console) -> None:
    reached = (await console.get("/api/v1/instances", "ann", headers=FORGED)).json()["headers"]
    me = (await console.get("/api/v1/me", "ann", headers=FORGED)).json()

    assert {name: reached[name] for name in reached if name.startswith("certfold")} == {
        "certfold-person": "ann",
        "certfold-role": "applicant",
        "certfold-account": "acme",
    }
    assert reached["authorization"] == f"Bearer {SECRET}"
    assert not {"cookie", "x-forwarded-for", "te"} & reached.keys()
    assert me == {"name": "ann", "role": "applicant", "account_id": "acme"}


async def test_who_belongs_to_no_account_gets_none_by_asking_for_one(console: Console) -> None:
    reached = (await console.get("/api/v1/verification/tasks", "oli", headers=FORGED)).json()

    assert "certfold-account" not in reached["headers"]
    assert reached["headers"]["certfold-role"] == "officer"


async def test_a_request_arrives_as_it_was_sent(console: Console) -> None:
    answer = await console.ask(
        "POST",
        "/api/v1/applications/1/names/%2A.b%C3%BCcher.example/check?q=%20a+b&q=2",
        "ann",
        content=b'{"a": 1}',
        headers={
            "content-type": "application/json; charset=utf-8",
            "idempotency-key": "key-1",
            "prefer": "wait=5",
            "accept": "text/csv",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        },
    )
    told = answer.json()

    assert told["method"] == "POST"
    assert told["path"] == "/api/v1/applications/1/names/%2A.b%C3%BCcher.example/check"
    assert told["query"] == "q=%20a+b&q=2"
    assert told["body"] == '{"a": 1}'
    passed = ("content-type", "idempotency-key", "prefer", "accept", "traceparent")
    assert [told["headers"][name] for name in passed] == [
        "application/json; charset=utf-8",
        "key-1",
        "wait=5",
        "text/csv",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ]


@pytest.mark.parametrize("part", ["A%2F%2F1", "%2E", "%2e%2E", "%2F..%2Ftokens", "%25"])
async def test_an_id_that_another_gave_arrives_whatever_it_holds(
    console: Console, part: str
) -> None:
    path = f"/api/v1/quota/{part}/refund"

    assert (await console.ask("POST", path, "ann")).json()["path"] == path


@pytest.mark.parametrize(
    "path",
    [
        *("/api/v1/quota/../instances", "/api/v1/quota/./x", "/api/v1/quota//x"),
        *("/pki/../api/v1/quota", "/pki/a#b", "/pki/a?b#c"),
    ],
)
async def test_a_path_that_leads_elsewhere_reaches_no_service(console: Console, path: str) -> None:
    """Of the client's own making, since httpx would tidy it up."""
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token('ann')}\r\n\r\n"
    address = httpx.URL(console.url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(request.encode())
    answer = await reader.readline()
    writer.close()
    await writer.wait_closed()

    assert answer == b"HTTP/1.1 404 Not Found\r\n"


async def test_an_answer_comes_back_as_it_was_given(console: Console) -> None:
    answer = await console.get("/api/v1/instances", "ann")

    assert answer.status_code == 202
    assert answer.headers["location"] == "/api/v1/somewhere"
    assert answer.headers["x-mine"] == "1"
    assert answer.headers["cache-control"] == "no-store"
    assert "keep-alive" not in answer.headers
    assert len(answer.headers.get_list("date")) == 1


@pytest.mark.parametrize("given", [None, "nonsense", "00-" + "0" * 32 + "-00f067aa0ba902b7-01"])
async def test_every_request_can_be_traced(console: Console, given: str | None) -> None:
    headers = {"traceparent": given, "tracestate": "a=b"} if given else {}

    reached = (await console.get("/api/v1/quota", "ann", headers=headers)).json()["headers"]

    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", reached["traceparent"])
    assert "tracestate" not in reached


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1000):
        yield b"x" * 1000


@pytest.mark.parametrize("path", ["/api/v1/instances", "/api/v1/tokens"])
async def test_a_body_may_be_of_256_kib_and_no_byte_more(console: Console, path: str) -> None:
    fits = await console.ask("POST", path, "ops", content=b" " * (256 << 10))
    said = await console.ask("POST", path, "ops", content=b" " * ((256 << 10) + 1))
    chunked = await console.ask("POST", path, "ops", content=chunks(400_000))

    assert fits.status_code != 413
    for answer in (said, chunked):
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["objections"][0]["code"] == "body_too_large"
        assert "262144" in answer.json()["detail"]


async def test_a_chunked_body_within_the_limit_arrives_whole(console: Console) -> None:
    answer = await console.ask("POST", "/api/v1/instances", "ann", content=chunks(5000))

    assert len(answer.json()["body"]) == 5000


async def test_a_service_that_is_away_is_told_as_such(console: Console) -> None:
    answer = await console.get("/api/v1/applications", "ann")

    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "1"
    assert "application" in answer.json()["detail"]


async def test_a_service_that_does_not_trust_us_is_our_fault_not_the_callers(
    console: Console,
) -> None:
    answer = await console.get("/api/v1/instances/mistrust", "ann")

    assert answer.status_code == 502
    assert SECRET not in answer.text


async def test_an_unknown_path_is_a_problem_document(console: Console) -> None:
    answer = await console.get("/api/v1/nothing", "ann")

    assert answer.status_code == 404
    assert answer.json()["objections"] == [
        {"code": "unknown", "subject": "/api/v1/nothing", "message": "there is no such path"}
    ]


async def test_an_answer_is_handed_on_while_it_is_still_being_given(console: Console) -> None:
    async with (
        console.client("ann") as client,
        client.stream("GET", "/api/v1/instances/stream") as answer,
    ):
        pieces = answer.aiter_bytes()
        assert await anext(pieces) == b"first"
        console.upstream.go_on.set()
        assert await anext(pieces) == b"second"
