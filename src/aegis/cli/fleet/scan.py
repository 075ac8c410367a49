"""`aegis fleet scan`: the scan gate on the default branch of each repository, from a checkout without history."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from aegis.adapters.git.remote import GitFailed, GitRemote
from aegis.adapters.github.fleet import GitHubCode, Listed
from aegis.cli import deliver
from aegis.cli.fleet.fleet import Fleet, server
from aegis.cli.scan.command import answer
from aegis.cli.scan.options import ScanOptions
from aegis.core.errors import CouldNotDecide
from aegis.core.verdict import Verdict, exit_code
from aegis.scaffold.fleet import Report, Row, State

_SECONDS = 600.0
"""For git to fetch one commit of a large repository."""


def run(fleet: Fleet) -> Report:
    """Run the command."""
    remote = GitRemote(server(), fleet.rest.token, _SECONDS)
    return fleet.each(fleet.meant(), lambda listed: _judged(fleet, remote, listed))


def _judged(fleet: Fleet, remote: GitRemote, listed: Listed) -> Row:
    head = GitHubCode(listed.full_name, fleet.rest).tip(listed.default_branch)
    if head is None:
        return Row(repository=listed.full_name, state=State.EXCLUDED, detail="it is empty")
    with tempfile.TemporaryDirectory(prefix="aegis-fleet-") as name:
        folder = Path(name) / listed.name
        folder.mkdir()
        try:
            remote.fetch(folder, listed.full_name, head.sha, bare=False)
            remote.run(folder, "checkout", "--quiet", "--detach", head.sha)
        except GitFailed as error:
            raise CouldNotDecide(
                "fleet.not_fetched",
                f"git cannot fetch {listed.full_name} at {head.sha}: {error}",
                expected="the newest commit of its default branch",
                remedy="Run it again; the token must be allowed to read the repository's contents.",
            ) from error
        surroundings = {
            "GITHUB_REPOSITORY": listed.full_name,
            "GITHUB_SHA": head.sha,
            "GITHUB_SERVER_URL": remote.server,
            "AEGIS_INPUT_GITHUB_TOKEN": remote.token,  # for a policy of the organisation that `extends` names
        }
        verdict, _ = answer(ScanOptions(path=str(folder), strict=fleet.arguments.strict), surroundings)
    if fleet.arguments.output is not None:
        deliver.to_folder(verdict, fleet.arguments.output / listed.name)
    return _row(listed, verdict, head.sha)


def _row(listed: Listed, verdict: Verdict, commit: str) -> Row:
    """Of its verdict, the gate's own words."""
    states = {0: State.WELL, 1: State.FOUND}
    counts = Counter(finding.rule for finding in verdict.findings)
    found = ", ".join(f"{number} {rule}" for rule, number in sorted(counts.items()))
    words = [found, *verdict.notices] if found else [*verdict.notices]
    return Row(
        repository=listed.full_name,
        state=states.get(exit_code(verdict), State.ERROR),
        detail="; ".join(words)[:500] or verdict.decision,
        code=None if verdict.result == "pass" else verdict.reason,
        commit=commit,
    )
