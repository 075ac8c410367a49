"""`aegis doctor`: what is missing or weak in a repository, in its files and in its settings at GitHub."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aegis.core.codes import CODES
from aegis.core.errors import CouldNotDecide
from aegis.report.escape import terminal

if TYPE_CHECKING:
    from aegis.adapters.github.settings import GitHubSettings
    from aegis.cli.doctor.folder import Looked
    from aegis.scaffold.doctor import Weakness
    from aegis.scaffold.doctor_github import Settings
    from aegis.scaffold.jobs import Workflow


def add_command(commands: Any) -> None:
    """Add the command and its arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "doctor", help="what is missing or weak in a repository", allow_abbrev=False
    )
    parser.add_argument("path", nargs="?", default=".", help="a folder of a git repository (default: this one)")
    parser.add_argument("--github", action="store_true", help="look at its settings at GitHub, too (GITHUB_TOKEN)")
    parser.add_argument("--repository", metavar="OWNER/NAME", help="default: of the remote `origin`")
    parser.add_argument("--aegis", metavar="OWNER/NAME", help="repository of the actions (default: as init wrote)")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="what to print (default: text)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command. 0: nothing found; 1: something; else it could not be said."""
    path = Path(arguments.path)
    github = None
    if arguments.github:
        from aegis.cli.github import connect

        github = connect(arguments.repository, path, os.environ)
    found, looked = examine(path, arguments.aegis, github)
    _tell(found, looked, arguments)
    return 1 if found else 0


def examine(path: Path, aegis: str | None, github: GitHubSettings | None) -> tuple[list[Weakness], Looked]:
    """What is missing or weak, and what was looked at. `aegis`: None is as init wrote; `github`: its settings, too."""
    from aegis.cli.doctor.folder import look

    written, stale = _written(path)
    looked = look(path, aegis or written)
    found = [*stale, *looked.weaknesses()]
    if github is not None:
        from aegis.scaffold import doctor_github

        workflows = looked.facts.workflows
        found += doctor_github.weaknesses(settings_of(github, workflows), workflows)
    return found, looked


def _written(path: Path) -> tuple[str, list[Weakness]]:
    """The repository of the actions, and what is no longer as `aegis init` writes it."""
    from aegis.cli.init.folder import InitFolder
    from aegis.scaffold import record
    from aegis.scaffold.changes import STALE, changes
    from aegis.scaffold.doctor import Weakness
    from aegis.scaffold.files import files

    folder = InitFolder.of(path)
    written = folder.record()
    if written is None:
        return "org/aegis", []
    try:
        new = files(written.choices, codeowners=folder.codeowners())
    except CouldNotDecide as error:
        if error.code != "core.package_missing":
            raise
        return written.choices.aegis, []  # jinja2 is of the extra `scaffold`, which the other checks do not need
    present = folder.present({*new, *written.files})
    planned = changes(new, written.files, present, folder.merged, keep=written.kept)
    stale = [change.path for change in planned if change.state in STALE]
    message = "not as this version of init writes it"
    return written.choices.aegis, [
        Weakness(each, 1, "doctor.out_of_date", f"{message} ({record.PATH})") for each in stale
    ]


def settings_of(github: GitHubSettings, workflows: Sequence[Workflow]) -> Settings:
    """Everything that is looked at; whatever may not be seen is an error, since it may be any."""
    from aegis.scaffold.doctor_github import Environment, Settings
    from aegis.scaffold.protection import NAME

    branch = str(github.facts().get("default_branch"))
    rules = github.branch_rules(branch)
    in_force = {rule.get("ruleset_id") for rule in rules}
    own = [each for each in github.rulesets(parents=False) if each["id"] in in_force or each.get("name") == NAME]
    uses: dict[str, list[bool]] = {}
    for workflow in workflows:
        for job in workflow.jobs:
            if job.environment is not None:
                # a job with `if:` may be one that no pull request is to reach, as the apply beside a plan; what looks
                # at the request itself is for requests
                condition = str(job.keys.get("if", "github.event.pull_request"))
                asks_for_one = bool(job.gates) or "github.event.pull_request" in condition
                of_changes = "pull_request" in workflow.triggers and asks_for_one
                uses.setdefault(job.environment, []).append(of_changes)
    environments = []
    for name in sorted(uses):
        found = github.environment(name)
        custom = found is not None and (found.get("deployment_branch_policy") or {}).get("custom_branch_policies")
        patterns = github.environment_branches(name) if custom else []
        branches = [str(each.get("name")) for each in patterns if each.get("type") != "tag"]
        environments.append(Environment(name=name, settings=found, branches=branches, of_changes=all(uses[name])))
    return Settings(
        branch=branch,
        actions_app=github.actions_app(),
        rules=rules,
        rulesets=[github.whole_ruleset(int(each["id"])) for each in own],
        protection=github.protection(branch),
        environments=environments,
        subject=github.subject(),
        token=github.token_permissions(),
        workflows=github.workflows(),
        owner_errors=github.owner_errors(),
    )


def line_of(weakness: Weakness) -> str:
    """A finding, and what to do about it."""
    place = weakness.path + (f":{weakness.line}" if weakness.line else "")
    said = f"{terminal(place)}: {weakness.code}: {terminal(weakness.message)}"
    return f"{said}\n  next: {CODES[weakness.code].remedy}"


def _tell(found: Sequence[Weakness], looked: Looked, arguments: argparse.Namespace) -> None:
    if arguments.format == "json":
        document = [
            {"rule": each.code, "path": each.path, "line": each.line, "message": each.message} for each in found
        ]
        print(json.dumps({"schema": "aegis.doctor/v1", "findings": document}, indent=1))
        return
    for each in found:
        print(line_of(each))
    where = "files and settings" if arguments.github else "files; `--github` looks at the settings, too"
    gates = sorted({gate for workflow in looked.facts.workflows for job in workflow.judging() for gate in job.gates})
    print(f"{len(found)} found in the {where}. Gates that run: {', '.join(gates) or 'none'}.")
