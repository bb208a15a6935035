"""Which public keys may be certified (BR 6.1.1.3, 6.1.5, 6.1.6).

Both sides of a request judge by this: the applicant's, to say so early, and the CA's, by duty. Of
the weak keys that BR 6.1.1.3 names, this finds those of ROCA and those whose factors are close.
It does **not** find Debian's predictable keys (CVE-2008-0166): their block list is of some 30 MB
and is not shipped; a CA that is publicly trusted has to add it.
"""

from collections.abc import Iterator
from functools import cache
from math import gcd, isqrt, prod

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from shared.contracts.application import KeyAlgorithm

ALLOWED = "RSA-2048, RSA-3072, RSA-4096, P-256 and P-384"
FERMAT_ROUNDS = 100  # BR 6.1.1.3
LEAST_EXPONENT = 65_537
MOST_EXPONENT = 1 << 256
GENERATOR = 65_537  # of Infineon's primes

_RSA: dict[int, KeyAlgorithm] = {2048: "RSA-2048", 3072: "RSA-3072", 4096: "RSA-4096"}
_CURVES: dict[str, KeyAlgorithm] = {"secp256r1": "P-256", "secp384r1": "P-384"}


def algorithm(key: PublicKeyTypes) -> KeyAlgorithm | None:
    """Name the key's algorithm and size, or None if they are not allowed."""
    match key:
        case RSAPublicKey():
            return _RSA.get(key.key_size)
        case EllipticCurvePublicKey():
            return _CURVES.get(key.curve.name)
        case _:
            return None


def weaknesses(key: PublicKeyTypes) -> Iterator[str]:
    """Yield why somebody could find the private key, or use it wrongly; for people to read."""
    if not isinstance(key, RSAPublicKey):
        return
    numbers = key.public_numbers()
    if not LEAST_EXPONENT <= numbers.e < MOST_EXPONENT or not numbers.e % 2:
        yield "its exponent is not an odd number from 65537 to 2^256 (BR 6.1.6)"
    if gcd(numbers.n, _small_primes_product()) != 1:
        yield "its modulus has a small factor (BR 6.1.6)"
    if has_close_factors(numbers.n):
        yield "its factors are so close that Fermat's method finds them (CVE-2022-26320)"
    if is_infineons(numbers.n):
        yield "it has the mark of Infineon's library, whose keys can be factored (CVE-2017-15361)"


def has_close_factors(modulus: int, rounds: int = FERMAT_ROUNDS) -> bool:
    """Try Fermat's factorisation: write n as a² - b² with one of the first a from √n on."""
    least = isqrt(modulus - 1) + 1
    squares = (a * a - modulus for a in range(least, least + rounds))
    return any(isqrt(square) ** 2 == square for square in squares)


def is_infineons(modulus: int) -> bool:
    """Look for the mark of ROCA (Nemec et al., 2017, §5.3).

    Infineon's primes are k·M + 65537^a mod M, so modulo each small factor of M such a modulus is a
    power of 65537. One modulus in some 2^27 of others is, too.
    """
    return all(modulus % prime in powers for prime, powers in _marks())


@cache
def _marks() -> tuple[tuple[int, frozenset[int]], ...]:
    return tuple(
        (prime, frozenset(pow(GENERATOR, exponent, prime) for exponent in range(prime)))
        for prime in _primes_to(167)
    )


@cache
def _small_primes_product() -> int:
    return prod(_primes_to(751))


def _primes_to(last: int) -> list[int]:
    primes: list[int] = []
    for candidate in range(2, last + 1):
        if all(candidate % prime for prime in primes):
            primes.append(candidate)
    return primes
