"""`aegis canary forecast`: what the policy's judge can see with so much traffic, and how soon.

Where the policy has the spread of pods estimated, nothing is known of it before the rollout, so it is an argument.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aegis.cli.canary_simulate import add_traffic, scenario_of
from aegis.core.errors import UsageError
from aegis.report.escape import terminal

if TYPE_CHECKING:
    from aegis.gates.canary.forecast import Forecast
    from aegis.gates.canary.plan import MetricPlan, Plan


def add_command(commands: Any) -> None:
    """Add `forecast`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "forecast", help="before a rollout: what can be seen with this traffic, and when", allow_abbrev=False
    )
    add_traffic(parser)
    parser.add_argument(
        "--spread",
        metavar="S",
        type=spread,
        default=0.1,
        help="by how much pods differ by chance, where the policy has it estimated: standard deviation of the logarithm"
        " of their rates (default: 0.1)",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="what to print (default: text)")
    parser.set_defaults(run=run)


def spread(text: str) -> float:
    """A spread as the policy may have it. Raises UsageError."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 2:
        raise UsageError(
            "core.wrong_usage",
            f"the spread is {text[:40]!r}",
            expected="a number from 0 (pods are alike) to 2",
            remedy="correct the argument",
        )
    return number


def run(arguments: argparse.Namespace) -> int:
    """Say it for each metric."""
    from aegis.cli.canary_policy import read_policy
    from aegis.gates.canary.forecast import Traffic, forecast
    from aegis.gates.canary.planned import plan_of
    from aegis.gates.canary.simulated import RESTARTS

    plan = plan_of(read_policy(arguments.policy, os.environ), first=False)
    scenario = scenario_of(arguments)
    share, (canary_pods, stable_pods) = scenario.share, scenario.pods
    found: dict[str, tuple[Forecast, ...]] = {}
    for metric in plan.metrics:
        timed = metric.kind == "pace"
        traffic = Traffic(
            canary=canary_pods if timed else scenario.requests * share,
            stable=stable_pods if timed else scenario.requests * (1 - share),
            rate=RESTARTS if timed else scenario.rate,
            canary_pods=canary_pods,
            stable_pods=stable_pods,
        )
        told = metric if metric.spread is not None else replace(metric, spread=arguments.spread)
        if metric.kind != "share":
            found[metric.name] = forecast(plan, told, traffic)
    if arguments.format == "json":
        sys.stdout.write(json.dumps({name: [_fields(each) for each in told] for name, told in found.items()}) + "\n")
        return 0
    for metric in plan.metrics:
        for line in (f"{metric.name}: {_line(each, metric, plan)}" for each in found.get(metric.name, ())):
            sys.stdout.write(f"{terminal(line)}\n")
    return 0


def _line(told: Forecast, metric: MetricPlan, plan: Plan) -> str:
    less = metric.direction == "decrease"
    what = (
        "a canary as good as stable is promoted"
        if told.decision == "promote"
        else f"one with {'a ' if less else ''}{told.ratio:g}{'th of' if less else ' times'} the rate is aborted"
    )
    if told.seconds is None or told.requests is None:
        return f"{what}: never with this traffic"
    late = "" if told.seconds <= plan.deadline else f", after the deadline of {plan.deadline:.0f} s"
    unit = "pod seconds" if metric.kind == "pace" else "requests"
    return f"{what} after about {told.seconds:.0f} s ({told.requests:,.0f} {unit} of the canary){late}"


def _fields(told: Forecast) -> dict[str, object]:
    return {"decision": told.decision, "ratio": told.ratio, "seconds": told.seconds, "requests": told.requests}
