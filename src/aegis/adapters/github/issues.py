"""Issues on GitHub that are kept by a machine: found again by a mark, commented on, closed.

https://docs.github.com/rest/issues/issues. The token needs `issues: write` on one repository, of an account that may
set labels. Which issue is whose is told by a mark in its body, and only looked for among issues with our label: who may
not triage cannot set it, and so cannot keep something from being told by an issue of his own. Two processes that begin
at once may each open one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from aegis.adapters.http.call import Answer
from aegis.adapters.http.posting import TIMEOUT, asked, problem_of

_MAX_TITLE, _MAX_BODY = 256, 65_536
"""Characters."""
_PAGE, _PAGES = 50, 10
"""Open issues with our label that are looked through; more than these is a list that nobody reads."""


def mark(kind: str, *identity: str) -> str:
    """A comment that Markdown does not show; a digest, since a name could close it."""
    return f"<!-- {kind} {hashlib.sha256(chr(0).join(identity).encode()).hexdigest()} -->"


def block(text: str) -> str:
    """What comes from outside as a block of code, where nothing is rendered and nobody notified."""
    longest = max((len(run) for run in "".join(c if c == "`" else " " for c in text).split()), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


@dataclass(frozen=True, slots=True)
class GitHubIssues:
    """The issues of one repository with one label. Each answer is a problem, empty where there was none."""

    repository: str
    """`owner/name`."""
    token: str = field(repr=False)
    label: str
    api: str = "https://api.github.com"
    timeout: float = TIMEOUT

    def find(self, marked: str) -> tuple[str, dict[str, Any] | None]:
        """A problem, or the open issue that has the mark; None where there is none."""
        for page in range(1, _PAGES + 1):
            query = f"?state=open&labels={self.label}&per_page={_PAGE}&page={page}"
            problem, answer = self._ask("GET", query, None)
            problem = problem_of(problem, answer, good=(200,))
            if problem or answer is None:
                return problem, None
            issues = _issues(answer)
            if issues is None:
                return "an answer that is no list of issues", None
            for issue in issues:
                if "pull_request" not in issue and marked in str(issue.get("body")):
                    return "", issue
            if len(issues) < _PAGE:
                return "", None
        return f"more than {_PAGE * _PAGES} open issues with the label {self.label}", None

    def open(self, title: str, body: str, marked: str) -> str:
        """A new issue, with the mark at its end."""
        room = _MAX_BODY - len(marked) - 2
        document = {"title": title[:_MAX_TITLE], "body": f"{body[:room]}\n\n{marked}", "labels": [self.label]}
        problem, answer = self._ask("POST", "", document)
        problem = problem_of(problem, answer, good=(201,))
        if problem or answer is None:
            return problem
        labels = answer.json().get("labels")
        names = [each.get("name") for each in labels if isinstance(each, dict)] if isinstance(labels, list) else []
        # GitHub drops without a word the labels of who may not set them.
        return "" if self.label in names else f"the token may not set the label {self.label}, so the next opens another"

    def comment(self, number: int, body: str) -> str:
        """Add to an issue."""
        return problem_of(*self._ask("POST", f"/{number}/comments", {"body": body[:_MAX_BODY]}), good=(201,))

    def close(self, number: int) -> str:
        """As done."""
        document = {"state": "closed", "state_reason": "completed"}
        return problem_of(*self._ask("PATCH", f"/{number}", document), good=(200,))

    def _ask(self, method: str, rest: str, document: Any) -> tuple[str, Answer | None]:
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        address = f"{self.api.rstrip('/')}/repos/{quote(self.repository)}/issues{rest}"
        # A creation whose answer was lost must not be tried again: there would be two.
        retry = method != "POST"
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
