"""The port to rollouts: what a gate needs to know of one, and what it may ask of it.

The words are those of Argo Rollouts (https://argo-rollouts.readthedocs.io/en/stable/features/specification/).
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Literal, Protocol

Act = Literal["abort", "promote", "step", "retry"]
"""Back to the stable version; to the end of all steps; past the pause it stands at; again after an abort."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a canary strategy."""

    kind: str
    """`setWeight`, `pause`, `analysis`, …"""
    weight: int | None = None
    """Of `setWeight`: per cent."""
    endless: bool = False
    """A pause without a duration: only a person or a gate ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutState:
    """A rollout at one moment."""

    namespace: str
    name: str
    uid: str
    """Another one for a rollout that was deleted and made anew under the same name."""
    version: str
    """The object's resource version: an act on this state is refused once anybody has changed it."""
    observed: bool
    """The controller has seen this very spec; until then everything below is of an earlier one."""
    phase: str
    """`Healthy`, `Progressing`, `Paused` or `Degraded`; empty before the controller has seen it."""
    message: str
    aborted: bool
    promoting: bool
    """A promotion to the end was asked for, and is under way."""
    held: bool
    """`spec.paused`: a person holds it."""
    pauses: tuple[str, ...]
    """The reasons why it is paused, e.g. `CanaryPauseStep`."""
    paused_since: datetime.datetime | None = None
    """When the first of them began; None: it is not paused."""
    step: int | None
    """Index of the step it is at; as many as there are steps: past the last one."""
    steps: tuple[Step, ...]
    stable_hash: str
    """The hash of the stable pods' template; empty before the first version has become stable."""
    canary_hash: str
    """The hash of the template in the spec; the stable one's where nothing is rolled out."""
    desired: int
    """Pods that are asked for."""
    pods: int
    canary_pods: int
    available: int
    """Pods, of both versions, that take requests."""
    canary_weight: int | None
    """Per cent of the traffic, where a router shares it out; None: by the number of pods."""
    images: tuple[str, ...]
    """Of all containers in the spec, and of volumes that are images; none where its template stands elsewhere."""

    @property
    def rolling_out(self) -> bool:
        """Whether there are two versions."""
        return self.stable_hash != self.canary_hash

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.namespace}/{self.name}"


class Rollouts(Protocol):
    """A cluster's rollouts. Every fault is CouldNotDecide with a `canary.…` code."""

    def get(self, namespace: str, name: str) -> RolloutState:
        """The rollout now. CouldNotDecide `canary.rollout_missing` where there is none."""
        ...

    def act(self, act: Act, seen: RolloutState) -> RolloutState:
        """Ask for one act, once, and give the state that holds the wish; the controller fulfils it later.

        CouldNotDecide `canary.cluster_conflict` where the rollout is not as it was `seen`, and nothing was asked for;
        `canary.cluster_unavailable` where nobody knows whether it was.
        """
        ...

    def nudge(self, seen: RolloutState) -> None:
        """Have the controller look at the rollout again, and change nothing that it does. Faults as of `act`."""
        ...
