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
)
