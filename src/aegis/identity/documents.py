"""JSON that decides who may do what: a claim or a condition that stands twice must not be read in two ways."""

from __future__ import annotations

import json
from typing import Any


class UnclearError(ValueError):
    """The text is no single, unambiguous JSON object. Its message never repeats the text, which may be a token."""


MAX_CHARACTERS = 1_000_000
"""A role's trust policy has at most 8,192 (IAM quotas), a token about 2,000."""


def parse_object(text: str | bytes) -> dict[str, Any]:
    """The JSON object in `text`. Raises `UnclearError`."""
    if len(text) > MAX_CHARACTERS:
        raise UnclearError(f"it has {len(text)} characters, more than {MAX_CHARACTERS}")
    try:
        value = json.loads(
            text.decode("utf-8", "strict") if isinstance(text, bytes) else text,
            object_pairs_hook=_object,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        raise UnclearError(f"it is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise UnclearError(f"it is not JSON at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise UnclearError("it is nested too deeply") from None
    except UnclearError:
        raise
    except ValueError:  # an integer of more digits than Python converts
        raise UnclearError("it holds a number that is too long") from None
    if not isinstance(value, dict):
        raise UnclearError("it is no JSON object")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise UnclearError("one object names a key twice")
    return value


def _constant(text: str) -> Any:
    raise UnclearError(f"it holds {text}, which is no JSON")
