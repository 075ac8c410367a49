"""What the gates' own code writes as evidence is what the page reads: none of it is unclear, and no number is lost."""

from __future__ import annotations

import datetime
from functools import partial
from typing import Any

from aegis.artifacts.result import Result
from aegis.backup.freshness import Shelf
from aegis.backup.manifest import time_text
from aegis.backup.records import Record
from aegis.core.policy import BackedUp
from aegis.core.verdict import Evidence
from aegis.gates.backup_check.evidence import evidence_of
from aegis.gates.canary.answer import answer
from aegis.gates.canary.watching import Looked
from aegis.report import json_report
from aegis.report.history.collected import Collected
from aegis.report.history.facts import History, history
from tests.support.canary.counted import Watched
from tests.support.canary.rollouts import plan
from tests.support.verdicts.past_verdicts import NOW, ago, past

DATABASE = BackedUp(name="orders", max_restore="1h")


def read(gate: str, *evidence: Evidence, **changes: Any) -> History:
    """What becomes of a verdict with this evidence that ended an hour ago."""
    found = Collected(now=NOW)
    verdict = past(ago(hours=1), gate=gate, evidence=evidence, **changes)
    found.take("verdict.json", partial(bytes, json_report.render(verdict)))
    facts = history(found, datetime.timedelta(days=7))
    assert (found.unread, facts.unclear) == ([], ())
    return facts


def record(days: float, seconds: float) -> Record:
    return Record(
        database="orders",
        backup="20261126T020000Z-0000000016B37480",
        manifest_sha256="ab" * 32,
        outcome="PASS",
        reason="backup_check.proven",
        tier="proof",
        equality="equal",
        differences=(),
        smoke=(),
        seconds={"find": 1.0, "restore": seconds},
        size=1 << 20,
        snapshot_time=time_text(ago(days=days)),
        engine="17.11",
        isolated=True,
        started=time_text(ago(days=days)),
        finished=time_text(ago(days=days)),
        tool="aegis 1.0.0",
        actor="octocat",
        run_url="",
    )


def shelf(*records: Record, proof_age: datetime.timedelta | None = None) -> Shelf:
    return Shelf(
        name="orders",
        backups=(),
        newest=None,
        manifest=None,
        manifest_sha256="ab" * 32,
        size=1 << 20,
        age=datetime.timedelta(hours=2),
        proof=records[0] if records else None,
        proof_age=proof_age,
        records=records,
        problems=(),
    )


def test_backups() -> None:
    seen = shelf(record(1, 30.0), record(2, 20.0), proof_age=datetime.timedelta(hours=23))
    (state,) = read("backup-check", Evidence(name="databases", value=[evidence_of(DATABASE, seen, None, [])])).databases
    assert state.proof is not None
    assert (state.proven, state.proof.rto, state.rto_limit) == (ago(days=1), 31.0, 3600)
    assert state.points == ((ago(days=2), 21.0), (ago(days=1), 31.0))


def test_a_database_of_which_nothing_was_seen() -> None:
    for seen in (None, shelf()):
        (state,) = read(
            "backup-check", Evidence(name="databases", value=[evidence_of(DATABASE, seen, None, [])])
        ).databases
        assert (state.proven, state.stale, state.points) == (None, True, ())


def test_artifacts() -> None:
    result = Result(
        name="ranking",
        kind="model",
        source="s3://models/ranking/",
        sha256="ab" * 32,
        content="cd" * 32,
        objects=3,
        size=9,
    )
    (state,) = read("verify", Evidence(name="artifacts", value=[result.evidence()])).artifacts
    assert (state.name, state.kind, state.sha256, state.signed_by) == ("ranking", "model", "ab" * 32, ())


def test_a_rollout() -> None:
    watched = Watched(plan())
    for _ in range(20):
        watched.look((100.0, 1.2), (1_900.0, 19.0))
    judgement = watched.look((1_000.0, 400.0), (19_000.0, 190.0))
    answered = answer(Looked(judgement, watched.state, b""), watched.plan, revert="look")
    (state,) = read("canary", *answered.outcome.evidence).rollouts
    assert (state.rollout.decision, state.rollout.rollout) == ("abort", "shop/api@2")
    assert len(state.looks) == 21
    assert state.looks[-1].harm > 2
