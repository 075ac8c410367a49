"""Release statements: which name and version an artifact was released under, and until when that holds.

A model's signature binds neither (OMS SPEC.md 6.5.1 calls the name informational), so an old or another model with a
valid signature could stand in for the current one: rollback, freeze and mix-and-match in the words of TUF (spec 1.0.33,
1.5.2). A release statement is an in-toto statement v1 about the artifact's digest with the predicate

    {"name": …, "version": …, "digest": {"sha256": …}, "notBefore": …, "notAfter": …}

of the type `urn:aegis-gates:predicate:release:v1`. `notBefore` may be left out; times are RFC 3339, in UTC and by the
second.

Versions are one to four numbers with dots between them, without leading zeros, compared number by number; numbers that
are missing count as 0, so that `1.2` and `1.2.0` are the same version. There is no `-rc1` and no `v`: whether these
come before or after depends on whom you ask.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aegis.core.errors import AegisError, Refused, UsageError
from aegis.core.policy import NAME_PATTERN
from aegis.signatures.models.sign import canonical
from aegis.signatures.shown import shown
from aegis.signatures.statement import V1, Statement

PREDICATE_TYPE = "urn:aegis-gates:predicate:release:v1"

NAME = re.compile(NAME_PATTERN, re.ASCII)
"""What the policy calls an artifact."""
SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)

_VERSION = re.compile(r"(?:0|[1-9][0-9]{0,17})(?:\.(?:0|[1-9][0-9]{0,17})){0,3}", re.ASCII)
_PARTS = 4
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_REQUIRED = {"name", "version", "digest", "notAfter"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One version of one artifact, as its signer released it."""

    name: str
    version: str
    root: str
    """SHA-256 (hex): of a file, or of a model its `Manifest.content`, which binds the files' names too."""
    not_before: datetime.datetime | None = None
    """UTC; the first second in which it holds."""
    not_after: datetime.datetime
    """UTC; the last one."""
    statement: str = ""
    """SHA-256 (hex) of the statement it was read from."""


def version_order(version: str) -> tuple[int, ...]:
    """What versions are compared by; equal for `1.2` and `1.2.0`. Raises ValueError for anything else."""
    if not _VERSION.fullmatch(version):
        raise ValueError(version)
    numbers = tuple(int(part) for part in version.split("."))
    return numbers + (0,) * (_PARTS - len(numbers))


def release_statement(release: Release) -> bytes:
    """The payload to be signed in an envelope of `aegis.signatures.statement.PAYLOAD_TYPE`.

    Raises UsageError `verify.version_invalid` or `verify.release_malformed` for what no verifier would take.
    """
    predicate: dict[str, Any] = {
        "name": release.name,
        "version": release.version,
        "digest": {"sha256": release.root},
        "notAfter": _text_of(release.not_after),
    }
    if release.not_before is not None:
        predicate["notBefore"] = _text_of(release.not_before)
    _read(predicate, error=UsageError)
    return canonical(
        {
            "_type": V1,
            "subject": [{"name": release.name, "digest": {"sha256": release.root}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": predicate,
        }
    )


def parse_release(statement: Statement) -> Release:
    """The release in a statement whose signature was verified.

    Refuses with `verify.wrong_predicate`, `verify.version_invalid` and `verify.release_malformed`.
    """
    if statement.predicate_type != PREDICATE_TYPE:
        raise Refused(
            "verify.wrong_predicate",
            f"the release statement is of the type {shown(statement.predicate_type)}",
            expected=PREDICATE_TYPE,
            remedy="Sign the release with `aegis verify release sign`.",
        )
    release = _read(statement.predicate, error=Refused, statement=statement.sha256)
    subjects = [(subject.name, dict(subject.digest)) for subject in statement.subjects]
    if statement.version != "v1" or subjects != [(release.name, {"sha256": release.root})]:
        raise _malformed(Refused, "its subject is not what its predicate releases", "in-toto v1 with this one subject")
    return release


def check(release: Release, *, name: str, root: str, now: datetime.datetime) -> None:
    """Refuse a release of something else, or at another time.

    `name` is the policy's, `root` the digest of what was read (`Release.root`), `now` with a time zone. Refuses with
    `verify.release_name`, `verify.release_digest`, `verify.release_expired` and `verify.release_not_yet_valid`.
    """
    what = f"the release statement of {shown(release.name)} {release.version}"
    if release.name != name:
        raise Refused(
            "verify.release_name",
            f"{what} is not for this artifact",
            expected=f"a release of {shown(name)}",
            remedy="Put this artifact's own release statement beside it; an artifact is renamed by a new release.",
        )
    if release.root != root:
        raise Refused(
            "verify.release_digest",
            f"{what} is for the digest {release.root}",
            expected=f"{root}, which is the artifact's",
            remedy="Upload the artifact and its release statement together.",
        )
    if now.replace(microsecond=0) > release.not_after:
        raise Refused(
            "verify.release_expired",
            f"{what} held until {_text_of(release.not_after)}",
            expected=f"one that holds at {_text_of(now)}",
            remedy="Sign a new release, or the same version again with a later `not-after`.",
        )
    if release.not_before is not None and now < release.not_before:
        raise Refused(
            "verify.release_not_yet_valid",
            f"{what} holds from {_text_of(release.not_before)} on",
            expected=f"one that holds at {_text_of(now)}",
            remedy="Wait until then, or compare the clocks of signer and runner.",
        )


def _read(predicate: Mapping[str, Any], *, error: type[AegisError], statement: str = "") -> Release:
    # Our own format: a field that is not known may limit what is known, so it is not ignored.
    missing, unknown = sorted(_REQUIRED - set(predicate)), sorted(set(predicate) - _REQUIRED - {"notBefore"})
    if missing or unknown:
        problem = f"it has no {missing[0]}" if missing else f"it has the field {shown(unknown[0])}"
        raise _malformed(error, problem, f"{', '.join(sorted(_REQUIRED))}, and notBefore if need be")
    name, digest = predicate["name"], predicate["digest"]
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise _malformed(error, "its name is none", "letters, digits, `.`, `_` and `-`, at most 100")
    if not isinstance(digest, dict) or set(digest) != {"sha256"} or not _is_sha256(digest["sha256"]):
        raise _malformed(error, "its digest is no SHA-256", "sha256 in lowercase hex")
    release = Release(
        name=name,
        version=_version(predicate["version"], error),
        root=digest["sha256"],
        not_before=_time(predicate["notBefore"], error) if "notBefore" in predicate else None,
        not_after=_time(predicate["notAfter"], error),
        statement=statement,
    )
    if release.not_before is not None and release.not_before > release.not_after:
        raise _malformed(error, "it ends before it begins", "notBefore before notAfter")
    return release


def _is_sha256(value: Any) -> bool:
    return isinstance(value, str) and SHA256.fullmatch(value) is not None


def _version(value: Any, error: type[AegisError]) -> str:
    if isinstance(value, str) and _VERSION.fullmatch(value):
        return value
    raise error(
        "verify.version_invalid",
        f"the release's version is {shown(value) if isinstance(value, str) else 'no text'}",
        expected="one to four numbers with dots between them and without leading zeros, e.g. 1.12.0",
        remedy="Release it under such a version.",
    )


def _time(value: Any, error: type[AegisError]) -> datetime.datetime:
    if isinstance(value, str) and _TIME.fullmatch(value):
        try:
            return datetime.datetime.fromisoformat(value)
        except ValueError:
            pass
    raise _malformed(error, "one of its times is none", "RFC 3339 in UTC by the second, e.g. 2027-01-31T00:00:00Z")


def _text_of(time: datetime.datetime) -> str:
    return time.astimezone(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _malformed(error: type[AegisError], problem: str, expected: str) -> AegisError:
    return error(
        "verify.release_malformed",
        f"the release statement cannot be read: {problem}",
        expected=expected,
        remedy="Sign the release again with `aegis verify release sign`.",
    )
