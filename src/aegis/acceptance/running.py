"""One run of a probe: a program started in a folder of its own, and what came of it."""

from __future__ import annotations

import datetime
import os
import shlex
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol

from aegis.acceptance import files, surroundings
from aegis.acceptance.catalogue import POSITIVE, Criterion, Fault, Probe
from aegis.acceptance.probe_answer import EXIT, FILE, MAX_BYTES, ProbeAnswer, broken, parse_answer
from aegis.acceptance.result import Attempt, CheckSeen
from aegis.core.errors import AegisError, CouldNotDecide

OUTPUT: Final = "output.txt"
"""What the probe printed, secrets struck out."""
_LAST_WORDS: Final = 300
"""Characters of its last line that a message repeats."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended, and what it printed."""

    how: Literal["exited", "killed", "timed-out"]
    code: int
    """Exit code, or the number of the signal."""
    output: bytes = field(repr=False)
    """Standard output and error together; the middle of a long one is left out at line ends."""


class Runner(Protocol):
    """Starts programs."""

    def __call__(self, argv: Sequence[str], *, folder: Path, environ: Mapping[str, str], seconds: float) -> Ended:
        """Run a program to its end, and leave nothing of it running. `CouldNotDecide` where it cannot be started."""
        ...


@dataclass(frozen=True, slots=True)
class Probing:
    """What every run of a probe shares."""

    root: Path
    """Of the repository, where probes are started."""
    evidence: Path
    """The evidence folder."""
    environ: Mapping[str, str] = field(repr=False)
    python: str
    run: Runner
    now: Callable[[], datetime.datetime]
    config: Path | None = None
    secrets: tuple[str, ...] = ()
    """Variables that every probe gets although their names look like secrets."""

    def attempt(self, criterion: Criterion, probe: Probe, *, fault: Fault | None, planted: Fault | None) -> Attempt:
        """Run the probe: the positive one (`fault` None), or with a fault that it has to see.

        `planted` stands in place of the real thing in the positive one. Raises AegisError only where the evidence
        folder cannot be written.
        """
        name = fault.name if fault is not None else POSITIVE
        put = fault or planted
        arguments = [self.python if word == "{python}" else word for word in probe.run]
        extra = [f"--fault={put.name}"] if put is not None else []
        command = shlex.join(["python" if word == "{python}" else word for word in probe.run] + extra)
        place = self.evidence / criterion.id / name
        files.make_folder(place)
        argv = [*arguments, *extra, "--evidence", str(place)]
        argv += ["--config", str(self.config)] if self.config is not None else []
        started = self.now()
        ended: Ended | None = None
        answer: ProbeAnswer | None = None
        problem: AegisError | None = None
        try:
            ended = self._run(argv, probe, place)
            answer = _answer(ended, place, probe)
        except CouldNotDecide as error:
            problem = error
        result, reason, message = _said(answer, problem)
        return Attempt(
            name=name,
            fault=put.name if put is not None else None,
            plants=put.plants if put is not None else "",
            expected=fault.reasons if fault is not None else (),
            result=result,
            reason=reason,
            message=message,
            command=command,
            exit_code=ended.code if ended is not None and ended.how == "exited" else None,
            started=rfc3339(started),
            finished=rfc3339(self.now()),
            checks=tuple(
                CheckSeen(name=check.name, result=check.result, detail=check.detail, reason=check.reason)
                for check in (answer.checks if answer is not None else ())
            ),
            facts=answer.facts if answer is not None else {},
        )

    def _run(self, argv: Sequence[str], probe: Probe, place: Path) -> Ended:
        allowed = (*probe.secrets, *self.secrets)
        secrets = surroundings.secrets_of(self.environ, allowed)
        with tempfile.TemporaryDirectory(prefix="aegis-probe-", ignore_cleanup_errors=True) as temporary:
            environ = {**surroundings.given(self.environ, allowed), "TMPDIR": temporary}
            ended = self.run(argv, folder=self.root, environ=environ, seconds=probe.timeout)
        shown = surroundings.masked(ended.output, secrets)
        try:
            files.check_evidence(place, secrets)
        except CouldNotDecide:
            # nobody has looked through what is left
            files.remove(place)
            files.make_folder(place)
            raise
        finally:
            files.write(place / OUTPUT, shown)
        return Ended(ended.how, ended.code, shown)


def _answer(ended: Ended, place: Path, probe: Probe) -> ProbeAnswer:
    if ended.how == "timed-out":
        raise CouldNotDecide(
            "acceptance.probe_timed_out",
            f"no answer after {probe.timeout} s",
            expected="an answer in time",
            remedy="look at output.txt; the catalogue has the time",
        )
    if ended.how == "killed":
        raise broken(f"it was ended by signal {ended.code}")
    if ended.code not in EXIT.values():
        raise broken(f"exit code {ended.code}: {_last_words(ended.output)}")
    return parse_answer(files.read_regular(place / FILE, MAX_BYTES), ended.code)


def _said(answer: ProbeAnswer | None, problem: AegisError | None) -> tuple[Literal["pass", "fail", "error"], str, str]:
    if problem is not None:
        return "error", problem.code, problem.problem
    if answer is None:
        raise AssertionError
    if answer.result == "pass":
        return "pass", answer.reason, f"{len(answer.checks)} checks passed"
    return (
        "fail",
        answer.reason,
        "; ".join(f"{check.name}: {check.detail}" for check in answer.checks if check.result == "fail"),
    )


def _last_words(output: bytes) -> str:
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    return "".join(c if c.isprintable() else " " for c in lines[-1])[-_LAST_WORDS:] if lines else "it said nothing"


def rfc3339(moment: datetime.datetime) -> str:
    """A time in UTC, to the millisecond."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def missing(probe: Probe, environ: Mapping[str, str], configured: Callable[[str], bool]) -> list[str]:
    """What a probe needs and has not, each with what to do."""
    found = [f"install {name}, or put it on PATH" for name in probe.needs.programs if not _runnable(name, environ)]
    found += [f"set the variable {name}" for name in probe.needs.environment if not environ.get(name)]
    return found + [f"set {key} in the staging configuration" for key in probe.needs.config if not configured(key)]


def _runnable(name: str, environ: Mapping[str, str]) -> bool:
    folders = environ.get("PATH", "").split(os.pathsep)
    return any(os.access(Path(folder) / name, os.X_OK) for folder in folders if folder)
