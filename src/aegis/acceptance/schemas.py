"""The published JSON Schemas of acceptance, generated from the types that they describe."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from aegis.acceptance.catalogue import Catalogue
from aegis.acceptance.probe_answer import SCHEMA_ID as PROBE_ID
from aegis.acceptance.probe_answer import ProbeAnswer
from aegis.acceptance.result import SCHEMA_ID, Acceptance
from aegis.acceptance.staging import Staging

_SHA256: Final = {"pattern": "^[0-9a-f]{64}$"}
_TIME: Final = {"format": "date-time", "pattern": "Z$"}
_FORMS: Final[Mapping[tuple[str, str], dict[str, Any]]] = MappingProxyType(
    {
        ("Acceptance", "commit"): {"pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$"},
        ("Acceptance", "config_sha256"): _SHA256,
        ("Acceptance", "started"): _TIME,
        ("Acceptance", "finished"): _TIME,
        ("Acceptance", "schema"): {"const": SCHEMA_ID},
        ("Attempt", "started"): _TIME,
        ("Attempt", "finished"): _TIME,
        ("CatalogueUsed", "sha256"): _SHA256,
        ("Tool", "digest"): _SHA256,
    }
)
"""What the types' docstrings say in words."""


def _of_result() -> dict[str, Any]:
    """Every field is always written, so each is required, and there is no other."""
    schema = msgspec.json.schema(Acceptance)
    for name, definition in schema["$defs"].items():
        definition["required"] = sorted(definition["properties"])
        definition["additionalProperties"] = False
        for field, property_ in definition["properties"].items():
            property_.pop("default", None)
            property_.update(_FORMS.get((name, field), {}))
    return _published(schema, "Acceptance", SCHEMA_ID, "Result of `aegis acceptance`")


def _of(kind: type[msgspec.Struct], identifier: str, title: str) -> Callable[[], dict[str, Any]]:
    return lambda: _published(msgspec.json.schema(kind), kind.__name__, identifier, title)


def _published(schema: dict[str, Any], root: str, identifier: str, title: str) -> dict[str, Any]:
    definitions = schema.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": identifier,
        **definitions.pop(root),
        "title": title,
        "$defs": definitions,
    }


SCHEMAS: Final[Mapping[str, Callable[[], dict[str, Any]]]] = MappingProxyType(
    {
        "acceptance.v1.schema.json": _of_result,
        "acceptance-probe.v1.schema.json": _of(ProbeAnswer, PROBE_ID, "Answer of an acceptance probe (probe.json)"),
        "acceptance-catalogue.v1.schema.json": _of(
            Catalogue, "urn:aegis-gates:schema:acceptance-catalogue:v1", "Catalogue of acceptance criteria"
        ),
        "acceptance-staging.v1.schema.json": _of(
            Staging, "urn:aegis-gates:schema:acceptance-staging:v1", "Staging configuration (acceptance.staging.yml)"
        ),
    }
)
"""File name in docs/schemas → its generator."""


def rendered(name: str) -> str:
    """The file's text."""
    return json.dumps(SCHEMAS[name](), indent=2, sort_keys=True) + "\n"
