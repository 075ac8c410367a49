"""Every example of the documentation is what it says: a bad one is found with its class, a good one is silent."""

from __future__ import annotations

import json
import re
from importlib.resources import files as package_files
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from aegis.cli.main import main
from aegis.core.policy_file import parse_policy
from aegis.gates.scan.model import CLASSES
from tests.support.pages import pages
from tests.support.pages.pages import Block
from tests.support.scan.gitrepo import GitRepo
from tests.support.scan.scanning import scan

EXAMPLES = [block for block in pages.blocks() if re.match(r"# (bad|good)\b", block.text)]
YAML = [block for block in pages.blocks() if block.language == "yaml" and block not in EXAMPLES]

FILES = {
    "python": "src/shop/part.py",
    "bash": "scripts/task.sh",
    "yaml": ".github/workflows/release.yml",
    "toml": "pyproject.toml",
    "dockerfile": "Dockerfile",
}
AROUND = {
    # What the example leaves out because every reader knows it.
    "yaml": ("on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n", "      "),
    "toml": ('[project]\nname = "shop"\nversion = "1"\n', ""),
}


def placed(block: Block) -> dict[str, str]:
    """The example as a file of a repository."""
    first = block.text.splitlines()[0]
    named = re.fullmatch(r"# (?:bad|good): (\S+)", first)
    head, indent = AROUND.get(block.language, ("", ""))
    lines = [indent + line for line in block.text.splitlines() if line != first]
    return {named[1] if named else FILES[block.language]: head + "\n".join(lines) + "\n"}


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: f"{block.section}-{block.text.split()[1]}")
def test_a_bad_example_is_found_with_its_class_and_a_good_one_is_silent(block: Block, repo: GitRepo) -> None:
    files = placed(block)
    policy = "version: 1\nscan:\n"
    if "allow entry for this file" in block.text:
        (path,) = files
        policy += f"  allow:\n    - {{path: {path}, provider: aws, reason: the adapter's extra}}\n"
    repo.commit({"aegis.yml": policy, **files})
    done = scan(repo.root, "--strict")
    found = {(rule, path) for rule, path, _ in done.findings}
    if block.text.startswith("# bad"):
        rule = f"scan.{block.section.replace('-', '_')}"
        assert found == {(rule, path) for path in files}, block.place
        assert done.code == 1
    else:
        assert found == set(), block.place
        assert done.code == 0


def test_there_are_examples_of_every_class() -> None:
    assert {block.section for block in EXAMPLES} == set(CLASSES)


@pytest.mark.parametrize("block", YAML, ids=lambda block: block.place)
def test_every_yaml_is_a_policy_a_workflow_or_an_object_of_kubernetes(block: Block) -> None:
    document: Any = yaml.safe_load(block.text)
    if isinstance(document, dict) and "apiVersion" in document:
        assert {"apiVersion", "kind", "metadata"} < set(document)
        return
    if isinstance(document, dict) and "version" in document:
        assert parse_policy(block.text.encode(), file=block.place).policy.version == 1
        return
    if isinstance(document, list):
        document = {"on": "push", "jobs": {"job": {"runs-on": "ubuntu-latest", "steps": document}}}
    # YAML 1.1 reads the key `on` as true; GitHub does not.
    document = {"on" if key is True else key: value for key, value in document.items()}
    document.setdefault("on", "push")
    schema = package_files("check_jsonschema") / "builtin_schemas/vendor/github-workflows.json"
    problems = Draft7Validator(json.loads(schema.read_text(encoding="utf-8"))).iter_errors(document)
    assert [f"{block.place}: {problem.message}" for problem in problems] == []


def test_the_first_adoption_goes_as_the_page_says(repo: GitRepo) -> None:
    repo.commit({"src/shop/orders.py": "import boto3\n"})
    assert scan(repo.root, "--strict").code == 1
    (repo.root / "aegis.yml").write_text("version: 1\nscan:\n  baseline: .aegis/scan-baseline.json\n")
    repo.git("add", "--all")
    assert main(["scan", str(repo.root), "--write-baseline"]) == 0
    repo.commit()
    assert scan(repo.root, "--strict").code == 0
    judged = scan(repo.root, "--strict", "--base", "HEAD~1")
    assert judged.code == 0
    assert judged.verdict["bootstrap"] is True
    repo.commit({"src/shop/zebra.py": "import boto3\n"})
    assert scan(repo.root, "--strict").findings == [("scan.runtime", "src/shop/zebra.py", 1)]


def test_the_readme_s_workflow_is_the_whole_of_one() -> None:
    (workflow,) = [block for block in YAML if block.page == "README.md"]
    steps = yaml.safe_load(workflow.text)["jobs"]["sdk-scan"]["steps"]
    assert [step["uses"].partition("@")[0] for step in steps] == ["actions/checkout", "org/aegis/actions/scan"]
    assert workflow.text.startswith("# .github/workflows/sdk-scan.yml\n")
