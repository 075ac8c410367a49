from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.signatures.counting import Held, different_signers
from aegis.signatures.types import SignedBy


def _signed(key: str, identity: str | None = None, log: str | None = None, issuer: str = "i") -> SignedBy:
    return SignedBy(
        signer="s", method="keyless" if identity else "key", key=key, format="sigstore-bundle-v0.3",
        identity=identity, issuer=issuer if identity else None, log=log,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("held", "count"),
    [
        ([], 0),
        ([(0, _signed("a")), (1, _signed("b"))], 2),
        ([(0, _signed("a")), (0, _signed("b"))], 1),
        ([(0, _signed("a")), (1, _signed("a"))], 1),
        # Two runs of one workflow have two certificates with two keys, and are one signer under a name and a pattern.
        ([(0, _signed("a", "x")), (1, _signed("b", "x"))], 1),
        ([(0, _signed("a", "x")), (1, _signed("b", "y"))], 2),
        ([(0, _signed("a", "x")), (1, _signed("b", "x", issuer="j"))], 2),
        # One entry in the log, shown twice.
        ([(0, _signed("a", log="l:1")), (1, _signed("b", log="l:1"))], 1),
        ([(0, _signed("a", log="l:1")), (1, _signed("b", log="l:2"))], 2),
        # By way of a third.
        ([(0, _signed("a", "x")), (1, _signed("a", "y")), (2, _signed("b", "y"))], 1),
        ([(0, _signed("b", "x")), (1, _signed("c", "y")), (2, _signed("b", "y"))], 1),
        # The first takes either signature, the second only one: the order must not matter.
        ([(0, _signed("a")), (0, _signed("b")), (1, _signed("a"))], 2),
        ([(0, _signed("b")), (0, _signed("a")), (1, _signed("a")), (2, _signed("b")), (2, _signed("c"))], 3),
    ],
)
def test_who_is_counted(held: list[Held], count: int) -> None:
    for order in itertools.permutations(held):
        assert len(different_signers(order)) == count


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from("abcde").map(_signed)), max_size=10))
def test_as_many_as_can_be_and_none_twice(held: list[Held]) -> None:
    counted = different_signers(held)
    assert len({signed.key for signed in counted}) == len(counted)
    positions = sorted({position for position, _ in held})
    pairs = {(position, signed.key) for position, signed in held}
    best = max(
        sum((position, key) in pairs for position, key in zip(positions, keys, strict=False))
        for keys in itertools.permutations("abcde")
    )
    assert len(counted) == best
