"""The gates over the jobs of a matrix: whatever is missing, doubled, cut or foreign, the merged answer is no."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from aegis.cli.all import matrix as merging
from aegis.cli.gate_run import GateRun
from aegis.cli.interruption import Stopped
from aegis.cli.main import main
from aegis.core.verdict import Tool
from tests.integration.cli.command import aegis, verdict
from tests.support.scan.gitrepo import GitRepo

POLICY = """\
version: 1
scan:
verify:
  artifacts: [{name: m, kind: file, source: m.bin, signers: [{key: m.pub}]}]
canary:
  prometheus: {url: http://127.0.0.1:9090}
  rollout: {namespace: shop, name: web}
  metrics: [{preset: http}]
"""
Document = dict[str, Any]
Merge = Callable[[], tuple[int, Document]]


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Document]:
    """A repository, and the verdict of its job `scan`."""
    folder = tmp_path_factory.mktemp("matrix")
    repo = GitRepo.init(folder / "shop")
    repo.commit({"a.py": "import json\n", "aegis.yml": POLICY})
    assert aegis("all", "--only", "scan", "--output", folder / "out", cwd=repo.root).code == 0
    return repo.root, verdict(folder / "out")


@pytest.fixture
def folder(matrix: tuple[Path, Document], tmp_path: Path) -> Path:
    """The artifacts of both jobs, as they are downloaded."""
    put(tmp_path / "verdicts", "scan", of(matrix[1], gate="scan"))
    put(tmp_path / "verdicts", "verify", of(matrix[1], gate="verify"))
    return tmp_path / "verdicts"


def of(document: Document, **changes: Any) -> Document:
    """Another verdict of the same run; what is a part of a part is named with two underscores."""
    found: Document = json.loads(json.dumps(document))
    for name, value in changes.items():
        outer, _, inner = name.partition("__")
        if inner:
            found[outer][inner] = value
        else:
            found[name] = value
    return found


def put(folder: Path, name: str, document: Document | bytes) -> Path:
    file = folder / f"aegis-verdict-{name}" / "verdict.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return file


@pytest.fixture(autouse=True)
def _tool(matrix: tuple[Path, Document], monkeypatch: pytest.MonkeyPatch) -> None:
    """The tool of all jobs is one, also while somebody works on the source tree that these tests run from."""
    monkeypatch.setattr(merging, "running_tool", lambda: Tool(**matrix[1]["tool"]))


@pytest.fixture
def merge(matrix: tuple[Path, Document], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Merge:
    def merged() -> tuple[int, Document]:
        monkeypatch.chdir(matrix[0])
        code = main(["all", f"--merge={folder}", f"--output={tmp_path / 'out'}"])
        return code, verdict(tmp_path / "out")

    return merged


def rows(whole: Document) -> dict[str, str]:
    return {each["name"]: each["value"]["result"] for each in whole["evidence"]}


def test_the_gates_of_a_matrix_are_those_of_the_policy_but_for_canary(matrix: tuple[Path, Document]) -> None:
    done = aegis("all", "--list", cwd=matrix[0])
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == ["scan", "verify"]


def test_exactly_their_verdicts_are_one(merge: Merge, tmp_path: Path) -> None:
    code, whole = merge()
    assert (code, whole["gate"], whole["result"]) == (0, "all", "pass")
    assert rows(whole) == {"scan": "pass", "verify": "pass", "canary": "pass", "backup-check": "not-run"}
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == {"scan", "verify", "canary"}


@pytest.mark.parametrize(
    ("result", "decision", "reason", "code"),
    [
        ("fail", "fail", "core.findings", 1),
        ("error", "could-not-decide", "verify.no_id_token", 3),
        ("error", "misconfigured", "core.wrong_usage", 2),
        ("error", "observed", "core.observed", 3),
    ],
)
def test_the_worst_answer_counts(
    merge: Merge, matrix: tuple[Path, Document], folder: Path, result: str, decision: str, reason: str, code: int
) -> None:
    put(folder, "verify", of(matrix[1], gate="verify", result=result, decision=decision, reason=reason))
    told, whole = merge()
    assert (told, whole["result"], whole["reason"]) == (code, result, reason)
    assert rows(whole)["verify"] == result


def test_a_gate_that_got_not_so_far_as_to_find_the_policy_is_told(
    merge: Merge, matrix: tuple[Path, Document], folder: Path
) -> None:
    stuck = of(matrix[1], gate="verify", result="error", decision="could-not-decide", reason="core.shallow")
    put(folder, "verify", of(stuck, policy={"origin": "unknown", "sha256": "", "effective": {}}, source__base=None))
    code, whole = merge()
    assert (code, whole["reason"]) == (3, "core.shallow")


def assert_unfit(merge: Merge, says: str, reason: str = "core.verdicts_unfit") -> None:
    code, whole = merge()
    assert (code, whole["gate"], whole["result"], whole["reason"]) == (3, "all", "error", reason)
    assert says in whole["findings"][0]["message"]


FOREIGN: dict[str, tuple[Document, str]] = {
    "repository": ({"source__repository": "eve/shop"}, "another repository"),
    "commit": ({"source__commit": "ab" * 20}, "another commit"),
    "event": ({"source__event": "schedule"}, "another event"),
    "run": ({"source__run_url": "https://github.com/octo/shop/actions/runs/8"}, "another run"),
    "attempt": ({"source__run_attempt": 9}, "another attempt"),
    "tool": ({"tool__digest": "ab" * 32}, "another tool"),
    "base": ({"source__base": "ab" * 20}, "another base"),
    "policy": ({"policy__sha256": "ab" * 32}, "another policy"),
    "shard": ({"reproduce": "aegis verify --path=. --shard=1/2"}, "another command"),
    "gate": ({"gate": "backup-check"}, "which the policy does not name"),
    "canary": ({"gate": "canary"}, "which the policy does not name"),
    "whole": ({"gate": "all"}, "which the policy does not name"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_verdict_of_something_else_is_no_answer(
    merge: Merge, matrix: tuple[Path, Document], folder: Path, name: str
) -> None:
    changes, says = FOREIGN[name]
    put(folder, "verify", of(matrix[1], **{"gate": "verify", **changes}))
    assert_unfit(merge, says)


@pytest.mark.parametrize("words", [("all", "src", "--only", "scan"), ("scan", "src"), ("scan", ".")], ids=" ".join)
def test_a_verdict_about_a_part_is_no_answer(
    merge: Merge, matrix: tuple[Path, Document], folder: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Nobody has looked at the rest."""
    (matrix[0] / "src").mkdir(exist_ok=True)
    assert aegis(*words, "--output", tmp_path / "part", cwd=matrix[0]).code == 0
    put(folder, "scan", (tmp_path / "part" / "verdict.json").read_bytes())
    assert_unfit(merge, "another")


def test_a_missing_verdict_is_no_answer(merge: Merge, folder: Path) -> None:
    shutil.rmtree(folder / "aegis-verdict-verify")
    assert_unfit(merge, "the verdict of verify is missing", "core.verdicts_unfit")


def test_a_second_verdict_of_one_gate_is_no_answer(merge: Merge, matrix: tuple[Path, Document], folder: Path) -> None:
    put(folder, "z", of(matrix[1], gate="scan"))
    assert_unfit(merge, "second verdict of the gate scan")


@pytest.mark.parametrize("there", [True, False], ids=["empty", "missing"])
def test_an_empty_folder_is_no_answer(merge: Merge, folder: Path, there: bool) -> None:
    shutil.rmtree(folder)
    if there:
        folder.mkdir()
    assert_unfit(merge, "there is no verdict.json")


def test_more_files_than_there_can_be_are_not_read(merge: Merge, matrix: tuple[Path, Document], folder: Path) -> None:
    for number in range(20):
        put(folder, f"x{number}", b"not even read")
    assert_unfit(merge, "there are 22 files")


@pytest.mark.parametrize("content", [b"", b"{", b'{"result": "pass"}', b"null"], ids=["empty", "cut", "short", "null"])
def test_what_is_no_verdict_is_no_answer(merge: Merge, folder: Path, content: bytes) -> None:
    put(folder, "verify", content)
    assert_unfit(merge, "verdict.json", "core.verdict_invalid")


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_is_not_opened(merge: Merge, matrix: tuple[Path, Document], folder: Path, kind: str) -> None:
    file = put(folder, "verify", of(matrix[1], gate="verify"))
    aside = file.rename(folder.parent / "verify.json")
    if kind == "link":
        file.symlink_to(aside)
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.mkdir()
    assert_unfit(merge, f"is a {'symbolic link' if kind == 'link' else kind}")


def test_a_run_that_is_told_to_stop_begins_no_other_gate(
    matrix: tuple[Path, Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seconds that are left are for the verdict."""

    def look(_: GateRun) -> NoReturn:
        raise Stopped(signal.SIGTERM)

    monkeypatch.setattr(GateRun, "look", look)
    assert main(["all", str(matrix[0]), f"--output={tmp_path / 'out'}"]) == 3
    whole = verdict(tmp_path / "out")
    assert (whole["gate"], whole["reason"]) == ("all", "core.interrupted")
    assert rows(whole) == {"scan": "error", "verify": "not-run", "canary": "not-run", "backup-check": "not-run"}


def test_a_list_of_nothing_is_no_list(repo: GitRepo) -> None:
    repo.commit(
        {"a.py": "import json\n", "aegis.yml": POLICY[: POLICY.index("scan:")] + POLICY[POLICY.index("canary:") :]}
    )
    aegis("all", "--list", cwd=repo.root).refused(2, "core.gate_not_named")


def test_a_gate_that_is_not_named_is_no_pass(repo: GitRepo) -> None:
    repo.commit({"a.py": "import json\n", "aegis.yml": "version: 1\nscan:\n"})
    aegis("all", "--only", "verify", cwd=repo.root).refused(2, "core.gate_not_named")


def test_canary_can_be_a_job_of_its_own(matrix: tuple[Path, Document]) -> None:
    done = aegis("all", "--only", "canary", cwd=matrix[0])
    assert done.code == 0
    assert done.out.startswith("canary: PASS. Nothing here for this gate")


class TestInAWorkflow:
    """The root action's inputs, as its action.yml hands them on."""

    @pytest.fixture(autouse=True)
    def _job(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.set, self.said = monkeypatch.setenv, capsys

    def job(self, root: Path, folder: Path, *words: str, **inputs: str) -> tuple[int, str, str]:
        """Exit code, what was said, and the outputs."""
        for name in ("summary", "output"):
            (folder / name).touch()
        environ = {
            "GITHUB_WORKSPACE": str(root),
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            "AEGIS_INPUT_UPLOAD": "never",
            "AEGIS_INPUT_OUTPUT": str(folder / "reports"),
        }
        given = {f"AEGIS_INPUT_{name.upper()}": value for name, value in inputs.items()}
        for name, value in {**environ, **given}.items():
            self.set(name, value)
        code = main(["all", *words, "--github"])
        said = self.said.readouterr()
        return code, said.out + said.err, (folder / "output").read_text()

    def test_the_list_is_an_output(self, matrix: tuple[Path, Document], tmp_path: Path) -> None:
        code, _, outputs = self.job(matrix[0], tmp_path, "--list", task="list")
        assert code == 0
        assert '["scan", "verify"]' in outputs.splitlines()

    def test_a_broken_policy_is_told_and_lists_nothing(self, repo: GitRepo, tmp_path: Path) -> None:
        repo.commit({"aegis.yml": "version: 1\nscan: []\n"})
        code, said, outputs = self.job(repo.root, tmp_path, "--list", task="list")
        assert (code, "gates<<" in outputs) == (2, False)
        assert "core.policy_invalid" in said

    def test_one_gate_and_the_merge(self, matrix: tuple[Path, Document], folder: Path, tmp_path: Path) -> None:
        code, _, _ = self.job(matrix[0], tmp_path, task="judge", gate="scan")
        assert (code, verdict(tmp_path / "reports")["gate"]) == (0, "scan")
        code, said, outputs = self.job(matrix[0], tmp_path, task="merge", gate="", verdicts=str(folder))
        # these verdicts are of no workflow's run: the event of this job is unknown, as theirs is
        assert (code, verdict(tmp_path / "reports")["gate"]) == (0, "all"), said
        assert "pass" in outputs
        summary = (tmp_path / "summary").read_text()
        assert "| verify | PASS |" in summary
        assert "| backup-check | NOT RUN |" in summary
        assert "has no section" in summary

    @pytest.mark.parametrize(
        ("words", "inputs"),
        [
            ((), {"task": "merge"}),
            ((), {"task": "judge", "verdicts": "verdicts"}),
            ((), {"task": "list"}),
            (("--list",), {"task": "judge"}),
            ((), {"task": "merge", "verdicts": "verdicts", "gate": "scan"}),
        ],
        ids=["merge of nothing", "verdicts to judge", "list unseen", "list unasked", "merge of one"],
    )
    def test_inputs_that_contradict_each_other_are_wrong_usage(
        self, matrix: tuple[Path, Document], tmp_path: Path, words: tuple[str, ...], inputs: dict[str, str]
    ) -> None:
        code, said, _ = self.job(matrix[0], tmp_path, *words, **inputs)
        assert code == 2
        assert "core.wrong_usage" in said
