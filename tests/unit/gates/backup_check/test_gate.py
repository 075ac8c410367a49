"""The gate as a whole: several databases, what was seen of them, restores, waivers, loosenings."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from aegis.backup.compare import Difference
from aegis.backup.drill import Answered, DrillResult, Phase
from aegis.backup.freshness import Shelf
from aegis.backup.listing import Listed
from aegis.backup.manifest import time_text
from aegis.backup.records import Record
from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.outcome import Run, conclude
from aegis.core.policy import BackedUp, BackupCheckPolicy, Policy, Waiver
from aegis.core.policy_in_force import InForce
from aegis.core.ports.repository import Change
from aegis.core.verdict import Source, Tool, Verdict, exit_code
from aegis.gates.backup_check.gate import Judged, Request, Seen, judge

NOW = datetime.datetime(2026, 11, 26, 3, 0, tzinfo=datetime.UTC)
BACKUP = "20261126T020000Z-0000000016B37480"
DIGEST = "ab" * 32
SHOP = BackedUp(name="shop", max_restore="1h")
MAIL = BackedUp(name="mail")
POLICY = BackupCheckPolicy(store="s3://staging/db/", databases=(SHOP, MAIL))
STALE = Refused("backup_check.backup_stale", "shop: too old by 3 h", expected="26h", remedy="look")
DENIED = CouldNotDecide("verify.store_denied", "s3://staging: 403", expected="rights", remedy="grant")
SECONDS: dict[Phase, float] = {
    "find": 0.1,
    "download": 2.0,
    "engine": 0.5,
    "restore": 30.0,
    "compare": 9.0,
    "smoke": 0.4,
}


def record(database: BackedUp = SHOP, **changes: Any) -> Record:
    plain = Record(
        database=database.name,
        backup=BACKUP,
        manifest_sha256=DIGEST,
        outcome="PASS",
        reason="backup_check.proven",
        tier="proof",
        equality="equal",
        differences=(),
        smoke=(),
        seconds=dict(SECONDS),
        size=1 << 20,
        snapshot_time=time_text(NOW),
        engine="17.11",
        isolated=True,
        started=time_text(NOW),
        finished=time_text(NOW),
        tool="aegis 1.0.0",
        actor="octocat",
        run_url="",
    )
    return structs.replace(plain, **changes)


def shelf(database: BackedUp = SHOP, **changes: Any) -> Shelf:
    newest = Listed(BACKUP, f"db/{database.name}/{BACKUP}/", NOW - datetime.timedelta(hours=1))
    plain = Shelf(
        name=database.name,
        backups=(newest,),
        newest=newest,
        manifest=None,
        manifest_sha256=DIGEST,
        size=1 << 20,
        age=datetime.timedelta(hours=1),
        proof=record(database),
        proof_age=datetime.timedelta(minutes=30),
        records=(record(database),),
        problems=(),
    )
    return replace(plain, **changes)


def drill(**changes: Any) -> DrillResult:
    plain = DrillResult(
        outcome="PASS",
        reason="backup_check.proven",
        tier="proof",
        equality="equal",
        backup=BACKUP,
        manifest_sha256=DIGEST,
        smoke=(Answered(name="users", ok=True, said="true"),),
        seconds=dict(SECONDS),
        isolated=True,
        engine="17.11",
        not_run=("plain indexes",),
    )
    return replace(plain, **changes)


def failed(**changes: Any) -> DrillResult:
    differences = (Difference("backup_check.table_content", "public.users", "1", "2"),) * 2
    told = {"reason": "backup_check.table_content", "problem": "other rows", "remedy": "take another"}
    return drill(**{"outcome": "FAIL", "equality": "differs", "differences": differences, **told, **changes})


def undecided() -> DrillResult:
    told = {"reason": "backup_check.engine_lacks", "problem": "no ICU", "remedy": "another engine"}
    return drill(outcome="COULD NOT VERIFY", equality="not run", **told)


def seen(database: BackedUp = SHOP, **changes: Any) -> Seen:
    return Seen(**{"database": database, "shelf": shelf(database), **changes})


def request(*every: Seen, policy: Policy | None = None, **changes: Any) -> Request:
    known = {each.database.name for each in every}
    rest = tuple(seen(each) for each in POLICY.databases if each.name not in known)
    judged = (*every, *rest)
    asked = structs.replace(POLICY, databases=tuple(each.database for each in judged))
    whole = policy or Policy(version=1, backup_check=asked)
    plain: dict[str, Any] = {
        "policy": asked,
        "in_force": InForce(whole, "aegis.yml", "ab" * 32),
        "policy_file": "aegis.yml",
        "now": NOW,
        "seen": judged,
    }
    return Request(**{**plain, **changes})


def verdict_of(asked: Request) -> Verdict:
    run = Run(
        gate="backup-check",
        subject=judge(asked).subjects,
        source=Source(),
        tool=Tool(name="aegis", version="1", digest=""),
        started=NOW,
        reproduce="",
    )
    return conclude(run, judge(asked).outcome, asked.in_force, asked.policy, NOW)


def rules(answer: Judged) -> list[str]:
    return [finding.rule for finding in answer.outcome.findings]


def databases(answer: Judged) -> list[dict[str, Any]]:
    (evidence,) = answer.outcome.evidence
    assert evidence.name == "databases"
    return list(evidence.value)


def test_everything_passes() -> None:
    passed = verdict_of(request())
    assert (passed.result, passed.decision, exit_code(passed)) == ("pass", "pass", 0)
    assert [(each.name, each.digest) for each in passed.subject] == [
        (f"shop/{BACKUP}", {"sha256": DIGEST}),
        (f"mail/{BACKUP}", {"sha256": DIGEST}),
    ]
    (evidence,) = passed.evidence
    shop, mail = evidence.value
    assert (shop["outcome"], shop["rpo"], shop["rpo_limit"], shop["rto_limit"]) == ("PASS", 3600.0, 93_600, 3600)
    assert (shop["proof"]["rto"], shop["proof"]["age"]) == (33.0, 1800.0)
    assert list(shop["proof"]["seconds"]) == ["find", "download", "engine", "restore", "compare", "smoke"]
    assert shop["not_run"] == ["a restore in this run; what is shown is what the records say"]
    assert (mail["rto_limit"], mail["drill"]) == (None, None)
    assert shop["trend"]["rto_at"] == [{"size": 2 << 20, "rto": 66.0}, {"size": 10 << 20, "rto": 330.0}]


def test_one_problem_fails_and_hides_no_other_database() -> None:
    asked = request(seen(shelf=shelf(problems=(STALE,))))
    refused = verdict_of(asked)
    assert (refused.result, exit_code(refused)) == ("fail", 1)
    (finding,) = refused.findings
    assert (finding.rule, finding.cause, finding.remedy) == ("backup_check.backup_stale", "artifact", "look")
    assert finding.message == "shop: too old by 3 h (expected: 26h)"
    assert [each.name for each in refused.subject] == [f"mail/{BACKUP}"]
    assert [each["outcome"] for each in databases(judge(asked))] == ["FAIL", "PASS"]


def test_a_store_that_is_down_is_no_answer() -> None:
    asked = request(seen(shelf=None, errors=(DENIED,)))
    undecided = verdict_of(asked)
    assert (undecided.result, undecided.decision, undecided.reason, exit_code(undecided)) == (
        "error", "could-not-decide", "verify.store_denied", 3,
    )  # fmt: skip
    assert undecided.findings[0].message == "shop: s3://staging: 403 (expected: rights)"
    assert databases(judge(asked))[0]["outcome"] == "COULD NOT VERIFY"
    assert [each.name for each in undecided.subject] == [f"mail/{BACKUP}"]


def test_beside_a_refusal_it_is_a_refusal() -> None:
    asked = request(seen(shelf=None, errors=(DENIED,)), seen(MAIL, shelf=shelf(MAIL, problems=(STALE,))))
    assert exit_code(verdict_of(asked)) == 1


def test_a_database_that_is_refused_and_undecided_is_refused() -> None:
    asked = request(seen(shelf=shelf(problems=(STALE,)), errors=(DENIED,)))
    assert exit_code(verdict_of(asked)) == 1
    assert databases(judge(asked))[0]["outcome"] == "FAIL"


def test_a_record_that_could_not_be_written_is_no_pass() -> None:
    asked = request(seen(drill=drill(), errors=(DENIED,)))
    assert exit_code(verdict_of(asked)) == 3


def test_a_database_about_which_nothing_is_known_never_passes() -> None:
    for nothing in (seen(shelf=None), seen(shelf=shelf(proof=None, proof_age=None))):
        with pytest.raises(AssertionError, match="nothing for it"):
            judge(request(nothing))


def test_a_database_that_was_not_looked_at_never_passes() -> None:
    whole = request()
    with pytest.raises(AssertionError, match="each database"):
        judge(replace(whole, seen=whole.seen[:1]))


class TestRestores:
    def test_one_that_passes(self) -> None:
        (shop, _) = databases(judge(request(seen(drill=drill()))))
        assert (shop["drill"]["outcome"], shop["drill"]["tier"], shop["drill"]["rto"]) == ("PASS", "proof", 33.0)
        assert shop["drill"]["smoke"] == [{"name": "users", "ok": True}]
        assert shop["not_run"] == ["plain indexes"]

    def test_one_that_fails_by_its_own_reason(self) -> None:
        said_again = Refused("backup_check.proof_failed", "shop: failed", expected="", remedy="")
        asked = request(seen(drill=failed(), shelf=shelf(problems=(said_again, STALE))))
        answer = judge(asked)
        assert rules(answer) == ["backup_check.table_content", "backup_check.backup_stale"]
        assert answer.outcome.findings[0].remedy == "take another"
        assert databases(answer)[0]["drill"]["differences"] == {"backup_check.table_content": 2}
        assert exit_code(verdict_of(asked)) == 1

    def test_one_that_fails_is_refused_and_not_undecided(self) -> None:
        asked = request(seen(drill=failed()))
        assert (exit_code(verdict_of(asked)), judge(asked).outcome.findings[0].cause) == (1, "artifact")

    def test_one_that_failed_in_an_earlier_run_is_told(self) -> None:
        said = Refused("backup_check.proof_failed", "shop: failed", expected="", remedy="")
        for now in (None, undecided(), drill()):
            assert "backup_check.proof_failed" in rules(judge(request(seen(drill=now, shelf=shelf(problems=(said,))))))

    def test_one_that_decided_nothing_is_no_pass_though_an_older_proof_holds(self) -> None:
        asked = request(seen(drill=undecided()))
        answer = verdict_of(asked)
        assert (answer.reason, exit_code(answer)) == ("backup_check.engine_lacks", 3)
        assert [each.name for each in answer.subject] == [f"mail/{BACKUP}"]

    def test_one_that_decided_nothing_says_nothing_of_what_was_not_proven_yet(self) -> None:
        never = Refused("backup_check.never_proven", "shop: none", expected="", remedy="")
        unproven = shelf(proof=None, proof_age=None, problems=(never,))
        assert exit_code(verdict_of(request(seen(drill=undecided(), shelf=unproven)))) == 3
        for now in (None, failed()):
            assert "backup_check.never_proven" in rules(judge(request(seen(drill=now, shelf=unproven))))

    def test_its_notices_are_told_once_each(self) -> None:
        both = seen(
            drill=drill(notices=("not isolated",)), shelf=shelf(notices=("unfinished", "unfinished")), notices=("x",)
        )
        assert judge(request(both)).outcome.notices == ("shop: x", "shop: unfinished", "shop: not isolated")


class TestWaivers:
    def waiver(self, finding: Any, **changes: Any) -> Waiver:
        plain = {
            "gate": "backup-check",
            "rule": finding.rule,
            "fingerprint": finding.fingerprint,
            "owner": "me",
            "reason": "moves",
            "expires": NOW.date() + datetime.timedelta(days=9),
        }
        return Waiver(**{**plain, **changes})

    def stale(self, problem: str = "shop: too old by 3 h") -> Seen:
        error = Refused("backup_check.backup_stale", problem, expected="26h", remedy="look")
        return seen(shelf=shelf(problems=(error,)))

    def test_one_lets_a_finding_through_by_name_and_its_backup_is_vouched_for_by_nobody(self) -> None:
        (finding,) = judge(request(self.stale())).outcome.findings
        # the next day it is older
        asked = request(
            self.stale("shop: too old by 27 h"),
            policy=Policy(version=1, backup_check=POLICY, waivers=(self.waiver(finding),)),
        )
        passed = verdict_of(asked)
        assert (passed.decision, exit_code(passed)) == ("pass with waiver", 0)
        assert [each.name for each in passed.subject] == [f"mail/{BACKUP}"]

    def test_one_of_two_of_a_kind_lets_the_other_through_not(self) -> None:
        two = seen(shelf=shelf(problems=(STALE, STALE)))
        first, second = judge(request(two)).outcome.findings
        assert first.fingerprint != second.fingerprint
        asked = request(two, policy=Policy(version=1, backup_check=POLICY, waivers=(self.waiver(first),)))
        assert exit_code(verdict_of(asked)) == 1

    def test_one_for_another_database_fits_not(self) -> None:
        (finding,) = judge(request(self.stale())).outcome.findings
        mail = seen(MAIL, shelf=shelf(MAIL, problems=(STALE,)))
        asked = request(mail, policy=Policy(version=1, backup_check=POLICY, waivers=(self.waiver(finding),)))
        assert "core.waiver_invalid" in rules(judge(asked))

    def test_one_that_matches_nothing_fails_only_where_all_databases_were_judged(self) -> None:
        (finding,) = judge(request(self.stale())).outcome.findings
        policy = Policy(version=1, backup_check=POLICY, waivers=(self.waiver(finding),))
        assert rules(judge(request(policy=policy))) == ["core.waiver_invalid"]
        assert rules(judge(request(policy=policy, whole=False))) == []


class TestLoosenings:
    weaker = "backup-check.databases.shop.max-age: 9d instead of 26h"

    def asked(self, *paths: str) -> Request:
        in_force = InForce(
            Policy(version=1, backup_check=POLICY), "b:aegis.yml", "", loosened=(self.weaker, "verify.x: y")
        )
        changes = tuple(Change(path, None, "modified") for path in paths)
        return request(in_force=in_force, changes=changes, own_files=frozenset({"aegis.yml", "keys/a.pub"}))

    def test_together_with_other_files_it_fails(self) -> None:
        answer = judge(self.asked("aegis.yml", "src/app.py"))
        assert rules(answer) == ["core.policy_loosened"]
        assert self.weaker in answer.outcome.findings[0].message

    def test_alone_it_is_told(self) -> None:
        answer = judge(self.asked("aegis.yml", "keys/a.pub"))
        assert rules(answer) == []
        assert any(self.weaker in notice for notice in answer.outcome.notices)

    def test_another_key_is_one_too(self) -> None:
        asked = replace(self.asked("keys/a.pub", "x"), weaker=("backup-check: keys/a.pub is another one",))
        assert len(rules(judge(asked))) == 2
