"""The commands of docs/init.md do what the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from aegis.cli.main import main
from aegis.scaffold.changes import State
from tests.support.scan.gitrepo import GitRepo

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "init.md").read_text(encoding="utf-8")
COMMANDS = [line.partition("#")[0] for line in re.findall(r"^aegis (init .*)$", PAGE, re.MULTILINE)]


@pytest.mark.parametrize("number", range(len(COMMANDS)))
def test_each_line_of_init_works(number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repo = GitRepo.init(tmp_path / "shop")
    repo.git("remote", "add", "origin", "https://github.com/octo/shop.git")
    words = shlex.split(COMMANDS[number])
    if {"--update", "--check"} & set(words):
        assert main(["init", str(repo.root), "--gates", "scan"]) == 0
    assert main([words[0], str(repo.root), *words[1:]]) == 0, capsys.readouterr().err


def test_the_page_names_every_state_that_a_person_must_understand() -> None:
    named = set(re.findall(r"`([a-z]+)`", PAGE))
    silent = {State.CREATED, State.UNCHANGED, State.KEPT, State.EXISTS, State.CONFLICT}
    assert {state.value for state in State} - named <= {state.value for state in silent}
    assert len(COMMANDS) == 8
