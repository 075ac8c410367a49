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

from aegis.cli.canary.seal import Seal
from aegis.cli.canary.state import forged
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

    seal: Seal | None
    """None: the job has no secret to seal with, so nothing is kept."""

    @classmethod
    def begin(cls, folder: Path, environ: Mapping[str, str], seal: Seal | None, *, anew: bool) -> Attempt:
        """Make the folder, and leave a mark in it, unless it has lost what an earlier attempt saw.

        `anew`: that is to be gone on without. Raises CouldNotDecide `core.output_unwritable`.
        """
        run, number = environ.get("GITHUB_RUN_ID", ""), environ.get("GITHUB_RUN_ATTEMPT", "")
        known = int(number) if _NUMBER.fullmatch(number) else None
        kept = known == 1 or (seal is not None and _marked(folder / MARK, seal, run, known))
        attempt = cls(folder, run, known, kept, anew, seal)
        _make(folder)
        if kept or anew:
            attempt.mark()
        return attempt

    def mark(self) -> None:
        """What the next attempt looks for."""
        if self.seal is not None:
            data = json.dumps({"run": self.run, "attempt": self.number}).encode()
            write(self.folder / MARK, self.seal.close(MARK, data))

    def file(self, seen: RolloutState, canary: str) -> Path:
        """The name of one version's state."""
        return self.folder / f"{seen.namespace}.{seen.name}.{canary}.json"

    def state(self, seen: RolloutState, canary: str, waited: datetime.timedelta) -> Path:
        """The file of one version. Raises CouldNotDecide `canary.state_lost`, `canary.state_forged`.

        `waited`: a rollout that has stood at its pause for longer, by the clock of this machine, was judged before.
        """
        file = self.file(seen, canary)
        if self.anew:
            # by name: neither a lost state nor one that somebody else wrote stands in the way
            if os.path.lexists(file) and not self._is_ours(file):
                file.unlink()
        elif not os.path.lexists(file):
            if (why := self._judged_before(seen, waited)) is not None:
                raise self._lost(why)
        elif not self._is_ours(file):
            raise forged(file)
        self.mark()
        return file

    def _judged_before(self, seen: RolloutState, waited: datetime.timedelta) -> str | None:
        """How it is known that somebody has; None: it is not."""
        nothing = f"and in {str(self.folder)!r} there is nothing that was seen of it"
        if not self.kept:
            return f"this is attempt {self.number or '(unknown)'} of run {self.run or '(unknown)'}, {nothing}"
        if seen.aborted:
            return f"{seen.place} was aborted, {nothing}"
        if any(step.endless for step in seen.steps[: seen.step or 0]):
            return f"{seen.place} is past its first endless pause, {nothing}"
        since = seen.paused_since
        if since is not None and datetime.datetime.now(datetime.UTC) - since > waited:
            return f"{seen.place} has stood at its pause since {since.isoformat()}, longer than the deadline, {nothing}"
        return None

    def _is_ours(self, file: Path) -> bool:
        try:
            return self.seal is not None and self.seal.open(file.name, file.read_bytes()) is not None
        except OSError:
            return False

    @staticmethod
    def _lost(problem: str) -> CouldNotDecide:
        return CouldNotDecide(
            "canary.state_lost",
            problem,
            expected="the state folder of the run before",
            remedy="Restore the folder before this step and save it after it, as docs/canary.md shows. To judge anew "
            "nevertheless, say `without-state: begin`.",
        )


def refuse_tracked(folder: Path, repository: Repository, what: str = "state folder") -> None:
    """Refuse what came with the repository: a change could bring a decision, or the program that logs in.

    Raises UsageError `canary.state_invalid`.
    """
    root = repository.root.resolve()
    place = Path(os.path.abspath(folder))  # noqa: PTH100 - `resolve` would follow the links in question
    base = next((base for base in (repository.root, root) if place.is_relative_to(base)), None)
    if base is None:
        return
    inside = place.relative_to(base)
    if (root / inside).resolve() != root / inside:
        raise _tracked(what, folder, "leads through a symbolic link")
    if repository.entries([inside.as_posix()]):
        raise _tracked(what, folder, "is tracked by git")


def _tracked(what: str, folder: Path, problem: str) -> UsageError:
    return UsageError(
        "canary.state_invalid",
        f"the {what} {str(folder)!r} {problem}",
        expected="a place that no change of the repository writes",
        remedy="Take it out of the repository, or name another place by the input.",
    )


def _marked(mark: Path, seal: Seal, run: str, number: int | None) -> bool:
    """Whether an earlier attempt of this run has left its mark. What cannot be read is none."""
    try:
        found = json.loads(seal.open(mark.name, mark.read_bytes()) or b"")
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
