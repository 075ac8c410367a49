"""The reusable workflows, called as another repository calls them: `uses: org/aegis/.github/workflows/NAME.yml@v1`.

act knows neither GitHub's self-repository form (`uses: $/actions/scan`) nor artifacts: what is served to it names the
action as `org/aegis/actions/scan@v1`, and stand-ins keep artifacts in a folder. Nothing else of a workflow is changed.
What act does not do as GitHub does (permissions, environments, the secrets of a called workflow, jobs that run whatever
became of a called workflow before them) proves nothing here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.startup import surroundings
from aegis.startup.environment import environment
from tests.e2e.actions.canary.conftest import CACHE, deploying
from tests.e2e.actions.conftest import CLEAN, DIRTY
from tests.e2e.actions.test_fail_closed import VERIFY, all_of_them, backed_up, signed
from tests.support.actions import events
from tests.support.actions.act import ROOT, UPLOAD, Act, Run, commit, export, write_files

FLOWS = ROOT / ".github" / "workflows"
NAMES = ("scan", "verify", "canary", "backup-check", "gates")
DOWNLOAD = "actions/download-artifact@018cc2cf5baa6db3ef3c5f8a56943fffe632ef53"
_UPLOAD = """\
name: Stand-in for actions/upload-artifact, for one file
inputs: {name: {}, path: {}, if-no-files-found: {}, overwrite: {}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {NAME: "${{ inputs.name }}", FILE: "${{ inputs.path }}", AGAIN: "${{ inputs.overwrite }}"}
      run: |
        test "$AGAIN" = true || test ! -e "$ARTIFACTS/$NAME"
        mkdir -p "$ARTIFACTS/$NAME" && cp "$FILE" "$ARTIFACTS/$NAME/"
"""
_DOWNLOAD = """\
name: Stand-in for actions/download-artifact, for a pattern
inputs: {pattern: {}, path: {}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {PATTERN: "${{ inputs.pattern }}", TO: "${{ inputs.path }}"}
      # as the real one: where nothing matches, nothing fails
      run: |
        mkdir -p "$TO"
        for each in "$ARTIFACTS"/$PATTERN; do test ! -d "$each" || cp -r "$each" "$TO/"; done
"""
_WARM = """\
      - name: A gate before this one
        run: mkdir -p "$RUNNER_TEMP/aegis" && ln -s "$INSTALLED"/* "$RUNNER_TEMP/aegis/"
"""
Files = Mapping[str, str | bytes]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository of the actions with its workflows, as act can read them."""
    folder = export(tmp_path_factory.mktemp("action"))
    for name in NAMES:
        text = (FLOWS / f"{name}.yml").read_text("utf-8")
        text = re.sub(r"uses: \$/(\S*)", lambda found: f"uses: org/aegis{found[1] and '/' + found[1]}@v1", text)
        # a runner that has the packages already, so that no test downloads them for each job
        text = re.sub(r"(?m)^      - name: (?=(?:Scan|Verify|Judge|Check the|List|Run|Merge))", _WARM + r"\g<0>", text)
        assert "$/" not in text
        write_files(folder, {f".github/workflows/{name}.yml": text})
    return folder


@dataclass
class Caller:
    """A repository that calls one workflow."""

    folder: Path
    act: Act
    name: str
    given: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    event: events.Event = field(default_factory=events.schedule)

    @property
    def repository(self) -> Path:
        """Its clone."""
        return self.folder / "shop"

    @property
    def artifacts(self) -> Path:
        """What its jobs have uploaded."""
        return self.folder / "artifacts"

    def adopt(self, files: Files) -> None:
        """The first commit: a job that calls, and one after it that looks at the outputs."""
        job: dict[str, Any] = {"uses": f"org/aegis/.github/workflows/{self.name}.yml@v1", "with": self.given}
        job["secrets"] = {name: f"${{{{ secrets.{name} }}}}" for name in self.secrets}
        result, reason = (f"${{{{ needs.aegis.outputs.{name} }}}}" for name in ("result", "reason"))
        after = [{"env": {"RESULT": result, "REASON": reason}, "run": 'echo "told: $RESULT $REASON"'}]
        deploy = [{"run": "echo deployed anyway"}]
        told = {"needs": ["aegis"], "runs-on": "ubuntu-latest", "steps": after}
        behind = {"needs": ["aegis"], "runs-on": "ubuntu-latest", "steps": deploy}
        jobs = {"aegis": {key: value for key, value in job.items() if value}, "told": told, "deploy": behind}
        text = yaml.safe_dump({"name": "check", "on": ["push"], "jobs": jobs})
        commit(self.repository, {**CLEAN, ".github/workflows/check.yml": text, **files})

    def answer(self, artifact: str) -> str:
        """Result and reason of the verdict that the workflow has kept."""
        found = json.loads((self.artifacts / artifact / "verdict.json").read_bytes())
        return f"{found['result']} {found['reason']}"

    def run(self, files: Files) -> Run:
        """The run of a push with these files."""
        self.event = events.push(self.repository, files)
        return self.attempt()

    def attempt(self) -> Run:
        """The same run again."""
        secrets = self.folder / "secrets"
        secrets.write_text("".join(f"{name}='{value}'\n" for name, value in self.secrets.items()), "utf-8")
        options = (*self.act.options, "--secret-file", str(secrets))
        return replace(self.act, options=options).run(self.repository, self.event.name, self.event.payload)


def told(run: Run) -> str:
    """What a job after a green one sees in the outputs."""
    found = re.search(r"^told: (.*)$", run.log, re.MULTILINE)
    assert found is not None, run.log[-6000:]
    return found[1].strip()


Call = Callable[..., Caller]


@pytest.fixture
def call(tmp_path: Path, served: Path, uv_folder: Path) -> Iterator[Call]:
    """Makes a caller of a workflow whose jobs need these locks."""
    work = tmp_path / "runner"
    installed = tmp_path / "installed"
    (tmp_path / "artifacts").mkdir()
    installed.mkdir()

    def made(name: str, *locks: str, **given: Any) -> Caller:
        for lock in locks:
            place = environment(lock, ROOT, surroundings.cache_folder(os.environ), os.environ)
            (installed / place.name).symlink_to(place)
        doubles = tmp_path / "doubles"
        write_files(doubles, {"upload/action.yml": _UPLOAD, "download/action.yml": _DOWNLOAD})
        pairs = {UPLOAD: doubles / "upload", DOWNLOAD: doubles / "download"}
        options = tuple(word for use, place in pairs.items() for word in ("--local-repository", f"{use}={place}"))
        env = {"INSTALLED": str(installed), "ARTIFACTS": str(tmp_path / "artifacts")}
        return Caller(tmp_path, Act(served, work, (uv_folder,), env, options), name, given)

    work.mkdir()
    yield made
    # pytest keeps the folders of three runs, and a runner's are large
    shutil.rmtree(work, ignore_errors=True)


def test_scan_is_green_and_red_and_keeps_its_verdict(call: Call) -> None:
    caller = call("scan", "scan")
    caller.adopt({})
    run = caller.run({"README.md": "A shop.\n"})
    assert run.green, run.log[-6000:]
    assert told(run) == "pass core.passed"
    assert "deployed anyway" in run.log
    assert caller.answer("scan-1") == "pass core.passed"
    shutil.rmtree(caller.artifacts / "scan-1")
    run = caller.run(DIRTY)
    assert not run.green
    assert caller.answer("scan-1") == "fail core.findings"
    assert "deployed anyway" not in run.log


def test_scan_takes_its_inputs(call: Call) -> None:
    caller = call("scan", "scan", strict=False, path="src", artifact="cloud-sdks")
    caller.adopt({"aegis.yml": "version: 1\nscan: {strict: false}\n", "requirements.txt": "boto3\n"})
    run = caller.run({"src/more.py": "import json\n"})
    assert run.green, run.log[-6000:]
    assert (caller.artifacts / "cloud-sdks-1" / "verdict.json").is_file()


@pytest.mark.parametrize(
    ("name", "lock", "files", "spoilt"),
    [("verify", "keyless", signed, "bin/tool"), ("backup-check", "backup-check", backed_up, "/dump/0")],
    ids=["verify", "backup-check"],
)
def test_it_is_green_and_red(call: Call, name: str, lock: str, files: Callable[[], Files], spoilt: str) -> None:
    caller = call(name, lock)
    there = files()
    caller.adopt(there)
    run = caller.run({"README.md": "A shop.\n"})
    assert run.green, run.log[-6000:]
    assert told(run) == "pass core.passed"
    shutil.rmtree(caller.artifacts / f"{name}-1")
    run = caller.run({next(path for path in there if path.endswith(spoilt)): b"another content\n"})
    assert not run.green
    assert caller.answer(f"{name}-1") == "fail core.findings"
    assert "deployed anyway" not in run.log


def test_canary_is_green_and_keeps_what_it_saw(call: Call, tmp_path: Path) -> None:
    caller = call("canary", "canary", environment="production")
    shutil.rmtree(caller.act.work, ignore_errors=True)
    with deploying(tmp_path, caller.act) as deploy:
        doubled = deploy.surrounded()
        caches = [option for option in doubled.options if option.startswith(CACHE)]
        env = {**caller.act.env, "CACHED": doubled.env["CACHED"]}
        caller.act = replace(caller.act, env=env, options=(*caller.act.options, "--local-repository", *caches))
        caller.secrets = dict(deploy.given)
        caller.adopt({"aegis.yml": deploy.policy()})
        run = caller.run({"README.md": "A shop.\n"})
        assert run.green, run.log[-6000:]
        assert told(run) == "pass canary.not_worse"
        assert list((tmp_path / "cached").glob("*/shop.web.*.json"))


def rows(run: Run) -> dict[str, str]:
    """The answers in the summary of the merge."""
    return dict(re.findall(r"(?m)^\| ([a-z-]+) \| ([A-Z ,]+) \| <code>", run.summary))


@pytest.fixture
def gates(call: Call) -> Caller:
    """A repository whose policy names two gates that need a job."""
    caller = call("gates", "scan", "keyless")
    policy = yaml.safe_load(CLEAN["aegis.yml"])
    caller.adopt({**signed(), "aegis.yml": yaml.safe_dump({**policy, "verify": VERIFY})})
    return caller


GREEN = {"scan": "PASS", "verify": "PASS", "canary": "NOT APPLICABLE", "backup-check": "PASS"}


def test_all_gates_have_a_job_each_and_one_verdict(call: Call) -> None:
    gates = call("gates", "scan", "keyless", "backup-check")
    gates.adopt(all_of_them())
    run = gates.run({"README.md": "A shop.\n"})
    assert run.green, run.log[-8000:]
    assert told(run) == "pass core.passed"
    assert rows(run) == GREEN
    kept = {path.parent.name for path in gates.artifacts.rglob("verdict.json")}
    assert kept == {"aegis-gate-scan", "aegis-gate-verify", "aegis-gate-backup-check", "aegis-1"}


def test_one_gate_that_says_no_is_the_answer(gates: Caller) -> None:
    run = gates.run(DIRTY)
    assert not run.green
    assert gates.answer("aegis-1") == "fail core.findings"
    assert rows(run) == {"scan": "FAIL", "verify": "PASS", "canary": "NOT RUN", "backup-check": "NOT RUN"}
    assert "deployed anyway" not in run.log


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ('rm "$VERDICT"; exit 1', "core.verdicts_unfit"),
        ('printf "{" > "$VERDICT"; exit 1', "core.verdict_invalid"),
    ],
    ids=["missing", "cut"],
)
def test_a_job_whose_verdict_gets_lost_is_no_pass(
    gates: Caller, served: Path, tmp_path: Path, fault: str, reason: str
) -> None:
    """Between the gate and its artifact, e.g. a runner that breaks down."""
    other = tmp_path / "action"
    shutil.copytree(served, other)
    flow = other / ".github" / "workflows" / "gates.yml"
    lost = (
        "      - name: The runner breaks down\n        if: ${{ matrix.gate == 'verify' }}\n"
        f"        env: {{VERDICT: '${{{{ steps.gate.outputs.verdict }}}}'}}\n        run: '{fault}'\n"
    )
    text = flow.read_text("utf-8")
    where = "      - name: Hand over the verdict\n"
    assert text.count(where) == 1
    flow.write_text(text.replace(where, lost + where), "utf-8")
    gates.act = replace(gates.act, action=other)
    run = gates.run({"README.md": "A shop.\n"})
    assert not run.green
    assert gates.answer("aegis-1") == f"error {reason}", run.log[-6000:]
    assert "deployed anyway" not in run.log


def test_the_verdict_of_an_attempt_before_is_no_pass_for_a_job_that_broke_off(
    gates: Caller, served: Path, tmp_path: Path
) -> None:
    """Its artifact is still there, and says pass of this commit, this run, and this tool."""
    run = gates.run({"README.md": "A shop.\n"})
    assert run.green, run.log[-6000:]
    shutil.rmtree(gates.artifacts / "aegis-1")
    other = tmp_path / "action"
    shutil.copytree(served, other)
    flow = other / ".github" / "workflows" / "gates.yml"
    where = "      - name: Run the gate\n"
    text = flow.read_text("utf-8")
    assert text.count(where) == 1
    broken = "      - name: The runner breaks down\n        if: ${{ matrix.gate == 'verify' }}\n        run: exit 1\n"
    flow.write_text(text.replace(where, broken + where), "utf-8")
    gates.act = replace(gates.act, action=other)
    again = gates.attempt()
    assert not again.green
    # all verdicts are there and fit, and the check that a ruleset requires is red all the same
    assert gates.answer("aegis-1") == "pass core.passed"
    (result,) = {result for job, result in again.jobs.items() if job.endswith("verdict")}
    assert result == "failure", again.jobs
    assert "deployed anyway" not in again.log


def test_a_policy_that_names_no_gate_is_no_pass(call: Call) -> None:
    caller = call("gates", "scan")
    caller.adopt({"aegis.yml": "version: 1\n"})
    run = caller.run({"README.md": "A shop.\n"})
    assert not run.green
    assert any("names no gate" in note.message for note in run.errors()), run.annotations
    assert "deployed anyway" not in run.log
