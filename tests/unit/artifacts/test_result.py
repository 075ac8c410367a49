"""Records, which say when an artifact needs no second look, and findings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

import aegis
from aegis.artifacts.result import Result, finding_of, record_of
from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.ports.objects import ObjectInfo
from tests.support.signing.verifying import by, file_artifact

INFO = ObjectInfo("k", 1, "v1", "e1")
OTHER = ObjectInfo("l", 2, "v2", "e2")


def test_a_record_changes_with_whatever_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = file_artifact()
    records = [
        record_of(artifact, ["t"], [INFO, OTHER]),
        record_of(structs.replace(artifact, threshold=2), ["t"], [INFO, OTHER]),
        record_of(structs.replace(artifact, signers=(by(1),)), ["t"], [INFO, OTHER]),
        record_of(structs.replace(artifact, name="x"), ["t"], [INFO, OTHER]),
        record_of(artifact, ["u"], [INFO, OTHER]),
        record_of(artifact, ["t", "u"], [INFO, OTHER]),
        record_of(artifact, ["t"], [INFO]),
        record_of(artifact, ["t"], [INFO, OTHER, replace(OTHER, key="m")]),
        *(
            record_of(artifact, ["t"], [replace(INFO, **change), OTHER])
            for change in ({"key": "x"}, {"size": 2}, {"version": "v9"}, {"etag": "e9"}, {"etag": None})
        ),
    ]
    monkeypatch.setattr(aegis, "__version__", "99")
    records.append(record_of(artifact, ["t"], [INFO, OTHER]))
    assert len(set(records)) == len(records)
    assert all(records)


def test_the_order_of_a_listing_does_not_matter() -> None:
    assert record_of(file_artifact(), ["t"], [INFO, OTHER]) == record_of(file_artifact(), ["t"], [OTHER, INFO])


@pytest.mark.parametrize("objects", [[], [INFO, replace(OTHER, version=None)], [replace(INFO, version=None)]])
def test_nothing_is_recorded_of_what_the_store_does_not_version(objects: list[ObjectInfo]) -> None:
    assert record_of(file_artifact(), ["t"], objects) == ""


_TEXT = st.text(max_size=4)
_OBJECTS = st.lists(st.builds(ObjectInfo, _TEXT, st.integers(0, 3), _TEXT, _TEXT), min_size=1, max_size=3)


@given(_OBJECTS, _OBJECTS)
def test_equal_records_mean_equal_objects(one: list[ObjectInfo], other: list[ObjectInfo]) -> None:
    def facts(objects: list[ObjectInfo]) -> Any:
        return sorted((each.key, each.size, each.version, each.etag) for each in objects)

    same = record_of(file_artifact(), ["t"], one) == record_of(file_artifact(), ["t"], other)
    assert same is (facts(one) == facts(other))


def test_the_cause_of_a_finding() -> None:
    refused = Refused("verify.wrong_key", "p", expected="e", remedy="")
    finding = finding_of(file_artifact(), refused)
    assert (finding.rule, finding.cause, finding.message) == ("verify.wrong_key", "artifact", "tool: p (expected: e)")
    # the registry's, where the error has none of its own
    assert finding.remedy
    undecided = CouldNotDecide("verify.store_denied", "p", expected="e", remedy="r")
    assert finding_of(file_artifact(), undecided).cause == "could-not-decide"


def test_the_fingerprint_is_of_this_artifact_and_problem() -> None:
    error = Refused("verify.wrong_key", "p", expected="e", remedy="r")
    other = Refused("verify.wrong_key", "q", expected="e", remedy="r")
    artifact = file_artifact()
    prints = [
        finding_of(artifact, error).fingerprint,
        finding_of(artifact, other).fingerprint,
        finding_of(structs.replace(artifact, name="x"), error).fingerprint,
        finding_of(structs.replace(artifact, source="x"), error).fingerprint,
    ]
    assert len(set(prints)) == 4
    assert prints[0] == finding_of(artifact, error).fingerprint


def test_evidence_is_plain() -> None:
    made = Result(name="n", kind="file", source="s", sha256="0", content="0", objects=1, size=2)
    assert made.evidence()["size"] == 2
