"""GitHub's issues, as strict as the real service for the operations that are called.

Requests and answers are held against GitHub's own description; what that does not say is checked by hand
(https://docs.github.com/rest/issues/issues): who may set labels, limits of texts, that pull requests are listed too.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import jsonschema

from tests.doubles.github_description import description

TOKEN = "ghs_" + "7Aq" * 12
LIST = "GET /repos/{owner}/{repo}/issues"
CREATE = "POST /repos/{owner}/{repo}/issues"
COMMENT = "POST /repos/{owner}/{repo}/issues/{issue_number}/comments"
UPDATE = "PATCH /repos/{owner}/{repo}/issues/{issue_number}"
_PATHS = {
    LIST: re.compile(r"GET /repos/[\w.-]+/[\w.-]+/issues(\?(?P<query>.*))?"),
    CREATE: re.compile(r"POST /repos/[\w.-]+/[\w.-]+/issues"),
    COMMENT: re.compile(r"POST /repos/[\w.-]+/[\w.-]+/issues/(?P<number>[0-9]+)/comments"),
    UPDATE: re.compile(r"PATCH /repos/[\w.-]+/[\w.-]+/issues/(?P<number>[0-9]+)"),
}
_MAX_BODY, _MAX_TITLE = 65_536, 256
"""Characters."""


@dataclass
class Issues:
    """The issues of the repositories together: what is there before, what is there afterwards."""

    turned_off: bool = False
    may_write: bool = True
    """The token has `issues: write`."""
    may_label: bool = True
    """It may push or triage too; the labels of others are dropped without a word."""
    author: str = "aegis[bot]"
    every: list[dict[str, Any]] = field(default_factory=list)
    comments: dict[int, list[str]] = field(default_factory=dict)
    now: datetime.datetime = field(default_factory=lambda: datetime.datetime.now(datetime.UTC))

    def add(self, title: str, body: str, *, labels: tuple[str, ...] = (), pull_request: bool = False) -> dict[str, Any]:
        """An issue, or a pull request, of anybody."""
        number = len(self.every) + 1
        url = f"https://api.github.com/repos/octo/widgets/issues/{number}"
        stamp = f"{self.now:%Y-%m-%dT%H:%M:%SZ}"
        issue = {
            "id": 1_000 + number,
            "node_id": f"I_{number}",
            "number": number,
            "title": title,
            "body": body,
            "state": "open",
            "locked": False,
            "assignee": None,
            "milestone": None,
            "closed_at": None,
            "comments": 0,
            "user": {"login": self.author},
            "labels": [{"name": name} for name in labels],
            "created_at": stamp,
            "updated_at": stamp,
            "url": url,
            "repository_url": url.rpartition("/issues")[0],
            "labels_url": f"{url}/labels{{/name}}",
            "comments_url": f"{url}/comments",
            "events_url": f"{url}/events",
            "html_url": f"https://github.com/octo/widgets/issues/{number}",
        }
        if pull_request:
            issue["pull_request"] = {"url": url.replace("/issues/", "/pulls/")}
        self.every.append(issue)
        return issue

    def answer(
        self, line: str, headers: Mapping[str, str], body: bytes, repositories: frozenset[str]
    ) -> tuple[int, Any]:
        """Status and document for a request line such as `GET /path`."""
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Bad credentials"}
        if not headers.get("User-Agent") or headers.get("Accept") != "application/vnd.github+json":
            return 400, {"message": "Request forbidden by administrative rules"}
        found = [(name, match) for name, path in _PATHS.items() if (match := path.fullmatch(line))]
        if not found or "/".join(line.partition("?")[0].split("/")[2:4]) not in repositories:
            return 404, {"message": "Not Found"}
        ((operation, match),) = found
        status, document = self._done(operation, match, body)
        answers = description()[operation]["responses"]
        assert str(status) in answers, f"GitHub never answers {status} to {operation}"
        jsonschema.validate(document, answers[str(status)])
        return status, document

    def _done(self, operation: str, match: re.Match[str], body: bytes) -> tuple[int, Any]:
        if operation == LIST:
            return self._list(match["query"] or "")
        if self.turned_off:
            return 410, {"message": "Issues has been disabled in this repository."}
        if not self.may_write:
            return 403, {"message": "Resource not accessible by integration"}
        try:
            document = json.loads(body)
            jsonschema.validate(document, description()[operation]["requestBody"])
        except (ValueError, jsonschema.ValidationError) as error:
            return 422, {"message": f"Invalid request: {str(error).splitlines()[0]}"}
        if len(document.get("body", "")) > _MAX_BODY or not 1 <= len(str(document.get("title", "x"))) <= _MAX_TITLE:
            return 422, {"message": "Validation Failed"}
        if operation == CREATE:
            labels = tuple(document.get("labels", ())) if self.may_label else ()
            return 201, self.add(document["title"], document.get("body", ""), labels=labels)
        if operation == UPDATE:
            return self._update(int(match["number"]), document)
        return self._comment(int(match["number"]), document["body"])

    def _list(self, text: str) -> tuple[int, Any]:
        query = dict(parse_qsl(text, strict_parsing=True, keep_blank_values=True) if text else [])
        known = description()[LIST]["query"]
        page, size = query.get("page", "1"), query.get("per_page", "30")
        if set(query) - set(known) or not (page.isdecimal() and size.isdecimal()) or not 1 <= int(size) <= 100:
            return 422, {"message": "Validation Failed"}
        wanted = set(query["labels"].split(",")) if query.get("labels") else set()
        state = query.get("state", "open")
        issues = [
            each
            for each in reversed(self.every)
            if state in {"all", each["state"]} and wanted <= {label["name"] for label in each["labels"]}
        ]
        start = (int(page) - 1) * int(size)
        return 200, issues[start : start + int(size)]

    def _comment(self, number: int, body: str) -> tuple[int, Any]:
        issue = next((each for each in self.every if each["number"] == number), None)
        if issue is None:
            return 404, {"message": "Not Found"}
        self.comments.setdefault(number, []).append(body)
        issue["comments"] += 1
        issue["updated_at"] = stamp = f"{self.now:%Y-%m-%dT%H:%M:%SZ}"
        identity = sum(map(len, self.comments.values()))
        return 201, {
            "id": identity,
            "node_id": f"IC_{identity}",
            "url": f"https://api.github.com/repos/octo/widgets/issues/comments/{identity}",
            "html_url": f"{issue['html_url']}#issuecomment-{identity}",
            "issue_url": issue["url"],
            "user": {"login": self.author},
            "body": body,
            "created_at": stamp,
            "updated_at": stamp,
        }

    def _update(self, number: int, document: Mapping[str, Any]) -> tuple[int, Any]:
        """Of state alone, which is all that is asked for; the reason is ignored unless the state changes."""
        issue = next((each for each in self.every if each["number"] == number), None)
        if issue is None:
            return 404, {"message": "Not Found"}
        assert set(document) <= {"state", "state_reason"}
        if "state" in document and document["state"] != issue["state"]:
            stamp = f"{self.now:%Y-%m-%dT%H:%M:%SZ}"
            issue |= {"state": document["state"], "state_reason": document.get("state_reason"), "updated_at": stamp}
            issue["closed_at"] = stamp if document["state"] == "closed" else None
        return 200, issue
