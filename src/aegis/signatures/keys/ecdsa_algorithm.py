"""ECDSA for verifying, as `cryptography` describes it, but without loading its table of ciphers.

`ECDSA.__init__` asks the backend whether it can sign in a deterministic way, which costs a sixth of a whole
verification in a new process; who only verifies does not need the answer.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, utils


class Ecdsa(ec.ECDSA):
    """ECDSA over a digest that was computed before."""

    def __init__(self, prehashed: utils.Prehashed) -> None:
        self._prehashed = prehashed

    @property
    def algorithm(self) -> utils.Prehashed:
        """The hash that the digest is of."""
        return self._prehashed

    @property
    def deterministic_signing(self) -> bool:
        """Of no meaning for verifying."""
        return False
