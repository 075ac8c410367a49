"""Which backups stay and which go: grandfathers, fathers and sons, of verified backups alone.

Retention that counts whatever is there keeps the truncated and removes the good. Here only a backup whose restore was
proven fills a place, by whatever tier: a policy that asks for more than before removes no archive. The newest that is
verified by the policy's tier never goes; and what was never proven waits until enough that were are newer than it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from aegis.backup.listing import Contents
from aegis.core.errors import CouldNotDecide
from aegis.core.policy import Keep

GRACE: Final = timedelta(hours=48)
"""For a backup to get its manifest: eight times as long as one may take (`writing.SECONDS`)."""
_SKEW: Final = timedelta(seconds=60)

Held: TypeAlias = Literal["verified", "weaker", "unproven", "failed", "damaged", "unreadable"]
"""What is known of a backup. weaker: proven equal, by a tier below the policy's. damaged: it was restored from, and has
another manifest now, or none, or not all objects: somebody has touched it, or pruning was cut short. unreadable: the
record is damaged that would say."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A backup, and what is known of it."""

    contents: Contents
    held: Held


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a backup, and why."""

    candidate: Candidate
    keep: bool
    reason: str
    """For people, e.g. `the newest verified of 2026-11-26`."""


def fates(candidates: Sequence[Candidate], keep: Keep, now: datetime) -> tuple[Fate, ...]:
    """Each backup's fate, newest first.

    Periods are days, ISO weeks and months (UTC) of snapshots that have a verified backup: where backups stop, the old
    ones stay. CouldNotDecide `backup_check.clocks_differ` where a backup is from the future.
    """
    ordered = sorted(candidates, key=lambda candidate: candidate.contents.listed.id, reverse=True)
    if ordered and ordered[0].contents.listed.time > now + _SKEW:
        raise CouldNotDecide(
            "backup_check.clocks_differ",
            f"{ordered[0].contents.listed.id} is later than this machine's clock",
            expected="clocks that differ by at most 60 s",
            remedy="Set the clocks by NTP: nothing is removed by a clock that is wrong. Where they are right now, move"
            f" or remove the folder of {ordered[0].contents.listed.id} by hand.",
        )
    proven = [candidate for candidate in ordered if candidate.held in {"verified", "weaker"}]
    kept = _kept(proven, keep)
    return tuple(_fate(candidate, kept, proven, keep, now) for candidate in ordered)


def _fate(
    candidate: Candidate,
    kept: dict[str, str],
    proven: Sequence[Candidate],
    keep: Keep,
    now: datetime,
) -> Fate:
    listed = candidate.contents.listed
    if candidate.held in {"verified", "weaker"}:
        reason = kept.get(listed.id)
        return Fate(candidate, reason is not None, reason or "verified, and no place is left for it")
    if candidate.held == "unreadable":
        return Fate(candidate, True, "a record of its restore is damaged: verify it again")
    newer = sum(other.contents.listed.id > listed.id for other in proven)
    if candidate.held == "damaged" and (candidate.contents.complete or newer < keep.last):
        return Fate(candidate, True, "it was restored from and is not whole any more: look at it")
    if not candidate.contents.complete:
        if now - listed.time < GRACE:
            return Fate(candidate, True, "no manifest yet: it may be on its way")
        if not newer:
            return Fate(candidate, True, "no manifest, but no verified backup is newer")
        return Fate(candidate, False, "it has no manifest")
    word = "its restore has failed" if candidate.held == "failed" else "never proven"
    if newer < keep.last:
        return Fate(candidate, True, f"{word}; {newer} of {keep.last} verified backups are newer")
    return Fate(candidate, False, f"{word}, and {newer} verified backups are newer")


def _kept(proven: Sequence[Candidate], keep: Keep) -> dict[str, str]:
    """The ids of those that stay, each with its first reason."""
    kept: dict[str, str] = {}
    for number, candidate in enumerate(proven[: keep.last], start=1):
        kept[candidate.contents.listed.id] = f"number {number} of the newest verified"
    rules: tuple[tuple[int, Callable[[datetime], str]], ...] = (
        (keep.daily, lambda time: f"{time:%Y-%m-%d}"),
        (keep.weekly, lambda time: f"{time:%G-W%V}"),
        (keep.monthly, lambda time: f"{time:%Y-%m}"),
    )
    for number, period in rules:
        first: dict[str, str] = {}
        for candidate in proven:
            first.setdefault(period(candidate.contents.listed.time), candidate.contents.listed.id)
        for name, backup in list(first.items())[:number]:
            kept.setdefault(backup, f"the newest verified of {name}")
    newest = next((candidate for candidate in proven if candidate.held == "verified"), None)
    if newest is not None:
        kept.setdefault(newest.contents.listed.id, "the newest verified by the tier of the policy")
    return kept
