"""How the form is judged: every objection at once, without asking anybody."""

import pytest

from services.application.form import ApplicationBody, Judged, judge
from services.application.keys import make as make_key
from shared.contracts.base import Names
from tests.application import make
from tests.application.make import INSTANCE

REQUEST = make_key("P-384", ["a.example"]).csr_pem


def judged(*names: str, csr_pem: str | None = None, most_names: int = 5) -> Judged:
    csr = {"method": "pasted", "csr_pem": csr_pem} if csr_pem else {"method": "automatic"}
    body = {
        "instance_id": INSTANCE,
        "names": names,
        "organisation": make.ORGANISATION.model_dump(),
        "contact": make.CONTACT.model_dump(),
        "csr": csr,
    }
    form = ApplicationBody.model_validate(body)
    return judge(form, most_names=most_names, reserved_ok=frozenset({"example"}))


def told(*names: str, **more: object) -> list[tuple[str, str]]:
    return [(one.code, one.subject) for one in judged(*names, **more).objections]


def test_good_form_is_kept_as_certificates_write_it() -> None:
    good = judged("A.Example", "*.b.example", "bücher.example.")

    assert good.objections == ()
    assert good.counts == Names(single=2, wildcard=1)
    assert good.form.names == ("a.example", "*.b.example", "xn--bcher-kva.example")
    assert (good.form.kind, good.form.key_algorithm) == ("hybrid", "P-256")
    assert (good.form.csr_pem, good.form.spki_sha256) == (None, None)


def test_pasted_request_says_which_key_it_is() -> None:
    form = judged("a.example", csr_pem=REQUEST).form

    assert (form.key_algorithm, form.csr_pem) == ("P-384", REQUEST)
    assert form.spki_sha256


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["a.example"], "single"),
        (["a.example", "b.example"], "multi_domain"),
        (["*.a.example"], "wildcard"),
        (["*.a.example", "*.b.example"], "multi_domain_wildcard"),
        (["*.a.example", "a.example"], "hybrid"),
    ],
)
def test_names_make_the_kind_of_certificate(names, kind) -> None:
    assert judged(*names).form.kind == kind


def test_every_objection_to_every_name_is_told_at_once() -> None:
    names = ("a.example", "A.EXAMPLE", "*", "*.com", "x.internal", "8.8.8.8", "10.0.0.1")

    assert told(*names) == [
        ("too_many_names", "names"),
        ("duplicate_name", "A.EXAMPLE"),
        ("wildcard_misplaced", "*"),
        ("wildcard_of_public_suffix", "*.com"),
        ("name_reserved", "x.internal"),
        ("ip_reserved", "10.0.0.1"),
        ("validation_method_unfit", "8.8.8.8"),
    ]


def test_objections_to_names_and_to_the_request_are_told_together() -> None:
    assert told("10.0.0.1", csr_pem="no request at all") == [
        ("ip_reserved", "10.0.0.1"),
        ("csr_malformed", "csr"),
    ]


def test_request_for_names_that_were_not_applied_for_is_refused() -> None:
    assert told("b.example", csr_pem=REQUEST) == [("csr_foreign_name", "a.example")]


def test_form_without_names_says_so() -> None:
    assert told() == [("names_missing", "names")]


def test_key_that_was_pasted_by_mistake_is_not_repeated_to_anybody() -> None:
    mistake = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"

    [found] = judged("a.example", csr_pem=mistake).objections

    assert found.code == "csr_malformed"
    assert "c2VjcmV0" not in found.message
