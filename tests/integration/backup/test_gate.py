"""`aegis backup-check` on a real database: run, verify, check; and each way not to pass, beside the way to pass."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aegis.backup.manifest import dump_manifest, parse_manifest
from aegis.cli.main import main
from tests.doubles import cloud as clouds
from tests.doubles.aws.s3_faults import FOREVER, Fault
from tests.doubles.cloud import ARN, BUCKET, REGION, Cloud
from tests.support.backup.backing_up import Backups, backups
from tests.support.databases.postgres import Server
from tests.support.scan.gitrepo import GitRepo
from tests.support.signing.signing import private, private_pem

PATIENCE = 300
"""Seconds for one command on a busy machine."""
SECTION = """\
  store: store/
  databases:
    - name: orders
      smoke: [{name: items, sql: 'SELECT count(*) = 1000 FROM items'}]
"""
POLICY = f"version: 1\nbackup-check:\n{SECTION}"


@dataclass(frozen=True)
class Verdict:
    """A verdict that a run has printed, and how the run ended."""

    code: int
    document: dict[str, Any]

    @property
    def rules(self) -> list[str]:
        return [finding["rule"].partition(".")[2] for finding in self.document["findings"]]

    @property
    def said(self) -> str:
        return " ".join(finding["message"] for finding in self.document["findings"])

    @property
    def database(self) -> dict[str, Any]:
        (evidence,) = (each["value"] for each in self.document["evidence"] if each["name"] == "databases")
        (found,) = evidence
        return dict(found)


@dataclass(frozen=True)
class Done:
    """A run in a workflow: what it said, and its verdict."""

    code: int
    said: str
    document: dict[str, Any]


@dataclass(frozen=True)
class Gate:
    """A repository with a policy, and the store and database that it is about."""

    repo: GitRepo
    backups: Backups

    def __call__(self, *words: str, **changes: str | None) -> Verdict:
        """A run of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.databases.patient_aegis", "backup-check", "--format=json", *words],
            cwd=self.repo.root,
            # sockets of servers lie in it: a short path
            env=self.backups.surroundings({"TMPDIR": tempfile.gettempdir(), **changes}),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert self.backups.url not in done.stdout + done.stderr
        return Verdict(done.returncode, json.loads(done.stdout))


@pytest.fixture
def gate(postgres: Server, tmp_path: Path) -> Iterator[Gate]:
    with backups(postgres, tmp_path) as made:
        repo = GitRepo.init(tmp_path)
        repo.commit({"aegis.yml": POLICY})
        yield Gate(repo, made)


def test_from_nothing_to_proven_and_on_to_a_restore_that_fails(gate: Gate) -> None:
    nothing = gate()
    assert (nothing.code, nothing.rules) == (1, ["no_backup", "never_proven"])
    taken = gate("--mode=run")
    assert (taken.code, taken.rules) == (1, ["never_proven"])
    proven = gate("--mode=verify")
    assert (proven.code, proven.rules) == (0, []), proven.said
    checked = gate()
    assert (checked.code, checked.document["decision"]) == (0, "PASS")
    (backup,) = (gate.backups.store / "orders").iterdir()
    manifest = proven.database["manifest_sha256"]
    assert proven.database["drill"] | {"seconds": 0, "rto": 0, "engine": "", "isolated": True} == {
        "outcome": "PASS", "reason": "backup_check.proven", "backup": backup.name, "manifest_sha256": manifest,
        "tier": "proof", "equality": "equal", "differences": {}, "smoke": [{"name": "items", "ok": True}],
        "rto": 0, "seconds": 0, "engine": "", "isolated": True,
    }  # fmt: skip
    assert set(proven.database["drill"]["seconds"]) == {"find", "download", "engine", "restore", "compare", "smoke"}
    assert checked.database["proof"]["manifest_sha256"] == manifest
    assert {"name": f"orders/{backup.name}", "digest": {"sha256": manifest}} in checked.document["subject"]
    assert [len(each.database["trend"]["points"]) for each in (proven, checked)] == [1, 1]

    archive = max((each for each in backup.rglob("*") if each.is_file()), key=lambda each: each.stat().st_size)
    flipped = bytearray(archive.read_bytes())
    flipped[len(flipped) // 2] ^= 1
    archive.write_bytes(flipped)
    assert gate().code == 0  # the size is the same, and nobody has restored it since
    refused = gate("--mode=verify")
    assert (refused.code, refused.document["decision"], refused.rules[0]) == (1, "FAIL", "object_damaged")
    assert gate().rules == ["proof_failed", "never_proven"]


def test_a_backup_of_another_database_is_never_held_for_the_one_before(gate: Gate) -> None:
    """It restores and is equal to itself, so its proof would let all later ones pass."""
    assert gate("--mode=run").rules == ["never_proven"]
    assert gate("--mode=verify").code == 0
    other = gate.backups.server.new_database()
    url = gate.backups.server.url(other)
    refused = gate("--mode=run", AEGIS_DATABASE_URL=url)
    assert (refused.code, refused.rules) == (1, ["cluster_other"])
    (own,) = (gate.backups.store / "orders").iterdir()
    named = POLICY.replace("- name: orders\n", f"- name: orders\n      database: {other}\n", 1)
    assert named != POLICY
    gate.repo.commit({"aegis.yml": named})
    assert gate("--mode=run", AEGIS_DATABASE_URL=url).rules == ["dump_empty"]
    gate.repo.commit({"aegis.yml": POLICY})
    for _ in range(2):
        verified = gate("--mode=verify")
        assert (verified.code, verified.rules) == (1, ["cluster_other", "dump_empty"])
        assert verified.database["drill"] is None
    assert [each.name for each in (gate.backups.store / "_records" / "orders").iterdir()] == [own.name]


def test_a_backup_that_cannot_be_taken_is_told_and_the_others_are_looked_at(gate: Gate) -> None:
    failed = gate("--mode=run", AEGIS_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert (failed.code, failed.rules) == (1, ["database_unavailable", "no_backup", "never_proven"])
    unset = gate("--mode=run", AEGIS_DATABASE_URL=None)
    assert (unset.code, unset.document["decision"], unset.rules) == (2, "misconfigured", ["wrong_usage"])


@pytest.fixture(scope="module")
def proven(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store with one backup that is proven."""
    folder = tmp_path_factory.mktemp("proven")
    with backups(postgres, folder) as made:
        gate = Gate(GitRepo.init(folder), made)
        gate.repo.commit({"aegis.yml": POLICY})
        assert gate("--mode=run").rules == ["never_proven"]
        assert gate("--mode=verify").code == 0
        yield made.store


@dataclass(frozen=True)
class Checked:
    """A copy of that store, with a policy of its own."""

    repo: GitRepo
    capsys: pytest.CaptureFixture[str]

    @property
    def store(self) -> Path:
        return self.repo.root / "store"

    @property
    def backup(self) -> Path:
        (found,) = (self.store / "orders").iterdir()
        return found

    @property
    def archive(self) -> Path:
        return max((each for each in self.backup.rglob("*") if each.is_file()), key=lambda each: each.stat().st_size)

    @property
    def record(self) -> Path:
        (found,) = (self.store / "_records").rglob("*.json")
        return found

    def policy(self, text: str) -> None:
        self.repo.commit({"aegis.yml": text})

    def __call__(self, *words: str) -> Verdict:
        """A check in this process."""
        self.capsys.readouterr()
        code = main(["backup-check", str(self.repo.root), "--format=json", *words])
        return Verdict(code, json.loads(self.capsys.readouterr().out))


@pytest.fixture
def checked(proven: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Checked:
    repo = GitRepo.init(tmp_path / "repo")
    (repo.root / ".gitignore").write_text("store/\n", "utf-8")
    shutil.copytree(proven, repo.root / "store", copy_function=shutil.copy2)
    repo.commit({"aegis.yml": POLICY})
    return Checked(repo, capsys)


def truncated(checked: Checked) -> None:
    checked.archive.write_bytes(checked.archive.read_bytes()[:-1])


def lost(checked: Checked) -> None:
    checked.archive.unlink()


def without_manifest(checked: Checked) -> None:
    (checked.backup / "manifest.json").unlink()


def another_manifest(checked: Checked) -> None:
    file = checked.backup / "manifest.json"
    manifest = msgspec.structs.replace(parse_manifest(file.read_bytes()), tool="another")
    file.write_bytes(dump_manifest(manifest))


def without_record(checked: Checked) -> None:
    checked.record.unlink()


def a_record_of_nothing(checked: Checked) -> None:
    checked.record.write_bytes(b"{}")


def all_gone(checked: Checked) -> None:
    shutil.rmtree(checked.backup)


@pytest.mark.parametrize(
    ("fault", "rules"),
    [
        (truncated, ["object_size"]),
        (lost, ["object_missing"]),
        (without_manifest, ["no_backup", "backup_vanished", "never_proven"]),
        (another_manifest, ["manifest_replaced", "never_proven"]),
        (without_record, ["never_proven"]),
        (a_record_of_nothing, ["record_invalid", "never_proven"]),
        (all_gone, ["no_backup", "backup_vanished", "never_proven"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_happens_to_backups_is_seen_without_a_restore(
    checked: Checked, fault: Callable[[Checked], None], rules: list[str]
) -> None:
    assert checked().code == 0
    fault(checked)
    seen = checked()
    assert (seen.code, seen.rules) == (1, rules)
    assert seen.document["decision"] == "FAIL"


def test_a_store_that_is_not_there_is_no_answer(checked: Checked) -> None:
    shutil.rmtree(checked.store)
    seen = checked()
    assert (seen.code, seen.document["decision"]) == (3, "COULD NOT VERIFY")


def test_more_may_be_asked_and_less_may_not(checked: Checked) -> None:
    assert checked("--max-age=25h", "--tier=proof", "--database=orders").code == 0
    assert checked("--tier=full").rules == ["never_proven"]
    for words in (("--max-age=27h",), ("--tier=data",)):
        assert (checked(*words).code, checked(*words).rules) == (2, ["policy_loosened"])
    assert checked("--database=order").code == 2


def test_of_several_databases_one_is_no_answer_about_the_others(checked: Checked) -> None:
    assert checked("--database=orders").document["decision"] == "PASS"
    checked.policy(POLICY + "    - name: mail\n")
    assert checked().code == 1
    one = checked("--database=orders")
    assert (one.code, one.document["result"], one.document["decision"]) == (0, "pass", "PASS OF A PART")
    assert checked("--max-age=soon").code == 2


def test_a_backup_in_plain_text_where_the_policy_names_recipients(
    checked: Checked, capsys: pytest.CaptureFixture[str]
) -> None:
    checked.policy(f"{POLICY}  recipients: [age1{'q' * 58}, age1{'r' * 58}]\n")
    verdict = checked()
    assert (verdict.code, verdict.rules) == (1, ["recipients_differ"])
    assert main(["backup", "check", "--policy", str(checked.repo.root / "aegis.yml")]) == 1
    assert "is not encrypted" in capsys.readouterr().out


def test_the_command_that_reproduces_it_is_the_one_that_was_given(checked: Checked) -> None:
    words = ("--mode=check", "--database=orders", "--max-age=25h", "--tier=full")
    assert checked(*words).document["reproduce"].endswith(" ".join(words))


@pytest.mark.parametrize(
    "section",
    ["  store: store/\n", SECTION + "  recipients: [age1x]\n", SECTION.replace("orders", "or ders"), SECTION * 2],
    ids=["no database", "one recipient", "a name", "twice"],
)
def test_a_policy_that_is_none(checked: Checked, section: str) -> None:
    checked.policy(f"version: 1\nbackup-check:\n{section}")
    seen = checked()
    assert (seen.code, seen.document["decision"]) == (2, "misconfigured")


def test_a_policy_without_the_section(checked: Checked) -> None:
    checked.policy("version: 1\n")
    assert (checked().code, checked().rules) == (2, ["policy_missing"])


class TestChanges:
    """On a change the base's policy counts."""

    looser = POLICY.replace("- name: orders", "- name: orders\n      max-age: 90d")

    def test_the_policy_is_not_loosened_by_the_way(self, checked: Checked) -> None:
        base = checked.repo.git("rev-parse", "HEAD")
        checked.repo.commit({"aegis.yml": self.looser, "src/app.py": "x = 1\n"})
        seen = checked(f"--base={base}")
        assert (seen.code, seen.rules) == (1, ["policy_loosened"])
        assert "backup-check.databases.orders.max-age: 90d instead of 26h" in seen.said
        assert seen.document["policy"]["effective"]["databases"][0]["max-age"] == "26h"

    def test_alone_it_is_told(self, checked: Checked) -> None:
        base = checked.repo.git("rev-parse", "HEAD")
        checked.repo.commit({"aegis.yml": self.looser})
        seen = checked(f"--base={base}")
        assert (seen.code, seen.rules) == (0, [])
        assert any("90d instead of 26h" in notice for notice in seen.document["notices"])

    def test_another_key_is_another_signer(self, checked: Checked) -> None:
        signed = f"{POLICY}  signers: [{{key: keys/a.pub}}]\n"
        checked.repo.commit({"aegis.yml": signed, "keys/a.pub": public(0)})
        base = checked.repo.git("rev-parse", "HEAD")
        checked.repo.commit({"keys/a.pub": public(1), "src/app.py": "x = 1\n"})
        seen = checked(f"--base={base}")
        assert "policy_loosened" in seen.rules
        assert "backup-check: keys/a.pub is another one" in seen.said


def public(number: int) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = private("ecdsa-p256", number).public_key()
    return bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def test_a_manifest_that_must_be_signed_and_is_not(checked: Checked) -> None:
    checked.repo.commit({"aegis.yml": f"{POLICY}  signers: [{{key: keys/a.pub}}]\n", "keys/a.pub": public(0)})
    seen = checked()
    assert (seen.code, seen.document["decision"]) == (1, "FAIL")
    assert seen.rules[0] == "unsigned"


def test_signed_by_whom_the_policy_names(gate: Gate) -> None:
    key = gate.repo.root / "signing.pem"
    key.write_bytes(private_pem(private("ecdsa-p256", 0), None))
    signed = f"{POLICY}  signers: [{{key: keys/a.pub}}]\n"
    gate.repo.commit({"aegis.yml": signed, "keys/a.pub": public(0), ".gitignore": "*.pem\nstore/\n"})
    assert gate("--mode=run").code == 2  # nobody signs there
    assert gate.backups.run("run", f"--key={key}").code == 0
    assert gate().rules == ["never_proven"]
    verified = gate("--mode=verify")
    assert verified.code == 0, verified.said
    gate.repo.commit({"keys/a.pub": public(1)})
    assert "wrong_key" in gate().rules
    drilled = gate("--mode=verify")
    assert (drilled.code, drilled.database["drill"]["reason"]) == (1, "verify.wrong_key")


def test_waived_and_observed(checked: Checked) -> None:
    without_record(checked)
    (finding,) = checked().document["findings"]
    waiver = (
        f"waivers: [{{gate: backup-check, rule: {finding['rule']}, fingerprint: {finding['fingerprint']}, owner: me,"
        " reason: first drill is next week, expires: 2999-01-01}]\n"
    )
    checked.policy(POLICY + waiver)
    assert checked().rules == ["never_proven", "waiver_invalid"]  # for too long
    checked.policy(POLICY.replace("version: 1\n", "version: 1\nmode: observe until 2999-01-01\n"))
    observed = checked()
    assert (observed.document["decision"], observed.document["observe"]) == ("observed", True)


def test_every_form_and_every_file(checked: Checked, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for form, word in {
        "text": "backup-check: PASS",
        "markdown": "| orders | PASS | PROOF, equal |",
        "sarif": "2.1.0",
    }.items():
        capsys.readouterr()
        assert main(["backup-check", str(checked.repo.root), f"--format={form}", f"--output={tmp_path / form}"]) == 0
        assert word in capsys.readouterr().out
        subjects = (tmp_path / form / "subjects.txt").read_text("utf-8")
        assert f"orders/{checked.backup.name}" in subjects


def test_with_all_gates_it_only_checks(checked: Checked, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    capsys.readouterr()
    assert main(["all", str(checked.repo.root), f"--output={tmp_path / 'out'}"]) == 0
    assert (tmp_path / "out" / "backup-check" / "verdict.json").is_file()
    assert not (tmp_path / "out" / "scan").exists()
    assert "| orders | PASS |" in (tmp_path / "out" / "summary.md").read_text("utf-8")
    lost(checked)
    assert main(["all", str(checked.repo.root)]) == 1
    assert "backup_check.object_missing" in capsys.readouterr().out


def test_in_a_workflow(checked: Checked, tmp_path: Path) -> None:
    payload = tmp_path / "event.json"
    payload.write_text("{}", "utf-8")
    files = {name: tmp_path / name for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    for file in files.values():
        file.touch()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "GITHUB_WORKSPACE": str(checked.repo.root),
        "GITHUB_EVENT_NAME": "schedule",
        "GITHUB_EVENT_PATH": str(payload),
        "GITHUB_REPOSITORY": "octo/widgets",
        "AEGIS_INPUT_UPLOAD": "never",
        "AEGIS_INPUT_OUTPUT": "out",
        **{name: str(path) for name, path in files.items()},
    }
    done = subprocess.run(
        [sys.executable, "-m", "aegis", "backup-check", "--github"],
        env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| orders | PASS |" in files["GITHUB_STEP_SUMMARY"].read_text("utf-8")
    assert "\nPASS\n" in files["GITHUB_OUTPUT"].read_text("utf-8")
    assert (checked.repo.root / "out" / "verdict.json").is_file()


class TestInAWorkflow:
    """By the job's own OIDC token, over an S3 that allows just what the session's policy does."""

    @pytest.fixture
    def cloud(self, proven: Path) -> Iterator[Cloud]:
        with clouds.cloud() as running:
            files = [file for file in proven.rglob("*") if file.is_file()]
            running.put({f"db/{file.relative_to(proven)}": file.read_bytes() for file in files})
            yield running

    def run(self, checked: Checked, cloud: Cloud, event: str = "schedule", **inputs: str) -> Done:
        aws = json.dumps({"region": REGION, "role": ARN, **cloud.places})
        section = SECTION.replace("store/", f"s3://{BUCKET}/db/")
        checked.repo.commit({"aegis.yml": f"version: 1\nbackup-check:\n{section}  aws: {aws}\n"})
        outside = checked.repo.root.parent
        commit = checked.repo.git("rev-parse", "HEAD")
        change = {
            "number": 7,
            "head": {"ref": "change", "sha": commit, "repo": {"full_name": "stranger/shop"}},
            "base": {"ref": "main", "sha": commit, "repo": {"full_name": "octo/shop"}},
        }
        payload = {"pull_request": change} if event == "pull_request" else {}
        (outside / "event.json").write_text(json.dumps(payload), "utf-8")
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(outside),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(checked.repo.root),
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(outside / "event.json"),
            "GITHUB_REPOSITORY": "octo/shop",
            "AEGIS_INPUT_UPLOAD": "never",
            "AEGIS_INPUT_OUTPUT": "out",
            **(cloud.job if event == "schedule" else {}),
            **{f"AEGIS_INPUT_{name}": value for name, value in inputs.items()},
        }
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.databases.patient_aegis", "backup-check", "--github"],
            env=environ, cwd=outside, capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
        said = re.sub(r"^::add-mask::.*$", "", done.stdout + done.stderr, flags=re.MULTILINE)
        told = said + "".join(file.read_text("utf-8") for file in (checked.repo.root / "out").iterdir())
        assert not [secret for secret in cloud.secrets if secret in told]
        return Done(done.returncode, said, json.loads((checked.repo.root / "out" / "verdict.json").read_text("utf-8")))

    def test_a_check_reads_and_writes_nothing(self, checked: Checked, cloud: Cloud) -> None:
        done = self.run(checked, cloud)
        assert done.code == 0, done.said
        operations = {each.operation for each in cloud.s3.asked}
        assert operations <= {"ListObjectsV2", "ListObjectVersions", "HeadObject", "GetObject"}
        assert not [key for key in cloud.read() if "/dump" in key]

    def test_a_restore_adds_a_record_and_nothing_else(self, checked: Checked, cloud: Cloud) -> None:
        before = set(cloud.s3.buckets[BUCKET])
        done = self.run(checked, cloud, MODE="verify")
        assert done.code == 0, done.said
        (added,) = set(cloud.s3.buckets[BUCKET]) - before
        assert re.fullmatch(rf"db/_records/orders/{checked.backup.name}/[0-9]{{8}}T[0-9]{{6}}Z-PASS\.json", added)

    def test_a_restore_that_cannot_be_remembered_is_no_pass(self, checked: Checked, cloud: Cloud) -> None:
        cloud.s3.faults = [Fault("PutObject", status=503, times=FOREVER)]
        done = self.run(checked, cloud, MODE="verify")
        assert (done.code, done.document["decision"]) == (3, "COULD NOT VERIFY")

    def test_a_run_for_a_fork_has_no_answer(self, checked: Checked, cloud: Cloud) -> None:
        done = self.run(checked, cloud, "pull_request")
        assert (done.code, done.document["decision"]) == (3, "COULD NOT VERIFY"), done.said
        assert done.document["reason"] == "verify.no_id_token_fork"
        assert cloud.s3.asked == []

    def test_another_job_gets_no_credentials(self, checked: Checked, cloud: Cloud) -> None:
        cloud.trust(repository="octo/other")
        done = self.run(checked, cloud)
        assert (done.code, done.document["decision"]) == (3, "COULD NOT VERIFY")
        assert cloud.s3.asked == []
