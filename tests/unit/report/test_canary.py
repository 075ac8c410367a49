"""The part of the summary that is about a rollout: complete, short, and nothing in it but words."""

from __future__ import annotations

from typing import Any

from markdown_it import MarkdownIt

from aegis.core.verdict import Evidence, Verdict
from aegis.report import markdown, text
from tests.support.verdicts.verdicts import HOSTILE, verdict

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
WHOLE = {
    "decision": "abort", "rollout": "shop/web: new over old", "seconds": 70.0, "deadline": 3600.0, "harm": 230.0,
    "aborts_at": 100.0, "good": 0.01, "promotes_at": 20.0, "p_value": 0.004,
    "culprits": [["http", "worse than stable"]],
}  # fmt: skip
METRIC = {
    "metric": "http", "critical": True, "canary_exposure": 340.0, "canary_bad": 12.0, "stable_exposure": 3000.0,
    "stable_bad": 10.0, "ratio_low": 3.1, "ratio_high": None, "evidence": 230.0, "p_value": 0.004, "over_ceiling": None,
    "good": 0.01, "weight": 1.0, "pods": [1.0, 4.0], "spread": 0.1, "clustering": 1.0, "more_requests": None,
}  # fmt: skip
CHART = 'xychart-beta\n    title "Evidence"\n    line [1, 2]'


def judged(*metrics: Any, **changes: Any) -> Verdict:
    evidence = {"canary": WHOLE, "metrics": list(metrics) or [METRIC], "chart": CHART} | changes
    return verdict(gate="canary", evidence=tuple(Evidence(name=name, value=value) for name, value in evidence.items()))


def test_it_says_how_far_it_is_and_why() -> None:
    summary = markdown.render(judged())
    assert "### Abort: shop/web: new over old\n" in summary
    assert "After 70 s of 3600 s: evidence against the canary 230 (aborts at 100)" in summary
    assert "| http | 12 of 340 &#40;3.529&#37;&#41; | 10 of 3,000 &#40;0.333&#37;&#41; | 3.1 to any | 230 |" in summary
    assert f"```mermaid\n{CHART}\n```" in summary


def test_a_terminal_gets_a_line_for_each_metric() -> None:
    assert "metric: http: canary 12 of 340 (3.529%), stable 10 of 3,000 (0.333%), " in text.render(judged())


def test_many_metrics_are_cut_and_that_is_said() -> None:
    summary = markdown.render(judged(*({**METRIC, "metric": f"m{number}"} for number in range(30))))
    assert "18 more stand in `verdict.json`" in summary
    assert "m11" in summary
    assert "m12" not in summary


def test_without_a_chart_there_is_no_empty_one() -> None:
    assert "mermaid" not in markdown.render(judged(chart=""))


def test_what_is_not_known_is_told_as_such() -> None:
    told = {**METRIC, "canary_exposure": 0.0, "canary_bad": 0.0, "over_ceiling": 3.0, "critical": False}
    summary = markdown.render(judged({**told, "more_requests": 12_000.0, "ratio_high": 9.0}))
    assert "| 0 of 0 |" in summary
    assert "3.1 to 9" in summary
    assert "about 12,000 more requests to see twice the rate" in summary
    assert "not critical" in summary


def test_names_are_words_only() -> None:
    summary = markdown.render(judged({**METRIC, "metric": HOSTILE}, canary={**WHOLE, "rollout": HOSTILE}))
    tokens = [token for block in MARKDOWN.parse(summary) for token in [block, *(block.children or [])]]
    assert not [token for token in tokens if token.type in {"link_open", "image", "html_block"}]


def test_other_gates_have_no_such_part() -> None:
    assert "Evidence" not in markdown.render(verdict(evidence=(Evidence(name="canary", value=WHOLE),)))
