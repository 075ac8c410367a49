"""Reasons of the audit log."""

from __future__ import annotations

from aegis.core.codes.code import Code

TABLE: tuple[Code, ...] = (
    Code(
        "audit.unavailable",
        "Audit log not writable",
        "What cannot be recorded is not done: an action without an entry would leave no trace.",
        "Look at the place that the message names (disk, database, key), and try again.",
    ),
    Code(
        "audit.event_invalid",
        "Event that may not stand in the log",
        "An entry can't be taken back: unknown actions, secrets and names without bounds are kept out before.",
        "Correct the caller; the message names the member and what it may be.",
    ),
    Code(
        "audit.entry_malformed",
        "Entry that is no event",
        "Two readers that read an entry in two ways would hold two different logs.",
        "Verify the log; a newer version of this package may know newer events.",
    ),
    Code(
        "audit.checkpoint_invalid",
        "Checkpoint or key of another log",
        "A log is only what its own key signed under its own name.",
        "Compare the log's name and key with the published ones; treat a difference as tampering.",
    ),
    Code(
        "audit.proof_invalid",
        "Proof that proves nothing",
        "An entry counts as recorded when its proof leads to a root hash that the log signed.",
        "Export the proof again from a log that `aegis audit verify` accepts.",
    ),
    Code(
        "audit.tampered",
        "Log tampered with",
        "What was recorded was changed after it was signed, or a published checkpoint says otherwise.",
        "Keep a copy as evidence, stop writing to it, and find out who could write there.",
    ),
    Code(
        "audit.nothing_lost",
        "Checkpoint that the log still continues",
        "A restore that is recorded without a loss would excuse one that comes later.",
        "Name a checkpoint that was published before the restore, of entries that are gone.",
    ),
)
