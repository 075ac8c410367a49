"""What a run of all gates was asked for, by arguments or by the root action's inputs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, get_args

from aegis.cli.backup_check.options import BackupCheckOptions
from aegis.cli.scan.options import ScanOptions
from aegis.cli.surroundings import read_input
from aegis.cli.verify.options import VerifyOptions
from aegis.core.errors import UsageError
from aegis.core.policy import GateName

GATES: Final[tuple[GateName, ...]] = get_args(GateName)
Task = Literal["judge", "list", "merge"]
"""Judge; tell which gates there are to judge; or give the one verdict over those of a matrix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllOptions:
    """The wishes; each gate reads its own ones as if it had been asked for alone."""

    task: Task
    only: GateName | None
    """The one gate of this job of a matrix; None: all of them."""
    verdicts: Path | None
    """The folder whose verdicts are merged."""
    scan: ScanOptions
    verify: VerifyOptions
    backups: BackupCheckOptions

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace, environ: Mapping[str, str]) -> AllOptions:
        """Of the command line; what a workflow keeps as variables or secrets comes from the environment."""
        task: Task = "list" if arguments.list else "judge" if arguments.merge is None else "merge"
        return cls._named(
            task,
            arguments.only,
            arguments.merge,
            ScanOptions.from_arguments(arguments),
            VerifyOptions.from_arguments(arguments, environ),
            BackupCheckOptions.from_arguments(arguments, environ),
        )

    @classmethod
    def from_inputs(cls, environ: Mapping[str, str], *, lists: bool) -> AllOptions:
        """Of the root action's inputs. `lists`: start-up has seen that the gates are to be told. Raises UsageError."""
        task, folder = read_input("task", environ) or "judge", read_input("verdicts", environ)
        if (task == "list") != lists or (task == "merge") != bool(folder):
            raise UsageError(
                "core.wrong_usage",
                f"the input `task` is {task[:40]!r} and the input `verdicts` is {folder[:200]!r}",
                expected="`verdicts`, the folder of a matrix's verdicts, with `task: merge` and with no other",
                remedy="correct the inputs",
            )
        only = read_input("gate", environ)
        return cls._named(
            "merge" if folder else "list" if lists else "judge",
            next((gate for gate in GATES if gate == only), None),
            Path(environ.get("GITHUB_WORKSPACE") or ".") / folder if folder else None,
            ScanOptions.from_inputs(environ),
            VerifyOptions.from_inputs(environ),
            BackupCheckOptions.from_inputs(environ),
        )

    @classmethod
    def _named(
        cls,
        task: Task,
        only: GateName | None,
        verdicts: Path | None,
        scan: ScanOptions,
        verify: VerifyOptions,
        backups: BackupCheckOptions,
    ) -> AllOptions:
        if only is not None and task != "judge":
            raise UsageError(
                "core.wrong_usage",
                f"the gate {only!r} beside the task `{task}`",
                expected="one gate to judge, or a list or merge of all of them",
                remedy="leave one of them out",
            )
        return cls(
            task=task,
            only=only,
            verdicts=verdicts,
            scan=replace(scan, named_only=True, strict=False),
            verify=replace(verify, named_only=True),
            # no pull request waits for a restore, or takes a backup
            backups=replace(backups, named_only=True, mode="check"),
        )
