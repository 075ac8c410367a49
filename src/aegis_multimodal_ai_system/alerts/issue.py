"""An issue on GitHub for each model and reason: opened once, commented on while it goes on.

https://docs.github.com/rest/issues/issues. The token needs `issues: write` on one repository, of an account that may
set labels. Which issue is whose is told by a mark in its body, and only looked for among issues with our label: who may
not triage cannot set it, and so cannot keep an alert from being told by an issue of his own. Two processes that begin
at once may each open one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from aegis.adapters.http_call import Answer
from aegis_multimodal_ai_system.alerts.alert import Alert, line
from aegis_multimodal_ai_system.alerts.posting import TIMEOUT, asked, problem_of

LABEL = "aegis-alert"
COMMENT_AFTER = timedelta(hours=6)
"""How long an issue has been still before it is commented on: it is a list of work, not a log."""
_MAX_TITLE = 256
_PAGE, _PAGES = 50, 10
"""Open issues with our label that are looked through; more than these is a list that nobody reads."""


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
        mark = _mark(self.service, alert)
        problem, found = self._open_one(mark)
        if problem:
            return problem
        if found is None:
            document = {
                "title": f"Model {line(alert.model)} was refused: {alert.reason}"[:_MAX_TITLE],
                "body": f"{_text(alert, repeated, self.service)}\n\n{mark}",
                "labels": [LABEL],
            }
            return self._created(document)
        if _still(found, alert.time):
            return ""
        comment = {"body": f"Refused again.\n\n{_text(alert, repeated, self.service)}"}
        return problem_of(*self._ask("POST", f"/{found['number']}/comments", comment), good=(201,))

    def _created(self, document: Any) -> str:
        problem, answer = self._ask("POST", "", document)
        problem = problem_of(problem, answer, good=(201,))
        if problem or answer is None:
            return problem
        labels = answer.json().get("labels")
        names = [each.get("name") for each in labels if isinstance(each, dict)] if isinstance(labels, list) else []
        # GitHub drops without a word the labels of who may not set them.
        return "" if LABEL in names else f"the token may not set the label {LABEL}, so the next alert opens another"

    def _open_one(self, mark: str) -> tuple[str, dict[str, Any] | None]:
        """A problem, or the open issue that has the mark; None where there is none."""
        for page in range(1, _PAGES + 1):
            query = f"?state=open&labels={LABEL}&per_page={_PAGE}&page={page}"
            problem, answer = self._ask("GET", query, None)
            problem = problem_of(problem, answer, good=(200,))
            if problem or answer is None:
                return problem, None
            issues = _issues(answer)
            if issues is None:
                return "an answer that is no list of issues", None
            for issue in issues:
                if "pull_request" not in issue and mark in str(issue.get("body")):
                    return "", issue
            if len(issues) < _PAGE:
                return "", None
        return f"more than {_PAGE * _PAGES} open issues with the label {LABEL}", None

    def _ask(self, method: str, rest: str, document: Any) -> tuple[str, Answer | None]:
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        address = f"{self.api.rstrip('/')}/repos/{quote(self.repository)}/issues{rest}"
        # A creation whose answer was lost must not be tried again: there would be two.
        retry = method == "GET"
        return asked(
            method, address, document, headers=headers, secrets=(self.token,), retry=retry, timeout=self.timeout
        )


def _issues(answer: Answer) -> list[dict[str, Any]] | None:
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list) or not all(
        isinstance(each, dict) and isinstance(each.get("number"), int) for each in found
    ):
        return None
    return found


def _still(issue: dict[str, Any], now: datetime) -> bool:
    """Whether somebody has said something a short while ago."""
    try:
        updated = datetime.fromisoformat(str(issue.get("updated_at")))
    except ValueError:
        return False
    return updated.tzinfo is not None and now.astimezone(UTC) - updated < COMMENT_AFTER


def _mark(service: str, alert: Alert) -> str:
    """A comment that Markdown does not show; a digest, since a name could close it."""
    identity = "\0".join((service, alert.model, alert.reason)).encode()
    return f"<!-- aegis-alert {hashlib.sha256(identity).hexdigest()} -->"


def _text(alert: Alert, repeated: int, service: str) -> str:
    """For people. What comes from outside stands in a block of code, where nothing is rendered and nobody notified."""
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
    block = "\n".join(f"{name}: {line(value)}" for name, value in fields.items())
    longest = max((len(run) for run in "".join(c if c == "`" else " " for c in block).split()), default=0)
    fence = "`" * max(3, longest + 1)
    return f"The loader refused this model, so nothing of it was given out.\n\n{fence}text\n{block}\n{fence}"
