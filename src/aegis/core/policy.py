"""What a repository asks of its gates: the types of `aegis.yml`, version 1.

`aegis.core.policy_file` reads the file into these types; the JSON Schema in docs/schemas is generated from them.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

MAX_EXCEPTION_DAYS = 180
"""How far away the end of a suppression or waiver may lie: two quarters, so that each is looked at twice a year."""

Text = Annotated[str, Meta(min_length=1, max_length=500)]
"""A reason or a name that a person wrote."""
Path = Annotated[str, Meta(min_length=1, max_length=4096)]
# `$` alone would let a line feed at the end through.
Fingerprint = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
CommitSha = Annotated[str, Meta(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$(?!\n)")]
ScanClass = Literal["runtime", "type-only", "test", "dynamic", "embedded", "cli", "manifest", "image", "ci", "wrapper"]
GateName = Literal["scan"]
Mode = Annotated[str, Meta(pattern=r"^(enforce|observe until [0-9]{4}-[0-9]{2}-[0-9]{2})$(?!\n)")]


class _Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Unknown keys are errors: a misspelt rule must not be a missing rule."""


class Allow(_Section, frozen=True):
    """Paths in which one provider's SDK may be used."""

    path: Path
    """A glob relative to the repository's root (`aegis.core.globs`)."""
    provider: Text
    reason: Text
    classes: tuple[ScanClass, ...] = ()
    """Only these classes of use; none named means all."""


class Suppression(_Section, frozen=True):
    """One known use that is let through for a time."""

    rule: Text
    path: Path
    """One file; wildcards are refused."""
    owner: Text
    reason: Text
    expires: datetime.date
    """The last day on which it holds, UTC, at most 180 days away."""
    fingerprint: Fingerprint | None = None
    """Of one use; left out, every use of this rule in this file."""


class Waiver(_Section, frozen=True):
    """One finding of any gate that is let through as `pass with waiver`."""

    gate: GateName
    rule: Text
    fingerprint: Fingerprint
    owner: Text
    reason: Text
    expires: datetime.date


class ScanPolicy(_Section, frozen=True):
    """`scan`: no direct cloud SDK in runtime code."""

    strict: bool = True
    """Fail on every class that is not allowed, and on anything not analysed."""
    providers: tuple[Text, ...] = ("aws", "azure", "gcp", "oci")
    allowed_classes: tuple[ScanClass, ...] = field(default=(), name="allowed-classes")
    """Classes that are fine everywhere, e.g. `test`."""
    tests: tuple[Path, ...] = ()
    """Globs of test code beside the usual ones."""
    allow: tuple[Allow, ...] = ()
    baseline: Path | None = None
    """A JSON file written by `aegis scan --write-baseline`."""
    suppressions: tuple[Suppression, ...] = ()


class Extends(_Section, frozen=True):
    """An organisation's policy, which this file may only tighten."""

    repository: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$(?!\n)")]
    commit: CommitSha
    path: Path = "aegis.yml"


class Policy(_Section, frozen=True):
    """The whole of `aegis.yml`."""

    version: Literal[1]
    extends: Extends | None = None
    mode: Mode = "enforce"
    """`enforce`, or `observe until YYYY-MM-DD`: report only, under another check name, and never as a pass."""
    waivers: tuple[Waiver, ...] = ()
    scan: ScanPolicy | None = None
    """Left out, the root action does not run this gate."""
