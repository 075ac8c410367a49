"""Every SARIF file against the schema that OASIS publishes."""

from __future__ import annotations

import json

import jsonschema
import pytest

from aegis.core.verdict import Source, Verdict
from aegis.report import sarif
from tests.support.programs import official_schemas
from tests.support.verdicts.verdicts import HOSTILE, every_kind, failing, finding, verdict


def validate(given: Verdict) -> None:
    validator = jsonschema.Draft4Validator(
        official_schemas.sarif(), format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER
    )
    validator.validate(json.loads(sarif.render(given)))


@pytest.mark.parametrize("given", every_kind())
def test_every_kind_of_verdict(given: Verdict) -> None:
    validate(given)


@pytest.mark.parametrize("value", HOSTILE)
def test_every_hostile_value(value: str) -> None:
    validate(failing(finding(path=value, message=value, remedy=value, rule=value), notices=(value,)))


def test_a_cut_file() -> None:
    validate(failing(*(finding(line=n) for n in range(1, 5_010))))


def test_a_verdict_that_knows_nothing_of_its_source() -> None:
    validate(verdict(source=Source()))


def test_the_schema_refuses_a_wrong_file() -> None:
    document = json.loads(sarif.render(failing()))
    document["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft4Validator(official_schemas.sarif()).validate(document)
