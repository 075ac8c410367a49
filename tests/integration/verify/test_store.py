"""The gate over an S3 that checks signatures of requests: versions, faults, earlier verdicts, shards."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.doubles.aws import s3 as doubles
from tests.doubles.aws.s3 import S3, Key, serve
from tests.integration.verify.command import Command, Done, write_key
from tests.support.scan.gitrepo import HERMETIC, GitRepo
from tests.support.signing.verifying import FILES, MODEL, SLSA, sha256, signed_file, signed_model, statement_about

ROOT = Path(__file__).resolve().parents[3]
TOOL = b"a tool\n" * 1000
LARGE = {"weights.bin": bytes(range(256)) * 1000, "config.json": b"{}"}
PUBLIC = {f"keys/{number}.pub": FILES[f"keys/{number}.pub"] for number in (0, 3)}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    for name, value in (
        ("AWS_ACCESS_KEY_ID", doubles.ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", doubles.SECRET_KEY),
        ("AWS_SESSION_TOKEN", doubles.TOKEN),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ):
        monkeypatch.setenv(name, value)
    with serve(S3()) as service:
        put(service, {**signed_file("tool.bin", TOOL), **signed_model(), **signed_model("s/", LARGE, shard_size=1000)})
        put(service, {"said.bin": b"said", "said.bin.sigstore.json": statement_about(sha256(b"said"))})
        yield service


def put(s3: S3, objects: dict[str, bytes]) -> None:
    for key, content in objects.items():
        s3.put(key, content)


def policy(s3: S3, more: str = "") -> str:
    return f"""\
version: 1
verify:
  aws: {{region: {s3.region}, s3-endpoint: '{s3.address}'}}
  signers: [{{key: keys/0.pub}}]
  artifacts:
    - {{name: tool, kind: file, source: 's3://models/tool.bin'}}
    - {{name: model, kind: model, source: 's3://models/m/'}}
    - {{name: sharded, kind: model, source: 's3://models/s/'}}
    - {{name: said, kind: attestation, source: 's3://models/said.bin', predicate-types: ['{SLSA}']}}
    - {{name: tool-again, kind: file, source: 's3://models/tool.bin'}}
{more}"""


EARLIER = "  earlier: {source: 's3://models/verdicts/', signers: [{key: keys/3.pub}]}\n"
SIZES = sum(map(len, [TOOL, TOOL, b"said", *MODEL.values(), *LARGE.values()]))
"""Bytes of all artifacts; one of them is asked for twice."""


def artifacts_read(s3: S3) -> Counter[str]:
    names = [each.key for each in s3.asked if each.operation == "GetObject"]
    return Counter(name for name in names if not name.endswith((".sigstore.json", ".sig", "verdict.json")))


def test_each_object_is_fetched_once_for_each_artifact(s3: S3, repo: GitRepo, aegis: Command) -> None:
    repo.commit({"aegis.yml": policy(s3), **PUBLIC})
    aegis.gate(repo).ends(0)
    read = artifacts_read(s3)
    assert read.pop("tool.bin") == 2
    assert set(read.values()) == {1}
    assert set(read) == {"said.bin", *(f"m/{name}" for name in MODEL), *(f"s/{name}" for name in LARGE)}


def test_no_secret_is_told_and_no_credentials_are_no_pass(
    s3: S3, repo: GitRepo, aegis: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.commit({"aegis.yml": policy(s3), **PUBLIC})
    assert doubles.SECRET_KEY not in aegis.gate(repo).said
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    done = aegis.gate(repo).ends(3)
    assert set(done.rules) == {"verify.store_denied"}
    assert "another-secret" not in done.said
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    assert set(aegis.gate(repo).ends(3).rules) == {"verify.no_credentials"}


class Fenced(Key):
    """May read everything but one object."""

    def allowed(self, access_key: str, action: str, resource_arn: str, context: Mapping[str, str]) -> bool:
        return not resource_arn.endswith("/said.bin")


def test_a_refusal_beside_a_store_that_denies(s3: S3, repo: GitRepo, aegis: Command) -> None:
    repo.commit({"aegis.yml": policy(s3), **PUBLIC})
    s3.authorizer = Fenced()
    assert aegis.gate(repo).ends(3).rules == ["verify.store_denied"]
    put(s3, {"tool.bin": b"evil"})
    done = aegis.gate(repo).ends(1)
    assert sorted(done.rules) == ["verify.store_denied", "verify.wrong_signature", "verify.wrong_signature"]
    assert {finding["cause"] for finding in done.json["findings"]} == {"artifact", "could-not-decide"}


def test_the_region_has_to_be_said(s3: S3, repo: GitRepo, aegis: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit({"aegis.yml": policy(s3).replace(f"region: {s3.region}, ", ""), **PUBLIC})
    assert aegis.gate(repo).ends(2).json["reason"] == "verify.policy_incomplete"
    monkeypatch.setenv("AWS_REGION", s3.region)
    aegis.gate(repo).ends(0)


class TestEarlier:
    @pytest.fixture
    def signed(self, s3: S3, repo: GitRepo, tmp_path: Path, aegis: Command) -> Path:
        """A first verdict, signed as a workflow on the main branch does it."""
        repo.commit({"aegis.yml": policy(s3, EARLIER), **PUBLIC})
        aegis.gate(repo, "--output", tmp_path / "out").ends(0)
        self.sign(tmp_path / "out", aegis, s3)
        return tmp_path / "out"

    def sign(self, out: Path, aegis: Command, s3: S3, number: int = 3) -> None:
        key = write_key(out.parent, number=number)
        aegis("sign", "file", out / "verdict.json", "--key", key).ends(0)
        self.upload(out, s3)

    def upload(self, out: Path, s3: S3) -> None:
        for name in ("verdict.json", "verdict.json.sigstore.json"):
            s3.put(f"verdicts/{name}", (out / name).read_bytes())

    def again(self, s3: S3, repo: GitRepo, aegis: Command, code: int = 0) -> Done:
        s3.asked.clear()
        return aegis.gate(repo).ends(code)

    def test_nothing_is_read_of_what_is_unchanged(self, signed: Path, s3: S3, repo: GitRepo, aegis: Command) -> None:
        done = self.again(s3, repo, aegis)
        assert artifacts_read(s3) == Counter()
        evidence = {each["name"]: each["value"] for each in done.json["evidence"]}
        digest = sha256((signed / "verdict.json").read_bytes())
        assert evidence["earlier"] == digest
        assert {each["reused"] for each in evidence["artifacts"]} == {digest}
        assert any("5 unchanged artifacts were not read again" in notice for notice in done.json["notices"])

    def test_as_actions_attest_writes_it(self, signed: Path, s3: S3, repo: GitRepo, aegis: Command) -> None:
        kind = "https://in-toto.io/attestation/test-result/v0.1"
        bundle = signed / "verdict.json.sigstore.json"
        said = ("--predicate", signed / "predicate.json", "--type", kind, "--bundle", bundle)
        key = write_key(signed.parent, number=3)
        aegis("sign", "attestation", signed / "verdict.json", "--key", key, *said).ends(0)
        self.upload(signed, s3)
        self.again(s3, repo, aegis)
        assert artifacts_read(s3) == Counter()

    def test_only_what_changed_is_read(self, signed: Path, s3: S3, repo: GitRepo, aegis: Command) -> None:
        put(s3, {"tool.bin": TOOL})
        self.again(s3, repo, aegis)
        assert artifacts_read(s3) == Counter({"tool.bin": 2})
        put(s3, {"tool.bin": b"evil"})
        assert set(self.again(s3, repo, aegis, 1).rules) == {"verify.wrong_signature"}

    def test_a_tampered_or_strange_verdict_is_told_and_all_is_read(
        self, signed: Path, s3: S3, repo: GitRepo, aegis: Command
    ) -> None:
        s3.put("verdicts/verdict.json", (signed / "verdict.json").read_bytes() + b" ")
        done = self.again(s3, repo, aegis)
        assert any("does not count" in notice for notice in done.json["notices"])
        assert len(artifacts_read(s3)) > 3
        self.sign(signed, aegis, s3, number=0)
        self.again(s3, repo, aegis)
        assert len(artifacts_read(s3)) > 3

    def test_a_verdict_of_another_policy(self, signed: Path, s3: S3, repo: GitRepo, aegis: Command) -> None:
        text = policy(s3, EARLIER).replace("[{key: keys/0.pub}]", "[{key: keys/0.pub}, {key: keys/3.pub}]")
        repo.commit({"aegis.yml": text})
        self.again(s3, repo, aegis)
        assert len(artifacts_read(s3)) > 3

    def test_a_first_policys_verdict_answers_nothing(
        self, s3: S3, repo: GitRepo, tmp_path: Path, aegis: Command
    ) -> None:
        base = repo.commit({"README.md": "x"})
        repo.commit({"aegis.yml": policy(s3, EARLIER), **PUBLIC})
        done = aegis.gate(repo, "--base", base, "--output", tmp_path / "out").ends(0)
        assert done.json["bootstrap"] is True
        self.sign(tmp_path / "out", aegis, s3)
        self.again(s3, repo, aegis)
        assert len(artifacts_read(s3)) > 3


class TestShards:
    def plan(self, repo: GitRepo, aegis: Command, count: int) -> dict[str, object]:
        return aegis("verify", "plan", f"--shards={count}", "--path", repo.root).ends(0).json

    def run(self, repo: GitRepo, tmp_path: Path, aegis: Command, count: int) -> list[Path]:
        files = []
        for number in range(1, count + 1):
            out = tmp_path / f"shard-{number}"
            done = aegis.gate(repo, "--shard", f"{number}/{count}", "--output", out).ends(0)
            assert (done.json["result"], done.json["decision"]) == ("pass", "not-applicable")
            assert done.json["subject"][1:] == []
            # whoever signs it for an image proves nothing by it
            assert json.loads((out / "predicate.json").read_bytes())["result"] == "WARNED"
            files.append(out / "shard.json")
        return files

    def merge(self, repo: GitRepo, aegis: Command, *files: Path) -> Done:
        return aegis("verify", "merge", *files, "--path", repo.root, "--format", "json")

    @pytest.fixture
    def committed(self, s3: S3, repo: GitRepo) -> GitRepo:
        repo.commit({"aegis.yml": policy(s3), **PUBLIC})
        return repo

    @pytest.mark.parametrize("count", [1, 3])
    def test_the_merge_gives_the_one_answer(
        self, s3: S3, committed: GitRepo, tmp_path: Path, aegis: Command, count: int
    ) -> None:
        files = self.run(committed, tmp_path, aegis, count)
        s3.asked.clear()
        merged = self.merge(committed, aegis, *reversed(files)).ends(0).json
        assert artifacts_read(s3) == Counter()
        alone = aegis.gate(committed).ends(0).json
        assert merged["subject"] == alone["subject"]
        assert merged["findings"] == alone["findings"] == []

    def test_the_plan_is_the_same_in_another_process(self, s3: S3, committed: GitRepo, aegis: Command) -> None:
        here = self.plan(committed, aegis, 3)
        command = [sys.executable, "-c", "import sys; from aegis.cli.main import main; sys.exit(main(sys.argv[1:]))"]
        credentials = {
            "AWS_ACCESS_KEY_ID": doubles.ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": doubles.SECRET_KEY,
            "AWS_SESSION_TOKEN": doubles.TOKEN,
        }
        done = subprocess.run(
            [*command, "verify", "plan", "--shards", "3", "--path", str(committed.root)],
            env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin", "HOME": "/", **HERMETIC, **credentials},
            capture_output=True,
            check=True,
            timeout=300,
        )
        assert json.loads(done.stdout) == here
        shards = here["shards"]
        assert isinstance(shards, list)
        # the bytes of the artifact that is asked for twice are read once
        assert sum(shard["bytes"] for shard in shards) == SIZES - len(TOOL)
        assert [shard["shard"] for shard in shards] == ["1/3", "2/3", "3/3"]

    def test_fails_closed(self, s3: S3, committed: GitRepo, tmp_path: Path, aegis: Command) -> None:
        one, two, three = self.run(committed, tmp_path, aegis, 3)
        for files in ((one, two), (one, two, two), (one, two, three, three), (two, three)):
            done = self.merge(committed, aegis, *files)
            assert done.code != 0
            assert done.ends(done.code).json["reason"] == "verify.shard_invalid"
        assert self.merge(committed, aegis, one, two, tmp_path / "absent").ends(3).json["reason"] == (
            "verify.shard_invalid"
        )
        s3.put("tool.bin", TOOL)
        done = self.merge(committed, aegis, one, two, three)
        assert done.json["reason"] == "verify.shard_invalid"
        assert done.code != 0

    def test_a_tampered_artifact(self, s3: S3, committed: GitRepo, tmp_path: Path, aegis: Command) -> None:
        put(s3, {"s/weights.bin": LARGE["weights.bin"][:-1] + b"!", "tool.bin": b"evil"})
        files = self.run(committed, tmp_path, aegis, 2)
        assert sorted(self.merge(committed, aegis, *files).ends(1).rules) == [
            "verify.file_differs", "verify.wrong_signature", "verify.wrong_signature",
        ]  # fmt: skip

    def test_edited_digests(self, committed: GitRepo, tmp_path: Path, aegis: Command) -> None:
        (file,) = self.run(committed, tmp_path, aegis, 1)
        value = json.loads(file.read_text())
        for got in value["read"].values():
            got["digests"] = {name: "0" * len(digest) for name, digest in got["digests"].items()}
        file.write_text(json.dumps(value))
        assert self.merge(committed, aegis, file).ends(1).json["subject"][1:] != []

    @pytest.mark.parametrize("shard", ["0/2", "3/2", "x", "1/999", "", "1/2/3"])
    def test_words_that_name_no_shard(self, committed: GitRepo, tmp_path: Path, aegis: Command, shard: str) -> None:
        if shard:
            aegis.gate(committed, "--shard", shard, "--output", tmp_path / "o").ends(2, "core.wrong_usage")
            aegis.gate(committed, "--shard", "1/2").ends(2, "--output")

    @pytest.mark.parametrize("count", ["0", "-1", "257", "x", "1.5"])
    def test_numbers_of_shards(self, committed: GitRepo, aegis: Command, count: str) -> None:
        aegis("verify", "plan", f"--shards={count}", "--path", committed.root).ends(2, "--shards", count)

    def test_a_place_that_cannot_be_written(self, committed: GitRepo, tmp_path: Path, aegis: Command) -> None:
        (tmp_path / "file").touch()
        done = aegis("verify", "--path", committed.root, "--shard", "1/2", "--output", tmp_path / "file" / "x")
        assert done.ends(done.code).code == 3
