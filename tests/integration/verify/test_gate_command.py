"""`aegis verify` and `aegis all` on real repositories: answers, exit codes, files, and whose fault it was."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from aegis.cli.verify import answer as verify_answer
from aegis.cli.verify.options import VerifyOptions
from aegis.core.verdict import exit_code
from tests.doubles.sigstore.signer import AT, IDENTITY, ISSUER, PrivateSigstore
from tests.integration.verify.command import Command
from tests.support.scan.gitrepo import HERMETIC, GitRepo
from tests.support.signing.signing import dump
from tests.support.signing.verifying import (
    FILES,
    KEYS,
    MODEL,
    SLSA,
    root_of,
    sha256,
    signed_file,
    signed_model,
    statement_about,
)

ROOT = Path(__file__).resolve().parents[3]
TOOL = b"a tool\n"
PUBLIC = {f"keys/{number}.pub": FILES[f"keys/{number}.pub"] for number in (0, 1)}
POLICY = f"""\
version: 1
verify:
  signers: [{{key: keys/0.pub}}]
  artifacts:
    - {{name: tool, kind: file, source: bin/tool}}
    - {{name: files, kind: file, source: files/}}
    - {{name: model, kind: model, source: models/m/}}
    - {{name: sharded, kind: model, source: ./models/s/}}
    - {{name: said, kind: attestation, source: bin/said, predicate-types: ['{SLSA}']}}
    - {{name: root, kind: attestation, source: models/r/, predicate-types: ['{SLSA}']}}
"""
EVERYTHING: dict[str, bytes | str] = {
    "aegis.yml": POLICY,
    **PUBLIC,
    **signed_file("bin/tool", TOOL),
    **signed_file("files/a", b"a"),
    **signed_file("files/sub/b", b"b"),
    **signed_model("models/m/"),
    **signed_model("models/s/", shard_size=100),
    "bin/said": b"said",
    "bin/said.sigstore.json": statement_about(sha256(b"said")),
    **{f"models/r/{name}": content for name, content in MODEL.items()},
    "models/r/attestation.sigstore.json": statement_about(root_of(MODEL)),
}


def test_every_kind_of_a_repository(tmp_path: Path, repo: GitRepo, aegis: Command) -> None:
    repo.commit(EVERYTHING)
    done = aegis.gate(repo, "--output", tmp_path / "out").ends(0)
    assert [subject["name"] for subject in done.json["subject"][1:]] == [
        "tool", "files", "model", "sharded", "said", "root",
    ]  # fmt: skip
    assert json.loads((tmp_path / "out" / "verdict.json").read_text()) == done.json
    assert {file.name for file in (tmp_path / "out").iterdir()} >= {"predicate.json", "subjects.txt", "summary.md"}


@pytest.mark.parametrize("form", ["text", "json", "sarif", "markdown"])
def test_every_form(repo: GitRepo, aegis: Command, form: str) -> None:
    repo.commit({**EVERYTHING, "bin/tool": "evil"})
    done = aegis("verify", "--path", repo.root, "--format", form).ends(1)
    if form in {"json", "sarif"}:
        json.loads(done.out)
    assert "verify.wrong_signature" in done.out.replace("&#95;", "_")


def test_all_reasons_at_once(repo: GitRepo, aegis: Command) -> None:
    repo.commit(
        {
            **EVERYTHING,
            "bin/tool": "evil",
            "files/extra": "x",
            "models/m/extra": "x",
            "models/s/config.json": "[]\n",
            "bin/said": "other",
            "models/r/extra": "x",
        }
    )
    assert sorted(aegis.gate(repo).ends(1).rules) == [
        "verify.attestation_subject", "verify.attestation_subject", "verify.file_differs", "verify.file_unsigned",
        "verify.unsigned", "verify.wrong_signature",
    ]  # fmt: skip


def test_hostile_trees_of_the_repository(repo: GitRepo, aegis: Command) -> None:
    repo.commit(EVERYTHING)
    (repo.root / "models/m/link").symlink_to("config.json")
    assert aegis.gate(repo).ends(1).rules == ["verify.symlink"]
    (repo.root / "models/m/link").unlink()
    (repo.root / "bin/tool").unlink()
    (repo.root / "bin/tool").symlink_to("said")
    assert aegis.gate(repo).ends(1).rules == ["verify.symlink"]


def test_what_is_not_there_is_missing_and_hides_nothing(repo: GitRepo, aegis: Command) -> None:
    files = {name: data for name, data in EVERYTHING.items() if not name.startswith("models/m/") and name != "bin/tool"}
    repo.commit(files)
    done = aegis.gate(repo)
    done.ends(done.code)
    assert done.code in {1, 3}
    assert len(done.rules) == 2
    assert len(done.json["subject"]) == 5


def test_a_hostile_name_stays_in_its_line(repo: GitRepo, aegis: Command) -> None:
    repo.commit(EVERYTHING)
    (repo.root / "models/m/x\n::set-output name=a::b\x1b[31m").write_text("x")
    said = aegis("verify", "--path", repo.root).ends(1, "verify.unsafe_name").said
    assert "\n::set-output" not in said
    assert "\x1b" not in said


def test_nothing_is_written_below_the_repository(repo: GitRepo, aegis: Command) -> None:
    repo.commit(EVERYTHING)
    before = sorted(repo.root.rglob("*"))
    aegis.gate(repo).ends(0)
    assert sorted(repo.root.rglob("*")) == before


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ("verify: {}", "verify.policy_incomplete"),
        ("verify: {artifacts: [{name: a, kind: file, source: x}]}", "verify.policy_incomplete"),
        ("verify: {artifacts: [{name: a, kind: file, source: 's3://bkt/x', signers: [{key: keys/0.pub}]}]}",
         "verify.policy_incomplete"),
        ("verify: {artifacts: [{name: a, kind: file, source: x, signers: [{key: keys/9.pub}]}]}", "verify.key_missing"),
        ("verify: {artifacts: [{name: a, kind: file, source: x, signers: [{key: aegis.yml}]}]}", "verify.key_invalid"),
        ("verify: {artifacts: [{name: a, kind: file, source: x, signers: [{certificate: keys/0.pub}]}]}",
         "verify.key_invalid"),
        ("verify: {artifacts: [{name: a, kind: file, source: /etc/../x, signers: [{key: keys/0.pub}]}]}",
         "verify.source_invalid"),
        ("verify: {artfacts: []}", "core.policy_invalid"),
    ],
)  # fmt: skip
def test_wrong_policies_are_usage_errors(repo: GitRepo, aegis: Command, section: str, reason: str) -> None:
    repo.commit({"aegis.yml": f"version: 1\n{section}\n", **PUBLIC})
    done = aegis.gate(repo).ends(2)
    assert (done.json["decision"], done.json["reason"]) == ("misconfigured", reason)


@pytest.mark.parametrize("arguments", [("--format", "xml"), ("--shard", "1/2", "--base"), ("extra",), ("--polic", "x")])
def test_wrong_arguments(repo: GitRepo, aegis: Command, arguments: tuple[str, ...]) -> None:
    aegis("verify", "--path", repo.root, *arguments).ends(2)


class TestVariable:
    POLICY = POLICY.replace("keys/0.pub", "env:COSIGN_PUB_KEY")

    def test_each_form(self, repo: GitRepo, aegis: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        repo.commit({**EVERYTHING, "aegis.yml": self.POLICY})
        done = aegis.gate(repo).ends(2, "COSIGN_PUB_KEY")
        assert done.json["reason"] == "verify.key_missing"
        text = FILES["keys/0.pub"].decode()
        for form in (text, base64.b64encode(text.encode()).decode(), "keys/0.pub", "keys/0.pub\n"):
            monkeypatch.setenv("COSIGN_PUB_KEY", form)
            aegis.gate(repo).ends(0)
        monkeypatch.setenv("COSIGN_PUB_KEY", "keys/1.pub")
        assert set(aegis.gate(repo).ends(1).rules) == {"verify.wrong_key"}

    def run(self, repo: GitRepo, tmp_path: Path, **environ: str) -> Any:
        base = repo.commit({**EVERYTHING, "aegis.yml": self.POLICY})
        head = repo.commit({"README.md": "x\n"})
        fork = environ.pop("fork", "octo/shop")
        payload = {
            "number": 7,
            "pull_request": {
                "number": 7,
                "base": {"ref": "main", "sha": base, "repo": {"full_name": "octo/shop"}},
                "head": {"ref": "change", "sha": head, "repo": {"full_name": fork} if fork else None},
            },
        }
        (tmp_path / "event.json").write_text(json.dumps(payload))
        environment = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
            "GITHUB_REPOSITORY": "octo/shop",
            "GITHUB_WORKSPACE": str(repo.root),
            "GITHUB_SHA": head,
            **environ,
        }
        return verify_answer.answer(VerifyOptions.from_inputs(environment), environment)

    @pytest.mark.parametrize("who", [{"fork": "eve/shop"}, {"fork": ""}, {"GITHUB_ACTOR": "dependabot[bot]"}])
    def test_a_fork_gets_no_secrets_which_is_no_mistake_of_its_author(
        self, repo: GitRepo, tmp_path: Path, who: dict[str, str]
    ) -> None:
        verdict = self.run(repo, tmp_path, **who)
        assert (exit_code(verdict), verdict.reason) == (3, "verify.key_missing")
        assert verdict.decision == "could-not-decide"
        assert "no secrets" in verdict.findings[0].message

    def test_ones_own_branch_without_it_is_wrong_configuration(self, repo: GitRepo, tmp_path: Path) -> None:
        verdict = self.run(repo, tmp_path)
        assert (exit_code(verdict), verdict.reason) == (2, "verify.key_missing")

    def test_the_input_is_enough_for_both(self, repo: GitRepo, tmp_path: Path) -> None:
        key = FILES["keys/0.pub"].decode()
        assert exit_code(self.run(repo, tmp_path, fork="eve/shop", AEGIS_INPUT_COSIGN_PUB_KEY=key)) == 0

    def test_the_environment_of_a_workflow_is_not_its_input(
        self, repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COSIGN_PUB_KEY", FILES["keys/0.pub"].decode())
        assert exit_code(self.run(repo, tmp_path)) == 2


class TestKeyless:
    """The gate with a trusted root of the repository."""

    def policy(self, signer: str) -> str:
        return (
            f"version: 1\nverify:\n  trusted-root: root.json\n  artifacts:\n    - name: tool\n      kind: file\n"
            f"      source: bin/tool\n      signers: [{{{signer}, issuer: '{ISSUER}'}}]\n"
        )

    def files(self, own: PrivateSigstore, signer: str) -> dict[str, bytes | str]:
        bundle = dump(own.sign_file(TOOL))
        root = own.trusted_root()
        return {"aegis.yml": self.policy(signer), "root.json": root, "bin/tool": TOOL, "bin/tool.sigstore.json": bundle}

    @pytest.mark.parametrize(
        ("signer", "rules"),
        [
            (f"identity: '{IDENTITY}'", []),
            (f"identity: '{IDENTITY}', claims: {{repository-id: '700000001'}}, deny-self-hosted: true", []),
            (f"identity: '{IDENTITY}', claims: {{repository-id: '700000002'}}", ["verify.wrong_claim"]),
            (f"identity: '{IDENTITY}x'", ["verify.wrong_identity"]),
            (f"identity-pattern: '^{IDENTITY.replace('.', chr(92) + '.')}$'", []),
        ],
    )  # fmt: skip
    def test_whom_the_policy_names(self, repo: GitRepo, aegis: Command, signer: str, rules: list[str]) -> None:
        repo.commit(self.files(PrivateSigstore(), signer))
        done = aegis.gate(repo).ends(1 if rules else 0)
        assert done.rules == rules

    def test_the_root_beside_the_artifact_is_nobodys(self, repo: GitRepo, aegis: Command) -> None:
        own = PrivateSigstore()
        files = self.files(own, f"identity: '{IDENTITY}'")
        repo.commit({**files, "root.json": PrivateSigstore().trusted_root(), "bin/root.json": own.trusted_root()})
        assert aegis.gate(repo).ends(1).rules[0] in {"verify.unknown_trust_key", "verify.certificate_untrusted"}

    def test_unsigned_names_the_keyless_line(self, repo: GitRepo, aegis: Command) -> None:
        files = self.files(PrivateSigstore(), f"identity: '{IDENTITY}'")
        del files["bin/tool.sigstore.json"]
        repo.commit(files)
        assert "aegis sign file FILE --keyless, then" in aegis.gate(repo).ends(1).remedies

    def test_it_is_a_signer_beside_a_key(self, repo: GitRepo, aegis: Command) -> None:
        own = PrivateSigstore()
        text = self.policy(f"identity: '{IDENTITY}'").replace("signers: [", "signers: [{key: keys/0.pub}, ")
        text += "      threshold: 2\n      signatures: ['*.sigstore.json', '*.key.json']\n"
        files = self.files(own, "identity: x")
        by_key = signed_file("bin/tool", TOOL, KEYS[0])["bin/tool.sigstore.json"]
        repo.commit({**files, **PUBLIC, "aegis.yml": text, "bin/tool.key.json": by_key})
        aegis.gate(repo).ends(0)
        again = dump(own.sign_file(TOOL, at=AT))
        repo.commit({"bin/tool.key.json": again})
        assert aegis.gate(repo).ends(1).rules == ["verify.too_few_signers"]


def judged(whole: dict[str, Any]) -> list[str]:
    """The gates that were run; each of the others has to say why not."""
    rest = [each for each in whole["evidence"] if each["value"]["result"] == "not-run"]
    assert all(each["value"]["why"] for each in rest)
    return [each["name"] for each in whole["evidence"] if each not in rest]


class TestAll:
    SCAN = "scan: {}\n"

    def run(self, aegis: Command, repo: GitRepo, out: Path) -> tuple[int, dict[str, Any]]:
        done = aegis("all", repo.root, "--output", out)
        done.ends(done.code)
        return done.code, json.loads((out / "verdict.json").read_text())

    def test_both(self, tmp_path: Path, repo: GitRepo, aegis: Command) -> None:
        repo.commit({**EVERYTHING, "aegis.yml": POLICY + self.SCAN})
        code, whole = self.run(aegis, repo, tmp_path / "out")
        assert (code, whole["gate"]) == (0, "all")
        assert judged(whole) == ["scan", "verify"]
        assert (tmp_path / "out/scan/verdict.json").exists()
        assert (tmp_path / "out/verify/verdict.json").exists()
        repo.commit({"bin/tool": "evil"})
        code, whole = self.run(aegis, repo, tmp_path / "out")
        assert (code, [finding["rule"] for finding in whole["findings"]]) == (1, ["verify.wrong_signature"])

    @pytest.mark.parametrize(("policy", "gate"), [(POLICY, "verify"), ("version: 1\nscan: {}\n", "scan")])
    def test_only_one(self, tmp_path: Path, repo: GitRepo, aegis: Command, policy: str, gate: str) -> None:
        repo.commit({**EVERYTHING, "aegis.yml": policy})
        code, whole = self.run(aegis, repo, tmp_path / "out")
        assert (code, judged(whole)) == (0, [gate])

    def test_none(self, tmp_path: Path, repo: GitRepo, aegis: Command) -> None:
        repo.commit({"aegis.yml": "version: 1\nmode: enforce\nwaivers: []\n"})
        code, whole = self.run(aegis, repo, tmp_path / "out")
        assert code == 2
        assert whole["result"] == "error"

    def test_a_broken_policy_is_one_finding(self, tmp_path: Path, repo: GitRepo, aegis: Command) -> None:
        repo.commit({"aegis.yml": POLICY + "scan: {strikt: true}\n"})
        code, whole = self.run(aegis, repo, tmp_path / "out")
        assert (code, len(whole["findings"])) == (2, 1)
        assert (whole["findings"][0]["line"], whole["findings"][0]["column"]) == (11, 8)

    def test_wrong_configuration_of_one_counts_more_than_a_refusal_of_the_other(
        self, tmp_path: Path, repo: GitRepo, aegis: Command
    ) -> None:
        broken = POLICY.replace("keys/0.pub", "keys/9.pub") + self.SCAN
        repo.commit({**EVERYTHING, "aegis.yml": broken})
        code, whole = self.run(aegis, repo, tmp_path / "out")
        assert (code, whole["reason"]) == (2, "verify.key_missing")


WITHOUT_PACKAGES = textwrap.dedent(
    """
    import sys

    class Blocker:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in {"cryptography", "sigstore", "botocore", "obstore", "oci", "pydantic", "yarl"}:
                raise ModuleNotFoundError(name, name=name)

    sys.meta_path.insert(0, Blocker())
    from aegis.cli.main import main
    sys.exit(main(sys.argv[1:]))
    """
)


class TestWithoutPackages:
    """The environment of another gate: it has none of what verify needs."""

    def run(self, repo: GitRepo, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_PACKAGES, *arguments],
            cwd=repo.root,
            env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin", "HOME": str(repo.root.parent), **HERMETIC},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        return done.returncode, done.stdout + done.stderr

    def test_a_policy_without_verify_does_not_need_them(self, repo: GitRepo) -> None:
        repo.commit({"aegis.yml": "version: 1\nscan: {}\n"})
        assert self.run(repo, "all")[0] == 0

    def test_a_policy_with_verify_is_red(self, repo: GitRepo) -> None:
        repo.commit({**EVERYTHING, "aegis.yml": POLICY + "scan: {}\n"})
        for command in (("all",), ("verify",)):
            code, said = self.run(repo, *command)
            assert code == 3, said
            assert "verify: COULD NOT DECIDE" in said or "all: COULD NOT DECIDE" in said

    def test_without_a_policy_it_is_still_wrong_usage(self, repo: GitRepo) -> None:
        repo.commit({"README.md": "x"})
        assert self.run(repo, "verify")[0] == 2
