from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from acceptance.probe import Probe, probing
from aegis.acceptance.probe_answer import parse_answer
from aegis.core.errors import CouldNotDecide

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/schemas/acceptance-probe.v1.schema.json").read_bytes())


def answered(tmp_path: Path, *checks: tuple[str, bool], **facts: Any) -> tuple[int, bytes]:
    """What a probe of ours writes."""
    probe = Probe(tmp_path, facts=facts)
    for name, good in checks:
        probe.check(name, good, "what was seen", reason="probe.red")
    return probe.answer(), (tmp_path / "probe.json").read_bytes()


@pytest.mark.parametrize(("good", "code", "result"), [(True, 0, "pass"), (False, 1, "fail")], ids=["pass", "fail"])
def test_what_our_probes_write(good: bool, code: int, result: str, tmp_path: Path) -> None:
    exit_code, data = answered(tmp_path, ("one", True), ("two", good), versions={"helm": "v3"})
    assert exit_code == code
    answer = parse_answer(data, code)
    assert (answer.result, answer.facts) == (result, {"versions": {"helm": "v3"}})
    assert answer.failed == (frozenset() if good else {"two"})
    Draft202012Validator(SCHEMA).validate(json.loads(data))


def test_a_probe_that_raises_leaves_no_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def look() -> None:
        with probing({}, ["--evidence", str(tmp_path)]) as probe:
            probe.check("one", True, "seen", reason="probe.red")
            raise ValueError("a defect")

    with pytest.raises(SystemExit) as ended:
        look()
    assert ended.value.code == 3
    assert list(tmp_path.iterdir()) == []
    assert "a defect" in capsys.readouterr().err


def test_a_probe_that_checked_nothing_has_no_answer(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended, probing({}, ["--evidence", str(tmp_path)]):
        pass
    assert ended.value.code == 3
    assert list(tmp_path.iterdir()) == []


def test_a_probe_checks_a_thing_once(tmp_path: Path) -> None:
    probe = Probe(tmp_path)
    probe.check("one", False, "seen", reason="probe.red")
    with pytest.raises(ValueError, match="one was recorded before"):
        probe.check("one", True, "seen", reason="probe.red")


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["schema", "result", "reason", "checks", "facts", "name", "detail"]), inner, max_size=7
    ),
    max_leaves=20,
), st.sampled_from([0, 1]))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_whatever_it_is_there_is_an_answer_or_a_reason(document: object, code: int) -> None:
    with pytest.raises(CouldNotDecide) as broken:
        parse_answer(json.dumps(document).encode(), code)
    assert broken.value.code == "acceptance.probe_broken"


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_bytes_that_are_no_document(data: bytes) -> None:
    with pytest.raises(CouldNotDecide):
        parse_answer(data, 0)
