from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core import schemas
from aegis.core.errors import CouldNotDecide
from aegis.core.verdict import Evidence, Verdict
from aegis.report import json_report
from tests.support.verdicts.verdicts import HOSTILE, every_kind, failing, finding, verdict, waiver

SCHEMAS = Path(__file__).parents[3] / "docs" / "schemas"


def valid(document: object) -> None:
    schema: dict[str, Any] = json.loads((SCHEMAS / "verdict.v1.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(document)


@pytest.mark.parametrize("kind", every_kind())
def test_every_verdict_keeps_to_the_published_schema(kind: Verdict) -> None:
    valid(json.loads(json_report.render(kind)))


@pytest.mark.parametrize("value", HOSTILE)
def test_every_text_can_be_written(value: str) -> None:
    valid(json.loads(json_report.render(failing(finding(path=value, message=value), notices=(value,)))))


@pytest.mark.parametrize("change", [{"surprise": 1}, {"result": "maybe"}, {"schema": "v2"}, {"findings": [{}]}])
def test_the_schema_refuses_what_is_not_a_verdict(change: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        valid({**json.loads(json_report.render(verdict())), **change})


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("reason",), "whatever"),
        (("started",), "yesterday"),
        (("finished",), "2026-01-02T03:04:05+01:00"),
        (("findings", 0, "line"), 0),
        (("findings", 0, "column"), 0),
        (("findings", 0, "fingerprint"), "AB" * 32),
        (("waivers", 0, "fingerprint"), ""),
        (("waivers", 0, "expires"), "31.3.2026"),
        (("policy", "sha256"), "cd"),
        (("source", "commit"), "main"),
        (("source", "base"), "main"),
        (("source", "run_attempt"), 0),
        (("tool", "digest"), ""),
    ],
)
def test_the_schema_refuses_a_value_of_the_wrong_form(place: tuple[str | int, ...], value: object) -> None:
    document: Any = json.loads(json_report.render(failing(waivers=(waiver(),))))
    valid(document)
    owner = document
    for key in place[:-1]:
        owner = owner[key]
    owner[place[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        valid(document)


def test_the_schema_asks_for_every_field() -> None:
    document = json.loads(json_report.render(failing()))
    for name in document:
        with pytest.raises(jsonschema.ValidationError, match="required property"):
            valid({key: value for key, value in document.items() if key != name})


def test_the_committed_schema_is_the_types() -> None:
    assert schemas.main(["--check", str(SCHEMAS)]) == 0


def test_a_stale_schema_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert schemas.main(["--write", str(tmp_path)]) == 0
    (tmp_path / "verdict.v1.schema.json").write_text("{}", encoding="utf-8")
    assert schemas.main(["--check", str(tmp_path)]) == 1
    assert "verdict.v1.schema.json is out of date" in capsys.readouterr().err


def test_the_same_verdict_gives_the_same_bytes() -> None:
    rendered = json_report.render(verdict())
    assert rendered == json_report.render(verdict())
    assert rendered.endswith(b"\n}\n")
    assert list(json.loads(rendered)) == sorted(json.loads(rendered))


def test_a_file_name_that_is_no_utf8_is_shown() -> None:
    assert rb'"path": "caf\\xe9.py"' in json_report.render(failing(finding(path="caf\udce9.py")))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(st.characters()), st.lists, max_leaves=5))
def test_any_evidence_is_utf8(value: object) -> None:
    json.loads(json_report.render(verdict(evidence=(Evidence(name="x", value=value),))))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_json_cannot_hold_is_an_error(value: float) -> None:
    with pytest.raises(CouldNotDecide, match="JSON"):
        json_report.render(verdict(evidence=(Evidence(name="x", value=value),)))
