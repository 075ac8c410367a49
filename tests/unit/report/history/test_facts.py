"""What past verdicts say together; the newest counts, and what none of them says is unknown."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from aegis.core.merge import merged
from aegis.core.verdict import Evidence, Source, Verdict
from aegis.report import json_report
from aegis.report.history.collected import Collected
from aegis.report.history.facts import UNKNOWN, History, history
from tests.support.verdicts import verdicts
from tests.support.verdicts.past_verdicts import (
    NOW,
    ago,
    artifact,
    database,
    failed,
    of_backups,
    of_models,
    of_rollout,
    past,
    stamp,
    suppression,
    weeks,
)

WEEK = datetime.timedelta(days=7)


def facts(*given: Verdict, stale_after: datetime.timedelta = WEEK) -> History:
    found = Collected(now=NOW)
    for number, verdict in enumerate(given):
        content = json_report.render(verdict)
        found.take(f"{number}/verdict.json", lambda content=content: content)  # type: ignore[misc]
    assert found.complete, found.unread
    return history(found, stale_after)


class TestGates:
    def test_the_newest_verdict_is_the_state_whatever_the_order(self) -> None:
        old, new = past(ago(days=2), run=1), failed(ago(days=1), run=2)
        for given in ((old, new), (new, old)):
            (gate,) = facts(*given).gates
            assert (gate.gate, gate.newest.result, gate.counts) == ("scan", "fail", {"pass": 1, "fail": 1})
            assert gate.last_pass is not None
            assert gate.last_pass.past.finished == ago(days=2)
            assert gate.age == datetime.timedelta(days=1)

    def test_one_without_a_new_verdict_is_stale(self) -> None:
        states = facts(past(ago(days=6), run=1), past(ago(days=8), gate="verify", run=2)).gates
        assert {each.gate: each.stale for each in states} == {"scan": False, "verify": True}

    def test_what_was_only_observed_is_no_pass(self) -> None:
        (gate,) = facts(
            past(ago(days=1), observe=True, result="error", decision="observed", reason="core.observed")
        ).gates
        assert (gate.counts, gate.last_pass) == ({"observed": 1}, None)

    def test_repositories_are_kept_apart(self) -> None:
        other = past(ago(days=1), source=Source(repository="octo/gears"))
        laptop = past(ago(days=2), source=Source())
        found = facts(past(ago(days=1)), other, laptop)
        assert found.repositories == (UNKNOWN, "octo/gears", "octo/widgets")
        assert len(found.gates) == 3

    def test_a_clock_that_is_a_little_ahead_makes_no_negative_age(self) -> None:
        assert facts(past(ago(minutes=-3))).gates[0].age == datetime.timedelta()


class TestWhole:
    """A verdict over all gates says what each of them said."""

    def parts(self) -> tuple[Verdict, Verdict, Verdict]:
        scan, verify = past(ago(hours=2), run=5), failed(ago(hours=1), gate="verify", run=5)
        return scan, verify, merged([scan, verify])

    def test_its_parts_are_answers_of_their_gates(self) -> None:
        found = facts(self.parts()[2])
        assert {each.gate: each.newest.result for each in found.gates} == {"scan": "pass", "verify": "fail"}

    def test_the_gates_own_verdicts_of_the_same_run_count_once(self) -> None:
        found = facts(*self.parts())
        assert {each.gate: each.counts for each in found.gates} == {"scan": {"pass": 1}, "verify": {"fail": 1}}

    def test_those_of_another_attempt_are_others(self) -> None:
        scan, _, whole = self.parts()
        again = replace(scan, source=replace(scan.source, run_attempt=2))
        assert facts(whole, again).gates[0].counts == {"pass": 2}

    def test_a_gate_that_was_not_run_has_no_state(self) -> None:
        whole = self.parts()[2]
        rest = Evidence(name="canary", value={"result": "not-run", "reason": "core.gate_not_named"})
        found = facts(replace(whole, evidence=(*whole.evidence, rest)))
        assert {each.gate for each in found.gates} == {"scan", "verify"}
        assert {each.gate for each in found.answers} == {"scan", "verify", "canary"}

    def test_its_databases_and_exceptions_are_seen(self) -> None:
        scan = past(ago(hours=2), run=5)
        scan = replace(
            scan,
            waivers=(verdicts.waiver(),),
            policy=replace(scan.policy, effective={"suppressions": [suppression("2026-12-24")]}),
        )
        found = facts(merged([scan, of_backups(ago(hours=1), database(), run=5)]))
        assert [each.name for each in found.databases] == ["orders"]
        assert {(each.kind, each.gate) for each in found.exemptions} == {("waiver", "scan"), ("suppression", "scan")}


class TestDatabases:
    def test_a_proof_ages_on_after_its_verdict(self) -> None:
        (state,) = facts(of_backups(ago(days=3), database(age=86_400.0))).databases
        assert (state.age, state.proven) == (datetime.timedelta(days=4), ago(days=4))
        assert not state.stale

    @pytest.mark.parametrize(("days", "stale"), [(5.9, False), (6.1, True)])
    def test_one_that_is_older_than_the_policy_allows_today_is_stale(self, days: float, stale: bool) -> None:
        (state,) = facts(of_backups(ago(days=days), database(age=86_400.0))).databases
        assert (state.outcome, state.stale) == ("PASS", stale)

    def test_the_newest_proof_counts_not_the_newest_verdict(self) -> None:
        (state,) = facts(
            of_backups(ago(days=2), database(age=60.0), run=1),
            of_backups(ago(days=1), database(age=None, outcome="COULD NOT VERIFY"), run=2),
        ).databases
        assert state.outcome == "COULD NOT VERIFY"
        assert state.proven == ago(days=2, seconds=60)

    def test_without_a_proof_nothing_is_proven(self) -> None:
        (state,) = facts(of_backups(ago(hours=1), database(age=None))).databases
        assert (state.proven, state.age, state.stale) == (None, None, True)

    @pytest.mark.parametrize("age", [-1.0, 1e308])
    def test_an_age_that_is_none_proves_nothing(self, age: float) -> None:
        (state,) = facts(of_backups(ago(hours=1), database(age=age))).databases
        assert (state.proven, state.stale) == (None, True)

    def test_a_limit_below_zero_is_met_by_nothing(self) -> None:
        (state,) = facts(of_backups(ago(hours=1), database(proof_limit=-1e308))).databases
        assert state.stale

    def test_restores_of_several_verdicts_are_one_line(self) -> None:
        def trend(*days: int, tier: str = "full") -> dict[str, object]:
            points = [{"finished": stamp(ago(days=day)), "rto": float(day), "size": 1} for day in days]
            return {"tier": tier, "points": points, "formula": "x"}

        (state,) = facts(
            of_backups(ago(days=1), database(trend=trend(3, 2)), run=1),
            of_backups(ago(days=2), database(trend=trend(4, 3)), run=2),
            of_backups(ago(days=5), database(trend=trend(9, tier="schema")), run=3),
        ).databases
        assert state.points == ((ago(days=4), 4.0), (ago(days=3), 3.0), (ago(days=2), 2.0))

    def test_a_restore_at_no_time_is_left_out(self) -> None:
        trend = {"tier": "full", "points": [{"finished": "soon", "rto": 1.0}, {"finished": "2026-01-01", "rto": 1.0}]}
        (state,) = facts(of_backups(ago(days=1), database(trend=trend))).databases
        assert state.points == ()


class TestArtifacts:
    def test_the_newest_verdict_s_digest_counts(self) -> None:
        (state,) = facts(
            of_models(ago(days=2), artifact(), run=1), of_models(ago(days=1), artifact(sha256="cd" * 32), run=2)
        ).artifacts
        assert (state.sha256, state.versions, state.standing) == ("cd" * 32, 2, True)
        assert [each.identity for each in state.signed_by] == [
            "https://github.com/octo/models/.github/workflows/sign.yml@refs/heads/main"
        ]

    def test_one_that_the_newest_verdict_lacks_is_marked(self) -> None:
        found = facts(
            of_models(ago(days=2), artifact(), artifact("old"), run=1), of_models(ago(days=1), artifact(), run=2)
        )
        assert {each.name: each.standing for each in found.artifacts} == {"ranking": True, "old": False}


class TestExemptions:
    def with_policy(self, moment: datetime.datetime, *suppressions: object, run: int = 1) -> Verdict:
        made = past(moment, run=run)
        return replace(made, policy=replace(made.policy, effective={"suppressions": list(suppressions)}))

    def test_those_that_end_first_stand_first(self) -> None:
        made = self.with_policy(ago(days=1), suppression("2026-12-24"), suppression("2026-11-30"))
        made = replace(made, waivers=(replace(verdicts.waiver(), expires="2026-12-01"),))
        found = facts(made).exemptions
        assert [(each.kind, each.left, each.ends_soon) for each in found] == [
            ("suppression", 4, True),
            ("waiver", 5, True),
            ("suppression", 28, False),
        ]

    def test_one_that_has_ended_meanwhile_is_seen(self) -> None:
        (each,) = facts(self.with_policy(ago(days=3), suppression("2026-11-24"))).exemptions
        assert (each.left, each.ends_soon) == (-2, True)

    def test_what_an_older_verdict_let_through_is_gone(self) -> None:
        assert (
            facts(self.with_policy(ago(days=3), suppression("2026-12-24")), past(ago(days=1), run=2)).exemptions == ()
        )

    def test_an_observed_gate_is_an_exception_whose_end_is_unknown(self) -> None:
        (each,) = facts(past(ago(days=1), observe=True)).exemptions
        assert (each.kind, each.gate, each.expires, each.left) == ("observe", "scan", None, None)

    @pytest.mark.parametrize("odd", [7, {"rule": 1}, {"rule": "x", "path": "y"}, None])
    def test_what_has_another_form_is_none(self, odd: object) -> None:
        assert facts(self.with_policy(ago(days=1), odd)).exemptions == ()


class TestRollouts:
    def test_the_newest_verdict_of_each(self) -> None:
        (state,) = facts(of_rollout(ago(days=2), looks=10, run=1), of_rollout(ago(days=1), looks=20, run=2)).rollouts
        assert (state.rollout.decision, len(state.looks)) == ("abort", 20)

    def test_an_older_verdict_has_no_looks(self) -> None:
        made = of_rollout(ago(days=1))
        (state,) = facts(replace(made, evidence=made.evidence[:1])).rollouts
        assert state.looks == ()


@pytest.mark.parametrize(
    ("gate", "name", "value"),
    [
        ("backup-check", "databases", "none"),
        ("backup-check", "databases", [{"name": 7}]),
        ("backup-check", "databases", [{"name": "x", "outcome": "PASS", "rpo_limit": "a", "proof_limit": 1}]),
        ("verify", "artifacts", {"a": 1}),
        ("verify", "artifacts", [{"name": "x"}]),
        ("canary", "canary", []),
    ],
)
def test_evidence_of_another_form_is_named_and_not_guessed(gate: str, name: str, value: object) -> None:
    found = facts(past(ago(days=1), gate=gate, evidence=(Evidence(name=name, value=value),)))
    assert len(found.unclear) == 1
    assert f"0/verdict.json: the evidence {name!r}" in found.unclear[0]
    assert (found.databases, found.artifacts, found.rollouts) == ((), (), ())
    assert len(found.gates) == 1


def test_weeks_of_a_repository() -> None:
    found = facts(*weeks())
    assert [each.gate for each in found.gates] == ["backup-check", "canary", "scan", "verify"]
    assert {each.gate for each in found.gates if each.stale} == {"verify"}
    assert [each.stale for each in found.databases] == [False, True]
    assert len(found.artifacts) == 2
    assert found.unclear == ()
