from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.core.merkle import root_of_proof
from tests.doubles.sigstore import merkle


def _leaves(size: int) -> tuple[list[bytes], list[bytes]]:
    bodies = [b"entry %d" % number for number in range(size)]
    return bodies, [merkle.leaf_hash(body) for body in bodies]


@pytest.mark.parametrize("size", [*range(1, 18), 64, 65])
def test_every_leaf_leads_to_the_root(size: int) -> None:
    bodies, leaves = _leaves(size)
    root = merkle.root_hash(leaves)
    for index, body in enumerate(bodies):
        assert root_of_proof(body, index=index, size=size, hashes=merkle.path(index, leaves)) == root


@given(st.integers(1, 40), st.data())
@settings(deadline=None)
def test_only_the_right_place_and_size_lead_there(size: int, data: st.DataObject) -> None:
    bodies, leaves = _leaves(size)
    root = merkle.root_hash(leaves)
    index = data.draw(st.integers(0, size - 1))
    path = merkle.path(index, leaves)
    other = data.draw(st.integers(-2, size + 2).filter(lambda number: number != index))
    assert root_of_proof(bodies[index], index=other, size=size, hashes=path) != root
    assert root_of_proof(bodies[index], index=index, size=size, hashes=[*path, b"x" * 32]) != root
    if path:
        assert root_of_proof(bodies[index], index=index, size=size, hashes=path[:-1]) != root
    assert root_of_proof(b"another", index=index, size=size, hashes=path) != root


@given(st.integers(1, 2**63 - 1), st.data())
@settings(deadline=None)
def test_same_answer_as_sigstore(size: int, data: st.DataObject) -> None:
    """Trees that nobody can build: only how hashes are put together is compared."""
    from sigstore._internal.merkle import verify_merkle_inclusion
    from sigstore.errors import VerificationError

    index = data.draw(st.integers(0, size - 1))
    right = (index ^ (size - 1)).bit_length()
    count = right + (index >> right).bit_count() + data.draw(st.sampled_from([0, 0, 0, 1, -1]))
    hashes = [bytes([number % 256]) * 32 for number in range(max(count, 0))]
    root = root_of_proof(b"body", index=index, size=size, hashes=hashes)
    proof = SimpleNamespace(log_index=index, tree_size=size, hashes=hashes, root_hash=root or b"")
    inner = SimpleNamespace(inclusion_proof=proof, canonicalized_body=b"body")
    try:
        verify_merkle_inclusion(SimpleNamespace(_inner=inner))  # type: ignore[arg-type] # what it reads of an entry
    except VerificationError:
        assert root is None
    else:
        assert root is not None


def test_no_tree_is_empty() -> None:
    assert root_of_proof(b"", index=0, size=0, hashes=[]) is None
