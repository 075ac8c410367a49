"""Release statements: rename, rollback, freeze and a version that was used before."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from aegis.core.policy import Release
from aegis.signatures.lock import Entry, Lock
from tests.doubles.objects import Bucket
from tests.support.signing.signing import dump, message_bundle
from tests.support.signing.verifying import (
    KEYS,
    MODEL,
    RELEASED,
    by,
    codes,
    content_of,
    file_artifact,
    judged,
    model_artifact,
    policy,
    release,
    root_of,
    sha256,
    signed_file,
    signed_model,
)

TOOL = b"a tool\n"
PLACE = "release.sigstore.json"


def lock(version: str, digest: str = sha256(TOOL), name: str = "tool") -> Lock:
    entry = Entry(version=version, sha256=digest, statement="0" * 64, accepted=datetime.date(2026, 1, 1))
    return Lock({name: entry})


def there(statement: bytes | None, content: bytes = TOOL) -> Bucket:
    made = Bucket()
    made.put({**signed_file("tool.bin", content), **({} if statement is None else {PLACE: statement})})
    return made


def run(bucket: Bucket, kept: Lock | None = None, rule: Release = RELEASED) -> list[str]:
    return codes(judged(policy(file_artifact(release=rule)), bucket, lock=kept or Lock()))


def test_a_release_of_this_file() -> None:
    answer = judged(policy(file_artifact(release=RELEASED)), there(release(sha256(TOOL))), lock=lock("1.0.0"))
    assert codes(answer) == []
    assert answer.results[0].release == "1.0.0"
    assert answer.outcome.notices == ()


@pytest.mark.parametrize("kept", [Lock(), lock("0.9", "1" * 64)])
def test_what_the_lock_does_not_know_yet_is_told(kept: Lock) -> None:
    answer = judged(policy(file_artifact(release=RELEASED)), there(release(sha256(TOOL))), lock=kept)
    assert codes(answer) == []
    (notice,) = answer.outcome.notices
    assert "aegis verify release accept tool" in notice


SEEN_EARLY = [
    ("rename", release(sha256(TOOL), name="other"), None, "verify.release_name"),
    ("expired", release(sha256(TOOL), notAfter="2026-06-15T11:59:59Z"), None, "verify.release_expired"),
    ("not yet", release(sha256(TOOL), notBefore="2026-06-15T12:00:01Z"), None, "verify.release_not_yet_valid"),
    ("rollback", release(sha256(TOOL), version="1.0.0"), lock("1.0.1"), "verify.rollback"),
    ("rollback by number", release(sha256(TOOL), version="1.9"), lock("1.10"), "verify.rollback"),
    ("version reused", release(sha256(TOOL)), lock("1.0", "1" * 64), "verify.version_reused"),
    ("stranger's", release(sha256(TOOL), key=KEYS[1]), None, "verify.wrong_key"),
    ("absent", None, None, "verify.release_missing"),
    ("no statement", dump(message_bundle(KEYS[0], TOOL)), None, "verify.wrong_content"),
    ("other fields", release(sha256(TOOL), force=True), None, "verify.release_malformed"),
    ("no version", release(sha256(TOOL), version="latest"), None, "verify.version_invalid"),
    ("broken", b"", None, "verify.bundle_malformed"),
    ("gigantic", b" " * ((1 << 20) + 1), None, "verify.bundle_too_large"),
]


@pytest.mark.parametrize(
    ("statement", "kept", "code"), [each[1:] for each in SEEN_EARLY], ids=[each[0] for each in SEEN_EARLY]
)
def test_refused_before_the_file_is_read(statement: bytes | None, kept: Lock | None, code: str) -> None:
    bucket = there(statement)
    assert run(bucket, kept) == [code]
    assert bucket.given["tool.bin"] == 0


def test_the_last_second_and_the_first_count() -> None:
    statement = release(sha256(TOOL), notBefore="2026-06-15T12:00:00Z", notAfter="2026-06-15T12:00:00Z")
    assert run(there(statement)) == []


def test_the_release_of_other_bytes() -> None:
    assert run(there(release(sha256(b"new")))) == ["verify.release_digest"]
    # an old file with its own valid signature, beside the newest release
    assert run(there(release(sha256(b"new"), version="2")), lock("2", sha256(b"new"))) == ["verify.release_digest"]


def test_the_statement_may_have_signers_of_its_own() -> None:
    bucket = there(release(sha256(TOOL), key=KEYS[1]))
    assert run(bucket, rule=Release(signers=(by(1),))) == []
    # whom the artifact trusts does not matter then
    assert run(there(release(sha256(TOOL))), rule=Release(signers=(by(1),))) == ["verify.wrong_key"]


def test_a_statement_by_another_name() -> None:
    bucket = there(None)
    bucket.put({"r.json": release(sha256(TOOL))})
    assert run(bucket, rule=Release(statement="r.json")) == []


class TestModel:
    ASKED = policy(model_artifact(release=RELEASED))

    def there(self, statement: bytes, files: dict[str, bytes] | None = None) -> Bucket:
        made = Bucket()
        made.put({**signed_model(files=files or dict(MODEL)), f"m/{PLACE}": statement})
        return made

    def test_names_and_bytes_are_bound(self) -> None:
        answer = judged(self.ASKED, self.there(release(content_of(MODEL), name="model", version="2.1")))
        assert codes(answer) == []
        assert answer.results[0].release == "2.1"

    @pytest.mark.parametrize("digest", [root_of(MODEL), sha256(b"")])
    def test_another_digest_does_not_do(self, digest: str) -> None:
        assert codes(judged(self.ASKED, self.there(release(digest, name="model")))) == ["verify.release_digest"]

    def test_another_models_valid_signature(self) -> None:
        other = {**MODEL, "config.json": b"[]"}
        bucket = self.there(release(content_of(MODEL), name="model"), other)
        assert codes(judged(self.ASKED, bucket)) == ["verify.release_digest"]

    def test_renamed_files_with_the_same_root_digest(self) -> None:
        other = {name.replace("b.bin", "c.bin"): content for name, content in MODEL.items()}
        assert root_of(other) == root_of(MODEL)
        bucket = self.there(release(content_of(MODEL), name="model"), other)
        assert codes(judged(self.ASKED, bucket)) == ["verify.release_digest"]

    def test_the_whole_of_another_model_under_this_name(self) -> None:
        bucket = self.there(release(content_of(MODEL), name="other-model"))
        assert codes(judged(self.ASKED, bucket)) == ["verify.release_name"]


@pytest.mark.parametrize(
    ("artifact", "line"),
    [
        (file_artifact(release=RELEASED), "aegis verify release sign tool --version VERSION --file FILE --key KEY.pem"),
        (
            model_artifact(release=RELEASED),
            "aegis verify release sign model --version VERSION --folder FOLDER --key KEY.pem",
        ),
        (
            file_artifact(source="s3://staging/f/", release=RELEASED),
            "aegis verify release sign tool --version VERSION --digest DIGEST --key KEY.pem",
        ),
    ],
)
def test_a_missing_statement_is_told_how_to_be_made(artifact: Any, line: str) -> None:
    bucket = there(None)
    bucket.put({**signed_model(), **signed_file("f/a", b"a")})
    (finding,) = judged(policy(artifact), bucket).outcome.findings
    assert finding.rule == "verify.release_missing"
    assert line in finding.remedy
