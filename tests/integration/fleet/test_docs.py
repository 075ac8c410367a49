"""The commands of docs/fleet.md do what the page says, in its order, in one organisation."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from aegis.cli.fleet.rights import RIGHTS
from tests.doubles.github_fleet import OrganisationAtGitHub
from tests.integration.fleet.conftest import Run
from tests.support.pages.pages import ROOT

PAGE = (ROOT / "docs" / "fleet.md").read_text("utf-8")
COMMANDS = [shlex.split(line) for line in re.findall(r"^aegis fleet (.*)$", PAGE, re.MULTILINE)]


def test_the_commands_work_in_the_order_of_the_page(
    run: Run, github: OrganisationAtGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shop = github.add("shop", {"src/app.py": "print(1)\n"}, topics=["ml"])
    github.add("sandbox-x", {"README.md": "x\n"})
    assert [words[0] for words in COMMANDS] == ["init", "init", "scan", "protect", "protect", "doctor"]
    states = []
    for command, _organisation, *words in COMMANDS:
        form = "json" if "--format" not in words else words[words.index("--format") + 1]
        done = run(command, *words, form=form)
        states.append((done.code, done.states["shop"]))
        if "--yes" in words and command == "init":
            shop.close(1, merged=True)
            github.members["sandbox-x"].close(1, merged=True)
            shop.git.written_to(tmp_path / "server" / "octo" / "shop")
    assert states == [
        (0, "would write"), (0, "written"), (0, "well"), (0, "would write"), (0, "written"), (1, "well"),
    ]  # fmt: skip
    assert (tmp_path / "verdicts" / "shop" / "verdict.json").is_file()


def test_the_page_names_every_right() -> None:
    for command, rights in RIGHTS.items():
        (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| {command} |")]
        for scope in rights.scopes:
            assert f"`{scope}`" in row
        for word in re.findall(r"[A-Z][a-z]+(?: requests)?", rights.fine_grained):
            assert word in row, command
