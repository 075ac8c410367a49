"""Which series belong to the canary, and which to stable.

A ReplicaSet is called `<rollout>-<hash>`, its pods `<rollout>-<hash>-<5 characters>`, so the name of a pod tells its
version without a request to the cluster; a label with the hash, or the pods themselves, tell it for sure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Protocol

from aegis.core.errors import UsageError
from aegis.gates.canary.increment import Side
from aegis.gates.canary.samples.selectors import quoted
from aegis.gates.canary.samples.sources import Source

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_GENERATED: Final = 58
"""Characters of a name to which Kubernetes appends five of its own (k8s.io/apiserver/pkg/storage/names)."""
_SUFFIX: Final = "[a-z0-9]{5}"
_SPELLED: Final = 20
"""Pods that a query names one by one; of more it names what their names begin with."""


class Sides(Protocol):
    """Tells sides apart."""

    @property
    def compared(self) -> bool:
        """Whether there is a stable side; False at a first deployment."""
        ...

    def matcher(self, source: Source) -> str | None:
        """A label matcher that both sides' series pass; None: all of the namespace must be read."""
        ...

    def side(self, pod: str, hash_: str | None) -> Side | None:
        """Of a series with this pod and, where it has the label, this hash. None: of neither side."""
        ...


@dataclass(frozen=True, slots=True)
class Hashes:
    """By the pod template's hashes of both versions. `stable` is None at a first deployment."""

    rollout: str
    canary: str
    stable: str | None

    def __post_init__(self) -> None:
        """Refuse hashes that do not tell the sides apart."""
        for text in self._hashes():
            _check_name(text)
        if len({self._prefix(each) for each in self._hashes()}) < len(self._hashes()):
            raise _sides_unclear(
                f"the pods of {self.canary!r} and {self.stable!r} begin with the same {_GENERATED} characters",
                "two hashes of a Rollout with a name that leaves room for them",
            )

    @property
    def compared(self) -> bool:
        """Whether there is a stable hash."""
        return self.stable is not None

    def matcher(self, source: Source) -> str:
        """By hash where the series carry it, else by the pods' names."""
        if source.hash_label is not None:
            return f"{source.hash_label}=~{quoted('|'.join(self._hashes()))}"
        begins = "|".join(re.escape(self._prefix(each)).replace("\\-", "-") for each in self._hashes())
        return f"{source.pod_label}=~{quoted(f'(?:{begins}){_SUFFIX}')}"

    def side(self, pod: str, hash_: str | None) -> Side | None:
        """By the hash itself, else by the pod's name."""
        if self.canary == hash_ or (hash_ is None and self._names(self.canary, pod)):
            return "canary"
        if self.stable is not None and (self.stable == hash_ or (hash_ is None and self._names(self.stable, pod))):
            return "stable"
        return None

    def _hashes(self) -> tuple[str, ...]:
        return (self.canary,) if self.stable is None else (self.canary, self.stable)

    def _names(self, hash_: str, pod: str) -> bool:
        # the whole name: another Rollout may be called as a ReplicaSet of this one
        return re.fullmatch(re.escape(self._prefix(hash_)) + _SUFFIX, pod) is not None

    def _prefix(self, hash_: str) -> str:
        return f"{self.rollout}-{hash_}-"[:_GENERATED]


@dataclass(frozen=True, slots=True)
class Pods:
    """By the names of the pods, as the cluster lists them."""

    canary: frozenset[str]
    stable: frozenset[str]

    def __post_init__(self) -> None:
        """Refuse a pod of both sides."""
        for name in sorted(self.canary | self.stable):
            _check_name(name)
        if both := sorted(self.canary & self.stable):
            raise _sides_unclear(f"the pod {both[0]!r} is on both sides", "pods of one side each")

    @property
    def compared(self) -> bool:
        """Whether there are stable pods."""
        return bool(self.stable)

    def matcher(self, source: Source) -> str | None:
        """The pods by name; of many, what all their names begin with."""
        names = sorted(self.canary | self.stable)
        if len(names) <= _SPELLED:
            spelled = "|".join(re.escape(name).replace("\\-", "-") for name in names)
        else:
            begin = _common_beginning(names[0], names[-1])
            if not begin:
                return None
            spelled = re.escape(begin).replace("\\-", "-") + ".*"
        return f"{source.pod_label}=~{quoted(spelled)}"

    def side(self, pod: str, hash_: str | None) -> Side | None:
        """By the pod's name alone."""
        return "canary" if pod in self.canary else "stable" if pod in self.stable else None


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of a store's series that is looked at."""

    namespace: str
    sides: Sides

    def matchers(self, source: Source) -> tuple[str, ...]:
        """What every query of a source gets beside its own matchers."""
        own = f"{source.namespace_label}={quoted(self.namespace)}"
        side = self.sides.matcher(source)
        return (own,) if side is None else (own, side)


def pods_of(rollout: str) -> str:
    """A regular expression of the names of a Rollout's pods, of whichever version, and of no other's."""
    begin = re.escape(f"{rollout}-"[:_GENERATED]).replace("\\-", "-")
    # of a long name the hash, and what parts it from the last five, are cut off
    return f"{begin}[a-z0-9]*-?{_SUFFIX}"


def _common_beginning(first: str, last: str) -> str:
    """Of all names between these two in alphabetical order."""
    same = 0
    while same < min(len(first), len(last)) and first[same] == last[same]:
        same += 1
    return first[:same]


def _check_name(text: str) -> None:
    if _NAME.fullmatch(text) is None:
        raise _sides_unclear(
            f"{text[:80]!r} is no name or hash of Kubernetes", "lower-case letters, digits, '-' and '.'"
        )


def _sides_unclear(problem: str, expected: str) -> UsageError:
    return UsageError(
        "canary.sides_unclear",
        problem,
        expected=expected,
        remedy="Name the pod template's hashes of the canary and of stable, and set canary.rollout.hash-label.",
    )
