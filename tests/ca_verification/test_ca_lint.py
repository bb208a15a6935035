import asyncio
import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from datetime import timedelta

import psutil
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from pkilint import loader
from pkilint.cabf import serverauth
from pkilint.cabf.serverauth.serverauth_constants import CertificateType
from pkilint.pkix import certificate as pkix

from services.ca_verification.ca.finding import Finding
from services.ca_verification.ca.lint import Linted, Linter, Unfit, findings, lint
from services.ca_verification.ca.rules import SUPPRESSIONS
from tests.ca_verification.certificates import (
    ACME,
    ACME_EV,
    NOON,
    PROFILE,
    authority,
    csr_pem,
    plan,
)

TRIAL = replace(PROFILE, reserved_ok=("example",))


def forbidden(*names: str, **changes: object) -> set[str]:
    outcome = lint(authority().prepare(plan(*names, **changes)))
    return {one.code for one in outcome.findings if one.forbids}


@pytest.mark.parametrize(
    "changes",
    [
        {"certificate_type": "DV", "subject": None},
        {"certificate_type": "OV", "subject": ACME},
        {"certificate_type": "OV", "subject": replace(ACME, province=None)},
        {"certificate_type": "EV", "subject": ACME_EV},
        {"csr_pem": csr_pem("RSA-2048")},
        {"profile": replace(PROFILE, pki_url="http://127.0.0.1:8000/pki")},
        {"profile": replace(PROFILE, ocsp_url="http://ocsp.acme.com")},
        {"names": ("acme.com", "*.acme.com", "8.8.8.8", "2a00:1450:4001::1", "xn--bcher-kva.de")},
        {"names": ("shop.example", "*.shop.example"), "profile": TRIAL},
    ],
)
def test_nothing_is_found_in_what_the_rules_allow(changes: dict[str, object]) -> None:
    assert findings(authority().prepare(plan(**changes))) == ()


def test_nothing_forbidden_is_found_in_the_ca_itself() -> None:
    for certificate, kind in (
        (authority().root, CertificateType.ROOT_CA),
        (authority().issuing, CertificateType.INTERNAL_UNCONSTRAINED_TLS_CA),
    ):
        validator = pkix.create_pkix_certificate_validator_container(
            serverauth.create_decoding_validators(), serverauth.create_validators(kind)
        )
        document = loader.load_certificate(certificate.public_bytes(Encoding.DER), "ca")
        found = {
            description.finding.code
            for result in validator.validate(document.root)
            for description in result.finding_descriptions
            if description.finding.severity <= 1
        }
        assert found == set()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"names": ("*.co.uk",)}, "certfold.public_suffix"),
        ({"names": ("shop.example",)}, "cabf.internal_domain_name"),
        ({"names": ("db.internal",), "profile": TRIAL}, "cabf.internal_domain_name"),
        ({"names": ("10.0.0.1",)}, "cabf.internal_ip_address"),
        ({"not_after": NOON + timedelta(days=200)}, "certfold.validity"),
        ({"subject": replace(ACME, country="ZZ")}, "cabf.invalid_country_code"),
    ],
)
def test_what_breaks_a_rule_is_unfit_to_be_signed(changes: dict[str, object], code: str) -> None:
    assert code in forbidden(**changes)


def test_what_is_found_says_where_and_why() -> None:
    outcome = lint(authority().prepare(plan("acme.com", "*.co.uk")))

    assert outcome == Unfit(
        outcome.prepared,
        (
            Finding(
                severity="error",
                code="certfold.public_suffix",
                where="certificate.tbsCertificate.subjectAltName",
                message="*.co.uk is everyone's (BR 3.2.2.6)",
            ),
        ),
    )


def test_only_a_lint_makes_the_permission_to_sign() -> None:
    prepared = authority().prepare(plan())

    with pytest.raises(TypeError, match="only a lint"):
        Linted(prepared, (), seal=object())
    with pytest.raises(TypeError, match="does not leave"):
        pickle.dumps(lint(prepared))


def test_each_suppression_has_its_reason() -> None:
    assert all(len(known.reason) > 20 for known in SUPPRESSIONS)


def workers() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [one for one in children if "spawn_main" in " ".join(one.cmdline())]


async def test_an_idle_linter_carries_no_workers() -> None:
    linter = Linter(max_workers=1, idle_seconds=0.2)
    before = workers()

    outcomes = await asyncio.gather(
        linter.lint(authority().prepare(plan())), linter.lint(authority().prepare(plan("*.co.uk")))
    )

    assert [type(outcome) for outcome in outcomes] == [Linted, Unfit]
    started = [one for one in workers() if one not in before]
    assert len(started) == 1
    async with asyncio.timeout(5):
        while any(one.is_running() for one in started):
            await asyncio.sleep(0.05)
    assert isinstance(await linter.lint(authority().prepare(plan())), Linted)
    linter.close()


async def test_a_worker_that_is_killed_is_replaced_and_signals_to_the_group_spare_it() -> None:
    linter = Linter(max_workers=1)
    before = workers()
    prepared = authority().prepare(plan())
    await linter.lint(prepared)
    [worker] = [one for one in workers() if one not in before]

    for spared in (signal.SIGINT, signal.SIGTERM):
        worker.send_signal(spared)
        assert isinstance(await linter.lint(prepared), Linted)
    worker.kill()
    psutil.wait_procs([worker], timeout=5)
    with pytest.raises(BrokenProcessPool):
        await linter.lint(prepared)

    assert isinstance(await linter.lint(prepared), Linted)
    linter.close()


def test_workers_end_with_a_parent_that_is_killed() -> None:
    program = """if True:
        import asyncio, time
        from services.ca_verification.ca.lint import Linter
        from tests.ca_verification.certificates import authority, plan
        linter = Linter(max_workers=1)
        asyncio.run(linter.lint(authority().prepare(plan())))
        print("linted", flush=True)
        time.sleep(60)
    """
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == b"linted\n"
        children = psutil.Process(parent.pid).children()
        os.kill(parent.pid, signal.SIGKILL)

    assert children
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []
