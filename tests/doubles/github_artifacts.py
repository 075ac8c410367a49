"""GitHub's artifacts on loopback: its API and the storage to which it redirects, each as strict as the real one.

Requests and answers of the API are held against GitHub's own description; the rest is from
https://docs.github.com/rest/actions/artifacts#download-an-artifact: 302 with a signed address that holds for a minute,
410 once an artifact has expired. The storage refuses a request that brings GitHub's token along, as Azure does.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jsonschema

from tests.doubles.github_issues import TOKEN
from tests.doubles.github_settings import description, operation_of

LIST = "GET /repos/{owner}/{repo}/actions/artifacts"
FETCH = "GET /repos/{owner}/{repo}/actions/artifacts/{artifact_id}/{archive_format}"
REPOSITORY = "GET /repos/{owner}/{repo}"
OWN, FORK = 1_001, 2_002
"""Ids of repositories."""


@dataclass
class Stored:
    """One artifact."""

    name: str
    archive: bytes
    created: datetime.datetime
    run: int = 7
    head: int | None = OWN
    """Id of the repository whose code the run ran."""
    expired: bool = False
    digest: str | None = None
    """None: that of the archive; empty: GitHub does not say."""
    size: int | None = None
    """What GitHub says; None: the truth."""
    gone: bool = False
    """It expires between the list and the fetch."""


@dataclass(frozen=True)
class Reply:
    """What a server says instead of its work."""

    status: int
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1
    cut: int = 0
    """Bytes that are announced and do not come."""


@dataclass
class ArtifactsAtGitHub:
    """The service: its state before, and what it saw afterwards."""

    repository: str = "octo/widgets"
    name_of_today: str | None = None
    artifacts: list[Stored] = field(default_factory=list)
    right: bool = True
    """Whether the token may read actions."""
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    """By operation, or `storage`."""
    redirect: str | None = None
    """To there instead of the storage."""
    requests: list[str] = field(default_factory=list)
    signatures: dict[str, int] = field(default_factory=dict)
    address: str = ""
    storage: str = ""

    def answer(self, line: str, headers: Mapping[str, str]) -> tuple[int, Any, dict[str, str]]:
        """Status, document and headers of the API for a request line such as `GET /path`."""
        if headers.get("Authorization") not in {f"token {TOKEN}", f"Bearer {TOKEN}"}:
            return 401, {"message": "Bad credentials"}, {}
        if not headers.get("User-Agent") or headers.get("Accept") != "application/vnd.github+json":
            return 403, {"message": "Request forbidden by administrative rules"}, {}
        operation = operation_of(line)
        path, _, query = line.partition("?")
        if operation not in {LIST, FETCH, REPOSITORY} or path.split("/")[2:4] != self.repository.split("/"):
            return 404, {"message": "Not Found"}, {}
        if not self.right and operation != REPOSITORY:
            return 403, {"message": "Resource not accessible by integration"}, {}
        described = description()[operation]
        given = dict(parse_qsl(query, strict_parsing=True)) if query else {}
        if unknown := set(given) - set(described["query"]):
            return 422, {"message": f"unknown parameters {unknown}"}, {}
        if operation == REPOSITORY:
            return 200, {"full_name": self.name_of_today or self.repository, "default_branch": "main"}, {}
        status, document, extra = self._list(given) if operation == LIST else self._fetch(path.split("/")[-2:])
        if document is not None and status < 400:
            jsonschema.Draft7Validator(described["responses"][str(status)]).validate(document)
        return status, document, extra

    def _list(self, query: Mapping[str, str]) -> tuple[int, Any, dict[str, str]]:
        size, page = min(100, int(query.get("per_page", "30"))), int(query.get("page", "1"))
        newest = sorted(enumerate(self.artifacts, start=1), key=lambda pair: pair[1].created, reverse=True)
        shown = [self._shown(number, each) for number, each in newest[size * (page - 1) : size * page]]
        return 200, {"total_count": len(self.artifacts), "artifacts": shown}, {}

    def _shown(self, number: int, each: Stored) -> dict[str, Any]:
        created = each.created.isoformat(timespec="seconds").replace("+00:00", "Z")
        address = f"{self.address}/repos/{self.repository}/actions/artifacts/{number}"
        digest = each.digest if each.digest is not None else f"sha256:{hashlib.sha256(each.archive).hexdigest()}"
        return {
            "id": number,
            "node_id": f"A{number}",
            "name": each.name,
            "size_in_bytes": each.size if each.size is not None else len(each.archive),
            "url": address,
            "archive_download_url": f"{address}/zip",
            "expired": each.expired,
            "created_at": created,
            "updated_at": created,
            "expires_at": created,
            "digest": digest or None,
            "workflow_run": {
                "id": each.run,
                "repository_id": OWN,
                "head_branch": "main",
                "head_sha": "1f" * 20,
                **({"head_repository_id": each.head} if each.head is not None else {}),
            },
        }

    def _fetch(self, at: list[str]) -> tuple[int, Any, dict[str, str]]:
        number, form = at
        if form != "zip" or not number.isdecimal() or not 1 <= int(number) <= len(self.artifacts):
            return 404, {"message": "Not Found"}, {}
        each = self.artifacts[int(number) - 1]
        if each.expired or each.gone:
            return 410, {"message": "Artifact has expired"}, {}
        signature = secrets.token_urlsafe(24)
        self.signatures[signature] = int(number)
        return 302, None, {"Location": self.redirect or f"{self.storage}/artifacts/{number}.zip?sig={signature}"}

    def stored(self, line: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Status and content of the storage service. A signature holds once: the real one's holds for a minute."""
        if "Authorization" in headers:
            return 400, b"<Error><Code>InvalidAuthenticationInfo</Code></Error>"
        parts = urlsplit(line.partition(" ")[2])
        number = self.signatures.pop(parse_qs(parts.query).get("sig", [""])[0], None)
        if number is None or parts.path != f"/artifacts/{number}.zip":
            return 403, b"<Error><Code>AuthenticationFailed</Code></Error>"
        return 200, self.artifacts[number - 1].archive

    def reply(self, name: str) -> Reply | None:
        """What is to be said instead, if anything is."""
        planned = self.replies.get(name, [])
        if not planned:
            return None
        first = planned[0]
        planned[:1] = (
            [Reply(first.status, first.body, first.headers, first.times - 1, first.cut)] if first.times > 1 else []
        )
        return first


Answered = Callable[[str, Mapping[str, str]], Reply]


@contextmanager
def _server(answered: Answered) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            told = answered(f"GET {self.path}", dict(self.headers.items()))
            self.send_response(told.status)
            self.send_header("Content-Length", str(len(told.body) + told.cut))
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(told.body)
            self.close_connection = self.close_connection or bool(told.cut)

        def log_message(self, *_: object) -> None:
            """Tests look at `requests`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serve(github: ArtifactsAtGitHub) -> Iterator[ArtifactsAtGitHub]:
    """Both servers until the block ends."""

    def api(line: str, headers: Mapping[str, str]) -> Reply:
        github.requests.append(line)
        planned = github.reply(operation_of(line) or "")
        if planned is not None:
            return planned
        status, document, extra = github.answer(line, headers)
        return Reply(status, b"" if document is None else json.dumps(document).encode(), extra)

    def storage(line: str, headers: Mapping[str, str]) -> Reply:
        github.requests.append(f"storage {line.partition('?')[0]}")
        return github.reply("storage") or Reply(*github.stored(line, headers))

    with ExitStack() as running:
        github.address = running.enter_context(_server(api))
        github.storage = running.enter_context(_server(storage))
        yield github
