"""Acts on a real rollout while others change it, and while its controller does nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from aegis.adapters.kubernetes.api import cluster_of
from aegis.adapters.kubernetes.rollouts import KubernetesRollouts
from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.ports.rollouts import Act, RolloutState
from aegis.gates.canary.carrying_out import carry_out
from tests.support.cluster.plane import PATIENCE, ControlPlane
from tests.support.cluster.shop import BETTER, GOOD, NAME, rollout

THIRD = "example.test/api:third"


@dataclass
class Scene:
    """A rollout that stands at its first pause."""

    cluster: ControlPlane
    namespace: str
    rollouts: KubernetesRollouts
    meddled: int = 0

    def get(self, namespace: str, name: str) -> RolloutState:
        return self.rollouts.get(namespace, name)

    def act(self, act: Act, seen: RolloutState) -> RolloutState:
        """As the port, but that somebody else is faster the first two times."""
        if self.meddled < 2:
            self.meddled += 1
            self.annotate()
        return self.rollouts.act(act, seen)

    def nudge(self, seen: RolloutState) -> None:
        self.rollouts.nudge(seen)

    @property
    def seen(self) -> RolloutState:
        return self.rollouts.get(self.namespace, NAME)

    def annotate(self) -> None:
        self.cluster.kubectl("annotate", "--overwrite", "rollout", NAME, "-n", self.namespace, f"at=n{time.time()}")

    def deploy(self, image: str) -> None:
        patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]
        self.cluster.kubectl(
            "patch", "rollout", NAME, "-n", self.namespace, "--type=json", "--patch", json.dumps(patch)
        )

    def comes_to(self, is_so: Callable[[RolloutState], bool]) -> None:
        self.cluster.await_rollout(self.namespace, NAME, lambda: is_so(self.seen), lambda: str(self.seen))

    def carry_out(self, act: Act, judged: RolloutState, seconds: float = PATIENCE) -> RolloutState:
        return carry_out(self, act, judged, now=time.monotonic, sleep=time.sleep, seconds=seconds)


@pytest.fixture
def scene(cluster: ControlPlane, namespace: str) -> Scene:
    cluster.apply(rollout(GOOD), namespace=namespace)
    made = Scene(cluster, namespace, KubernetesRollouts(cluster_of({}, kubeconfig=cluster.kubeconfig)))
    made.comes_to(lambda seen: seen.phase == "Healthy")
    made.deploy(BETTER)
    made.comes_to(lambda seen: seen.observed and (seen.phase, seen.step) == ("Paused", 1))
    return made


def test_a_wish_for_what_was_seen_before_is_refused_as_a_conflict(scene: Scene) -> None:
    seen = scene.seen
    scene.annotate()
    with pytest.raises(CouldNotDecide) as caught:
        scene.rollouts.act("promote", seen)
    assert caught.value.code == "canary.cluster_conflict"
    assert not scene.seen.promoting


@pytest.mark.parametrize("act", ["abort", "promote"])
def test_conflicts_are_looked_at_anew_until_the_act_is_true(scene: Scene, act: Act) -> None:
    done = scene.carry_out(act, scene.seen)
    assert scene.meddled == 2
    assert (done.phase, done.available) == ("Degraded" if act == "abort" else "Healthy", 5)


def test_a_spec_that_the_controller_has_not_seen_gets_no_wish(scene: Scene) -> None:
    judged = scene.seen
    with scene.cluster.halted("argo"):
        scene.deploy(THIRD)
        with pytest.raises(CouldNotDecide, match="the controller to see the rollout as it is now") as caught:
            scene.carry_out("promote", judged, seconds=2)
    assert caught.value.code == "canary.act_unfinished"
    scene.comes_to(lambda seen: seen.observed)
    with pytest.raises(Refused) as refused:
        scene.carry_out("promote", judged)
    assert refused.value.code == "canary.rollout_changed"
    assert not scene.seen.promoting


def test_an_abort_waits_for_a_controller_that_comes_back(scene: Scene) -> None:
    judged = scene.seen
    with scene.cluster.halted("argo"):
        with pytest.raises(CouldNotDecide, match="the rollout to be Degraded") as caught:
            scene.carry_out("abort", judged, seconds=20)
        assert caught.value.code == "canary.act_unfinished"
        assert scene.seen.aborted
    scene.comes_to(lambda seen: seen.phase == "Degraded")
    done = scene.carry_out("abort", judged)
    assert (done.phase, done.canary_pods, done.available) == ("Degraded", 0, 5)


def nudged(scene: Scene) -> RolloutState:
    """What was seen before; the controller may still write, and who comes second is refused."""
    while True:
        before = scene.seen
        try:
            scene.nudge(before)
        except CouldNotDecide as error:
            if error.code != "canary.cluster_conflict":
                raise
        else:
            return before


def test_a_nudge_makes_the_controller_look_and_nothing_else(scene: Scene) -> None:
    before = nudged(scene)
    scene.comes_to(lambda seen: seen.version != before.version and seen.message == before.message)
    after = scene.seen
    assert replace(after, version=before.version) == before
