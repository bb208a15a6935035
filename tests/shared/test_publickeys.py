import random
from collections.abc import Callable
from math import prod

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.publickeys import _marks as marks
from shared.publickeys import algorithm, has_close_factors, is_infineons, weaknesses

M = prod(p for p in range(2, 702) if all(p % q for q in range(2, p)))  # of 2048-bit keys


def is_prime(candidate: int) -> bool:
    return all(candidate % p for p in range(3, 2000, 2)) and pow(2, candidate - 1, candidate) == 1


def find_prime(candidates: Callable[[], int]) -> int:
    while not is_prime(candidate := candidates()):
        pass
    return candidate


def key(p: int, q: int) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(65537, p * q).public_key()


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (rsa.generate_private_key(65537, 2048), "RSA-2048"),
        (rsa.generate_private_key(65537, 1024 + 512), None),
        (ec.generate_private_key(ec.SECP256R1()), "P-256"),
        (ec.generate_private_key(ec.SECP384R1()), "P-384"),
        (ec.generate_private_key(ec.SECP521R1()), None),
        (ed25519.Ed25519PrivateKey.generate(), None),
    ],
)
def test_a_key_is_called_by_its_kind_and_size(made: rsa.RSAPrivateKey, name: str | None) -> None:
    assert algorithm(made.public_key()) == name
    assert list(weaknesses(made.public_key())) == []


def test_a_key_of_infineons_library_is_found() -> None:
    chance = random.Random(2017)

    def candidates() -> int:
        k = chance.randrange(2**1023 // M + 1, 2**1024 // M)
        return k * M + pow(65537, chance.randrange(2**128), M)

    weak = key(find_prime(candidates), find_prime(candidates))

    assert list(weaknesses(weak)) == [
        "it has the mark of Infineon's library, whose keys can be factored (CVE-2017-15361)"
    ]


def test_the_marks_are_those_that_were_published() -> None:
    published = {3: 6, 5: 30, 7: 126, 11: 1026, 13: 5658, 17: 107286, 19: 199410, 23: 8388606}

    assert {
        prime: sum(1 << power for power in powers)
        for prime, powers in marks()
        if prime in published
    } == published


def test_close_factors_are_found() -> None:
    chance = random.Random(2022)
    p = find_prime(lambda: chance.getrandbits(1024) | 3 << 1022 | 1)
    step = iter(range(p + 2, 2 * p, 2))

    weak = key(p, find_prime(lambda: next(step)))

    assert list(weaknesses(weak)) == [
        "its factors are so close that Fermat's method finds them (CVE-2022-26320)"
    ]


def test_a_small_exponent_and_a_small_factor_are_told_together() -> None:
    modulus = 3 * (rsa.generate_private_key(65537, 2048).public_key().public_numbers().n >> 1 | 1)
    weak = rsa.RSAPublicNumbers(3, modulus).public_key()

    assert [why.partition(" (")[0] for why in weaknesses(weak)] == [
        "its exponent is not an odd number from 65537 to 2^256",
        "its modulus has a small factor",
    ]


@given(st.integers(2**64, 2**65), st.integers(0, 2**16).map(lambda it: 2 * it))
@settings(max_examples=50)
def test_factors_nearer_than_the_fourth_root_are_always_found(p: int, gap: int) -> None:
    assert has_close_factors(p * (p + gap))


@given(st.integers(0, 2**128), st.integers(0, 2**128), st.integers(1, 2**32))
def test_whatever_is_made_infineons_way_is_marked(a: int, b: int, k: int) -> None:
    assert is_infineons((k * M + pow(65537, a, M)) * pow(65537, b, M))
