"""GitHub's code scanning over its REST API: the one call that gates make, with the standard library alone.

https://docs.github.com/rest/code-scanning/code-scanning#upload-an-analysis-as-sarif-data
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.parse import quote, urlsplit

from aegis.core.errors import CouldNotDecide, UsageError
from aegis.core.ports.code_scanning import Analysis, Receipt

PUBLIC_API = "https://api.github.com"
API_VERSION = "2022-11-28"

MAX_UPLOAD = 10_000_000
"""Bytes of a gzip file that code scanning takes
(https://docs.github.com/code-security/code-scanning/troubleshooting-sarif-uploads/file-too-large)."""

TRIES = 4
RETRY_SECONDS = 10.0
"""All waits between the tries of one call together; a gate that waits longer only hides an outage."""
POLL_SECONDS = 60.0
"""How long to wait until the file was read; GitHub needs seconds, and its answer changes no verdict."""
TIMEOUT = 20.0
"""Seconds of silence on the connection, and for one answer to arrive."""
_MAX_ANSWER = 1_000_000
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_RETRIED = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, so that tests need neither."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    """From 0 to 1."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    retry_after: str
    body: bytes

    def json(self) -> dict[str, Any]:
        try:
            document = json.loads(self.body)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}

    @property
    def said(self) -> str:
        """GitHub's own words, cut short."""
        message = self.json().get("message")
        return f"{self.status} {message[:200]}" if isinstance(message, str) else str(self.status)


class _Refuse(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to wherever it points."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


@dataclass(frozen=True, slots=True)
class GitHub:
    """A client for one API address (`GITHUB_API_URL`) and one token."""

    token: str = field(repr=False)
    api: str = PUBLIC_API
    clock: Clock = field(default_factory=Clock)
    timeout: float = TIMEOUT

    def __post_init__(self) -> None:
        """Refuse an address to which a token must not be sent."""
        parts = urlsplit(self.api)
        safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        if not safe or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise UsageError(
                "core.wrong_usage",
                f"GITHUB_API_URL is {self.api!r}",
                expected="an https address such as https://api.github.com or https://HOST/api/v3",
                remedy="Leave the variable as GitHub's runner sets it.",
            )
        if not self.token or not self.token.isascii() or not self.token.isprintable() or " " in self.token:
            raise UsageError(
                "core.wrong_usage",
                "the GitHub token is empty or holds characters that no token has",
                expected="the value of `github.token`",
                remedy="Pass `token: ${{ github.token }}`, or set `upload: never`.",
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

    def _call(self, method: str, path: str, body: bytes | None) -> _Answer:
        """One request, tried again where that is safe: an upload of the same analysis replaces the one before."""
        waited = 0.0
        for attempt in range(1, TRIES + 1):
            problem, answer = self._try(method, path, body)
            if answer is not None and answer.status not in _RETRIED:
                return answer
            pause = _pause(answer, attempt, self.clock.jitter())
            if attempt == TRIES or waited + pause > RETRY_SECONDS:
                if answer is not None:
                    raise _refused(answer)
                raise _failed(f"GitHub could not be reached: {problem}", f"an answer from {self.api}")
            waited += pause
            self.clock.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _try(self, method: str, path: str, body: bytes | None) -> tuple[str, _Answer | None]:
        """The answer, or why there was none."""
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
        try:
            with self._opener().open(request, timeout=self.timeout) as response:
                return "", self._answer(response.status, response)
        except urllib.error.HTTPError as error:
            with error:
                return "", self._answer(error.code, error)
        except (OSError, HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            return f"{type(reason).__name__}: {reason}"[:200].replace(self.token, "***"), None

    def _answer(self, status: int, response: Any) -> _Answer:
        """Read what came with a status, within limits: neither an endless nor a trickling answer may hold a job."""
        end = self.clock.now() + self.timeout
        body = b""
        try:
            while len(body) < _MAX_ANSWER and self.clock.now() < end and (chunk := response.read1(_MAX_ANSWER)):
                body += chunk
        except (OSError, HTTPException):
            body = b""  # cut off: the status stands, its text does not
        echoed = body.replace(self.token.encode(), b"***")
        return _Answer(status, response.headers.get("Retry-After", ""), echoed)

    def _opener(self) -> urllib.request.OpenerDirector:
        """Without redirects; and without a proxy on the way to this very machine, which would see the token."""
        own = urlsplit(self.api).hostname in _LOOPBACK
        return urllib.request.build_opener(_Refuse, *([urllib.request.ProxyHandler({})] if own else []))


def _pause(answer: _Answer | None, attempt: int, jitter: float) -> float:
    """Seconds until the next try: what GitHub asks for, else 0.5, 1, 2 with up to half of it more or less."""
    asked = answer.retry_after if answer else ""
    if asked.isascii() and asked.isdecimal():
        return float(asked[:9])
    return float(2 ** (attempt - 2)) * (0.5 + jitter)


def _refused(answer: _Answer) -> CouldNotDecide:
    expected = {
        401: "a token that GitHub knows",
        403: "a token with `security-events: write`, and code scanning allowed for this repository",
        404: "a repository with code scanning, which this token may see",
        413: f"at most {MAX_UPLOAD} bytes packed",
    }.get(answer.status, "202 Accepted")
    if 300 <= answer.status < 400:
        expected = "an answer without a redirect, which would carry the token elsewhere"
    return _failed(f"GitHub did not take the SARIF file: {answer.said}", expected)


def _errors(answer: _Answer) -> str:
    errors = answer.json().get("errors")
    return "; ".join(str(error)[:200] for error in errors[:3]) if isinstance(errors, list) else answer.said


def _failed(problem: str, expected: str) -> CouldNotDecide:
    return CouldNotDecide(
        "core.upload_failed",
        problem,
        expected=expected,
        remedy="Grant `security-events: write` and turn code scanning on, run it again, or set `upload: never`.",
    )
