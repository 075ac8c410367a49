"""`aegis fleet init`: a pull request in each repository that lacks its gates, or has them of an older version."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from aegis.adapters.github.fleet import Commit, GitHubCode, Listed, Pull, blob_id
from aegis.cli.fleet.fleet import Fleet, row_of
from aegis.cli.fleet.snapshot import Snapshot, deciding, snapshot
from aegis.cli.init import choices as init_choices
from aegis.cli.init import next as init_next
from aegis.cli.init.command import plan, refusal
from aegis.cli.init.folder import InitFolder
from aegis.core.errors import Refused, UsageError
from aegis.scaffold import fleet_pull, record
from aegis.scaffold.changes import Change
from aegis.scaffold.changes import State as FileState
from aegis.scaffold.choices import GATES, Choices, check
from aegis.scaffold.fleet import Report, Row, State
from aegis.scaffold.fleet_pull import BRANCH


def run(fleet: Fleet) -> Report:
    """Run the command."""
    if fleet.arguments.gates is None:
        raise UsageError(
            "init.value_invalid",
            "no gates are named",
            expected="--gates with some of " + ", ".join(GATES),
            remedy="Name them, e.g. `aegis fleet init ORG --gates scan`.",
        )
    # wrong for any is wrong for all, and is said before anything is asked
    init_choices.first(fleet.arguments, f"{fleet.organisation.login}/any", "main")
    return fleet.each(fleet.meant(), lambda listed: _judged(fleet, listed))


def _judged(fleet: Fleet, listed: Listed) -> Row:
    code = GitHubCode(listed.full_name, fleet.rest)
    head = code.tip(listed.default_branch)
    if head is None:
        return Row(repository=listed.full_name, state=State.EXCLUDED, detail="it is empty")
    with snapshot(code, head.tree) as there:
        wanted = _wanted(fleet.arguments, listed, there)
    if not wanted.files:
        return Row(repository=listed.full_name, state=State.WELL, detail="as this version writes it", commit=head.sha)
    return _Asking(fleet, listed, code, head, wanted).row()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a repository is to have."""

    files: Mapping[str, str | None]
    """Texts that differ from those of the default branch, by path; None: it goes."""
    changes: tuple[Change, ...]
    choices: Choices
    first: bool
    """It was not set up before."""


def _wanted(arguments: argparse.Namespace, listed: Listed, there: Snapshot) -> _Wanted:
    """As `aegis init` would write it in a checkout. Refused where a person's words stand in the way."""
    folder = InitFolder.of(there.root)
    before = folder.record()
    choices = _choices(arguments, listed, before)
    planned = plan(folder, before, choices)
    if (refused := refusal(planned)) is not None:
        raise Refused(
            refused.code,
            refused.problem,
            expected=refused.expected,
            remedy="Run `aegis init` in a checkout of this repository, with --diff, --overwrite or --keep.",
        )
    if before is not None and before.choices == choices and not any(map(_differs, planned)):
        return _Wanted({}, (), choices, first=False)  # another version alone is no reason for a pull request
    folder.write(planned, choices)
    files: dict[str, str | None] = {}
    for path in [*(change.path for change in planned), record.PATH]:
        text = _text(there.root / path)
        if (None if text is None else blob_id(text.encode())) != there.ids.get(path):
            files[path] = text
    return _Wanted(files, tuple(filter(_differs, planned)), choices, first=before is None)


def _choices(arguments: argparse.Namespace, listed: Listed, before: record.Record | None) -> Choices:
    """Of a repository that was set up, its own, with what is named, and never fewer gates than it has."""
    if before is None:
        return init_choices.first(arguments, listed.full_name, listed.default_branch)
    named = init_choices.over(before.choices, arguments)
    gates = tuple(gate for gate in GATES if gate in {*named.gates, *before.choices.gates})
    return check(replace(named, gates=gates))


def _differs(change: Change) -> bool:
    return change.after != change.before


def _text(place: Path) -> str | None:
    return place.read_bytes().decode() if place.exists() else None


@dataclass(frozen=True, slots=True)
class _Asking:
    """The pull request of one repository."""

    fleet: Fleet
    listed: Listed
    code: GitHubCode
    head: Commit
    wanted: _Wanted

    def row(self) -> Row:
        """Open it, bring it up to date, or leave it: what became of it, or in a dry run would become."""
        pulls = self.code.pulls(BRANCH, self.listed.default_branch)
        tip = self.code.tip(BRANCH)
        pull = next((each for each in pulls if each.state == "open"), None)
        if tip is not None and not fleet_pull.is_ours(tip.message, tip.tree):
            return self._refused(_branch_taken(self.listed), pull)
        if pull is None and pulls and not pulls[0].merged and not self.fleet.arguments.again:
            return self._refused(_declined(self.listed, pulls[0]), pulls[0])
        there = tip is not None and self._holds(tip)
        if there and pull is not None:
            return self._told(State.WAITING, f"#{pull.number} waits for its review", pull)
        words = f"{'open a pull request' if pull is None else f'bring #{pull.number} up to date'}: {self._files()}"
        if self.fleet.dry_run:
            return self._told(State.WOULD_WRITE, words, pull)
        if not there:
            self._commit(tip)
        if pull is None:
            pull = self.code.open_pull(fleet_pull.TITLE, self._body(), BRANCH, self.listed.default_branch)
            return self._told(State.WRITTEN, f"#{pull.number} opened: {self._files()}", pull)
        return self._told(State.WRITTEN, f"#{pull.number} brought up to date: {self._files()}", pull)

    def _holds(self, tip: Commit) -> bool:
        """Whether the branch has every file as it is wanted."""
        ids = {path: entry.sha for path, entry in deciding(self.code, tip.tree)}
        return all(
            ids.get(path) == (None if text is None else blob_id(text.encode()))
            for path, text in self.wanted.files.items()
        )

    def _commit(self, tip: Commit | None) -> None:
        """On the default branch as it is now; a branch that is there is joined with it, never replaced."""
        tree = self.code.write_tree(self.head.tree, self.wanted.files)
        parents = [self.head.sha] if tip is None else [tip.sha, self.head.sha]
        commit = self.code.write_commit(
            fleet_pull.message(tree, update=tip is not None or not self.wanted.first), tree, parents
        )
        if tip is None:
            self.code.make_branch(BRANCH, commit.sha)
        else:
            self.code.move_branch(BRANCH, commit.sha)

    def _files(self) -> str:
        """The files, but for our own record."""
        names = [f"{change.state.value} {change.path}" for change in self.wanted.changes]
        return ", ".join(names) or record.PATH

    def _body(self) -> str:
        states = {change.path: change.state for change in self.wanted.changes}
        kinds = [(path, states.get(path, FileState.UPDATED).value) for path in sorted(self.wanted.files)]
        return fleet_pull.body(kinds, init_next.steps(self.wanted.choices))

    def _refused(self, error: Refused, pull: Pull | None) -> Row:
        return row_of(self.listed, error, commit=self.head.sha, url=pull.url if pull is not None else None)

    def _told(self, state: State, detail: str, pull: Pull | None) -> Row:
        return Row(
            repository=self.listed.full_name,
            state=state,
            detail=detail,
            commit=self.head.sha,
            url=pull.url if pull is not None else None,
        )


def _branch_taken(listed: Listed) -> Refused:
    return Refused(
        "fleet.branch_taken",
        f"somebody else committed to the branch {BRANCH} of {listed.full_name}",
        expected="a branch whose newest commit is ours, as we wrote it",
        remedy="Merge or close its pull request and delete the branch; then run it again.",
    )


def _declined(listed: Listed, pull: Pull) -> Refused:
    return Refused(
        "fleet.declined",
        f"#{pull.number} of {listed.full_name} was closed without a merge",
        expected="a pull request that nobody said no to",
        remedy="Speak with the repository's owners; then run it with --again.",
    )
