"""A verdict as SARIF 2.1.0, in the shape that GitHub's code scanning takes.

Specification: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html (§ below). Limits:
https://docs.github.com/code-security/code-scanning/troubleshooting-sarif-uploads/results-exceed-limit.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal
from urllib.parse import quote

from aegis.core.codes import CODES
from aegis.core.verdict import Finding, Verdict, exit_code
from aegis.report.escape import encodable, visible
from aegis.report.headline import observed
from aegis.report.json_report import encode

LIMIT = 5_000
"""Results that code scanning keeps of a run; it drops the rest without telling the reader of the alerts."""

FINGERPRINT = "aegisFinding/v1"
"""Ours. `primaryLocationLineHash` belongs to the uploader (https://github.com/github/codeql-action/issues/4052)."""

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_POLICY_FILE = "aegis.yml"
"""Where a finding without a place is shown: code scanning refuses a result without a location."""

Level = Literal["error", "warning"]


def render(verdict: Verdict) -> bytes:
    """`verdict.sarif`: one run, also when there is nothing to report, since only that closes mended alerts."""
    return encode({"$schema": _SCHEMA, "version": "2.1.0", "runs": [_run(verdict)]})


def _run(verdict: Verdict) -> dict[str, Any]:
    findings, left_out = _kept(verdict.findings)
    rules = sorted({code.id for code in CODES.values() if code.gate == verdict.gate} | {f.rule for f in findings})
    level: Level = "warning" if observed(verdict) or verdict.result == "pass" else "error"
    index = {rule: number for number, rule in enumerate(rules)}
    run: dict[str, Any] = {
        "tool": {"driver": _driver(verdict, rules)},
        # The last slash ends the category; without it all gates would share the category `aegis`, and each would close
        # the alerts of the others (§3.17.3, and GitHub's "SARIF support for code scanning").
        "automationDetails": {"id": f"aegis/{verdict.gate}{'-observe' if verdict.observe else ''}/"},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The root of the repository."}}},
        "invocations": [_invocation(verdict, left_out)],
        "results": [_result(finding, index[finding.rule], level) for finding in findings],
    }
    provenance = _provenance(verdict)
    return {**run, "versionControlProvenance": [provenance]} if provenance else run


def _kept(findings: tuple[Finding, ...]) -> tuple[tuple[Finding, ...], int]:
    """What fits, ending in a result that says how many do not, and that number."""
    if len(findings) <= LIMIT:
        return findings, 0
    kept = findings[: LIMIT - 1]
    left_out, first = len(findings) - len(kept), findings[LIMIT - 1]
    rest = Finding(
        rule="core.truncated",
        message=f"{left_out} more findings are left out here, the first of them at this place.",
        remedy=CODES["core.truncated"].remedy,
        fingerprint=hashlib.sha256(b"core.truncated").hexdigest(),
        path=first.path,
        line=first.line,
    )
    return (*kept, rest), left_out


def _driver(verdict: Verdict, rules: list[str]) -> dict[str, Any]:
    return {
        "name": verdict.tool.name,
        "version": verdict.tool.version,
        "semanticVersion": verdict.tool.version,
        "properties": {"sha256": verdict.tool.digest},
        "rules": [_rule(rule) for rule in rules],
    }


def _rule(rule: str) -> dict[str, Any]:
    code = CODES.get(rule)
    if code is None:
        return {"id": rule, "shortDescription": {"text": rule}}
    return {
        "id": rule,
        "shortDescription": {"text": code.title},
        "fullDescription": {"text": code.why},
        "help": {"text": f"{code.why} {code.remedy}"},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": [code.gate]},
    }


def _result(finding: Finding, index: int, level: Level) -> dict[str, Any]:
    region: dict[str, int] = {"startLine": finding.line or 1}
    if finding.line and finding.column:
        region["startColumn"] = finding.column
    location = {"uri": uri(finding.path or _POLICY_FILE), "uriBaseId": "%SRCROOT%"}
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": level,
        "message": {"text": message(f"{finding.message} {finding.remedy}")},
        "locations": [{"physicalLocation": {"artifactLocation": location, "region": region}}],
        "partialFingerprints": {FINGERPRINT: finding.fingerprint},
        "properties": {"cause": finding.cause},
    }


def _invocation(verdict: Verdict, left_out: int) -> dict[str, Any]:
    notes = [("note", notice) for notice in verdict.notices]
    if left_out:
        notes.append(("warning", f"{left_out} findings are left out; verdict.json has them all."))
    if verdict.result == "error":
        notes.append(("error", f"{verdict.reason}: could not decide"))
    return {
        "executionSuccessful": verdict.result != "error",
        "exitCode": exit_code(verdict),
        "startTimeUtc": verdict.started,
        "endTimeUtc": verdict.finished,
        "toolExecutionNotifications": [{"level": level, "message": {"text": message(text)}} for level, text in notes],
    }


def _provenance(verdict: Verdict) -> dict[str, str] | None:
    """The commit, where its repository's address is known (§3.23 asks for one)."""
    server, marker, _ = (verdict.source.run_url or "").partition("/actions/runs/")
    if not marker:
        return None
    known = {"repositoryUri": server}
    return {**known, "revisionId": verdict.source.commit} if verdict.source.commit else known


def message(text: str) -> str:
    """Text in which nothing reads as an embedded link, `[text](target)` (§3.11.6)."""
    return visible(text).replace("](", "] (")


def uri(path: str) -> str:
    """A relative reference of a path (RFC 3986, 4.2): its bytes, percent-encoded."""
    encoded = quote(path.encode("utf-8", "surrogateescape"), safe="/-._~")
    return encodable(encoded)
