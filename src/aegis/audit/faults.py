"""The audit log's own errors."""

from __future__ import annotations

from aegis.core.errors import CouldNotDecide, Refused


def unavailable(
    problem: str, *, expected: str = "a log that can be written and read", remedy: str = ""
) -> CouldNotDecide:
    """The log cannot be written or read: what is not recorded is not done."""
    return CouldNotDecide(
        "audit.unavailable",
        problem,
        expected=expected,
        remedy=remedy
        or "Look at the place that the message names, and try again; `aegis audit verify` says what is there.",
    )


def event_refused(problem: str, *, expected: str) -> Refused:
    """An event that may not stand in the log: a mistake of its caller."""
    return Refused(
        "audit.event_invalid",
        problem,
        expected=expected,
        remedy="Correct the event; nothing was recorded, so do not go on.",
    )


def entry_malformed(problem: str) -> Refused:
    """An entry that is no event in its only spelling."""
    return Refused(
        "audit.entry_malformed",
        f"the entry {problem}",
        expected="an event as RFC 8785 writes it, version 1",
        remedy="Verify the log with `aegis audit verify`; a newer version of this package may know newer events.",
    )


def checkpoint_invalid(problem: str, *, expected: str) -> Refused:
    """A checkpoint or key that is not this log's."""
    return Refused(
        "audit.checkpoint_invalid",
        problem,
        expected=expected,
        remedy="Compare the log's name and key with the published ones; treat a difference as tampering.",
    )


def proof_invalid(problem: str, *, expected: str) -> Refused:
    """A proof that proves nothing, or cannot be read."""
    return Refused(
        "audit.proof_invalid",
        problem,
        expected=expected,
        remedy="Export the proof again from a log that `aegis audit verify` accepts.",
    )
