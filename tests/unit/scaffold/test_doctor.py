"""Each way by which a gate could be passed by, or wait for ever: planted alone, and found."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aegis.core.errors import UsageError
from aegis.core.policy_file import parse_policy
from aegis.scaffold import jobs
from aegis.scaffold.doctor import Facts, Weakness, weaknesses
from aegis.scaffold.files import files
from aegis.scaffold.jobs import Workflow
from tests.unit.scaffold.test_choices import WHOLE

SCAN = ".github/workflows/sdk-scan.yml"
VERIFY = ".github/workflows/verify-model-signatures-aws-oidc.yml"
ONE = ".github/workflows/aegis.yml"
OWNERS = ".github/CODEOWNERS"
AEGIS = "org/aegis"


def read(texts: dict[str, str]) -> tuple[Workflow, ...]:
    return tuple(
        jobs.read(path, text.encode(), AEGIS, ("scan", "verify"))
        for path, text in texts.items()
        if path.startswith(jobs.FOLDER)
    )


def told(texts: dict[str, str]) -> list[Weakness]:
    """What the doctor finds."""
    policies = {path: parse_policy(text.encode(), file=path).policy for path, text in texts.items() if path[0] == "a"}
    owners = (OWNERS, texts[OWNERS]) if OWNERS in texts else None
    facts = Facts(workflows=read(texts), policies=policies, codeowners=owners, aegis=AEGIS, files=("aegis.lock",))
    return weaknesses(facts)


def found(texts: dict[str, str]) -> set[str]:
    """The codes of it."""
    return {each.code for each in told(texts)}


GOOD = files(replace(WHOLE, terraform=True))
"""A workflow a gate."""
COLLECTED = files(replace(WHOLE, workflows="one", artifacts=WHOLE.artifacts[:1]))
"""One workflow with a job that collects."""


@pytest.mark.parametrize("texts", [GOOD, COLLECTED], ids=["each", "one"])
def test_what_init_writes_is_well(texts: dict[str, str]) -> None:
    assert found(texts) == set()


PLANTED: list[tuple[str, str, str, str]] = [
    ("pull_request_target", SCAN, "  pull_request:\n", "  pull_request:\n  pull_request_target:\n"),
    ("no_merge_group", SCAN, "  merge_group:\n", ""),
    ("filtered", SCAN, "  pull_request:\n", "  pull_request:\n    paths: [src/**]\n"),
    ("filtered", SCAN, "  pull_request:\n", "  pull_request:\n    paths-ignore: [docs/**]\n"),
    ("filtered", SCAN, "  pull_request:\n", "  pull_request:\n    branches: [main]\n"),
    ("filtered", SCAN, "  merge_group:\n", "  merge_group:\n    branches: [main]\n"),
    ("filtered", SCAN, "reopened, edited]", "edited]"),
    ("no_edited", SCAN, "reopened, edited]", "reopened]"),
    ("no_edited", SCAN, "    types: [opened, synchronize, reopened, edited]\n", ""),
    ("full_hour", SCAN, "4 * * 1", "4 * * 1"),
    ("no_dispatch", SCAN, "  workflow_dispatch:\n", ""),
    ("permissions_wide", SCAN, "    permissions:\n      contents: read\n", "    permissions:\n      contents: write\n"),
    ("passed_by", SCAN, "    timeout-minutes: 10\n", "    timeout-minutes: 10\n    continue-on-error: true\n"),
    ("passed_by", SCAN, "    timeout-minutes: 10\n", "    if: github.actor != 'amy'\n"),
    ("passed_by", SCAN, "    timeout-minutes: 10\n", "    needs: [build]\n"),
    ("passed_by", SCAN, "        id: scan\n", "        id: scan\n        continue-on-error: true\n"),
    ("passed_by", SCAN, "        id: scan\n", "        id: scan\n        if: ${{ vars.SCAN == 'yes' }}\n"),
    ("no_environment", VERIFY, "    environment: staging\n", ""),
    ("check_unnamed", SCAN, "    name: sdk-scan\n", "    name: scan ${{ github.ref }}\n"),
    ("check_unnamed", SCAN, "    name: sdk-scan\n", "    strategy: {matrix: {os: [a, b]}}\n"),
    ("check_ambiguous", VERIFY, "    name: verify-model-signatures-aws-oidc\n", "    name: sdk-scan\n"),
    ("unpinned", SCAN, "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2", "actions/checkout@v6"),
    ("unpinned", SCAN, "org/aegis/actions/scan@v1", "org/aegis/actions/scan@main"),
    ("gate_not_run", SCAN, "uses: org/aegis/actions/scan@v1", "uses: evil/aegis/actions/scan@v1"),
    ("observing", "aegis.yml", "version: 1\n", "version: 1\nmode: observe until 2027-01-31\n"),
    ("unowned", OWNERS, "/aegis.yml @octo/platform @amy\n", ""),
    ("unowned", OWNERS, "/aegis.lock @octo/platform @amy\n", ""),
    ("unowned", OWNERS, "/aegis.lock @octo/platform @amy\n", "/aegis.lock @octo/platform\n/.github/workflows/\n"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(PLANTED)), ids=[f"{n}-{case[0]}" for n, case in enumerate(PLANTED)])
def test_a_planted_weakness_is_found(number: int) -> None:
    code, path, old, new = PLANTED[number]
    text = GOOD[path]
    if code == "full_hour":
        minute = text.partition('cron: "')[2].partition(" ")[0]
        old, new = f'cron: "{minute} ', 'cron: "0 '
    assert old in text
    assert f"doctor.{code}" in found({**GOOD, path: text.replace(old, new)})


def test_a_collector_without_always_counts_for_nothing() -> None:
    text = COLLECTED[ONE]
    assert "doctor.passed_by" not in found({**COLLECTED, ONE: text})
    weak = text.replace("    if: ${{ always() }}\n", "")
    (workflow,) = [each for each in read({ONE: weak}) if each.path == ONE]
    assert jobs.required_checks([workflow]) == ("gates",)
    (workflow,) = [each for each in read({ONE: text}) if each.path == ONE]
    assert jobs.required_checks([workflow]) == ("aegis",)


OTHER = ".github/workflows/other.yml"
EVENTS = "{pull_request: {types: [opened, synchronize, reopened, edited]}, merge_group: null}"
HEAD = f"on: {EVENTS}\npermissions: {{contents: read}}\njobs:\n  build:\n"
STEPS = "    steps: [{run: make}]\n"
WITHOUT: dict[str, tuple[str, str | None]] = {
    "id-token": ("    permissions: {id-token: write}\n" + STEPS, "has id-token and no environment"),
    "a secret": ("    steps: [{run: x, env: {T: '${{ secrets.DB }}'}}]\n", "has the secret DB and no environment"),
    "a quoted secret": ("    steps: [{run: \"${{ secrets['DB'] }}\"}]\n", "has the secret DB and no environment"),
    "every secret": ("    steps: [{run: x, env: {T: '${{ toJSON(secrets) }}'}}]\n", "has secrets and no environment"),
    "an unknown one": (
        "    environment: '${{ inputs.where }}'\n    permissions: {id-token: write}\n" + STEPS,
        "an environment without a fixed name",
    ),
    "another's workflow": (
        f"    uses: a/b/.github/workflows/c.yml@{'1' * 40}\n    secrets: inherit\n",
        "has secrets and",
    ),
    "a call of ours": ("    uses: ./.github/workflows/canary.yml\n    secrets: inherit\n", None),
    "the job's own token": ("    steps: [{run: x, env: {T: '${{ secrets.GITHUB_TOKEN }}'}}]\n", None),
    "an environment": ("    environment: {name: x}\n    permissions: {id-token: write}\n" + STEPS, None),
    "words alone": ("    steps: [{run: 'echo secrets.DB ${{ inputs.secrets }}'}]\n", None),
}


@pytest.mark.parametrize("name", sorted(WITHOUT))
def test_every_job_with_credentials_names_an_environment(name: str) -> None:
    job, expected = WITHOUT[name]
    messages = [each.message for each in told({**GOOD, OTHER: HEAD + job}) if each.code == "doctor.no_environment"]
    assert (len(messages), expected or "") == (int(expected is not None), expected or "")
    assert all(expected is not None and expected in message for message in messages)


def test_secrets_of_a_whole_workflow_are_every_jobs() -> None:
    text = "env: {T: '${{ secrets.DB }}'}\n" + HEAD + STEPS
    assert "doctor.no_environment" in found({**GOOD, OTHER: text})


def test_only_the_workflow_that_a_policy_names_signs_without_an_environment() -> None:
    sign = ".github/workflows/sign-model.yml"
    assert "id-token: write" in GOOD[sign]
    moved = {path: text for path, text in GOOD.items() if path != sign}
    assert "doctor.no_environment" in found({**moved, OTHER: GOOD[sign]})
    with_secret = GOOD[sign].replace("NAME: ${{ inputs.name }}", "NAME: ${{ secrets.NAME }}")
    assert "doctor.no_environment" in found({**GOOD, sign: with_secret})


@pytest.mark.parametrize("right", ["contents", "checks", "statuses", "packages"])
def test_what_runs_a_pull_request_may_not_write(right: str) -> None:
    job = f"    permissions: {{{right}: write}}\n"
    assert "doctor.permissions_wide" in found({**GOOD, OTHER: HEAD + job + STEPS})
    pushed = HEAD.replace(EVENTS, "push") + job + STEPS
    assert "doctor.permissions_wide" not in found({**GOOD, OTHER: pushed})


def test_a_gate_of_changes_runs_on_pull_requests() -> None:
    alone = {**GOOD, SCAN: re.sub(r"  pull_request:\n(    .*\n)+  merge_group:\n", "", GOOD[SCAN])}
    assert alone[SCAN] != GOOD[SCAN]
    messages = [each.message for each in told(alone) if each.code == "doctor.gate_not_run"]
    assert messages == ["no workflow runs the gate scan on `pull_request`"]


GATE = "permissions: {}\njobs:\n  judge:\n    steps: [{uses: org/aegis/actions/scan@v1}]\n"
NO_GATE = HEAD.partition("\n")[2] + STEPS
BASES: dict[str, tuple[str, str, bool]] = {
    "a word": ("pull_request", GATE, True),
    "a list": ("[pull_request, merge_group]", GATE, True),
    "without types": ("{pull_request: null, merge_group: null}", GATE, True),
    "empty types": ("{pull_request: {types: null}, merge_group: null}", GATE, True),
    "the default types": ("{pull_request: {types: [opened, synchronize, reopened]}}", GATE, True),
    "another type": ("{pull_request: {types: [opened, synchronize, reopened, labeled]}}", GATE, True),
    "edited": (EVENTS, GATE, False),
    "edited alone": ("{pull_request: {types: edited}}", GATE, False),
    "no gate": ("pull_request", NO_GATE, False),
    "the merge queue": ("merge_group", GATE, False),
    "another's rights": ("{pull_request_target: {types: [opened]}}", GATE, False),
}


@pytest.mark.parametrize("name", sorted(BASES))
def test_a_gate_runs_anew_when_a_pull_request_gets_another_base(name: str) -> None:
    triggers, rest, weak = BASES[name]
    told_of = [each for each in told({**GOOD, OTHER: f"on: {triggers}\n{rest}"}) if each.code == "doctor.no_edited"]
    expected = [Weakness(OTHER, 1, "doctor.no_edited", "no `edited` among the types of `pull_request`")]
    assert told_of == (expected if weak else [])


DEMANDS: dict[str, tuple[str, str, bool]] = {
    "as init writes it": ("", "", True),
    "by name": ("join(needs.*.result, ' ')", "needs.gates.result", True),
    "all as JSON": ("join(needs.*.result, ' ')", "toJSON(needs)", True),
    "nothing": ("${{ join(needs.*.result, ' ') }}", "success", False),
    "another job": ("join(needs.*.result, ' ')", "needs.build.result", False),
    "no failure is enough": ('test "${result}" = success', 'test "${result}" != failure', False),
    "a step that may fail": ("      - name: Demand", "      - continue-on-error: true\n        name: Demand", False),
    "a step that may be skipped": ("      - name: Demand", "      - if: false\n        name: Demand", False),
}


@pytest.mark.parametrize("name", sorted(DEMANDS))
def test_a_collector_demands_success_of_every_gate(name: str) -> None:
    old, new, collects = DEMANDS[name]
    text = COLLECTED[ONE].replace(old, new).replace("    timeout-minutes: 60\n", "    if: github.actor != 'amy'\n")
    assert old in COLLECTED[ONE]
    (workflow,) = [each for each in read({ONE: text}) if each.path == ONE]
    assert jobs.required_checks([workflow]) == (("aegis",) if collects else ("gates",))
    assert ("doctor.passed_by" in found({**COLLECTED, ONE: text})) is not collects


def test_a_collector_that_may_fail_is_told() -> None:
    text = COLLECTED[ONE].replace("    timeout-minutes: 5\n", "    continue-on-error: true\n")
    assert "doctor.passed_by" in found({**COLLECTED, ONE: text})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("policy: nothing.yml", "takes its policy from 'nothing.yml'"),
        ("policy: ${{ inputs.policy }}", "takes its policy from"),
        ("policy: ../aegis.yml", "takes its policy from"),
        ("base: HEAD", "has `base:` at its gate"),
        ("policy: ./aegis.yml", None),
        ("policy: aegis.oci.yml", None),
    ],
)
def test_a_gate_judges_by_the_policies_that_are_looked_at(given: str, said: str | None) -> None:
    text = GOOD[SCAN].replace("        id: scan\n", f"        id: scan\n        with:\n          {given}\n")
    messages = [each.message for each in told({**GOOD, SCAN: text}) if each.code == "doctor.passed_by"]
    assert (not messages) if said is None else any(said in message for message in messages)


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        ("container: a/b:latest", False),
        ("container: {image: a/b:1}", False),
        ("services: {db: {image: postgres}}", False),
        (f"container: a/b@sha256:{'0' * 64}", True),
    ],
)
def test_images_beside_a_gate_are_pinned(image: str, pinned: bool) -> None:
    text = GOOD[SCAN].replace("    timeout-minutes: 10\n", f"    {image}\n")
    assert ("doctor.unpinned" in found({**GOOD, SCAN: text})) is not pinned


def test_the_required_checks_are_those_of_pull_requests() -> None:
    expected = ("sdk-scan", "verify-model-signatures-aws-oidc", "verify-model-signatures-oci-oidc")
    assert jobs.required_checks(read(GOOD)) == expected


def test_without_a_policy_and_without_owners_nothing_is_well() -> None:
    bare = {path: text for path, text in GOOD.items() if path.startswith(jobs.FOLDER)}
    gates = {"doctor.no_environment", "doctor.passed_by"}  # no policy names the signer, nor is there one to judge by
    assert found(bare) == {"doctor.no_policy", "doctor.no_codeowners"} | gates


def test_a_gate_of_the_root_action_is_one_that_the_policy_names() -> None:
    workflow = jobs.read(ONE, COLLECTED[ONE].encode(), AEGIS, ("scan",))
    assert [job.gates for job in workflow.jobs] == [("scan",), ()]
    assert jobs.read(ONE, COLLECTED[ONE].encode(), "other/aegis", ("scan",)).judging() == ()


ODD: list[Any] = [
    "", "[]", "on: push", "on: {pull_request: }\njobs: []", "on: [1, {a: b}]\njobs: {a: 3}",
    "jobs: {a: {steps: {b: c}, permissions: 7, needs: 3, environment: [x], strategy: 1}}",
    "on: {schedule: [3, {cron: 7}]}\njobs: {a: {uses: org/aegis/actions/scan@v1, steps: [1, {uses: 2}]}}",
    "on: {schedule: x, pull_request: [paths]}\njobs: {a: {uses: 'org/aegis/actions/../scan@v1'}}",
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(ODD)))
def test_odd_workflows_are_looked_at_or_named_and_never_crash(number: int) -> None:
    try:
        found({**GOOD, ".github/workflows/odd.yml": ODD[number]})
    except UsageError as error:
        assert error.code == "doctor.workflow_unreadable"  # noqa: PT017 - either answer is fine


@pytest.mark.parametrize("text", ["a: [", "a: 1\na: 2", "a: &x 1\nb: *x", "\x00"])
def test_a_workflow_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        jobs.read(SCAN, text.encode(), AEGIS, ())
    assert caught.value.code == "doctor.workflow_unreadable"


def test_rights_that_a_job_gets_without_asking_are_found() -> None:
    for top, code in (("", "doctor.permissions_unsaid"), ("permissions: write-all\n", "doctor.permissions_wide")):
        assert code in found({**COLLECTED, ONE: COLLECTED[ONE].replace("permissions: {}\n", top)})


def calling(flow: str, more: str = "", name: str = "models") -> str:
    """A workflow that calls one of ours."""
    return (
        f"on: {EVENTS}\npermissions: {{}}\njobs:\n"
        f"  {name}:\n    uses: org/aegis/.github/workflows/{flow}.yml@{'1' * 40}\n"
        "    permissions: {contents: read, id-token: write}\n" + more
    )


@pytest.mark.parametrize(
    ("flow", "gates", "check"),
    [
        ("scan", ("scan",), "models / scan"),
        ("verify", ("verify",), "models / verify"),
        ("canary", ("canary",), "models / canary"),
        ("backup-check", ("backup-check",), "models / backup-check"),
        ("gates", ("scan", "verify"), "models / verdict"),
        ("release", (), "models"),
    ],
)
def test_a_call_of_our_workflow_runs_its_gates(flow: str, gates: tuple[str, ...], check: str) -> None:
    workflow = jobs.read(OTHER, calling(flow).encode(), AEGIS, ("scan", "verify"))
    assert (workflow.jobs[0].gates, workflow.jobs[0].check) == (gates, check)
    assert jobs.required_checks([workflow]) == ((check,) if gates else ())


def test_each_workflow_that_others_call_is_there_with_the_job_that_decides() -> None:
    root = Path(__file__).resolve().parents[3]
    assert all(
        f"\n  {job}:\n    name: {job}\n" in (root / path).read_text("utf-8") for path, job in jobs.CALLED.items()
    )


CALLS = {
    "no environment": ("", "doctor.no_environment"),
    "an environment": ("    with: {environment: staging}\n", None),
    "an empty one": ("    with: {environment: ''}\n", "doctor.no_environment"),
    "another policy": ("    with: {environment: staging, policy: mine.yml}\n", "doctor.passed_by"),
    "a condition": ("    with: {environment: staging}\n    if: github.actor != 'amy'\n", "doctor.passed_by"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_of_our_workflow_is_held_to_the_same(name: str) -> None:
    more, code = CALLS[name]
    new = [each.code for each in told({**GOOD, OTHER: calling("verify", more)}) if each.path == OTHER]
    assert new == ([] if code is None else [code])


@pytest.mark.parametrize(
    ("given", "gates"),
    [
        ("{task: list}", ()),
        ("{task: merge, verdicts: x}", ("scan", "verify")),
        ("{gate: scan}", ("scan",)),
        ("{gate: canary}", ()),
        ("{gate: '${{ matrix.gate }}'}", ("scan", "verify")),
        ("{}", ("scan", "verify")),
        ("{task: '${{ inputs.task }}'}", ()),
    ],
)
def test_a_part_of_a_matrix_runs_what_it_says(given: str, gates: tuple[str, ...]) -> None:
    text = f"on: push\njobs:\n  a:\n    steps: [{{uses: org/aegis@v1, with: {given}}}]\n"
    (job,) = jobs.read(OTHER, text.encode(), AEGIS, ("scan", "verify")).jobs
    assert job.gates == gates


@pytest.mark.parametrize("texts", [GOOD, COLLECTED], ids=["each", "one"])
def test_a_pull_request_that_gets_another_base_is_judged_anew(texts: dict[str, str]) -> None:
    """GitHub keeps the checks of the base before, whose policy may be another one, or none at all."""
    judging = [each for each in read(texts) if each.judging() and "pull_request" in each.triggers]
    assert judging
    for workflow in judging:
        assert "edited" in workflow.triggers["pull_request"]["types"], workflow.path
