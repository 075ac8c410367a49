"""Where a workflow keeps what it saw of a rollout, from one attempt of its run to the next.

A runner is new for each attempt, so the workflow carries the folder over (docs/canary.md). Each version of a rollout
has a file of its own there, and each attempt leaves a mark. An attempt that finds no mark of one before it has lost
what that one saw: it is refused, since to begin again would be a second chance.
"""

from __future__ import annotations

import datetime
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aegis.cli.files import write
from aegis.core.errors import CouldNotDecide, UsageError
from aegis.core.ports.repository import Repository
from aegis.core.ports.rollouts import RolloutState

MARK: Final = "attempt.json"
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a run, and the folder that all of them share."""

    folder: Path
    run: str
    number: int | None
    """From 1; None where GitHub tells none."""
    kept: bool
    """The folder is the one of the attempts before; at the first, any is."""
    anew: bool
    """What is not there is gone on without."""

    @classmethod
    def begin(cls, folder: Path, environ: Mapping[str, str], *, anew: bool) -> Attempt:
        """Make the folder, and leave a mark in it, unless it has lost what an earlier attempt saw.

        `anew`: that is to be gone on without. Raises CouldNotDecide `core.output_unwritable`.
        """
        run, number = environ.get("GITHUB_RUN_ID", ""), environ.get("GITHUB_RUN_ATTEMPT", "")
        known = int(number) if _NUMBER.fullmatch(number) else None
        kept = known == 1 or _marked(folder / MARK, run, known)
        attempt = cls(folder, run, known, kept, anew)
        _make(folder)
        if kept or anew:
            attempt.mark()
        return attempt

    def mark(self) -> None:
        """What the next attempt looks for."""
        write(self.folder / MARK, json.dumps({"run": self.run, "attempt": self.number}).encode())

    def state(self, seen: RolloutState, canary: str, waited: datetime.timedelta) -> Path:
        """The file of one version. Raises CouldNotDecide `canary.state_lost`.

        `waited`: a rollout that has stood at its pause for longer, by the clock of this machine, was judged before.
        """
        file = self.folder / f"{seen.namespace}.{seen.name}.{canary}.json"
        if not os.path.lexists(file) and not self.anew:
            if not self.kept:
                raise self._lost(
                    f"this is attempt {self.number or '(unknown)'} of run {self.run or '(unknown)'}, and in "
                    f"{str(self.folder)!r} there is nothing of the attempts before it"
                )
            since = seen.paused_since
            if since is not None and datetime.datetime.now(datetime.UTC) - since > waited:
                raise self._lost(
                    f"{seen.place} has stood at its pause since {since.isoformat()}, longer than the deadline, and "
                    f"in {str(self.folder)!r} there is nothing that was seen of it"
                )
        self.mark()
        return file

    @staticmethod
    def _lost(problem: str) -> CouldNotDecide:
        return CouldNotDecide(
            "canary.state_lost",
            problem,
            expected="the state folder of the run before",
            remedy="Restore the folder before this step and save it after it, as docs/canary.md shows. To judge anew "
            "nevertheless, say `without-state: begin`.",
        )


def refuse_tracked(folder: Path, repository: Repository) -> None:
    """Refuse a state that came with the repository: a decision in it would stand. Raises UsageError."""
    root = repository.root.resolve()
    place = Path(os.path.abspath(folder))  # noqa: PTH100 - `resolve` would follow the links in question
    base = next((base for base in (repository.root, root) if place.is_relative_to(base)), None)
    if base is None:
        return
    inside = place.relative_to(base)
    if (root / inside).resolve() != root / inside:
        raise _tracked(folder, "leads through a symbolic link")
    if repository.entries([inside.as_posix()]):
        raise _tracked(folder, "is tracked by git")


def _tracked(folder: Path, problem: str) -> UsageError:
    return UsageError(
        "canary.state_invalid",
        f"the state folder {str(folder)!r} {problem}",
        expected="a folder that only runs of this gate write",
        remedy="Take it out of the repository, or name another one by the input `state`.",
    )


def _marked(mark: Path, run: str, number: int | None) -> bool:
    """Whether an earlier attempt of this run has left its mark. What cannot be read is none."""
    try:
        found = json.loads(mark.read_bytes())
        earlier = found["attempt"]
    except (OSError, ValueError, RecursionError, TypeError, KeyError):
        return False
    return bool(run) and number is not None and found.get("run") == run and type(earlier) is int and earlier < number


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CouldNotDecide(
            "core.output_unwritable",
            f"cannot make the folder {str(folder)!r}: {error.strerror}",
            expected="a folder that can be made and written",
            remedy="correct the input `state`",
        ) from error
