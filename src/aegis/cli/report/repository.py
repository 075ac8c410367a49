"""Verdicts that a repository's workflows have kept as artifacts."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from aegis.core.errors import AegisError, CouldNotDecide, UsageError

if TYPE_CHECKING:
    from aegis.adapters.github.artifacts import Artifact, GitHubArtifacts
    from aegis.core.verdict import Verdict
    from aegis.report.history.collected import Collected

_MOST: Final = 2_000
"""Artifacts that are fetched; GitHub lets a workflow's token ask 1,000 times an hour, a person's 5,000
(https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api)."""
_FAILURES: Final = 3
"""In a row, after which nobody is asked any more."""
_RUN: Final = re.compile(r"/actions/runs/([0-9]+)(?:/|$)")
_NAMED: Final = 5
"""Artifacts of a note that are named."""


def collect(repository: str, found: Collected, since: datetime.datetime, environ: Mapping[str, str]) -> None:
    """Take the verdicts of every artifact since then. Raises AegisError where not even the list can be had.

    What is left out is told: artifacts that have expired, those that are too large to be verdicts, and those of forks,
    whose content whoever opens a pull request decides.
    """
    from aegis.cli.progress import progress_bar

    client = _client(repository, environ)
    wanted = []
    left: dict[str, list[Artifact]] = {}
    for artifact in client.listed(since):
        why = _left_out(artifact)
        if why is None:
            wanted.append(artifact)
        else:
            left.setdefault(why, []).append(artifact)
    found.notes += [_note(why, artifacts) for why, artifacts in left.items()]
    with progress_bar("artifacts") as told:
        for done in _fetched(client, wanted[:_MOST], repository, found):
            if told is not None:
                told(done, len(wanted))
    if len(wanted) > _MOST:
        found.refuse(f"artifacts of {repository}", _too_many(len(wanted)))


def _fetched(client: GitHubArtifacts, wanted: Sequence[Artifact], repository: str, found: Collected) -> Iterator[int]:
    """Read one after the other, and say how many are; until GitHub wants no more questions or does not answer."""
    from aegis.report.history import archive

    failures = 0
    for number, artifact in enumerate(wanted):
        name = f"artifact {artifact.name} ({artifact.identity})"
        try:
            content = client.archive(artifact)
        except AegisError as error:
            failures += 1
            found.refuse(name, error)
            if error.code == "github.rate_limited" or failures == _FAILURES:
                if rest := len(wanted) - number - 1:
                    found.refuse(f"{rest} more artifacts of {repository}", error)
                return
            continue
        failures = 0
        archive.collect(name, content, found, partial(_misfit, artifact, repository))
        yield number + 1


def _client(repository: str, environ: Mapping[str, str]) -> GitHubArtifacts:
    from aegis.adapters.github.artifacts import RIGHTS, GitHubArtifacts
    from aegis.adapters.github.code_scanning import PUBLIC_API
    from aegis.adapters.github.rest import GitHubRest
    from aegis.scaffold.choices import FORMS

    if not FORMS["repository"][0].fullmatch(repository):
        raise UsageError(
            "core.wrong_usage",
            f"--repository {repository[:140]!r}",
            expected="OWNER/NAME",
            remedy="Correct the argument.",
        )
    token = environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN") or ""
    return GitHubArtifacts(GitHubRest(token, environ.get("GITHUB_API_URL") or PUBLIC_API, rights=RIGHTS), repository)


def _left_out(artifact: Artifact) -> str | None:
    """Why an artifact is not fetched, if it is not."""
    from aegis.adapters.github.artifacts import MAX_ARCHIVE

    if not artifact.own:
        return "of a fork's run (whoever opens a pull request decides what they hold) and not read"
    if artifact.expired:
        return "expired, so GitHub has them no longer"
    if artifact.size > MAX_ARCHIVE:
        return f"larger than {MAX_ARCHIVE >> 20} MiB, which no verdict is, and not read"
    return None


def _misfit(artifact: Artifact, repository: str, verdict: Verdict) -> str | None:
    """Why a verdict cannot be of the run that uploaded it: anybody's file may be uploaded under this name."""
    source = verdict.source
    if source.repository is None or source.repository.lower() != repository.lower():
        return f"it is of the repository {str(source.repository)[:140]!r}"
    run = _RUN.search(source.run_url or "")
    if run is None or artifact.run is None or int(run[1]) != artifact.run:
        return f"it is of the run {str(source.run_url)[:200]!r}, and its artifact of run {artifact.run}"
    return None


def _note(why: str, artifacts: Sequence[Artifact]) -> str:
    names = ", ".join(f"{each.name} ({each.identity})" for each in artifacts[:_NAMED])
    more = f" and {len(artifacts) - _NAMED} more" if len(artifacts) > _NAMED else ""
    return f"{len(artifacts)} artifacts are {why}: {names}{more}"


def _too_many(count: int) -> CouldNotDecide:
    return CouldNotDecide(
        "report.too_much",
        f"{count:,} artifacts",
        expected=f"at most {_MOST:,}",
        remedy="Ask for a shorter time by --since.",
    )
