"""`aegis evidence find` and `verify`: whose word counts, from where, and what is told."""

from __future__ import annotations

import datetime
import json

import pytest

from tests.support.signing.signing import pem, private
from tests.support.verdicts.evidence import COMMIT, HOUR, OTHER_COMMIT, OTHER_DIGEST, Made, made
from tests.support.verdicts.evidence_desk import ON_GITHUB, Desk
from tests.support.verdicts.signed_verdicts import DIGEST


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def keep(desk: Desk, *ones: Made) -> None:
    for one in ones:
        for name, content in one.objects().items():
            file = desk.kept / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


def test_none_is_a_no(desk: Desk) -> None:
    for words in ([], ["--gate", "verify"], ["--digest", f"sha256:{DIGEST}"], ["--any-result"]):
        done = desk.find(*words).ends(1)
        assert (done.problems, done.json["result"]) == (["evidence.missing"], "fail")


def test_a_store_that_is_away_is_no_answer(desk: Desk) -> None:
    desk.kept.rmdir()
    assert desk.find().code == 3


def test_for_people_it_is_a_line_a_gate(desk: Desk) -> None:
    keep(desk, made("verify", now=now()), made("scan", now=now(), result="fail"))
    done = desk.aegis("find", "--commit", COMMIT).ends(1, "aegis: evidence.not_passed: ")
    told = sorted(line.split()[:2] for line in done.out.splitlines())
    assert told == [["scan", "FAILED"], ["verify", "PASSED"]]


def test_too_old_is_a_no(desk: Desk) -> None:
    keep(desk, made(ago=30 * HOUR, now=now()))
    assert desk.find("--max-age", "26h").ends(1).problems == ["evidence.stale"]
    desk.find("--max-age", "2d").ends(0)


@pytest.mark.parametrize("span", ["", "0d", "1", "1w", "-1h", "1.5h", "99999d"])
def test_an_age_as_the_policy_spells_it(desk: Desk, span: str) -> None:
    desk.find(f"--max-age={span}").ends(2, "--max-age")


class TestWhoseWord:
    def test_the_flags_come_before_the_policy(self, desk: Desk) -> None:
        keep(desk, made(now=now()))
        other = desk.folder / "other.pub"
        other.write_text(pem(private("ecdsa-p256", 1)))
        assert desk.find("--key", other).ends(1).problems == ["verify.wrong_key"]
        desk.find("--key", desk.public).ends(0)

    def test_an_identity_needs_its_issuer(self, desk: Desk) -> None:
        desk.find("--certificate-identity", "a@example.com").ends(2, "--certificate-oidc-issuer")
        desk.find("--certificate-oidc-issuer", "https://issuer.example.com").ends(2, "exactly one")

    def test_on_a_change_its_bases_policy_and_keys_decide(self, desk: Desk) -> None:
        """The change names its own signer, replaces the key, and moves the store."""
        base = desk.repository.sha()
        desk.section = {"store": "mine/", "signers": [{"key": "keys/build.pub"}, {"key": "keys/eve.pub"}]}
        eve = pem(private("ecdsa-p256", 1))
        desk.repository.git("checkout", "-q", "-b", "change")
        head = desk.repository.commit({"aegis.yml": desk.policy(), "keys/build.pub": eve, "keys/eve.pub": eve})
        desk.repository.git("checkout", "-q", "--detach", base)
        merge = desk.repository.merge(head)
        repository = {"full_name": "octo/widgets", "fork": False}
        change = {
            "number": 7,
            "base": {"ref": "main", "sha": base, "repo": repository},
            "head": {"ref": "change", "sha": head, "repo": repository},
        }
        event = desk.folder / "event.json"
        event.write_text(json.dumps({"number": 7, "repository": repository, "pull_request": change}))
        forged = made(now=now(), key=private("ecdsa-p256", 1))
        keep(desk, forged)
        mine = desk.repository.root / "mine"
        mine.mkdir()
        environ = {
            **ON_GITHUB,
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_SHA": merge,
            "GITHUB_BASE_REF": "main",
            "GITHUB_REF": "refs/pull/7/merge",
        }
        done = desk.find(environ=environ).ends(1)
        assert (done.problems, done.json["store"]) == (["verify.wrong_key"], "kept/")


class TestMemory:
    def test_what_was_there_is_missed(self, desk: Desk) -> None:
        memory = desk.folder / "memory.json"
        good, bad = made(ago=2 * HOUR, now=now()), made(now=now(), result="fail")
        keep(desk, good, bad)
        assert desk.find("--remember", memory).ends(1).problems == ["evidence.not_passed"]
        (desk.kept / bad.by_commit).unlink()
        desk.find().ends(0)  # nobody else would know
        kept = memory.read_bytes()
        assert desk.find("--remember", memory).ends(1).problems == ["evidence.rolled_back"]
        assert memory.read_bytes() == kept
        keep(desk, bad, made(ago=HOUR / 2, now=now()))
        desk.find("--remember", memory).ends(0)

    def test_what_anybody_could_put_there_is_not_remembered(self, desk: Desk) -> None:
        memory = desk.folder / "memory.json"
        foreign = made(ago=HOUR / 2, now=now(), key=private("ecdsa-p256", 1))
        keep(desk, made(now=now()), foreign)
        desk.find("--remember", memory).ends(1)
        (desk.kept / foreign.by_commit).unlink()
        desk.find("--remember", memory).ends(0)

    def test_one_that_cannot_be_read_is_an_error(self, desk: Desk) -> None:
        memory = desk.folder / "memory.json"
        memory.write_text("{}")
        keep(desk, made(now=now()))
        desk.find("--remember", memory).ends(2, "evidence.memory_malformed")


class TestVerify:
    @pytest.mark.parametrize("absolute", [False, True])
    @pytest.mark.parametrize("by", ["by_commit", "by_digest"])
    def test_one_in_its_place(self, desk: Desk, by: str, absolute: bool) -> None:
        one = made(now=now())
        keep(desk, one)
        place = f"{desk.kept if absolute else 'kept'}/{getattr(one, by)}"
        done = desk.aegis("verify", place, "--gate", "verify", "--max-age", "2h", "--format", "json").ends(0)
        assert done.json["verdicts"][0]["commits"] == [COMMIT]
        desk.aegis("verify", place, "--gate", "scan").ends(1, "evidence.misplaced")
        desk.aegis("verify", place, "--commit", COMMIT).ends(0)
        desk.aegis("verify", place, "--commit", OTHER_COMMIT).ends(1, "evidence.misplaced")
        desk.aegis("verify", place, "--digest", f"sha256:{DIGEST}").ends(0)
        desk.aegis("verify", place, "--digest", f"sha256:{OTHER_DIGEST}").ends(1, "evidence.misplaced")

    def test_one_in_anothers_place(self, desk: Desk) -> None:
        one = made(now=now())
        keep(desk, one)
        wrong = one.by_commit.replace(COMMIT, OTHER_COMMIT)
        (desk.kept / wrong).parent.mkdir(parents=True)
        (desk.kept / wrong).write_bytes(one.bundle)
        desk.aegis("verify", f"kept/{wrong}").ends(1, "evidence.misplaced")

    def test_one_whose_name_is_none(self, desk: Desk) -> None:
        one = made(now=now())
        keep(desk, one)
        (desk.kept / one.by_commit).with_name("x.sigstore.json").write_bytes(one.bundle)
        desk.aegis("verify", f"kept/commit/{COMMIT}/verify/x.sigstore.json").ends(1, "evidence.misplaced")

    def test_one_that_is_gone(self, desk: Desk) -> None:
        desk.aegis("verify", f"kept/{made(now=now()).by_commit}").ends(1, "evidence.document_missing")

    def test_one_that_was_taken_out_of_its_store(self, desk: Desk) -> None:
        one = made(now=now())
        bundle, verdict = desk.folder / "b.json", desk.folder / "v.json"
        bundle.write_bytes(one.bundle)
        verdict.write_bytes(one.document)
        desk.aegis("verify", bundle).ends(0)
        desk.aegis("verify", bundle, "--digest", f"sha256:{DIGEST}").ends(0)
        desk.aegis("verify", bundle, "--commit", COMMIT).ends(2, "--verdict")
        desk.aegis("verify", bundle, "--commit", COMMIT, "--verdict", verdict).ends(0)
        verdict.write_bytes(one.document + b" ")
        desk.aegis("verify", bundle, "--verdict", verdict).ends(1, "evidence.altered")

    def test_one_that_did_not_pass(self, desk: Desk) -> None:
        one = made(now=now(), result="fail")
        keep(desk, one)
        desk.aegis("verify", f"kept/{one.by_commit}").ends(1, "evidence.not_passed")
        desk.aegis("verify", f"kept/{one.by_commit}", "--any-result").ends(0)

    def test_a_file_that_is_none(self, desk: Desk) -> None:
        desk.aegis("verify", desk.folder / "nothing").ends(2, "cannot be read")
        (desk.folder / "x").write_bytes(b"{}")
        desk.aegis("verify", desk.folder / "x").ends(1, "verify.bundle_malformed")
