"""RSA moduli whose factors can be found from the modulus alone (CVE-2017-15361, "ROCA").

Chips of one maker took their primes from so few that each is a power of 65537 modulo every small prime, and so is
their product; a modulus that was made well is that only by a chance of one in 2**27 (Nemec et al., CCS 2017, 3.1).
"""

from __future__ import annotations

_PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
"""Those of the paper's detector, modulo which the powers of 65537 are few."""


def _powers(prime: int) -> frozenset[int]:
    return frozenset(pow(65537, exponent, prime) for exponent in range(prime - 1))


_POWERS = {prime: _powers(prime) for prime in _PRIMES}


def is_weak(modulus: int) -> bool:
    """Whether it has the mark of those chips."""
    return all(modulus % prime in powers for prime, powers in _POWERS.items())
