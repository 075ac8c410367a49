"""The part of the summary that is about backups: complete, short, and nothing in it but words."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from markdown_it import MarkdownIt

from aegis.core.verdict import Evidence, Verdict
from aegis.report import markdown
from aegis.report.backups import section, size, span
from tests.support.verdicts.verdicts import HOSTILE, failing, finding, undecided, verdict

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
SECONDS = {"find": 0.1, "download": 62.0, "engine": 0.5, "restore": 3_700.0, "compare": 9.0, "smoke": 0.4}
DRILL = {
    "outcome": "PASS", "reason": "backup_check.proven", "backup": "b", "manifest_sha256": "ab", "tier": "proof",
    "equality": "equal", "differences": {}, "smoke": [{"name": "users", "ok": True}, {"name": "orders", "ok": False}],
    "rto": 3_763.0, "seconds": SECONDS, "engine": "17.11", "isolated": True,
}  # fmt: skip
PROOF = {**DRILL, "age": 183_600.0, "run_url": None}
POINTS = [{"finished": f"2026-11-{day:02}T01:00:00+00:00", "rto": 10.0 + day, "size": 1 << 20} for day in (1, 9)]
TREND = {
    "tier": "proof",
    "points": POINTS,
    "formula": "RTO = 2.1 s + 0.031 s * MiB of the backup, through 2 restores of tier proof",
    "growth_per_day": 1000,
    "rto_in_90_days": 4_000.0,
    "rto_at": [{"size": 2 << 20, "rto": 40.0}, {"size": 10 << 20, "rto": 200.0}],
}


def database(**changes: Any) -> dict[str, Any]:
    plain = {
        "name": "shop", "outcome": "PASS", "rpo_limit": 93_600, "proof_limit": 691_200, "rto_limit": 7_200,
        "tier_wanted": "proof", "backups": 3, "newest": "b", "manifest_sha256": "ab", "size": 1 << 20, "rpo": 11_100.0,
        "proof": PROOF, "trend": TREND, "drill": DRILL, "not_run": ["plain indexes, which check nothing"],
    }  # fmt: skip
    return {**plain, **changes}


def about(*databases: dict[str, Any], made: Verdict | None = None) -> Verdict:
    evidence = (Evidence(name="databases", value=list(databases)),)
    return replace(made or verdict(gate="backup-check"), evidence=evidence)


def test_what_a_reader_looks_for() -> None:
    lines = section(about(database()))
    assert "| shop | PASS | PROOF, equal | 3 h 5 min of 1 d 2 h | not measured of 2 h | 2 d 3 h ago, of 8 d |" in lines
    text = "\n".join(lines)
    assert "find 0.1 s, download 1 min, engine 0.5 s, restore 1 h 1 min, smoke 0.4 s; compared in 9 s" in text
    assert "PostgreSQL 17.11, in a sandbox, 1 of 2 questions true." in text
    assert "NOT RUN: plain indexes, which check nothing." in text
    assert "40 s at 2 MiB; 3 min at 10 MiB; 1 h 6 min in 90 days as it grows." in text
    chart = text[text.index("```mermaid") :].split("```")[1]
    assert chart.splitlines() == [
        "mermaid",
        "xychart-beta",
        '    title "shop: seconds of a restore (proof)"',
        '    x-axis ["11-01", "11-09"]',
        '    y-axis "seconds" 0 --> 24',
        "    line [11.0, 19.0]",
    ]


def test_without_a_restore_in_this_run_the_last_proof_is_shown() -> None:
    assert "| PROOF, equal | 3 h 5 min of 1 d 2 h | not measured of 2 h |" in "\n".join(
        section(about(database(drill=None)))
    )


def test_how_long_it_takes_is_said_of_a_full_restore() -> None:
    for changes in ({"drill": DRILL | {"tier": "full"}}, {"drill": None, "proof": PROOF | {"tier": "full"}}):
        assert "| FULL, equal | 3 h 5 min of 1 d 2 h | 1 h 2 min of 2 h |" in "\n".join(
            section(about(database(**changes)))
        )


def test_what_is_not_known_is_said_to_be() -> None:
    bare = {name: database()[name] for name in ("name", "rpo_limit", "proof_limit", "rto_limit", "tier_wanted")}
    lines = section(about({**bare, "outcome": "COULD NOT VERIFY", "drill": None, "not_run": ["a restore"]}))
    assert "| shop | COULD NOT VERIFY | nothing | unknown of 1 d 2 h | unknown of 2 h | never |" in lines
    assert "mermaid" not in "\n".join(lines)


def test_a_restore_without_a_sandbox_is_said_aloud() -> None:
    lines = section(about(database(drill={**DRILL, "isolated": False, "engine": "", "seconds": {}})))
    assert "**shop**: no phase; no engine, NOT ISOLATED, 1 of 2 questions true." in lines


def test_what_does_not_pass_comes_first_and_is_drawn() -> None:
    lines = section(about(database(name="fine"), database(name="bad", outcome="FAIL")))
    assert [line.split(" ")[1] for line in lines[4:6]] == ["bad", "fine"]
    assert any('title "bad' in line for line in lines)


def test_the_summary_is_short_whatever_is_checked() -> None:
    many = [database(name=f"db{number}") for number in range(60)]
    long = {**TREND, "points": POINTS * 50}
    page = markdown.render(about(*[{**each, "trend": long} for each in many]))
    assert len(page.splitlines()) <= 40
    assert "and 52 more in `verdict.json`" in page
    assert len(re.findall(r'"11-0[19]"', page)) == 20


def test_other_gates_have_no_such_part() -> None:
    assert section(verdict()) == []
    assert section(about()) == []


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_changes_the_page(value: str) -> None:
    def page(word: str) -> list[str]:
        odd = database(
            name=word, not_run=[word], drill={**DRILL, "engine": word}, trend={**TREND, "tier": word, "formula": word}
        )
        tokens = MARKDOWN.parse(markdown.render(about(odd, made=failing())))
        every = [child for token in tokens for child in (token, *(token.children or []))]
        return [f"{token.type} {token.content if token.type == 'html_inline' else ''}" for token in every]

    free = {"text ", "html_inline <br>", "html_inline <code>", "html_inline </code>"}
    assert [kind for kind in page(value) if kind not in free] == [kind for kind in page("word") if kind not in free]


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_ends_the_chart(value: str) -> None:
    text = "\n".join(section(about(database(name=value, trend={**TREND, "tier": value}))))
    (title,) = re.findall(r"^    title (.*)$", text, re.MULTILINE)
    assert re.fullmatch(r'"[A-Za-z0-9 ._-]*: seconds of a restore \([A-Za-z0-9 ._-]*\)"', title)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "unknown"), (0.0, "0 s"), (12.345, "12.3 s"), (59.9, "59.9 s"), (60.0, "1 min"), (3_599.0, "59 min"),
        (3_600.0, "1 h"), (90_000.0, "1 d 1 h"), (172_800.0, "2 d"), (-5.0, "-5 s"),
    ],
)  # fmt: skip
def test_spans(seconds: float | None, shown: str) -> None:
    assert span(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (999, "999 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 40, "5 TiB")]
)
def test_sizes(count: int, shown: str) -> None:
    assert size(count) == shown


def test_the_headline_has_the_gates_own_words() -> None:
    bad = finding(rule="backup_check.no_backup", cause="artifact")
    page = markdown.render(about(database(), made=failing(bad, gate="backup-check")))
    assert page.startswith("## backup-check: FAIL. The backups: your change is not the cause.")
    unknown = undecided(gate="backup-check", decision="COULD NOT VERIFY")
    assert markdown.render(unknown).startswith("## backup-check: COULD NOT VERIFY. Could not decide")
