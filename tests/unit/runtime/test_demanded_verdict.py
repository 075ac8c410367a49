"""The verdict that a policy demands beside the signatures, and each verdict that is none."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest

from aegis.artifacts.preparing import Basis
from aegis.artifacts.result import Result
from aegis.core.errors import AegisError, CouldNotDecide, Refused
from aegis.core.policy import Earlier, Load
from aegis.core.verdict import PREDICATE_TYPE
from aegis.report import json_report
from aegis.signatures.lock import Lock
from aegis_multimodal_ai_system.demanded_verdict import check_verdict
from tests.doubles.objects import Bucket, denied
from tests.support.signing.signing import NOW, dump, message_bundle
from tests.support.signing.verifying import (
    KEYS,
    by,
    file_artifact,
    judged,
    materials,
    model_artifact,
    opener,
    policy,
    request,
    sha256,
    signed_file,
    signed_model,
    statement_about,
    verdict_of,
)

DAY = datetime.timedelta(days=1)
DEMANDED = Load(verdict=Earlier(source="s3://verdicts/v/", signers=(by(3),), max_age_days=7))
ASKED = policy(file_artifact(), model_artifact(), load=DEMANDED)
Edit = Callable[[dict[str, Any]], object]


@lru_cache
def gate() -> tuple[bytes, tuple[Result, ...]]:
    """What the gate says of the store, as its file; and what the loader finds there by itself."""
    bucket = Bucket()
    bucket.put({**signed_file("tool.bin", b"a tool\n"), **signed_model()})
    answer = judged(ASKED, bucket)
    return json_report.render(verdict_of(answer, request(ASKED))), answer.results


def found(name: str = "model", **changes: Any) -> Result:
    return replace(next(each for each in gate()[1] if each.name == name), **changes)


def store(document: bytes | None = None, signature: bytes | None = None, *, key: Any = KEYS[3]) -> Bucket:
    made = Bucket(location="s3://verdicts")
    document = gate()[0] if document is None else document
    made.put({"v/verdict.json": document})
    made.put({"v/verdict.json.sigstore.json": signature or dump(message_bundle(key, document))})
    return made


def edited(edit: Edit) -> bytes:
    value = json.loads(gate()[0])
    edit(value)
    return json.dumps(value).encode()


def results_of(verdict: dict[str, Any]) -> list[dict[str, Any]]:
    (found,) = (each["value"] for each in verdict["evidence"] if each["name"] == "artifacts")
    return list(found)


def check(bucket: Bucket, result: Result | None = None, *, now: datetime.datetime = NOW, load: Load = DEMANDED) -> None:
    basis = Basis(policy=ASKED, now=now, materials=materials(), trusted_root=None, lock=Lock())
    check_verdict(load, result or found(), basis, opener(bucket))


def refused(bucket: Bucket, result: Result | None = None, **more: Any) -> str:
    with pytest.raises(Refused) as caught:
        check(bucket, result, **more)
    assert caught.value.code.startswith("runtime.")
    return caught.value.code.removeprefix("runtime.")


@pytest.mark.parametrize("name", ["model", "tool"])
def test_a_signed_pass_of_just_this_artifact(name: str) -> None:
    check(store(), found(name))


def test_an_attestation_as_actions_attest_makes_it() -> None:
    document = gate()[0]
    check(store(document, statement_about(sha256(document), PREDICATE_TYPE, KEYS[3], {"result": "PASSED"})))


def test_nothing_is_asked_where_none_is_demanded() -> None:
    bucket = store()
    bucket.fault = denied()
    check(bucket, load=Load())


def test_it_counts_by_its_bytes_and_not_by_the_address_they_came_from() -> None:
    check(store(), found(source="s3://mirror/m/", record="", release="9.9"))


def test_also_of_a_store_without_versions() -> None:
    """There the gate keeps no record to compare; the digests are what counts here."""

    def edit(verdict: dict[str, Any]) -> None:
        value = next(each for each in verdict["evidence"] if each["name"] == "artifacts")["value"]
        for each in value:
            each["record"] = ""

    check(store(edited(edit)))


class TestRefused:
    @pytest.mark.parametrize("lost", ["v/verdict.json", "v/verdict.json.sigstore.json"])
    def test_it_is_missing_or_unsigned(self, lost: str) -> None:
        bucket = store()
        del bucket.objects[lost]
        assert refused(bucket) == "verdict_missing"

    def test_others_signed_it(self) -> None:
        assert refused(store(key=KEYS[0])) == "verdict_untrusted"

    def test_it_was_changed_after_signing(self) -> None:
        document = gate()[0]
        changed = store(document.replace(b'"pass"', b'"pass" '), dump(message_bundle(KEYS[3], document)))
        assert refused(changed) == "verdict_untrusted"

    @pytest.mark.parametrize("signature", [b"{}", b"x", b"[" * 1000])
    def test_its_signature_is_none(self, signature: bytes) -> None:
        assert refused(store(signature=signature)) == "verdict_untrusted"

    @pytest.mark.parametrize(
        ("digest", "kind"), [(None, "https://slsa.dev/provenance/v1"), (sha256(b"other"), PREDICATE_TYPE)]
    )
    def test_an_attestation_of_something_else(self, digest: str | None, kind: str) -> None:
        document = gate()[0]
        bucket = store(document, statement_about(digest or sha256(document), kind, KEYS[3]))
        assert refused(bucket) == "verdict_untrusted"

    @pytest.mark.parametrize(
        "edit",
        [
            lambda v: v.update(decision="fail"),
            lambda v: v.update(decision="pass with waiver"),
            lambda v: v.update(decision="observed"),
            lambda v: v.update(observe=True),
            lambda v: v.update(bootstrap=True),
            lambda v: v.update(gate="scan"),
            lambda v: v.update(gate="all"),
            lambda v: v.update(schema="urn:aegis-gates:schema:verdict:v2"),
            lambda v: v.update(evidence=[]),
            lambda v: v.pop("decision"),
            lambda v: results_of(v)[0].update(sha256=7),
        ],
        ids=[
            "fail", "waiver", "observed", "observe", "bootstrap", "scan", "all", "schema", "no_evidence", "no_decision",
            "malformed",
        ],
    )  # fmt: skip
    def test_it_is_no_plain_pass(self, edit: Edit) -> None:
        assert refused(store(edited(edit))) == "verdict_not_pass"

    @pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"a":1,"a":2}'])
    def test_it_is_no_verdict(self, document: bytes) -> None:
        assert refused(store(document)) == "verdict_not_pass"

    @pytest.mark.parametrize(
        "changes",
        [
            {"name": "other"},
            {"name": "Model"},
            {"kind": "file"},
            {"sha256": "0" * 64},
            {"content": "0" * 64},
            {"sha256": "", "content": ""},
        ],
        ids=lambda changes: " ".join(changes) + " " + "".join(changes.values())[:6],
    )
    def test_it_is_of_something_else(self, changes: dict[str, Any]) -> None:
        assert refused(store(), replace(found(), **changes)) == "verdict_other_artifact"

    def test_it_names_the_digest_under_another_name(self) -> None:
        def edit(verdict: dict[str, Any]) -> None:
            for each in verdict["evidence"][0]["value"]:
                each["name"] = f"{each['name']}2"

        assert refused(store(edited(edit))) == "verdict_other_artifact"

    def test_it_names_the_artifact_twice(self) -> None:
        def edit(verdict: dict[str, Any]) -> None:
            value = verdict["evidence"][0]["value"]
            value += [{**each, "sha256": "0" * 64} for each in value]

        assert refused(store(edited(edit))) == "verdict_other_artifact"

    @pytest.mark.parametrize(
        "later", [7 * DAY + datetime.timedelta(seconds=1), -datetime.timedelta(minutes=6)], ids=str
    )
    def test_it_is_too_old_or_of_the_future(self, later: datetime.timedelta) -> None:
        assert refused(store(), now=NOW + later) == "verdict_too_old"

    def test_its_age_is_that_of_the_reading(self) -> None:
        check(store(), now=NOW + 7 * DAY)

    @pytest.mark.parametrize("moment", ["", "yesterday", "2026-06-15T12:00:00"])
    def test_it_does_not_say_when(self, moment: str) -> None:
        def edit(verdict: dict[str, Any]) -> None:
            for each in verdict["evidence"][0]["value"]:
                each["read"] = moment

        assert refused(store(edited(edit))) == "verdict_too_old"


def test_a_store_that_does_not_answer_is_no_yes() -> None:
    bucket = store()
    bucket.fault = denied()
    with pytest.raises(CouldNotDecide, match="403"):
        check(bucket)


def test_a_signer_whose_key_is_gone_is_no_yes() -> None:
    load = Load(verdict=Earlier(source="s3://verdicts/v/", signers=(by("gone"),)))
    with pytest.raises(AegisError) as caught:
        check(store(), load=load)
    assert caught.value.code == "verify.key_missing"
