"""`aegis evidence put`: what is signed and stored, and what is not."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from typing import Any

import pytest

from aegis.core.verdict import Evidence, Source, Subject, Verdict
from tests.support.signing.signing import private, private_pem
from tests.support.verdicts.evidence import COMMIT, made
from tests.support.verdicts.evidence_desk import ON_GITHUB, RUN_URL, Desk
from tests.support.verdicts.signed_verdicts import DIGEST
from tests.support.verdicts.verdicts import failing, undecided, verdict

IMAGE = f"registry.example.com/shop/api@sha256:{DIGEST}"


def recent(gate: str = "verify", **changes: Any) -> Verdict:
    """A verdict of just now that passed."""
    finished = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return verdict(**{"gate": gate, "finished": finished, **changes})


def test_what_is_stored_is_found_by_commit_and_by_every_digest(desk: Desk) -> None:
    models = tuple(Subject(name=f"m{n}", digest={"sha256": f"{n:064x}"}) for n in range(3))
    one = recent(subject=(*verdict().subject, *models))
    told = desk.put(one, "--subject", IMAGE).ends(0).out.splitlines()
    assert len(told) == len(desk.files()) == 6
    assert {f"{path.relative_to(desk.repository.root)}" for path in desk.files()} == set(told)
    for digest in (DIGEST, *(f"{n:064x}" for n in range(3))):
        done = desk.find("--digest", f"sha256:{digest}", "--gate", "verify", "--max-age", "1h").ends(0)
        (found,) = done.json["verdicts"]
        assert (found["gate"], found["result"], found["signer"]) == ("verify", "PASSED", "keys/build.pub")
        assert (found["commits"], found["run_url"]) == ([COMMIT], RUN_URL)
    assert desk.find().ends(0).json["result"] == "pass"


def test_a_verdict_that_did_not_pass_is_stored_too(desk: Desk) -> None:
    for one in (failing(gate="scan"), undecided(gate="verify")):
        desk.put(one).ends(0)
    done = desk.find().ends(1)
    assert done.problems == ["evidence.not_passed"] * 2
    assert [each["result"] for each in done.json["verdicts"]] == ["FAILED", "FAILED"]
    assert desk.find("--any-result").ends(0).json["problems"] == []


def test_a_signer_that_the_policy_does_not_name_stores_nothing(desk: Desk) -> None:
    desk.key.write_bytes(private_pem(private("ecdsa-p256", 1)))
    desk.put(recent()).ends(1, "verify.wrong_key")
    assert desk.files() == []


def test_without_a_policy_the_arguments_alone_say_where(desk: Desk) -> None:
    desk.repository.commit({"aegis.yml": "version: 1\n"})
    desk.put(recent()).ends(2, "core.policy_missing")
    desk.put(recent(), "--to", "kept/").ends(0)
    desk.find("--from", "kept/").ends(2, "core.policy_missing")
    desk.find("--from", "kept/", "--key", desk.public).ends(0)


class TestWhatActionsAttestSigned:
    def test_is_taken_as_it_is(self, desk: Desk) -> None:
        one = made("verify")
        (desk.folder / "bundle.json").write_bytes(one.bundle)
        folder = desk.write(one.verdict)
        desk.aegis("put", folder, "--bundle", desk.folder / "bundle.json").ends(0)
        assert sorted(f"{path.relative_to(desk.kept)}" for path in desk.files()) == sorted(one.objects())
        desk.find("--digest", f"sha256:{DIGEST}").ends(0)

    def test_for_another_verdict_is_not(self, desk: Desk) -> None:
        one, other = made("verify"), made("verify", result="fail")
        (desk.folder / "bundle.json").write_bytes(one.bundle)
        desk.aegis("put", desk.write(other.verdict), "--bundle", desk.folder / "bundle.json").ends(
            1, "evidence.altered"
        )
        assert desk.files() == []

    def test_by_nobody_who_is_named_is_not(self, desk: Desk) -> None:
        one = made("verify", key=private("ecdsa-p256", 1))
        (desk.folder / "bundle.json").write_bytes(one.bundle)
        desk.aegis("put", desk.write(one.verdict), "--bundle", desk.folder / "bundle.json").ends(1, "verify.wrong_key")
        assert desk.files() == []

    @pytest.mark.parametrize("content", [b"", b"{}", b"not json"])
    def test_that_is_none_is_not(self, desk: Desk, content: bytes) -> None:
        (desk.folder / "bundle.json").write_bytes(content)
        desk.aegis("put", desk.write(recent()), "--bundle", desk.folder / "bundle.json").ends(1, "verify.bundle_")
        assert desk.files() == []


class TestAllGates:
    def write(self, desk: Desk, *gates: str) -> None:
        """As `aegis all --output` does, for gates of which one was not judged."""
        evidence = [Evidence(name=gate, value={"result": "pass", "reason": "core.passed"}) for gate in gates]
        skipped = Evidence(name="backup-check", value={"result": "not-run", "reason": "core.gate_not_named"})
        desk.write(recent("all", evidence=(*evidence, skipped)))

    def test_each_gates_own_is_stored(self, desk: Desk) -> None:
        self.write(desk, "scan", "verify")
        for gate in ("scan", "verify"):
            desk.write(recent(gate), f"out/{gate}")
        # what an earlier run has left is no gate of this one
        desk.write(recent("canary"), "out/canary")
        desk.aegis("put", desk.folder / "out", "--key", desk.key).ends(0)
        done = desk.find("--gate", "scan", "--gate", "verify").ends(0)
        assert sorted(each["gate"] for each in done.json["verdicts"]) == ["scan", "verify"]
        assert desk.find("--gate", "canary").ends(1).problems == ["evidence.missing"]

    def test_one_that_is_missing_stores_none(self, desk: Desk) -> None:
        self.write(desk, "scan", "verify")
        desk.write(recent("scan"), "out/scan")
        desk.aegis("put", desk.folder / "out", "--key", desk.key).ends(2, "verify/verdict.json")
        assert desk.files() == []

    def test_none_at_all_is_an_error(self, desk: Desk) -> None:
        self.write(desk)
        desk.aegis("put", desk.folder / "out", "--key", desk.key).ends(2, "over no gate")


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[]", b"\xff", b'{"gate":"verify"}'])
def test_what_is_no_verdict_is_not_stored(desk: Desk, content: bytes | None) -> None:
    folder = desk.write(recent())
    if content is None:
        (folder / "verdict.json").unlink()
    else:
        (folder / "verdict.json").write_bytes(content)
    done = desk.aegis("put", folder, "--key", desk.key)
    assert (done.code != 0, desk.files()) == (True, [])
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "source",
    [
        {"run_url": "https://github.com/octo/widgets/actions/runs/6"},
        {"run_url": None},
        {"commit": "5c" * 20},
        {"commit": None},
    ],
)
def test_in_a_workflow_another_runs_verdict_is_stale(desk: Desk, source: dict[str, Any]) -> None:
    good = recent()
    stale = replace(good, source=replace(good.source, **source))
    desk.put(stale, environ=ON_GITHUB).ends(1, "evidence.other_run")
    assert desk.files() == []
    desk.put(good).ends(0)


def test_outside_of_a_workflow_any_verdict_may_be_stored(desk: Desk) -> None:
    desk.put(recent(source=Source(commit=COMMIT))).ends(0)


@pytest.mark.parametrize("text", ["image", f"sha256:{DIGEST}", f"i@sha256:{'AB' * 32}", f"i i@sha256:{DIGEST}", "i@x"])
def test_a_subject_by_its_digest_alone(desk: Desk, text: str) -> None:
    desk.put(recent(), "--subject", text).ends(2, "--subject")
    assert desk.files() == []


def test_a_subject_of_what_is_signed_already_is_refused(desk: Desk) -> None:
    (desk.folder / "bundle.json").write_bytes(made().bundle)
    desk.aegis("put", desk.write(recent()), "--bundle", desk.folder / "bundle.json", "--subject", IMAGE).ends(2)


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"signers": []}, "evidence.signers is empty"),
        ({"signers": [{"identity": "a@example.com"}]}, "an identity and no issuer"),
        ({"signers": [{"key": "a", "certificate": "b"}]}, "not exactly one kind"),
        ({"store": "https://example.com/v/"}, "which cannot be listed"),
        ({"retain": {"days": 1}}, "evidence.retain with the store"),
    ],
)
def test_a_section_that_keeps_nothing_is_refused(desk: Desk, section: dict[str, object], says: str) -> None:
    desk.section |= section
    desk.adopt()
    desk.put(recent()).ends(2, says)
    desk.put(recent()).ends(2, "evidence.policy_incomplete")
    desk.put(recent()).ends(2, "correct `evidence` in the policy file")


@pytest.mark.parametrize("where", ["https://example.com/v/", "kept", "ftp://x/", "s3://B/x/"])
def test_a_store_that_keeps_nothing_is_refused(desk: Desk, where: str) -> None:
    desk.put(recent(), "--to", where).ends(2)


def test_nothing_secret_is_stored_or_told(desk: Desk) -> None:
    desk.key.write_bytes(private_pem(private("ecdsa-p256"), "hunter2"))
    desk.put(recent()).ends(2, "verify.private_key_invalid")
    done = desk.put(recent(), environ={"COSIGN_PASSWORD": "hunter2"}).ends(0)
    assert "hunter2" not in done.out + done.err
    assert all(b"hunter2" not in path.read_bytes() for path in desk.files())
    assert json.loads(desk.files()[0].read_text())["mediaType"]
