"""The chart's schema knows every key, and refuses what is none; helm's own word on it is in tests/e2e/helm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

import aegis
from tests.support.infra.chart_values import AWS, BAD, CHART, GOOD, Values, defaults, laid

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
OPEN = {
    "podSelector",
    "namespaceSelector",
    "ipBlock",
    "nodeAffinity",
    "podAffinity",
    "podAntiAffinity",
    "valueFrom",
    "global",
}
"""Kubernetes' own types, which its API server judges; and what a chart above this one shares."""


def without(values: Any) -> Any:
    """As helm merges: null takes a key away."""
    if isinstance(values, dict):
        return {key: without(value) for key, value in values.items() if value is not None}
    return values


def mistakes(values: Values) -> dict[str, str]:
    """By their places."""
    return {
        "".join(f"/{step}" for step in error.absolute_path): error.message
        for found in VALIDATOR.iter_errors(without(laid(defaults(), values)))
        for error in (found, *(found.context or ()))
    }


def objects(schema: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of an object, but conditions, which only add to one that is closed."""
    if isinstance(schema, list):
        for part in schema:
            yield from objects(part, name)
    elif isinstance(schema, dict):
        if schema.get("type") == "object":
            yield name, schema
        for key, part in schema.items():
            if key in {"properties", "$defs"}:
                for inner, inner_schema in part.items():
                    yield from objects(inner_schema, inner)
            elif key not in {"if", "then", "else"}:
                yield from objects(part, name)


def keys(schema: dict[str, Any], values: dict[str, Any], place: str = "") -> Iterator[str]:
    """Keys that only one of both has."""
    while "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    known = schema.get("properties")
    if known is None:
        return
    for key in set(known) ^ set(values):
        yield f"{place}.{key}"
    for key in set(known) & set(values):
        if isinstance(values[key], dict) and values[key]:
            yield from keys(known[key], values[key], f"{place}.{key}")


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_every_object_is_closed() -> None:
    wide = {name for name, schema in objects(SCHEMA) if schema.get("additionalProperties", True) is True}
    assert wide == OPEN


def test_values_and_schema_have_the_same_keys() -> None:
    differ = set(keys(SCHEMA, defaults()))
    assert differ == {".global"}  # which comes from above


@pytest.mark.parametrize("name", GOOD)
def test_good_values_are_taken(name: str) -> None:
    assert mistakes(GOOD[name]) == {}


@pytest.mark.parametrize("name", BAD)
def test_bad_values_are_refused_with_their_place(name: str) -> None:
    values, place = BAD[name]
    assert mistakes(AWS) == {}
    found = mistakes(laid(AWS, values))
    assert any(place in at for at in found), found


def test_the_documented_roles_of_the_database_are_values() -> None:
    section = (CHART.parent / "docs/infra.md").read_text("utf-8").partition("\n## Roles of the database\n")[2]
    values = yaml.safe_load(section.partition("<<'EOF'\n")[2].partition("EOF\n")[0].replace("HOST", "db.example.org"))
    users = {values[part][key] for part, key in (("database", "url"), ("migration", "databaseUrl"))}
    assert len({*users, values["backup"]["database"]["url"]}) == 3
    assert mistakes(laid(GOOD["values.aws.yaml"], values)) == {}


def test_without_a_digest_a_database_and_a_bucket_nothing_is_installed() -> None:
    assert {"/image/digest", "/objectStore/bucket", "/database/url", "/region"} <= set(mistakes({}))


def test_the_chart_is_of_this_version() -> None:
    assert f'appVersion: "{aegis.__version__}"\n' in (CHART / "Chart.yaml").read_text()


def test_it_packs_the_rules_that_prometheus_gets() -> None:
    rules = CHART.parent / "k8s/prometheus/rule-groups.yaml"
    assert (CHART / "files/rule-groups.yaml").read_bytes() == rules.read_bytes()
