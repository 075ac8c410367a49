"""What the page shows of the gates' evidence. A verdict may hold anything there, so it is taken by these types only."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from aegis.core import typed
from aegis.core.verdict import Result, Verdict

_T = TypeVar("_T")


class Proof(Struct, frozen=True):
    """The last restore that was proven."""

    age: float | None
    """Seconds when the verdict was given."""
    tier: str
    equality: str
    backup: str
    rto: float
    run_url: str | None = None


class Point(Struct, frozen=True):
    """One restore of a trend."""

    finished: str
    rto: float


class Trend(Struct, frozen=True):
    """Restores over time."""

    tier: str
    points: list[Point]


class Database(Struct, frozen=True):
    """One of the evidence `databases` of the backup-check gate."""

    name: str
    outcome: str
    rpo_limit: float
    proof_limit: float
    rto_limit: float | None = None
    rpo: float | None = None
    proof: Proof | None = None
    trend: Trend | None = None


class SignedBy(Struct, frozen=True):
    """Who signed an artifact."""

    signer: str
    method: str
    identity: str | None = None
    signed_at: str | None = None


class Artifact(Struct, frozen=True):
    """One of the evidence `artifacts` of the verify gate: it is what the policy asks for."""

    name: str
    kind: str
    source: str
    sha256: str
    signed_by: list[SignedBy] = []
    release: str | None = None
    read: str = ""


class Rollout(Struct, frozen=True):
    """The evidence `canary`."""

    decision: str
    rollout: str
    harm: float
    aborts_at: float
    good: float
    promotes_at: float
    p_value: float


class Look(Struct, frozen=True):
    """One of the evidence `looks` of the canary gate: powers of ten."""

    seconds: float
    harm: float
    good: float


class Part(Struct, frozen=True):
    """What a verdict over all gates says of one of them."""

    result: Result | Literal["not-run"]
    reason: str
    decision: str = ""


class Exempt(Struct, frozen=True):
    """A suppression of the scan gate's policy."""

    rule: str
    path: str
    owner: str
    reason: str
    expires: str


def evidence(verdict: Verdict, name: str, kind: type[_T]) -> _T | None:
    """The value of this name as this type; None where there is none. Raises `msgspec.ValidationError`."""
    for each in verdict.evidence:
        if each.name == name:
            return typed.convert(each.value, kind)
    return None


def convert(value: Any, kind: type[_T]) -> _T | None:
    """The value as this type, None where it is another."""
    try:
        return typed.convert(value, kind)
    except msgspec.ValidationError:
        return None
