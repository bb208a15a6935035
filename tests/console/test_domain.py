"""Who may come in, decided."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.console import domain
from services.console.domain import (
    BY_FILE,
    Enrolled,
    EnrolPeople,
    IssueToken,
    RevokeToken,
    Token,
    fingerprint,
)
from shared.decision import Decision, Moment

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ID = UUID(int=1)


def at(now: datetime = NOON) -> Moment:
    return Moment(now, ID, now, b"")


ANN = Enrolled(name="ann", role="applicant", account_id="acme", token_sha256=fingerprint("a"))


def known(one: Enrolled = ANN, **changes: object) -> Token:
    made = Token(
        one.token_id,
        one.name,
        one.role,
        one.account_id,
        one.token_sha256,
        BY_FILE,
        NOON,
        is_listed=True,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def enrol(*people: Enrolled, found: tuple[Token, ...] = ()) -> Decision:
    ask = EnrolPeople(people=people, known_ids=tuple(one.id for one in found))
    return domain.enrol({one.id: one for one in found}, ask, at())


def test_who_is_listed_comes_in() -> None:
    assert enrol(ANN) == Decision(changed=(known(),))


def test_who_is_listed_still_is_left_alone() -> None:
    assert enrol(ANN, found=(known(),)) == Decision()


def test_another_token_in_the_list_replaces_the_first() -> None:
    anew = ANN.model_copy(update={"token_sha256": fingerprint("b")})
    found = known(version=3)

    assert enrol(anew, found=(found,)) == Decision(changed=(known(anew, version=3),))


def test_another_role_in_the_list_holds_from_now_on() -> None:
    other = ANN.model_copy(update={"role": "auditor"})

    assert enrol(other, found=(known(),)) == Decision(changed=(known(other),))


def test_who_is_listed_no_more_is_out() -> None:
    gone = known(revoked_at=NOON, revoked_by=BY_FILE)

    assert enrol(found=(known(),)) == Decision(changed=(gone,))
    assert enrol(found=(gone,)) == Decision()


def test_a_token_that_was_revoked_stays_revoked_though_it_is_listed() -> None:
    gone = known(revoked_at=NOON, revoked_by="ops")

    assert enrol(ANN, found=(gone,)) == Decision()


def test_who_was_left_out_of_the_list_comes_in_again_by_it() -> None:
    gone = known(revoked_at=NOON, revoked_by=BY_FILE)

    assert enrol(ANN, found=(gone,)) == Decision(changed=(known(),))


def test_a_token_that_was_revoked_stays_revoked_under_another_name() -> None:
    gone = known(revoked_at=NOON, revoked_by="ops")
    anna = ANN.model_copy(update={"name": "anna"})

    assert enrol(anna, found=(gone,)) == Decision(
        changed=(known(anna, revoked_at=NOON, revoked_by="ops"),)
    )


def test_a_token_that_only_the_file_has_ended_can_be_revoked_for_good() -> None:
    gone = known(revoked_at=NOON, revoked_by=BY_FILE)
    end = RevokeToken(token_id=ANN.token_id, revoked_by="ops")

    assert domain.revoke(gone, end, at()) == Decision(changed=(replace(gone, revoked_by="ops"),))


def test_a_token_is_issued_once_and_revoked_once() -> None:
    ask = IssueToken(
        token_id=ID,
        name="carol",
        role="officer",
        account_id=None,
        token_sha256=fingerprint("c"),
        issued_by="ops",
    )
    issued = Token(ID, "carol", "officer", None, fingerprint("c"), "ops", NOON)
    gone = replace(issued, revoked_at=NOON, revoked_by="ops")
    end = RevokeToken(token_id=ID, revoked_by="ops")

    assert domain.issue(None, ask, at()) == Decision(changed=(issued,))
    assert domain.issue(issued, ask, at()) == Decision()
    assert domain.revoke(issued, end, at()) == Decision(changed=(gone,))
    assert domain.revoke(gone, end, at(NOON + timedelta(days=1))) == Decision()
    assert domain.revoke(None, end, at()) == Decision()


def test_who_works_for_the_ca_judges_no_account_of_their_own() -> None:
    assert [one.code for one in domain.objections("officer", "acme")] == ["account_not_allowed"]
    assert [one.code for one in domain.objections("applicant", None)] == ["account_missing"]
    assert not [*domain.objections("applicant", "acme"), *domain.objections("reviewer", None)]


STEPS = st.lists(
    st.one_of(
        st.lists(st.sampled_from("abc"), max_size=1).map(tuple),  # the file holds that token
        st.just("revoke"),
    ),
    max_size=12,
)


@given(STEPS)
def test_a_revoked_token_opens_nothing_unless_another_came_between(
    steps: list[tuple[str, ...] | str],
) -> None:
    token: Token | None = None
    for step in steps:
        before = token
        if isinstance(step, str):
            decision = domain.revoke(
                token, RevokeToken(token_id=ANN.token_id, revoked_by="o"), at()
            )
        else:
            listed = (ANN.model_copy(update={"token_sha256": fingerprint(t)}) for t in step)
            decision = enrol(*listed, found=(token,) if token else ())
        for changed in decision.changed:
            assert isinstance(changed, Token)
            token = changed
        if before and token and before.revoked_by == "o" and before.sha256 == token.sha256:
            assert token.revoked_by == "o"
