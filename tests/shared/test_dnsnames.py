from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import dnsnames
from shared.contracts.base import Objection
from shared.dnsnames import SANDBOX, Name, judge, normalise


def codes(text: str, reserved_ok: frozenset[str] = frozenset()) -> set[str]:
    outcome = normalise(text, reserved_ok=reserved_ok)
    return set() if isinstance(outcome, Name) else {one.code for one in outcome}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("WWW.Acme.COM.", Name("www.acme.com", "single")),
        (" acme.co.uk ", Name("acme.co.uk", "single")),
        ("*.acme.com", Name("*.acme.com", "wildcard")),
        ("Bücher.de", Name("xn--bcher-kva.de", "single")),
        ("faß.de", Name("xn--fa-hia.de", "single")),  # non-transitional: not fass.de
        ("*。公司。cn", ("wildcard_of_public_suffix",)),
        ("*.阿里.公司.cn", Name("*.xn--0m4ap1g.xn--55qx5d.cn", "wildcard")),
        ("8.8.8.8", Name("8.8.8.8", "ip")),
        ("2A00:1450:4001:0::1", Name("2a00:1450:4001::1", "ip")),
        ("acme.github.io", Name("acme.github.io", "single")),  # a suffix of the private section
        ("*.github.io", Name("*.github.io", "wildcard")),
    ],
)
def test_a_name_is_written_as_certificates_do(text: str, name: Name | tuple[str, ...]) -> None:
    outcome = normalise(text)

    assert (outcome if isinstance(outcome, Name) else tuple(one.code for one in outcome)) == name


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "name_invalid"),
        (".", "name_invalid"),
        ("acme..com", "name_invalid"),
        ("acme.com..", "name_invalid"),
        ("-acme.com", "name_invalid"),
        ("_dmarc.acme.com", "name_invalid"),
        ("ac me.com", "name_invalid"),
        ("https://acme.com", "name_invalid"),
        ("acme.com:443", "name_invalid"),
        ("ab--cd.com", "name_invalid"),
        ("xn--a.com", "name_invalid"),
        ("xn--www-.com", "name_invalid"),
        ("1.2.3", "name_invalid"),
        ("256.1.1.1", "name_invalid"),
        ("[2a00:1450:4001::1]", "name_invalid"),
        ("2a00:1450:4001::1%eth0", "name_invalid"),
        ("com", "name_invalid"),
        ("co.uk", "name_invalid"),
        ("*", "wildcard_misplaced"),
        ("www.*.acme.com", "wildcard_misplaced"),
        ("w*.acme.com", "wildcard_misplaced"),
        ("*.*.acme.com", "wildcard_misplaced"),
        ("*.com", "wildcard_of_public_suffix"),
        ("*.co.uk", "wildcard_of_public_suffix"),
        ("a" * 64 + ".com", "label_too_long"),
        ("ü" * 64 + ".com", "label_too_long"),
        (".".join(["a" * 50] * 5) + ".com", "name_too_long"),
        ("*." + ".".join(["a" * 49] * 4) + "." + "b" * 48 + ".com", "name_too_long"),
        ("a" * 5000, "name_too_long"),
        ("intranet", "name_internal"),
        ("mail.corp", "name_internal"),
        ("printer.local", "name_reserved"),
        ("db.internal", "name_reserved"),
        ("localhost", "name_reserved"),
        ("www.shop.example", "name_reserved"),
        ("www.example.com", "name_reserved"),
        ("abc.onion", "name_reserved"),
        ("router.home.arpa", "name_reserved"),
        ("1.0.0.127.in-addr.arpa", "name_reserved"),
        ("10.0.0.1", "ip_reserved"),
        ("127.0.0.1", "ip_reserved"),
        ("224.0.0.1", "ip_reserved"),
        ("169.254.169.254", "ip_reserved"),
        ("fe80::1", "ip_reserved"),
        ("2001:db8::1", "ip_reserved"),
        ("::ffff:8.8.8.8", "ip_reserved"),
    ],
)
def test_what_may_not_be_certified_is_refused_with_its_code(text: str, code: str) -> None:
    assert codes(text) == {code}


def test_a_sandbox_may_certify_the_names_that_are_reserved_for_trying() -> None:
    names = ["www.shop.example", "*.shop.example", "shop.example", "example.com", "*.example.com"]

    assert [codes(name, SANDBOX) for name in names] == [set()] * 5
    assert codes("*.example", SANDBOX) == {"wildcard_of_public_suffix"}
    assert codes("example", SANDBOX) == {"name_invalid"}
    assert codes("db.internal", SANDBOX) == {"name_reserved"}


def test_every_fault_of_a_name_is_told_at_once() -> None:
    assert codes(f"_a.{'b' * 64}.1") == {"name_invalid", "label_too_long"}


def test_every_objection_to_every_name_is_told_at_once() -> None:
    given_names = ["acme.com", "ACME.com.", "*.com", "10.1.1.1", "*.acme.com"]

    assert judge(given_names, most=4) == (
        (Name("acme.com", "single"), Name("*.acme.com", "wildcard")),
        (
            Objection(
                code="too_many_names", subject="names", message="5 names, where 4 are the most"
            ),
            Objection(
                code="duplicate_name", subject="ACME.com.", message="is the same name as acme.com"
            ),
            Objection(
                code="wildcard_of_public_suffix",
                subject="*.com",
                message="would cover everyone under com (BR 3.2.2.6)",
            ),
            Objection(
                code="ip_reserved",
                subject="10.1.1.1",
                message="is reserved or private, and belongs to nobody (BR 4.2.2)",
            ),
        ),
    )


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["a.com"], "single"),
        (["8.8.8.8"], "single"),
        (["a.com", "b.com"], "multi_domain"),
        (["a.com", "8.8.8.8"], "multi_domain"),
        (["*.a.com"], "wildcard"),
        (["*.a.com", "*.b.com"], "multi_domain_wildcard"),
        (["*.a.com", "b.com"], "hybrid"),
        (["*.a.com", "*.b.com", "b.com"], "hybrid"),
        (["*.a.com", "8.8.8.8"], "hybrid"),
    ],
)
def test_a_certificate_is_called_by_the_kinds_of_its_names(texts: list[str], kind: str) -> None:
    names, objections = judge(texts, most=250)

    assert (dnsnames.certificate_kind(names), objections) == (kind, ())


def test_a_certificate_without_names_is_of_no_kind() -> None:
    with pytest.raises(ValueError, match="without names"):
        dnsnames.certificate_kind(())


def test_the_kinds_are_counted_apart() -> None:
    names, _ = judge(["a.com", "*.a.com", "b.com", "8.8.8.8"], most=250)

    assert dnsnames.count(names) == (2, 1, 1)


def test_control_of_a_wildcard_is_proven_on_its_parent() -> None:
    assert dnsnames.authorization_domain("*.acme.com") == "acme.com"
    assert dnsnames.authorization_domain("acme.com") == "acme.com"


def test_a_canonical_text_is_no_permission() -> None:
    assert dnsnames.canonical("*.Printer.LOCAL.") == "*.printer.local"
    assert dnsnames.canonical("not a name") == "not a name"


@pytest.mark.parametrize("text", ["2002:7f00:1::", "64:ff9b::7f00:1", "2001:0::1", "fec0::1"])
def test_addresses_that_carry_another_are_not_public(text: str) -> None:
    assert not dnsnames.is_public(ip_address(text))


def test_only_the_icann_section_is_a_public_suffix() -> None:
    assert dnsnames.is_public_suffix("co.uk")
    assert not dnsnames.is_public_suffix("github.io")


LABELS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


@given(st.one_of(st.text(max_size=80), st.lists(LABELS, max_size=4).map(".".join)))
def test_whatever_is_asked_is_answered_and_an_answer_stands(text: str) -> None:
    outcome = normalise(text + ".com")

    if isinstance(outcome, Name):
        assert normalise(outcome.text) == outcome
        assert outcome.text.isascii()
        assert outcome.text == outcome.text.lower()
    else:
        assert outcome
        assert {one.subject for one in outcome} == {text + ".com"}
