"""The step of the workflow in docs/report.md, with an environment of its own lock and a token of GitHub's double."""

from __future__ import annotations

import datetime
import io
import json
import os
import re
import shlex
import subprocess
import zipfile
from pathlib import Path

import yaml

from aegis.report import json_report
from tests.doubles.github_artifacts import ArtifactsAtGitHub, Stored, serve
from tests.doubles.github_issues import TOKEN
from tests.support.pages import pages
from tests.support.verdicts.past_verdicts import past

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_is_made_as_the_workflow_does_it(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", pages.text("docs/report.md"), re.DOTALL)
    (step,) = [each for each in yaml.safe_load(text)["jobs"]["report"]["steps"] if "run" in each]
    assert step["env"] == {"GITHUB_TOKEN": "${{ github.token }}"}
    now = datetime.datetime.now(datetime.UTC)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("verdict.json", json_report.render(past(now - datetime.timedelta(hours=1))))
    (tmp_path / ".aegis-tool").symlink_to(ROOT)
    github = ArtifactsAtGitHub(artifacts=[Stored("scan-1", packed.getvalue(), now)])
    with serve(github):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", step["run"]],
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "HOME": os.environ["HOME"],
                "GITHUB_TOKEN": TOKEN,
                "GITHUB_API_URL": github.address,
                "GITHUB_REPOSITORY": "octo/widgets",
                "GITHUB_ACTIONS": "true",
            },
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    assert done.returncode == 0, (shlex.quote(step["run"]), done.stdout + done.stderr)
    told = json.loads((tmp_path / "aegis-report" / "report.json").read_bytes())
    assert (told["complete"], told["read"]) == (True, 1)
    assert TOKEN not in done.stdout + done.stderr
