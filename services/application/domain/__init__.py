"""What the application service decides. Pure: values in; facts, and errands to be done, out.

`applications` from a form to its end · `certificates` downloads, hosts, revocation
"""

from services.application.domain.applications import (
    ask_back,
    ask_to_drop,
    begin,
    drop,
    fail,
    follow,
    keep,
    keep_name,
    note_check,
    note_pending,
    refuse,
    request,
    take_back,
    take_key,
)
from services.application.domain.certificates import (
    FRESH,
    ask_to_revoke,
    issue,
    look_now,
    note_host,
    note_not_revoked,
    note_revoked,
)
from services.application.domain.knowing import ApplicationUnknownError, CertificateUnknownError

__all__ = [
    "FRESH",
    "ApplicationUnknownError",
    "CertificateUnknownError",
    "ask_back",
    "ask_to_drop",
    "ask_to_revoke",
    "begin",
    "drop",
    "fail",
    "follow",
    "issue",
    "keep",
    "keep_name",
    "look_now",
    "note_check",
    "note_host",
    "note_not_revoked",
    "note_pending",
    "note_revoked",
    "refuse",
    "request",
    "take_back",
    "take_key",
]
