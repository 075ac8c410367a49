"""The issue about backups that are not proven: opened by the first run that does not pass, closed by one that does.

For scheduled runs, and runs by hand on the default branch: nobody looks at those. What becomes of the issue never
changes a verdict. Each mode, and each choice of databases, has an issue of its own: a check that passes says nothing of
a restore that failed.
"""

from __future__ import annotations

from collections.abc import Mapping

from aegis.adapters.github import context as github_context
from aegis.adapters.github.issues import GitHubIssues, block, mark
from aegis.cli.backup_check.options import BackupCheckOptions
from aegis.cli.surroundings import Event, read_event, read_input
from aegis.core.errors import AegisError
from aegis.core.policy_in_force import DEFAULT_FILE
from aegis.core.verdict import Verdict
from aegis.report import text
from aegis.report.headline import answer

LABEL = "aegis-backups"
_TIMEOUT = 20.0
"""Seconds for one request."""
_MAX_TEXT = 30_000
"""Characters of the verdict in an issue; the run has it all."""


def keep(verdict: Verdict, options: BackupCheckOptions, environ: Mapping[str, str]) -> str:
    """Open, comment on or close the issue. Gives back what stood in the way; empty where nothing did."""
    try:
        event = read_event(environ)
    except AegisError as error:
        return error.problem
    if not _is_unattended(event, environ) or verdict.observe or not verdict.policy.effective.get("issue", True):
        return ""
    repository, token = verdict.source.repository, read_input("github-token", environ)
    if not token or repository is None:
        return "no github-token" if repository is not None else "the run names no repository"
    from aegis.adapters.github.code_scanning import PUBLIC_API, GitHub

    api = environ.get("GITHUB_API_URL") or PUBLIC_API
    try:
        # refuses an address or a token that must not meet
        GitHub(token, api)
    except AegisError as error:
        return error.problem
    issues = GitHubIssues(repository, token, LABEL, api, _TIMEOUT)
    marked = mark(LABEL, options.policy or DEFAULT_FILE, options.mode, options.database or "")
    problem, found = issues.find(marked)
    if problem:
        return f"{problem}; the job needs `permissions: issues: write`"
    run = verdict.source.run_url or "a run"
    if verdict.result == "pass":
        if found is None:
            return ""
        return issues.comment(found["number"], f"Passes again: {run}") or issues.close(found["number"])
    said = f"{run}\n\n{block(text.render(verdict)[:_MAX_TEXT])}"
    if found is not None:
        return issues.comment(found["number"], f"Still so.\n\n{said}")
    what = f"mode {options.mode}" + (f", {options.database}" if options.database else "")
    return issues.open(f"Backups ({what}): {answer(verdict)}", f"{_INTRODUCTION}\n\n{said}", marked)


_INTRODUCTION = "A run of backup-check that nobody watches did not pass. The next one that does closes this issue."


def _is_unattended(event: Event, environ: Mapping[str, str]) -> bool:
    """Whether nobody waits for the answer, and it is about what the default branch says."""
    if event.name == "schedule":
        # https://docs.github.com/actions/reference/events-that-trigger-workflows#schedule: on the default branch only
        return True
    repository = event.payload.get("repository") if isinstance(event.payload, dict) else None
    branch = repository.get("default_branch") if isinstance(repository, dict) else None
    return (
        event.name == "workflow_dispatch"
        and isinstance(branch, str)
        and github_context.ref(environ) == f"refs/heads/{branch}"
    )
