"""What the judge says when it is asked over HTTP: a verdict as JSON, and metrics of all that it was asked.

The verdict is a word beside its reasons, so that a condition of Argo Rollouts can compare it
(`result.verdict == "promote"`); whoever reads the kept measurement sees why.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aegis.core.errors import AegisError
from aegis.gates.canary.answer import answer
from aegis.gates.canary.plan import Plan
from aegis.gates.canary.watching import Looked

VERDICTS: Final = ("promote", "abort", "continue", "inconclusive")
TOLD: Final = 8
"""Metrics, findings and notices in one answer: Argo Rollouts keeps answers in its AnalysisRun, an object of etcd."""
_HELP: Final = {
    "aegis_canary_verdict": "1 for the verdict that the newest revision of a rollout has.",
    "aegis_canary_revision": "The newest revision that was asked about.",
    "aegis_canary_asked_timestamp_seconds": "When the rollout was asked about last.",
    "aegis_canary_seen_timestamp_seconds": "When Prometheus could be read for it last; 0: never since the start.",
    "aegis_canary_unseen": "1 while the canary gives no samples or Prometheus none, so that nothing can promote it.",
    "aegis_canary_harm": "Evidence against the canary, an e-value.",
    "aegis_canary_aborts_at": "The evidence against it that aborts.",
    "aegis_canary_good": "Evidence for it, of the critical metric that has the least, an e-value.",
    "aegis_canary_promotes_at": "The evidence for it that promotes.",
}
_UNSEEN: Final = "canary.no_data"


def verdict_of(looked: Looked, plan: Plan) -> dict[str, Any]:
    """The document for one look; small, whatever the number of metrics."""
    told = answer(looked, plan, revert="Revert the change that brought this version in, and deploy that.")
    evidence = {each.name: each.value for each in told.outcome.evidence}
    whole = evidence["canary"]
    return {
        "verdict": told.decision,
        "reason": told.reason,
        **{key: value for key, value in whole.items() if key != "decision"},
        "findings": [f"{each.rule}: {each.message}" for each in told.outcome.findings[:TOLD]],
        "notices": list(told.outcome.notices[:TOLD]),
        "metrics": evidence["metrics"][:TOLD],
    }


def slow_verdict(code: str, problem: str) -> dict[str, Any]:
    """The document where the look takes longer than whoever asks may wait: it goes on, and nothing is decided yet."""
    return {"verdict": "continue", "reason": code, "findings": [f"{code}: {problem}"], "notices": [], "metrics": []}


def problem_of(error: AegisError, status: int) -> dict[str, Any]:
    """The document for what cannot be answered (RFC 9457); it has no verdict."""
    return {
        "title": error.problem,
        "status": status,
        "code": error.code,
        "expected": error.expected,
        "remedy": error.remedy,
    }


def encoded(document: Mapping[str, Any]) -> bytes:
    """As JSON, one line."""
    return json.dumps(document, allow_nan=False, sort_keys=True).encode() + b"\n"


@dataclass(slots=True)
class _Last:
    revision: int
    asked: float
    seen: float = 0.0
    verdict: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Tellings:
    """What was answered since the start. Its size is bounded by the rollouts that the policies name."""

    rollouts: Sequence[tuple[str, str]]
    """Namespaces and names."""
    _last: dict[tuple[str, str], _Last] = field(default_factory=dict)
    _answers: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _errors: Counter[str] = field(default_factory=Counter)

    def answered(
        self, rollout: tuple[str, str], revision: int, verdict: Mapping[str, Any], now: float, *, seen: bool
    ) -> None:
        """A verdict about a rollout. `now`: Unix seconds; `seen`: whether Prometheus could be read for it."""
        self._answers[(*rollout, verdict["verdict"])] += 1
        last = self._last.get(rollout)
        if last is None or revision > last.revision:
            last = self._last[rollout] = _Last(revision, now)
        if revision == last.revision:
            last.asked, last.verdict = now, verdict
            last.seen = now if seen else last.seen

    def failed(self, code: str) -> None:
        """A question that got no verdict. `code`: of the registry."""
        self._errors[code] += 1

    def exposition(self, version: str) -> str:
        """All of it in Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/)."""
        gauges: dict[str, list[str]] = {name: [] for name in _HELP}
        for rollout, last in sorted(self._last.items()):
            labels = _labels(rollout)
            for word in VERDICTS:
                value = float(last.verdict["verdict"] == word)
                gauges["aegis_canary_verdict"].append(f'{{{labels},verdict="{word}"}} {value:g}')
            for name, number in _numbers(last).items():
                gauges[name].append(f"{{{labels}}} {number:.15g}")
        parts = ["# HELP aegis_canary_judge_info The running judge, and what it judges.\n"]
        parts.append("# TYPE aegis_canary_judge_info gauge\n")
        parts += [f'aegis_canary_judge_info{{{_labels(each)},version="{version}"}} 1\n' for each in self.rollouts]
        for name, lines in gauges.items():
            if lines:
                parts.append(f"# HELP {name} {_HELP[name]}\n# TYPE {name} gauge\n")
                parts += [f"{name}{line}\n" for line in lines]
        parts.append("# HELP aegis_canary_answers_total Verdicts that were given.\n")
        parts.append("# TYPE aegis_canary_answers_total counter\n")
        for each in self.rollouts:
            for word in VERDICTS:
                count = self._answers[(*each, word)]
                parts.append(f'aegis_canary_answers_total{{{_labels(each)},verdict="{word}"}} {count}\n')
        parts.append("# HELP aegis_canary_errors_total Questions that got no verdict, by reason.\n")
        parts.append("# TYPE aegis_canary_errors_total counter\n")
        parts += [f'aegis_canary_errors_total{{code="{code}"}} {n}\n' for code, n in sorted(self._errors.items())]
        return "".join(parts)


def _labels(rollout: tuple[str, str]) -> str:
    # not `namespace`: a scrape sets that to where the judge runs; names of Kubernetes need no escape
    return f'rollout_namespace="{rollout[0]}",rollout="{rollout[1]}"'


def _numbers(last: _Last) -> dict[str, float]:
    verdict = last.verdict
    numbers = {
        "aegis_canary_revision": float(last.revision),
        "aegis_canary_asked_timestamp_seconds": last.asked,
        "aegis_canary_seen_timestamp_seconds": last.seen,
        "aegis_canary_unseen": float(verdict["reason"] == _UNSEEN or last.seen < last.asked),
    }
    for name, key in (
        ("aegis_canary_harm", "harm"),
        ("aegis_canary_aborts_at", "aborts_at"),
        ("aegis_canary_good", "good"),
        ("aegis_canary_promotes_at", "promotes_at"),
    ):
        if key in verdict:
            numbers[name] = verdict[key]
    return numbers
