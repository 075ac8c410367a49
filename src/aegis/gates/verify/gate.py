"""The verify gate: artifacts and a policy in, an outcome out.

prepare (signatures, listings) → read (each byte once) → finish (digests against signatures) → waivers → findings

One artifact that is refused does not hide another. What could not be read is no pass, and no refusal either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aegis.artifacts import preparing, streaming
from aegis.artifacts.check import check_policy
from aegis.artifacts.earlier import Earlier
from aegis.artifacts.prepared import Prepared
from aegis.artifacts.preparing import Basis, OpenStore, case_of, prepare_one, record
from aegis.artifacts.reading import Gotten, Wanted
from aegis.artifacts.result import Result, finding_of
from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.loosening import alone, of_gate
from aegis.core.outcome import Outcome, of_loosening
from aegis.core.policy_in_force import InForce
from aegis.core.ports.repository import Change
from aegis.core.verdict import Evidence, Finding, Subject
from aegis.core.waivers import apply_waivers

Read = Callable[[Sequence[Wanted]], Gotten]
"""Reads what is wanted; what it could not read raises CouldNotDecide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Basis):
    """What is asked of the gate."""

    in_force: InForce
    policy_file: str
    weaker: tuple[str, ...] = ()
    """What the change does to keys, trust root and lock, beside what it does to the policy."""
    own_files: frozenset[str] = frozenset()
    """The policy, and the files that it names."""
    changes: tuple[Change, ...] | None = None
    """The files of the change; None where there is no base."""
    earlier: Earlier | None = None
    """An earlier verdict whose signature holds."""
    notices: tuple[str, ...] = ()
    progress: Callable[[int, int], None] | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """The gate's outcome, and what it says of each artifact."""

    outcome: Outcome
    results: tuple[Result, ...]

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """The artifacts that are what the policy asks for, for whoever signs the verdict."""
        return tuple(Subject(name=each.name, digest={"sha256": each.sha256}) for each in self.results)


@dataclass(frozen=True, slots=True)
class Stage:
    """The gate between the signatures and the bytes."""

    prepared: tuple[Prepared, ...]
    """What has to be read."""
    results: tuple[Result, ...]
    """What an earlier verdict already answers."""
    findings: tuple[Finding, ...]
    """What is refused, or cannot be decided, without reading."""

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        """Every object to be read."""
        return tuple(wanted for each in self.prepared for wanted in each.wanted)

    @property
    def local(self) -> frozenset[Wanted]:
        """Those among them that lie on this machine: another one has files of its own."""
        return frozenset(
            wanted for each in self.prepared if each.case.location.scheme == "file" for wanted in each.wanted
        )


def judge(request: Request, open_store: OpenStore) -> Judged:
    """Judge every artifact of the policy. Raises UsageError for a policy that protects nothing."""
    return finish(request, prepare(request, open_store), lambda wanted: streaming.read(wanted, request.progress))


def prepare(request: Request, open_store: OpenStore) -> Stage:
    """Read signatures and listings. Raises UsageError for a policy that protects nothing."""
    check_policy(request.policy, file=request.policy_file)
    prepared: list[Prepared] = []
    results: list[Result] = []
    findings: list[Finding] = []
    for artifact in request.policy.artifacts:
        try:
            each = prepare_one(case_of(artifact, request, open_store))
        except (Refused, CouldNotDecide) as error:
            findings.append(finding_of(artifact, error))
            continue
        known = request.earlier.result(record(each)) if request.earlier is not None else None
        if known is None:
            prepared.append(each)
        else:
            results.append(known)
    return Stage(tuple(prepared), tuple(results), tuple(findings))


def finish(request: Request, stage: Stage, read: Read) -> Judged:
    """Hold what was read against the signatures."""
    results, findings = list(stage.results), list(stage.findings)
    for each in stage.prepared:
        try:
            results.append(preparing.finish(each, read(each.wanted)))
        except (Refused, CouldNotDecide) as error:
            findings.append(finding_of(each.case.artifact, error))
    return Judged(outcome_of(request, results, findings), tuple(results))


def outcome_of(
    request: Request, results: Sequence[Result], findings: Sequence[Finding], *, not_applicable: str | None = None
) -> Outcome:
    """What the gate found, after loosenings and waivers."""
    weaker = [*of_gate(request.in_force.loosened, "verify"), *request.weaker]
    told: list[str] = []
    loosened: list[Finding] = []
    if alone(request.changes, request.own_files):
        told = [f"This change loosens the policy and does nothing else: {what}" for what in weaker]
    else:
        loosened = [of_loosening(what, request.policy_file) for what in weaker]
    waived = apply_waivers(
        [*findings, *loosened],
        request.in_force.policy.waivers,
        gate="verify",
        today=request.now.date(),
        # a shard does not see what the others refuse
        whole=not_applicable is None,
        policy_path=request.policy_file,
    )
    notices = dict.fromkeys(
        f"{each.name}: {notice}"
        for each in results
        for notice in (*each.notices, *(notice for by in each.signed_by for notice in by.notices))
    )
    reused = sum(each.reused is not None for each in results)
    if reused:
        notices[f"{reused} unchanged artifacts were not read again: a signed earlier verdict stands for them"] = None
    return Outcome(
        findings=(*waived.remaining, *waived.problems),
        waivers=waived.applied,
        notices=(*request.notices, *told, *notices, *waived.notices),
        evidence=(
            Evidence(name="artifacts", value=[each.evidence() for each in results]),
            Evidence(name="trusted_root", value=_root_digest(request.trusted_root)),
            Evidence(name="earlier", value=request.earlier.digest if request.earlier is not None else None),
        ),
        not_applicable=not_applicable,
    )


def _root_digest(trusted_root: bytes | None) -> str:
    return hashlib.sha256(trusted_root).hexdigest() if trusted_root is not None else "packaged"
