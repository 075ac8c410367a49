"""A consumer of a gate that reads a cloud, on a runner that is searched for secrets after each run."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aegis.startup.environment import environment
from tests.doubles.cloud import Cloud
from tests.e2e.actions.conftest import Stage
from tests.support.actions import events
from tests.support.actions.act import ROOT, Act, Run
from tests.support.actions.events import Event
from tests.support.actions.leaks import secrets_in, without_masks

WARM = """\
      - name: A gate before this one
        run: mkdir -p "$RUNNER_TEMP/aegis" && ln -s "$INSTALLED"/* "$RUNNER_TEMP/aegis/"
"""
"""As after another gate with the same lock in the same job."""
KEEP = """\
      - name: Keep everything that the job leaves
        if: ${{ always() }}
        run: mkdir "$KEPT/$GITHUB_JOB-$$" && cp -a "$(dirname "$RUNNER_TEMP")/." "$KEPT/$GITHUB_JOB-$$/"
"""


@dataclass
class Watched(Stage):
    """Nothing secret may stand in what its runs say or leave."""

    cloud: Cloud = field(kw_only=True)
    token: bool = True
    """Whether the job may ask for an OIDC token."""
    actor: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must stand nowhere afterwards."""
        return self.cloud.secrets

    def surrounded(self) -> Act:
        """Act as the event needs it; it hides nothing, so that what is secret would be seen."""
        places = {"INSTALLED": self.act.env["INSTALLED"], "KEPT": str(self.kept), "TMPDIR": str(self.temporary)}
        env = {**places, **(self.cloud.job if self.token else {})}
        who = ("--actor", self.actor) if self.actor else ()
        return Act(self.act.action, self.act.work, self.act.path, env, ("--insecure-secrets", *who, *self.act.options))

    def run(self, event: Event) -> Run:
        """Run the workflow; fails if a secret stands anywhere afterwards."""
        run = self.surrounded().run(self.repository, event.name, event.payload)
        self.check_secrets(run)
        return run

    def changed(self, files: Mapping[str, str | bytes] | None = None, *, fork: bool = False) -> Run:
        """Run it for a pull request with these files, or with one that has nothing to do with models."""
        return self.run(events.pull_request(self.repository, files or {"README.md": "A shop.\n"}, fork=fork))

    def run_again(self) -> Run:
        """Run it once more for what is checked out."""
        shutil.rmtree(self.kept)
        return self.run(events.schedule())

    def check_secrets(self, run: Run) -> None:
        """Nothing that the job said or left holds one, byte by byte."""
        log = without_masks(run)
        assert secrets_in(self.secrets, log, [self.kept, self.temporary, self.act.work]) == []

    @property
    def kept(self) -> Path:
        """Copies of everything that the jobs left: workspace, files of commands, temporary folder."""
        return self._made("kept")

    @property
    def temporary(self) -> Path:
        """Where programs put temporary files."""
        return self._made("tmp")

    def _made(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def verdict(self) -> dict[str, Any]:
        """The one verdict that the job wrote."""
        (file,) = self.kept.glob("*/tmp/aegis/verdict-*/verdict.json")
        found: dict[str, Any] = json.loads(file.read_bytes())
        return found

    def rules(self) -> list[str]:
        """The reasons of the verdict's findings."""
        return [finding["rule"] for finding in self.verdict()["findings"]]


def installed_lock(name: str, cache: Path, to: Path) -> Path:
    """A folder with the environment of a lock, as a gate before left it."""
    place = environment(name, ROOT, cache, os.environ)
    (to / place.name).symlink_to(place)
    return to


def gate_of(stage: Stage) -> tuple[int, ...]:
    """The ids of this job's launcher and gate, which run one another."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        for place, script in enumerate(("/startup/main.py", "/startup/launch.py")):
            if any(word.startswith(str(stage.act.work)) and word.endswith(script) for word in words):
                found[place] = int(folder.name)
    return tuple(found[place] for place in sorted(found))
