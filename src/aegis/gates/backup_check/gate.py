"""The backup-check gate: what was seen of each database's backups in, an outcome out.

looked at (freshness, presence, records), and perhaps restored → findings → loosenings and waivers → outcome

Stores are read, and backups restored, before and elsewhere: nothing here talks to anything. One database that is not
fine does not hide another. What could not be read or restored is no pass, and no refusal either.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from aegis.backup.drill import DrillResult, error_of
from aegis.backup.freshness import Shelf
from aegis.core.codes import CODES
from aegis.core.errors import AegisError, CouldNotDecide, Refused
from aegis.core.loosening import alone, of_gate
from aegis.core.outcome import Outcome, fingerprint_of, of_loosening
from aegis.core.policy import BackedUp, BackupCheckPolicy
from aegis.core.policy_in_force import InForce
from aegis.core.ports.repository import Change
from aegis.core.verdict import Evidence, Finding, Subject
from aegis.core.waivers import apply_waivers
from aegis.gates.backup_check.evidence import evidence_of

_ALREADY_SAID = "backup_check.proof_failed"
_NOT_KNOWN = "backup_check.never_proven"
"""Says nothing where the restore that was to prove it could not decide."""
"""The record of a restore that failed; where it has failed just now, its own reason says more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of one database's backups."""

    database: BackedUp
    """As the policy asks, after tightening."""
    shelf: Shelf | None
    """None where the stores could not be read."""
    drill: DrillResult | None = None
    """The restore of this run; None where none was asked for, or there was nothing to restore."""
    errors: tuple[AegisError, ...] = ()
    """What stood in the way: of reading a store, of taking a backup, of writing a record."""
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of the gate."""

    policy: BackupCheckPolicy
    """As it is applied: tightened, and with the databases that are judged."""
    in_force: InForce
    policy_file: str
    now: datetime.datetime
    seen: tuple[Seen, ...]
    """One for each database of `policy`, in its order."""
    whole: bool = True
    """Whether these are all databases of the policy in force."""
    weaker: tuple[str, ...] = ()
    """What the change does to keys and trust root, beside what it does to the policy."""
    own_files: frozenset[str] = frozenset()
    """The policy, and the files that it names."""
    changes: tuple[Change, ...] | None = None
    """The files of the change; None where there is no base."""
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """The gate's outcome, and what it vouches for."""

    outcome: Outcome
    subjects: tuple[Subject, ...]
    """The manifests of the backups that were proven, of the databases that have nothing against them."""


def judge(request: Request) -> Judged:
    """Judge every database."""
    if [each.database for each in request.seen] != list(request.policy.databases):
        raise AssertionError("each database of the policy is judged once")
    of_each = [tuple(_findings(request.policy.store, seen)) for seen in request.seen]
    weaker = [*of_gate(request.in_force.loosened, "backup-check"), *request.weaker]
    told: list[str] = []
    loosened: list[Finding] = []
    if alone(request.changes, request.own_files):
        told = [f"This change loosens the policy and does nothing else: {what}" for what in weaker]
    else:
        loosened = [of_loosening(what, request.policy_file) for what in weaker]
    waived = apply_waivers(
        [*(finding for findings in of_each for finding in findings), *loosened],
        request.in_force.policy.waivers,
        gate="backup-check",
        today=request.now.date(),
        whole=request.whole,
        policy_path=request.policy_file,
    )
    notices = dict.fromkeys(notice for seen in request.seen for notice in _notices(seen))
    shown = [
        evidence_of(seen.database, seen.shelf, seen.drill, findings)
        for seen, findings in zip(request.seen, of_each, strict=True)
    ]
    outcome = Outcome(
        findings=(*waived.remaining, *waived.problems),
        waivers=waived.applied,
        notices=(*request.notices, *told, *notices, *waived.notices),
        evidence=(Evidence(name="databases", value=shown),),
        part=None if request.whole else ", ".join(seen.database.name for seen in request.seen),
    )
    proven = [seen for seen, findings in zip(request.seen, of_each, strict=True) if not findings]
    return Judged(outcome, tuple(subject for seen in proven for subject in _subjects(seen)))


def _subjects(seen: Seen) -> Iterator[Subject]:
    proof = seen.shelf.proof if seen.shelf is not None else None
    if proof is not None and proof.manifest_sha256 is not None:
        yield Subject(name=f"{seen.database.name}/{proof.backup}", digest={"sha256": proof.manifest_sha256})


def _findings(store: str, seen: Seen) -> Iterator[Finding]:
    drill = seen.drill
    found = list(seen.errors)
    failed = error_of(drill) if drill is not None else None
    if failed is not None:
        found.append(failed)
    for problem in seen.shelf.problems if seen.shelf is not None else ():
        said = problem.code == _ALREADY_SAID and isinstance(failed, Refused)
        unknown = problem.code == _NOT_KNOWN and isinstance(failed, CouldNotDecide)
        if not said and not unknown:
            found.append(problem)
    if not found and (seen.shelf is None or seen.shelf.proof is None):
        raise AssertionError(f"{seen.database.name}: nothing against it, and nothing for it")
    times: Counter[str] = Counter()
    for error in found:
        times[error.code] += 1
        yield _finding(seen.database.name, store, error, times[error.code])


def _finding(name: str, store: str, error: AegisError, number: int) -> Finding:
    known = CODES.get(error.code)
    problem = error.problem if error.problem.startswith(f"{name}: ") else f"{name}: {error.problem}"
    return Finding(
        rule=error.code,
        message=f"{problem} (expected: {error.expected})",
        remedy=error.remedy or (known.remedy if known else ""),
        # without the problem's words: they hold ages, which differ in each run
        fingerprint=fingerprint_of(error.code, store, name, str(number)),
        cause="could-not-decide" if isinstance(error, CouldNotDecide) else "artifact",
    )


def _notices(seen: Seen) -> Iterator[str]:
    every = [*seen.notices]
    every += seen.shelf.notices if seen.shelf is not None else ()
    every += seen.drill.notices if seen.drill is not None else ()
    for notice in every:
        yield f"{seen.database.name}: {notice}"
