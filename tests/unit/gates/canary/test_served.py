"""What the judge's metrics say of the verdicts that it gave."""

from __future__ import annotations

import re

import pytest

from aegis.gates.canary.served import Tellings

WEB = ("shop", "web")


def told(tellings: Tellings) -> dict[str, float]:
    """Each series of shop/web, by its name and verdict."""
    lines = re.findall(
        r'^(\w+)\{rollout_namespace="shop",rollout="web"(?:,verdict="(\w+)")?\} (\S+)$',
        tellings.exposition("1"),
        re.MULTILINE,
    )
    return {f"{name} {verdict}".strip(): float(value) for name, verdict, value in lines}


def test_an_older_revision_is_counted_and_changes_nothing_else() -> None:
    tellings = Tellings([WEB])
    tellings.answered(WEB, 3, {"verdict": "abort", "reason": "canary.worse"}, 100.0, seen=True)
    tellings.answered(WEB, 2, {"verdict": "continue", "reason": "canary.undecided"}, 200.0, seen=False)
    found = told(tellings)
    assert (found["aegis_canary_verdict abort"], found["aegis_canary_verdict continue"]) == (1, 0)
    assert found["aegis_canary_revision"] == 3
    assert found["aegis_canary_asked_timestamp_seconds"] == 100
    assert found["aegis_canary_unseen"] == 0
    assert (found["aegis_canary_answers_total abort"], found["aegis_canary_answers_total continue"]) == (1, 1)


def test_a_newer_revision_begins_anew() -> None:
    tellings = Tellings([WEB])
    tellings.answered(WEB, 3, {"verdict": "abort", "reason": "canary.worse", "harm": 250.0}, 100.0, seen=True)
    tellings.answered(WEB, 4, {"verdict": "continue", "reason": "canary.look_slow"}, 200.0, seen=False)
    found = told(tellings)
    assert (found["aegis_canary_verdict abort"], found["aegis_canary_revision"]) == (0, 4)
    assert (found["aegis_canary_seen_timestamp_seconds"], found["aegis_canary_unseen"]) == (0, 1)
    assert "aegis_canary_harm" not in found


@pytest.mark.parametrize(
    ("reason", "seen", "unseen"),
    [("canary.undecided", True, 0), ("canary.no_data", True, 1), ("canary.prometheus_unavailable", False, 1)],
)
def test_a_look_that_saw_nothing_of_the_canary_is_told(reason: str, seen: bool, unseen: int) -> None:
    tellings = Tellings([WEB])
    tellings.answered(WEB, 2, {"verdict": "continue", "reason": reason}, 100.0, seen=seen)
    assert told(tellings)["aegis_canary_unseen"] == unseen
