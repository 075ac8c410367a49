"""The published JSON Schemas, generated from the types that they describe.

`python -m aegis.core.schemas --write DIR` writes them, `--check DIR` fails where a file differs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from aegis.core.policy import Policy
from aegis.core.verdict import SCHEMA_ID, Verdict

_SHA256 = {"pattern": "^[0-9a-f]{64}$"}
FORMS: dict[tuple[str, str], dict[str, Any]] = {
    ("AppliedWaiver", "expires"): {"format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
    ("AppliedWaiver", "fingerprint"): _SHA256,
    ("Finding", "column"): {"minimum": 1},
    ("Finding", "fingerprint"): _SHA256,
    ("Finding", "line"): {"minimum": 1},
    ("PolicyInForce", "sha256"): {"pattern": "^([0-9a-f]{64})?$"},  # empty: no policy could be read
    ("Source", "base"): {"pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$"},
    ("Source", "commit"): {"pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$"},
    ("Source", "run_attempt"): {"minimum": 1},
    ("Tool", "digest"): _SHA256,
    ("Verdict", "finished"): {"format": "date-time", "pattern": "Z$"},
    ("Verdict", "reason"): {"pattern": "^[a-z_]+[.][a-z_]+$"},
    ("Verdict", "started"): {"format": "date-time", "pattern": "Z$"},
}
"""What the types' docstrings say in words. (A `pattern` or `minimum` says nothing about null.)"""


def verdict_schema() -> dict[str, Any]:
    """Of `verdict.json`, version 1. Every field is always written, so each is required, and there is no other."""
    schema = msgspec.json.schema(Verdict)
    definitions = schema.pop("$defs")
    root = definitions.pop("Verdict")
    for definition in (root, *definitions.values()):
        if "properties" in definition:
            definition["required"] = sorted(definition["properties"])
            definition["additionalProperties"] = False
            for property_ in definition["properties"].values():
                property_.pop("default", None)
    for (owner, name), form in FORMS.items():
        (root if owner == "Verdict" else definitions[owner])["properties"][name] |= form
    root["properties"]["schema"] = {"const": SCHEMA_ID}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **root,
        "title": "Verdict of an Aegis gate",
        "$defs": definitions,
    }


def policy_schema() -> dict[str, Any]:
    """Of `aegis.yml`, version 1, for editors. An empty section (`scan:`) has the defaults, so null is allowed."""
    schema = msgspec.json.schema(Policy)
    definitions = schema.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:aegis-gates:schema:policy:v1",
        **definitions.pop("Policy"),
        "title": "Policy of the Aegis gates (aegis.yml)",
        "$defs": definitions,
    }


SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "verdict.v1.schema.json": verdict_schema,
    "aegis.v1.schema.json": policy_schema,
}
"""File name in docs/schemas → its generator."""


def rendered(name: str) -> str:
    """The file's text."""
    return json.dumps(SCHEMAS[name](), indent=2, sort_keys=True) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write the schemas, or say which are out of date."""
    parser = argparse.ArgumentParser(prog="python -m aegis.core.schemas", description="JSON Schemas of Aegis")
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", type=Path, metavar="DIR")
    mode.add_argument("--check", type=Path, metavar="DIR")
    options = parser.parse_args(arguments)
    if options.write:
        for name in SCHEMAS:
            (options.write / name).write_text(rendered(name), encoding="utf-8")
        return 0
    stale = [name for name in SCHEMAS if _text(options.check / name) != rendered(name)]
    sys.stderr.writelines(f"{options.check / name} is out of date: run with --write\n" for name in stale)
    return 1 if stale else 0


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
