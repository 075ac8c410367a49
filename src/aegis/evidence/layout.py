"""Where a signed verdict lies: below its commit, and below each digest that it is about.

    commit/<commit>/<gate>/<finished>-<SHA-256 of the bundle>.sigstore.json
    sha256/<digest>/<gate>/<finished>-<SHA-256 of the bundle>.sigstore.json
    verdict/<SHA-256 of the file>.json

The first two hold the same bundle, the third the `verdict.json` that it speaks for. Nothing is ever written over, and
names sort by time: the last one of a gate is its newest. A name is no more than a hint: it must fit what was signed.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from aegis.core.errors import Refused, UsageError
from aegis.core.policy import GateName
from aegis.signatures.shown import shown

SUFFIX: Final = ".sigstore.json"
COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
SHA256: Final = re.compile(r"[0-9a-f]{64}")
_ENTRY: Final = re.compile(
    rf"(?P<gate>{'|'.join(get_args(GateName))})/(?P<stamp>[0-9]{{8}}T[0-9]{{9}}Z)-(?P<sha256>[0-9a-f]{{64}})"
    rf"{re.escape(SUFFIX)}"
)


@dataclass(frozen=True, slots=True)
class About:
    """What verdicts are asked about."""

    kind: Literal["commit", "sha256"]
    value: str
    """Lowercase hex."""

    @property
    def folder(self) -> str:
        """Below the store's prefix."""
        return f"{self.kind}/{self.value}/"

    def __str__(self) -> str:
        """For people."""
        return f"the commit {self.value}" if self.kind == "commit" else f"sha256:{self.value}"


def commit(text: str) -> About:
    """A commit by its full id. Raises UsageError."""
    if not COMMIT.fullmatch(text):
        raise _unclear("the commit", text, "a commit's full id, 40 or 64 hexadecimal digits in lower case")
    return About("commit", text)


def digest(text: str) -> About:
    """An artifact by `sha256:HEX`. Raises UsageError."""
    algorithm, _, value = text.partition(":")
    if algorithm != "sha256" or not SHA256.fullmatch(value):
        raise _unclear("the digest", text, "sha256: and 64 hexadecimal digits in lower case")
    return About("sha256", value)


@dataclass(frozen=True, slots=True)
class Entry:
    """A bundle by its name."""

    key: str
    """The whole key in the store."""
    gate: GateName
    stamp: str
    sha256: str
    """Of the bundle's bytes, as the name has it."""


def entry_of(key: str, folder: str) -> Entry | None:
    """What a key below `folder` (the prefix and `About.folder`) says; None where it is no name of this layout."""
    found = _ENTRY.fullmatch(key.removeprefix(folder)) if key.startswith(folder) else None
    if found is None:
        return None
    return Entry(key, cast("GateName", found["gate"]), found["stamp"], found["sha256"])


def key_of(about: About, gate: GateName, finished: str, bundle: bytes) -> str:
    """Where a bundle lies. `finished`: RFC 3339, as the verdict has it; raises Refused where it is no time."""
    return f"{about.folder}{gate}/{stamp_of(finished)}-{hashlib.sha256(bundle).hexdigest()}{SUFFIX}"


def verdict_key(sha256: str) -> str:
    """Where the `verdict.json` of this digest lies."""
    return f"verdict/{sha256}.json"


def stamp_of(finished: str) -> str:
    """A time for names, to the millisecond: they sort as the times do. Raises Refused `evidence.malformed`."""
    return moment_of(finished).strftime("%Y%m%dT%H%M%S%f")[:-3] + "Z"


def moment_of(finished: str) -> datetime.datetime:
    """When a gate ended, UTC. Raises Refused `evidence.malformed` for what is no time with a zone."""
    try:
        moment = datetime.datetime.fromisoformat(finished)
        # below the year 1000 the digits of a name would be fewer
        if moment.tzinfo is not None and moment.year > 1000:
            return moment.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        pass
    raise Refused(
        "evidence.malformed",
        f"the verdict says that its gate ended at {shown(finished)}",
        expected="a time with its zone (RFC 3339)",
        remedy="Run the gate again: what it writes has one.",
    )


def _unclear(what: str, text: str, expected: str) -> UsageError:
    return UsageError(
        "core.wrong_usage",
        f"{what} is {text[:200]!r}",
        expected=expected,
        remedy="correct the argument",
    )
