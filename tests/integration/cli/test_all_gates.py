"""`aegis all`, which the root action runs: every gate that the policy names, and never green for naming none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.cli.command import Done, aegis, verdict
from tests.support.scan.gitrepo import GitRepo

SCAN = "version: 1\nscan:\n"


def run(repo: GitRepo, out: Path) -> Done:
    return aegis("all", "--output", out, cwd=repo.root)


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (None, "core.gate_not_named"),
        ("version: 1\n", "core.gate_not_named"),
        ("version: 1\nmode: enforce\n", "core.gate_not_named"),
        ("version: 1\nscan: []\n", "core.policy_invalid"),
    ],
)
def test_a_policy_that_names_no_gate_is_no_pass(policy: str | None, reason: str, repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"a.py": "import json\n", **({} if policy is None else {"aegis.yml": policy})})
    done = run(repo, tmp_path / "out")
    done.refused(2, reason, "all: COULD NOT DECIDE")
    found = verdict(tmp_path / "out")
    assert (found["gate"], found["result"], found["decision"]) == ("all", "error", "misconfigured")


@pytest.mark.parametrize(("code", "source"), [(0, "import json\n"), (1, "import boto3\n")])
def test_the_whole_and_each_gate_have_a_folder(code: int, source: str, repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"a.py": source, "aegis.yml": SCAN})
    done = run(repo, tmp_path / "out")
    assert (done.code, done.err) == (code, "")
    whole, scan = verdict(tmp_path / "out"), verdict(tmp_path / "out" / "scan")
    assert (whole["gate"], scan["gate"]) == ("all", "scan")
    assert whole["result"] == scan["result"] == ("fail" if code else "pass")
    assert whole["findings"] == scan["findings"]
    assert whole["policy"]["effective"] == {"scan": scan["policy"]["effective"]}
    assert done.out.startswith("all: ")


def test_observe_is_no_pass(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"a.py": "import json\n", "aegis.yml": "version: 1\nmode: observe until 2999-01-01\nscan:\n"})
    done = run(repo, tmp_path / "out")
    assert done.code != 0
    assert "OBSERVED, NOT ENFORCED" in done.out


def test_on_github_files_outputs_and_summary_are_written(repo: GitRepo, tmp_path: Path) -> None:
    sha = repo.commit({"a.py": "import boto3\n", "aegis.yml": SCAN})
    for name in ("summary", "output"):
        (tmp_path / name).touch()
    done = aegis(
        "all",
        "--github",
        cwd=tmp_path,
        GITHUB_WORKSPACE=str(repo.root),
        GITHUB_SHA=sha,
        GITHUB_STEP_SUMMARY=str(tmp_path / "summary"),
        GITHUB_OUTPUT=str(tmp_path / "output"),
        AEGIS_INPUT_OUTPUT="out",
        AEGIS_INPUT_UPLOAD="never",
    )
    assert done.code == 1
    assert verdict(repo.root / "out")["gate"] == "all"
    assert verdict(repo.root / "out" / "scan")["gate"] == "scan"
    assert str(repo.root / "out" / "verdict.json") in (tmp_path / "output").read_text()
    assert (tmp_path / "summary").read_text().startswith("## all: FAIL")


def test_the_policy_decides_how_strict_it_is(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"requirements.txt": "boto3\n", "aegis.yml": "version: 1\nscan: {strict: false}\n"})
    assert run(repo, tmp_path / "out").code == 0
    repo.commit({"aegis.yml": SCAN})
    assert run(repo, tmp_path / "out").code == 1


CANARY = """canary:
  prometheus: {url: http://127.0.0.1:9090}
  rollout: {namespace: shop, name: web}
  metrics:
    - preset: http
"""


def test_a_canary_is_told_to_be_judged_elsewhere(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"a.py": "import json\n", "aegis.yml": SCAN + CANARY})
    assert run(repo, tmp_path / "out").code == 0
    canary = verdict(tmp_path / "out" / "canary")
    assert (canary["result"], canary["decision"]) == ("pass", "not-applicable")
    assert "Not applicable" in canary["notices"][0]
    assert set(verdict(tmp_path / "out")["policy"]["effective"]) == {"scan", "canary"}


def test_a_policy_of_a_canary_alone_is_no_pass(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"a.py": "import json\n", "aegis.yml": "version: 1\n" + CANARY})
    run(repo, tmp_path / "out").refused(2, "core.gate_not_named", "all: COULD NOT DECIDE")


def test_a_canary_that_could_not_be_judged_is_no_pass(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"a.py": "import json\n", "aegis.yml": SCAN + CANARY.replace("http://127.0.0.1:9090", "ftp://x")})
    assert run(repo, tmp_path / "out").code == 2


def test_a_change_that_loosens_the_canary_fails(repo: GitRepo, tmp_path: Path) -> None:
    base = repo.commit({"a.py": "import json\n", "aegis.yml": SCAN + CANARY + "  alpha: 0.01\n"})
    repo.commit({"b.py": "import json\n", "aegis.yml": SCAN + CANARY + "  alpha: 0.0001\n"})
    done = aegis("all", "--base", base, "--output", tmp_path / "out", cwd=repo.root)
    assert done.code == 1
    assert [finding["rule"] for finding in verdict(tmp_path / "out")["findings"]] == ["core.policy_loosened"]
    repo.commit({"b.py": "import json\n", "aegis.yml": SCAN + CANARY + "  alpha: 0.01\n"})
    assert aegis("all", "--base", base, "--output", tmp_path / "out", cwd=repo.root).code == 0
