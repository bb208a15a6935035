"""What the CA's verification decides. Pure: values in; facts, and errands to be done, out.

`names` control of names · `proving` what proves it, and for how long · `tasks` what officers find ·
`issuing` intent, signature, revocation · `waiting` what an application waits on, and on whom ·
`practice` what an operator chose
"""

from services.ca_verification.domain.issuing import (
    intend_again,
    issue,
    keep_back,
    proceed,
    remind,
    revoke,
    serial_number,
    try_again,
    withdraw,
)
from services.ca_verification.domain.names import begin, check_now, drop, note_check, pause
from services.ca_verification.domain.practice import PRACTICE, Practice
from services.ca_verification.domain.tasks import decide
from services.ca_verification.domain.telling import ApplicationUnknownError

__all__ = [
    "PRACTICE",
    "ApplicationUnknownError",
    "Practice",
    "begin",
    "check_now",
    "decide",
    "drop",
    "intend_again",
    "issue",
    "keep_back",
    "note_check",
    "pause",
    "proceed",
    "remind",
    "revoke",
    "serial_number",
    "try_again",
    "withdraw",
]
