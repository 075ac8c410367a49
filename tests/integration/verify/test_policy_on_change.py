"""Whose policy, keys, trusted root and lock judge a change: the base commit's."""

from __future__ import annotations

import datetime
import json

import pytest

from tests.integration.verify.command import Command
from tests.support.scan.gitrepo import GitRepo
from tests.support.signing.verifying import FILES, KEYS, release, sha256, signed_file

TOOL = b"a tool\n"
POLICY = """\
version: 1
verify:
  artifacts:
    - {name: tool, kind: file, source: bin/tool, signers: [{key: keys/0.pub}]}
"""
WIDER = POLICY.replace("[{key: keys/0.pub}]", "[{key: keys/0.pub}, {key: keys/1.pub}]")
KEY_0, KEY_1 = {"keys/0.pub": FILES["keys/0.pub"]}, {"keys/0.pub": FILES["keys/1.pub"]}
SIGNED, OTHERS = signed_file("bin/tool", TOOL), signed_file("bin/tool", TOOL, KEYS[1])
CODE = {"src/a.py": "x = 1\n"}


def lock(version: str, digest: str = sha256(TOOL)) -> str:
    entry = {"version": version, "sha256": digest, "statement": "0" * 64, "accepted": "2026-01-01"}
    return json.dumps({"version": 1, "artifacts": {"tool": entry}})


@pytest.fixture
def base(repo: GitRepo) -> str:
    return repo.commit({"aegis.yml": POLICY, **KEY_0, "README.md": "x\n"})


def test_the_first_policy_is_the_heads_own_and_says_so(repo: GitRepo, aegis: Command) -> None:
    base = repo.commit({"README.md": "x\n"})
    repo.commit({"aegis.yml": POLICY, **KEY_0, **SIGNED})
    done = aegis.gate(repo, "--base", base).ends(0)
    assert done.json["bootstrap"] is True
    repo.commit(OTHERS)
    assert aegis.gate(repo, "--base", base).ends(1).rules == ["verify.wrong_key"]


def test_without_a_base_the_work_tree_counts(repo: GitRepo, base: str, aegis: Command) -> None:
    repo.commit({**KEY_1, **OTHERS})
    assert aegis.gate(repo).ends(0).json["bootstrap"] is False


def test_a_key_that_the_change_replaces_does_not_count_and_is_told(repo: GitRepo, base: str, aegis: Command) -> None:
    repo.commit({**KEY_1, **OTHERS})
    done = aegis.gate(repo, "--base", base).ends(1, "keys/0.pub is another one")
    assert sorted(done.rules) == ["core.policy_loosened", "verify.wrong_key"]
    assert done.json["policy"]["origin"] == f"{base}:aegis.yml"


def test_the_key_of_whose_verdict_the_runtime_demands_is_watched_too(repo: GitRepo, aegis: Command) -> None:
    load = "  load: {verdict: {source: verdicts/, signers: [{key: keys/3.pub}]}}\n"
    base = repo.commit({"aegis.yml": POLICY + load, **KEY_0, **SIGNED, "keys/3.pub": FILES["keys/3.pub"]})
    repo.commit({"keys/3.pub": FILES["keys/1.pub"], **CODE})
    assert aegis.gate(repo, "--base", base).ends(1, "keys/3.pub is another one").rules == ["core.policy_loosened"]


@pytest.mark.parametrize("change", [KEY_1, {"keys/0.pub": None}, {"keys/0.pub": "no key"}])
def test_the_bases_key_judges_and_a_change_of_keys_alone_passes(
    repo: GitRepo, aegis: Command, change: dict[str, bytes | None]
) -> None:
    base = repo.commit({"aegis.yml": POLICY, **KEY_0, **SIGNED})
    repo.commit(change)
    done = aegis.gate(repo, "--base", base).ends(0)
    assert any("loosens the policy and does nothing else: verify: keys/0.pub" in each for each in done.json["notices"])


def test_a_key_beside_other_files_fails_though_nothing_else_is_wrong(repo: GitRepo, aegis: Command) -> None:
    base = repo.commit({"aegis.yml": POLICY, **KEY_0, **SIGNED})
    repo.commit({**KEY_1, **CODE})
    assert aegis.gate(repo, "--base", base).ends(1).rules == ["core.policy_loosened"]


def test_a_loosened_policy_alone_is_a_notice_beside_others_a_refusal(repo: GitRepo, aegis: Command) -> None:
    base = repo.commit({"aegis.yml": POLICY, **KEY_0, "keys/1.pub": FILES["keys/1.pub"], **SIGNED})
    repo.commit({"aegis.yml": WIDER})
    done = aegis.gate(repo, "--base", base).ends(0)
    assert any("verify.artifacts.tool.signers: keys/1.pub is new" in each for each in done.json["notices"])
    repo.commit(CODE)
    done = aegis.gate(repo, "--base", base).ends(1)
    assert done.rules == ["core.policy_loosened"]
    assert "keys/1.pub is new" in done.messages


def test_a_signer_that_the_change_adds_does_not_count_yet(repo: GitRepo, aegis: Command) -> None:
    base = repo.commit({"aegis.yml": POLICY, **KEY_0, "keys/1.pub": FILES["keys/1.pub"], **SIGNED})
    repo.commit({"aegis.yml": WIDER, **OTHERS})
    assert sorted(aegis.gate(repo, "--base", base).ends(1).rules) == ["core.policy_loosened", "verify.wrong_key"]


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (None, "aegis.yml is gone"),
        ("version: 1\nscan: {}\n", "verify: the section is gone"),
        (POLICY.replace("name: tool", "name: other"), "tool is gone"),
        (POLICY + "mode: observe until 2999-01-01\n", "mode: observe"),
    ],
)
def test_the_gate_is_not_switched_off(repo: GitRepo, aegis: Command, after: str | None, words: str) -> None:
    base = repo.commit({"aegis.yml": POLICY, **KEY_0, **SIGNED, **CODE})
    repo.commit({"aegis.yml": after, "bin/tool": b"evil", "src/a.py": "x = 2\n"})
    done = aegis.gate(repo, "--base", base).ends(1, words)
    assert sorted(done.rules) == ["core.policy_loosened", "verify.wrong_signature"]


def test_a_waiver_of_the_change_does_not_count(repo: GitRepo, base: str, aegis: Command) -> None:
    repo.commit({**SIGNED, "bin/tool": b"evil"})
    (finding,) = aegis.gate(repo, "--base", base).ends(1).json["findings"]
    day = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=90)
    waiver = (
        f"waivers: [{{gate: verify, rule: {finding['rule']}, fingerprint: {finding['fingerprint']}, "
        f"owner: me, reason: me, expires: {day}}}]\n"
    )
    repo.commit({"aegis.yml": POLICY + waiver})
    assert "verify.wrong_signature" in aegis.gate(repo, "--base", base).ends(1).rules


class TestTrustedRoot:
    POLICY = POLICY.replace("verify:\n", "verify:\n  trusted-root: root.json\n")

    def test_the_bases_is_read_and_another_one_is_told(self, repo: GitRepo, aegis: Command) -> None:
        base = repo.commit({"aegis.yml": self.POLICY, **KEY_0, **SIGNED, "root.json": "{}"})
        repo.commit({"root.json": '{"own": 1}', **CODE})
        done = aegis.gate(repo, "--base", base).ends(1, "root.json is another one")
        evidence = {each["name"]: each["value"] for each in done.json["evidence"]}
        assert evidence["trusted_root"] == sha256(b"{}")

    def test_one_that_only_the_change_has(self, repo: GitRepo, aegis: Command) -> None:
        base = repo.commit({"aegis.yml": self.POLICY, **KEY_0, **SIGNED})
        repo.commit({"root.json": "{}"})
        assert aegis.gate(repo, "--base", base).ends(2).json["reason"] == "verify.key_missing"


class TestLock:
    POLICY = POLICY.replace("signers:", "release: {}, signers:")

    def files(self, version: str) -> dict[str, bytes]:
        return {
            **SIGNED,
            "bin/release.sigstore.json": release(sha256(TOOL), version=version, notAfter="2999-01-01T00:00:00Z"),
        }

    def test_the_bases_lock_judges(self, repo: GitRepo, aegis: Command) -> None:
        base = repo.commit({"aegis.yml": self.POLICY, **KEY_0, **self.files("1.1"), "aegis.lock": lock("1.1")})
        assert aegis.gate(repo, "--base", base).ends(0).json["notices"] == []
        repo.commit({**self.files("1.0"), "aegis.lock": lock("1.0")})
        done = aegis.gate(repo, "--base", base).ends(1, "tool: version 1.0 instead of 1.1")
        assert sorted(done.rules) == ["core.policy_loosened", "verify.rollback"]

    @pytest.mark.parametrize(
        ("after", "words"),
        [
            (None, "no longer locked to version 1.1"),
            ('{"version": 1, "artifacts": {}}', "no longer locked to version 1.1"),
            (lock("1.0.9"), "version 1.0.9 instead of 1.1"),
            (lock("1.1", "1" * 64), "another digest for version 1.1"),
        ],
    )
    def test_it_only_moves_forward(self, repo: GitRepo, aegis: Command, after: str | None, words: str) -> None:
        base = repo.commit({"aegis.yml": self.POLICY, **KEY_0, **self.files("1.1"), "aegis.lock": lock("1.1")})
        repo.commit({"aegis.lock": after, **CODE})
        done = aegis.gate(repo, "--base", base).ends(1)
        assert done.rules == ["core.policy_loosened"]
        assert words in done.messages

    def test_forward_is_fine_beside_anything(self, repo: GitRepo, aegis: Command) -> None:
        base = repo.commit({"aegis.yml": self.POLICY, **KEY_0, **self.files("1.1"), "aegis.lock": lock("1.0")})
        repo.commit({"aegis.lock": lock("1.1"), **CODE})
        aegis.gate(repo, "--base", base).ends(0)

    @pytest.mark.parametrize("after", ["", "{}", "[]", '{"version": 2, "artifacts": {}}', "{" * 9999])
    def test_a_lock_that_the_change_breaks_is_an_error_now(self, repo: GitRepo, aegis: Command, after: str) -> None:
        base = repo.commit({"aegis.yml": self.POLICY, **KEY_0, **self.files("1.1"), "aegis.lock": lock("1.1")})
        repo.commit({"aegis.lock": after})
        assert aegis.gate(repo, "--base", base).ends(2).json["reason"] == "verify.lock_invalid"

    def test_another_lock_file_is_a_loosening(self, repo: GitRepo, aegis: Command) -> None:
        base = repo.commit({"aegis.yml": self.POLICY, **KEY_0, **self.files("1.1"), "aegis.lock": lock("1.1")})
        other = self.POLICY.replace("verify:\n", "verify:\n  lock: empty.lock\n")
        repo.commit({"aegis.yml": other, **self.files("1.0"), "empty.lock": lock("1.0")})
        done = aegis.gate(repo, "--base", base).ends(1, "verify.lock: empty.lock instead of aegis.lock")
        assert "verify.rollback" in done.rules


@pytest.mark.parametrize("path", ["keys/*.pub", ":(top)keys/0.pub", "../key.pub", "/etc/hostname", "keys", "bin/link"])
@pytest.mark.parametrize("on_change", [False, True])
def test_a_key_is_one_tracked_file_of_the_repository(repo: GitRepo, aegis: Command, path: str, on_change: bool) -> None:
    (repo.root.parent / "key.pub").write_bytes(FILES["keys/0.pub"])
    (repo.root / "bin").mkdir(parents=True)
    (repo.root / "bin" / "link").symlink_to("../../key.pub")
    base = repo.commit({"aegis.yml": POLICY.replace("keys/0.pub", f"'{path}'"), **KEY_0, **SIGNED})
    done = aegis.gate(repo, *(["--base", base] if on_change else []))
    assert done.code in {2, 3}
    done.ends(done.code)


def test_a_key_that_git_does_not_track_is_nobodys(repo: GitRepo, aegis: Command) -> None:
    repo.commit({"aegis.yml": POLICY, ".gitignore": "keys/\n", **SIGNED})
    repo.write(KEY_0)
    assert aegis.gate(repo).ends(2).json["reason"] == "verify.key_missing"


def test_a_policy_without_the_section(repo: GitRepo, aegis: Command) -> None:
    base = repo.commit({"aegis.yml": "version: 1\nscan: {}\n"})
    told = aegis.gate(repo).ends(2, "has no section `verify`", "add the section, e.g. by `aegis init --gates …`")
    assert told.json["reason"] == "core.policy_missing"
    repo.commit({"aegis.yml": POLICY, **KEY_0, **SIGNED})
    assert aegis.gate(repo, "--base", base).ends(2, "must be merged first").json["reason"] == "core.policy_missing"
