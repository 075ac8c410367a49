"""The double of Argo Rollouts's controller beside the real one: the same acts, and the same that is seen of them.

What is compared is what is seen once a rollout stands still; on the way there the double has pods one after another.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aegis.adapters.kubernetes.api import cluster_of
from aegis.adapters.kubernetes.rollouts import KubernetesRollouts
from aegis.core.errors import CouldNotDecide
from aegis.core.ports.rollouts import Act, RolloutState
from tests.doubles import argo_controller
from tests.doubles.kubernetes_api import Api, serve
from tests.support.cluster.clusters import cluster_at, kubeconfig
from tests.support.cluster.plane import ControlPlane, awaited
from tests.support.cluster.shop import NAME, rollout

Seen = dict[str, object]
V1, V2, V3 = "example.test/api:v1", "example.test/api:v2", "example.test/api:v3"


@dataclass
class Rolled:
    """One rollout, in a cluster or its double."""

    rollouts: KubernetesRollouts
    namespace: str
    change: Callable[[str, object], None]
    """A value of its spec, at a path, by somebody else."""
    cluster: ControlPlane | None = None

    def act(self, act: Act) -> None:
        """As somebody does who looks anew when the controller was faster."""

        def done() -> bool:
            try:
                self.rollouts.act(act, self.seen)
            except CouldNotDecide as error:
                if error.code != "canary.cluster_conflict":
                    raise
                return False
            return True

        awaited(done, lambda: f"no {act}: {self.seen}")

    def deploy(self, image: str) -> None:
        self.change("template/spec/containers/0/image", image)

    def hold(self, *, paused: bool) -> None:
        self.change("paused", paused)

    def begin_anew(self) -> None:
        self.change("strategy/canary/steps/2", {"setWeight": 80})

    @property
    def seen(self) -> RolloutState:
        return self.rollouts.get(self.namespace, NAME)

    def comes_to(self, expected: Seen) -> None:
        """Return when the real one is seen so."""
        assert self.cluster is not None
        self.cluster.await_rollout(
            self.namespace, NAME, lambda: same(self.seen) == expected, lambda: f"{same(self.seen)} is not {expected}"
        )

    def settled(self) -> Seen:
        """Of the double, which goes on when it is looked at."""
        for _ in range(20):
            seen = same(self.seen)
        return seen


def same(seen: RolloutState) -> Seen:
    """What can be compared: hashes and versions differ by nature."""
    names = (
        "observed",
        "phase",
        "aborted",
        "promoting",
        "held",
        "pauses",
        "step",
        "rolling_out",
        "available",
        "images",
    )
    told = {name: getattr(seen, name) for name in names}
    return {**told, "canary_pods": seen.canary_pods if seen.rolling_out else seen.desired}


@pytest.fixture
def real(cluster: ControlPlane, namespace: str) -> Rolled:
    cluster.apply(rollout(V1), namespace=namespace)

    def change(path: str, value: object) -> None:
        patch = json.dumps([{"op": "add" if path == "paused" else "replace", "path": f"/spec/{path}", "value": value}])
        cluster.kubectl("patch", "rollout", NAME, "-n", namespace, "--type=json", "--patch", patch)

    found = Rolled(KubernetesRollouts(cluster_of({}, kubeconfig=cluster.kubeconfig)), namespace, change, cluster)
    awaited(lambda: found.seen.phase == "Healthy", lambda: str(found.seen))
    found.deploy(V2)
    return found


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Rolled]:
    with serve(Api(controller=argo_controller.reconcile)) as api:
        api.add(argo_controller.rollout("shop", NAME, stable=V1, canary=V2))

        def change(path: str, value: object) -> None:
            *folders, last = path.split("/")

            def changed(document: dict[str, Any]) -> None:
                place: Any = document["spec"]
                for each in folders:
                    place = place[int(each) if isinstance(place, list) else each]
                place[int(last) if isinstance(place, list) else last] = value

            api.change("shop", NAME, changed)

        yield Rolled(KubernetesRollouts(cluster_at(kubeconfig(tmp_path, api))), "shop", change)


def step(it: Rolled) -> None:
    it.act("step")


def promote(it: Rolled) -> None:
    it.act("promote")


def abort(it: Rolled) -> None:
    it.act("abort")


def retry(it: Rolled) -> None:
    it.act("retry")


def hold(it: Rolled) -> None:
    it.hold(paused=True)


def go_on(it: Rolled) -> None:
    it.hold(paused=False)


def deploy_the_first(it: Rolled) -> None:
    it.deploy(V1)


def deploy_the_third(it: Rolled) -> None:
    it.deploy(V3)


def other_steps(it: Rolled) -> None:
    it.begin_anew()


WAYS = {
    "step, step": (step, step),
    "step, abort, retry, promote": (step, abort, retry, promote),
    "step, other steps": (step, other_steps),
    "revert": (deploy_the_first,),
    "abort, revert": (abort, deploy_the_first),
    "third version, abort, fourth is the second": (deploy_the_third, abort, lambda it: it.deploy(V2)),
    "held, gone on with": (hold, go_on, promote),
}


@pytest.mark.parametrize("way", sorted(WAYS))
def test_what_is_seen_is_the_same(real: Rolled, double: Rolled, way: str) -> None:
    real.comes_to(double.settled())
    for act in WAYS[way]:
        act(real)
        act(double)
        real.comes_to(double.settled())
