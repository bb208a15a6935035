"""What the inventory decides. Pure: values in; facts, and errands to be done, out.

`quota` purchases and what is made of them · `combining` whether instances may be one ·
`holding` who has an instance, and what becomes of it there · `keeping` refunds, hosting, remarks ·
`policy` the rules, with dates · `planning` which instances to combine for given names
"""

from services.inventory.domain.holding import (
    NotHeldError,
    ask_after,
    claim,
    combine,
    fail,
    issue,
    let_go,
    release,
    reserve,
    review,
    revoke,
)
from services.inventory.domain.keeping import (
    RefundContradictedError,
    annotate,
    note_refund,
    refund,
    set_hosting,
)
from services.inventory.domain.messages import CreateInstances
from services.inventory.domain.quota import (
    PurchaseContradictedError,
    create,
    receive,
    refund_quota,
    set_auto_create,
)

__all__ = [
    "CreateInstances",
    "NotHeldError",
    "PurchaseContradictedError",
    "RefundContradictedError",
    "annotate",
    "ask_after",
    "claim",
    "combine",
    "create",
    "fail",
    "issue",
    "let_go",
    "note_refund",
    "receive",
    "refund",
    "refund_quota",
    "release",
    "reserve",
    "review",
    "revoke",
    "set_auto_create",
    "set_hosting",
]
