"""Models: the manifest against the listing before a byte is read, and against the bytes after."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest

from tests.doubles.objects import Bucket
from tests.support.signing import models
from tests.support.signing.signing import dump, envelope_bundle, message_bundle
from tests.support.signing.verifying import (
    ED25519,
    KEYS,
    MODEL,
    by,
    codes,
    content_of,
    judged,
    model_artifact,
    model_signature,
    policy,
    root_of,
    sha256,
    signed_model,
)


def bucket(*parts: dict[str, bytes]) -> Bucket:
    made = Bucket()
    for part in parts:
        made.put(part)
    return made


def run(there: Bucket, **rules: Any) -> list[str]:
    return codes(judged(policy(model_artifact(**rules)), there))


@pytest.mark.parametrize("shard_size", [0, 1, 7, 2048, 4096])
@pytest.mark.parametrize("key", [KEYS[0], ED25519])
def test_every_file_is_read_once(shard_size: int, key: Any) -> None:
    there = bucket(signed_model(key=key, shard_size=shard_size))
    answer = judged(policy(model_artifact(signers=(by(0), by("ed25519")))), there)
    assert codes(answer) == []
    (result,) = answer.results
    assert (result.objects, result.size) == (len(MODEL), sum(map(len, MODEL.values())))
    assert {name: there.given[f"m/{name}"] for name in MODEL} == {name: len(data) for name, data in MODEL.items()}
    assert there.given["m/model.sig"] == len(there.objects["m/model.sig"])
    if not shard_size:
        assert (result.sha256, result.content) == (root_of(MODEL), content_of(MODEL))


A, B = "m/weights/a.bin", "m/weights/b.bin"
OTHER = {**MODEL, "config.json": b"[]\n"}
UNSEEN: list[tuple[str, dict[str, bytes | None], str]] = [
    ("a file is missing", {B: None}, "verify.file_missing"),
    ("extra file", {"m/evil.pkl": b"x"}, "verify.file_unsigned"),
    ("extra module", {"m/weights/__init__.py": b"x"}, "verify.file_unsigned"),
    ("extra library", {"m/x.so": b"x"}, "verify.file_unsigned"),
    ("hidden", {"m/.x": b"x"}, "verify.file_unsigned"),
    ("git's own", {"m/.git/hooks/post-checkout": b"x"}, "verify.file_unsigned"),
    ("GitHub's own", {"m/.github/workflows/x.yml": b"x"}, "verify.file_unsigned"),
    (".gitattributes", {"m/.gitattributes": b"x"}, "verify.file_unsigned"),
    ("second signature", {"m/model.sig.bak": b"x"}, "verify.file_unsigned"),
    ("release nobody asked for", {"m/release.sigstore.json": b"{}"}, "verify.file_unsigned"),
    ("folder's marker", {"m/empty/": b""}, "verify.unsafe_name"),
    ("other case", {"m/Config.json": b"{}\n"}, "verify.duplicate_name"),
    ("upwards", {"m/../evil": b"x"}, "verify.unsafe_name"),
    ("renamed", {B: None, "m/weights/c.bin": MODEL["weights/b.bin"]}, "verify.file_missing"),
    ("unsigned", {"m/model.sig": None}, "verify.unsigned"),
    ("no model", {f"m/{name}": None for name in (*MODEL, "model.sig")}, "verify.artifact_missing"),
    ("gigantic signature", {"m/model.sig": b" " * ((32 << 20) + 1)}, "verify.bundle_too_large"),
    ("broken signature", {"m/model.sig": b"{}"}, "verify.bundle_malformed"),
    ("signature over a file", {"m/model.sig": dump(message_bundle(KEYS[0], b"x"))}, "verify.wrong_content"),
    ("statement of another kind", {"m/model.sig": dump(envelope_bundle(KEYS[0]))}, "verify.statement_malformed"),
    ("stranger's signature", {"m/model.sig": model_signature(MODEL, KEYS[1])}, "verify.wrong_key"),
    ("no files", {"m/model.sig": model_signature({})}, "verify.manifest_empty"),
    ("left out", {"m/model.sig": model_signature(MODEL, ignore_paths=["evil"])}, "verify.ignored_paths"),
    ("left out everything", {"m/model.sig": model_signature(MODEL, ignore_paths=["."])}, "verify.ignored_paths"),
    ("other algorithm", {"m/model.sig": model_signature(MODEL, hash_type="md5")}, "verify.manifest_algorithm"),
]


@pytest.mark.parametrize(("change", "code"), [each[1:] for each in UNSEEN], ids=[each[0] for each in UNSEEN])
def test_no_file_is_read_where_the_listing_or_signature_already_refuses(
    change: dict[str, bytes | None], code: str
) -> None:
    there = bucket(signed_model(), {name: content for name, content in change.items() if content is not None})
    for name in [name for name, content in change.items() if content is None]:
        del there.objects[name]
    assert run(there) == [code]
    assert {key for key, _ in there.reads} <= {"m/model.sig"}


@pytest.mark.parametrize("shard_size", [0, 100])
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({A: MODEL["weights/a.bin"][:-1] + b"!"}, "verify.file_differs"),
        ({A: b"!" + MODEL["weights/a.bin"][1:]}, "verify.file_differs"),
        ({A: MODEL["weights/b.bin"], B: MODEL["weights/a.bin"]}, "verify.file_"),
        ({A: MODEL["weights/a.bin"][:-1]}, "verify.file_"),
        ({A: MODEL["weights/a.bin"] + b"\0"}, "verify.file_differs"),
        ({A: b""}, "verify.file_"),
        ({A: b"\0" * 2048}, "verify.file_differs"),
    ],
)
def test_other_bytes(change: dict[str, bytes], code: str, shard_size: int) -> None:
    there = bucket(signed_model(shard_size=shard_size), change)
    (found,) = run(there)
    assert found.startswith(code)


def test_a_size_that_was_not_signed_is_seen_in_the_listing() -> None:
    for content, code in ((b"x", "verify.file_truncated"), (b"x" * 9999, "verify.file_differs")):
        there = bucket(signed_model(shard_size=100), {A: content})
        assert run(there) == [code]
        assert [key for key, _ in there.reads] == ["m/model.sig"]


def test_files_of_two_signed_models_are_no_model() -> None:
    there = bucket(signed_model(files=OTHER), signed_model(), {"m/config.json": OTHER["config.json"]})
    assert run(there) == ["verify.file_differs"]
    there = bucket(signed_model(), {"m/model.sig": model_signature(OTHER)})
    assert run(there) == ["verify.file_differs"]


def test_a_model_below_another_prefix_is_not_listed() -> None:
    there = bucket(signed_model(), signed_model("m2/"), {"m.bin": b"x"})
    assert run(there) == []


class TestLeftOut:
    def test_what_the_policy_names(self) -> None:
        there = bucket(signed_model(ignore_paths=["notes"]), {"m/notes/x": b"x"})
        assert run(there, ignore_paths=("notes",)) == []
        assert run(there, ignore_paths=("notes/x",)) == ["verify.ignored_paths"]

    def test_what_the_policy_names_and_the_signer_does_not(self) -> None:
        there = bucket(signed_model(), {"m/notes/x": b"x"})
        assert run(there, ignore_paths=("notes",)) == ["verify.file_unsigned"]

    def test_a_prefix_of_its_name(self) -> None:
        there = bucket(signed_model(ignore_paths=["notes"]), {"m/notes2": b"x"})
        assert run(there, ignore_paths=("notes",)) == ["verify.file_unsigned"]

    def test_git_may_be_named_and_still_counts(self) -> None:
        there = bucket(signed_model(ignore_paths=[".git", "model.sig"]), {"m/.git/config": b"x"})
        assert run(there) == ["verify.file_unsigned"]


class TestThreshold:
    RULES: ClassVar[dict[str, Any]] = {
        "signatures": ("a.sig", "b.sig"),
        "signers": (by(0), by(1), by("copy-of-0")),
        "threshold": 2,
    }

    def there(self, one: Any, two: Any, other: dict[str, bytes] | None = None) -> Bucket:
        objects = {f"m/{name}": content for name, content in MODEL.items()}
        second = model_signature(other or dict(MODEL), two)
        return bucket(objects, {"m/a.sig": model_signature(MODEL, one), "m/b.sig": second})

    def test_two_people_over_the_same_files(self) -> None:
        assert run(self.there(KEYS[0], KEYS[1]), **self.RULES) == []

    def test_one_key_twice(self) -> None:
        assert run(self.there(KEYS[0], KEYS[0]), **self.RULES) == ["verify.too_few_signers"]

    def test_a_stranger(self) -> None:
        assert run(self.there(KEYS[0], KEYS[2]), **self.RULES) == ["verify.too_few_signers"]

    def test_two_people_over_other_files(self) -> None:
        there = self.there(KEYS[0], KEYS[1], OTHER)
        assert run(there, **self.RULES) == ["verify.manifests_differ"]
        # also where one of them would do
        assert run(there, **{**self.RULES, "threshold": 1}) == ["verify.manifests_differ"]

    def test_the_same_digests_under_other_names(self) -> None:
        renamed = {"config.json": b"{}\n", "weights/a.bin": MODEL["weights/a.bin"], "weights/c.bin": b"b" * 5}
        assert root_of(renamed) == root_of(MODEL)
        assert run(self.there(KEYS[0], KEYS[1], renamed), **self.RULES) == ["verify.manifests_differ"]

    def test_a_strangers_word_changes_nothing(self) -> None:
        there = self.there(KEYS[0], KEYS[2], OTHER)
        assert run(there, **{**self.RULES, "threshold": 1}) == []

    def test_both_may_name_each_others_signature(self) -> None:
        objects = {f"m/{name}": content for name, content in MODEL.items()}
        signatures = {
            f"m/{name}.sig": model_signature(MODEL, key, ignore_paths=["a.sig", "b.sig"])
            for name, key in (("a", KEYS[0]), ("b", KEYS[1]))
        }
        assert run(bucket(objects, signatures), **self.RULES) == []


def test_a_manifest_that_names_a_file_twice() -> None:
    resources = [models.resource(name, content) for name, content in sorted(MODEL.items())]
    doubled = models.document([*resources[:1], *resources])
    there = bucket(signed_model(), {"m/model.sig": dump(envelope_bundle(KEYS[0], json.dumps(doubled).encode()))})
    assert run(there) == ["verify.duplicate_name"]


def test_the_unsigned_model_is_told_how_to_be_signed() -> None:
    there = bucket({f"m/{name}": content for name, content in MODEL.items()})
    (finding,) = judged(policy(model_artifact()), there).outcome.findings
    assert finding.rule == "verify.unsigned"
    assert "aegis sign model FOLDER --key KEY.pem" in finding.remedy
    named = model_artifact(signatures=("a b.sig",))
    (finding,) = judged(policy(named), there).outcome.findings
    assert "aegis sign model FOLDER --signature 'FOLDER/a b.sig' --key KEY.pem" in finding.remedy


def test_its_digest_is_that_of_its_files_alone() -> None:
    there = bucket(signed_model(files={"one": b"1"}))
    (result,) = judged(policy(model_artifact()), there).results
    assert result.sha256 != sha256(b"1")
