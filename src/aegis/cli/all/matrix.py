"""One verdict over the jobs of a matrix: which gates it has to have, and a merge that fails closed.

Nothing that the job before says about what was to be judged counts: the merge reads the policy itself, and demands of
each gate that it names exactly one verdict, of this commit, this base, this policy, this tool and this run, and of the
whole of what the gate judges.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from aegis.cli.all.answers import Answers, canary, together
from aegis.cli.all.options import AllOptions
from aegis.cli.gate_run import Found, GateRun
from aegis.core.errors import CouldNotDecide, UsageError
from aegis.core.in_the_way import in_the_way
from aegis.core.policy import GateName, Policy
from aegis.core.policy_in_force import InForce
from aegis.core.tool import running_tool
from aegis.core.verdict import Source, Tool, Verdict
from aegis.signatures.verdict_document import LIMIT, read_verdict

VERDICT = "verdict.json"
"""What each job hands over."""
_MOST = 16
"""Files of that name which are looked at: there are fewer gates."""


def listed(options: AllOptions, environ: Mapping[str, str]) -> tuple[GateName, ...] | Verdict:
    """The gates that the matrix needs a job for; or the verdict on what stands in the way of telling them."""
    run = GateRun.begin("scan", options.scan, environ)
    answered = run.guarded(lambda: _named(run, run.look()))
    return replace(answered, gate="all") if isinstance(answered, Verdict) else answered


def merged_verdict(options: AllOptions, environ: Mapping[str, str]) -> Answers:
    """The one verdict over those below the folder; whatever is missing, doubled or foreign, the answer is no."""
    run = GateRun.begin("scan", options.scan, environ)

    def judge() -> Answers:
        found = run.look()
        named = _named(run, found)
        verdicts = [(file, read_verdict(_read(file), str(file))) for file in _files(options.verdicts or Path())]
        fit = _Fit(run.source, found, running_tool(), run.reproduction())
        return together(options, fit.of_each(named, verdicts), canary(options))

    answered = run.guarded(judge)
    return Answers(replace(answered, gate="all"), ()) if isinstance(answered, Verdict) else answered


def rendered(gates: Iterable[GateName]) -> str:
    """For a matrix: JSON on one line."""
    return json.dumps(list(gates))


def _named(run: GateRun, found: Found) -> tuple[GateName, ...]:
    """The gates that a job can judge: all that the policy names, but for canary, which needs a rollout."""
    policy: Policy = found.in_force.policy
    sections: dict[GateName, object] = {
        "scan": policy.scan,
        "verify": policy.verify,
        "backup-check": policy.backup_check,
    }
    gates = tuple(gate for gate, section in sections.items() if section is not None)
    if not gates:
        raise UsageError(
            "core.gate_not_named",
            f"the policy ({found.in_force.origin}) names no gate that can be judged here",
            expected=f"a section such as `scan:` in {run.policy_file}",
            remedy="add the section, or use a gate's own action",
        )
    return gates


def _files(folder: Path) -> list[Path]:
    try:
        files = sorted(path for path in folder.rglob(VERDICT))
    except OSError as error:
        raise _unfit(f"{str(folder)!r} cannot be read: {error.strerror}") from error
    if not files:
        raise _unfit(f"there is no {VERDICT} below {str(folder)!r}")
    if len(files) > _MOST:
        raise _unfit(f"there are {len(files)} files {VERDICT} below {str(folder)!r}")
    return files


def _read(file: Path) -> bytes:
    if (kind := in_the_way(file)) is not None:
        raise _unfit(f"{str(file)!r} is {kind}")
    try:
        with file.open("rb") as opened:
            return opened.read(LIMIT + 1)
    except OSError as error:
        raise _unfit(f"{str(file)!r} cannot be read: {error.strerror}") from error


class _Fit:
    """What a verdict of this run must say of where it comes from."""

    def __init__(self, source: Source, found: Found, tool: Tool, command: str) -> None:
        self._source = source
        self._in_force: InForce = found.in_force
        self._tool = tool
        self._command = command

    def of_each(
        self, gates: tuple[GateName, ...], verdicts: Iterable[tuple[Path, Verdict]]
    ) -> Mapping[GateName, Verdict]:
        """Exactly one of each gate. Raises CouldNotDecide."""
        found: dict[GateName, Verdict] = {}
        for file, verdict in verdicts:
            gate = next((gate for gate in gates if gate == verdict.gate), None)
            if gate is None:
                raise _unfit(f"{str(file)!r} is of {verdict.gate[:40]!r}, which the policy does not name")
            if gate in found:
                raise _unfit(f"{str(file)!r} is a second verdict of the gate {gate}")
            if (other := self._foreign(verdict)) is not None:
                raise _unfit(f"{str(file)!r} is of another {other}")
            found[gate] = verdict
        missing = [gate for gate in gates if gate not in found]
        if missing:
            raise _unfit(f"the verdict of {', '.join(missing)} is missing")
        return found

    def _foreign(self, verdict: Verdict) -> str | None:
        """In what the verdict is not of this run."""
        theirs, ours = verdict.source, self._source
        for what in ("repository", "commit", "event", "run_url"):
            if getattr(theirs, what) != getattr(ours, what):
                return what.replace("_url", "")
        if (theirs.run_attempt or 0) > (ours.run_attempt or 0):
            return "attempt"
        if verdict.tool.digest != self._tool.digest:
            return "tool"
        # what stood in a gate's way may have done so before base and policy were found; such an answer is no pass
        if verdict.result != "error" and theirs.base != ours.base:
            return "base"
        if verdict.result != "error" and verdict.policy.sha256 != self._in_force.sha256:
            return "policy"
        # one shard, one database or one folder is no answer about the rest
        if verdict.result != "error" and verdict.reproduce != self._command:
            return f"command ({verdict.reproduce[:200]!r})"
        return None


def _unfit(problem: str) -> CouldNotDecide:
    return CouldNotDecide(
        "core.verdicts_unfit",
        problem,
        expected="of each gate that the policy names, the one verdict of this run",
        remedy="run all jobs of the matrix again, and hand over exactly the verdict of each",
    )
