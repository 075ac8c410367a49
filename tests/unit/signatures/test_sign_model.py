from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.errors import Refused, UsageError
from aegis.signatures.models.manifest import Hashed, check_digests, check_listing, read_manifest
from aegis.signatures.models.sign import model_statement
from tests.support.signing.models import hashed, hashed_all, statement

NAME = st.lists(
    st.text("abcdé模.-_", min_size=1, max_size=4).map(lambda part: f"x{part}x"), min_size=1, max_size=3
).map("/".join)
MODEL = st.dictionaries(NAME, st.binary(min_size=1, max_size=40), min_size=1, max_size=6)


def passes(files: dict[str, bytes]) -> bool:
    try:
        model_statement("m", hashed_all(files))
    except Refused:
        return False
    return True


@given(MODEL.filter(passes), st.integers(0, 12))
def test_what_is_signed_is_what_is_verified(files: dict[str, bytes], shard_size: int) -> None:
    read_files = hashed_all(files, shard_size=shard_size)
    payload = model_statement("m", read_files, shard_size=shard_size, ignore_paths=("model.sig",))
    manifest = read_manifest(statement(payload), allowed_ignores=())
    assert (manifest.name, manifest.shard_size, manifest.algorithm) == ("m", shard_size, "sha256")
    check_listing(manifest, [*files, "model.sig"])
    check_digests(manifest, read_files)
    assert [file.name for file in manifest.files] == sorted(files)


@given(MODEL.filter(passes), st.data())
def test_equal_files_give_equal_bytes(files: dict[str, bytes], data: st.DataObject) -> None:
    turned = {name: files[name] for name in data.draw(st.permutations(list(files)))}
    assert model_statement("m", hashed_all(files)) == model_statement("m", hashed_all(turned))


def test_the_bytes_themselves() -> None:
    payload = model_statement("m", {"b": hashed(b""), "ä": hashed(b"1")}, ignore_paths=("model.sig", ".git"))
    assert b": " not in payload
    assert "ä".encode() in payload
    value = json.loads(payload)
    assert list(value) == sorted(value)
    assert value["predicate"]["serialization"] == {
        "allow_symlinks": False,
        "hash_type": "sha256",
        "ignore_paths": [".git", "model.sig"],
        "method": "files",
    }
    assert [each["name"] for each in value["predicate"]["resources"]] == ["b", "ä"]


def test_shards_stand_in_the_order_of_their_names() -> None:
    value = json.loads(model_statement("m", {"a": hashed(bytes(24), shard_size=2)}, shard_size=2))
    names = [each["name"] for each in value["predicate"]["resources"]]
    assert names == sorted(names)
    assert {each["algorithm"] for each in value["predicate"]["resources"]} == {"sha256-sharded-2"}
    assert value["predicate"]["serialization"]["shard_size"] == 2


@pytest.mark.parametrize(
    ("files", "options", "says"),
    [
        ({}, {}, "no files"),
        ({"a": hashed(b"", shard_size=4)}, {"shard_size": 4}, "empty"),
        ({"a": hashed(b"12345", shard_size=4)}, {}, "2 shards"),
        ({"a": hashed(b"12345")}, {"shard_size": 4}, "1 shards"),
        ({"a": Hashed(1, ())}, {}, "0 shards"),
        ({"a": Hashed(1, (b"short",))}, {}, "32|digest|1 shards"),
        ({"a": hashed(b"1", algorithm="blake2b")}, {}, "1 shards"),
        ({"cache/a": hashed(b"1"), "b": hashed(b"2")}, {"ignore_paths": ("cache",)}, "both signed and left out"),
        ({"model.sig": hashed(b"1")}, {"ignore_paths": ("model.sig",)}, "both signed and left out"),
    ],
)
def test_what_no_verifier_would_take_is_not_signed(
    files: dict[str, Hashed], options: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says) as error:
        model_statement("m", files, **options)
    assert error.value.code == "verify.cannot_sign_model"


def test_a_model_without_a_name_is_not_signed() -> None:
    with pytest.raises(UsageError) as error:
        model_statement("", {"a": hashed(b"1")})
    assert error.value.code == "verify.cannot_sign_model"


def test_a_manifest_that_no_verifier_would_read_is_not_signed() -> None:
    size = 300_000
    with pytest.raises(UsageError, match="larger shards"):
        model_statement("m", {"a": Hashed(size, (bytes(32),) * size)}, shard_size=1)


@pytest.mark.parametrize(
    ("names", "code"),
    [(["../a"], "verify.unsafe_name"), (["a", "A"], "verify.duplicate_name"), (["a\nb"], "verify.unsafe_name")],
)
def test_names_that_would_be_refused_are_not_signed(names: list[str], code: str) -> None:
    with pytest.raises(Refused) as refused:
        model_statement("m", {name: hashed(b"1") for name in names})
    assert refused.value.code == code
