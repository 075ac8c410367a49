"""Looking for verdicts in a store that others can write to, and that may lie: each way not to have one is a no."""

from __future__ import annotations

import base64
import datetime
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.core.errors import CouldNotDecide
from aegis.core.verdict import SCHEMA_ID, Source
from aegis.evidence import finding
from aegis.evidence.finding import Asked, Found, find
from aegis.evidence.layout import About
from tests.doubles.objects import Bucket, denied
from tests.support.signing.signing import message_bundle, private
from tests.support.verdicts.evidence import COMMIT, HOUR, NOW, OTHER_COMMIT, OTHER_DIGEST, Made, made, trust
from tests.support.verdicts.signed_verdicts import DIGEST
from tests.support.verdicts.verdicts import waiver

PREFIX = "aegis/"
BY = {"commit": About("commit", COMMIT), "digest": About("sha256", DIGEST)}


def kept(*ones: Made) -> dict[str, bytes]:
    return {key: content for one in ones for key, content in one.objects(PREFIX).items()}


def seen(objects: dict[str, bytes], by: str = "commit", *, everything: bool = False, **asked: Any) -> Found:
    return find(Bucket(objects), PREFIX, BY[by], Asked(**asked), trust(), everything=everything)


def codes(found: Found) -> list[str]:
    return [problem.code for problem in found.problems]


@pytest.mark.parametrize("by", BY)
def test_a_verdict_is_found_with_all_that_it_says(by: str) -> None:
    one = made()
    found = seen(kept(one), by, gates=("verify",), max_age=2 * HOUR)
    assert found.problems == ()
    (held,) = found.held
    assert (held.said.gate, held.said.passed, held.signed_by.signer) == ("verify", True, "build.pub")
    assert held.verdict == one.verdict


@pytest.mark.parametrize("by", BY)
def test_where_there_is_none_that_is_a_no(by: str) -> None:
    assert codes(seen({}, by)) == ["evidence.missing"]
    assert codes(seen(kept(made("scan")), by, gates=("verify", "scan"))) == ["evidence.missing"]
    elsewhere = {key.replace(COMMIT, OTHER_COMMIT).replace(DIGEST, OTHER_DIGEST): b"" for key in kept(made())}
    assert codes(seen(elsewhere, by)) == ["evidence.missing"]


@pytest.mark.parametrize(
    "changes",
    [
        {"result": "fail", "decision": "fail", "reason": "core.findings"},
        {"result": "error", "decision": "error", "reason": "core.crashed"},
        {"observe": True},
        {"bootstrap": True},
        {"waivers": (waiver(),)},
    ],
    ids=["fail", "error", "observe", "bootstrap", "waiver"],
)
def test_what_is_no_plain_pass_is_a_no_and_is_shown(changes: dict[str, Any]) -> None:
    objects = kept(made(**changes))
    found = seen(objects)
    assert codes(found) == ["evidence.not_passed"]
    assert len(found.held) == 1
    assert codes(seen(objects, any_result=True)) == []


@pytest.mark.parametrize(
    ("ago", "young"),
    [
        (datetime.timedelta(hours=26), True),
        (datetime.timedelta(hours=26, milliseconds=1), False),
        (datetime.timedelta(minutes=-5), True),
        (datetime.timedelta(minutes=-5, milliseconds=-1), False),
    ],
    ids=["just", "old", "ahead", "future"],
)
def test_its_age_counts(ago: datetime.timedelta, young: bool) -> None:
    found = seen(kept(made(ago=ago)), max_age=datetime.timedelta(hours=26))
    assert codes(found) == ([] if young else ["evidence.stale"])


def test_the_newest_of_each_gate_decides() -> None:
    good, bad, better = made(ago=3 * HOUR), made(ago=2 * HOUR, result="fail"), made(ago=HOUR)
    assert codes(seen(kept(good, bad))) == ["evidence.not_passed"]
    assert codes(seen(kept(good, bad, better))) == []
    assert codes(seen(kept(good, made("scan", ago=HOUR, result="fail")))) == ["evidence.not_passed"]
    assert codes(seen(kept(good, made("scan", ago=HOUR, result="fail")), gates=("verify",))) == []


class TestAttacks:
    """By somebody who can write to the store."""

    @pytest.mark.parametrize("by", BY)
    def test_another_signer(self, by: str) -> None:
        assert codes(seen(kept(made(key=private("ecdsa-p256", 1))), by)) == ["verify.wrong_key"]
        newer = made(ago=HOUR / 2, key=private("ecdsa-p256", 1))
        assert codes(seen(kept(made(), newer), by)) == ["verify.wrong_key"]

    @pytest.mark.parametrize("by", BY)
    def test_replayed_below_another_commit_or_digest(self, by: str) -> None:
        # everything is about another commit and another image, and lies below ours
        theirs = made(
            source=Source(commit=OTHER_COMMIT),
            subject=(),
            subjects=[{"name": "i", "digest": {"sha256": OTHER_DIGEST}}],
        )
        ours = made()
        objects = {
            PREFIX + ours.by_commit.replace(ours.name, theirs.name): theirs.bundle,
            PREFIX + ours.by_digest.replace(ours.name, theirs.name): theirs.bundle,
            PREFIX + theirs.by_itself: theirs.document,
        }
        found = seen(objects, by)
        assert codes(found) == ["evidence.misplaced"]
        assert found.held == ()

    @pytest.mark.parametrize("by", BY)
    def test_the_bundle_written_over_by_an_older_one(self, by: str) -> None:
        old, new = made(ago=3 * HOUR), made(result="fail")
        objects = kept(old, new)
        objects[PREFIX + new.by_commit] = objects[PREFIX + new.by_digest] = old.bundle
        assert codes(seen(objects, by)) == ["evidence.altered"]

    @pytest.mark.parametrize("by", BY)
    def test_an_older_one_under_a_newer_name(self, by: str) -> None:
        old, new = made(ago=3 * HOUR), made(result="fail")
        stamp = "20260615T113000000Z"
        again = {
            PREFIX + key.replace(old.name[: len(stamp)], stamp): old.bundle for key in (old.by_commit, old.by_digest)
        }
        assert codes(seen({**kept(old, new), **again}, by)) == ["evidence.misplaced"]

    @pytest.mark.parametrize("by", BY)
    def test_one_of_another_gate(self, by: str) -> None:
        scan = made("scan")
        as_verify = {
            PREFIX + key.replace("/scan/", "/verify/"): scan.bundle for key in (scan.by_commit, scan.by_digest)
        }
        assert codes(seen({**kept(scan), **as_verify}, by, gates=("verify",))) == ["evidence.misplaced"]

    @pytest.mark.parametrize("by", BY)
    def test_the_verdict_written_over(self, by: str) -> None:
        one = made()
        better = made(result="fail").document
        assert codes(seen({**kept(one), PREFIX + one.by_itself: better}, by)) == ["evidence.altered"]

    @pytest.mark.parametrize("by", BY)
    def test_the_verdict_removed(self, by: str) -> None:
        one = made()
        objects = kept(one)
        del objects[PREFIX + one.by_itself]
        assert codes(seen(objects, by)) == ["evidence.document_missing"]

    @pytest.mark.parametrize("by", BY)
    @pytest.mark.parametrize("name", ["verify/README", "verify/x.sigstore.json", "x", "all/y"])
    def test_what_is_none_among_them(self, by: str, name: str) -> None:
        objects = {**kept(made()), PREFIX + BY[by].folder + name: b"x"}
        found = seen(objects, by)
        assert codes(found) == ["evidence.misplaced"]
        assert len(found.held) == 1

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"kind": "https://slsa.dev/provenance/v1"}, "evidence.malformed"),
            ({"said": {"result": "FINE"}}, "evidence.malformed"),
            ({"said": {SCHEMA_ID: {"gate": "verify"}}}, "evidence.malformed"),
            ({"said": {SCHEMA_ID: None}}, "evidence.malformed"),
            ({"subjects": [{"name": "i", "digest": {"sha256": OTHER_DIGEST}}]}, "evidence.misplaced"),
            ({"subjects": [{"name": "i", "digest": {"gitCommit": COMMIT}}]}, "evidence.misplaced"),
        ],
        ids=["kind", "result", "fields", "null", "digest", "commit"],
    )
    def test_what_the_right_signer_signed_for_something_else(self, changes: dict[str, Any], code: str) -> None:
        assert codes(seen(kept(made(**changes)), "digest")) == [code]

    @pytest.mark.parametrize(
        ("field", "value", "code"),
        [
            ("digest", {"sha256": "../../commit/x"}, "evidence.malformed"),
            ("digest", {"sha512": "ab" * 64}, "evidence.malformed"),
            ("result", "fail", "evidence.malformed"),
            ("reason", "core.other", "evidence.malformed"),
            ("finished", "2026-06-15T11:00:00", "evidence.malformed"),
        ],
    )
    def test_a_statement_at_odds_with_its_verdict(self, field: str, value: Any, code: str) -> None:
        assert codes(seen(kept(made(said={SCHEMA_ID: {**_own(made()), field: value}})))) == [code]

    def test_a_signature_over_a_file(self) -> None:
        one = made()
        bundle = json.dumps(message_bundle(private("ecdsa-p256"))).encode()
        other = Made(one.verdict, one.document, bundle)
        assert codes(seen(kept(other))) == ["verify.wrong_content"]

    def test_more_than_a_bundle(self) -> None:
        one = made()
        assert codes(seen(kept(Made(one.verdict, one.document, b" " * ((1 << 20) + 1))))) == ["verify.bundle_too_large"]


def _own(one: Made) -> Any:
    payload = json.loads(one.bundle)["dsseEnvelope"]["payload"]
    return json.loads(base64.b64decode(payload))["predicate"][SCHEMA_ID]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["document", "bundle"]), st.integers(min_value=0), st.integers(min_value=0, max_value=255))
def test_no_changed_byte_goes_unnoticed(which: str, where: int, value: int) -> None:
    one = made()
    objects = kept(one)
    key = PREFIX + (one.by_itself if which == "document" else one.by_commit)
    changed = bytearray(objects[key])
    before = changed[where % len(changed)]
    changed[where % len(changed)] = value
    objects[key] = bytes(changed)
    assert codes(seen(objects)) == ([] if before == value else ["evidence.altered"])


class TestEverything:
    def test_old_ones_are_read_only_where_all_are_asked_for(self) -> None:
        old, new = made(ago=2 * HOUR), made()
        objects = {**kept(old, new), PREFIX + old.by_commit: b"x"}
        assert codes(seen(objects)) == []
        found = seen(objects, everything=True)
        assert codes(found) == ["evidence.altered"]
        assert [held.said.finished for held in found.held] == [new.verdict.finished]

    def test_they_are_told_newest_first(self) -> None:
        ones = [made(gate, ago=number * HOUR) for number in (3, 1, 2) for gate in ("verify", "scan")]
        found = seen(kept(*ones), everything=True)
        assert found.problems == ()
        finished = [held.said.finished for held in found.held]
        assert finished == sorted(finished, reverse=True)
        assert len(finished) == 6

    def test_a_few_thousand_of_them(self) -> None:
        new, old = made(), made(ago=9000 * HOUR)
        objects = kept(new, old)
        for number in range(3000):
            stamp = (NOW - datetime.timedelta(hours=2 + number)).strftime("%Y%m%dT%H%M%S000Z")
            objects[f"{PREFIX}commit/{COMMIT}/verify/{stamp}-{number:064x}.sigstore.json"] = b"x"
        store = Bucket(objects)
        found = find(store, PREFIX, BY["commit"], Asked(gates=("verify",)), trust())
        assert found.problems == ()
        # whatever lies there, the newest alone is read
        assert len(store.reads) == 2
        assert len(codes(seen(objects, everything=True))) == 3000

    def test_but_not_any_number(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(finding, "MAX_ENTRIES", 1)
        objects = kept(made(), made("scan"))
        assert codes(seen(objects)) == []
        with pytest.raises(CouldNotDecide) as raised:
            seen(objects, everything=True)
        assert raised.value.code == "evidence.too_many"


class TestTheStore:
    def test_one_that_does_not_tell_is_no_answer(self) -> None:
        with pytest.raises(CouldNotDecide):
            find(Bucket(kept(made()), fault=denied()), PREFIX, BY["commit"], Asked(), trust())

    def test_nor_is_one_that_lists_and_does_not_give(self) -> None:
        one = made()
        store = Bucket(kept(one), faults={PREFIX + one.by_commit: denied()})
        with pytest.raises(CouldNotDecide):
            find(store, PREFIX, BY["commit"], Asked(), trust())

    def test_what_was_listed_and_is_gone(self) -> None:
        one = made()

        class Forgetful(Bucket):
            def head(self, key: str) -> Any:
                return None if "/commit/" in f"/{key}" else super().head(key)

        found = find(Forgetful(kept(one)), PREFIX, BY["commit"], Asked(), trust())
        assert codes(found) == ["evidence.document_missing"]
