"""The operations of GitHub's OpenAPI description that are called."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any


@cache
def description() -> dict[str, Any]:
    """By method and path, with references resolved."""
    text = Path(__file__).with_name("github_openapi.json").read_text(encoding="utf-8")
    operations: dict[str, Any] = json.loads(text)["operations"]
    return operations
