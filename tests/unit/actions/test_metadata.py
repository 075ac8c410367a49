"""What every action.yml and workflow must be, whatever gate it runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.startup import tier0
from scripts import generate_action_docs, render_templates

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent
GATES = {"all": ROOT / "action.yml", **{path.parent.name: path for path in sorted(ROOT.glob("actions/*/action.yml"))}}
WORKFLOWS = sorted([*ROOT.glob(".github/workflows/*.yml"), *ROOT.glob("examples/*/.github/workflows/*.yml")])
CHECKS = [path for path in WORKFLOWS if re.search(r"^  pull_request:", path.read_text("utf-8"), re.MULTILINE)]
each_action = pytest.mark.parametrize("gate", GATES)


def load(path: Path) -> Any:
    return yaml.load(path.read_text("utf-8"), Loader=yaml.BaseLoader)


def steps(gate: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = load(GATES[gate])["runs"]["steps"]
    return found


def test_there_is_an_action_for_each_gate_that_start_up_knows() -> None:
    assert GATES.keys() == tier0.INPUTS.keys()


@each_action
def test_at_most_two_steps_of_bash(gate: str) -> None:
    assert 1 <= len(steps(gate)) <= 2
    assert all(step["shell"] == "bash" and "uses" not in step for step in steps(gate))


@each_action
def test_scripts_are_short_and_strict_and_interpolate_nothing(gate: str) -> None:
    for step in steps(gate):
        lines = step["run"].strip().splitlines()
        assert lines[0] == "set -euo pipefail"
        assert len(lines) <= 15
        assert "${{" not in step["run"]


def test_no_workflow_interpolates_into_a_script() -> None:
    for workflow in WORKFLOWS:
        for job in load(workflow)["jobs"].values():
            assert not any("${{" in step.get("run", "") for step in job["steps"]), workflow


@each_action
def test_every_input_is_mapped_once_and_known_to_tier_0(gate: str) -> None:
    action = load(GATES[gate])
    mapped = [(name, value) for step in steps(gate) for name, value in step.get("env", {}).items()]
    wanted = {f"AEGIS_INPUT_{name.upper().replace('-', '_')}": f"${{{{ inputs.{name} }}}}" for name in action["inputs"]}
    assert len(mapped) == len(wanted)
    assert dict(mapped) == wanted
    assert set(tier0.INPUTS[gate]) == action["inputs"].keys()


@each_action
def test_defaults_are_allowed_values(gate: str) -> None:
    inputs = load(GATES[gate])["inputs"]
    for name, declared in inputs.items():
        choices = tier0.choices_of(gate, name)
        assert not choices or declared["default"] in choices


@each_action
def test_every_output_comes_from_a_step_that_is_there(gate: str) -> None:
    ids = {step["id"] for step in steps(gate) if "id" in step}
    for name, output in load(GATES[gate])["outputs"].items():
        found = re.fullmatch(r"\$\{\{ steps\.(\w+)\.outputs\.([\w-]+) \}\}", output["value"])
        assert found is not None
        assert found[1] in ids
        assert found[2] == name


@each_action
def test_shellcheck_finds_nothing(gate: str, tmp_path: Path) -> None:
    for number, step in enumerate(steps(gate)):
        script = tmp_path / f"{number}.sh"
        script.write_text(f"#!/usr/bin/env bash\nGITHUB_ACTION_PATH=/action\n{step['run']}", "utf-8")
        done = subprocess.run([BIN / "shellcheck", "--enable=all", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_githubs_schemas_hold() -> None:
    for schema, files in (("vendor.github-actions", GATES.values()), ("vendor.github-workflows", WORKFLOWS)):
        argv: list[str | Path] = [BIN / "check-jsonschema", "--builtin-schema", schema, *files]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def zizmor(*places: Path) -> subprocess.CompletedProcess[str]:
    argv: list[str | Path] = [
        BIN / "zizmor",
        "--offline",
        "--strict-collection",
        "--pedantic",
        "--no-progress",
        *places,
    ]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)


def test_zizmor_finds_nothing() -> None:
    done = zizmor(ROOT, ROOT / "examples" / "consumer")
    assert done.returncode == 0, done.stdout
    assert f"completed {ROOT}/action.yml" in done.stderr + done.stdout


def test_zizmor_would_find_something(tmp_path: Path) -> None:
    bad = tmp_path / "action.yml"
    run = "    - {shell: bash, run: 'echo ${{ inputs.path }}'}\n"
    bad.write_text(f"name: bad\ndescription: bad\nruns:\n  using: composite\n  steps:\n{run}", "utf-8")
    assert zizmor(bad).returncode not in (0, 1)


def test_zizmor_has_two_exceptions_each_with_its_reason() -> None:
    rules = yaml.safe_load((ROOT / "zizmor.yml").read_text("utf-8"))["rules"]
    assert rules.keys() == {"unpinned-uses", "self-repository"}
    assert rules["unpinned-uses"]["config"]["policies"] == {
        "org/aegis": "ref-pin",
        "org/aegis/*": "ref-pin",
        "*": "hash-pin",
    }
    assert rules["self-repository"] == {"ignore": ["ci.yml"]}
    assert not [path for path in (*GATES.values(), *WORKFLOWS) if "zizmor:" in path.read_text("utf-8")]


def test_code_never_reads_what_github_does_not_set_in_composites() -> None:
    forbidden = re.compile(r"(?<!AEGIS_)\bINPUT_|GITHUB_ACTION_REF|GITHUB_ACTION_REPOSITORY")
    sources = [*ROOT.glob("src/**/*.py"), *ROOT.glob("scripts/*.py"), *GATES.values()]
    prose = re.compile(r'^\s*(#|""")|`')
    hits = [
        f"{source.relative_to(ROOT)}:{number}"
        for source in sources
        for number, line in enumerate(source.read_text("utf-8").splitlines(), 1)
        if forbidden.search(line) and not prose.search(line)
    ]
    assert hits == []


def test_the_tables_in_the_readmes_are_current() -> None:
    for readme, action in generate_action_docs.tables().items():
        text = readme.read_text("utf-8")
        assert generate_action_docs.with_tables(text, yaml.safe_load(action.read_text("utf-8"))) == text, readme


def test_a_readme_without_markers_is_an_error() -> None:
    with pytest.raises(ValueError, match="no marker"):
        generate_action_docs.with_tables("# no tables", load(ROOT / "action.yml"))


def test_the_consumers_workflows_are_the_rendered_templates() -> None:
    for place, text in render_templates.rendered():
        assert place.read_text("utf-8") == text


@pytest.mark.parametrize("workflow", CHECKS, ids=lambda path: f"{path.parents[2].name}-{path.stem}")
class TestRequiredCheck:
    """Traps of required checks, as GitHub documents them.

    https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/collaborating-on-repositories-with-code-quality-features/troubleshooting-required-status-checks
    """

    def test_the_merge_queue_is_not_left_waiting(self, workflow: Path) -> None:
        assert {"pull_request", "merge_group"} <= load(workflow)["on"].keys()

    def test_no_filter_leaves_a_check_pending(self, workflow: Path) -> None:
        assert not load(workflow)["on"]["pull_request"]
        assert "paths" not in (load(workflow)["on"].get("push") or {})

    def test_a_schedule_has_an_odd_minute_and_a_dispatch_twin(self, workflow: Path) -> None:
        events = load(workflow)["on"]
        for entry in events.get("schedule", []):
            assert int(entry["cron"].split()[0]) % 2 == 1
            assert "workflow_dispatch" in events

    def test_the_checks_name_is_the_jobs_key(self, workflow: Path) -> None:
        for key, job in load(workflow)["jobs"].items():
            assert job["name"] == key
            assert "strategy" not in job

    def test_an_aggregate_needs_all_other_jobs_and_always_runs(self, workflow: Path) -> None:
        jobs = load(workflow)["jobs"]
        if len(jobs) == 1:
            return
        last = jobs[load(workflow)["name"]]
        assert last["if"] == "${{ always() }}"
        assert set(last["needs"]) == jobs.keys() - {load(workflow)["name"]}

    def test_the_base_commit_is_there_to_compare_with(self, workflow: Path) -> None:
        assert all(step["with"]["fetch-depth"] == "0" for step in checkouts(workflow))


def checkouts(workflow: Path) -> list[dict[str, Any]]:
    all_steps = [step for job in load(workflow)["jobs"].values() for step in job["steps"]]
    return [step for step in all_steps if step.get("uses", "").startswith("actions/checkout@")]


def test_seven_workflows_are_checks() -> None:
    assert len(CHECKS) == 7


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: f"{path.parents[2].name}-{path.stem}")
def test_no_checkout_leaves_credentials_behind(workflow: Path) -> None:
    assert all(step["with"]["persist-credentials"] == "false" for step in checkouts(workflow))


class TestBackups:
    WORKFLOWS = ROOT / "examples" / "consumer" / ".github" / "workflows"

    @pytest.mark.parametrize("name", ["backup", "backup-check"])
    def test_none_is_cancelled_by_the_next(self, name: str) -> None:
        assert load(self.WORKFLOWS / f"{name}.yml")["concurrency"]["cancel-in-progress"] == "false"

    @pytest.mark.parametrize("name", ["backup", "backup-check"])
    def test_each_runs_by_the_clock_at_an_odd_minute_and_by_hand(self, name: str) -> None:
        events = load(self.WORKFLOWS / f"{name}.yml")["on"]
        assert events["schedule"]
        assert "workflow_dispatch" in events
        assert all(int(entry["cron"].split()[0]) % 2 == 1 for entry in events["schedule"])

    def test_who_takes_backups_and_who_proves_them_have_environments_and_secrets_of_their_own(self) -> None:
        jobs = {name: load(self.WORKFLOWS / f"{name}.yml")["jobs"][name] for name in ("backup", "backup-check")}
        assert jobs["backup"]["environment"] != jobs["backup-check"]["environment"]
        secrets = {
            name: {secret for step in job["steps"] for secret in step.get("env", {})} for name, job in jobs.items()
        }
        assert secrets == {"backup": {"AEGIS_DATABASE_URL"}, "backup-check": {"AEGIS_AGE_IDENTITY"}}
