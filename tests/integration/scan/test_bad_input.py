"""What is broken, missing or hostile ends in one clear error, the right exit code and a verdict: never a pass."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from aegis.adapters import semgrep
from aegis.cli.main import main
from tests.support.scan.gitrepo import GitRepo
from tests.support.scan.scanning import Scan, scan

USE = "import boto3\n"


def refused(result: Scan) -> tuple[int, str]:
    """Exit code and reason of a run that gave no answer; its one finding says what to do."""
    (finding,) = result.verdict["findings"]
    assert result.verdict["result"] == "error"
    assert "(expected: " in finding["message"]
    assert finding["remedy"]
    return result.code, finding["rule"]


class TestRepository:
    def test_no_repository(self, tmp_path: Path) -> None:
        folder = tmp_path / "plain"
        folder.mkdir()
        result = scan(folder)
        assert refused(result) == (2, "core.no_repository")
        assert str(folder) in result.messages[0]

    def test_no_folder(self, tmp_path: Path) -> None:
        assert refused(scan(tmp_path / "nothing")) == (2, "core.no_repository")

    def test_a_file_in_place_of_a_folder(self, repo: GitRepo) -> None:
        repo.commit({"svc.py": USE})
        assert refused(scan(repo.root / "svc.py")) == (2, "core.no_repository")

    def test_a_bare_repository(self, repo: GitRepo, tmp_path: Path) -> None:
        repo.commit({"svc.py": USE})
        bare = repo.clone(tmp_path / "bare", "--bare")
        assert refused(scan(bare.root)) == (2, "core.no_repository")

    def test_inside_the_git_folder(self, repo: GitRepo) -> None:
        repo.commit({"svc.py": USE})
        assert scan(repo.root / ".git").code in (2, 3)

    def test_unborn_head_with_staged_files_is_scanned(self, repo: GitRepo) -> None:
        repo.write({"svc.py": USE})
        repo.git("add", "svc.py")
        result = scan(repo.root)
        assert (result.code, result.findings) == (1, [("scan.runtime", "svc.py", 1)])

    def test_unborn_head_with_a_base(self, repo: GitRepo) -> None:
        assert refused(scan(repo.root, "--base", "main")) == (3, "core.base_not_found")

    def test_a_broken_index(self, repo: GitRepo) -> None:
        repo.commit({"svc.py": USE})
        (repo.root / ".git" / "index").write_bytes(b"garbage")
        assert refused(scan(repo.root)) == (3, "core.git_failed")

    def test_no_git(self, repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
        repo.commit({"svc.py": USE})
        monkeypatch.setenv("PATH", "/nonexistent")
        assert refused(scan(repo.root)) == (3, "core.git_missing")


class TestBase:
    @pytest.mark.parametrize("base", ["nowhere", "1" * 40, "--all", "a:b", "HEAD\nHEAD", "", "HEAD~9"])
    def test_not_found(self, repo: GitRepo, base: str) -> None:
        repo.commit({"svc.py": USE})
        assert refused(scan(repo.root, f"--base={base}")) == (3, "core.base_not_found")

    def test_shallow_clone_without_its_remote(self, repo: GitRepo, tmp_path: Path) -> None:
        base = repo.commit({"svc.py": USE})
        repo.commit({"b.py": "x = 1\n"})
        clone = repo.clone(tmp_path / "clone", "--depth=1")
        clone.git("remote", "set-url", "origin", "file:///nonexistent")
        code, reason = refused(scan(clone.root, "--base", base))
        assert code == 3
        assert reason in ("core.shallow", "core.base_not_found")

    def test_histories_that_never_met(self, repo: GitRepo) -> None:
        repo.commit({"svc.py": USE})
        repo.git("checkout", "-q", "--orphan", "other")
        repo.commit({"b.py": USE})
        assert refused(scan(repo.root, "--base", "main")) == (3, "core.base_not_found")


class TestFiles:
    @pytest.mark.parametrize("what", ["pipe", "folder", "socket-like-device"])
    def test_something_else_in_place_of_a_file(self, repo: GitRepo, what: str) -> None:
        repo.commit({"svc.py": USE})
        file = repo.root / "svc.py"
        file.unlink()
        if what == "pipe":
            os.mkfifo(file)
        elif what == "folder":
            file.mkdir()
        else:
            file.symlink_to("/dev/zero")
        result = scan(repo.root, "--strict")
        assert (result.code, result.findings) == (3, [("scan.not_analysed", "svc.py", None)])

    def test_a_file_without_permissions(self, repo: GitRepo) -> None:
        repo.commit({"svc.py": USE})
        (repo.root / "svc.py").chmod(0)
        expected = (3,) if os.geteuid() else (1,)  # root reads it all the same
        assert scan(repo.root, "--strict").code in expected

    def test_a_huge_sparse_file(self, repo: GitRepo) -> None:
        repo.commit({"svc.py": "x = 1\n"})
        with (repo.root / "svc.py").open("r+b") as file:
            file.write(USE.encode())
            file.truncate(200 << 20)
        result = scan(repo.root, "--strict")
        assert (result.code, result.findings) == (3, [("scan.not_analysed", "svc.py", None)])
        assert "209715200 bytes" in result.messages[0]

    def test_bytes_that_are_no_text(self, repo: GitRepo) -> None:
        repo.commit({"svc.py": bytes(range(256)) * 20 + b"\nimport boto3\n"})
        assert scan(repo.root, "--strict").code in (1, 3)

    def test_a_file_that_went_away(self, repo: GitRepo) -> None:
        repo.commit({"svc.py": USE, "b.py": USE})
        (repo.root / "svc.py").unlink()
        assert scan(repo.root).findings == [("scan.runtime", "b.py", 1)]


class TestPolicy:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("version: 1\nscan:\n  strikt: true\n", ("aegis.yml:3:3", "unknown key `strikt`", "strict")),
            ("version: 2\n", ("aegis.yml", "version")),
            ("version: 1\nscan: [\n", ("aegis.yml:",)),
            ("version: 1\nversion: 1\n", ("aegis.yml:2:1", "stands twice")),
            ("", ("aegis.yml",)),
            ("\x00", ("aegis.yml",)),
            ("version: 1\nscan: {strict: 'yes'}\n", ("aegis.yml:2",)),
            ("version: 1\nscan: {providers: [awz]}\n", ("awz",)),
            ("version: 1\nscan: {allow: [{path: x, provider: awz, reason: r}]}\n", ("awz", "aws")),
            ("version: 1\nscan: {allow: [{path: ../x, provider: aws, reason: r}]}\n", ("../x",)),
            ("a: &a [*a]\n", ("aegis.yml",)),
        ],
    )
    def test_broken(self, repo: GitRepo, text: str, told: tuple[str, ...]) -> None:
        repo.commit({"aegis.yml": text, "svc.py": USE})
        result = scan(repo.root)
        code, reason = refused(result)
        (finding,) = result.verdict["findings"]
        assert code == 2
        assert reason in ("core.policy_invalid", "scan.unknown_provider")
        place = ":".join(str(finding[part]) for part in ("path", "line", "column") if finding[part] is not None)
        for word in told:
            assert word in f"{place}: {finding['message']} {finding['remedy']}"

    def test_the_place_is_told_once(self, repo: GitRepo, capsys: pytest.CaptureFixture[str]) -> None:
        repo.commit({"aegis.yml": "version: 1\nscan: {strict: 'yes'}\n"})
        assert main(["scan", str(repo.root)]) == 2
        line = "aegis.yml:2:16: core.policy_invalid: scan.strict is `str` (expected: `bool`)"
        assert line in capsys.readouterr().out.splitlines()

    def test_not_utf_8(self, repo: GitRepo) -> None:
        repo.commit({"aegis.yml": b"version: 1 # \xff\n"})
        assert refused(scan(repo.root)) == (2, "core.policy_invalid")

    def test_named_and_missing(self, repo: GitRepo) -> None:
        repo.commit({"svc.py": USE})
        assert refused(scan(repo.root, "--policy", "other.yml")) == (2, "core.policy_missing")

    def test_named_and_a_folder(self, repo: GitRepo, capsys: pytest.CaptureFixture[str]) -> None:
        repo.commit({"svc.py": USE, "ci/aegis.yml": "version: 1\n"})
        assert main(["scan", str(repo.root), "--policy", "ci"]) == 2
        assert "core.policy_missing: 'ci' is a folder (expected: a file that the repository" in capsys.readouterr().out

    def test_a_link_out_of_the_repository(self, repo: GitRepo, tmp_path: Path) -> None:
        (tmp_path / "loose.yml").write_text("version: 1\n")
        (repo.root / "aegis.yml").symlink_to(tmp_path / "loose.yml")
        repo.commit({"svc.py": USE})
        assert refused(scan(repo.root)) == (3, "core.unreadable_file")

    @pytest.mark.parametrize("text", ["", "[]", '{"version": 2, "uses": {}}', "{", "\x00"])
    def test_broken_baseline(self, repo: GitRepo, text: str) -> None:
        repo.commit({"aegis.yml": "version: 1\nscan: {baseline: known.json}\n", "known.json": text, "svc.py": USE})
        assert refused(scan(repo.root)) == (2, "scan.baseline_invalid")


class TestEngine:
    """semgrep in every state but the good one, on a repository with a use."""

    @pytest.fixture(autouse=True)
    def _use(self, repo: GitRepo) -> None:
        repo.commit({"svc.py": USE})

    def fake(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
        file = tmp_path / "semgrep-core"
        file.write_text(f"#!{sys.executable} -I\nimport json, os, signal, sys, time\n{body}\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("AEGIS_SEMGREP_CORE", str(file))

    def test_missing(self, repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AEGIS_SEMGREP_CORE", "/nonexistent/semgrep-core")
        assert refused(scan(repo.root)) == (3, "scan.engine_missing")

    @pytest.mark.parametrize(
        "body",
        [
            "os.kill(os.getpid(), signal.SIGKILL)",
            "time.sleep(600)",
            "print('\\x00' * 1000)",
            "print('{}')",
            "print(json.dumps({'version': '0.1', 'results': [], 'errors': [], 'paths': {'scanned': []}}))",
            "sys.exit(2)",
        ],
        ids=["killed", "hanging", "garbage", "empty", "version", "status"],
    )
    def test_no_answer(self, repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
        self.fake(tmp_path, monkeypatch, body)
        monkeypatch.setattr(semgrep, "TIMEOUT_SECONDS", 1)
        monkeypatch.setattr(semgrep.SemgrepCore.__init__, "__defaults__", (1,))
        assert refused(scan(repo.root)) == (3, "scan.engine_failed")

    def test_an_answer_that_found_nothing_at_all(
        self, repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.fake(
            tmp_path,
            monkeypatch,
            "targets = json.load(open(sys.argv[sys.argv.index('-targets') + 1]))[1]\n"
            "paths = [each[1]['path']['fpath'] for each in targets]\n"
            f"print(json.dumps({{'version': {semgrep.VERSION!r}, 'results': [], 'errors': [], 'skipped_rules': [],"
            " 'paths': {'scanned': paths}}))",
        )
        result = scan(repo.root)
        assert refused(result) == (3, "scan.engine_failed")
        assert "control statement" in result.messages[0]


class TestArguments:
    @pytest.mark.parametrize("words", [["--format", "xml"], ["--nothing"], ["a", "b"], ["--base"]])
    def test_wrong(self, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            main(["scan", *words])
        assert ended.value.code == 2
        assert "usage:" in capsys.readouterr().err

    def test_output_that_cannot_be_written(
        self, repo: GitRepo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        repo.commit({"svc.py": "x = 1\n"})
        (tmp_path / "file").write_text("")
        assert main(["scan", str(repo.root), "--output", str(tmp_path / "file")]) == 3
        told = capsys.readouterr().err
        assert "core.output_unwritable" in told
        assert "Traceback" not in told

    def test_output_through_a_link(self, repo: GitRepo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        repo.commit({"svc.py": "x = 1\n"})
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "real")
        assert main(["scan", str(repo.root), "--output", str(tmp_path / "link")]) == 3
        assert "core.output_unwritable" in capsys.readouterr().err
