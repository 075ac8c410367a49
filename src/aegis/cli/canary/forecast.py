"""`aegis canary forecast`: what the policy's judge can see with so much traffic, and how soon.

The traffic is what the policy's Prometheus has seen of the version that runs, unless arguments say it. Where the policy
has the spread of pods estimated, nothing is known of it before the rollout, so it is an argument.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aegis.cli.canary.options import add_cluster_arguments
from aegis.cli.canary.simulate import add_traffic, scenario_of
from aegis.core.errors import CouldNotDecide, UsageError
from aegis.report.escape import terminal

if TYPE_CHECKING:
    from aegis.core.policy import CanaryPolicy
    from aegis.gates.canary.forecast import Forecast, Traffic
    from aegis.gates.canary.plan import MetricPlan, Plan
    from aegis.gates.canary.traffic import Seen


def add_command(commands: Any) -> None:
    """Add `forecast`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "forecast",
        help="before a rollout: what can be seen with this traffic, and when",
        description="Before a rollout: what can be seen with this traffic, and when. Without --requests, --rate and"
        " --pods, the traffic is what Prometheus has seen of the version that runs.",
        allow_abbrev=False,
    )
    add_traffic(parser)
    parser.set_defaults(requests=None, rate=None, pods=None)
    parser.add_argument(
        "--stable",
        metavar="HASH",
        help="pod-template-hash of the version that runs, whose traffic is asked for without --requests, --rate and"
        " --pods (default: the cluster is asked)",
    )
    add_cluster_arguments(parser)
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
    from aegis.cli.canary.policy import read_policy
    from aegis.gates.canary.forecast import forecast
    from aegis.gates.canary.planned import plan_of

    policy = read_policy(arguments.policy, os.environ)
    plan = plan_of(policy, first=False)
    version = ""
    observed: Mapping[str, Seen] = {}
    if (arguments.requests, arguments.rate, arguments.pods) == (None, None, None):
        version, observed = _observed(policy, arguments)
    found: dict[str, tuple[Forecast, ...]] = {}
    for metric in plan.metrics:
        seen = observed.get(metric.name)
        traffic = _given(arguments, metric)
        if seen is not None:
            traffic = seen.traffic(arguments.share / 100, timed=metric.kind == "pace")
        told = metric if metric.spread is not None else replace(metric, spread=arguments.spread)
        if metric.kind != "share":
            found[metric.name] = forecast(plan, told, traffic)
    if arguments.format == "json":
        sys.stdout.write(json.dumps({name: [_fields(each) for each in told] for name, told in found.items()}) + "\n")
        return 0
    for metric in plan.metrics:
        seen = observed.get(metric.name)
        lines = [] if seen is None else [f"{metric.name}: {_told(seen, metric, version)}"]
        lines += [f"{metric.name}: {_line(each, metric, plan)}" for each in found.get(metric.name, ())]
        sys.stdout.write("".join(f"{terminal(line)}\n" for line in lines))
    return 0


def _given(arguments: argparse.Namespace, metric: MetricPlan) -> Traffic:
    """By arguments; what they leave out is as for `simulate`."""
    from aegis.gates.canary.forecast import Traffic
    from aegis.gates.canary.simulated import RESTARTS

    plain = {"requests": 100.0, "rate": 1.0, "pods": (1, 4)}
    whole = {**vars(arguments), **{name: value for name, value in plain.items() if vars(arguments)[name] is None}}
    scenario = scenario_of(argparse.Namespace(**whole))
    share, (canary_pods, stable_pods) = scenario.share, scenario.pods
    timed = metric.kind == "pace"
    return Traffic(
        canary=canary_pods if timed else scenario.requests * share,
        stable=stable_pods if timed else scenario.requests * (1 - share),
        rate=RESTARTS if timed else scenario.rate,
        canary_pods=canary_pods,
        stable_pods=stable_pods,
    )


def _observed(policy: CanaryPolicy, arguments: argparse.Namespace) -> tuple[str, Mapping[str, Seen]]:
    """The version that runs, and what Prometheus has seen of it. Raises AegisError."""
    from aegis.adapters.kubernetes.api import cluster_of
    from aegis.cli.canary.run import server
    from aegis.gates.canary.traffic import seen

    cluster = None
    if arguments.stable is None or policy.prometheus.via == "api-server":
        cluster = cluster_of(os.environ, kubeconfig=arguments.kubeconfig, context=arguments.context)
    version = arguments.stable
    if version is None:
        from aegis.adapters.kubernetes.rollouts import KubernetesRollouts

        assert cluster is not None  # noqa: S101 - it is asked where no version is named
        rollout = KubernetesRollouts(cluster).get(policy.rollout.namespace, policy.rollout.name)
        version = rollout.stable_hash
        if not version:
            raise CouldNotDecide(
                "canary.act_unfit",
                f"{rollout.place} has no stable version yet",
                expected="a version that runs, whose traffic can be looked at",
                remedy="Say the traffic by --requests and --rate.",
            )
    return version, seen(server(policy, os.environ, cluster), policy, version)


def _told(seen: Seen, metric: MetricPlan, version: str) -> str:
    """What the forecast rests on."""
    past = f"{seen.pods} pods of {version} in the last {seen.seconds / 60:.0f} minutes"
    if metric.kind == "pace":
        return f"{past}: {seen.bad:,.0f} bad events"
    if metric.kind == "share":
        return f"{past}: {seen.exposure:,.1f} requests a second"
    none = "" if seen.bad else ", taken as half a one"
    return f"{past}: {seen.exposure:,.1f} requests a second, {seen.bad:,.0f} of them bad{none} ({seen.rate:.3%})"


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
