import base64
import logging
import pickle
import traceback

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_private_key
from hypothesis import given
from hypothesis import strategies as st

from services.application.keys import (
    KeyUnreadableError,
    Made,
    decrypt,
    encrypt,
    load_key_encryption_key,
    make,
)
from shared import publickeys
from shared.contracts.application import KeyAlgorithm

KEY = bytes(range(32))
DER = st.binary(max_size=4096)
ABOUT = st.binary(max_size=64)
NAMES = ["acme.com", "*.acme.com", "8.8.8.8", "2a00:1450:4001::1"]


@pytest.mark.parametrize("algorithm", ["RSA-2048", "RSA-3072", "P-256", "P-384"])
def test_a_request_is_made_for_the_names_over_a_key_of_that_kind(algorithm: KeyAlgorithm) -> None:
    made = make(algorithm, NAMES)

    request = x509.load_pem_x509_csr(made.csr_pem.encode())
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == NAMES
    assert request.is_signature_valid
    assert publickeys.algorithm(request.public_key()) == algorithm
    private = load_der_private_key(made.private_key_der, None)
    assert private.public_key() == request.public_key()


@given(DER, ABOUT)
def test_what_was_encrypted_is_decrypted(der: bytes, about: bytes) -> None:
    kept = encrypt(der, KEY, about)

    assert decrypt(kept, KEY, about) == der
    assert kept != encrypt(der, KEY, about)


@given(DER, ABOUT, st.data())
def test_whatever_is_changed_is_noticed(der: bytes, about: bytes, data: st.DataObject) -> None:
    kept = bytearray(encrypt(der, KEY, about))
    kept[data.draw(st.integers(0, len(kept) - 1))] ^= data.draw(st.integers(1, 255))

    with pytest.raises(KeyUnreadableError):
        decrypt(bytes(kept), KEY, about)


@given(st.binary(max_size=27))
def test_what_is_too_short_was_never_encrypted(kept: bytes) -> None:
    with pytest.raises(KeyUnreadableError):
        decrypt(kept, KEY, b"")


def test_a_key_is_read_only_for_what_it_is_about_and_under_the_operators_key() -> None:
    kept = encrypt(b"der", KEY, b"mine")

    with pytest.raises(KeyUnreadableError):
        decrypt(kept, KEY, b"yours")
    with pytest.raises(KeyUnreadableError):
        decrypt(kept, bytes(32), b"mine")


@given(st.binary(min_size=32, max_size=32))
def test_the_operators_key_is_read_padded_or_not(key: bytes) -> None:
    text = base64.urlsafe_b64encode(key).decode()

    assert load_key_encryption_key(text) == key
    assert load_key_encryption_key(f" {text.rstrip('=')}\n") == key
    assert load_key_encryption_key(base64.b64encode(key).decode()) == key


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has 0 octets, not 32"),
        (base64.urlsafe_b64encode(bytes(16)).decode(), "has 16 octets, not 32"),
        ("secret" * 8 + "!", "is not base64url"),
        ("geheim" * 7 + "ß", "is not base64url"),
    ],
)
def test_the_operators_key_is_refused_without_repeating_it(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        load_key_encryption_key(text)

    told = "".join(traceback.format_exception_only(refused.value))
    assert not text or text not in told
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def appearances(private: bytes) -> list[str]:
    return [private.hex(), base64.b64encode(private).decode()[:40], repr(private)[2:40]]


def test_a_private_key_appears_in_no_text(caplog: pytest.LogCaptureFixture) -> None:
    made = make("P-256", ["acme.com"])
    kept = encrypt(made.private_key_der, KEY, b"mine")

    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").info("%s %r %s", made, made, {"made": [made]})
        try:
            raise RuntimeError(made)
        except RuntimeError:
            logging.getLogger("test").exception("failed with %s", made)
        try:
            decrypt(kept, bytes(32), b"mine")
        except KeyUnreadableError:
            logging.getLogger("test").exception("failed")

    texts = [caplog.text, repr(made), str(made), f"{made}", repr(kept), kept.hex()]
    for appearance in appearances(made.private_key_der):
        assert not any(appearance in text for text in texts)
    assert repr(made) == f"Made(csr_pem={made.csr_pem!r})"


def test_a_made_key_crosses_to_another_process() -> None:
    made = make("P-256", ["acme.com"])

    assert pickle.loads(pickle.dumps(made)) == Made(made.csr_pem, made.private_key_der)  # noqa: S301
