from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from aegis.adapters.github import code_scanning as adapter
from aegis.cli import deliver
from aegis.cli.scan.options import ScanOptions
from aegis.core.errors import CouldNotDecide
from aegis.core.verdict import Verdict, exit_code
from tests.doubles import github as double
from tests.doubles.github import TOKEN, Fault
from tests.support.verdicts.verdicts import HOSTILE, every_kind, failing, finding, undecided, verdict

NEVER = ScanOptions(github=True, upload=False)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[double.GitHub]:
    monkeypatch.setattr(adapter, "RETRY_SECONDS", 0.0)
    with double.serve(double.GitHub()) as running:
        yield running


@pytest.fixture
def job(tmp_path: Path) -> dict[str, str]:
    """The environment of a step, with the files that the runner makes."""
    for name in ("output", "summary"):
        (tmp_path / name).touch()
    return {
        "GITHUB_WORKSPACE": str(tmp_path),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }


def event(job: Mapping[str, str], head: str = "octo/widgets", actor: str = "octocat") -> dict[str, str]:
    """A pull request's surroundings."""
    path = Path(job["GITHUB_WORKSPACE"]) / "event.json"
    payload = {"number": 7, "pull_request": {"number": 7, "head": {"repo": {"full_name": head}}}}
    path.write_text(json.dumps(payload))
    return {
        **job,
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(path),
        "GITHUB_REPOSITORY": "octo/widgets",
        "GITHUB_REF": "refs/pull/7/merge",
        "GITHUB_ACTOR": actor,
        "AEGIS_INPUT_GITHUB_TOKEN": TOKEN,
    }


class TestToTerminal:
    @pytest.mark.parametrize("form", ["text", "json", "sarif", "markdown"])
    def test_each_form_is_what_it_says(self, form: str, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
        deliver.to_terminal(failing(), form)
        shown = capsysbinary.readouterr().out
        match form:
            case "json":
                assert json.loads(shown)["result"] == "fail"
            case "sarif":
                assert json.loads(shown)["version"] == "2.1.0"
            case "markdown":
                assert shown.startswith(b"## scan: FAIL")
            case _:
                assert shown.startswith(b"scan: FAIL.")

    @pytest.mark.parametrize("form", ["text", "json", "sarif", "markdown"])
    def test_a_file_name_that_is_no_unicode_is_shown(
        self, form: str, capsysbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        deliver.to_terminal(failing(finding(path="caf\udce9.py", message="in caf\udce9.py")), form)
        capsysbinary.readouterr().out.decode("utf-8")


class TestToGitHub:
    @pytest.mark.parametrize("answer", every_kind(), ids=lambda each: f"{each.decision}-{len(each.findings)}")
    def test_the_exit_code_is_the_verdict_s(self, answer: Verdict, job: dict[str, str]) -> None:
        assert deliver.to_github(answer, NEVER, job) == exit_code(answer)

    def test_outputs_name_the_files_that_were_written(self, job: dict[str, str], tmp_path: Path) -> None:
        folder = tmp_path / "reports"
        deliver.to_github(failing(), ScanOptions(github=True, output=folder), job)
        told = dict(re.findall(r"^([a-z]+)<<(?:aegis_\w+)\n(.*)\naegis_\w+$", (tmp_path / "output").read_text(), re.M))
        assert told["result"] == "fail"
        assert told["reason"] == "core.findings"
        assert told["findings"] == "1"
        for name, file in (("verdict", "verdict.json"), ("sarif", "verdict.sarif"), ("summary", "summary.md")):
            assert told[name] == str(folder / file)
            assert Path(told[name]).stat().st_size > 0

    def test_the_summary_is_added_to_what_is_there(self, job: dict[str, str], tmp_path: Path) -> None:
        (tmp_path / "summary").write_text("before\n")
        deliver.to_github(failing(), NEVER, job)
        assert (tmp_path / "summary").read_text().startswith("before\n## scan: FAIL")

    def test_the_report_comes_before_the_annotations_and_they_come_last(
        self, job: dict[str, str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        deliver.to_github(failing(finding(), finding(line=9), notices=("n",)), NEVER, job)
        lines = capsys.readouterr().out.splitlines()
        commands = [number for number, line in enumerate(lines) if line.startswith("::")]
        assert [lines[number].split()[0] for number in commands] == ["::error", "::error", "::notice"]
        assert commands == list(range(len(lines) - 3, len(lines)))

    @pytest.mark.parametrize("text", HOSTILE)
    def test_text_from_outside_starts_no_command_of_its_own(
        self, text: str, job: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        hostile = finding(path=text, message=text, remedy=text)
        deliver.to_github(failing(hostile, reproduce=text, notices=(text,)), NEVER, job)
        shown = capsys.readouterr().out
        commands = re.findall(r"^\s*::\S+", shown, re.MULTILINE)
        assert [command.split("::")[1] for command in commands] == ["error", "notice"]
        assert "##[" not in shown

    def test_a_summary_that_is_not_there_is_no_answer(self, job: dict[str, str], tmp_path: Path) -> None:
        job["GITHUB_STEP_SUMMARY"] = str(tmp_path / "missing")
        with pytest.raises(CouldNotDecide) as caught:
            deliver.to_github(verdict(), ScanOptions(output=tmp_path / "reports"), job)
        assert caught.value.code == "core.output_unwritable"
        assert (tmp_path / "reports" / "verdict.json").is_file()  # it came first

    def test_reports_do_not_leave_the_workspace_by_a_link(self, job: dict[str, str], tmp_path: Path) -> None:
        workspace = tmp_path / "work"
        workspace.mkdir()
        (workspace / "reports").symlink_to(tmp_path)
        with pytest.raises(CouldNotDecide, match="symbolic link"):
            deliver.to_github(
                verdict(), ScanOptions(output=workspace / "reports"), {**job, "GITHUB_WORKSPACE": str(workspace)}
            )
        assert not (tmp_path / "verdict.json").exists()


class TestUpload:
    """Whatever code scanning says, the exit code stays the verdict's and the token stays inside."""

    def deliver(
        self, answer: Verdict, environ: Mapping[str, str], capsys: pytest.CaptureFixture[str], upload: bool = True
    ) -> str:
        assert deliver.to_github(answer, ScanOptions(github=True, upload=upload), environ) == exit_code(answer)
        captured = capsys.readouterr()
        assert TOKEN not in captured.out + captured.err
        assert TOKEN not in Path(environ["GITHUB_STEP_SUMMARY"]).read_text()
        return next((line for line in captured.out.splitlines() if line.startswith("::warning title=Aegis")), "")

    def test_it_is_uploaded_with_its_commit_and_ref(
        self, service: double.GitHub, job: dict[str, str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        for answer in (verdict(), failing(), undecided()):
            assert self.deliver(answer, {**event(job), "GITHUB_API_URL": service.api}, capsys) == ""
        assert len(service.uploads) == 3
        assert service.uploads[0].body["ref"] == "refs/pull/7/merge"

    def test_never_means_never(
        self, service: double.GitHub, job: dict[str, str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        environ = {**event(job), "GITHUB_API_URL": service.api}
        assert self.deliver(failing(), environ, capsys, upload=False) == ""
        assert service.requests == []

    @pytest.mark.parametrize(
        ("head", "actor"), [("eve/widgets", "eve"), ("octo/widgets", "dependabot[bot]"), ("", "octocat")]
    )
    def test_a_fork_or_dependabot_is_told_and_github_is_not_asked(
        self, head: str, actor: str, service: double.GitHub, job: dict[str, str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        environ = {**event(job, head, actor), "GITHUB_API_URL": service.api}
        assert "fork or Dependabot" in self.deliver(failing(), environ, capsys)
        assert service.requests == []

    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("AEGIS_INPUT_GITHUB_TOKEN", "", "no github-token"),
            ("GITHUB_REF", "", "names no repository, commit or ref"),
            ("GITHUB_REF", "main", "names no repository, commit or ref"),
            ("GITHUB_API_URL", "http://api.evil.example", "GITHUB_API_URL is"),
            ("GITHUB_API_URL", "http://127.0.0.1:1", "could not be reached"),
            ("GITHUB_EVENT_PATH", "/nonexistent", "cannot be read"),
            ("AEGIS_INPUT_GITHUB_TOKEN", f"{TOKEN}\nX: y", "characters that no token has"),
        ],
    )
    def test_what_is_missing_or_wrong_is_told(
        self, name: str, value: str, words: str, job: dict[str, str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        environ = {**event(job), "GITHUB_API_URL": "http://127.0.0.1:1", name: value}
        assert words in self.deliver(failing(), environ, capsys)

    @pytest.mark.parametrize(
        "fault",
        [
            Fault(401, f"Bad credentials {TOKEN}"),
            Fault(403, "Resource not accessible by integration"),
            Fault(404),
            Fault(500, times=9),
            Fault(302, headers={"Location": "https://evil.example"}),
            Fault(raw=b"garbage", times=9),
            Fault(202, "::error::owned\n::warning::x"),
        ],
        ids=lambda fault: f"{fault.status}-{fault.times}-{fault.raw!r}",
    )
    def test_a_failing_service_is_told_in_one_line(
        self, fault: Fault, service: double.GitHub, job: dict[str, str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        service.faults.append(fault)
        told = self.deliver(verdict(), {**event(job), "GITHUB_API_URL": service.api}, capsys)
        assert told.startswith("::warning title=Aegis%3A upload::Code scanning: ")
        assert "evil.example" not in told
