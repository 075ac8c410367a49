"""Wrong arguments: each is told with its value and what was expected, and none is a pass."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli.command import AEGIS, PATIENCE, Done, aegis, environment, verdict
from tests.support.scan.gitrepo import GitRepo

CLEAN = "import json\n"


@pytest.fixture
def clean(repo: GitRepo) -> GitRepo:
    repo.commit({"a.py": CLEAN, "sub/b.py": CLEAN})
    return repo


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--stric"], ["unrecognized arguments", "--stric"]),
        (["--no-such-option"], ["unrecognized arguments", "--no-such-option"]),
        (["--format", "xml"], ["'xml'", "text", "json", "sarif", "markdown"]),
        (["--format"], ["--format", "expected one argument"]),
        (["--format", "json", "--migration"], ["--migration", "not allowed with"]),
        (["--write-baseline", "--migration"], ["--migration", "not allowed with"]),
        ([".", "sub"], ["unrecognized arguments", "sub"]),
        (["missing"], ["core.no_repository", "'missing'", "expected: a folder"]),
        (["a.py"], ["core.no_repository", "'a.py'", "expected: a folder"]),
        (["--policy", "missing.yml"], ["core.policy_missing", "'missing.yml'", "expected: "]),
        (["--policy", "a.py"], ["core.policy_invalid", "a.py", "expected: "]),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_wrong_argument_is_told(arguments: list[str], words: list[str], clean: GitRepo) -> None:
    aegis("scan", *arguments, cwd=clean.root).refused(2, *words)


def test_an_unknown_code_is_told_with_the_nearest(clean: GitRepo) -> None:
    aegis("explain", "scan.runtme", cwd=clean.root).refused(2, "'scan.runtme'", "did you mean scan.runtime?")


@pytest.mark.parametrize("policy", ["../aegis.yml", "/etc/passwd", "", "sub"])
def test_a_policy_outside_the_repository_is_not_read(policy: str, clean: GitRepo) -> None:
    (clean.root.parent / "aegis.yml").write_text("version: 1\nmode: observe until 2999-01-01\n")
    done = aegis("scan", "--policy", policy, cwd=clean.root)
    done.refused(done.code, "expected: ")
    assert done.code in (2, 3)
    assert "OBSERVED" not in done.out


@pytest.mark.parametrize("base", ["", "-", "--all", "--output=x", "missing", "HEAD:a.py", "a\nb", "HEAD^{tree}"])
def test_a_base_that_is_no_commit_is_no_answer(base: str, clean: GitRepo, tmp_path: Path) -> None:
    done = aegis("scan", f"--base={base}", "--output", tmp_path / "out", cwd=clean.root)
    done.refused(3, "core.base_not_found", repr(base), "expected: a commit, branch or tag")
    assert verdict(tmp_path / "out")["result"] == "error"
    assert not (clean.root / "x").exists()


def test_no_repository_at_all(tmp_path: Path) -> None:
    aegis("scan", cwd=tmp_path, GIT_CEILING_DIRECTORIES=str(tmp_path.parent)).refused(2, "core.no_repository")


def test_no_command_is_a_wrong_command(tmp_path: Path) -> None:
    aegis(cwd=tmp_path).refused(2, "usage: ", "COMMAND")
    aegis("scn", cwd=tmp_path).refused(2, "'scn'", "scan")


class TestOutput:
    def test_a_file(self, clean: GitRepo, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("x")
        aegis("scan", "--output", tmp_path / "out", cwd=clean.root).refused(3, "core.output_unwritable", "out")
        assert (tmp_path / "out").read_text() == "x"

    def test_a_symbolic_link(self, clean: GitRepo, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "out").symlink_to(tmp_path / "real")
        done = aegis("scan", "--output", tmp_path / "out", cwd=clean.root)
        done.refused(3, "core.output_unwritable", "symbolic link")
        assert list((tmp_path / "real").iterdir()) == []

    def test_a_place_that_cannot_be_written(self, clean: GitRepo) -> None:
        aegis("scan", "--output", "/proc/reports", cwd=clean.root).refused(3, "core.output_unwritable", "/proc/reports")

    def test_an_empty_name_is_the_folder_one_stands_in(self, clean: GitRepo) -> None:
        assert aegis("scan", "--output", "", cwd=clean.root).code == 0
        assert verdict(clean.root)["result"] == "pass"


class TestStandardOutput:
    def test_nobody_reads_it(self, clean: GitRepo, tmp_path: Path) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        try:
            done = subprocess.run(
                [*AEGIS, "scan", "--format", "json"],
                cwd=clean.root,
                env=environment(clean.root),
                stdout=writing,
                stderr=subprocess.PIPE,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        finally:
            os.close(writing)
        assert (done.returncode, done.stderr) == (3, "")

    @pytest.mark.parametrize("arguments", [["scan"], ["scan", "--migration"], ["explain", "scan.runtime"]])
    def test_the_disk_is_full(self, arguments: list[str], clean: GitRepo) -> None:
        done = _bash('"$@" >/dev/full', clean.root, *arguments)
        done.refused(3)
        assert "Exception ignored" not in done.err

    @pytest.mark.parametrize("command", [AEGIS, (sys.executable, "-m", "aegis")], ids=["launched", "as a module"])
    @pytest.mark.parametrize(("closed", "code"), [(">&-", 3), ("2>&-", 0), ("<&-", 0), (">&- 2>&-", 3)])
    def test_a_stream_is_closed(self, command: tuple[str, ...], closed: str, code: int, clean: GitRepo) -> None:
        """An answer that nobody can read is none; what is said beside it may be lost."""
        done = _bash(f'"$@" {closed}', clean.root, "scan", command=command)
        assert done.code == code, done.err
        assert "Traceback" not in done.err
        if closed == ">&-":
            assert "core.output_unwritable: standard output is closed" in done.err

    @pytest.mark.parametrize("arguments", [["init", "--help"], ["explain", "scan.runtime"]])
    def test_an_encoding_without_a_character_is_no_crash(self, arguments: list[str], clean: GitRepo) -> None:
        assert aegis(*arguments, cwd=clean.root, PYTHONIOENCODING="ascii").code == 0
        done = _bash('"$@"', clean.root, *arguments, command=(sys.executable, "-m", "aegis"), PYTHONIOENCODING="ascii")
        assert (done.code, done.err) == (0, "")

    def test_a_locale_without_unicode_changes_nothing(self, repo: GitRepo) -> None:
        repo.commit({"caf\u00e9.py": "import boto3\n"})
        done = aegis("scan", cwd=repo.root, LC_ALL="C", PYTHONCOERCECLOCALE="0")
        assert done.code == 1, done.out
        assert "boto3" in done.out


def _bash(script: str, cwd: Path, *arguments: str, command: tuple[str, ...] = AEGIS, **changes: str) -> Done:
    """Run the command as `"$@"` of a script."""
    done = subprocess.run(
        ["bash", "-c", script, "bash", *command, *arguments],
        cwd=cwd,
        env=environment(cwd, **changes),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)
