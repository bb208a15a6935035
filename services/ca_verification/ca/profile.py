"""What stands in a certificate, field by field (BR 7.1.2.7).

There is no common name: BR 7.1.4.3 discourages it, and whoever checks a host's name has read the
subjectAltName instead since RFC 6125.
"""

from collections.abc import Iterator
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    NameOID,
    ObjectIdentifier,
)

from services.ca_verification.ca.plan import Plan, PlanRefusedError, Subject
from shared import publickeys
from shared.contracts.purchases import CertificateType
from shared.dnsnames import is_address

POLICIES: dict[CertificateType, ObjectIdentifier] = {  # BR 7.1.6.1
    "DV": ObjectIdentifier("2.23.140.1.2.1"),
    "OV": ObjectIdentifier("2.23.140.1.2.2"),
    "EV": ObjectIdentifier("2.23.140.1.1"),
}

CertifiableKey = RSAPublicKey | EllipticCurvePublicKey


def draft(plan: Plan, issuer: x509.Certificate) -> x509.CertificateBuilder:
    """Lay out the certificate that `issuer` is to sign, its signature aside.

    Raises PlanRefusedError when the request's key may not be certified or was not proven.
    """
    key = _key(plan.csr_pem)
    # All at once: whoever adds them one by one copies the list each time.
    extensions = [
        x509.Extension(one.oid, critical, one) for one, critical in _extensions(plan, key, issuer)
    ]
    return (
        x509.CertificateBuilder(extensions=extensions)
        .subject_name(_name(plan.subject))
        .issuer_name(issuer.subject)
        .public_key(key)
        .serial_number(int(plan.serial_number, 16))
        .not_valid_before(plan.not_before)
        .not_valid_after(plan.not_after)
    )


def _key(csr_pem: str) -> CertifiableKey:
    """Take the key out of the request, which must prove that somebody has its other half."""
    try:
        request = x509.load_pem_x509_csr(csr_pem.encode())
        key, is_proven = request.public_key(), request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise PlanRefusedError((f"its request cannot be read: {error}",)) from error
    reasons = [f"its key is weak: {why}" for why in publickeys.weaknesses(key)]
    if not is_proven:
        reasons.append("its request is not signed by its own key (RFC 2986 §4.2)")
    if publickeys.algorithm(key) is None:
        reasons.append(f"its key is none of {publickeys.ALLOWED}")
    if reasons or not isinstance(key, CertifiableKey):
        raise PlanRefusedError(tuple(reasons))
    return key


def _name(subject: Subject | None) -> x509.Name:
    """Put the attributes into the order of BR 7.1.4.2."""
    if subject is None:
        return x509.Name([])
    attributes = (
        (NameOID.COUNTRY_NAME, subject.country),
        (NameOID.STATE_OR_PROVINCE_NAME, subject.province),
        (NameOID.LOCALITY_NAME, subject.city),
        (NameOID.ORGANIZATION_NAME, subject.organisation),
        (NameOID.BUSINESS_CATEGORY, subject.business_category),
        (NameOID.JURISDICTION_COUNTRY_NAME, subject.jurisdiction_country),
        (NameOID.SERIAL_NUMBER, subject.registration_number),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes if value])


def _extensions(
    plan: Plan, key: CertifiableKey, issuer: x509.Certificate
) -> Iterator[tuple[x509.ExtensionType, bool]]:
    issuers = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    names = x509.SubjectAlternativeName([_general(name) for name in plan.names])
    yield x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuers), False
    yield x509.SubjectKeyIdentifier.from_public_key(key), False
    yield names, plan.subject is None  # RFC 5280 §4.2.1.6
    yield x509.BasicConstraints(ca=False, path_length=None), True
    yield _usage(key), True
    yield x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False
    policy = x509.PolicyInformation(POLICIES[plan.certificate_type], None)
    yield x509.CertificatePolicies([policy]), False
    yield x509.AuthorityInformationAccess(list(_access(plan))), False
    point = x509.UniformResourceIdentifier(f"{plan.profile.pki_url}/issuing.crl")
    yield x509.CRLDistributionPoints([x509.DistributionPoint([point], None, None, None)]), False


def _general(name: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(name)) if is_address(name) else x509.DNSName(name)


def _usage(key: CertifiableKey) -> x509.KeyUsage:
    """Sign, and where TLS 1.2 needs it, be encrypted to (BR 7.1.2.7.11)."""
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=isinstance(key, RSAPublicKey),
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _access(plan: Plan) -> Iterator[x509.AccessDescription]:
    if ocsp := plan.profile.ocsp_url:
        yield x509.AccessDescription(
            AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp)
        )
    yield x509.AccessDescription(
        AuthorityInformationAccessOID.CA_ISSUERS,
        x509.UniformResourceIdentifier(f"{plan.profile.pki_url}/issuing.cer"),
    )
