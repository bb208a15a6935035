"""Bundles for servers."""

import io
import zipfile
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)


class KeyNotHeldError(Exception):
    """We never had the key."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What to download."""

    content: bytes
    media_type: str
    filename: str


def bundle(
    format_: str,
    *,
    certificate_pem: str,
    chain_pem: str,
    root_pem: str,
    private_key_der: bytes | None,
    name: str,
) -> Bundle:
    """Make a bundle."""
    if format_ == "pem":
        return Bundle((certificate_pem + chain_pem).encode(), "application/x-pem-file", "f.pem")
    if format_ == "root":
        return Bundle(root_pem.encode(), "application/x-pem-file", "root.pem")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("fullchain.pem", certificate_pem + chain_pem)
        if private_key_der:
            key = load_der_private_key(private_key_der, None)
            z.writestr(
                "x.key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            )
    return Bundle(out.getvalue(), "application/zip", "x.zip")
