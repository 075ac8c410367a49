"""Statements about a file or a model."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest

from tests.doubles.objects import Bucket
from tests.support.signing.signing import STATEMENT, dump, envelope_bundle, message_bundle
from tests.support.signing.verifying import (
    KEYS,
    MODEL,
    SLSA,
    attestation_artifact,
    by,
    codes,
    judged,
    policy,
    root_of,
    sha256,
    statement_about,
)

TOOL = b"a tool\n"


def there(signature: bytes | None, content: bytes | None = TOOL) -> Bucket:
    made = Bucket()
    made.put({} if content is None else {"tool.bin": content})
    made.put({} if signature is None else {"tool.bin.sigstore.json": signature})
    return made


def folder(signature: bytes | None, files: dict[str, bytes] | None = None) -> Bucket:
    made = Bucket()
    made.put({f"m/{name}": content for name, content in (MODEL if files is None else files).items()})
    made.put({} if signature is None else {"m/attestation.sigstore.json": signature})
    return made


FOLDER: dict[str, Any] = {"source": "s3://staging/m/"}


def test_a_file() -> None:
    bucket = there(statement_about(sha256(TOOL)))
    answer = judged(policy(attestation_artifact()), bucket)
    assert codes(answer) == []
    (result,) = answer.results
    assert (result.kind, result.sha256, result.objects, result.size) == ("attestation", sha256(TOOL), 1, len(TOOL))
    assert bucket.given["tool.bin"] == len(TOOL)


def test_a_model_by_its_root_digest() -> None:
    bucket = folder(statement_about(root_of(MODEL)))
    answer = judged(policy(attestation_artifact(**FOLDER)), bucket)
    assert codes(answer) == []
    assert answer.results[0].objects == len(MODEL)
    assert all(bucket.given[f"m/{name}"] == len(content) for name, content in MODEL.items())


def of(statement: Any) -> bytes:
    return dump(envelope_bundle(KEYS[0], json.dumps(statement).encode()))


GOOD: dict[str, Any] = json.loads(
    json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "x", "digest": {"sha256": sha256(TOOL)}}],
            "predicateType": SLSA,
            "predicate": {},
        }
    )
)


@pytest.mark.parametrize(
    ("signature", "code"),
    [
        (statement_about(sha256(b"other")), "verify.attestation_subject"),
        (statement_about(sha256(TOOL).upper()), "verify."),
        (statement_about(sha256(TOOL), SLSA + "/"), "verify.wrong_predicate"),
        (statement_about(sha256(TOOL), SLSA[:-1]), "verify.wrong_predicate"),
        (statement_about(sha256(TOOL), key=KEYS[1]), "verify.wrong_key"),
        (None, "verify.unsigned"),
        (dump(message_bundle(KEYS[0], TOOL)), "verify.wrong_content"),
        (dump(envelope_bundle(KEYS[0], STATEMENT)), "verify.statement_malformed"),
        (dump(envelope_bundle(KEYS[0], b"not json")), "verify.statement_malformed"),
        (dump(envelope_bundle(KEYS[0], json.dumps(GOOD).encode(), "text/plain")), "verify.wrong_payload_type"),
        (of({**GOOD, "subject": []}), "verify.statement_malformed"),
        (of({**GOOD, "subject": [{"name": "x", "digest": {"md5": "0" * 32}}]}), "verify."),
        (b"\x00", "verify.bundle_malformed"),
    ],
)
def test_what_says_nothing_about_this_file(signature: bytes | None, code: str) -> None:
    answer = judged(policy(attestation_artifact()), there(signature))
    (found,) = codes(answer)
    assert found.startswith(code)
    assert answer.results == ()


def test_a_file_that_is_not_there() -> None:
    assert codes(judged(policy(attestation_artifact()), there(statement_about(sha256(TOOL)), None))) == [
        "verify.artifact_missing"
    ]


def test_a_folder_that_holds_nothing_but_a_statement_about_nothing() -> None:
    """The root digest of no files is the digest of an empty file, of which anybody may have said something."""
    bucket = folder(statement_about(sha256(b"")), {})
    assert codes(judged(policy(attestation_artifact(**FOLDER)), bucket)) == ["verify.artifact_missing"]
    assert codes(judged(policy(attestation_artifact(**FOLDER)), Bucket())) == ["verify.artifact_missing"]


@pytest.mark.parametrize(
    "change",
    [{"m/evil": b"x"}, {"m/config.json": b"x"}, {"m/.git/x": b"x"}, {"m/model.sig": b"x"}],
)
def test_a_changed_folder(change: dict[str, bytes]) -> None:
    bucket = folder(statement_about(root_of(MODEL)))
    bucket.put(change)
    assert codes(judged(policy(attestation_artifact(**FOLDER)), bucket)) == ["verify.attestation_subject"]


def test_a_file_is_missing_in_the_folder() -> None:
    bucket = folder(statement_about(root_of(MODEL)))
    del bucket.objects["m/config.json"]
    assert codes(judged(policy(attestation_artifact(**FOLDER)), bucket)) == ["verify.attestation_subject"]


class TestThreshold:
    RULES: ClassVar[dict[str, Any]] = {"signatures": ("*.one", "*.two"), "signers": (by(0), by(1)), "threshold": 2}

    def run(self, one: bytes, two: bytes) -> list[str]:
        bucket = Bucket()
        bucket.put({"tool.bin": TOOL, "tool.bin.one": one, "tool.bin.two": two})
        return codes(judged(policy(attestation_artifact(**self.RULES)), bucket))

    def test_two_people_say_so(self) -> None:
        assert self.run(statement_about(sha256(TOOL)), statement_about(sha256(TOOL), key=KEYS[1])) == []

    def test_one_person_says_so_twice(self) -> None:
        other = statement_about(sha256(TOOL), predicate={"builder": "other"})
        assert self.run(statement_about(sha256(TOOL)), other) == ["verify.too_few_signers"]

    def test_the_second_speaks_of_something_else(self) -> None:
        other = statement_about(sha256(b"other"), key=KEYS[1])
        assert self.run(statement_about(sha256(TOOL)), other) == ["verify.attestation_subject"]

    def test_the_second_says_something_else(self) -> None:
        other = statement_about(sha256(TOOL), "https://example.org/other", key=KEYS[1])
        assert self.run(statement_about(sha256(TOOL)), other) == ["verify.wrong_predicate"]


@pytest.mark.parametrize(
    ("rules", "line"),
    [
        ({}, f"aegis sign attestation FILE --predicate PREDICATE.json --type {SLSA} --key KEY.pem"),
        (FOLDER, f"aegis sign attestation FOLDER --predicate PREDICATE.json --type {SLSA} --key KEY.pem"),
        ({"predicate_types": ("a b", "c")}, "--type 'a b' --key"),
    ],
)
def test_the_unsigned_artifact_is_told_how_to_be_signed(rules: dict[str, Any], line: str) -> None:
    bucket = there(None) if "source" not in rules else folder(None)
    (finding,) = judged(policy(attestation_artifact(**rules)), bucket).outcome.findings
    assert finding.rule == "verify.unsigned"
    assert line in finding.remedy
