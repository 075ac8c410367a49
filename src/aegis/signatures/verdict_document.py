"""A `verdict.json` that somebody hands over, read strictly: exactly the published schema, or nothing.

A folder of artifacts, another job or an object store may hold anything under that name. So what is read has every field
that a gate writes, no other, and each in its form (docs/schemas/verdict.v1.schema.json).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from aegis.core import typed
from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.schemas import FORMS
from aegis.core.verdict import SCHEMA_ID, Verdict
from aegis.signatures import strict_json

LIMIT = 16 << 20
"""Bytes: some ten thousand findings."""
_PLACES = {
    "AppliedWaiver": "waivers",
    "Finding": "findings",
    "PolicyInForce": "policy",
    "Source": "source",
    "Tool": "tool",
}
"""Where a verdict holds the types that `FORMS` speaks of."""


def read_verdict(data: bytes, name: str) -> Verdict:
    """The verdict. `name`: of the file, for people. Raises CouldNotDecide `core.verdict_invalid` for anything else."""
    try:
        document = strict_json.parse(data, what=f"the verdict {name!r}", limit=LIMIT)
        verdict = typed.convert(document, Verdict)
    except Refused as error:
        raise _invalid(error.problem) from error
    except msgspec.ValidationError as error:
        raise _invalid(f"the verdict {name!r} is not of the schema: {error}") from error
    if verdict.schema != SCHEMA_ID:
        raise _invalid(f"the verdict {name!r} is of the schema {verdict.schema[:100]!r}")
    # a dataclass takes defaults for what is missing, and leaves out what it does not know
    if _text(msgspec.to_builtins(verdict)) != _text(document):
        raise _invalid(f"the verdict {name!r} lacks fields of the schema, or has others")
    for place in _without_form(document):
        raise _invalid(f"the verdict {name!r} has no valid {place}")
    return verdict


def _text(document: Any) -> str:
    return json.dumps(document, sort_keys=True)


def _without_form(document: Mapping[str, Any]) -> Iterator[str]:
    """The fields whose values have another form than the schema's."""
    for (owner, field), form in FORMS.items():
        found = document if owner == "Verdict" else document[_PLACES[owner]]
        for each in found if isinstance(found, list) else [found]:
            value = each[field]
            pattern = form.get("pattern")
            if isinstance(value, str) and pattern is not None and re.search(pattern, value) is None:
                yield field
            if isinstance(value, int) and value < form.get("minimum", value):
                yield field


def _invalid(problem: str) -> CouldNotDecide:
    return CouldNotDecide(
        "core.verdict_invalid",
        problem,
        expected="a `verdict.json` as a gate of this version wrote it",
        remedy="Run the gate again; nothing that is cut, changed or made by hand counts.",
    )
