"""Several gates' verdicts as one."""

from __future__ import annotations

from dataclasses import replace

from aegis.core.merge import merged
from aegis.core.verdict import Verdict
from tests.support.verdicts.verdicts import failing, finding, undecided, verdict, waiver


def test_one_reason_that_all_gates_have_is_told_once() -> None:
    broken = finding(rule="core.policy_invalid", path="aegis.yml", line=3)
    gates = [undecided(gate=gate, decision="misconfigured", findings=(broken,)) for gate in ("scan", "verify")]
    assert merged(gates).findings == (broken,)


def test_reasons_that_differ_in_anything_are_all_told() -> None:
    plain = finding(rule="core.policy_loosened", path="aegis.yml", line=1)
    others = [
        replace(plain, fingerprint="0" * 64),
        replace(plain, rule="verify.wrong_key"),
        replace(plain, line=2),
        replace(plain, line=None),
    ]
    whole = merged([failing(plain), failing(*others, gate="verify")])
    assert whole.findings == (plain, *others)


def test_a_notice_that_several_gates_give_is_told_once() -> None:
    told = "This change loosens the policy and does nothing else: mode"
    whole = merged([verdict(notices=(told, "scan's")), verdict(gate="verify", notices=(told, "verify's"))])
    assert whole.notices == (told, "scan's", "verify's")


def test_what_each_gate_says_stays_apart() -> None:
    scan = verdict(waivers=(waiver(),), notices=("one",))
    verify = failing(finding(rule="verify.wrong_key", cause="artifact"), gate="verify", notices=("two",))
    whole = merged([scan, verify])
    assert (whole.gate, whole.result, whole.reason) == ("all", "fail", "core.findings")
    assert whole.waivers == scan.waivers
    assert whole.notices == ("one", "two")
    assert [(each.name, each.value["result"]) for each in whole.evidence] == [("scan", "pass"), ("verify", "fail")]
    assert set(whole.policy.effective) == {"scan", "verify"}


def test_the_policy_of_both_is_in_the_digest() -> None:
    scan, verify = verdict(), verdict(gate="verify")
    other = replace(verify, policy=replace(verify.policy, sha256="ef" * 32))
    assert merged([scan, verify]).policy.sha256 != merged([scan, other]).policy.sha256


def rows(whole: Verdict) -> dict[str, tuple[str, str]]:
    return {each.name: (each.value["result"], each.value["why"]) for each in whole.evidence}


def test_a_gate_that_was_not_run_has_a_row_that_is_no_pass() -> None:
    whole = merged([verdict()], {"verify": "aegis.yml has no section `verify:`"})
    assert rows(whole) == {
        "scan": ("pass", "The policy is met"),
        "verify": ("not-run", "aegis.yml has no section `verify:`"),
    }
    assert set(whole.policy.effective) == {"scan"}


def test_each_row_says_why() -> None:
    canary = verdict(gate="canary", reason="core.not_applicable", notices=("a word", "Not applicable: no rollout"))
    verify = failing(finding(message="an unknown key"), finding(line=9), gate="verify")
    assert rows(merged([canary, verify])) == {
        "canary": ("pass", "Not applicable: no rollout"),
        "verify": ("fail", "an unknown key (and 1 more)"),
    }
