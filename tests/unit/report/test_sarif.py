from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.codes import CODES
from aegis.core.verdict import Source, Verdict
from aegis.report import sarif
from tests.support.verdicts.verdicts import COMMIT, failing, finding, undecided, verdict


def run(given: Verdict) -> dict[str, Any]:
    (only,) = json.loads(sarif.render(given))["runs"]
    assert isinstance(only, dict)
    return only


def test_a_finding_becomes_a_result_at_its_place() -> None:
    given = finding()
    (result,) = run(failing(given))["results"]
    assert result["ruleId"] == "scan.runtime"
    assert result["level"] == "error"
    assert result["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "src/app.py", "uriBaseId": "%SRCROOT%"},
                "region": {"startLine": 3, "startColumn": 1},
            }
        }
    ]
    assert result["partialFingerprints"] == {"aegisFinding/v1": given.fingerprint}
    assert result["message"]["text"] == "`boto3` is used directly Call the adapter."


def test_rules_come_from_the_registry_and_indices_point_at_them() -> None:
    only = run(failing(finding(), finding(rule="core.policy_loosened"), finding(rule="scan.unheard_of")))
    rules = only["tool"]["driver"]["rules"]
    for result in only["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    named = {rule["id"]: rule for rule in rules}
    assert named["scan.runtime"]["shortDescription"]["text"] == CODES["scan.runtime"].title
    assert CODES["scan.runtime"].remedy in named["scan.runtime"]["help"]["text"]
    assert {code.id for code in CODES.values() if code.gate == "scan"} < set(named)


def test_a_pass_still_is_a_run_so_that_mended_alerts_close() -> None:
    only = run(verdict())
    assert only["results"] == []
    assert only["invocations"][0]["executionSuccessful"] is True


def test_an_error_is_an_unsuccessful_invocation() -> None:
    (invocation,) = run(undecided())["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["exitCode"] == 3
    assert invocation["toolExecutionNotifications"][-1]["level"] == "error"


def test_the_tool_the_category_and_the_commit_are_named() -> None:
    only = run(failing())
    driver = only["tool"]["driver"]
    assert (driver["name"], driver["version"], driver["properties"]["sha256"]) == ("aegis", "1.0.0", "ab" * 32)
    assert only["automationDetails"] == {"id": "aegis/scan/"}
    assert only["versionControlProvenance"] == [
        {"repositoryUri": "https://github.com/octo/widgets", "revisionId": COMMIT}
    ]
    assert "versionControlProvenance" not in run(verdict(source=Source(commit=COMMIT)))


def test_observe_only_warns() -> None:
    assert [result["level"] for result in run(failing(observe=True))["results"]] == ["warning"]


def test_a_finding_without_a_place_is_shown_at_the_policy_file() -> None:
    (result,) = run(failing(finding(path=None, line=None, column=None)))["results"]
    (location,) = result["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "aegis.yml"
    assert location["physicalLocation"]["region"] == {"startLine": 1}


@pytest.mark.parametrize(("count", "kept", "left_out"), [(5_000, 5_000, 0), (5_001, 4_999, 2), (30_000, 4_999, 25_001)])
def test_more_than_code_scanning_keeps_is_cut_and_said(count: int, kept: int, left_out: int) -> None:
    only = run(failing(*(finding(line=n) for n in range(1, count + 1))))
    results = only["results"]
    assert len([result for result in results if result["ruleId"] == "scan.runtime"]) == kept
    truncated = [result for result in results if result["ruleId"] == "core.truncated"]
    notes = only["invocations"][0]["toolExecutionNotifications"]
    if left_out:
        assert len(results) == 5_000
        assert truncated[0]["message"]["text"].startswith(f"{left_out} more findings")
        assert truncated[0]["locations"][0]["physicalLocation"]["region"]["startLine"] == 5_000
        assert notes[0]["message"]["text"].startswith(f"{left_out} findings are left out")
    else:
        assert truncated == []
        assert notes == []


@given(st.binary(min_size=1, max_size=40))
def test_a_uri_names_the_very_bytes_of_the_path(name: bytes) -> None:
    encoded = sarif.uri(name.decode("utf-8", "surrogateescape"))
    assert unquote_to_bytes(encoded) == name
    assert encoded.isascii()
    assert not set(encoded) & set(':?#[]@ \\"<>|')


def test_no_message_holds_an_embedded_link() -> None:
    (result,) = run(failing(finding(message="[a](https://evil.example)\n\x1b[1m")))["results"]
    assert "](" not in result["message"]["text"]
    assert result["message"]["text"].isprintable()


def test_what_is_only_observed_has_a_category_of_its_own() -> None:
    observed = json.loads(sarif.render(failing(observe=True)))
    assert observed["runs"][0]["automationDetails"] == {"id": "aegis/scan-observe/"}
