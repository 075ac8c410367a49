"""Reads `aegis.yml`: bytes in, `Policy` out, or an error that names file, line and column and the nearest known key."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aegis.core.policy import Policy
from aegis.core.strict_yaml import Document, Kind, Path, compose, convert

_KIND = Kind("core.policy_invalid", "the policy that `aegis init` writes", "at least `version: 1`")
_SECTIONS = frozenset({"scan", "verify", "canary", "backup-check", "evidence"})


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy with where it came from."""

    policy: Policy
    origin: str
    sha256: str
    written: Mapping[str, Any]
    """The keys that the file itself sets."""


def parse_policy(data: bytes, *, file: str, origin: str | None = None) -> LoadedPolicy:
    """Read one policy file.

    `file` is the name for messages; `origin` (default: `file`) is what the verdict calls its source. Raises UsageError
    `core.policy_invalid` for anything that is not exactly a policy.
    """
    document = Document(file, _KIND)
    value = compose(data, document)
    if isinstance(value, dict):
        # `scan:` with nothing below it is a section of defaults, not a missing one.
        value = {key: {} if key in _SECTIONS and part is None else part for key, part in value.items()}
    policy = _convert(value, document)
    return LoadedPolicy(policy, origin or file, hashlib.sha256(data).hexdigest(), value)


def merged_policy(under: LoadedPolicy, over: LoadedPolicy, *, file: str) -> Policy:
    """`over` laid over `under`, key by key: a key that `over` does not set keeps its value from `under`."""
    merged = {**under.written, **over.written}
    for key in _SECTIONS & set(merged):
        merged[key] = {**(under.written.get(key) or {}), **(over.written.get(key) or {})}
    return _convert(merged, Document(file, _KIND))


def _convert(value: Any, document: Document) -> Policy:
    mode = repr(value.get("mode"))[:80] if isinstance(value, dict) else ""
    explained: Mapping[Path, tuple[str, str, str]] = {
        ("mode",): (f"mode is {mode}", "`enforce`, or `observe until YYYY-MM-DD`", "name the day it ends")
    }
    policy = convert(value, Policy, document, explained=explained)
    end = policy.mode.rpartition(" ")[2]
    if policy.mode != "enforce" and not _is_day(end):
        raise document.invalid(
            document.marks.get(("mode",)), f"{end!r} is no day", "YYYY-MM-DD", "name the day it ends"
        )
    return policy


def _is_day(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True
