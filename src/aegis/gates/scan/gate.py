"""The scan gate: a repository and a policy in, an outcome out.

survey → what the policy allows → what stood there before (base or baseline) → suppressions → waivers → findings
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aegis.core.base import Base
from aegis.core.errors import UsageError
from aegis.core.globs import matches_any
from aegis.core.loosening import alone
from aegis.core.outcome import Outcome, of_loosening
from aegis.core.policy import Allow, ScanPolicy
from aegis.core.policy_in_force import InForce
from aegis.core.ports.engine import Engine
from aegis.core.ports.repository import Change, Repository
from aegis.core.verdict import Evidence, Finding
from aegis.core.waivers import apply_waivers
from aegis.gates.scan import findings as make
from aegis.gates.scan.allow import allowing_at, apply_allow, check_allow
from aegis.gates.scan.catalogue import Catalogue, load
from aegis.gates.scan.diff import compare
from aegis.gates.scan.extract.route import TEST_GLOBS
from aegis.gates.scan.fingerprint import place_fingerprints
from aegis.gates.scan.migration import usage
from aegis.gates.scan.model import CLASSES, Class, Use
from aegis.gates.scan.suppress import apply_suppressions
from aegis.gates.scan.survey import NotAnalysed, Survey, Surveyor

if TYPE_CHECKING:
    from aegis.gates.scan.baseline import Stale

CODE_CLASSES: frozenset[Class] = frozenset({"runtime", "dynamic", "embedded"})
"""What fails without `--strict`: code that calls an SDK while the service runs."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the gate."""

    policy: ScanPolicy
    """As applied, after inputs have tightened it."""
    in_force: InForce
    policy_file: str
    base: Base
    today: datetime.date
    paths: tuple[str, ...] | None = None
    """Only these files and folders; None means all that git tracks."""
    second_opinion: bool = False
    weaker: tuple[str, ...] = ()
    """What the change does to the files that the policy names, beside what it does to the policy."""
    own_files: frozenset[str] = frozenset()
    """The files that the policy names: keys, trust roots and the like, of whatever gate."""
    progress: Callable[[int, int], None] | None = None

    @property
    def whole(self) -> bool:
        """Whether everything is looked at, so that what is missing is really missing."""
        return self.base.commit is None and self.paths is None


@dataclass(frozen=True, slots=True)
class Judged:
    """The gate's outcome, and the uses behind it for the reports that list them."""

    outcome: Outcome
    uses: tuple[Use, ...]
    """Every use, allowed or not."""
    not_allowed: tuple[Use, ...]
    """What a baseline would have to hold."""
    before: tuple[Use, ...] | None
    """Every use of the changed files at the base; None in a run over the whole repository."""


def judge(request: Request, repository: Repository, engine: Engine) -> Judged:
    """Judge a repository. Raises AegisError where there is no answer."""
    catalogue = load(request.policy.providers)
    check_allow(request.policy.allow, load().providers, file=request.policy_file)
    changes = _changes(request, repository)
    surveyor = Surveyor(
        repository, catalogue, engine, _test_paths(request.policy), request.second_opinion, request.progress
    )
    if changes is None:
        before, now = Survey(), surveyor.tree(request.paths)
    else:
        before, now = surveyor.change(str(request.base.commit), changes)
    not_allowed, unused = _not_allowed(now.uses, request.policy)
    needed_there = [_allowing(place, request.policy) for place in now.not_analysed]
    unused = tuple(entry for entry in unused if entry not in needed_there)
    new, known, stale = _new(request, repository, not_allowed, before, changes)
    found, lenient = _by_strictness(request, now, new)
    found += [make.of_stale(entry, request.policy.baseline or "") for entry in stale]
    suppressed = apply_suppressions(
        found,
        request.policy.suppressions,
        today=request.today,
        whole=request.whole,
        policy_path=request.policy_file,
    )
    loosened, told = _loosenings(request, repository)
    waived = apply_waivers(
        [*suppressed.remaining, *loosened],
        request.in_force.policy.waivers,
        gate="scan",
        today=request.today,
        whole=request.whole,
        policy_path=request.policy_file,
    )
    notices = [
        request.base.how,
        *request.base.notices,
        *told,
        *lenient,
        *suppressed.notices,
        *waived.notices,
        *(f"scan.allow: {entry.path} ({entry.provider}) matches nothing" for entry in unused if request.whole),
        *filter(None, [catalogue.age_notice(request.today)]),
    ]
    outcome = Outcome(
        findings=(*sorted(waived.remaining, key=_place), *suppressed.problems, *waived.problems),
        waivers=waived.applied,
        notices=tuple(notices),
        evidence=_evidence(request, catalogue, engine, now, known, len(suppressed.suppressed)),
        not_applicable=_not_applicable(now, changes),
        part=None if request.paths is None else ", ".join(request.paths),
    )
    return Judged(outcome, now.uses, tuple(not_allowed), None if changes is None else before.uses)


def _changes(request: Request, repository: Repository) -> list[Change] | None:
    """The changed files within the scope; None where the whole repository is asked about."""
    if request.base.commit is None:
        return None
    changes = repository.changed(request.base.commit)
    if request.paths is None:
        return changes
    return [c for c in changes if any(c.path == p or c.path.startswith(f"{p}/") for p in request.paths)]


def _test_paths(policy: ScanPolicy) -> Callable[[str], bool]:
    globs = (*TEST_GLOBS, *policy.tests)
    return lambda path: matches_any(globs, path)


def _not_allowed(uses: Iterable[Use], policy: ScanPolicy) -> tuple[list[Use], tuple[Allow, ...]]:
    """The uses that neither a class nor a path allows, and the allow entries that met none."""
    parted = apply_allow((use for use in uses if use.use_class not in policy.allowed_classes), policy.allow)
    return list(parted.remaining), parted.unused


def _new(
    request: Request, repository: Repository, not_allowed: list[Use], before: Survey, changes: list[Change] | None
) -> tuple[list[Use], int, tuple[Stale, ...]]:
    """What was not there before, how much was, and what the baseline counts too many."""
    if changes is not None:
        old, _ = _not_allowed(before.uses, request.policy)
        difference = compare(not_allowed, old, changes)
        return list(difference.new), len(difference.kept), ()
    file = request.policy.baseline
    if file is None:
        return not_allowed, 0, ()
    if not repository.entries([file]):
        raise UsageError(
            "scan.baseline_invalid",
            f"scan.baseline names {file!r}, which git does not track",
            expected="a file written by `aegis scan --write-baseline`",
            remedy="write and add it, or delete the key",
        )
    from aegis.gates.scan import baseline as baselines

    compared = baselines.compare(not_allowed, baselines.parse(repository.read(file), file=file))
    return list(compared.new), len(compared.matched), compared.stale if request.whole else ()


def _by_strictness(request: Request, survey: Survey, new: list[Use]) -> tuple[list[Finding], list[str]]:
    """The findings, and what is only told because the run is not strict."""
    fingerprints = dict(zip(survey.uses, place_fingerprints(survey.uses), strict=True))
    failing = [use for use in new if request.policy.strict or use.use_class in CODE_CLASSES]
    found = [make.of_use(use, fingerprints[use]) for use in failing]
    found += [make.of_disagreement(place) for place in survey.disagreements]
    notices = []
    not_analysed = [place for place in survey.not_analysed if not _is_allowed(place, request.policy)]
    if request.policy.strict:
        found += [make.of_not_analysed(place) for place in not_analysed]
    else:
        if not_analysed:
            notices.append(f"{len(not_analysed)} places were not analysed; `--strict` fails on them")
        for use_class, count in sorted(Counter(u.use_class for u in new if u not in failing).items()):
            notices.append(f"{count} uses of class {use_class}; `--strict` fails on them")
    return found, notices


def _is_allowed(place: NotAnalysed, policy: ScanPolicy) -> bool:
    """Whether the policy allows in this place what could not be ruled out."""
    if place.provider is None:
        return False
    return "dynamic" in policy.allowed_classes or _allowing(place, policy) is not None


def _allowing(place: NotAnalysed, policy: ScanPolicy) -> Allow | None:
    return allowing_at(place.path, place.provider, "dynamic", policy.allow) if place.provider else None


def _loosenings(request: Request, repository: Repository) -> tuple[list[Finding], list[str]]:
    """What the change would let through from now on: findings, or notices where it changes nothing else.

    Every gate's, and whatever folder is looked at: this is often the only gate that sees a pull request at all.
    """
    weaker = [*request.in_force.loosened, *request.weaker, *_baseline_growth(request, repository)]
    if not weaker:
        return [], []
    changes = repository.changed(request.base.commit) if request.base.commit is not None else None
    if alone(changes, {request.policy_file, request.policy.baseline or request.policy_file, *request.own_files}):
        return [], [f"This change loosens the policy and does nothing else: {what}" for what in weaker]
    return [of_loosening(what, request.policy_file) for what in weaker], []


def _baseline_growth(request: Request, repository: Repository) -> list[str]:
    file, base = request.policy.baseline, request.base.policy
    if file is None or base is None or not repository.entries([file]):
        return []
    old = repository.show(base, file)
    if old is None:
        return []
    from aegis.gates.scan import baseline as baselines

    grown = baselines.growth(
        baselines.parse(old, file=f"{base}:{file}"), baselines.parse(repository.read(file), file=file)
    )
    return [f"{file}: {each.known.count} of `{each.known.statement}` instead of {each.before}" for each in grown]


def _not_applicable(survey: Survey, changes: list[Change] | None) -> str | None:
    if changes is not None and not changes:
        return "the change touches no file"
    if survey.coverage.get("tracked") == 0:
        return "no file to scan"
    return None


def _evidence(
    request: Request, catalogue: Catalogue, engine: Engine, survey: Survey, known: int, suppressed: int
) -> tuple[Evidence, ...]:
    by_class = Counter(use.use_class for use in survey.uses)
    return (
        Evidence(name="base", value={"mode": request.base.mode, "commit": request.base.commit}),
        Evidence(name="coverage", value=dict(survey.coverage)),
        Evidence(name="uses", value={name: by_class[name] for name in CLASSES if by_class[name]}),
        Evidence(name="usage", value=usage(survey.uses)),
        Evidence(name="known", value={"before": known, "suppressed": suppressed}),
        Evidence(name="engine", value={"name": "semgrep", "version": engine.version}),
        Evidence(name="catalogue", value={"as_of": catalogue.as_of.isoformat(), "providers": catalogue.providers}),
    )


def _place(finding: Finding) -> tuple[str, int, int]:
    """Readers follow a file from its top."""
    return finding.path or "", finding.line or 0, finding.column or 0
