"""`aegis canary backtest`: how often the policy's judge would have aborted what was good, by one's own Prometheus."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aegis.cli.canary.options import add_cluster_arguments
from aegis.core.errors import CouldNotDecide, UsageError
from aegis.report.escape import terminal

if TYPE_CHECKING:
    from aegis.gates.canary.replayed import Replayed


def add_command(commands: Any) -> None:
    """Add `backtest`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "backtest",
        help="take each of the stable pods for a canary, over times that are past: how many would have been aborted",
        allow_abbrev=False,
    )
    parser.add_argument("--policy", metavar="FILE", type=Path, default=Path("aegis.yml"), help="(default: aegis.yml)")
    parser.add_argument("--stable", metavar="HASH", required=True, help="pod-template-hash of the pods")
    parser.add_argument(
        "--times", metavar="N", type=times, default=24, help="rollouts, each as long as the deadline (default: 24)"
    )
    add_cluster_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="what to print (default: text)")
    parser.set_defaults(run=run)


def times(text: str) -> int:
    """How many. Raises UsageError."""
    if text.isascii() and text.isdigit() and 0 < int(text) <= 1000:
        return int(text)
    raise UsageError(
        "core.wrong_usage",
        f"the number of rollouts is {text[:40]!r}",
        expected="1 to 1000",
        remedy="correct the argument",
    )


def run(arguments: argparse.Namespace) -> int:
    """Replay them, and count."""
    from aegis.adapters.kubernetes.api import cluster_of
    from aegis.cli.canary.policy import read_policy
    from aegis.cli.canary.run import server
    from aegis.gates.canary.planned import plan_of
    from aegis.gates.canary.replayed import replay

    policy = read_policy(arguments.policy, os.environ)
    cluster = None
    if policy.prometheus.via == "api-server":
        cluster = cluster_of(os.environ, kubeconfig=arguments.kubeconfig, context=arguments.context)
    metrics = server(policy, os.environ, cluster)
    found = list(replay(metrics, policy, plan_of(policy, first=False), arguments.stable, arguments.times))
    if not found:
        raise CouldNotDecide(
            "canary.no_data",
            f"no span of the last {arguments.times} has two pods of the version {arguments.stable[:80]!r}",
            expected="at least two pods, and a Prometheus that keeps their samples long enough",
            remedy="Name the hash of a version that has run for a while; try fewer --times.",
        )
    _say(arguments.format, found)
    return 0


def _say(form: str, found: list[Replayed]) -> None:
    if form == "json":
        told = [
            {"pod": each.pod, "start": each.start, "decision": each.judgement.decision, "time": each.judgement.time}
            for each in found
        ]
        sys.stdout.write(json.dumps(told) + "\n")
        return
    for each in found:
        if each.judgement.decision == "abort":
            culprits = ", ".join(f"{metric} {claim}" for metric, claim in each.judgement.culprits)
            line = f"aborted: {each.pod} after {each.judgement.time - each.start:.0f} s: {culprits}"
            sys.stdout.write(f"{terminal(line)}\n")
    counts = {
        answer: sum(each.judgement.decision == answer for each in found)
        for answer in ("abort", "promote", "inconclusive")
    }
    took = [each.judgement.time - each.start for each in found if each.judgement.decision == "promote"]
    middle = f", half of them within {statistics.median(took):.0f} s" if took else ""
    sys.stdout.write(
        f"of {len(found)} rollouts with nothing wrong, {counts['abort']} would have been aborted, "
        f"{counts['promote']} promoted{middle}, {counts['inconclusive']} left undecided\n"
    )
