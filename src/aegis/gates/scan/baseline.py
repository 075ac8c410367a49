"""The baseline: the uses a repository had when it adopted the gate. It can only shrink.

A JSON file, version 1, sorted so that its diffs are small:

    {"version": 1, "uses": {"<content fingerprint>": {"count": 2, "provider": "aws", "rule": "scan.runtime",
                                                      "statement": "import boto3"}}}

Only the fingerprint and the count decide; the rest is for those who review it. It is compared in runs over the whole
repository. A run against a base commit needs none: what stood before the change is not new, listed or not.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aegis.core.errors import UsageError
from aegis.gates.scan.fingerprint import content_fingerprint, rule_of
from aegis.gates.scan.model import Use

MAX_BYTES = 16 << 20
"""About 60,000 different statements; a file beyond that is something else."""
MAX_STATEMENT = 200
"""Characters of a statement that are kept for its reviewers."""

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_TEXTS = ("provider", "rule", "statement")


@dataclass(frozen=True, slots=True)
class Known:
    """Equal uses that are let through, up to a count."""

    count: int
    rule: str
    provider: str
    statement: str


Baseline = Mapping[str, Known]
"""By content fingerprint."""


@dataclass(frozen=True, slots=True)
class Stale:
    """An entry that lets through more than there is."""

    fingerprint: str
    known: Known
    present: int
    """How many there are; less than the entry's count."""


@dataclass(frozen=True, slots=True)
class Growth:
    """An entry that a change makes larger, or adds."""

    fingerprint: str
    known: Known
    before: int


@dataclass(frozen=True, slots=True)
class Compared:
    """The uses beside the baseline."""

    new: tuple[Use, ...]
    matched: tuple[Use, ...]
    stale: tuple[Stale, ...]


def compare(uses: Iterable[Use], baseline: Baseline) -> Compared:
    """Part the repository's uses that policy does not allow into known and new.

    Of more equal uses than the baseline counts, the last ones in reading order are new.
    """
    groups = _grouped(uses)
    new: list[Use] = []
    matched: list[Use] = []
    stale: list[Stale] = []
    for fingerprint, equal in groups.items():
        count = baseline[fingerprint].count if fingerprint in baseline else 0
        matched += equal[:count]
        new += equal[count:]
    for fingerprint, known in sorted(baseline.items()):
        present = len(groups.get(fingerprint, ()))
        if present < known.count:
            stale.append(Stale(fingerprint, known, present))
    return Compared(tuple(sorted(new, key=_position)), tuple(sorted(matched, key=_position)), tuple(stale))


def growth(base: Baseline | None, head: Baseline | None) -> tuple[Growth, ...]:
    """What a change would let through that was not let through before: a loosening of the policy.

    No baseline at the base is the first adoption, and taking the file away lets nothing through.
    """
    if base is None or head is None:
        return ()
    found: list[Growth] = []
    for fingerprint, known in sorted(head.items()):
        before = base[fingerprint].count if fingerprint in base else 0
        if known.count > before:
            found.append(Growth(fingerprint, known, before))
    return tuple(found)


def render(uses: Iterable[Use]) -> bytes:
    """The file that lets exactly these uses through."""
    entries = {
        fingerprint: {
            "count": len(equal),
            "provider": equal[0].entry.provider,
            "rule": rule_of(equal[0].use_class),
            "statement": equal[0].statement.text[:MAX_STATEMENT],
        }
        for fingerprint, equal in _grouped(uses).items()
    }
    return (json.dumps({"version": 1, "uses": entries}, indent=1, sort_keys=True) + "\n").encode("ascii")


def parse(data: bytes, *, file: str) -> Baseline:
    """Read a baseline; `file` is its name for messages. Raises UsageError `scan.baseline_invalid`."""
    if len(data) > MAX_BYTES:
        raise _invalid(file, f"{len(data)} bytes", f"at most {MAX_BYTES} bytes of JSON")
    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_without_doubles)
    except UnicodeDecodeError as error:
        raise _invalid(file, f"byte {error.start} is not UTF-8", "JSON in UTF-8") from error
    except json.JSONDecodeError as error:
        raise _invalid(f"{file}:{error.lineno}:{error.colno}", error.msg, "JSON") from error
    except _DoubleKeyError as error:
        raise _invalid(_place(file, text, error.key), f"the key {error.key!r} stands twice", "each key once") from error
    except (ValueError, RecursionError) as error:
        raise _invalid(file, "a number or a nesting without bounds", "a baseline of version 1") from error
    return _baseline(value, text, file)


def _baseline(value: Any, text: str, file: str) -> Baseline:
    if not isinstance(value, dict) or value.keys() != {"version", "uses"}:
        got = sorted(value) if isinstance(value, dict) else type(value).__name__
        raise _invalid(file, f"got {got!r:.200}", "an object with the keys `uses` and `version`")
    if value["version"] != 1 or isinstance(value["version"], bool):
        raise _invalid(_place(file, text, "version"), f"got version {value['version']!r:.50}", "version 1")
    if not isinstance(value["uses"], dict):
        raise _invalid(_place(file, text, "uses"), "`uses` is no object", "an object by fingerprint")
    return {fingerprint: _known(fingerprint, entry, text, file) for fingerprint, entry in value["uses"].items()}


def _known(fingerprint: str, entry: Any, text: str, file: str) -> Known:
    place = _place(file, text, fingerprint)
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise _invalid(place, f"got the key {fingerprint!r:.100}", "a fingerprint: 64 hexadecimal digits")
    if not isinstance(entry, dict) or entry.keys() != {"count", *_TEXTS}:
        raise _invalid(place, "the entry is not complete or has more keys", "count, provider, rule and statement")
    count = entry["count"]
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise _invalid(place, f"got the count {count!r:.50}", "a whole number from 1")
    for key in _TEXTS:
        if not isinstance(entry[key], str):
            raise _invalid(place, f"`{key}` is {entry[key]!r:.50}", "a text")
    return Known(count, entry["rule"], entry["provider"], entry["statement"])


class _DoubleKeyError(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _DoubleKeyError(key)
        found[key] = value
    return found


def _place(file: str, text: str, key: str) -> str:
    """The line of a key; of one that stands twice, the last."""
    at = text.rfind(json.dumps(key))
    return file if at < 0 else f"{file}:{text.count(chr(10), 0, at) + 1}"


def _invalid(place: str, problem: str, expected: str) -> UsageError:
    return UsageError(
        "scan.baseline_invalid",
        f"{place}: {problem}",
        expected=expected,
        remedy="write it anew with `aegis scan --write-baseline`",
    )


def _grouped(uses: Iterable[Use]) -> dict[str, list[Use]]:
    groups: defaultdict[str, list[Use]] = defaultdict(list)
    for use in sorted(uses, key=_position):
        groups[content_fingerprint(use)].append(use)
    return dict(groups)


def _position(use: Use) -> tuple[str, int, int, str, str, str]:
    """Reading order; what stands at one place in an order of its own, so that every run tells the same."""
    said = use.statement
    return use.path, said.line, said.column, said.text, use.entry.provider, use.use_class
