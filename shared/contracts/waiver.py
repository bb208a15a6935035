"""What an account agrees to when it combines: the right to a refund ends, for good."""

from hashlib import sha256

TEXT = (
    "I understand that combined certificates are not eligible for refunds: none of the selected "
    "instances, nor the instance that results from combining them, can be refunded from now on, "
    "not even after a certificate was issued and revoked."
)
TEXT_SHA256 = sha256(TEXT.encode()).hexdigest()
