"""What a certificate says, in the words that administrators know from `openssl x509 -text`."""

import asyncio
import ssl
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

NO_CHECK_TIME = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME


def facts(certificate_pem: bytes) -> Iterator[tuple[str, str]]:
    """Yield what matters of a certificate, line by line."""
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    extensions = certificate.extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    policies = extensions.get_extension_for_class(x509.CertificatePolicies).value
    key = certificate.public_key()
    size = getattr(key, "key_size", "")
    kind = "EC" if isinstance(key, ec.EllipticCurvePublicKey) else "RSA"
    yield "Issuer", certificate.issuer.rfc4514_string()
    yield "Subject", certificate.subject.rfc4514_string()
    yield "Serial Number", f"{certificate.serial_number:x}"
    yield "Not Before", f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M:%S} UTC"
    yield "Not After", f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC"
    yield "Public Key", f"{kind} {size} bit"
    yield "DNS names", ", ".join(names.get_values_for_type(x509.DNSName))
    yield "Policy", ", ".join(one.policy_identifier.dotted_string for one in policies)
    yield "SHA-256", certificate.fingerprint(hashes.SHA256()).hex()


async def handshake(address: str, host: str, root: Path, now: datetime) -> str:
    """Connect as a browser would that trusts this root; return the fingerprint of what is served.

    It is `now` by the clock of the sandbox, which may be ahead of the host's, and of OpenSSL's.
    Raises ssl.SSLError when the chain, the name or the time is not right.
    """
    context = ssl.create_default_context(cafile=str(root))
    context.verify_flags |= NO_CHECK_TIME
    ip, _, port = address.partition(":")
    _, writer = await asyncio.open_connection(ip, int(port), ssl=context, server_hostname=host)
    try:
        served = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.close()
    certificate = x509.load_der_x509_certificate(served)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise ssl.SSLError(f"{host} serves a certificate that is not valid at {now}")
    return certificate.fingerprint(hashes.SHA256()).hex()
