from __future__ import annotations

import json
import re
from typing import Any

import pytest

from aegis.gates.scan.catalogue import load
from aegis.gates.scan.model import Surface
from aegis.gates.scan.rules import ENGINE_LANGUAGE, dynamic_rules, kind_of, provider_of, slice_rules

CATALOGUE = load()
SURFACES: list[Surface] = list(ENGINE_LANGUAGE)


def regex(surface: Surface, provider: str, *, dynamic: bool = False) -> re.Pattern[str]:
    """The expression over the name in one rule."""
    make = dynamic_rules if dynamic else slice_rules
    (rule,) = [r for r in make(CATALOGUE, [surface]) if provider_of(r["id"]) == provider]
    (condition,) = [p["metavariable-regex"] for p in rule["patterns"] if "metavariable-regex" in p]
    return re.compile(condition["regex"])


def test_one_rule_a_provider_and_language() -> None:
    ids = [rule["id"] for rule in slice_rules(CATALOGUE, SURFACES)]
    assert len(ids) == len(set(ids)) == len(SURFACES) * len(CATALOGUE.providers)
    assert {kind_of(each) for each in ids} == {"slice"}
    assert {provider_of(each) for each in ids} == set(CATALOGUE.providers)
    assert {kind_of(rule["id"]) for rule in dynamic_rules(CATALOGUE, SURFACES)} == {"dynamic"}


def test_rules_are_json_with_what_the_engine_needs() -> None:
    for rule in json.loads(json.dumps([*slice_rules(CATALOGUE, SURFACES), *dynamic_rules(CATALOGUE, SURFACES)])):
        assert rule.keys() >= {"id", "languages", "severity", "message", "patterns"}
        assert rule["languages"][0] in ENGINE_LANGUAGE.values()


def test_every_expression_is_one() -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "regex" in node:
                re.compile(node["regex"])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk([*slice_rules(CATALOGUE, SURFACES), *dynamic_rules(CATALOGUE, SURFACES)])


@pytest.mark.parametrize(
    ("surface", "provider", "name", "expected"),
    [
        ("npm", "aws", "aws-sdk", True),
        ("npm", "aws", "aws-sdk/clients/s3", True),
        ("npm", "aws", "@aws-sdk/client-s3", True),
        ("npm", "aws", "aws-sdk-mock2", False),
        ("npm", "aws", "my-aws-sdk", False),
        ("npm", "gcp", "@aws-sdk/client-s3", False),
        ("go", "aws", "github.com/aws/aws-sdk-go/service/s3", True),
        ("go", "aws", "github.com/aws/aws-sdk-golang", False),
        ("go", "aws", "example.org/github.com/aws/aws-sdk-go", False),
    ],
)
def test_names_end_at_a_joint(surface: Surface, provider: str, name: str, expected: bool) -> None:
    assert bool(regex(surface, provider).search(name)) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("boto3", True),
        ("boto3.session", True),
        ('"boto3', True),
        ("boto3:client", True),
        ("boto", True),
        ("boto3x", False),
    ],
)
def test_dynamic_names(name: str, expected: bool) -> None:
    assert bool(regex("python", "aws", dynamic=True).search(name)) == expected
