"""The actions as a consumer's workflow calls them, run by act."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from aegis.startup import surroundings
from aegis.startup.uv import find_uv
from tests.support.actions.act import CHECKOUT, ROOT, Act, Run, commit, export
from tests.support.actions.events import Event

SERVICE = "src/shop/service.py"
CLEAN = {
    "aegis.yml": "version: 1\nscan:\n  allow: [{path: src/shop/adapters/**, provider: aws, reason: adapter}]\n",
    SERVICE: '"""Scores."""\n\nimport json\n\nprint(json.dumps({}))\n',
    "src/shop/adapters/s3.py": "import boto3\n\nclient = boto3.client('s3')\n",
}
DIRTY = {SERVICE: '"""Scores."""\n\nimport json\nimport boto3\n\nprint(json.dumps({}), boto3)\n'}
LATER = """\
      - name: Tell
        if: ${{ always() }}
        env:
          RESULT: ${{ steps.gate.outputs.result }}
          REASON: ${{ steps.gate.outputs.reason }}
          VERDICT: ${{ steps.gate.outputs.verdict }}
        run: |
          echo "told: ${RESULT} ${REASON}"
          test -z "${VERDICT}" || cat "${VERDICT}"
"""


def workflow(
    uses: str,
    inputs: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    *,
    before: str = "",
    after: str = "",
) -> str:
    """A job that checks out and calls the action; a later step tells the outputs, whatever came of it."""
    given = "".join(f"          {name}: {value!r}\n" for name, value in (inputs or {}).items())
    variables = "".join(f"      {name}: {value!r}\n" for name, value in (env or {}).items())
    return (
        "name: check\non: [push, pull_request, pull_request_target, merge_group, schedule, workflow_dispatch]\n"
        "jobs:\n  check:\n    runs-on: ubuntu-latest\n"
        + (f"    env:\n{variables}" if variables else "")
        + f"    steps:\n      - uses: {CHECKOUT}\n{before}"
        f"      - id: gate\n        uses: {uses}\n" + (f"        with:\n{given}" if given else "") + LATER + after
    )


@dataclass
class Stage:
    """One consumer's repository, and the runner that its workflows run on."""

    folder: Path
    act: Act
    uses: str
    inputs: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    before: str = ""
    """Steps between the checkout and the action."""
    after: str = ""
    """Steps at the end of the job."""

    @property
    def repository(self) -> Path:
        """The consumer's clone."""
        return self.folder / "shop"

    def adopt(self, files: Mapping[str, str | bytes] | None = None) -> None:
        """The first commit: a clean service whose workflow calls the action."""
        text = workflow(self.uses, self.inputs, self.env, before=self.before, after=self.after)
        commit(self.repository, {**CLEAN, ".github/workflows/check.yml": text, **(files or {})})

    def run(self, event: Event) -> Run:
        """Run the workflow for the event."""
        return self.act.run(self.repository, event.name, event.payload)

    def change_action(self, overlay: Mapping[str, str]) -> None:
        """Run with a copy of the action in which some files are others."""
        self.act = replace(self.act, action=export(self.folder / "action", overlay))

    def cold(self) -> None:
        """Nothing is on the runner: uv must be fetched too."""
        self.act = replace(self.act, path=())


def told(run: Run) -> str:
    """What a later step of the job saw in the outputs: result and reason."""
    found = re.search(r"^told: (.*)$", run.log, re.MULTILINE)
    assert found is not None, run.log
    return found.group(1).strip()


def assert_error(run: Run, reason: str, says: str) -> None:
    """Red, with the reason in the outputs, in an annotation and in the summary."""
    assert not run.green
    assert told(run) == f"error {reason}"
    assert any(says in note.message for note in run.errors()), run.annotations
    assert reason in html.unescape(run.summary)


def patient() -> dict[str, str]:
    """A launcher that leaves a gate, which is told to stop, the time that a busy machine needs; GitHub's is short."""
    name = "src/aegis/startup/supervise.py"
    text = (ROOT / name).read_text("utf-8")
    longer = text.replace("_GRACE_SECONDS = 6.0", "_GRACE_SECONDS = 120.0", 1)
    assert longer != text
    return {name: longer}


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The action's tree as git would take it."""
    return export(tmp_path_factory.mktemp("action"))


@pytest.fixture(scope="session")
def uv_folder() -> Path:
    """The folder of a uv of the locked version, as many runners have one on PATH."""
    return find_uv(ROOT, surroundings.cache_folder(os.environ), os.environ).parent


@pytest.fixture(params=["org/aegis/actions/scan@v1", "org/aegis@v1"], ids=["scan", "root"])
def stage(request: pytest.FixtureRequest, tmp_path: Path, exported: Path, uv_folder: Path) -> Stage:
    """A consumer of each action."""
    work = tmp_path / "runner"
    work.mkdir()
    return Stage(tmp_path, Act(exported, work, (uv_folder,)), request.param)
