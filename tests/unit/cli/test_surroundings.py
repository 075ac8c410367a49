from __future__ import annotations

import json
from pathlib import Path

import pytest

import aegis
from aegis.cli import surroundings
from aegis.core.codes import CODES
from aegis.core.errors import CouldNotDecide
from aegis.startup import environment
from aegis.startup.problem import StartupProblem


class TestEvent:
    def test_there_is_none_on_a_laptop(self) -> None:
        assert surroundings.read_event({}) == surroundings.Event(None, {})

    def test_it_is_read_as_it_is(self, tmp_path: Path) -> None:
        file = tmp_path / "event.json"
        file.write_text(json.dumps({"before": "1"}))
        environ = {"GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(file)}
        assert surroundings.read_event(environ) == surroundings.Event("push", {"before": "1"})

    @pytest.mark.parametrize("content", [None, b"", b"{", b"\xff", b"[" * 100_000])
    def test_one_that_cannot_be_read_is_no_answer(self, content: bytes | None, tmp_path: Path) -> None:
        file = tmp_path / "event.json"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(CouldNotDecide, match="cannot be read"):
            surroundings.read_event({"GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(file)})


class TestSemgrep:
    def test_the_one_that_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        program = tmp_path / "semgrep-core"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        monkeypatch.setenv("AEGIS_SEMGREP_CORE", str(program))
        assert surroundings.locate_semgrep() == program

    @pytest.mark.parametrize("kind", ["missing", "folder", "not executable"])
    def test_a_wrong_name_is_told_and_nothing_else_is_taken(
        self, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        program = tmp_path / "semgrep-core"
        if kind == "folder":
            program.mkdir()
        elif kind == "not executable":
            program.write_text("#!/bin/sh\n")
        monkeypatch.setenv("AEGIS_SEMGREP_CORE", str(program))
        monkeypatch.setattr(environment, "semgrep_core", lambda *_: pytest.fail("another one was looked for"))
        with pytest.raises(CouldNotDecide) as caught:
            surroundings.locate_semgrep()
        assert caught.value.code == "scan.engine_missing"
        assert str(program) in caught.value.problem

    def test_what_the_installer_says_is_passed_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        problem = StartupProblem("core.install_failed", "uv said no", expected="an index", remedy="Check the network.")

        def fail(*_: object) -> Path:
            raise problem

        monkeypatch.delenv("AEGIS_SEMGREP_CORE", raising=False)
        monkeypatch.setattr(environment, "semgrep_core", fail)
        with pytest.raises(CouldNotDecide) as caught:
            surroundings.locate_semgrep()
        said = caught.value
        assert (said.code, said.problem) == ("scan.engine_missing", "uv said no")
        assert (said.expected, said.remedy) == (problem.expected, problem.remedy)
        assert said.code in CODES

    def test_an_installed_aegis_takes_the_one_beside_it_and_no_other(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        packages, repository = tmp_path / "site-packages", tmp_path / "repository"
        for place in (packages, repository):
            (place / "semgrep" / "bin").mkdir(parents=True)
            (place / "semgrep" / "__init__.py").touch()
        (repository / "semgrep" / "bin" / "semgrep-core").touch()
        monkeypatch.delenv("AEGIS_SEMGREP_CORE", raising=False)
        monkeypatch.setattr(surroundings, "ROOT", tmp_path)  # an installation has no locks
        monkeypatch.setattr(aegis, "__file__", str(packages / "aegis" / "__init__.py"))
        monkeypatch.syspath_prepend(repository)  # as `python -m aegis` does with the folder one stands in
        with pytest.raises(CouldNotDecide, match="not installed beside Aegis"):
            surroundings.locate_semgrep()
        beside = packages / "semgrep" / "bin" / "semgrep-core"
        beside.touch()
        assert surroundings.locate_semgrep() == beside


def test_an_input_that_was_left_out_is_empty() -> None:
    assert surroundings.read_input("index-url", {}) == ""
    assert surroundings.read_input("index-url", {"AEGIS_INPUT_INDEX_URL": "x"}) == "x"
