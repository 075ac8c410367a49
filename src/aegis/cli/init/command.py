"""`aegis init`: workflows, policies and CODEOWNERS for the gates that a repository chooses, and their updates."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aegis.core.errors import AegisError, Refused, UsageError

if TYPE_CHECKING:
    from aegis.cli.init.folder import InitFolder
    from aegis.scaffold.changes import Change
    from aegis.scaffold.choices import Choices
    from aegis.scaffold.record import Record


def add_command(commands: Any) -> None:
    """Add the command and its arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "init", help="workflows and policies for a repository", allow_abbrev=False
    )
    parser.add_argument("path", nargs="?", default=".", help="a folder of a git repository (default: this one)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--update", action="store_true", help="write what this version writes, and keep every edit")
    mode.add_argument("--check", action="store_true", help="exit 1 unless everything is as this version writes it")
    parser.add_argument("--diff", action="store_true", help="print what would change, and write nothing")
    parser.add_argument(
        "--overwrite", metavar="PATH", action="append", default=[], help="replace this file's edits; may be repeated"
    )
    parser.add_argument(
        "--keep", metavar="PATH", action="append", default=[], help="leave this file to its owner; may be repeated"
    )
    add_choices(parser, one=True)
    parser.set_defaults(run=run)


def add_choices(parser: argparse.ArgumentParser, *, one: bool) -> None:
    """The arguments that choose what is written. `one`: for one repository, whose facts may be named."""
    choices = parser.add_argument_group("choices", "with --update: only those that change" if one else None)
    choices.add_argument("--gates", metavar="LIST", help="of scan, verify, canary, backup-check, e.g. scan,verify")
    if one:
        choices.add_argument("--repository", metavar="OWNER/NAME", help="default: of the remote `origin`")
        choices.add_argument("--branch", metavar="NAME", help="the protected branch (default: the remote's)")
    choices.add_argument(
        "--environment", metavar="NAME", help="whose variables the jobs read that verify (default: staging)"
    )
    choices.add_argument("--drill-environment", metavar="NAME", help="of the drills of backups (default: drill)")
    choices.add_argument("--deploy-environment", metavar="NAME", help="of the deploys (default: production)")
    choices.add_argument(
        "--workflows", metavar="KIND", help="`each`: a check a gate; `one`: one check `aegis` (default: each)"
    )
    choices.add_argument(
        "--owner", metavar="@WHO", action="append", dest="owners", help="for CODEOWNERS; may be repeated"
    )
    choices.add_argument("--aegis", metavar="OWNER/NAME", help="repository of the actions (default: org/aegis)")
    choices.add_argument("--ref", help="their tag or commit (default: v1)")
    choices.add_argument("--ref-version", metavar="vX.Y.Z", dest="version", help="what the commit is called")
    choices.add_argument(
        "--terraform",
        action=argparse.BooleanOptionalAction,
        help="plan infrastructure in pull requests, apply it later",
    )
    choices.add_argument("--evidence", metavar="PREFIX", help="keep each verdict, signed, in this store")
    verify = parser.add_argument_group("verify")
    verify.add_argument(
        "--artifact", metavar="NAME=SOURCE", action="append", dest="artifacts", help="what is verified; may be repeated"
    )
    verify.add_argument("--account", metavar="ID", help="AWS account of the role, 12 digits")
    verify.add_argument(
        "--key",
        metavar="KEY",
        action="append",
        dest="keys",
        help="a public key that may sign: a file, or env:COSIGN_PUB_KEY (default: the workflow sign-model); "
        "may be repeated",
    )
    if one:
        verify.add_argument("--repository-id", metavar="ID", help="of the signing repository, which a rename keeps")
    verify.add_argument("--oci-domain", metavar="URL", help="identity domain, for what lies in OCI")
    verify.add_argument("--oci-region", metavar="REGION", help="of the bucket, for what lies in OCI")
    backups = parser.add_argument_group("backup-check")
    backups.add_argument("--backup-store", metavar="PREFIX", dest="store", help="where backups lie")
    backups.add_argument(
        "--database", metavar="NAME", action="append", dest="databases", help="that is backed up; may be repeated"
    )
    backups.add_argument(
        "--recipient",
        metavar="age1…",
        action="append",
        dest="recipients",
        help="for whom they are encrypted: two or more; may be repeated",
    )
    canary = parser.add_argument_group("canary")
    canary.add_argument("--prometheus", metavar="URL", help="the server that counts both versions' requests")
    canary.add_argument("--rollout", metavar="NAMESPACE/NAME", help="of Argo Rollouts, that is judged")


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from aegis.cli.init.folder import InitFolder

    folder = InitFolder.of(Path(arguments.path))
    record = folder.record()
    choices = _choices(arguments, folder, record)
    planned = plan(folder, record, choices, overwrite=arguments.overwrite, keep=arguments.keep)
    if arguments.diff:
        from aegis.report.escape import terminal

        # lines of files that others edited, which must not act on the terminal that shows them
        lines = "".join(change.diff() for change in planned).split("\n")[:-1]
        sys.stdout.write("".join(f"{terminal(line)}\n" for line in lines))
    refused = refusal(planned)
    if arguments.check:
        return _checked(planned)
    if refused is not None:
        raise refused
    if not arguments.diff:
        folder.write(planned, choices)
        _tell(planned, choices, first=record is None)
    return 0


def _choices(arguments: argparse.Namespace, folder: InitFolder, record: Record | None) -> Choices:
    """Those of the arguments over those of the record, or over what git knows."""
    from aegis.cli.init import choices as init_choices

    if record is not None and not (arguments.update or arguments.check):
        raise UsageError(
            "init.already",
            "this repository was set up before",
            expected="a repository without .github/aegis-init.json",
            remedy="Use `aegis init --update`, with the arguments that change.",
        )
    if record is not None:
        return init_choices.over(record.choices, arguments)
    if arguments.update or arguments.check:
        raise UsageError(
            "init.not_yet",
            "there is no .github/aegis-init.json",
            expected="the record of what `aegis init` wrote",
            remedy="Run `aegis init` first.",
        )
    known = folder.known()
    return init_choices.first(arguments, known.repository, known.branch)


def plan(
    folder: InitFolder,
    record: Record | None,
    choices: Choices,
    *,
    overwrite: Sequence[str] = (),
    keep: Sequence[str] = (),
) -> list[Change]:
    """What becomes of each file. `record`: of the last writing; `overwrite`, `keep`: paths that a person has named."""
    from aegis.scaffold.changes import changes
    from aegis.scaffold.files import files

    new = files(choices, codeowners=folder.codeowners())
    written = dict(record.files) if record else {}
    for named in (*overwrite, *keep):
        if named not in new:
            raise UsageError(
                "init.value_invalid",
                f"{named!r} is none of the files that are written",
                expected="one of " + ", ".join(sorted(new)),
                remedy="Correct the argument.",
            )
    kept = {*keep, *((record.kept - set(overwrite)) if record else ())}
    present = folder.present({*new, *written})
    return list(changes(new, written, present, folder.merged, overwrite=frozenset(overwrite), keep=frozenset(kept)))


def refusal(planned: list[Change]) -> AegisError | None:
    """The error where a person's words stand in the way; nothing is to be written then."""
    from aegis.scaffold.changes import State

    for state, code, expected in (
        (State.EXISTS, "init.file_edited", "no file, or the one that was written"),
        (State.CONFLICT, "init.conflict", "edits in other lines than those that the new version changes"),
    ):
        paths = [change.path for change in planned if change.state is state]
        if paths:
            return Refused(
                code,
                f"{', '.join(paths)}: {'not written by init' if state is State.EXISTS else 'edited where it changes'}",
                expected=expected,
                remedy="Compare with --diff; then name each with --overwrite PATH or --keep PATH. Nothing was written.",
            )
    return None


def _checked(planned: list[Change]) -> int:
    from aegis.scaffold.changes import STALE

    stale = [change for change in planned if change.state in STALE]
    for change in planned:
        print(f"{change.state.value:>9}  {change.path}")
    if not stale:
        return 0
    raise Refused(
        "init.out_of_date",
        ", ".join(change.path for change in stale),
        expected="what this version writes, and edits beside it",
        remedy="Run `aegis init --update`, and review what it changed.",
    )


def _tell(planned: list[Change], choices: Choices, *, first: bool) -> None:
    from aegis.cli.init import next as init_next

    for change in planned:
        print(f"{change.state.value:>9}  {change.path}")
    if first:
        print("\n" + init_next.steps(choices))
