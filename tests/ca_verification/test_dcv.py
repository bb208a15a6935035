from itertools import pairwise

import dns.name
import pytest
from dns import rcode

from services.ca_verification.dcv import Found, NotFound, check, dns_challenge
from tests.shared.nameserver import SILENT, Answer, serving

NAME, KIND, VALUE = dns_challenge("*.acme.com", "5eed")


async def outcome(answer: Answer | None, name: str = NAME) -> Found | NotFound:
    answers = {} if answer is None else {(NAME, KIND): answer}
    async with serving(answers) as resolver:
        return await check(resolver, name, VALUE, 0.3)


def chain(aliases: int) -> list[str]:
    names = [NAME, *(f"alias{n}.acme.net" for n in range(aliases))]
    links = [f"{one} CNAME {other}." for one, other in pairwise(names)]
    return [*links, f'{names[-1]} TXT "{VALUE}"']


def test_a_challenge_is_published_under_the_authorization_domain() -> None:
    record = ("_certfold-challenge.acme.com", "TXT", "certfold-validation=5eed")

    assert dns_challenge("*.acme.com", "5eed") == record
    assert dns_challenge("acme.com", "5eed") == record


@pytest.mark.parametrize(
    "answer",
    [
        [f'{NAME} TXT "{VALUE}"'],
        [f'{NAME} TXT "v=spf1 -all"', f'{NAME} TXT "{VALUE}"'],
        [f'{NAME} TXT "certfold-" "validation=5eed"'],
        chain(8),
    ],
)
async def test_a_value_is_found_wherever_the_dns_leads(answer: list[str]) -> None:
    assert await outcome(answer) == Found()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, f"{NAME} does not exist (NXDOMAIN)"),
        ([], f"{NAME} has no TXT record"),
        ([f'{NAME} TXT "{VALUE} "', f'{NAME} TXT "x"'], f"{NAME} has other values (2)"),
        ([f'{NAME} TXT "{VALUE.upper()}"'], f"{NAME} has other values (1)"),
        (rcode.SERVFAIL, f"the name servers of {NAME} fail (SERVFAIL)"),
        (rcode.REFUSED, f"the name servers of {NAME} fail (REFUSED)"),
        (b"not a message", f"no name server has answered about {NAME} in time"),
        (SILENT, f"no name server has answered about {NAME} in time"),
        (chain(9), f"{NAME} leads through more than 8 aliases (CNAME)"),
        (chain(20), f"{NAME} leads through more than 8 aliases (CNAME)"),
        ([f"{NAME} CNAME {NAME}."], f"{NAME} leads through more than 8 aliases (CNAME)"),
        ([f"{NAME} CNAME away.acme.net."], f"{NAME} has no TXT record"),
    ],
)
async def test_a_reason_says_what_is_wrong(answer: Answer | None, reason: str) -> None:
    assert await outcome(answer) == NotFound(reason)


async def test_a_name_that_the_dns_cannot_hold_is_an_answer_too() -> None:
    name = "_certfold-challenge." + ".".join(["a" * 62] * 4)

    assert await outcome(None, name) == NotFound(
        f"{name} cannot be looked for: A DNS name is > 255 octets long."
    )


async def test_a_name_server_that_is_away_is_an_answer_too() -> None:
    async with serving({}) as resolver:
        pass

    assert isinstance(await check(resolver, NAME, VALUE, 0.3), NotFound)


async def test_the_systems_search_list_is_not_tried() -> None:
    answers: dict[tuple[str, str], Answer] = {
        (f"{NAME}.corp", "TXT"): [f'{NAME}.corp TXT "{VALUE}"']
    }
    async with serving(answers) as resolver:
        resolver.search = [dns.name.from_text("corp")]

        assert await check(resolver, NAME, VALUE, 0.3) == NotFound(
            f"{NAME} does not exist (NXDOMAIN)"
        )
