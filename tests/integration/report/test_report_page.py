"""The commands of docs/report.md, word by word."""

from __future__ import annotations

import datetime
import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from aegis.cli.report import command, repository
from aegis.core.waivers import WARN_DAYS
from aegis.report import json_report
from aegis.report.history import folder
from tests.doubles.github_artifacts import ArtifactsAtGitHub, Stored, serve
from tests.doubles.github_issues import TOKEN
from tests.support.pages import pages
from tests.support.verdicts.past_verdicts import past, put

TEXT = pages.text("docs/report.md")
(TYPED,) = [block.text for block in pages.read("docs/report.md", TEXT) if block.is_typed]
ROOT = Path(__file__).resolve().parents[3]


def test_the_commands_are_run_as_they_stand(tmp_path: Path) -> None:
    """aegis report DIR, --since, --stale-after, --repository; gh is played by a function."""
    now = datetime.datetime.now(datetime.UTC)
    put(tmp_path / "verdicts", past(now - datetime.timedelta(days=1)), past(now - datetime.timedelta(days=3), run=8))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("verdict.json", json_report.render(past(now - datetime.timedelta(hours=1))))
    github = ArtifactsAtGitHub(artifacts=[Stored("scan-1", packed.getvalue(), now)])
    around = f'aegis() {{ "{sys.executable}" -m aegis "$@"; }}\ngh() {{ echo {TOKEN}; }}\n'
    with serve(github):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", around + TYPED],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "GITHUB_API_URL": github.address},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("2 verdicts: ") == 2
    assert "1 verdicts: aegis-report/index.html" in done.stdout
    assert sorted(each.name for each in (tmp_path / "week").iterdir()) == [command.PAGE, command.DOCUMENT]


def test_its_numbers_are_the_program_s() -> None:
    for words in (
        f"At most {folder.MOST_FILES:,} verdicts of a folder, {repository._MOST:,} artifacts of a repository",
        f"end within {WARN_DAYS} days",
        f"those above {16} MiB",
    ):
        assert words in TEXT


def test_its_workflow_asks_for_no_more_than_it_needs() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    workflow = yaml.safe_load(text)
    (job,) = workflow["jobs"].values()
    assert (workflow["permissions"], job["permissions"]) == ({}, {"actions": "read"})
    assert all(re.search(r"@[0-9a-f]{40}$", step["uses"]) for step in job["steps"] if "uses" in step)


@pytest.mark.parametrize("name", [command.PAGE, command.DOCUMENT])
def test_it_names_the_files(name: str) -> None:
    assert f"`{name}`" in TEXT
