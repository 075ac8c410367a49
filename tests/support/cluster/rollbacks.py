"""Rollbacks in a cluster, and how long each of their parts took."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass

from tests.integration.cli.command import environment
from tests.support.cluster.plane import PATIENCE, awaited
from tests.support.cluster.shop import GOOD, ClusterShop

WORSE = "example.test/api:{}-bad-8x"
"""Another version each time: one that was aborted has a verdict already."""


@dataclass(frozen=True, slots=True)
class Rollback:
    """Seconds."""

    abort: float
    """From the canary's first requests, when the watch is started too, until the abort is in the cluster."""
    stable: float
    """From there until all pods are stable ones, and available."""


def rollback(shop: ClusterShop, name: str) -> Rollback:
    """A degraded version, a whole watch of it as a process, and the way back."""
    shop.paused(WORSE.format(name))
    state = shop.folder / f"{name}.json"
    began = time.monotonic()
    process = subprocess.Popen(
        shop.command("watch", f"--path={shop.folder}", f"--state={state}", "--format=json"),
        cwd=shop.folder,
        env=environment(shop.folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def aborted() -> bool:
        assert process.poll() in {None, 1}, process.communicate()
        return bool(shop.status.get("abort"))

    try:
        awaited(aborted, lambda: f"not aborted: {shop.status}", pause=0.02)
        sent = time.monotonic()
        awaited(lambda: _is_back(shop), lambda: f"not back: {shop.status}", pause=0.02)
        back = time.monotonic()
        told, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.communicate()
    assert json.loads(told)["decision"] == "abort", errors
    shop.deploy(GOOD)
    shop.await_phase("Healthy")
    return Rollback(sent - began, back - sent)


def _is_back(shop: ClusterShop) -> bool:
    status = shop.status
    whole = status.get("availableReplicas") == status.get("replicas") == shop.rollout["spec"]["replicas"]
    return bool(whole and not status.get("updatedReplicas") and status.get("phase") == "Degraded")
