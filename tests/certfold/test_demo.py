"""What the demo sees of a server, by a clock that may be ahead of the host's."""

import datetime as dt
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from certfold.demo.facts import handshake
from certfold.sandbox.web import ADDRESS
from tests.certfold.test_web import HOST, running

BEGINS = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=3)
ENDS = BEGINS + dt.timedelta(days=1)
SECOND = dt.timedelta(seconds=1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Install a certificate that is its own root, and does not count before three days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(BEGINS)
        .not_valid_after(ENDS)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path / "tls" / HOST
    folder.mkdir(parents=True)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    chain = folder / "fullchain.pem"
    chain.write_bytes(certificate.public_bytes(pem))
    written = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    (folder / "privkey.pem").write_bytes(written)
    return chain


@pytest.mark.parametrize("now", [BEGINS, ENDS])
async def test_certificate_counts_by_the_clock_of_the_sandbox(
    tmp_path: Path, root: Path, now: dt.datetime
) -> None:
    served = x509.load_pem_x509_certificate(root.read_bytes())

    async with running(tmp_path) as web:
        seen = await handshake(f"{ADDRESS}:{web.tls}", HOST, root, now)

    assert seen == served.fingerprint(hashes.SHA256()).hex()


@pytest.mark.parametrize("now", [BEGINS - SECOND, ENDS + SECOND])
async def test_certificate_does_not_count_before_or_after(
    tmp_path: Path, root: Path, now: dt.datetime
) -> None:
    async with running(tmp_path) as web:
        with pytest.raises(ssl.SSLError, match="not valid at"):
            await handshake(f"{ADDRESS}:{web.tls}", HOST, root, now)
