"""What is spoken of must be known."""

from uuid import UUID

from services.application.domain.things import Application, Certificate
from shared.decision import PersonNeededError


class ApplicationUnknownError(PersonNeededError):
    """Somebody answers a question that was never asked."""


class CertificateUnknownError(PersonNeededError):
    """Something is said about a certificate that we never heard of."""


def known(application: Application | None, application_id: UUID) -> Application:
    """Return the application that is spoken of."""
    if application is None:
        raise ApplicationUnknownError(f"nobody has applied as {application_id}")
    return application


def held(certificate: Certificate | None, certificate_id: UUID) -> Certificate:
    """Return the certificate that is spoken of."""
    if certificate is None:
        raise CertificateUnknownError(f"there is no certificate {certificate_id}")
    return certificate
