"""The command from end to end: repository, policy, engine, verdict, exit code."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from aegis.cli.main import main
from aegis.gates.scan.extract.python import file as python
from aegis.gates.scan.model import Statement
from aegis.report.write import NAMES
from tests.support.scan.gitrepo import GitRepo
from tests.support.scan.scanning import scan, scan_with_files

SOON = (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=60)).isoformat()
YESTERDAY = (datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=1)).isoformat()
USE = "import boto3\n"
POLICY = "version: 1\nscan:\n"


def test_a_repository_without_uses_passes(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEGIS_SEMGREP_CORE", "/nonexistent")  # no candidate: the engine is never asked for
    repo.commit({"svc.py": "import os\n"})
    result = scan(repo.root, "--strict")
    assert (result.code, result.verdict["result"], result.verdict["reason"]) == (0, "pass", "core.passed")
    assert result.evidence("coverage")["tracked"] == 1


def test_an_empty_repository_is_not_applicable(repo: GitRepo) -> None:
    repo.commit()
    result = scan(repo.root)
    assert (result.code, result.verdict["decision"]) == (0, "not-applicable")


def test_a_use_fails_with_its_place_and_remedy(repo: GitRepo) -> None:
    head = repo.commit({"a/svc.py": "\nfrom google.cloud import storage as s\n"})
    result = scan(repo.root)
    (finding,) = result.verdict["findings"]
    assert result.code == 1
    assert (finding["rule"], finding["path"], finding["line"], finding["column"]) == ("scan.runtime", "a/svc.py", 2, 1)
    assert "`from google.cloud import storage as s` uses gcp" in finding["message"]
    assert '- {path: "a/svc.py", provider: gcp, classes: [runtime]' in finding["remedy"]
    assert result.verdict["subject"][0]["digest"] == {"gitCommit": head}
    assert result.evidence("uses") == {"runtime": 1}
    assert result.evidence("engine") == {"name": "semgrep", "version": "1.182.0"}


MANY = {
    "svc.py": USE,
    "types.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import boto3\n",
    "tests/test_x.py": USE,
    "run.sh": "aws s3 ls\n",
    "requirements.txt": "boto3==1.40.0\n",
    "dyn.py": '__import__("boto3")\n',
    "emb.py": 'exec("import boto3")\n',
    "Dockerfile": "FROM amazon/aws-cli:2\n",
    ".github/workflows/x.yml": "on: push\njobs:\n  a:\n    steps:\n"
    "      - uses: aws-actions/configure-aws-credentials@v4\n",
    "wrap.py": "import s3fs\n",
}


def test_strict_fails_on_every_class(repo: GitRepo) -> None:
    repo.commit(MANY)
    rules = {rule for rule, _, _ in scan(repo.root, "--strict").findings}
    assert rules == {
        "scan.runtime", "scan.type_only", "scan.test", "scan.cli", "scan.manifest", "scan.dynamic", "scan.embedded",
        "scan.image", "scan.ci", "scan.wrapper",
    }  # fmt: skip


def test_not_strict_fails_on_code_and_tells_the_rest(repo: GitRepo) -> None:
    repo.commit({**MANY, "lfs.py": "version https://git-lfs.github.com/spec/v1\n"})
    result = scan(repo.root)
    assert result.code == 1
    assert {rule for rule, _, _ in result.findings} == {"scan.runtime", "scan.dynamic", "scan.embedded"}
    assert "1 uses of class manifest; `--strict` fails on them" in result.notices
    assert "1 places were not analysed; `--strict` fails on them" in result.notices


def test_strict_of_the_policy_cannot_be_taken_back(repo: GitRepo) -> None:
    repo.commit({"aegis.yml": POLICY + "  strict: true\n", "run.sh": "aws s3 ls\n"})
    assert scan(repo.root).findings == [("scan.cli", "run.sh", 1)]


def test_a_policy_that_is_not_strict_is_tightened_by_the_option(repo: GitRepo) -> None:
    repo.commit({"aegis.yml": POLICY + "  strict: false\n", "run.sh": "aws s3 ls\n"})
    assert scan(repo.root).code == 0
    assert scan(repo.root, "--strict").findings == [("scan.cli", "run.sh", 1)]


def test_allow_is_by_path_and_provider_and_class(repo: GitRepo) -> None:
    allow = '  allow:\n    - {path: "adapters/**", provider: aws, classes: [runtime], reason: "the object store"}\n'
    repo.commit(
        {
            "aegis.yml": POLICY + allow,
            "adapters/s3.py": USE + 'exec("import boto3")\n',
            "adapters/gcs.py": "from google.cloud import storage\n",
            "svc.py": USE,
        }
    )
    assert scan(repo.root).findings == [
        ("scan.runtime", "adapters/gcs.py", 1),
        ("scan.embedded", "adapters/s3.py", 2),
        ("scan.runtime", "svc.py", 1),
    ]


def test_an_allow_entry_that_matches_nothing_is_told(repo: GitRepo) -> None:
    repo.commit({"aegis.yml": POLICY + '  allow: [{path: "x/**", provider: aws, reason: "later"}]\n'})
    assert "scan.allow: x/** (aws) matches nothing" in scan(repo.root).notices


def test_a_class_can_be_allowed_everywhere(repo: GitRepo) -> None:
    repo.commit({"aegis.yml": POLICY + "  allowed-classes: [test]\n", "tests/x.py": USE, "svc.py": USE})
    assert scan(repo.root).findings == [("scan.runtime", "svc.py", 1)]


def test_providers_can_be_chosen(repo: GitRepo) -> None:
    repo.commit({"aegis.yml": POLICY + "  providers: [gcp]\n", "svc.py": USE, "b.py": "import google.cloud.storage\n"})
    assert scan(repo.root).findings == [("scan.runtime", "b.py", 1)]


def test_baseline_is_written_kept_and_only_shrinks(repo: GitRepo) -> None:
    repo.commit({"aegis.yml": POLICY + "  baseline: known.json\n", "a.py": USE, "b.py": USE, "known.json": "{}"})
    (repo.root / "known.json").write_text('{"version": 1, "uses": {}}')
    assert scan(repo.root).code == 1
    code, _ = scan_with_files(repo.root, ["--write-baseline"])
    assert code == 0
    assert scan(repo.root).code == 0
    # moved, renamed and reformatted: still the same two
    repo.commit({"b.py": None, "c/d.py": "\n\nimport  boto3\n"})
    assert scan(repo.root).code == 0
    repo.write({"e.py": USE})
    repo.git("add", "e.py")
    assert scan(repo.root).findings == [("scan.runtime", "e.py", 1)]
    repo.git("rm", "-q", "--force", "e.py", "a.py")
    assert scan(repo.root).findings == [("scan.baseline_stale", "known.json", None)]


def test_a_baseline_that_is_not_tracked_is_wrong_usage(repo: GitRepo) -> None:
    repo.commit({"aegis.yml": POLICY + "  baseline: known.json\n", "a.py": USE})
    repo.write({"known.json": "{}"})
    result = scan(repo.root)
    assert (result.code, result.verdict["reason"]) == (2, "scan.baseline_invalid")


def test_write_baseline_needs_a_name(repo: GitRepo, capsys: pytest.CaptureFixture[str]) -> None:
    repo.commit({"a.py": USE})
    assert main(["scan", str(repo.root), "--write-baseline"]) == 2
    assert "scan.baseline_invalid" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({}, None),
        ({"expires": YESTERDAY}, "scan.suppression_expired"),
        ({"expires": "2999-01-01"}, "scan.suppression_too_long"),
        ({"path": "other.py"}, "scan.suppression_unused"),
        ({"path": "'*.py'"}, "scan.suppression_invalid"),
        ({"rule": "core.policy_loosened"}, "scan.suppression_invalid"),
        ({"owner": "' '"}, "scan.suppression_invalid"),
    ],
)
def test_suppressions(repo: GitRepo, changed: dict[str, str], rule: str | None) -> None:
    entry = {"rule": "scan.runtime", "path": "svc.py", "owner": "ada", "reason": "moving", "expires": SOON, **changed}
    lines = "".join(f"      {key}: {value}\n" for key, value in entry.items())
    repo.commit({"aegis.yml": POLICY + "  suppressions:\n    -\n" + lines, "svc.py": USE})
    result = scan(repo.root)
    if rule is None:
        assert result.code == 0
        assert result.evidence("known") == {"before": 0, "suppressed": 1}
    else:
        assert result.code == 1
        assert sorted(found for found, _, _ in result.findings) == sorted([rule, "scan.runtime"])


def test_a_waiver_passes_by_name(repo: GitRepo) -> None:
    repo.commit({"svc.py": USE, "b.py": USE})
    found = next(f for f in scan(repo.root).verdict["findings"] if f["path"] == "svc.py")
    waiver = f"waivers:\n  - {{gate: scan, rule: scan.runtime, fingerprint: {found['fingerprint']}, owner: ada,"
    repo.commit({"aegis.yml": f"version: 1\n{waiver} reason: outage, expires: {SOON}}}\n", "b.py": None})
    result = scan(repo.root)
    assert (result.code, result.verdict["decision"]) == (0, "pass with waiver")
    assert result.verdict["waivers"][0]["owner"] == "ada"
    repo.commit({"svc.py": "x = 1\n"})
    assert scan(repo.root).findings == [("core.waiver_invalid", "aegis.yml", None)]


def test_a_sub_folder_is_scanned_alone(repo: GitRepo) -> None:
    repo.commit({"a/svc.py": USE, "ab/svc.py": USE, "svc.py": USE, "aegis.yml": POLICY + "  strict: true\n"})
    assert scan(repo.root / "a").findings == [("scan.runtime", "a/svc.py", 1)]
    base = repo.sha()
    repo.commit({"a/new.py": "import oci\n", "ab/new.py": "import oci\n"})
    assert scan(repo.root / "a", "--base", base).findings == [("scan.runtime", "a/new.py", 1)]


def test_a_pass_of_a_sub_folder_is_no_evidence_about_the_whole(repo: GitRepo) -> None:
    repo.commit({"a/svc.py": "import json\n", "svc.py": USE, "aegis.yml": POLICY})
    code, files = scan_with_files(repo.root / "a", ())
    verdict, said = json.loads(files["verdict.json"]), json.loads(files["predicate.json"])
    assert (code, verdict["decision"], said["result"]) == (0, "pass of a part", "WARNED")
    assert "Only a part was judged, and this is no answer about the rest: a" in verdict["notices"]
    repo.commit({"svc.py": "import json\n"})
    code, files = scan_with_files(repo.root, ())
    assert (code, json.loads(files["predicate.json"])["result"]) == (0, "PASSED")


def test_a_change_shows_what_it_adds(repo: GitRepo) -> None:
    base = repo.commit({"svc.py": USE, "old.py": "import oci\n"})
    repo.commit({"svc.py": USE + "import azure.storage.blob\n", "old.py": None, "new.py": "import oci\n"})
    result = scan(repo.root, "--base", base)
    assert result.findings == [("scan.runtime", "svc.py", 2)]
    assert result.evidence("base")["commit"] == base
    assert result.evidence("known") == {"before": 2, "suppressed": 0}


def test_a_change_is_compared_with_the_merge_base(repo: GitRepo) -> None:
    repo.commit({"README.md": "x\n"})
    repo.git("checkout", "-q", "-b", "topic")
    repo.commit({"svc.py": "x = 1\n"})
    repo.git("checkout", "-q", "main")
    repo.commit({"other.py": USE})  # somebody else's use is not this change's
    repo.git("checkout", "-q", "topic")
    assert scan(repo.root, "--base", "main").code == 0


def test_a_change_without_candidates_needs_no_engine(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    base = repo.commit({"svc.py": USE})
    repo.commit({"README.md": "x\n"})
    monkeypatch.setenv("AEGIS_SEMGREP_CORE", "/nonexistent")
    assert scan(repo.root, "--base", base).code == 0


def test_a_change_of_nothing_is_not_applicable(repo: GitRepo) -> None:
    base = repo.commit({"svc.py": USE})
    result = scan(repo.root, "--base", base)
    assert (result.code, result.verdict["decision"]) == (0, "not-applicable")


def test_observe_mode_is_never_a_pass(repo: GitRepo) -> None:
    repo.commit({"aegis.yml": f"version: 1\nmode: observe until {SOON}\n", "svc.py": "x = 1\n"})
    result = scan(repo.root)
    assert (result.code, result.verdict["result"], result.verdict["decision"]) == (3, "error", "observed")
    repo.commit({"svc.py": USE})
    assert (scan(repo.root).code, scan(repo.root).verdict["observe"]) == (1, True)
    repo.commit({"aegis.yml": f"version: 1\nmode: observe until {YESTERDAY}\n"})
    assert (scan(repo.root).code, scan(repo.root).verdict["reason"]) == (2, "core.observe_expired")


@pytest.mark.parametrize("form", ["text", "json", "sarif", "markdown"])
def test_every_format_names_the_finding(repo: GitRepo, form: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    repo.commit({"svc.py": USE})
    assert main(["scan", str(repo.root), "--format", form]) == 1
    out = capfdbinary.readouterr().out
    assert b"svc.py" in out
    assert b"scan.runtime" in out
    if form in ("json", "sarif"):
        json.loads(out)


def test_output_holds_every_form(repo: GitRepo) -> None:
    repo.commit({"svc.py": USE})
    _, files = scan_with_files(repo.root, ())
    assert files.keys() == set(NAMES)


def test_migration_lists_uses_by_service_and_their_trend(repo: GitRepo, capfd: pytest.CaptureFixture[str]) -> None:
    base = repo.commit({"svc.ts": 'import "@aws-sdk/client-s3";\nimport "@aws-sdk/client-sqs";\n'})
    assert main(["scan", str(repo.root), "--migration"]) == 1
    rows = [line.split() for line in capfd.readouterr().out.splitlines()]
    assert ["aws", "s3", "1", "1"] in rows
    repo.commit({"svc.ts": 'import "@aws-sdk/client-s3";\nimport { a } from "@aws-sdk/client-s3";\n'})
    main(["scan", str(repo.root), "--migration", "--base", base])
    rows = [line.split() for line in capfd.readouterr().out.splitlines()]
    assert ["aws", "s3", "1", "2", "+1"] in rows
    assert ["aws", "sqs", "0", "0", "-1"] in rows


def test_a_second_opinion_finds_what_an_extractor_misses(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit({"svc.py": USE + "import botocore\n"})
    whole = python.extract

    def blind(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[object]:
        found = whole(source, wanted, last_line)
        return [one for one in found if not (isinstance(one, Statement) and one.name == "boto3")]

    monkeypatch.setattr(python, "extract", blind)
    assert scan(repo.root).findings == [("scan.runtime", "svc.py", 2)]
    result = scan(repo.root, "--second-opinion")
    assert [f for f in result.findings if f[0] == "scan.engine_mismatch"] == [("scan.engine_mismatch", "svc.py", 1)] * 2
    assert {message.split()[1] for message in result.messages if "only" in message} == {"semgrep", "ast"}


def test_a_second_opinion_agrees_with_good_extractors(repo: GitRepo) -> None:
    repo.commit(
        {
            "svc.py": "import os\nfrom google import (\n  cloud,\n)\nif True:\n    import boto3 as b, oci\n",
            "svc.ts": 'import { S3 } from "@aws-sdk/client-s3";\nexport * from "@azure/identity";\n',
            "svc.go": 'package svc\n\nimport (\n\t"fmt"\n\taws "github.com/aws/aws-sdk-go/aws"\n)\n',
            "Svc.java": "import com.amazonaws.auth.X;\nclass Svc {}\n",
        }
    )
    found = [rule for rule, _, _ in scan(repo.root, "--second-opinion").findings]
    assert found == ["scan.runtime"] * 7


def test_as_a_process(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"svc.py": USE})
    command = [sys.executable, "-m", "aegis", "scan", str(repo.root), "--output", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3] / "src")
    assert done.returncode == 1, done.stderr
    assert "svc.py:1:1: scan.runtime" in done.stdout
    assert "Traceback" not in done.stderr
    assert json.loads((tmp_path / "out" / "verdict.json").read_bytes())["result"] == "fail"


def test_the_second_opinion_reads_what_the_triage_passed_over(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit({"a.py": "import os\nimport boto3\n"})
    monkeypatch.setattr("aegis.gates.scan.candidates.python_triage", lambda catalogue: lambda text: True)
    assert scan(repo.root, "--strict").code == 0
    result = scan(repo.root, "--strict", "--second-opinion")
    assert result.code == 1
    assert [place for _, *place in result.findings] == [["a.py", 2]]


def test_what_could_not_be_ruled_out_is_fine_where_it_would_be_allowed(repo: GitRepo) -> None:
    by_name = 'import importlib\nPLACES = {"x": "boto3", "y": "azure"}\nimportlib.import_module(PLACES[kind()])\n'
    allow = "version: 1\nscan: {allow: [{path: a.py, provider: aws, reason: adapter}]}\n"
    repo.commit({"a.py": by_name, "aegis.yml": allow})
    result = scan(repo.root)
    assert result.code == 3
    assert [message for message in result.messages if "'boto3'" in message] == []
    assert [message for message in result.messages if "'azure'" in message]
