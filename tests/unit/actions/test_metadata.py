"""What every action.yml and workflow must be, whatever gate it runs."""

from __future__ import annotations

import hashlib
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
        pull_request = load(workflow)["on"]["pull_request"] or {}
        assert pull_request in ({}, {"types": ["opened", "synchronize", "reopened", "edited"]})
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


class TestEnvironments:
    WORKFLOWS = ROOT / "examples" / "consumer" / ".github" / "workflows"

    def of(self, name: str) -> dict[str, str | None]:
        """The environment of each job of a workflow."""
        return {key: job.get("environment") for key, job in load(self.WORKFLOWS / f"{name}.yml")["jobs"].items()}

    def test_each_power_has_one_of_its_own(self) -> None:
        """A role trusts an environment, so a gate of pull requests shares none with a drill, a deploy or an apply."""
        found = {
            "verify": self.of("verify-model-signatures-aws-oidc")["verify-model-signatures-aws-oidc"],
            "all": self.of("aegis")["gates"],
            "drill": self.of("backup-check")["backup-check"],
            "canary": self.of("canary")["canary"],
            "backup": self.of("backup")["backup"],
            "plan": self.of("terraform")["terraform-plan"],
            "apply": self.of("terraform")["terraform-apply"],
        }
        assert found == {
            "verify": "staging",
            "all": "staging",
            "drill": "drill",
            "canary": "production",
            "backup": "backup",
            "plan": "terraform-plan",
            "apply": "terraform-apply",
        }

    def test_nothing_but_the_apply_is_in_the_environment_that_changes_things(self) -> None:
        inside = [
            (path.name, key)
            for path in sorted(self.WORKFLOWS.glob("*.yml"))
            for key, environment in self.of(path.stem).items()
            if environment == "terraform-apply"
        ]
        assert inside == [("terraform.yml", "terraform-apply")]

    def test_the_password_is_the_applys_only(self) -> None:
        holders = [path.name for path in sorted(self.WORKFLOWS.glob("*.yml")) if "DB_PASSWORD" in path.read_text()]
        assert holders == ["terraform.yml"]
        jobs = load(self.WORKFLOWS / "terraform.yml")["jobs"]
        assert [key for key, job in jobs.items() if "DB_PASSWORD" in str(job)] == ["terraform-apply"]


_TERRAFORM = """#!/usr/bin/env bash
echo "$*" >> "$RUNNER_TEMP/asked"
case "$1" in
  plan) printf 'a plan' > "$RUNNER_TEMP/plan.bin"; exit 2 ;;
  show) cat "$RUNNER_TEMP/shown"; exit "$SHOW" ;;
esac
"""


class TestTerraform:
    """The steps that plan and apply, run as they stand with a `terraform` that says what a test wants said."""

    WORKFLOW = ROOT / "examples" / "consumer" / ".github" / "workflows" / "terraform.yml"

    def run(self, folder: Path, job: str, step: str, *, shown: str = "", show: int = 0, digest: str = "") -> int:
        (program := folder / "terraform").write_text(_TERRAFORM, "utf-8")
        program.chmod(0o755)
        (folder / "shown").write_bytes(shown.encode())
        (script,) = (one["run"] for one in load(self.WORKFLOW)["jobs"][job]["steps"] if one.get("name") == step)
        environ = {
            "PATH": f"{folder}:/usr/bin:/bin",
            "RUNNER_TEMP": str(folder),
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            "GITHUB_RUN_ATTEMPT": "1",
            "SHOW": str(show),
            "DIGEST": digest,
        }
        # the runner's own way to call a script that names no shell
        argv = ["/usr/bin/env", "bash", "-e", "-c", script]
        return subprocess.run(argv, env=environ, cwd=folder, capture_output=True, check=False).returncode

    def test_what_is_planned_is_shown_and_named_by_its_digest(self, tmp_path: Path) -> None:
        assert self.run(tmp_path, "terraform-plan", "Plan", shown="  # one will be created\n") == 0
        assert (tmp_path / "summary").read_text() == "      # one will be created\n"
        output = dict(line.split("=") for line in (tmp_path / "output").read_text().splitlines())
        digest = hashlib.sha256(b"a plan").hexdigest()
        assert output == {"changes": "true", "artifact": "plan-1", "digest": digest}

    def test_no_text_in_a_plan_ends_what_shows_it(self, tmp_path: Path) -> None:
        """Each line that Markdown sees, also after a lone carriage return, stays inside the indented block."""
        forged = "<<-EOT\n```\n# No changes\n\r## Nothing is destroyed\r\nEOT\n"
        assert self.run(tmp_path, "terraform-plan", "Plan", shown=forged) == 0
        lines = re.split(r"\r\n|\r|\n", (tmp_path / "summary").read_bytes().decode().removesuffix("\n"))
        assert len(lines) == 5
        assert all(line.startswith("    ") for line in lines)

    def test_a_plan_that_nobody_can_read_is_none(self, tmp_path: Path) -> None:
        assert self.run(tmp_path, "terraform-plan", "Plan", shown="a line\n" * 150_000) == 1
        assert not (tmp_path / "output").exists()

    def test_a_plan_that_cannot_be_shown_is_none(self, tmp_path: Path) -> None:
        assert self.run(tmp_path, "terraform-plan", "Plan", shown="half of it", show=1) != 0
        assert not (tmp_path / "output").exists()

    def test_a_plan_takes_no_lock_since_its_role_writes_nothing(self, tmp_path: Path) -> None:
        self.run(tmp_path, "terraform-plan", "Plan")
        (planned,) = (line for line in (tmp_path / "asked").read_text().splitlines() if line.startswith("plan"))
        assert "-lock=false" in planned.split()

    @pytest.mark.parametrize("whole", [True, False])
    def test_only_the_plan_that_was_shown_is_applied(self, tmp_path: Path, whole: bool) -> None:
        (tmp_path / "plan.bin").write_bytes(b"a plan" if whole else b"another plan")
        code = self.run(tmp_path, "terraform-apply", "Apply", digest=hashlib.sha256(b"a plan").hexdigest())
        asked = (tmp_path / "asked").read_text() if (tmp_path / "asked").exists() else ""
        assert (code == 0, "apply" in asked) == (whole, whole)

    def test_no_plan_waits_for_an_apply_and_no_apply_for_two(self) -> None:
        document = load(self.WORKFLOW)
        assert "concurrency" not in document
        plan, apply = (document["jobs"][f"terraform-{job}"]["concurrency"] for job in ("plan", "apply"))
        assert plan["group"] == "terraform-plan-${{ github.ref }}"
        assert apply == {"group": "terraform-apply", "cancel-in-progress": "false"}

    def test_a_job_that_is_run_again_finds_the_plan_of_before(self) -> None:
        jobs = load(self.WORKFLOW)["jobs"]
        assert jobs["terraform-plan"]["outputs"]["artifact"] == "${{ steps.plan.outputs.artifact }}"
        named = [
            step["with"]["name"]
            for job in jobs.values()
            for step in job["steps"]
            if "artifact@" in step.get("uses", "")
        ]
        assert named == ["${{ steps.plan.outputs.artifact }}", "${{ needs.terraform-plan.outputs.artifact }}"]
