"""The gate as a whole: several artifacts, faults of the store, waivers, loosenings."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import pytest

from aegis.core.errors import CouldNotDecide, UsageError
from aegis.core.policy import Artifact, Policy, Signer, VerifyPolicy, Waiver
from aegis.core.policy_in_force import InForce
from aegis.core.ports.repository import Change
from aegis.core.verdict import Verdict, exit_code
from aegis.gates.verify import gate
from tests.doubles.objects import Bucket, denied
from tests.support.signing.signing import NOW
from tests.support.signing.verifying import (
    KEYS,
    SLSA,
    attestation_artifact,
    by,
    codes,
    file_artifact,
    judged,
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

TOOL, SAID = b"a tool\n", b"said\n"
THREE = policy(file_artifact(), model_artifact(), attestation_artifact(name="said", source="s3://other/said.bin"))
TODAY = NOW.date()


def staging() -> Bucket:
    made = Bucket()
    made.put({**signed_file("tool.bin", TOOL), **signed_model()})
    return made


def other() -> Bucket:
    made = Bucket(location="s3://other")
    made.put({"said.bin": SAID, "said.bin.sigstore.json": statement_about(sha256(SAID))})
    return made


def verdict(asked: VerifyPolicy, *buckets: Bucket, **changes: Any) -> Verdict:
    return verdict_of(judged(asked, *buckets, **changes), request(asked, **changes))


def test_everything_passes() -> None:
    one, two = staging(), other()
    passed = verdict(THREE, one, two)
    assert (passed.result, passed.decision, passed.reason, exit_code(passed)) == ("pass", "pass", "core.passed", 0)
    assert [subject.name for subject in passed.subject] == ["tool", "model", "said"]
    evidence = {each.name: each.value for each in passed.evidence}
    assert [each["name"] for each in evidence["artifacts"]] == ["tool", "model", "said"]
    assert {each["read"] for each in evidence["artifacts"]} == {"2026-06-15T12:00:00+00:00"}
    assert (evidence["trusted_root"], evidence["earlier"]) == ("packaged", None)
    for bucket in (one, two):
        assert all(bucket.given[key] == len(content) for key, content in bucket.objects.items())


def test_a_trusted_root_of_ones_own_is_in_the_evidence() -> None:
    answer = judged(THREE, staging(), other(), trusted_root=b"{}")
    assert ("trusted_root", sha256(b"{}")) in {
        (each.name, each.value) for each in answer.outcome.evidence if each.name == "trusted_root"
    }


@pytest.mark.parametrize("broken", ["tool", "model", "said"])
def test_one_refused_artifact_hides_no_other(broken: str) -> None:
    one, two = staging(), other()
    key = {"tool": "tool.bin", "model": "m/config.json", "said": "said.bin"}[broken]
    (two if broken == "said" else one).put({key: b"evil"})
    answer = judged(THREE, one, two)
    assert len(answer.outcome.findings) == 1
    assert [each.name for each in answer.results] == [name for name in ("tool", "model", "said") if name != broken]
    assert [each.name for each in answer.subjects] == [each.name for each in answer.results]
    failed = verdict(THREE, one, two)
    assert (failed.result, exit_code(failed)) == ("fail", 1)


def test_all_reasons_are_told_at_once() -> None:
    one, two = staging(), other()
    one.put({"tool.bin": b"evil", "m/extra": b""})
    two.put({"said.bin.sigstore.json": statement_about(sha256(SAID), SLSA, KEYS[1])})
    expected = ["verify.file_unsigned", "verify.wrong_key", "verify.wrong_signature"]
    assert sorted(codes(judged(THREE, one, two))) == expected


class TestFaults:
    def test_a_store_that_is_down_is_no_answer(self) -> None:
        one, two = staging(), other()
        two.fault = denied("s3://other")
        undecided = verdict(THREE, one, two)
        assert (undecided.result, undecided.decision, undecided.reason) == (
            "error", "could-not-decide", "verify.store_denied",
        )  # fmt: skip
        assert exit_code(undecided) == 3
        assert [subject.name for subject in undecided.subject] == ["tool", "model"]

    def test_beside_a_refusal_it_is_a_refusal(self) -> None:
        one, two = staging(), other()
        two.fault = denied("s3://other")
        one.put({"tool.bin": b"evil"})
        both = verdict(THREE, one, two)
        assert (both.result, exit_code(both)) == ("fail", 1)
        assert {finding.cause for finding in both.findings} == {"artifact", "could-not-decide"}

    @pytest.mark.parametrize("key", ["tool.bin", "tool.bin.sigstore.json", "m/weights/a.bin", "m/model.sig"])
    def test_a_fault_while_reading(self, key: str) -> None:
        one = staging()
        one.faults[key] = denied()
        answer = judged(THREE, one, other())
        assert codes(answer) == ["verify.store_denied"]
        assert len(answer.results) == 2

    def test_a_store_that_cannot_be_opened(self) -> None:
        assert codes(judged(THREE, staging())) == ["verify.store_missing"]

    def test_an_object_that_grew_while_it_was_read(self) -> None:
        class Growing(Bucket):
            def _info(self, key: str) -> Any:
                info = super()._info(key)
                return info if key != "tool.bin" else type(info)(key, info.size - 1, info.version)

        one = Growing()
        one.put({**signed_file("tool.bin", TOOL), **signed_model()})
        assert codes(judged(THREE, one, other())) == ["verify.store_wrong_size"]

    def test_wrong_configuration_of_a_store_stops_everything(self) -> None:
        def unset(location: object) -> Bucket:
            raise UsageError("verify.policy_incomplete", "no region", expected="one", remedy="set it")

        with pytest.raises(UsageError, match="no region"):
            gate.judge(request(THREE), unset)


class TestWaivers:
    def waiver(self, answer: gate.Judged, **changes: Any) -> Waiver:
        (finding,) = answer.outcome.findings
        usual: dict[str, Any] = {
            "gate": "verify",
            "rule": finding.rule,
            "fingerprint": finding.fingerprint,
            "owner": "@octo/ml",
            "reason": "moves in Q3",
            "expires": TODAY,
        }
        return Waiver(**{**usual, **changes})

    def run(self, waiver: Waiver | None, tampered: bytes = b"evil") -> Verdict:
        bucket = staging()
        bucket.put({"tool.bin": tampered} if tampered != TOOL else {})
        asked = policy(file_artifact())
        waivers = (waiver,) if waiver is not None else ()
        in_force = InForce(Policy(version=1, verify=asked, waivers=waivers), "o", "0" * 64)
        return verdict(asked, bucket, in_force=in_force)

    def found(self) -> gate.Judged:
        bucket = staging()
        bucket.put({"tool.bin": b"evil"})
        return judged(policy(file_artifact()), bucket)

    def test_the_named_finding_is_let_through_in_plain_sight(self) -> None:
        waived = self.run(self.waiver(self.found()))
        assert (waived.result, waived.decision) == ("pass", "pass with waiver")
        assert [each.rule for each in waived.waivers] == ["verify.wrong_signature"]
        # whoever signs the verdict does not vouch for the artifact
        assert waived.subject == ()

    def test_other_bytes_are_another_finding(self) -> None:
        refused = self.run(self.waiver(self.found()), b"evil 2")
        assert refused.result == "fail"
        assert {finding.rule for finding in refused.findings} == {"verify.wrong_signature", "core.waiver_invalid"}

    def test_a_waiver_that_nothing_needs_any_more(self) -> None:
        refused = self.run(self.waiver(self.found()), TOOL)
        assert [finding.rule for finding in refused.findings] == ["core.waiver_invalid"]

    @pytest.mark.parametrize(
        "change",
        [
            {"expires": TODAY - datetime.timedelta(days=1)},
            {"expires": TODAY + datetime.timedelta(days=181)},
            {"owner": " "},
            {"rule": "verify.wrong_key"},
            {"fingerprint": "0" * 64},
        ],
    )
    def test_waivers_that_do_not_hold(self, change: dict[str, Any]) -> None:
        refused = self.run(self.waiver(self.found(), **change))
        assert refused.result == "fail"
        assert {finding.rule for finding in refused.findings} == {"verify.wrong_signature", "core.waiver_invalid"}

    def test_a_waiver_of_another_gate(self) -> None:
        refused = self.run(self.waiver(self.found(), gate="scan"))
        assert [finding.rule for finding in refused.findings] == ["verify.wrong_signature"]


def change(path: str, old: str | None = "same") -> Change:
    return Change(path, path if old == "same" else old, "modified")


class TestLoosening:
    POLICY, KEY, CODE = change("aegis.yml"), change("keys/0.pub"), change("src/a.py")

    def run(
        self, changes: Sequence[Change] | None, *, weaker: tuple[str, ...] = (), loosened: tuple[str, ...] = ()
    ) -> Any:
        asked = policy(file_artifact())
        in_force = InForce(Policy(version=1, verify=asked), "base", "0" * 64, loosened=tuple(loosened))
        return judged(
            asked,
            staging(),
            in_force=in_force,
            weaker=tuple(weaker),
            changes=None if changes is None else tuple(changes),
            own_files=frozenset({"aegis.yml", "aegis.lock", "keys/0.pub"}),
        )

    def test_beside_other_files_it_fails(self) -> None:
        answer = self.run([self.KEY, self.CODE], weaker=("verify: keys/0.pub is another one",))
        assert codes(answer) == ["core.policy_loosened"]
        assert "keys/0.pub is another one" in answer.outcome.findings[0].message

    def test_alone_it_is_told(self) -> None:
        answer = self.run([self.POLICY, self.KEY], weaker=("w",), loosened=("verify.artifacts: x is gone",))
        assert codes(answer) == []
        told = [notice for notice in answer.outcome.notices if "loosens" in notice]
        assert len(told) == 2

    @pytest.mark.parametrize(
        "changes", [None, (), (change("aegis.yml", "src/a.py"),), (change("src/a.py", "aegis.yml"),)]
    )
    def test_a_rename_or_nothing_is_not_alone(self, changes: Sequence[Change] | None) -> None:
        assert codes(self.run(changes, weaker=("w",))) == ["core.policy_loosened"]

    def test_what_concerns_another_gate_is_not_told_here(self) -> None:
        assert codes(self.run([self.CODE], loosened=("scan.strict: false instead of true",))) == []
        assert codes(self.run([self.CODE], loosened=("mode: observe",))) == ["core.policy_loosened"]


class TestWhoseSignature:
    """The line that signs, which a red check prints, is the one that the policy asks for."""

    @pytest.mark.parametrize(
        ("rules", "shared", "how"),
        [
            ((by(0),), (), "--key KEY.pem"),
            ((), (by(0),), "--key KEY.pem"),
            ((Signer(identity="https://x", issuer="https://i"),), (by(0),), "--keyless"),
            ((), (Signer(identity="https://x", issuer="https://i"),), "--keyless"),
        ],
    )
    def test_how(self, rules: tuple[Signer, ...], shared: tuple[Signer, ...], how: str) -> None:
        bucket = Bucket()
        bucket.put({"tool.bin": TOOL})
        answer = judged(policy(file_artifact(signers=rules), signers=shared), bucket)
        assert f"aegis sign file FILE {how}, then" in answer.outcome.findings[0].remedy


def test_a_file_of_the_repository() -> None:
    local = Bucket(signed_file("models/tool.bin", TOOL), location=".", versioned=False)
    answer = judged(policy(file_artifact(source="models/tool.bin"), aws=None), local)
    assert codes(answer) == []
    assert answer.results[0].record == ""


@pytest.mark.parametrize(
    "artifact", [file_artifact(), model_artifact(), attestation_artifact(source="s3://staging/tool.bin")]
)
def test_a_signature_of_one_artifact_says_nothing_of_another_kind(artifact: Artifact) -> None:
    """The same key signs files, models and statements: each must be taken for what it is only."""
    bucket = Bucket()
    wrong = {
        "file": statement_about(sha256(TOOL)),
        "model": statement_about(sha256(TOOL)),
        "attestation": signed_file("tool.bin", TOOL)["tool.bin.sigstore.json"],
    }[artifact.kind]
    bucket.put({"tool.bin": TOOL, "tool.bin.sigstore.json": wrong, "m/a": TOOL, "m/model.sig": wrong})
    (code,) = codes(judged(policy(artifact), bucket))
    assert code in {"verify.wrong_content", "verify.wrong_predicate"}


def test_progress_and_stage() -> None:
    seen: list[tuple[int, int]] = []
    asked = request(THREE, progress=lambda done, total: seen.append((done, total)))
    gate.judge(asked, opener(staging(), other()))
    assert seen
    stage = gate.prepare(request(THREE), opener(staging(), other()))
    assert {each.info.key for each in stage.wanted} == {
        "tool.bin", "m/config.json", "m/weights/a.bin", "m/weights/b.bin", "said.bin",
    }  # fmt: skip
    assert stage.local == frozenset()


def test_no_answer_of_reading_is_no_pass() -> None:
    stage = gate.prepare(request(THREE), opener(staging(), other()))

    def nothing(wanted: object) -> Any:
        raise CouldNotDecide("verify.store_failed", "p", expected="e", remedy="r")

    assert codes(gate.finish(request(THREE), stage, nothing)) == ["verify.store_failed"] * 3
