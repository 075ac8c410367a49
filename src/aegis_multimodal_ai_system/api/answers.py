"""What the service answers and what it takes: the schemas of /openapi.json are made from these types."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct, field

from aegis.core.policy import NAME_PATTERN

Name = Annotated[str, Meta(pattern=rf"^{NAME_PATTERN}$(?!\n)")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
StateName = Literal["verified", "unverified", "quarantined", "revoked"]
Index = Annotated[int, Meta(ge=0, le=10**18 - 1)]
Hash = Annotated[str, Meta(description="SHA-256, base64", pattern=r"^[A-Za-z0-9+/]{43}=$(?!\n)")]


class _Answer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing but what the schema names."""


class Model(_Answer, frozen=True):
    """A model and its state."""

    name: Name
    state: StateName
    """`unverified` also of one that was never asked for; then `changed` is null."""
    digest: Sha256 | None
    """Over its files' names and bytes, of what the state is about."""
    version: str | None
    signer: str | None
    reason: str | None
    """A reason code, or what a person wrote."""
    changed: str | None
    """RFC 3339, UTC."""


class Models(_Answer, frozen=True):
    """All models of the policy, and those that a state is kept of."""

    models: tuple[Model, ...]


class PreparedFile(_Answer, frozen=True):
    """One file of a verified model."""

    name: str
    size: Annotated[int, Meta(ge=0)]


class Prepared(_Answer, frozen=True):
    """A model that was fetched and verified just now, and is kept for the next load on this machine."""

    name: Name
    state: Literal["verified"]
    digest: Sha256
    version: str | None
    signer: str
    files: tuple[PreparedFile, ...]


class Reason(_Answer, frozen=True):
    """Why a person or pipeline changes a model's state."""

    reason: Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
    """One line; it stands in the audit log."""


class Entry(_Answer, frozen=True):
    """One entry of the audit log."""

    index: Index
    leaf_hash: Hash
    """RFC 6962 2.1: over a zero byte and the entry's bytes."""
    entry: Raw
    """The event, in the very bytes that the log holds (canonical JSON, RFC 8785)."""


class Entries(_Answer, frozen=True):
    """A page of the audit log."""

    size: Index
    """Of the log that the page was read from."""
    entries: tuple[Entry, ...]
    next: Index | None
    """Where the next page starts; null at the end."""


class ProvenEntry(_Answer, frozen=True):
    """An entry, and the proof that the log holds it."""

    index: Index
    leaf_hash: Hash
    entry: Raw
    size: Index
    """Of the checkpoint's tree."""
    proof: tuple[Hash, ...]
    """The inclusion proof (RFC 6962 2.1.1), from the leaf up."""
    checkpoint: str
    """A signed note (C2SP tlog-checkpoint)."""
    tlog_proof: str
    """The same as one text (C2SP tlog-proof)."""


class Consistency(_Answer, frozen=True, rename={"start": "from", "end": "to"}):
    """The proof that a smaller log is the beginning of a larger one."""

    start: Index
    end: Index
    proof: tuple[Hash, ...]
    """RFC 6962 2.1.2."""
    checkpoint: str
    """Of the whole log."""


class Page(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entries."""

    start: Index = 0
    limit: Annotated[int, Meta(ge=1, le=256)] = 100


class Sizes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}):
    """Two sizes of the log."""

    start: Annotated[int, Meta(ge=1, le=10**18 - 1)]
    end: Annotated[int, Meta(ge=1, le=10**18 - 1)]


class Alive(_Answer, frozen=True):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(_Answer, frozen=True):
    """Whether the service can do its work, and what stands in the way."""

    status: Literal["ready", "not ready"]
    checks: dict[str, str] = field(default_factory=dict)
    """Of `auth`, `policy`, `database`, `audit`, and at the end `stopping`: `ok`, or the reason code of its fault."""
