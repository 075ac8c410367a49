"""`aegis canary preflight`: before a rollout, whether everything is there that judging and acting will need."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aegis.cli.canary.access import CanaryAccess
from aegis.cli.canary.options import CanaryOptions, add_cluster_arguments
from aegis.cli.canary.policy import no_section
from aegis.cli.gate_run import Found, GateRun
from aegis.cli.surroundings import Event
from aegis.core.errors import AegisError, CouldNotDecide, UsageError
from aegis.core.outcome import Outcome, fingerprint_of
from aegis.core.verdict import Evidence, Finding, Verdict
from aegis.report.escape import terminal, terminal_block

if TYPE_CHECKING:
    from aegis.adapters.kubernetes.api import Cluster
    from aegis.core.policy import CanaryPolicy, Requires
    from aegis.core.ports.metrics import Metrics
    from aegis.core.ports.rollouts import RolloutState
    from aegis.gates.canary.samples.look import Reading

_ORDER: Final = (2, 3, 1)
"""Of exit codes: the first that some check has is the command's."""
_LATE: Final = 1.5
"""Scrape intervals between two scrapes that are too many."""
_SCRAPES: Final = 20
"""Of the past that are looked at."""


def add_command(commands: Any) -> None:
    """Add `preflight`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "preflight", help="before a rollout: Prometheus, its metrics, the cluster and our rights", allow_abbrev=False
    )
    parser.add_argument("--policy", metavar="FILE", type=Path, default=Path("aegis.yml"), help="(default: aegis.yml)")
    parser.add_argument(
        "--stable", metavar="HASH", help="pod-template-hash of the running pods (default: the cluster is asked)"
    )
    parser.add_argument(
        "--no-act", dest="act", action="store_false", help="nothing is to be promoted or aborted in the cluster"
    )
    add_cluster_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="what to print (default: text)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check all of it, and say what each check found."""
    from aegis.cli.canary.policy import read_policy

    options = CanaryOptions(
        state=Path(),
        act=arguments.act,
        stable=arguments.stable,
        kubeconfig=arguments.kubeconfig,
        context=arguments.context,
        region=os.environ.get("AWS_REGION") or None,
    )
    policy = read_policy(arguments.policy, os.environ)
    preflight = _Preflight(CanaryAccess(policy, options, os.environ, Event(None, {})))
    preflight.check()
    preflight.say(arguments.format)
    codes = {each.error.exit_code for each in preflight.checks if each.error is not None}
    return next((code for code in _ORDER if code in codes), 0)


def preflighted(options: CanaryOptions, environ: Mapping[str, str]) -> Verdict:
    """The verdict of a workflow's preflight, whatever happens."""
    run = GateRun.begin("canary", options, environ, [], "preflight")

    def judge() -> Verdict:
        from aegis.cli.canary.attempts import refuse_tracked
        from aegis.gates.canary.check import check_policy

        found = run.look()
        policy = found.in_force.policy.canary
        if policy is None:
            raise no_section(found.in_force.origin, run.policy_file)
        check_policy(policy, file=run.policy_file)
        access = CanaryAccess(policy, options, environ, found.event)
        access.check_allowed()
        if options.kubeconfig is not None:
            refuse_tracked(options.kubeconfig, found.repository, "kubeconfig")
        preflight = _Preflight(access)
        preflight.check()
        if policy.requires is not None:
            preflight.check_verdicts(run, found, policy.requires)
        verdict = run.conclude(preflight.outcome(found.base.notices), found.in_force, policy)
        wrong = [each.error for each in preflight.checks if isinstance(each.error, UsageError)]
        if wrong and not verdict.observe:
            return replace(verdict, result="error", decision="misconfigured", reason=wrong[0].code)
        return verdict

    return run.guarded(judge)


@dataclass(frozen=True, slots=True)
class _Check:
    what: str
    """What was found, or what was looked for."""
    error: AegisError | None = None
    note: str = ""
    """What only a person can tell to be right."""


@dataclass(slots=True)
class _Preflight:
    access: CanaryAccess
    checks: list[_Check] = field(default_factory=list)

    @property
    def policy(self) -> CanaryPolicy:
        """What is asked of a rollout."""
        return self.access.policy

    def check(self) -> None:
        """Everything, whatever fails before."""
        acts, direct = self.access.options.act, self.policy.prometheus.via == "direct"
        cluster, seen = None, None
        if acts or not direct or self.access.options.stable is None:
            cluster = self._tried("the cluster knows us", self.access.cluster)
        if cluster is not None:
            self._tried("our rights", lambda: self._check_rights(cluster))
            seen = self._tried("the rollout", lambda: self._rollout(cluster))
        if seen is not None and acts:
            self._tried("the rollout waits for us", lambda: self._check_holds(seen))
        stable = self.access.options.stable or (seen.stable_hash if seen is not None else "")
        if direct or cluster is not None:
            metrics = self._tried("Prometheus answers", lambda: self._metrics(cluster))
            if metrics is not None and stable:
                self._check_metrics(metrics, stable)

    def check_verdicts(self, run: GateRun, found: Found, rule: Requires) -> None:
        """Those that the images of the coming rollout will need."""
        from aegis.cli.canary.required import examined

        images = self.access.options.images
        if not images:
            self.checks.append(_Check("the images that are to be rolled out", _no_images()))
            return
        there = self._tried("the store of verdicts answers", lambda: examined(run, found, rule, self.access, images))
        if there is not None:
            self.checks += [_Check("a verdict that the policy demands", problem) for problem in there.problems]
            self.checks += [_Check(f"{each.image} passed the gate {each.gate}") for each in there.shown]

    def outcome(self, notices: tuple[str, ...]) -> Outcome:
        """For a verdict: what fails is nobody's change, but must be mended before a rollout."""
        place = f"{self.policy.rollout.namespace}/{self.policy.rollout.name}"
        return Outcome(
            findings=tuple(
                Finding(
                    rule=each.error.code,
                    message=f"{each.what}: {each.error.problem} (expected: {each.error.expected})",
                    remedy=each.error.remedy,
                    fingerprint=fingerprint_of(each.error.code, place, each.what),
                    cause="could-not-decide",
                )
                for each in self.checks
                if each.error is not None
            ),
            notices=(
                *notices,
                *(f"ok: {each.what}" for each in self.checks if each.error is None),
                *(f"note: {each.what}: {each.note}" for each in self.checks if each.note),
            ),
            evidence=(
                Evidence(
                    name="preflight",
                    value=[
                        {"check": each.what, "code": each.error.code if each.error else None} for each in self.checks
                    ],
                ),
            ),
        )

    def say(self, form: str) -> None:
        """One line a check, and what to do."""
        if form == "json":
            told = [
                {"check": each.what, "code": each.error.code if each.error else None, "note": each.note}
                for each in self.checks
            ]
            sys.stdout.write(json.dumps(told) + "\n")
            return
        for each in self.checks:
            sys.stdout.write(f"{'ok' if each.error is None else 'NO'} {terminal(each.what)}\n")
            if each.error is not None:
                sys.stdout.write(f"  {each.error.code}: {terminal_block(str(each.error))}\n")
            if each.note:
                sys.stdout.write(f"  note: {terminal(each.note)}\n")

    def _tried(self, what: str, check: Callable[[], Any]) -> Any:
        """What a check gives; None where it found something wrong."""
        try:
            found = check()
        except AegisError as error:
            self.checks.append(_Check(what, error))
            return None
        self.checks.append(_Check(what))
        return found

    def _check_rights(self, cluster: Cluster) -> None:
        from aegis.adapters.kubernetes.proxy import ServiceProxy
        from aegis.adapters.kubernetes.rights import missing_rights, of_proxy, of_rollout

        rollout, prometheus = self.policy.rollout, self.policy.prometheus
        rights = of_rollout(rollout.namespace, rollout.name, acting=self.access.options.act)
        if prometheus.via == "api-server":
            proxy = ServiceProxy(cluster, prometheus.url)
            rights += of_proxy(proxy.namespace, proxy.service)
        if missing := missing_rights(cluster, rights):
            raise CouldNotDecide(
                "canary.cluster_forbidden",
                f"we may not: {'; '.join(map(str, missing))}",
                expected="a Role with these rights, bound to whom the kubeconfig names",
                remedy="Grant them in the rollout's namespace (for services/proxy in that of Prometheus).",
            )

    def _rollout(self, cluster: Cluster) -> RolloutState:
        from aegis.adapters.kubernetes.rollouts import KubernetesRollouts

        return KubernetesRollouts(cluster).get(self.policy.rollout.namespace, self.policy.rollout.name)

    def _check_holds(self, seen: RolloutState) -> None:
        if not any(step.endless for step in seen.steps):
            raise no_endless_pause(seen)

    def _metrics(self, cluster: Cluster | None) -> Metrics:
        metrics = self.access.metrics(cluster)
        metrics.now()
        return metrics

    def _check_metrics(self, metrics: Metrics, stable: str) -> None:
        """Every metric of the running version, as the canary's will be read."""
        from aegis.core.policy import seconds
        from aegis.gates.canary.samples.look import SETTLED, look
        from aegis.gates.canary.samples.sides import Hashes, Scope
        from aegis.gates.canary.samples.sources import name_of, source_of, starts_of
        from aegis.gates.canary.samples.spelling import DAYS, never_matched
        from aegis.gates.canary.samples.state import Counters

        rollout, every = self.policy.rollout, seconds(self.policy.prometheus.scrape_interval)
        # the only version is looked at as a first one: nothing is compared
        scope = Scope(rollout.namespace, Hashes(rollout.name, stable, None))
        for metric in self.policy.metrics:
            name, source = name_of(metric), source_of(metric, rollout)

            def check(name: str = name, source: Any = source) -> str:
                reading = look(
                    metrics,
                    [source],
                    starts_of(rollout),
                    scope,
                    Counters(),
                    scrape_interval=every,
                    history=_SCRAPES * every,
                )
                _check_reading(name, reading, every)
                if not reading.notices:
                    return ""
                there = never_matched(metrics, source, rollout, window=SETTLED * every, at=reading.time)
                return there and f"no bad events seen in {DAYS} days: {there}. A value that is misspelt looks the same"

            if note := self._tried(f"the metric {name} of the version {stable}", check):
                self.checks[-1] = replace(self.checks[-1], note=note)


def _no_images() -> UsageError:
    return UsageError(
        "canary.image_unpinned",
        "the input `image` is empty, and canary.requires demands verdicts about images",
        expected="every image that is to be rolled out, by its digest",
        remedy="Give it, e.g. as an output of the job that builds; an output that is misspelt is empty.",
    )


def _check_reading(name: str, reading: Reading, every: int) -> None:
    if reading.unusable:
        raise _unseen(f"{reading.unusable[0].pod} could not be counted: {reading.unusable[0].why}")
    if "canary" not in reading.newest.get(name, {}):
        raise _unseen("Prometheus has no sample of it in the last scrapes")
    times: dict[str, list[float]] = {}
    for increment in reading.increments:
        times.setdefault(increment.pod, []).append(increment.time)
    gaps = [later - earlier for each in times.values() for earlier, later in pairwise(each)]
    if gaps and min(gaps) > _LATE * every:
        raise UsageError(
            "canary.policy_incomplete",
            f"its pods are scraped every {min(gaps):.0f} s, and canary.prometheus.scrape-interval is {every} s",
            expected="the longest interval of the targets",
            remedy="correct `scrape-interval` in the policy file",
        )


def _unseen(problem: str) -> CouldNotDecide:
    return CouldNotDecide(
        "canary.no_data",
        problem,
        expected="counters of every pod, at every scrape",
        remedy="Look in Prometheus whether the selector finds them, and which labels they carry.",
    )


def no_endless_pause(seen: RolloutState) -> UsageError:
    """The error for a rollout that would go to its end while nobody watches."""
    return UsageError(
        "canary.no_endless_pause",
        f"{seen.place} has no pause without a duration before it: it promotes itself when a run is lost",
        expected="a step `pause: {}` in the canary's strategy, after the weight that is to be judged",
        remedy="Add the step, and let the gate end it.",
    )
