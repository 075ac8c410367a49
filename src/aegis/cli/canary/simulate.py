"""`aegis canary simulate`: what the policy's judge would say of a good version, or of a worse one, and when."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aegis.cli.canary.options import percent
from aegis.core.errors import UsageError
from aegis.report.escape import terminal

if TYPE_CHECKING:
    from aegis.core.policy import CanaryPolicy
    from aegis.gates.canary.plan import Plan
    from aegis.gates.canary.simulated import Scenario
    from aegis.gates.canary.watching import Looked

_EXIT = {"promote": 0, "abort": 1}


def add_command(commands: Any) -> None:
    """Add `simulate`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "simulate",
        help="rehearse a rollout: simulated metrics, the real judge (exit 0 promote, 1 abort, 3 neither)",
        allow_abbrev=False,
    )
    add_traffic(parser)
    parser.add_argument(
        "--recorded",
        metavar="FILE",
        type=Path,
        help="replay what `watch --record` noted; nothing is simulated then, whatever the traffic and the ratio",
    )
    parser.add_argument(
        "--ratio",
        metavar="R",
        type=positive("--ratio"),
        default=1.0,
        help="the canary's rate of bad events to stable's (default: 1, a good one)",
    )
    parser.add_argument("--seed", metavar="N", type=int, default=1, help="of chance (default: 1)")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="what to print (default: text)")
    parser.set_defaults(run=run)


def add_traffic(parser: argparse.ArgumentParser) -> None:
    """The arguments that say what the service gets."""
    parser.add_argument("--policy", metavar="FILE", type=Path, default=Path("aegis.yml"), help="(default: aegis.yml)")
    parser.add_argument(
        "--requests",
        metavar="N",
        type=positive("--requests"),
        default=100.0,
        help="a second, of both versions (default: 100)",
    )
    parser.add_argument(
        "--share",
        metavar="PERCENT",
        type=percent("--share"),
        default=10.0,
        help="the canary's part of them (default: 10)",
    )
    parser.add_argument(
        "--rate",
        metavar="PERCENT",
        type=percent("--rate"),
        default=1.0,
        help="of bad events while all is well (default: 1)",
    )
    parser.add_argument("--pods", metavar="C/S", type=pods, default=(1, 4), help="of canary and stable (default: 1/4)")


def scenario_of(arguments: argparse.Namespace) -> Scenario:
    """What they say."""
    from aegis.gates.canary.simulated import Scenario

    return Scenario(
        requests=arguments.requests,
        share=arguments.share / 100,
        rate=arguments.rate / 100,
        ratio=getattr(arguments, "ratio", 1.0),
        pods=arguments.pods,
        seed=getattr(arguments, "seed", 1),
    )


def positive(option: str) -> Callable[[str], float]:
    """The reader of an option's number above 0, which raises UsageError."""

    def number_of(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = 0.0
        if not 0 < number <= 1e6:
            raise _wrong(option, text, "a number above 0, at most a million")
        return number

    return number_of


def pods(text: str) -> tuple[int, int]:
    """Pods of canary and stable. Raises UsageError."""
    canary, _, stable = text.partition("/")
    if not (canary.isascii() and canary.isdigit() and stable.isascii() and stable.isdigit()):
        raise _wrong("--pods", text, "two numbers such as 1/4")
    if not (0 < int(canary) <= 1000 and 0 < int(stable) <= 1000):
        raise _wrong("--pods", text, "1 to 1000 pods of each version")
    return int(canary), int(stable)


def _wrong(option: str, text: str, expected: str) -> UsageError:
    return UsageError(
        "core.wrong_usage", f"{option} is {text[:40]!r}", expected=expected, remedy="correct the argument"
    )


def run(arguments: argparse.Namespace) -> int:
    """Rehearse one rollout, or replay one."""
    from aegis.cli.canary.policy import read_policy

    policy = read_policy(arguments.policy, os.environ)
    if arguments.recorded is not None:
        return _replay(policy, arguments)
    from aegis.gates.canary.planned import plan_of
    from aegis.gates.canary.rehearsal import rehearse

    scenario = scenario_of(arguments)
    *_, last = rehearse(policy, scenario)
    premise = (
        f"simulated, no service was looked at: {scenario.requests:g} requests a second, {scenario.share:.3%} of them "
        f"to the canary; {scenario.rate:.3%} are bad, of the canary {scenario.ratio:g} times as many"
    )
    _say(arguments.format, last, plan_of(policy, first=False), premise, {"simulated": True})
    return _EXIT.get(last.judgement.decision, 3)


def _replay(policy: CanaryPolicy, arguments: argparse.Namespace) -> int:
    from aegis.cli.files import read_file
    from aegis.gates.canary.planned import plan_of
    from aegis.gates.canary.recording import MAX_BYTES, parse, replay

    recording = parse(read_file(arguments.recorded, MAX_BYTES))
    *_, last = replay(policy, recording)
    premise = f"replayed from {arguments.recorded.name}, no cluster and no Prometheus were asked: {recording.rollout}"
    told = {"simulated": False, "recorded": recording.rollout}
    _say(arguments.format, last, plan_of(policy, first=recording.stable is None), premise, told)
    return _EXIT.get(last.judgement.decision, 3)


def _say(form: str, last: Looked, plan: Plan, premise: str, marked: Mapping[str, object]) -> None:
    from aegis.gates.canary.answer import answer

    told = answer(last, plan, revert="Nothing: no rollout was touched.")
    evidence = {each.name: each.value for each in told.outcome.evidence}
    if form == "json":
        sys.stdout.write(json.dumps({**marked, **evidence}, allow_nan=False) + "\n")
        return
    seconds = evidence["canary"]["seconds"]
    lines = [
        premise,
        f"{told.decision} after {seconds:.0f} s ({told.reason})",
        *(finding.message for finding in told.outcome.findings),
        *(
            f"{each['metric']}: canary {each['canary_bad']:,.0f} of {each['canary_exposure']:,.0f}, stable "
            f"{each['stable_bad']:,.0f} of {each['stable_exposure']:,.0f}, against {each['evidence']:.3g}, for "
            f"{each['good']:.3g}"
            for each in evidence["metrics"]
        ),
    ]
    sys.stdout.write("".join(f"{terminal(line)}\n" for line in lines))
