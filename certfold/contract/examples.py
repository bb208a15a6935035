"""An example of each event: one story, so that the ids in it belong together."""

from collections.abc import Mapping
from typing import Any

from shared.contracts import waiver
from shared.contracts.base import Event

NOON = "2026-11-23T04:00:00Z"
APPLICATION = "01a1f0c0-0003-7000-8000-000000000003"
INSTANCE = "01a1f0c0-0002-7000-8000-000000000002"
NAMES = ("example.com", "*.example.com")
COUNTS = {"single": 1, "wildcard": 1, "ip": 0}

CHALLENGE = {
    "method": "dns",
    "record_name": "_certfold.example.com",
    "record_type": "TXT",
    "record_value": "u3s0jw5Zk0Qm0Vd1o2fJ8w",
    "expires_at": "2026-12-23T04:00:00Z",
}
PROGRESS = {
    "name": "example.com",
    "state": "pending",
    "challenge": CHALLENGE,
    "last_error": "there is no TXT record at _certfold.example.com",
    "checked_at": NOON,
}
ORGANISATION = {
    "legal_name": "Example Trading Co., Ltd.",
    "type": "business",
    "registration_number": "91310000000000000X",
    "country": "CN",
    "province": "Shanghai",
    "city": "Shanghai",
    "address": "1 Century Avenue",
    "postcode": "200120",
    "phone": "+862155550100",
    "email": "office@example.com",
    "department": "Operations",
}
WAITING = {
    "item": "example.com",
    "party": "dns",
    "reason": "there is no TXT record at _certfold.example.com",
    "since": NOON,
    "next_action": "add the TXT record that the challenge names",
}
OBJECTION = {
    "code": "term_not_one_year",
    "subject": INSTANCE,
    "message": "only instances with a term of one year can be combined",
}

FIELDS: Mapping[str, Any] = {
    "account_id": "acme-7f3a",
    "application_id": APPLICATION,
    "authorization_domain": "example.com",
    "auto_create": False,
    "brand": "digicert",
    "certificate_id": "01a1f0c0-0005-7000-8000-000000000005",
    "certificate_kind": "hybrid",
    "certificate_pem": "-----BEGIN CERTIFICATE-----\nMIIB…\n-----END CERTIFICATE-----\n",
    "certificate_type": "OV",
    "chain_pem": "-----BEGIN CERTIFICATE-----\nMIIB…\n-----END CERTIFICATE-----\n",
    "checked_at": NOON,
    "combination_id": "01a1f0c0-0001-7000-8000-000000000001",
    "combined_at": NOON,
    "confirmed_at": NOON,
    "confirmed_by": "officer",
    "contact": {
        "name": "Li Wei",
        "email": "li.wei@example.com",
        "phone": "+8613800138000",
        "role": "administrator",
    },
    "count": 1,
    "csr_pem": "-----BEGIN CERTIFICATE REQUEST-----\nMIIB…\n-----END CERTIFICATE REQUEST-----\n",
    "expected_by": "2026-12-02T04:00:00Z",
    "hosted": True,
    "instance_id": INSTANCE,
    "instance_name": "cas-merge-000000000002",
    "item": "organisation_identity",
    "key_algorithm": "P-256",
    "last_error": "there is no TXT record at _certfold.example.com",
    "member_instance_ids": [
        "01a1f0c0-0000-7000-8000-00000000000a",
        "01a1f0c0-0000-7000-8000-00000000000b",
    ],
    "method": "dns",
    "name": "example.com",
    "names": COUNTS,
    "names_total": 2,
    "not_after": "2027-06-10T03:59:59Z",
    "not_before": NOON,
    "objections": [OBJECTION],
    "organisation": ORGANISATION,
    "overdue": False,
    "paid_at": NOON,
    "price": {"amount": "298.00", "currency": "CNY"},
    "purchase_id": "order-20261123-0001",
    "quantity": 3,
    "reason": "key_compromise",
    "refund_waiver": {
        "acknowledged_by": "applicant",
        "acknowledged_at": NOON,
        "text_sha256": waiver.TEXT_SHA256,
    },
    "refunded_at": NOON,
    "remark": "for the new shop",
    "requested_by": "applicant",
    "revoked_at": NOON,
    "root_pem": "-----BEGIN CERTIFICATE-----\nMIIB…\n-----END CERTIFICATE-----\n",
    "seen_at": NOON,
    "serial_number": "5f3a9c1e7b2d4f6081a2b3c4d5e6f708",
    "sha256_fingerprint": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    "state": "pending",
    "status": "pending_validation",
    "submitted_at": NOON,
    "support_contact": "support@certfold.example",
    "tags": ["shop"],
    "task_id": "01a1f0c0-0004-7000-8000-000000000004",
    "term_years": 1,
    "validated_at": NOON,
    "validation_method": "dns",
    "waiting_on": [WAITING],
}
OWN: Mapping[str, Mapping[str, Any]] = {
    "ApplicationSubmitted": {"names": NAMES},
    "CertificateIssued": {"names": NAMES},
    "VerificationPending": {"names": [PROGRESS]},
}
"""What a field of the same name holds in these events only."""


def example(event: type[Event]) -> Any:
    """Return `event` as it may be read; a field without an example takes its default."""
    known = {**FIELDS, **OWN.get(event.__name__, {})}
    given = {name: known[name] for name in event.model_fields if name in known}
    return event.model_validate(given).model_dump(mode="json")
