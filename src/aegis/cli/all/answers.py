"""The verdicts of the gates that the policy names, and why there is none of the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aegis.cli.all.options import GATES, AllOptions
from aegis.cli.backup_check import answer as backup_check_answer
from aegis.cli.canary import standing as canary_standing
from aegis.cli.scan import command as scan
from aegis.cli.verify import answer as verify_answer
from aegis.core.merge import merged
from aegis.core.policy import GateName
from aegis.core.policy_in_force import DEFAULT_FILE
from aegis.core.verdict import Verdict

NOT_NAMED = "core.gate_not_named"


@dataclass(frozen=True, slots=True)
class Answers:
    """What all gates say."""

    whole: Verdict
    """The one verdict: the worst answer counts."""
    gates: tuple[Verdict, ...]
    """Of each gate that the policy names."""


def judged(options: AllOptions, environ: Mapping[str, str]) -> Answers:
    """Run the gates one after the other. `environ` is empty for a run that no workflow asked for."""
    found: dict[GateName, Verdict] = {}
    for gate, ask in _ASKED.items():
        found[gate] = ask(options, environ)
        if found[gate].reason == "core.interrupted":
            return _stopped(found)
    named = {gate: verdict for gate, verdict in found.items() if verdict.reason != NOT_NAMED}
    standing = canary(options)
    if named or not (standing.result == "pass" or standing.reason == NOT_NAMED):
        return together(options, named, standing)
    # a section `canary` alone has nothing judged, so nothing may be green for it
    return Answers(merged([found["scan"]], _not_run(options, standing)), ())


def _stopped(found: Mapping[GateName, Verdict]) -> Answers:
    """There are seconds left to write this, and none for another gate."""
    gates = tuple(verdict for verdict in found.values() if verdict.reason != NOT_NAMED)
    return Answers(merged(gates, {gate: "stopped before it began" for gate in GATES if gate not in found}), gates)


def one(options: AllOptions, environ: Mapping[str, str], gate: GateName) -> Verdict:
    """Only this gate's verdict, as a job of a matrix gives it."""
    return canary(options) if gate == "canary" else _ASKED[gate](options, environ)


def canary(options: AllOptions) -> Verdict:
    """What can be said of a rollout's policy where there is no rollout."""
    return canary_standing.answer(options.backups, os.environ)


def together(options: AllOptions, named: Mapping[GateName, Verdict], standing: Verdict) -> Answers:
    """The one verdict over those of the gates that the policy names, and canary's."""
    verdicts = {**named} if standing.reason == NOT_NAMED else {**named, "canary": standing}
    gates = tuple(verdicts[gate] for gate in GATES if gate in verdicts)
    others = {gate: why for gate, why in _not_run(options, standing).items() if gate not in verdicts}
    return Answers(merged(gates, others), gates)


def _not_run(options: AllOptions, standing: Verdict) -> Mapping[GateName, str]:
    """Why a gate that was not run was not."""
    file = options.scan.policy or DEFAULT_FILE
    why: dict[GateName, str] = {gate: f"{file} has no section `{gate}:`" for gate in GATES}
    if standing.reason != NOT_NAMED:
        why["canary"] = "a section `canary:` alone has nothing that is judged here"
    return why


_ASKED: Mapping[GateName, Callable[[AllOptions, Mapping[str, str]], Verdict]] = {
    "scan": lambda options, environ: scan.answer(options.scan, environ)[0],
    "verify": lambda options, environ: verify_answer.answer(options.verify, environ),
    "backup-check": lambda options, _: backup_check_answer.answer(options.backups, os.environ),
}
