"""The artifacts of a repository's workflows: listed, and fetched one by one.

https://docs.github.com/rest/actions/artifacts. The token needs `actions: read`. An archive lies in a storage service to
which GitHub redirects with a signed address; the token does not go there, and that address is a secret for a minute.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from aegis.adapters.github.code_scanning import API_VERSION
from aegis.adapters.github.rest import PAGE, GitHubRest, invalid
from aegis.adapters.github.settings import GitHubSettings
from aegis.adapters.http.call import Answer, call_with_retries, is_safe
from aegis.core.errors import CouldNotDecide

RIGHTS: Final = (
    "a token with `actions: read`: that of a workflow with this permission, fine-grained `Actions`, or `repo`"
)
MAX_ARCHIVE: Final = 16 << 20
"""Bytes of an archive that is fetched: verdicts with ten thousand findings are far below."""
_PAGES: Final = 100
"""Of the list: 10,000 artifacts."""
_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
_LIMITED: Final = re.compile(rb"rate limit|wait a few minutes", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artifact as GitHub lists it."""

    identity: int
    name: str
    size: int
    """Bytes of the archive."""
    created: datetime.datetime | None
    """None where GitHub does not say."""
    expired: bool
    run: int | None
    """Id of the workflow run that made it; None where GitHub does not say."""
    own: bool
    """Whether the run's code is of this repository: false of a fork's, and where GitHub does not say."""
    sha256: str | None
    """Of the archive, hex; None where GitHub does not say."""


@dataclass(frozen=True, slots=True)
class GitHubArtifacts:
    """Those of one repository."""

    rest: GitHubRest
    repository: str
    """`owner/name`."""

    def listed(self, since: datetime.datetime) -> Iterator[Artifact]:
        """Those that were made since then, newest first, as GitHub lists them. Raises AegisError.

        GitHub promises no order, so a whole page of older ones must come in a row before the rest is left.
        """
        GitHubSettings(self.repository, self.rest).facts()
        older = 0
        for each in self.rest.pages(f"/repos/{self.repository}/actions/artifacts", "", "artifacts", limit=_PAGES):
            artifact = _artifact(each)
            if artifact.created is None or artifact.created >= since:
                older = 0
                yield artifact
                continue
            older += 1
            if older >= PAGE:
                return

    def archive(self, artifact: Artifact) -> bytes:
        """Its ZIP archive. Raises CouldNotDecide: `github.rate_limited`, or why this one could not be had."""
        signed = self._address(artifact)
        request = urllib.request.Request(signed, headers={"User-Agent": "aegis-gates"})  # noqa: S310 - checked there
        answer = self._called(request, artifact, (signed, urlsplit(signed).query), MAX_ARCHIVE + 1)
        if answer.status != 200:
            raise _failed(f"{artifact.name}: the storage says {answer.status}")
        if len(answer.body) > MAX_ARCHIVE:
            raise _failed(f"{artifact.name}: the archive has more than {MAX_ARCHIVE:,} bytes")
        if artifact.sha256 not in {None, hashlib.sha256(answer.body).hexdigest()}:
            raise _failed(f"{artifact.name}: the archive is cut or another one: GitHub names another digest")
        return answer.body

    def _address(self, artifact: Artifact) -> str:
        """The signed address. No redirect is followed, so that the token goes to GitHub only."""
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked when the client was made
            f"{self.rest.api.rstrip('/')}/repos/{self.repository}/actions/artifacts/{artifact.identity}/zip",
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self.rest.token}",
                "User-Agent": "aegis-gates",
                "X-GitHub-Api-Version": API_VERSION,
            },
        )
        answer = self._called(request, artifact, (self.rest.token,))
        if answer.status == 429 or (answer.status == 403 and (answer.retry_after or _LIMITED.search(answer.body))):
            raise CouldNotDecide(
                "github.rate_limited",
                f"GitHub's rate limit is reached: {answer.said}",
                expected="an answer",
                remedy="Run it again later, or ask for less by --since.",
            )
        if answer.status != 302:
            raise _failed(f"{artifact.name}: GitHub says {answer.said}")
        if not is_safe(answer.location):
            raise _failed(f"{artifact.name}: GitHub redirects to an address that is no https")
        return answer.location

    def _called(
        self, request: urllib.request.Request, artifact: Artifact, secrets: tuple[str, ...], limit: int = 1 << 16
    ) -> Answer:
        problem, answer = call_with_retries(
            request,
            secrets=tuple(secret for secret in secrets if secret),
            timeout=self.rest.timeout,
            clock=self.rest.clock,
            limit=limit,
        )
        if answer is None:
            raise _failed(f"{artifact.name}: {urlsplit(request.full_url).hostname} does not answer: {problem}")
        return answer


def _artifact(found: dict[str, Any]) -> Artifact:
    run = found.get("workflow_run") or {}
    own, of = run.get("repository_id"), run.get("head_repository_id")
    digest = _DIGEST.fullmatch(str(found.get("digest")))
    try:
        return Artifact(
            identity=int(found["id"]),
            name=str(found["name"]),
            size=int(found["size_in_bytes"]),
            created=_moment(found["created_at"]),
            expired=found["expired"] is not False,
            run=run["id"] if isinstance(run.get("id"), int) else None,
            own=isinstance(own, int) and own == of,
            sha256=digest[1] if digest else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise invalid(f"an artifact without what GitHub describes: {type(error).__name__}") from error


def _moment(text: str | None) -> datetime.datetime | None:
    return datetime.datetime.fromisoformat(text).astimezone(datetime.UTC) if text is not None else None


def _failed(problem: str) -> CouldNotDecide:
    return CouldNotDecide("report.artifact_failed", problem, expected="the artifact's archive", remedy="Run it again.")
