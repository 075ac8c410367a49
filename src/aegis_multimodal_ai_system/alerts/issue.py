"""An issue on GitHub for each model and reason: opened once, commented on while it goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from aegis.adapters.github.issues import GitHubIssues, block, mark
from aegis.adapters.http.posting import TIMEOUT
from aegis_multimodal_ai_system.alerts.alert import Alert, line

LABEL = "aegis-alert"
COMMENT_AFTER = timedelta(hours=6)
"""How long an issue has been still before it is commented on: it is a list of work, not a log."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One repository."""

    repository: str
    """`owner/name`."""
    token: str = field(repr=False)
    service: str = ""
    api: str = "https://api.github.com"
    timeout: float = TIMEOUT
    kind: ClassVar[str] = "issue"

    def send(self, alert: Alert, repeated: int) -> str:
        """Why it did not arrive; empty where it did."""
        issues = GitHubIssues(self.repository, self.token, LABEL, self.api, self.timeout)
        marked = mark(LABEL, self.service, alert.model, alert.reason)
        problem, found = issues.find(marked)
        if problem:
            return problem
        text = _text(alert, repeated, self.service)
        if found is None:
            return issues.open(f"Model {line(alert.model)} was refused: {alert.reason}", text, marked)
        if _still(found, alert.time):
            return ""
        return issues.comment(found["number"], f"Refused again.\n\n{text}")


def _still(issue: dict[str, Any], now: datetime) -> bool:
    """Whether somebody has said something a short while ago."""
    try:
        updated = datetime.fromisoformat(str(issue.get("updated_at")))
    except ValueError:
        return False
    return updated.tzinfo is not None and now.astimezone(UTC) - updated < COMMENT_AFTER


def _text(alert: Alert, repeated: int, service: str) -> str:
    """For people."""
    fields = {
        "model": alert.model,
        "version": alert.version or "none",
        "digest": alert.digest or "unknown",
        "reason": alert.reason,
        "message": alert.message,
        "time": alert.time.isoformat(),
        "correlation id": alert.correlation_id,
        "service": service or "unnamed",
        "held back since": str(repeated),
    }
    told = block("\n".join(f"{name}: {line(value)}" for name, value in fields.items()))
    return f"The loader refused this model, so nothing of it was given out.\n\n{told}"
