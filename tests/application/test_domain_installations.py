"""When hosts are looked at, and what is said of them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.application import domain
from services.application.domain import CertificateUnknownError
from services.application.domain.messages import LookAtHost, look_id
from services.application.domain.things import Host
from shared.contracts.application import CertificateInstalled
from shared.decision import Decision
from tests.application import make
from tests.application.make import CERTIFICATE, MOMENT, NAMES, NOON, WHO, later, seen


def look(name: str, **after: float) -> LookAtHost:
    return LookAtHost(
        certificate_id=CERTIFICATE,
        name=name,
        sha256_fingerprint="ab",
        due=NOON + timedelta(**after),
    )


def host(**changes: object) -> Host:
    return replace(Host("a.example"), **changes)


def test_name_that_begins_to_serve_is_noted_and_told() -> None:
    serving = host(state="serving", sha256_fingerprint="ab", seen_at=NOON)
    installed = CertificateInstalled(
        **WHO, certificate_id=CERTIFICATE, name="a.example", seen_at=NOON
    )

    assert domain.note_host(make.certificate(), seen("serving"), MOMENT) == Decision(
        changed=(make.certificate(serving, Host("b.example")),),
        facts=(installed,),
        errands=(look("a.example", minutes=1),),
    )


def test_name_that_still_serves_is_not_told_again() -> None:
    certificate = make.certificate(host(state="serving"))

    assert domain.note_host(certificate, seen("serving"), MOMENT).facts == ()


@pytest.mark.parametrize("state", ["serving_other", "unreachable"])
def test_name_that_does_not_serve_is_noted_with_the_reason_and_nothing_told(state) -> None:
    decision = domain.note_host(make.certificate(), seen(state, reason="no route"), MOMENT)

    noted = host(state=state, reason="no route", seen_at=NOON)
    assert decision.changed == (make.certificate(noted, Host("b.example")),)
    assert decision.facts == ()


@pytest.mark.parametrize(
    ("looks", "after"),
    [
        (0, {"minutes": 2}),
        (1, {"minutes": 4}),
        (9, {"minutes": 1024}),
        (10, {"days": 1}),
        (10**6, {"days": 1}),
    ],
)
def test_pause_doubles_while_nothing_changes_up_to_a_day(looks, after) -> None:
    certificate = make.certificate(host(state="unreachable", looks=looks))

    decision = domain.note_host(certificate, seen("unreachable"), MOMENT)

    assert decision.errands == (look("a.example", **after),)


def test_change_is_followed_closely_again() -> None:
    certificate = make.certificate(host(state="unreachable", looks=9))

    decision = domain.note_host(certificate, seen("serving"), MOMENT)

    assert decision.errands == (look("a.example", minutes=1),)


def test_expired_certificate_is_looked_for_no_more() -> None:
    moment = later(days=199, seconds=1)

    assert domain.note_host(make.certificate(), seen("serving"), moment).errands == ()


def test_who_wants_to_know_now_has_every_name_looked_at_instead_of_later() -> None:
    asked = make.certificate(*(Host(name, asked_at=NOON) for name in NAMES))

    assert domain.look_now(make.certificate(), make.LOOK, MOMENT) == Decision(
        changed=(asked,),
        errands=tuple(look(name) for name in NAMES),
        closed=tuple(look_id(CERTIFICATE, name) for name in NAMES),
    )


@pytest.mark.parametrize(("ago", "names"), [(1, ["b.example"]), (2, ["b.example"]), (3, NAMES)])
def test_name_that_was_seen_a_moment_ago_is_left_in_peace(ago, names) -> None:
    fresh = host(state="serving", seen_at=NOON - timedelta(seconds=ago))
    certificate = make.certificate(fresh, Host("b.example"))

    decision = domain.look_now(certificate, make.LOOK, MOMENT)

    assert [errand.name for errand in decision.errands] == list(names)


def test_look_that_was_asked_for_is_not_dropped_for_another_one() -> None:
    [asked] = domain.look_now(make.certificate(), make.LOOK, MOMENT).changed

    assert domain.look_now(asked, make.LOOK, later(minutes=9)) == Decision()


def test_who_asks_after_the_outcome_has_that_name_looked_at_again() -> None:
    [asked] = domain.look_now(make.certificate(), make.LOOK, MOMENT).changed
    [seen_one] = domain.note_host(asked, seen("unreachable"), later(seconds=1)).changed

    decision = domain.look_now(seen_one, make.LOOK, later(seconds=4))

    assert decision.errands == (look("a.example", seconds=4),)
    assert decision.closed == (look_id(CERTIFICATE, "a.example"),)


def test_look_whose_outcome_was_lost_can_be_asked_for_again() -> None:
    [asked] = domain.look_now(make.certificate(), make.LOOK, MOMENT).changed

    decision = domain.look_now(asked, make.LOOK, later(minutes=10))

    assert [errand.name for errand in decision.errands] == list(NAMES)


@pytest.mark.parametrize(
    ("decide", "message"), [(domain.look_now, make.LOOK), (domain.note_host, seen("serving"))]
)
def test_certificate_that_nobody_has_needs_a_person(decide, message) -> None:
    with pytest.raises(CertificateUnknownError, match=str(CERTIFICATE)):
        decide(None, message, MOMENT)
