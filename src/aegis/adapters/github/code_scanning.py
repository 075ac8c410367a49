"""GitHub's code scanning over its REST API: the one call that gates make, with the standard library alone.

https://docs.github.com/rest/code-scanning/code-scanning#upload-an-analysis-as-sarif-data
"""

from __future__ import annotations

import base64
import gzip
import json
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from aegis.adapters.http.call import (
    RETRY_SECONDS,
    TIMEOUT,
    TRIES,
    Answer,
    Clock,
    call_with_retries,
    is_safe,
)
from aegis.adapters.http.header import is_visible
from aegis.core.errors import CouldNotDecide, UsageError
from aegis.core.ports.code_scanning import Analysis, Receipt

PUBLIC_API = "https://api.github.com"
API_VERSION = "2022-11-28"

MAX_UPLOAD = 10_000_000
"""Bytes of a gzip file that code scanning takes
(https://docs.github.com/code-security/code-scanning/troubleshooting-sarif-uploads/file-too-large)."""

POLL_SECONDS = 60.0
"""How long to wait until the file was read; GitHub needs seconds, and its answer changes no verdict."""

__all__ = ["RETRY_SECONDS", "TRIES", "Clock", "GitHub"]


@dataclass(frozen=True, slots=True)
class GitHub:
    """A client for one API address (`GITHUB_API_URL`) and one token."""

    token: str = field(repr=False)
    api: str = PUBLIC_API
    clock: Clock = field(default_factory=Clock)
    timeout: float = TIMEOUT

    def __post_init__(self) -> None:
        """Refuse an address to which a token must not be sent."""
        if not is_safe(self.api) or urlsplit(self.api).query:
            raise UsageError(
                "core.wrong_usage",
                f"GITHUB_API_URL is {self.api!r}",
                expected="an https address such as https://api.github.com or https://HOST/api/v3",
                remedy="Leave the variable as GitHub's runner sets it.",
            )
        if not self.token or not is_visible(self.token):
            raise UsageError(
                "core.wrong_usage",
                "the GitHub token is empty or holds characters that no token has",
                expected="the value of `github.token`",
                remedy="Pass `github-token: ${{ github.token }}`, or set `upload: never`.",
            )

    def upload(self, analysis: Analysis) -> Receipt:
        """Hand a SARIF file over and wait a while for it to be read."""
        packed = gzip.compress(analysis.sarif, mtime=0)
        if len(packed) > MAX_UPLOAD:
            raise _failed(f"the SARIF file has {len(packed)} bytes packed", f"at most {MAX_UPLOAD}")
        body = {
            "commit_sha": analysis.commit,
            "ref": analysis.ref,
            "sarif": base64.b64encode(packed).decode(),
            "tool_name": "aegis",
        }
        if analysis.started:
            body["started_at"] = analysis.started
        collection = f"/repos/{quote(analysis.repository)}/code-scanning/sarifs"
        answer = self._call("POST", collection, json.dumps(body).encode())
        if answer.status != 202:
            raise _refused(answer)
        identity = answer.json().get("id")
        if not isinstance(identity, str) or not identity:
            raise _failed("GitHub answered 202 without an id", "the id of the upload")
        return self._wait(f"{collection}/{quote(identity, safe='')}", identity)

    def _wait(self, path: str, identity: str) -> Receipt:
        """Ask until the file was read, at most `POLL_SECONDS` long."""
        end = self.clock.now() + POLL_SECONDS
        pause = 1.0
        while True:
            answer = self._call("GET", path, None)
            # The upload is not known at once everywhere in GitHub, so 404 means "not yet".
            if answer.status not in {200, 404}:
                raise _refused(answer)
            state = answer.json().get("processing_status") if answer.status == 200 else "pending"
            if state == "complete":
                return Receipt(identity, "complete")
            if state != "pending":
                raise _failed(f"GitHub could not read the SARIF file: {_errors(answer)}", "processing_status complete")
            if self.clock.now() + pause > end:
                return Receipt(identity, "pending")
            self.clock.sleep(pause)
            pause = min(pause * 2, 8.0)

    def _call(self, method: str, path: str, body: bytes | None) -> Answer:
        """One request, tried again where that is safe: an upload of the same analysis replaces the one before."""
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked when the client was made
            self.api.rstrip("/") + path,
            data=body,
            method=method,
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
                "User-Agent": "aegis-gates",
                "X-GitHub-Api-Version": API_VERSION,
            },
        )
        problem, answer = call_with_retries(request, secrets=(self.token,), timeout=self.timeout, clock=self.clock)
        if answer is None:
            raise _failed(f"GitHub could not be reached: {problem}", f"an answer from {self.api}")
        if answer.status >= 500 or answer.status == 429:
            raise _refused(answer)
        return answer


def _refused(answer: Answer) -> CouldNotDecide:
    expected = {
        401: "a token that GitHub knows",
        403: "a token with `security-events: write`, and code scanning allowed for this repository",
        404: "a repository with code scanning, which this token may see",
        413: f"at most {MAX_UPLOAD} bytes packed",
    }.get(answer.status, "202 Accepted")
    if 300 <= answer.status < 400:
        expected = "an answer without a redirect, which would carry the token elsewhere"
    return _failed(f"GitHub did not take the SARIF file: {answer.said}", expected)


def _errors(answer: Answer) -> str:
    errors = answer.json().get("errors")
    return "; ".join(str(error)[:200] for error in errors[:3]) if isinstance(errors, list) else answer.said


def _failed(problem: str, expected: str) -> CouldNotDecide:
    return CouldNotDecide(
        "core.upload_failed",
        problem,
        expected=expected,
        remedy="Grant `security-events: write` and turn code scanning on, run it again, or set `upload: never`.",
    )
