"""What a model's state may become: the one place that says so. Pure.

            new          verified     unverified   quarantined  revoked
load: good  verified     verified     verified     (stays)      (stays)   a load never lifts what a person decided
load: bad   unverified   unverified   unverified   (stays)      (stays)
quarantine  quarantined  quarantined  quarantined  quarantined  refused
release     refused      refused      refused      unverified   refused   it is verified at its next load
revoke      revoked      revoked      revoked      revoked      revoked   for ever

A good load of a release that is older than one that was loaded before, or that has its version and another digest, is
refused as well: another process may have loaded the newer one while this one was still fetching.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from aegis.core.errors import Refused
from aegis.signatures.lock import Entry, compare

StateName = Literal["verified", "unverified", "quarantined", "revoked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """What is known of one model."""

    name: str
    state: StateName
    digest: str | None = None
    """Hex: the content that the state is about, or the last one known before it."""
    version: str | None = None
    signer: str | None = None
    reason: str | None = None
    """Why it is not verified: a reason code, or what a person said."""
    changed: datetime
    """UTC."""
    floor_version: str | None = None
    """The highest release that was ever verified; it never goes down."""
    floor_digest: str | None = None
    """Its digest (hex)."""

    @property
    def floor(self) -> Entry | None:
        """That release, as a lock file would have it."""
        if self.floor_version is None or self.floor_digest is None:
            return None
        return Entry(version=self.floor_version, sha256=self.floor_digest, statement="", accepted=self.changed.date())


@dataclass(frozen=True, slots=True)
class Verified:
    """A load has verified it."""

    digest: str
    version: str | None
    signer: str


@dataclass(frozen=True, slots=True)
class NotVerified:
    """A load has refused it."""

    reason: str
    digest: str | None
    """None where the load did not get as far: what is known stays known."""


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Somebody takes it out of service."""

    reason: str


@dataclass(frozen=True, slots=True)
class Release:
    """Somebody gives it back to the loader."""


@dataclass(frozen=True, slots=True)
class Revoke:
    """Somebody takes it out of service for ever."""

    reason: str


Step = Verified | NotVerified | Quarantine | Release | Revoke

_HELD = ("quarantined", "revoked")
_PERSONS_STEPS: Mapping[type[Step], Mapping[StateName | None, StateName]] = MappingProxyType(
    {
        Quarantine: {
            None: "quarantined",
            "verified": "quarantined",
            "unverified": "quarantined",
            "quarantined": "quarantined",
        },
        Release: {"quarantined": "unverified"},
        Revoke: {
            None: "revoked",
            "verified": "revoked",
            "unverified": "revoked",
            "quarantined": "revoked",
            "revoked": "revoked",
        },
    }
)
"""What is not here is refused."""


def after(before: ModelState | None, step: Step, *, name: str, now: datetime) -> ModelState:
    """The state after a step.

    Raises Refused: `runtime.transition_refused` of a person's step, `verify.rollback` or `verify.version_reused` of a
    load.
    """
    known = before or ModelState(name=name, state="unverified", changed=now)
    match step:
        case Verified(digest, version, signer):
            if known.state in _HELD:
                return known
            return replace(
                _risen(known, digest, version),
                state="verified",
                digest=digest,
                version=version,
                signer=signer,
                reason=None,
                changed=now,
            )
        case NotVerified(reason, digest):
            if known.state in _HELD:
                return known
            return replace(
                known,
                state="unverified",
                digest=digest or known.digest,
                version=None,
                signer=None,
                reason=reason,
                changed=now,
            )
    target = _PERSONS_STEPS[type(step)].get(before.state if before else None)
    if target is None:
        raise _refused(name, before, step)
    if isinstance(step, Release):
        return replace(known, state=target, version=None, signer=None, reason=None, changed=now)
    return replace(known, state=target, reason=step.reason, changed=now)


def _risen(known: ModelState, digest: str, version: str | None) -> ModelState:
    """With the floor where this release puts it. Raises Refused `verify.rollback` or `verify.version_reused`."""
    if version is None:
        return known
    floor = known.floor
    if floor is not None and compare(floor, name=known.name, version=version, root=digest) == "accepted":
        return known
    return replace(known, floor_version=version, floor_digest=digest)


def _refused(name: str, before: ModelState | None, step: Step) -> Refused:
    now = before.state if before else "unknown"
    what = "released" if isinstance(step, Release) else "quarantined"
    expected = "a model in quarantine" if isinstance(step, Release) else "a model that is not revoked"
    return Refused(
        "runtime.transition_refused",
        f"the model {name!r} is {now}: it cannot be {what}",
        expected=expected,
        remedy="look at its state with `aegis model status`; what is revoked stays so, release its successor",
    )
