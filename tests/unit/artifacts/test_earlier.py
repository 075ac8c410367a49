"""A signed earlier verdict: what it spares, and each reason why it spares nothing."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from aegis.artifacts.earlier import Earlier, read_earlier
from aegis.artifacts.trust import trust_of
from aegis.core.policy import Release, Signer, VerifyPolicy
from aegis.core.verdict import PREDICATE_TYPE
from aegis.gates.verify.gate import Judged
from aegis.report import json_report
from aegis.signatures.lock import Entry, Lock
from tests.doubles.objects import Bucket, denied
from tests.support.signing.signing import NOW, dump, message_bundle
from tests.support.signing.verifying import (
    ED25519,
    FILES,
    KEYS,
    MODEL,
    RELEASED,
    attestation_artifact,
    by,
    codes,
    content_of,
    file_artifact,
    judged,
    materials,
    model_artifact,
    policy,
    release,
    request,
    sha256,
    signed_file,
    signed_model,
    statement_about,
    verdict_of,
)

TOOL, SAID = b"a tool\n" * 100, b"said\n" * 100
HOUR = datetime.timedelta(hours=1)
WEEK = datetime.timedelta(days=7)
ASKED = policy(
    file_artifact(),
    model_artifact(release=RELEASED),
    attestation_artifact(name="said", source="s3://staging/said.bin"),
)
CI = (by(3),)
"""Who signs verdicts."""
Edit = Callable[[dict[str, Any]], object]


def staging() -> Bucket:
    made = Bucket()
    made.put({**signed_file("tool.bin", TOOL), **signed_model()})
    made.put({"m/release.sigstore.json": release(content_of(MODEL), name="model")})
    made.put({"said.bin": SAID, "said.bin.sigstore.json": statement_about(sha256(SAID))})
    return made


def first_verdict(bucket: Bucket, asked: VerifyPolicy = ASKED, **changes: Any) -> bytes:
    """What a first run says, as its file."""
    answer = judged(asked, bucket, **changes)
    return json_report.render(verdict_of(answer, request(asked, **changes)))


def kept(document: bytes, signature: bytes | None = None, *, key: Any = KEYS[3]) -> Bucket:
    """The store of verdicts."""
    made = Bucket(location="s3://verdicts")
    made.put({"v/verdict.json": document})
    made.put({"v/verdict.json.sigstore.json": signature or dump(message_bundle(key, document))})
    return made


def read(
    store: Bucket, *, now: datetime.datetime = NOW, signers: tuple[Signer, ...] = CI, age: datetime.timedelta = WEEK
) -> tuple[Earlier | None, str | None]:
    return read_earlier(store, "v/", trust_of(signers, 1, None, materials(), now), age)


def again(bucket: Bucket, earlier: Earlier | None, asked: VerifyPolicy = ASKED, **changes: Any) -> Judged:
    bucket.given.clear()
    return judged(asked, bucket, earlier=earlier, **changes)


def bytes_read(bucket: Bucket) -> int:
    """Of artifacts, without their signatures and statements."""
    return sum(count for key, count in bucket.given.items() if not key.endswith((".sigstore.json", ".sig")))


ALL = len(TOOL) + len(SAID) + sum(map(len, MODEL.values()))


def edited(edit: Edit, document: bytes) -> bytes:
    value = json.loads(document)
    edit(value)
    return json.dumps(value).encode()


class TestReuse:
    def test_nothing_is_read_of_what_is_unchanged(self) -> None:
        bucket = staging()
        document = first_verdict(bucket)
        earlier, notice = read(kept(document))
        assert notice is None
        assert earlier is not None
        answer = again(bucket, earlier)
        assert codes(answer) == []
        assert bytes_read(bucket) == 0
        assert {each.reused for each in answer.results} == {sha256(document)}
        assert [each.name for each in answer.results] == ["tool", "model", "said"]
        assert any("3 unchanged artifacts" in notice for notice in answer.outcome.notices)
        assert answer.subjects == judged(ASKED, bucket).subjects

    def test_an_attestation_as_actions_attest_makes_it(self) -> None:
        bucket = staging()
        document = first_verdict(bucket)
        said = statement_about(sha256(document), PREDICATE_TYPE, KEYS[3], {"result": "PASSED"})
        assert read(kept(document, said))[0] is not None

    def test_a_key_that_signs_the_content_itself(self) -> None:
        document = first_verdict(staging())
        assert read(kept(document, key=ED25519), signers=(by("ed25519"),))[0] is not None

    def test_a_chain_does_not_make_the_reading_younger(self) -> None:
        bucket = staging()
        second_at, third_at = NOW + 5 * 24 * HOUR, NOW + 8 * 24 * HOUR
        earlier, _ = read(kept(first_verdict(bucket)), now=second_at)
        second = first_verdict(bucket, earlier=earlier, now=second_at)
        later, _ = read(kept(second), now=third_at)
        assert later is not None
        answer = again(bucket, later, now=third_at)
        assert (codes(answer), bytes_read(bucket)) == ([], ALL)


CHANGES: list[tuple[str, Callable[[Bucket], VerifyPolicy], int]] = []


def change(read_again: int) -> Callable[[Callable[[Bucket], VerifyPolicy]], Callable[[Bucket], VerifyPolicy]]:
    def add(act: Callable[[Bucket], VerifyPolicy]) -> Callable[[Bucket], VerifyPolicy]:
        CHANGES.append((act.__name__, act, read_again))
        return act

    return add


def first_artifact(**changes: Any) -> VerifyPolicy:
    return policy(structs.replace(ASKED.artifacts[0], **changes), *ASKED.artifacts[1:])


@change(len(TOOL))
def same_bytes_in_a_new_version(bucket: Bucket) -> VerifyPolicy:
    bucket.put({"tool.bin": TOOL})
    return ASKED


@change(len(TOOL))
def signature_in_a_new_version(bucket: Bucket) -> VerifyPolicy:
    bucket.put({"tool.bin.sigstore.json": bucket.objects["tool.bin.sigstore.json"]})
    return ASKED


@change(ALL - len(TOOL) - len(SAID))
def release_in_a_new_version(bucket: Bucket) -> VerifyPolicy:
    bucket.put({"m/release.sigstore.json": release(content_of(MODEL), name="model", version="1.0.1")})
    return ASKED


@change(ALL - len(TOOL) - len(SAID))
def one_file_of_the_model_in_a_new_version(bucket: Bucket) -> VerifyPolicy:
    bucket.put({"m/config.json": MODEL["config.json"]})
    return ASKED


@change(len(TOOL))
def one_more_signer(bucket: Bucket) -> VerifyPolicy:
    return first_artifact(signers=(by(0), by(1)))


@change(len(TOOL))
def the_same_key_in_another_file(bucket: Bucket) -> VerifyPolicy:
    return first_artifact(signers=(by("copy-of-0"),))


@change(len(TOOL))
def another_name(bucket: Bucket) -> VerifyPolicy:
    return first_artifact(name="tool-2")


@change(len(SAID))
def another_predicate_type(bucket: Bucket) -> VerifyPolicy:
    types = (*ASKED.artifacts[2].predicate_types, "https://example.org/x")
    return policy(*ASKED.artifacts[:2], structs.replace(ASKED.artifacts[2], predicate_types=types))


@pytest.mark.parametrize(("act", "expected"), [each[1:] for each in CHANGES], ids=[each[0] for each in CHANGES])
def test_what_changed_is_read_and_nothing_else(act: Callable[[Bucket], VerifyPolicy], expected: int) -> None:
    bucket = staging()
    earlier, _ = read(kept(first_verdict(bucket)))
    assert earlier is not None
    answer = again(bucket, earlier, act(bucket))
    assert (codes(answer), bytes_read(bucket)) == ([], expected)


def test_another_trusted_root_or_key_under_the_same_name_is_another_record() -> None:
    bucket = staging()
    earlier, _ = read(kept(first_verdict(bucket)))
    again(bucket, earlier, trusted_root=b"{}")
    assert bytes_read(bucket) == ALL
    replaced = materials({**FILES, "keys/0.pub": FILES["keys/1.pub"]})
    answer = again(bucket, earlier, materials=replaced)
    assert codes(answer) == ["verify.wrong_key"] * 3


def test_tampered_bytes_under_a_new_version_are_refused() -> None:
    bucket = staging()
    earlier, _ = read(kept(first_verdict(bucket)))
    bucket.put({"tool.bin": b"evil"})
    assert codes(again(bucket, earlier)) == ["verify.wrong_signature"]


def test_an_extra_file_is_refused_though_all_others_are_known() -> None:
    bucket = staging()
    earlier, _ = read(kept(first_verdict(bucket)))
    bucket.put({"m/evil.pkl": b""})
    assert codes(again(bucket, earlier)) == ["verify.file_unsigned"]


def test_a_release_that_expired_since_is_refused() -> None:
    bucket = staging()
    statement = release(content_of(MODEL), name="model", notAfter="2026-06-15T12:30:00Z")
    bucket.put({"m/release.sigstore.json": statement})
    earlier, _ = read(kept(first_verdict(bucket)))
    assert codes(again(bucket, earlier)) == []
    assert codes(again(bucket, earlier, now=NOW + HOUR)) == ["verify.release_expired"]


def test_a_rollback_by_the_lock_is_refused() -> None:
    entry = Entry(version="1.1", sha256="1" * 64, statement="0" * 64, accepted=NOW.date())
    bucket = staging()
    earlier, _ = read(kept(first_verdict(bucket)))
    assert codes(again(bucket, earlier, lock=Lock({"model": entry}))) == ["verify.rollback"]


@pytest.mark.parametrize("rule", [{"valid_until": NOW.date()}])
def test_a_key_whose_days_ended_since_is_refused(rule: dict[str, Any]) -> None:
    bucket = staging()
    asked = policy(file_artifact(signers=(by(0, **rule),)))
    earlier, _ = read(kept(first_verdict(bucket, asked)))
    assert codes(again(bucket, earlier, asked)) == []
    assert bytes_read(bucket) == 0
    assert codes(again(bucket, earlier, asked, now=NOW + 24 * HOUR)) == ["verify.key_outside_window"]


def test_a_store_without_versions_is_read_each_time() -> None:
    bucket = staging()
    bucket.versioned = False
    earlier, _ = read(kept(first_verdict(bucket)))
    assert earlier is not None
    assert earlier.known == {}
    answer = again(bucket, earlier)
    assert (codes(answer), bytes_read(bucket)) == ([], ALL)


class TestNotCounting:
    def none(self, store: Bucket, **changes: Any) -> str:
        earlier, notice = read(store, **changes)
        assert earlier is None
        assert notice is not None
        assert notice.startswith("The earlier verdict at s3://verdicts/v/ does not count (verify.")
        return notice

    def test_there_is_none(self) -> None:
        assert read(Bucket(location="s3://verdicts")) == (None, None)
        alone = kept(b"{}")
        del alone.objects["v/verdict.json.sigstore.json"]
        assert read(alone) == (None, None)

    def test_the_store_does_not_answer(self) -> None:
        store = kept(b"{}")
        store.fault = denied()
        assert "403" in self.none(store)
        store.fault, store.faults = None, {"v/verdict.json": denied()}
        assert "403" in self.none(store)

    def test_others_signed_it(self) -> None:
        self.none(kept(first_verdict(staging()), key=KEYS[0]))

    def test_it_was_changed_after_signing(self) -> None:
        document = first_verdict(staging())
        self.none(kept(document + b"\n", dump(message_bundle(KEYS[3], document))))

    @pytest.mark.parametrize(
        ("digest", "kind"),
        [(None, "https://slsa.dev/provenance/v1"), (sha256(b"other"), PREDICATE_TYPE)],
    )
    def test_an_attestation_of_something_else(self, digest: str | None, kind: str) -> None:
        document = first_verdict(staging())
        self.none(kept(document, statement_about(digest or sha256(document), kind, KEYS[3])))

    @pytest.mark.parametrize("signature", [b"", b"{}", b"x" * ((1 << 20) + 1)])
    def test_the_signature_is_none(self, signature: bytes) -> None:
        store = kept(first_verdict(staging()))
        store.put({"v/verdict.json.sigstore.json": signature})
        self.none(store)

    @pytest.mark.parametrize(
        "edit",
        [
            lambda v: v.update(gate="scan"),
            lambda v: v.update(gate="all"),
            lambda v: v.update(decision="pass with waiver"),
            lambda v: v.update(decision="fail"),
            lambda v: v.update(decision="not-applicable"),
            lambda v: v.update(decision="observed"),
            lambda v: v.update(observe=True),
            lambda v: v.update(bootstrap=True),
            lambda v: v.update(bootstrap=None),
            lambda v: v.update(schema="urn:aegis-gates:schema:verdict:v2"),
        ],
    )
    def test_it_is_no_plain_pass_of_this_gate(self, edit: Edit) -> None:
        assert "(verify.earlier_invalid): it says" in self.none(kept(edited(edit, first_verdict(staging()))))

    @pytest.mark.parametrize(
        "edit",
        [
            lambda v: v.pop("gate"),
            lambda v: v.pop("evidence"),
            lambda v: v.update(evidence=None),
            lambda v: v.update(evidence=[]),
            lambda v: v.update(evidence=[1]),
            lambda v: v.update(evidence=[{"name": [], "value": 1}]),
            lambda v: v.update(evidence=[{"name": "artifacts", "value": 7}]),
            lambda v: v.update(evidence=[{"name": "artifacts", "value": [{}]}]),
            lambda v: v.update(evidence=[{"name": "artifacts", "value": [[]]}]),
            *(
                lambda v, field=field, value=value: v["evidence"][0]["value"][0].update({field: value})
                for field, value in [
                    ("read", 7), ("record", []), ("record", 1), ("signed_by", None), ("signed_by", [{}]),
                    ("notices", 3), ("notices", [1]), ("size", "1"), ("name", None), ("sha256", {}),
                ]
            ),
        ],
    )  # fmt: skip
    def test_malformed(self, edit: Edit) -> None:
        assert "(verify.earlier_invalid): it is no verdict of this gate" in self.none(
            kept(edited(edit, first_verdict(staging())))
        )

    @pytest.mark.parametrize("document", [b"", b"[]", b"null", b"7", b"{" * 100_000, b'{"a":1,"a":2}', b"\xff"])
    def test_no_json_object(self, document: bytes) -> None:
        self.none(kept(document))

    @pytest.mark.parametrize(
        "moment",
        [
            "",
            "yesterday",
            "2026-06-15T12:00:00",
            "2026-06-08T11:59:59+00:00",
            "2026-06-15T12:05:01+00:00",
            "0001-01-01",
        ],
    )
    def test_it_was_read_too_long_ago_or_in_the_future(self, moment: str) -> None:
        def edit(verdict: dict[str, Any]) -> None:
            for each in verdict["evidence"][0]["value"]:
                each["read"] = moment

        bucket = staging()
        earlier, notice = read(kept(edited(edit, first_verdict(bucket))))
        assert notice is None
        assert earlier is not None
        assert earlier.known == {}

    @pytest.mark.parametrize(
        "moment", ["2026-06-08T12:00:00+00:00", "2026-06-15T12:05:00Z", "2026-06-15T10:00:00-02:00"]
    )
    def test_the_edges_of_its_age(self, moment: str) -> None:
        def edit(verdict: dict[str, Any]) -> None:
            verdict["evidence"][0]["value"][0]["read"] = moment

        earlier, _ = read(kept(edited(edit, first_verdict(staging()))))
        assert earlier is not None
        assert "tool" in {each.name for each in earlier.known.values()}

    def test_an_empty_record_answers_nothing(self) -> None:
        bucket = staging()
        answer = judged(ASKED, bucket)
        known = Earlier("0" * 64, {"": replace(answer.results[0], record="")})
        assert known.result("") is None


def test_a_release_has_signers_of_its_own_in_the_record() -> None:
    bucket = staging()
    asked = policy(file_artifact(release=Release(signers=(by(0), by(1)))))
    bucket.put({"release.sigstore.json": release(sha256(TOOL))})
    earlier, _ = read(kept(first_verdict(bucket, asked)))
    narrower = policy(file_artifact(release=Release(signers=(by(1),))))
    assert codes(again(bucket, earlier, narrower)) == ["verify.wrong_key"]
