"""A verdict as `verdict.json`: the same verdict always gives the same bytes."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from aegis.core.errors import CouldNotDecide
from aegis.core.verdict import Verdict
from aegis.report.escape import encodable


def render(verdict: Verdict) -> bytes:
    """Canonical JSON: keys sorted, indented by two, UTF-8, one line end at the end."""
    return encode(msgspec.to_builtins(verdict))


def encode(document: Any) -> bytes:
    r"""Canonical JSON of a document; text that is no Unicode (bytes of file names) is shown as `\xff`."""
    try:
        text = json.dumps(_clean(document), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CouldNotDecide(
            "core.output_unwritable",
            f"the report holds a value that JSON cannot: {error}",
            expected="text, whole numbers, finite decimals, lists and objects",
            remedy="Report it with the command that you ran.",
        ) from error
    return text.encode() + b"\n"


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {encodable(key) if isinstance(key, str) else key: _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, (list, tuple)) else value
