"""The verify gate: artifacts and a policy in, an outcome out.

prepare (signatures, listings) → read (each byte once) → finish (digests against signatures) → waivers → findings

One artifact that is refused does not hide another. What could not be read is no pass, and no refusal either.
"""

from __future__ import annotations

import datetime
import hashlib
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.loosening import alone, of_gate
from aegis.core.outcome import Outcome, of_loosening
from aegis.core.policy import Artifact, Signer, VerifyPolicy
from aegis.core.policy_in_force import InForce
from aegis.core.ports.objects import ObjectStore
from aegis.core.ports.repository import Change
from aegis.core.verdict import Evidence, Finding, Subject
from aegis.core.waivers import apply_waivers
from aegis.gates.verify import attestations, files, models, streaming
from aegis.gates.verify.check import check_policy
from aegis.gates.verify.earlier import Earlier
from aegis.gates.verify.prepared import Case, Prepared, ReadSmall
from aegis.gates.verify.reading import Gotten, Wanted
from aegis.gates.verify.result import Result, finding_of, record_of
from aegis.gates.verify.trust import Materials, digest_of, trust_of
from aegis.signatures.lock import Lock
from aegis.storage.location import Location, parse_location
from aegis.storage.transfer import read_small

OpenStore = Callable[[Location], ObjectStore]
"""The store of an address, with credentials that read just what the policy names. Raises AegisError."""
Read = Callable[[Sequence[Wanted]], Gotten]
"""Reads what is wanted; what it could not read raises CouldNotDecide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of the gate."""

    policy: VerifyPolicy
    in_force: InForce
    policy_file: str
    now: datetime.datetime
    materials: Materials
    trusted_root: bytes | None
    """What `verify.trusted-root` names; None for the packaged one."""
    lock: Lock
    """`aegis.lock` of the policy's own commit."""
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
        known = request.earlier.result(_record(each)) if request.earlier is not None else None
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
            results.append(_finish(each, read(each.wanted)))
        except (Refused, CouldNotDecide) as error:
            findings.append(finding_of(each.case.artifact, error))
    return Judged(outcome_of(request, results, findings), tuple(results))


def case_of(artifact: Artifact, request: Request, open_store: OpenStore) -> Case:
    """An artifact with its store and those whom it is trusted from."""
    policy, now = request.policy, request.now
    location = parse_location(artifact.source)
    rules = artifact.signers or policy.signers
    trust = trust_of(rules, artifact.threshold, request.trusted_root, request.materials, now)
    release_trust = None
    if artifact.release is not None:
        of_release = artifact.release.signers or rules
        release_trust = trust_of(of_release, 1, request.trusted_root, request.materials, now)
    return Case(
        artifact=artifact,
        location=location,
        store=open_store(location),
        trust=trust,
        release_trust=release_trust,
        lock=request.lock,
        now=now,
        read_small=_read_small,
        sign=_how_to_sign(artifact, rules),
    )


_read_small: ReadSmall = read_small


def prepare_one(case: Case) -> Prepared:
    """Read the signatures of one artifact. Raises Refused."""
    match case.artifact.kind:
        case "file":
            return files.prepare(case)
        case "model":
            return models.prepare(case)
        case "attestation":
            return attestations.prepare(case)


def _finish(prepared: Prepared, gotten: Gotten) -> Result:
    read = prepared.case.now.isoformat(timespec="seconds")
    return replace(prepared.finish(gotten), read=read, record=_record(prepared))


def _record(prepared: Prepared) -> str:
    case = prepared.case
    trusts = [case.trust, *([case.release_trust] if case.release_trust is not None else [])]
    return record_of(case.artifact, map(digest_of, trusts), prepared.objects)


def _how_to_sign(artifact: Artifact, rules: Sequence[Signer]) -> str:
    """The line that signs an artifact as its policy asks."""
    how = "--key KEY.pem" if any(signer.key is not None for signer in rules) else "--keyless"
    match artifact.kind:
        case "file":
            line = "file FILE"
        case "model":
            line = "model FOLDER"
            line += f" --signature {shlex.quote(f'FOLDER/{artifact.signatures[0]}')}" if artifact.signatures else ""
        case "attestation":
            kind = shlex.quote(artifact.predicate_types[0])
            what = "FOLDER" if artifact.source.endswith("/") else "FILE"
            line = f"attestation {what} --predicate PREDICATE.json --type {kind}"
    return f"aegis sign {line} {how}, then upload what it writes beside {artifact.source}"


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
