"""A verdict as an in-toto predicate, so that `actions/attest` can sign it and a later gate can demand it.

Predicate type: https://in-toto.io/attestation/test-result/v0.1
(https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md).
"""

from __future__ import annotations

import hashlib
import re

from aegis.core.verdict import SCHEMA_ID, Verdict
from aegis.report.escape import visible
from aegis.report.json_report import encode

_TAKEN = {"sha256": re.compile("[0-9a-f]{64}"), "sha512": re.compile("[0-9a-f]{128}")}
"""The digests that the input `subject-checksums` of `actions/attest` takes; it tells them apart by their length."""

_WHOLE = frozenset({"pass", "PASS"})
"""The decisions that answer for all that was to be judged: a shard, a folder, or nothing at all proves less."""
_PROMOTED = frozenset({"promote"})
"""Of the canary gate, whose preflight judges no version."""


def render(verdict: Verdict, verdict_json: bytes) -> bytes:
    """`predicate.json`, the input `predicate-path` of `actions/attest`."""
    result = _result(verdict)
    names = sorted({finding.rule for finding in verdict.findings} or {verdict.reason})
    document: dict[str, object] = {
        "result": result,
        "configuration": _configuration(verdict),
        "passedTests": [verdict.gate] if result == "PASSED" else [],
        "warnedTests": [verdict.gate] if result == "WARNED" else [],
        "failedTests": names if result == "FAILED" else [],
        # An extension field is named by a type URI (in-toto attestation v1, parsing rules).
        SCHEMA_ID: {
            "gate": verdict.gate,
            "result": verdict.result,
            "decision": verdict.decision,
            "reason": verdict.reason,
            "finished": verdict.finished,
            "digest": {"sha256": hashlib.sha256(verdict_json).hexdigest()},
        },
    }
    if verdict.source.run_url is not None:
        document["url"] = verdict.source.run_url
    return encode(document)


def subjects(verdict: Verdict, verdict_json: bytes) -> bytes:
    """`subjects.txt` for `subject-checksums`: a line a subject, digest, two spaces, name.

    A git commit's digest cannot stand here, since `actions/attest` would refuse it (or take it for a file's).
    `verdict.json` itself is always a subject, and it names the commit.
    """
    lines = [f"{hashlib.sha256(verdict_json).hexdigest()}  verdict.json"]
    for subject in verdict.subject:
        for algorithm, pattern in _TAKEN.items():
            digest = subject.digest.get(algorithm, "")
            if pattern.fullmatch(digest):
                lines.append(f"{digest}  {visible(subject.name)}")
                break
    return "\n".join([*lines, ""]).encode()


def _configuration(verdict: Verdict) -> list[dict[str, object]]:
    """The policy and the tool, as far as their digests are known: a descriptor without any says nothing."""
    known = {
        verdict.policy.origin: verdict.policy.sha256,
        f"{verdict.tool.name} {verdict.tool.version}": verdict.tool.digest,
    }
    return [{"name": name, "digest": {"sha256": digest}} for name, digest in known.items() if digest]


def _result(verdict: Verdict) -> str:
    """PASSED is an enforced yes to the whole, without any exception; could-not-decide is FAILED, with our reason."""
    if verdict.result != "pass":
        return "FAILED"
    partly = verdict.decision not in (_PROMOTED if verdict.gate == "canary" else _WHOLE)
    return "WARNED" if partly or verdict.observe or verdict.bootstrap or verdict.waivers else "PASSED"
