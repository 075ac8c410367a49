"""GitHub's code scanning on loopback, as strict as the real service for the operations that are called.

Requests and answers are held against the slice of GitHub's own OpenAPI description in `github_openapi.json`; what that
does not say (token, packing, limits of SARIF) is checked by hand, from
https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import re
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import jsonschema

from tests.doubles.github_description import description
from tests.doubles.github_issues import TOKEN, Issues

__all__ = ["TOKEN", "Fault", "GitHub", "Upload", "description", "problems", "serve"]

UPLOAD = "POST /repos/{owner}/{repo}/code-scanning/sarifs"
STATUS = "GET /repos/{owner}/{repo}/code-scanning/sarifs/{sarif_id}"
_PATHS = {
    UPLOAD: re.compile(r"POST /repos/[\w.-]+/[\w.-]+/code-scanning/sarifs"),
    STATUS: re.compile(r"GET /repos/[\w.-]+/[\w.-]+/code-scanning/sarifs/(?P<sarif_id>[\w-]+)"),
}


@dataclass(frozen=True)
class Fault:
    """What the service does instead of its work."""

    status: int = 500
    message: str = "Server Error"
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1
    raw: bytes | None = None
    """These bytes instead of an HTTP answer, then the connection is closed."""
    silence: float = 0.0
    """Seconds without a word before the answer; none is waited for once the service ends."""


@dataclass(frozen=True)
class Upload:
    """One file that was taken."""

    body: dict[str, Any]
    sarif: dict[str, Any]
    raw: bytes


@dataclass
class GitHub:
    """The service: its script before, what it saw afterwards."""

    prefix: str = ""
    """`/api/v3` on GitHub Enterprise Server."""
    repositories: frozenset[str] = frozenset({"octo/widgets"})
    """Those with code scanning."""
    read_only: bool = False
    """The token may not write, as on the pull request of a fork."""
    faults: list[Fault] = field(default_factory=list)
    polls: list[str] = field(default_factory=list)
    """What the first status requests answer: `unknown` (404), `pending`; then the truth."""
    uploads: list[Upload] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    told: Mapping[str, str] = field(default_factory=dict)
    """Headers of every answer."""
    issues: Issues = field(default_factory=Issues)
    address: str = ""

    @property
    def api(self) -> str:
        return self.address + self.prefix

    def answer(self, line: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        """Status and document for a request line such as `GET /path`."""
        if re.match(r"(GET|POST|PATCH) /repos/[^/]+/[^/]+/issues\b", line):
            return self.issues.answer(line, headers, body, self.repositories)
        found = [(name, match) for name, path in _PATHS.items() if (match := path.fullmatch(line))]
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Bad credentials"}
        if not headers.get("User-Agent") or headers.get("Accept") != "application/vnd.github+json":
            return 400, {"message": "Request forbidden by administrative rules"}
        if not found:
            return 404, {"message": "Not Found"}
        ((operation, match),) = found
        if "/".join(line.split("/")[2:4]) not in self.repositories:
            return 404, {"message": "Not Found"}
        if operation == UPLOAD:
            status, document = self._take(body)
        else:
            status, document = self._tell(match["sarif_id"])
        answers = description()[operation]["responses"]
        assert str(status) in answers, f"GitHub never answers {status} to {operation}"
        jsonschema.validate(document, answers[str(status)])
        return status, document

    def _take(self, body: bytes) -> tuple[int, dict[str, Any]]:
        if self.read_only:
            return 403, {"message": "Resource not accessible by integration"}
        try:
            document = json.loads(body)
            jsonschema.validate(document, description()[UPLOAD]["requestBody"])
            packed = base64.b64decode(document["sarif"], validate=True)
            raw = gzip.decompress(packed)
            sarif = json.loads(raw)
        except (ValueError, binascii.Error, OSError, EOFError, jsonschema.ValidationError) as error:
            return 400, {"message": f"Invalid request: {str(error).splitlines()[0]}"}
        if len(packed) > 10_000_000:
            return 413, {"message": "Payload Too Large"}
        self.uploads.append(Upload(document, sarif, raw))
        identity = f"6c81cd8e-{len(self.uploads)}"
        return 202, {"id": identity, "url": f"{self.api}/repos/octo/widgets/code-scanning/sarifs/{identity}"}

    def _tell(self, identity: str) -> tuple[int, dict[str, Any]]:
        number = identity.partition("-")[2]
        state = self.polls.pop(0) if self.polls else "done"
        if state == "unknown" or not number.isdecimal() or int(number) > len(self.uploads):
            return 404, {"message": "Not Found"}
        if state == "pending":
            return 200, {"processing_status": "pending"}
        errors = problems(self.uploads[int(number) - 1].sarif)
        if errors:
            return 200, {"processing_status": "failed", "errors": errors}
        return 200, {"processing_status": "complete", "analyses_url": f"{self.api}/repos/octo/widgets/analyses"}


def problems(sarif: dict[str, Any]) -> list[str]:
    """Why code scanning would not process this file."""
    runs = sarif.get("runs")
    if sarif.get("version") != "2.1.0" or not isinstance(runs, list):
        return ["not a SARIF 2.1.0 file"]
    found = [f"{len(runs)} runs, the limit is 20"] if len(runs) > 20 else []
    categories = [run.get("automationDetails", {}).get("id", "").rpartition("/")[0] for run in runs]
    if len(set(categories)) < len(categories):
        found.append("multiple runs with the same category")
    return found + [problem for run in runs for problem in _run_problems(run)]


def _run_problems(run: dict[str, Any]) -> Iterator[str]:
    driver = run.get("tool", {}).get("driver", {})
    rules, results = driver.get("rules", []), run.get("results")
    if not driver.get("name"):
        yield "a run without a tool name"
    if not isinstance(results, list):
        yield "a run without results"
        return
    if len(results) > 25_000 or len(rules) > 25_000:
        yield "more than 25000 results or rules"
    if any(len(rule.get("properties", {}).get("tags", [])) > 20 for rule in rules):
        yield "more than 20 tags of a rule"
    for result in results:
        yield from _result_problems(result, rules)


def _result_problems(result: dict[str, Any], rules: list[dict[str, Any]]) -> Iterator[str]:
    index = result.get("ruleIndex", -1)
    if index >= len(rules) or (index >= 0 and rules[index]["id"] != result.get("ruleId")):
        yield "ruleIndex does not name the rule"
    if not result.get("message", {}).get("text"):
        yield "a result without a message"
    locations = result.get("locations", [])
    if not 1 <= len(locations) <= 1_000:
        yield "locationFromSarifResult: expected at least one location"
    for location in locations:
        place = location.get("physicalLocation", {})
        uri = place.get("artifactLocation", {}).get("uri", "")
        if not uri or urlsplit(uri).scheme or uri.startswith("/") or not re.fullmatch(r"[!-~]+", uri):
            yield f"not a relative URI: {uri!r}"
        if place.get("region", {}).get("startLine", 0) < 1:
            yield "a location without a line"
    if not all(isinstance(value, str) for value in result.get("partialFingerprints", {}).values()):
        yield "a fingerprint that is no text"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    do_PATCH = do_POST  # noqa: N815 - the name is the base class's
    do_PUT = do_POST  # noqa: N815 - the same

    def do_GET(self) -> None:
        self._serve(b"")

    def _serve(self, body: bytes) -> None:
        github = self.server.github
        known = self.path.startswith(github.prefix)
        line = f"{self.command} {self.path.removeprefix(github.prefix) if known else '/'}"
        github.requests.append(line)
        if github.faults:
            fault = github.faults[0]
            github.faults[:1] = [] if fault.times == 1 else [_once_less(fault)]
            self.server.ended.wait(fault.silence)
            if fault.raw is not None:
                self.wfile.write(fault.raw)
                self.close_connection = True
                return
            self._send(fault.status, {"message": fault.message}, fault.headers)
            return
        status, document = github.answer(line, dict(self.headers.items()), body)
        self._send(status, document, github.told)

    def _send(self, status: int, document: Any, headers: Mapping[str, str]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing: what was asked is in `requests`."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    github: GitHub
    ended: threading.Event

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gave up waiting is part of the play; any other error is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            traceback.print_exc()


def _once_less(fault: Fault) -> Fault:
    return Fault(fault.status, fault.message, fault.headers, fault.times - 1, fault.raw, fault.silence)


@contextmanager
def serve(github: GitHub) -> Iterator[GitHub]:
    """Serve it on a free port of 127.0.0.1 until the block ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.github, server.ended = github, threading.Event()
    github.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield github
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
