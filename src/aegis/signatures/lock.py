"""`aegis.lock`: which release of each artifact was accepted, so that nothing older passes for new.

A runner remembers nothing, and the artifact store belongs to the attacker in this question: so what was accepted is
kept in the repository, where a change of it is reviewed. The file is JSON with sorted keys:

    {
      "version": 1,
      "artifacts": {
        "NAME": {"version": …, "sha256": …, "statement": …, "accepted": "YYYY-MM-DD"}
      }
    }

`sha256` is the release's digest and `statement` that of the release statement, in lowercase hex. Only the newest
accepted release is kept: everything below it is a rollback. On a pull request the base's lock is in force, and the
head's may only move forward (`moved_backward`).
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from aegis.core.errors import Refused, UsageError
from aegis.signatures import strict_json
from aegis.signatures.release import NAME, SHA256, Release, version_order
from aegis.signatures.shown import shown

_FORMAT = 1
_FIELDS = ("version", "sha256", "statement", "accepted")

Standing = Literal["accepted", "newer", "unknown"]
"""Of a release beside a lock: the accepted one, a newer one, or of an artifact that the lock does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The newest release of one artifact that was accepted."""

    version: str
    sha256: str
    """Hex; `Release.root`."""
    statement: str
    """SHA-256 (hex) of the release statement, for people who look for it. The same release may be signed again."""
    accepted: datetime.date


@dataclass(frozen=True, slots=True)
class Lock:
    """What was accepted, by artifact."""

    entries: Mapping[str, Entry] = field(default_factory=dict)


def parse_lock(data: bytes, *, file: str) -> Lock:
    """Read a lock file; `file` is its name for people.

    Raises UsageError `verify.lock_invalid` for anything that is not exactly one.
    """
    try:
        document = strict_json.parse(data, what=f"the lock file {shown(file)}")
    except Refused as refused:
        raise _invalid(file, refused.problem) from refused
    if not isinstance(document, dict) or set(document) != {"version", "artifacts"}:
        raise _invalid(file, "it has other fields than version and artifacts")
    if document["version"] != _FORMAT or isinstance(document["version"], bool | float):
        raise _invalid(file, f"its version is not {_FORMAT}")
    artifacts = document["artifacts"]
    if not isinstance(artifacts, dict):
        raise _invalid(file, "its artifacts are no object")
    return Lock({name: _entry(name, value, file) for name, value in artifacts.items()})


def render_lock(lock: Lock) -> bytes:
    """The file's content: equal for equal locks, one line a field, so that a diff reads well."""
    artifacts = {
        name: {
            "version": entry.version,
            "sha256": entry.sha256,
            "statement": entry.statement,
            "accepted": entry.accepted.isoformat(),
        }
        for name, entry in sorted(lock.entries.items())
    }
    return (json.dumps({"version": _FORMAT, "artifacts": artifacts}, indent=2) + "\n").encode()


def check(lock: Lock, release: Release) -> Standing:
    """How a release stands to what was accepted; whether a newer one passes is the policy's question.

    Refuses with `verify.rollback` and `verify.version_reused`.
    """
    entry = lock.entries.get(release.name)
    if entry is None:
        return "unknown"
    return compare(entry, name=release.name, version=release.version, root=release.root)


def compare(entry: Entry, *, name: str, version: str, root: str) -> Literal["accepted", "newer"]:
    """The same of an artifact's version and digest. Refuses as `check` does."""
    accepted, offered = version_order(entry.version), version_order(version)
    if offered < accepted:
        raise Refused(
            "verify.rollback",
            f"{shown(name)} is of version {version}",
            expected=f"version {entry.version}, which was accepted on {entry.accepted}, or a newer one",
            remedy="Upload the newer version. To go back, release the old content under a new version.",
        )
    if offered > accepted:
        return "newer"
    if root != entry.sha256:
        raise Refused(
            "verify.version_reused",
            f"version {version} of {shown(name)} has the digest {root}",
            expected=f"{entry.sha256}, which was accepted on {entry.accepted}",
            remedy="Release the new content under a new version.",
        )
    return "accepted"


def accept(lock: Lock, release: Release, today: datetime.date) -> Lock:
    """The lock with this release in it; the same lock if it stands there already. Refuses what `check` refuses."""
    before = lock.entries.get(release.name)
    if check(lock, release) == "accepted" and before is not None:
        if before.statement == release.statement:
            return lock
        entry = replace(before, statement=release.statement, accepted=today)
    else:
        entry = Entry(version=release.version, sha256=release.root, statement=release.statement, accepted=today)
    return Lock({**lock.entries, release.name: entry})


def moved_backward(before: Lock, after: Lock) -> list[str]:
    """Each way in which `after` would let through what `before` refuses, as a phrase for people."""
    found = []
    for name, entry in sorted(before.entries.items()):
        now = after.entries.get(name)
        if now is None:
            found.append(f"{name}: no longer locked to version {entry.version}")
        elif version_order(now.version) < version_order(entry.version):
            found.append(f"{name}: version {now.version} instead of {entry.version}")
        elif version_order(now.version) == version_order(entry.version) and now.sha256 != entry.sha256:
            found.append(f"{name}: another digest for version {entry.version}")
    return found


def _entry(name: str, value: Any, file: str) -> Entry:
    if not NAME.fullmatch(name):
        raise _invalid(file, f"{shown(name)} is no artifact's name")
    if not isinstance(value, dict) or set(value) != set(_FIELDS):
        raise _invalid(file, f"{shown(name)} has other fields than {', '.join(_FIELDS)}")
    if not all(isinstance(value[key], str) for key in _FIELDS):
        raise _invalid(file, f"{shown(name)} has a field that is no text")
    for key in ("sha256", "statement"):
        if not SHA256.fullmatch(value[key]):
            raise _invalid(file, f"the {key} of {shown(name)} is no SHA-256 in lowercase hex")
    try:
        version_order(value["version"])
        accepted = datetime.date.fromisoformat(value["accepted"])
    except ValueError as error:
        raise _invalid(file, f"version or day of {shown(name)} is none") from error
    if accepted.isoformat() != value["accepted"]:
        raise _invalid(file, f"the day of {shown(name)} is not YYYY-MM-DD")
    return Entry(version=value["version"], sha256=value["sha256"], statement=value["statement"], accepted=accepted)


def _invalid(file: str, problem: str) -> UsageError:
    return UsageError(
        "verify.lock_invalid",
        f"the lock file {shown(file)} cannot be used: {problem}",
        expected="what `aegis verify release accept` writes",
        remedy="Restore the file from the base branch; accept releases by `aegis verify release accept`.",
        place=(file, 1, 1),
    )
