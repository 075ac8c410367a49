"""One run over many repositories: who is meant, one after the other, and what stops all of it.

What goes wrong with one repository is its own; a token that is not taken, a limit that is reached and an outage of
GitHub are everybody's, and the rest is told as not reached.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass

from aegis.adapters.git.remote import PUBLIC_SERVER
from aegis.adapters.github.code_scanning import PUBLIC_API
from aegis.adapters.github.fleet import GitHubOrganisation, Listed
from aegis.adapters.github.rest import GitHubRest
from aegis.cli.fleet.rights import RIGHTS
from aegis.cli.fleet.state import FleetState
from aegis.cli.progress import progress_bar
from aegis.core.errors import AegisError, CouldNotDecide, UsageError, crashed
from aegis.scaffold.fleet import Filter, Report, Row, State

Judge = Callable[[Listed], Row]
_EVERYBODYS = frozenset({"github.rate_limited", "github.token_refused", "core.interrupted"})
_OUTAGE = 3
"""Repositories in a row for which GitHub did not answer: it will not for the next."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is asked for, and the organisation at GitHub."""

    arguments: argparse.Namespace
    rest: GitHubRest
    organisation: GitHubOrganisation

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Fleet:
        """With the token of the environment. UsageError for what cannot be."""
        if arguments.wait < 0 or arguments.pace < 0:
            raise UsageError(
                "core.wrong_usage",
                f"--wait {arguments.wait} --pace {arguments.pace}",
                expected="0 or more seconds",
                remedy="Correct the argument.",
            )
        token = os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN") or ""
        rest = GitHubRest(
            token,
            os.environ.get("GITHUB_API_URL") or PUBLIC_API,
            patience=float(arguments.wait),
            pace=arguments.pace,
            rights=f"a token with {RIGHTS[arguments.command].said}",
        )
        return cls(arguments, rest, GitHubOrganisation(arguments.organisation, rest))

    @property
    def command(self) -> str:
        """Of the four."""
        return str(self.arguments.command)

    @property
    def dry_run(self) -> bool:
        """Nothing is to be written."""
        return not getattr(self.arguments, "yes", False)

    def meant(self) -> Meant:
        """The repositories, after the rights were looked at. UsageError `fleet.none_meant` where there are none."""
        facts, scopes = self.organisation.facts()
        lacking = RIGHTS[self.command].scopes - scopes if scopes is not None else frozenset()
        if lacking:
            raise self.rest.forbidden(f"the token has no scope {', '.join(sorted(lacking))}")
        listed = self.organisation.repositories()
        wanted = Filter(
            topics=tuple(self.arguments.topics),
            names=tuple(self.arguments.names),
            without=tuple(self.arguments.without),
            forks=self.arguments.forks,
            templates=self.arguments.templates,
        )
        against = {each.full_name: wanted.reason_against(each) for each in listed}
        repositories = tuple(each for each in listed if against[each.full_name] is None)
        if not repositories:
            raise UsageError(
                "fleet.none_meant",
                f"none of the {len(listed)} repositories of {self.organisation.login} is meant",
                expected="at least one, since nothing judged is no answer",
                remedy="Correct --topic, --name and --without, or give the token access to the repositories.",
            )
        there = facts.public_repos + (facts.total_private_repos or 0)
        return Meant(
            repositories,
            tuple((name, reason) for name, reason in against.items() if reason is not None),
            unseen=0 if self.arguments.seen_only else max(0, there - len(listed)),
        )

    def each(self, meant: Meant, judge: Judge, *, remember: bool = True) -> Report:
        """Judge one after the other; whatever happens, each has a row. `remember`: in the file of --state."""
        state = FleetState.open(self.arguments) if remember else FleetState.none()
        rows: list[Row] = []
        stop, silent = "", 0
        with progress_bar(f"fleet {self.command}") as progress:
            for number, listed in enumerate(meant.repositories, 1):
                if progress is not None:
                    progress(number, len(meant.repositories))
                if stop:
                    rows.append(Row(repository=listed.full_name, state=State.NOT_REACHED, detail=stop))
                    continue
                row = state.kept(listed.full_name)
                if row is None:
                    row = self._judged(listed, judge)
                    state.keep(row)
                rows.append(row)
                silent = silent + 1 if row.code == "github.unreachable" else 0
                if row.code in _EVERYBODYS or silent == _OUTAGE:
                    stop = f"the run ended: {row.detail}"
        if not stop:
            state.finish()
        return Report(
            command=self.command,
            organisation=self.organisation.login,
            dry_run=self.dry_run and self.command in {"init", "protect"},
            rows=tuple(rows),
            excluded=meant.excluded,
            unseen=meant.unseen,
            notices=state.notices(),
        )

    def _judged(self, listed: Listed, judge: Judge) -> Row:
        """Its row, also where something stood in the way."""
        try:
            self._demand_role(listed)
            return judge(listed)
        except AegisError as error:
            return row_of(listed, error)
        except Exception as error:  # a defect is told like every other reason for no answer
            return row_of(listed, crashed(error))

    def _demand_role(self, listed: Listed) -> None:
        role = RIGHTS[self.command].role
        if role == "admin" and getattr(self.arguments, "no_settings", False):
            return
        if role and not getattr(listed.permissions, role):
            raise self.rest.forbidden(f"the token's owner has no right to {role} in {listed.full_name}")


@dataclass(frozen=True, slots=True)
class Meant:
    """Which repositories, and which not."""

    repositories: tuple[Listed, ...]
    excluded: tuple[tuple[str, str], ...]
    unseen: int
    """Those that the organisation has and the token does not see."""


def row_of(listed: Listed, error: AegisError, *, commit: str | None = None, url: str | None = None) -> Row:
    """Where no answer could be given, or nothing was written."""
    state = State.REFUSED if error.exit_code == 1 else State.ERROR
    return Row(repository=listed.full_name, state=state, detail=error.problem, code=error.code, commit=commit, url=url)


def server() -> str:
    """Where git finds what the API tells of: of one host, so that no token goes to another."""
    api, named = os.environ.get("GITHUB_API_URL") or PUBLIC_API, os.environ.get("GITHUB_SERVER_URL")
    if named:
        return named.rstrip("/")
    if api.rstrip("/") == PUBLIC_API:
        return PUBLIC_SERVER
    if api.rstrip("/").endswith("/api/v3"):
        return api.rstrip("/").removesuffix("/api/v3")
    raise CouldNotDecide(
        "core.wrong_usage",
        f"GITHUB_API_URL is {api!r}, and GITHUB_SERVER_URL is not set",
        expected="both, of one GitHub",
        remedy="Set GITHUB_SERVER_URL, e.g. to https://HOST.",
    )
