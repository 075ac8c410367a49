"""Files with a signature of their own: one object, or each one below a prefix."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

import pytest

from aegis.artifacts import files
from aegis.core.policy import Release
from tests.doubles.objects import Bucket
from tests.support.signing.signing import dump, envelope_bundle, message_bundle, sign, text64
from tests.support.signing.verifying import (
    ED25519,
    KEYS,
    P384,
    by,
    codes,
    file_artifact,
    judged,
    policy,
    release,
    sha256,
    signed_file,
)

TOOL = b"a tool\n" * 300
PREFIX: dict[str, Any] = {"name": "files", "source": "s3://staging/f/"}


def bucket(*parts: dict[str, bytes]) -> Bucket:
    made = Bucket()
    for part in parts:
        made.put(part)
    return made


def test_one_file_is_read_once() -> None:
    there = bucket(signed_file("tool.bin", TOOL), {"tool.bin.txt": b"not asked for"})
    answer = judged(policy(file_artifact()), there)
    assert codes(answer) == []
    (result,) = answer.results
    assert (result.sha256, result.content, result.size, result.objects) == (sha256(TOOL), sha256(TOOL), len(TOOL), 1)
    assert [each.signer for each in result.signed_by] == ["keys/0.pub"]
    assert there.given["tool.bin"] == len(TOOL)
    assert set(there.given) == {"tool.bin", "tool.bin.sigstore.json"}


@pytest.mark.parametrize(("key", "rule"), [(P384, "p384"), (ED25519, "ed25519")])
def test_other_keys_read_it_once_too(key: Any, rule: str) -> None:
    there = bucket(signed_file("tool.bin", TOOL, key))
    assert codes(judged(policy(file_artifact(signers=(by(rule), by(0)))), there)) == []
    assert there.given["tool.bin"] == len(TOOL)


def test_a_detached_signature_as_older_tools_write_it() -> None:
    there = bucket({"tool.bin": TOOL, "tool.bin.sig": text64(sign(KEYS[0], TOOL)).encode()})
    answer = judged(policy(file_artifact(signatures=("*.sig",))), there)
    assert codes(answer) == []
    assert any("proves no time" in notice for notice in answer.outcome.notices)


ATTACKS: list[tuple[str, dict[str, bytes], dict[str, Any], str]] = [
    ("changed byte", {"tool.bin": TOOL[:-1] + b"!"}, {}, "verify.wrong_signature"),
    ("cut", {"tool.bin": TOOL[:-1]}, {}, "verify.wrong_signature"),
    ("longer", {"tool.bin": TOOL + b"\0"}, {}, "verify.wrong_signature"),
    ("empty", {"tool.bin": b""}, {}, "verify.wrong_signature"),
    ("signed by somebody", signed_file("tool.bin", TOOL, KEYS[1]), {}, "verify.wrong_key"),
    ("other key in the policy", {}, {"signers": (by(1),)}, "verify.wrong_key"),
    ("other file's signature", {"tool.bin.sigstore.json": dump(message_bundle(KEYS[0], b"x"))}, {}, "wrong_signature"),
    ("attestation in its place", {"tool.bin.sigstore.json": dump(envelope_bundle(KEYS[0]))}, {}, "wrong_content"),
    ("empty signature", {"tool.bin.sigstore.json": b""}, {}, "verify.bundle_malformed"),
    ("broken signature", {"tool.bin.sigstore.json": b"{" * 9999}, {}, "verify.bundle_malformed"),
    ("two answers", {"tool.bin.sigstore.json": b'{"mediaType":1,"mediaType":2}'}, {}, "verify.bundle_malformed"),
    ("gigantic signature", {"tool.bin.sigstore.json": b" " * (1 + (1 << 20))}, {}, "verify.bundle_too_large"),
]


@pytest.mark.parametrize(("upload", "rules", "code"), [each[1:] for each in ATTACKS], ids=[each[0] for each in ATTACKS])
def test_attacks(upload: dict[str, bytes], rules: dict[str, Any], code: str) -> None:
    there = bucket(signed_file("tool.bin", TOOL), upload)
    answer = judged(policy(file_artifact(**rules)), there)
    assert answer.results == ()
    (found,) = codes(answer)
    assert found.endswith(code)
    assert answer.outcome.findings[0].cause == "artifact"


def test_a_gigantic_signature_is_not_read() -> None:
    there = bucket(signed_file("tool.bin", TOOL), {"tool.bin.sigstore.json": b" " * (2 << 20)})
    judged(policy(file_artifact()), there)
    assert there.reads == []


def test_the_same_digest_in_a_label_does_not_help() -> None:
    bundle = message_bundle(KEYS[0], b"other")
    bundle["messageSignature"]["messageDigest"]["digest"] = text64(hashlib.sha256(TOOL).digest())
    there = bucket({"tool.bin": TOOL, "tool.bin.sigstore.json": dump(bundle)})
    assert codes(judged(policy(file_artifact()), there)) == ["verify.wrong_signature"]


def test_there_is_no_file() -> None:
    assert codes(judged(policy(file_artifact()), Bucket())) == ["verify.artifact_missing"]
    only_signature = bucket({"tool.bin.sigstore.json": dump(message_bundle(KEYS[0], TOOL))})
    assert codes(judged(policy(file_artifact()), only_signature)) == ["verify.artifact_missing"]


@pytest.mark.parametrize(
    ("rules", "line"),
    [
        ({}, "aegis sign file FILE --key KEY.pem"),
        ({"signers": ()}, "aegis sign file FILE --key KEY.pem"),
    ],
)
def test_an_unsigned_file_is_told_how_to_be_signed(rules: dict[str, Any], line: str) -> None:
    there = bucket({"tool.bin": TOOL})
    answer = judged(policy(file_artifact(**rules), signers=(by(0),)), there)
    (finding,) = answer.outcome.findings
    assert finding.rule == "verify.unsigned"
    assert line in finding.remedy
    assert "tool.bin.sigstore.json" in finding.message
    assert there.reads == []


class TestThreshold:
    TWO: ClassVar[dict[str, Any]] = {
        "signatures": ("*.one", "*.two"),
        "signers": (by(0), by(1), by("copy-of-0"), by("ed25519")),
        "threshold": 2,
    }

    def run(self, one: Any, two: Any, **rules: Any) -> list[str]:
        objects = {"tool.bin": TOOL}
        for name, key in (("one", one), ("two", two)):
            objects |= {f"tool.bin.{name}": dump(message_bundle(key, TOOL))} if key is not None else {}
        there = bucket(objects)
        answer = judged(policy(file_artifact(**{**self.TWO, **rules})), there)
        assert there.given["tool.bin"] in {0, len(TOOL)}
        return codes(answer)

    def test_two_people(self) -> None:
        assert self.run(KEYS[0], KEYS[1]) == []
        assert self.run(KEYS[1], KEYS[0]) == []
        assert self.run(KEYS[0], ED25519) == []

    def test_one_key_under_two_names_is_one_signer(self) -> None:
        assert self.run(KEYS[0], KEYS[0]) == ["verify.too_few_signers"]

    def test_a_stranger_does_not_count(self) -> None:
        assert self.run(KEYS[0], KEYS[2]) == ["verify.too_few_signers"]

    def test_only_strangers(self) -> None:
        assert self.run(KEYS[2], KEYS[3]) == ["verify.wrong_key"]

    @pytest.mark.parametrize("absent", [0, 1])
    def test_one_signature_is_not_there(self, absent: int) -> None:
        keys: list[Any] = [KEYS[0], KEYS[1]]
        keys[absent] = None
        assert self.run(*keys) == ["verify.unsigned"]

    def test_any_of_two_lets_the_other_be_absent(self) -> None:
        assert self.run(None, KEYS[1], threshold=1) == []


class TestPrefix:
    def test_each_file_is_signed_and_read_once(self) -> None:
        there = bucket(signed_file("f/a", b"a" * 3000), signed_file("f/sub/b", b""), {"g/c": b"elsewhere"})
        answer = judged(policy(file_artifact(**PREFIX)), there)
        assert codes(answer) == []
        assert answer.results[0].objects == 2
        assert (there.given["f/a"], there.given["f/sub/b"], there.given["g/c"]) == (3000, 0, 0)
        lines = f"{sha256(b'a' * 3000)}  a\n{sha256(b'')}  sub/b\n"
        assert answer.results[0].content == sha256(lines.encode())

    @pytest.mark.parametrize(
        "name", ["evil.pkl", "evil.sig", "a.sigstore.json.txt", ".hidden", ".git/config", "sub/__init__.py"]
    )
    def test_an_extra_file_is_not_overlooked(self, name: str) -> None:
        there = bucket(signed_file("f/a", b"a"), {f"f/{name}": b"evil"})
        answer = judged(policy(file_artifact(**PREFIX)), there)
        assert codes(answer) == ["verify.unsigned"]
        assert name in answer.outcome.findings[0].message

    def test_nothing_hides_as_the_signature_of_a_signature(self) -> None:
        hidden = "f/a.sigstore.json.sigstore.json"
        there = bucket(signed_file("f/a", b"a"), {hidden: b"anything"})
        assert codes(judged(policy(file_artifact(**PREFIX)), there)) == ["verify.unsigned"]

    def test_a_signature_without_its_file(self) -> None:
        there = bucket(signed_file("f/a", b"a"), {"f/b.sigstore.json": dump(message_bundle(KEYS[0], b"b"))})
        assert codes(judged(policy(file_artifact(**PREFIX)), there)) == ["verify.unsigned"]

    def test_only_signatures(self) -> None:
        there = bucket({"f/release.sigstore.json": b"{}"})
        asked = policy(file_artifact(**PREFIX, release=Release()))
        assert codes(judged(asked, there)) == ["verify.artifact_missing"]
        assert codes(judged(policy(file_artifact(**PREFIX)), Bucket())) == ["verify.artifact_missing"]

    def test_the_message_says_which_of_them(self) -> None:
        there = bucket(signed_file("f/a", b"a"), signed_file("f/b", b"b"), {"f/b": b"B"})
        (finding,) = judged(policy(file_artifact(**PREFIX)), there).outcome.findings
        assert finding.rule == "verify.wrong_signature"
        assert "'b': " in finding.message

    def test_two_files_with_each_others_signatures(self) -> None:
        one, two = signed_file("f/a", b"a"), signed_file("f/b", b"b")
        swapped = {"f/a.sigstore.json": two["f/b.sigstore.json"], "f/b.sigstore.json": one["f/a.sigstore.json"]}
        assert codes(judged(policy(file_artifact(**PREFIX)), bucket(one, two, swapped))) == ["verify.wrong_signature"]

    @pytest.mark.parametrize("name", ["a//b", "../up", "A", "a\nb", "con"])
    def test_names_that_mean_another_file_somewhere(self, name: str) -> None:
        there = bucket(signed_file("f/a", b"a"), signed_file(f"f/{name}", b"x"))
        (code,) = codes(judged(policy(file_artifact(**PREFIX)), there))
        assert code in {"verify.unsafe_name", "verify.duplicate_name"}
        assert there.reads == []

    def test_a_rename_is_another_content_even_of_a_single_file(self) -> None:
        contents = [
            judged(policy(file_artifact(**PREFIX)), bucket(signed_file(f"f/{name}", b"a"))).results[0].content
            for name in ("a", "b")
        ]
        assert len({*contents, sha256(b"a")}) == 3

    def test_a_list_of_digests_is_not_taken_for_the_files_in_it(self) -> None:
        """A signed SHA256SUMS has the digest that a prefix of just these files would have."""
        one, two = signed_file("f/a", b"a"), signed_file("f/b", b"b")
        sums = f"{sha256(b'a')}  a\n{sha256(b'b')}  b\n".encode()
        statement = {"f/release.sigstore.json": release(sha256(sums), name="files")}
        asked = policy(file_artifact(**PREFIX, release=Release()))
        assert codes(judged(asked, bucket(one, two, statement))) == []
        fake = bucket(signed_file("f/SHA256SUMS", sums), statement)
        assert codes(judged(asked, fake)) == ["verify.release_digest"]


def test_ed25519_reads_content_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CONTENT_LIMIT", len(TOOL))
    there = bucket(signed_file("tool.bin", TOOL, ED25519))
    asked = policy(file_artifact(signers=(by("ed25519"),)))
    assert codes(judged(asked, there)) == []
    there.put(signed_file("tool.bin", TOOL + b"x", ED25519))
    there.reads.clear()
    assert codes(judged(asked, there)) == ["verify.too_large_for_key"]
    assert [key for key, _ in there.reads] == ["tool.bin.sigstore.json"]
