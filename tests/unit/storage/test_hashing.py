from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.storage.hashing import ALGORITHMS, HashingSink, KeepingSink


def naive_shards(algorithm: str, data: bytes, size: int) -> tuple[bytes, ...]:
    return tuple(hashlib.new(algorithm, data[at : at + size]).digest() for at in range(0, len(data), size))


@given(
    st.binary(max_size=2000),
    st.lists(st.integers(1, 500), max_size=10),
    st.integers(1, 300),
    st.sampled_from(sorted(ALGORITHMS)),
)
def test_shards_and_digests_are_those_of_the_whole_however_it_is_cut(
    data: bytes, cuts: list[int], size: int, algorithm: str
) -> None:
    sink = HashingSink(ALGORITHMS, shard_algorithm=algorithm, shard_size=size)
    kept = KeepingSink()
    rest = data
    for cut in cuts:
        sink.write(memoryview(rest[:cut]))
        kept.write(memoryview(bytearray(rest[:cut])))
        rest = rest[cut:]
    sink.write(rest)
    kept.write(rest)
    assert sink.size == len(data)
    assert sink.digests == {name: hashlib.new(name, data).digest() for name in ALGORITHMS}
    assert sink.shards == naive_shards(algorithm, data, size)
    assert kept.content == data


def test_without_shards_there_are_none() -> None:
    sink = HashingSink()
    sink.write(b"abc")
    assert sink.shards == ()
    assert sink.digests == {"sha256": hashlib.sha256(b"abc").digest()}


@pytest.mark.parametrize("length", [0, 9, 10, 11, 20])
def test_a_last_shard_that_is_full_is_not_followed_by_an_empty_one(length: int) -> None:
    sink = HashingSink((), shard_size=10)
    sink.write(b"x" * length)
    assert len(sink.shards) == -(-length // 10)


def test_asking_in_between_changes_nothing() -> None:
    sink = HashingSink(shard_size=4)
    sink.write(b"abcdef")
    assert len(sink.shards) == 2
    assert sink.digests["sha256"] == hashlib.sha256(b"abcdef").digest()
    sink.write(b"gh")
    assert sink.shards == naive_shards("sha256", b"abcdefgh", 4)


def test_blake2b_is_the_long_one() -> None:
    assert len(HashingSink(["blake2b"]).digests["blake2b"]) == 64
