"""An artifact between its signatures and its bytes."""

from __future__ import annotations

import pytest

from aegis.artifacts import prepared
from aegis.artifacts.preparing import case_of
from aegis.core.errors import Refused
from aegis.core.policy import Artifact
from tests.doubles.objects import Bucket
from tests.support.signing.signing import dump, message_bundle
from tests.support.signing.verifying import (
    KEYS,
    by,
    file_artifact,
    model_artifact,
    opener,
    policy,
    request,
    signed_file,
)


def case(artifact: Artifact, bucket: Bucket) -> prepared.Case:
    return case_of(artifact, request(policy(artifact)), opener(bucket))


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ((), ("x.bin.sigstore.json",)),
        (("*.sig", "fixed", "sigs/*", "*-*"), ("x.bin.sig", "fixed", "sigs/x.bin", "x.bin-x.bin")),
    ],
)
def test_names_of_signatures(patterns: tuple[str, ...], names: tuple[str, ...]) -> None:
    artifact = file_artifact(signatures=patterns)
    assert prepared.signature_names(artifact, "x.bin", "*.sigstore.json") == names


@pytest.mark.parametrize(("source", "place"), [("s3://staging/a/b/x", "a/b/y"), ("s3://staging/x", "y")])
def test_beside(source: str, place: str) -> None:
    assert prepared.beside(case(file_artifact(source=source), Bucket()), "y") == place
    assert prepared.file_name(case(file_artifact(source=source), Bucket())) == "x"


def test_a_prefix_holds_relative_names_and_no_other_prefixes() -> None:
    bucket = Bucket()
    bucket.put({"m/a": b"", "m/b/c": b"", "m2/x": b"", "n": b""})
    assert list(prepared.by_name(case(model_artifact(), bucket))) == ["a", "b/c"]


@pytest.mark.parametrize("name", ["", "/a", "a/../b", "x\x1b[31m", "::set-output name=x::y\n", "a/", "CON", "\udc80"])
def test_a_listing_with_a_hostile_name_is_refused_as_a_whole(name: str) -> None:
    bucket = Bucket()
    bucket.put({"m/fine": b"", f"m/{name}": b""})
    with pytest.raises(Refused) as caught:
        prepared.by_name(case(model_artifact(), bucket))
    assert caught.value.code == "verify.unsafe_name"


def test_signatures_that_are_there_are_all_read_and_counted() -> None:
    bucket = Bucket()
    bucket.put(signed_file("tool.bin", b"x"))
    infos = [(name, bucket.head(name)) for name in ("tool.bin.sigstore.json", "absent")]
    read, kept = prepared.bundles(case(file_artifact(), bucket), infos, 1 << 20)
    assert (len(read), [info.key for info in kept]) == (1, ["tool.bin.sigstore.json"])


def test_one_broken_signature_is_enough_to_refuse() -> None:
    """It may be that of the very signer whose absence it would hide."""
    bucket = Bucket()
    bucket.put({"tool.bin": b"x", "a": dump(message_bundle(KEYS[0], b"x")), "b": b"no bundle"})
    artifact = file_artifact(signatures=("a", "b"), signers=(by(0), by(1)))
    infos = [(name, bucket.head(name)) for name in ("a", "b")]
    with pytest.raises(Refused) as caught:
        prepared.bundles(case(artifact, bucket), infos, 1 << 20)
    assert caught.value.code == "verify.bundle_malformed"


def test_the_limit_of_a_signature_is_inclusive() -> None:
    bucket = Bucket()
    bucket.put({"s": b"12345"})
    there, infos = case(file_artifact(), bucket), [("s", bucket.head("s"))]
    for limit, code in ((5, "verify.bundle_malformed"), (4, "verify.bundle_too_large")):
        bucket.reads.clear()
        with pytest.raises(Refused) as caught:
            prepared.bundles(there, infos, limit)
        assert (caught.value.code, len(bucket.reads)) == (code, limit - 4)
