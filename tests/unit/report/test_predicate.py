from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest

from aegis.core.verdict import SCHEMA_ID, PolicyInForce, Source, Subject, Verdict
from aegis.report import predicate
from tests.support.verdicts.verdicts import failing, finding, undecided, verdict, waiver


def rendered(given: Verdict) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(predicate.render(given, b"{}"))
    return document


@pytest.mark.parametrize(
    ("given", "result"),
    [
        (verdict(), "PASSED"),
        (verdict(waivers=(waiver(),)), "WARNED"),
        (verdict(bootstrap=True), "WARNED"),
        (verdict(observe=True), "WARNED"),
        (verdict(decision="not-applicable", reason="core.not_applicable"), "WARNED"),
        (verdict(decision="pass of a part"), "WARNED"),
        (verdict(gate="backup-check", decision="PASS"), "PASSED"),
        (verdict(gate="backup-check", decision="PASS OF A PART"), "WARNED"),
        (verdict(gate="canary", decision="promote"), "PASSED"),
        # of a preflight, and of the root action where there is no rollout
        (verdict(gate="canary"), "WARNED"),
        (verdict(gate="canary", decision="not-applicable", reason="core.not_applicable"), "WARNED"),
        (failing(), "FAILED"),
        (failing(observe=True), "FAILED"),
        (undecided(), "FAILED"),
    ],
)
def test_only_an_enforced_answer_to_the_whole_without_exception_is_passed(given: Verdict, result: str) -> None:
    document = rendered(given)
    assert document["result"] == result
    names = {"PASSED": "passedTests", "WARNED": "warnedTests", "FAILED": "failedTests"}
    assert [name for name in names.values() if document[name]] == [names[result]]


def test_every_field_is_of_the_published_type() -> None:
    document = rendered(failing(finding(), finding(rule="scan.cli"), finding(line=9)))
    assert set(document) == {
        "result", "configuration", "url", "passedTests", "warnedTests", "failedTests", SCHEMA_ID,
    }  # fmt: skip
    assert document["failedTests"] == ["scan.cli", "scan.runtime"]
    assert all(re.fullmatch("[0-9a-f]{64}", entry["digest"]["sha256"]) for entry in document["configuration"])
    assert document["url"] == "https://github.com/octo/widgets/actions/runs/7"


def test_could_not_decide_carries_our_reason() -> None:
    document = rendered(undecided())
    assert document["failedTests"] == ["scan.engine_failed"]
    assert document[SCHEMA_ID]["result"] == "error"
    assert document[SCHEMA_ID]["digest"] == {"sha256": hashlib.sha256(b"{}").hexdigest()}


def test_what_has_no_digest_is_no_configuration() -> None:
    unread = PolicyInForce(origin="unknown", sha256="", effective={})
    (tool,) = rendered(undecided(policy=unread))["configuration"]
    assert tool == {"name": "aegis 1.0.0", "digest": {"sha256": "ab" * 32}}


def test_no_run_means_no_url() -> None:
    assert "url" not in rendered(verdict(source=Source()))


def attest_reads(text: str) -> list[tuple[str, str]]:
    """As actions/attest reads `subject-checksums` (src/subject.ts): digest, a space, a flag, name."""
    found = []
    for record in filter(None, text.split("\n")):
        digest, _, name = record.partition(" ")
        assert re.fullmatch("[0-9a-fA-F]{64}|[0-9a-fA-F]{128}", digest), digest
        found.append((name[1:] if name[:1] in {" ", "*"} else name, digest))
    return found


def test_subjects_are_what_attest_takes() -> None:
    subjects = (
        Subject(name="octo/widgets", digest={"gitCommit": "1f" * 20}),
        Subject(name="models/a b.safetensors", digest={"sha256": "aa" * 32}),
        Subject(name="x\n" + "bb" * 32 + "  y", digest={"sha512": "cc" * 64}),
        Subject(name="sha256 repository", digest={"gitCommit": "dd" * 32}),
        Subject(name="broken", digest={"sha256": "zz"}),
    )
    read = attest_reads(predicate.subjects(verdict(subject=subjects), b"{}").decode())
    assert read == [
        ("verdict.json", hashlib.sha256(b"{}").hexdigest()),
        ("models/a b.safetensors", "aa" * 32),
        (r"x\n" + "bb" * 32 + "  y", "cc" * 64),
    ]
