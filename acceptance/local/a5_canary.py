"""A5: the shipped rollout in a cluster: a degraded version is rolled back by itself.

Real are the API server, Argo Rollouts, Prometheus and the judge. Nothing runs in the pods: what they count is played by
this process, by the service's own counters.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from acceptance.local.commands import Commands, go_on_path  # noqa: E402 - probes run without being installed
from acceptance.probe import Probe, probing  # noqa: E402
from tests.support.cluster.example import (  # noqa: E402
    EXAMPLE,
    IMAGE,
    NAMESPACE,
    SHIPPED,
    Example,
    cluster_example,
    said,
)
from tests.support.cluster.plane import ControlPlane, Document, awaited, control_plane  # noqa: E402
from tests.support.programs.kubeconform import crd_files  # noqa: E402

ALERTS = "k8s/prometheus/alert-rules.yaml"
DEGRADED = "bad-8x"
"""Fails eight times as often as the version that is out."""
FAULTS = {
    "wrong-series": "the policy counts answers that nobody ever gives, so that the judge sees no failure",
    "nobody-judges": "the judge is not there, so that the analysis gives up without having seen a breach",
    "pod-left": "a pod of the degraded version that nobody takes away",
}


def main() -> None:
    """Run it."""
    go_on_path()
    with probing(FAULTS) as probe, tempfile.TemporaryDirectory(prefix="a5-") as temporary:
        folder = Path(temporary)
        (folder / "cluster").mkdir()
        (folder / "example").mkdir()
        with control_plane(folder / "cluster") as cluster:
            _alert_rules(probe, cluster)
            with cluster_example(cluster, folder / "example") as example:
                _roll_out(probe, example)


def _alert_rules(probe: Probe, cluster: ControlPlane) -> None:
    """The API server takes the runbook's second file."""
    cluster.add_kinds(*crd_files("monitoring.coreos.com", ["PrometheusRule"]))
    cluster.kubectl("create", "namespace", NAMESPACE)
    done = cluster.try_kubectl("apply", "--validate=strict", "-n", NAMESPACE, f"--filename={ROOT / ALERTS}")
    told = (done.stdout + done.stderr).strip()
    Commands(probe.evidence).keep("alert-rules", f"$ kubectl apply -f {ALERTS}\n{told}\n")
    probe.check("alert-rules-applied", done.returncode == 0, told[:200], reason="probe.manifest_refused")


def _roll_out(probe: Probe, example: Example) -> None:
    stable = example.status["stableRS"]
    probe.facts |= {"manifest": str(EXAMPLE.relative_to(ROOT)), "degraded_by": 8, "stable": stable}

    def planted(policy: Document) -> None:
        if probe.fault == "wrong-series":
            policy["metrics"][0] = {
                "name": "failures",
                "total": 'aegis_http_requests_total{route!~"/healthz|/readyz|/metrics"}',
                "bad": 'aegis_http_requests_total{status="418"}',
            }

    judge: AbstractContextManager[None] = example.judge(planted)
    if probe.fault == "nobody-judges":
        example.patch("analysistemplate", "aegis-canary", "/spec/metrics/0/consecutiveErrorLimit", 1)
        judge = nullcontext()
    with judge:
        example.deploy(DEGRADED)
        # Healthy with another stable version is a promotion
        example.cluster.await_rollout(
            NAMESPACE,
            "aegis",
            lambda: _ended(example.status, stable),
            lambda: f"neither promoted nor rolled back: {example.status}",
        )
        status, measured = example.status, example.measured()
    answers = [said(each) for each in measured if each.get("value")]
    (probe.evidence / "rollout.json").write_text(json.dumps(status, indent=1))
    (probe.evidence / "analysis.json").write_text(json.dumps(example.run(), indent=1))
    probe.facts |= {"verdicts": [answer["verdict"] for answer in answers], "canary_looks": _looks(answers)}
    rolled_back = (status.get("abort"), status["phase"], status["stableRS"]) == (True, "Degraded", stable)
    last = answers[-1] if answers else {"verdict": "nothing", "findings": []}
    probe.check(
        "rolled-back-by-itself",
        rolled_back,
        f"phase {status['phase']}, aborted {bool(status.get('abort'))}; the judge said {last['verdict']}"
        f" after {len(answers)} looks",
        reason="probe.not_rolled_back",
    )
    if rolled_back:
        awaited(lambda: _scaled_down(example), lambda: str(example.pods()))
        if probe.fault == "pod-left":
            _leave_a_pod(example)
        images = example.images()
        probe.check("only-stable-pods", images == {SHIPPED}, f"pods of {sorted(images)}", reason="probe.canary_left")
        findings = last["findings"]
        probe.check(
            "breach-is-named",
            last["verdict"] == "abort" and bool(findings),
            findings[0][:200] if findings else "no finding",
            reason="probe.breach_not_named",
        )


def _ended(status: Document, stable: str) -> bool:
    if status.get("abort"):
        return bool(status["phase"] == "Degraded")
    return bool(status["phase"] == "Healthy" and status["stableRS"] != stable)


def _scaled_down(example: Example) -> bool:
    """Argo wants no pod of the new version any more, and what was to go is gone."""
    leaving = any("deletionTimestamp" in pod["metadata"] for pod in example.pods())
    return not leaving and not example.status.get("updatedReplicas")


def _leave_a_pod(example: Example) -> None:
    """As those that are there, but owned by nobody."""
    pod = example.pods()[0]
    labels = pod["metadata"]["labels"]
    labels.pop("rollouts-pod-template-hash")
    pod["spec"]["containers"][0]["image"] = IMAGE.format(DEGRADED)
    left = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "left", "labels": labels}, "spec": pod["spec"]}
    example.cluster.apply(left, namespace=NAMESPACE)


def _looks(answers: list[Document]) -> list[dict[str, float | None]]:
    """Of failed requests, at each look: the logarithm of canary's share to stable's, and between what it lies.

    None is an open end. Half an event more on both sides keeps the logarithm of nothing away.
    """
    found = []
    for answer in answers:
        for metric in answer["metrics"]:
            if metric["metric"] not in {"aegis", "failures"} or not metric["canary_exposure"]:
                continue
            canary = (metric["canary_bad"] + 0.5) / metric["canary_exposure"]
            stable = (metric["stable_bad"] + 0.5) / max(metric["stable_exposure"], 1)
            low, high = (math.log(end) if end else None for end in (metric["ratio_low"], metric["ratio_high"]))
            look = {"minute": answer["seconds"] / 60, "log_ratio": math.log(canary / stable), "low": low, "high": high}
            found.append(look)
    return found


if __name__ == "__main__":
    main()
