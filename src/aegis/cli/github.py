"""`aegis github protect`: the gates' checks become required, after the difference was shown."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aegis.core.errors import CouldNotDecide, Refused, UsageError

if TYPE_CHECKING:
    from aegis.adapters.github.settings import GitHubSettings
    from aegis.scaffold.protection import Wanted


def add_command(commands: Any) -> None:
    """Add the command and those below it."""
    parser = commands.add_parser("github", help="what GitHub must demand of a repository", allow_abbrev=False)
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    protect: argparse.ArgumentParser = below.add_parser(
        "protect", help="make the gates' checks required on the default branch", allow_abbrev=False
    )
    protect.add_argument("path", nargs="?", default=".", help="a folder of the repository (default: this one)")
    protect.add_argument("--repository", metavar="OWNER/NAME", help="default: of the remote `origin`")
    protect.add_argument("--aegis", metavar="OWNER/NAME", default="org/aegis", help="repository of the actions")
    protect.add_argument(
        "--check",
        metavar="NAME",
        action="append",
        dest="checks",
        help="default: of every job that runs a gate; may be repeated",
    )
    protect.add_argument("--approvals", metavar="N", type=int, default=1, help="reviews of a change (default: 1)")
    protect.add_argument("--no-owners", action="store_true", help="do not demand the review of a code owner")
    protect.add_argument("--up-to-date", action="store_true", help="demand the newest base in a branch")
    protect.add_argument("--branch-protection", action="store_true", help="instead of a ruleset")
    protect.add_argument("--yes", action="store_true", help="write without a question")
    protect.add_argument("--diff", action="store_true", help="print the difference, and write nothing")
    protect.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from aegis.scaffold.protection import Wanted

    if not 0 <= arguments.approvals <= 6:
        raise _usage(f"--approvals {arguments.approvals}", "0 to 6")
    checks = _checks(arguments)
    settings = connect(arguments.repository, Path(arguments.path), os.environ)
    facts = settings.facts()
    wanted = Wanted(
        checks,
        settings.actions_app(),
        approvals=arguments.approvals,
        owners=not arguments.no_owners,
        up_to_date=arguments.up_to_date,
    )
    branch = str(facts.get("default_branch"))
    form = _branch_protection if arguments.branch_protection else ruleset_form
    before, after, write = form(settings, wanted, branch)
    if before == after:
        demand_in_force(settings, wanted, branch)
        print(f"{settings.repository}: nothing to change")
        return 0
    from aegis.report.escape import terminal

    sys.stdout.write("".join(f"{terminal(line)}\n" for line in difference(before, after)))
    if arguments.diff:
        return 0
    if not arguments.yes and not _agreed(settings.repository):
        raise Refused(
            "github.unconfirmed",
            "nobody agreed to the difference above",
            expected="`yes` at a terminal, or --yes",
            remedy="Run it again with --yes. Nothing was changed.",
        )
    demand_taken(after, write())
    demand_in_force(settings, wanted, branch)
    print(f"{settings.repository}: written")
    return 0


def connect(repository: str | None, path: Path, environ: Mapping[str, str]) -> GitHubSettings:
    """The repository at GitHub, with the token of the environment."""
    from aegis.adapters.github.code_scanning import PUBLIC_API
    from aegis.adapters.github.rest import GitHubRest
    from aegis.adapters.github.settings import GitHubSettings
    from aegis.scaffold.choices import FORMS

    if repository is None:
        from aegis.cli.init.folder import InitFolder

        repository = InitFolder.of(path).known().repository
    if repository is None:
        raise _usage("no repository is known", "--repository OWNER/NAME, or a remote `origin` at GitHub")
    if not FORMS["repository"][0].fullmatch(repository):
        raise _usage(f"{repository!r} as the repository", "OWNER/NAME, as --repository or in the remote `origin`")
    token = environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN") or ""
    return GitHubSettings(repository, GitHubRest(token, environ.get("GITHUB_API_URL") or PUBLIC_API))


def _checks(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Those that are named, else those of the repository's own workflows."""
    from aegis.cli.doctor.folder import look

    if arguments.checks:
        return tuple(dict.fromkeys(arguments.checks))
    looked = look(Path(arguments.path), arguments.aegis)
    found = looked.required_checks()
    if not found:
        raise _usage("no workflow runs a gate on pull requests", "a workflow of `aegis init`, or --check NAME")
    return found


Form = tuple[list[str], list[str], Callable[[], list[str]]]
"""The settings as they are, as they should be, and what writes them and says how they are then."""


def ruleset_form(settings: GitHubSettings, wanted: Wanted, branch: str) -> Form:
    """Of the repository's own ruleset."""
    from aegis.scaffold import protection

    own = [
        each
        for each in settings.rulesets(parents=False)
        if each.get("name") == protection.NAME and each.get("target", "branch") == "branch"
    ]
    identity = int(own[0]["id"]) if own else None
    present = settings.whole_ruleset(identity) if identity is not None else None
    document = protection.ruleset(wanted, present)
    return (
        protection.lines(present),
        protection.lines(document),
        lambda: protection.lines(settings.put_ruleset(identity, document)),
    )


def _branch_protection(settings: GitHubSettings, wanted: Wanted, branch: str) -> Form:
    from aegis.scaffold import protection

    present = settings.protection(branch)
    document = protection.branch_protection(wanted, present)
    return (
        protection.lines(protection.as_sent(present)),
        protection.lines(document),
        lambda: protection.lines(protection.as_sent(settings.put_protection(branch, document))),
    )


def difference(before: list[str], after: list[str]) -> list[str]:
    """Every setting, with `-` and `+` before those that change."""
    return [line for line in difflib.ndiff(before, after) if not line.startswith("?")]


def _agreed(repository: str) -> bool:
    return sys.stdin.isatty() and input(f"Write this to {repository}? [no] ").strip().lower() in {"y", "yes"}


def demand_taken(wanted: list[str], taken: list[str]) -> None:
    """GitHub drops some settings without a word."""
    lost = [line for line in wanted if line not in taken]
    if lost:
        raise CouldNotDecide(
            "github.not_taken",
            f"GitHub did not take: {'; '.join(lost)[:500]}",
            expected="the settings that were sent",
            remedy="Compare them on GitHub's page of the repository's rules; its plan may not have them.",
        )


def demand_in_force(settings: GitHubSettings, wanted: Wanted, branch: str) -> None:
    """What a ruleset says counts where its conditions mean the branch; a pattern may exclude it."""
    from aegis.scaffold.doctor_github import demanded

    there = demanded(settings.branch_rules(branch), settings.protection(branch))
    lost = [check for check in wanted.checks if wanted.app not in there.get(check, set())]
    if lost:
        raise CouldNotDecide(
            "github.not_taken",
            f"not required on {branch!r}: {', '.join(lost)}",
            expected="the checks among the rules that are in force on the default branch",
            remedy="Look at the conditions of the ruleset `aegis`, and at whether it is in force.",
        )


def _usage(problem: str, expected: str) -> UsageError:
    return UsageError("core.wrong_usage", problem, expected=expected, remedy="Correct the argument.")
