"""What is told, and what a place is that it is told to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

MAX_TEXT = 500
"""Characters of one field: what comes from outside may be of any length."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One refused load."""

    model: str
    version: str | None
    reason: str
    """A code of the registry."""
    message: str
    """For people; parts of it may come from outside."""
    digest: str | None
    """SHA-256 (hex) of what was refused, where it is known."""
    correlation_id: str
    """The same as in the audit log."""
    time: datetime
    """With its zone."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An alert that did not arrive."""

    sink: str
    """The kind of sink; never its address."""
    problem: str


class Sink(Protocol):
    """One place."""

    @property
    def kind(self) -> str:
        """For logs and metrics."""
        ...

    def send(self, alert: Alert, repeated: int) -> str:
        """Why it did not arrive, without secrets; empty where it did. `repeated`: as many were held back since."""
        ...


def line(text: str) -> str:
    """A text from outside as one line of bounded length, without characters that steer a terminal or a renderer."""
    short = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
    return "".join(each if each.isprintable() else "�" for each in short)
