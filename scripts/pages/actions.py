"""docs/reference/actions.md and workflows.md: actions and reusable workflows, from their own files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

import aegis
from scripts.generate_action_docs import inputs_table, outputs_table
from scripts.pages.tables import cell, code, table

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"
PINNED = "<sha>"
"""In the place of the release's commit, which no file of that commit can know."""
_PIN = """\
Pin the release's commit, with its version as a comment; the release's notes have the lines to paste, and
`git ls-remote https://github.com/org/aegis v1.0.0` prints the commit. `@v1` follows the newest release of its major
version instead.
"""


def pages() -> Iterator[tuple[Path, str]]:
    """Both pages."""
    yield FOLDER / "actions.md", _actions()
    yield FOLDER / "workflows.md", _workflows()


def actions() -> dict[str, Path]:
    """What `uses:` names, without its version → the file."""
    found = {"org/aegis": ROOT / "action.yml"}
    for file in sorted(ROOT.glob("actions/*/action.yml")):
        found[f"org/aegis/actions/{file.parent.name}"] = file
    return found


def reusable() -> dict[str, Path]:
    """The same of workflows that others call."""
    return {
        f"org/aegis/.github/workflows/{file.name}": file
        for file in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
        if "workflow_call" in _triggers(yaml.safe_load(file.read_text("utf-8")))
    }


def pinned(uses: str) -> str:
    """How one names it."""
    return f"uses: {uses}@{PINNED} # v{aegis.__version__}"


def _actions() -> str:
    lines = ["# Actions", "", _PIN, "This page is generated from each action.yml; `make docs` writes it anew.", ""]
    for uses, file in actions().items():
        described = yaml.safe_load(file.read_text("utf-8"))
        readme = "../../actions/README.md" if file.parent == ROOT else f"../../actions/{file.parent.name}/README.md"
        lines += [
            f"## {described['name']}",
            "",
            f"{described['description']} [Its page]({readme}) says which permissions it needs.",
            "",
            *_block(f"- {pinned(uses)}"),
            inputs_table(described["inputs"]),
            outputs_table(described["outputs"]),
        ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _workflows() -> str:
    lines = [
        "# Reusable workflows",
        "",
        "A gate as a job, beside the [actions](actions.md): a workflow calls it by `jobs.NAME.uses`.",
        "",
        _PIN,
        "This page is generated from the workflows; `make docs` writes it anew.",
        "",
    ]
    for uses, file in reusable().items():
        workflow = yaml.safe_load(file.read_text("utf-8"))
        called = _triggers(workflow)["workflow_call"] or {}
        lines += [f"## {file.stem}", "", *_leading(file), *_block(f"jobs:\n  {file.stem}:\n    {pinned(uses)}")]
        lines += table(("input", "type", "default", "meaning"), map(_input, (called.get("inputs") or {}).items()))
        lines += table(("secret", "needed", "meaning"), map(_secret, (called.get("secrets") or {}).items()))
        outputs = (called.get("outputs") or {}).items()
        lines += table(("output", "meaning"), ((code(name), cell(facts["description"])) for name, facts in outputs))
        rights = [
            (code(name), code(right), code(str(_environment(job))))
            for name, job in workflow["jobs"].items()
            for right in [", ".join(f"{key}: {value}" for key, value in (job.get("permissions") or {}).items())]
        ]
        lines += table(("job", "permissions", "environment"), rights)
    return "\n".join(lines).rstrip("\n") + "\n"


def _triggers(workflow: Mapping[Any, Any]) -> Mapping[str, Any]:
    # YAML 1.1 reads the key `on` as true
    found = workflow.get("on", workflow.get(True))
    return found if isinstance(found, Mapping) else {}


def _leading(file: Path) -> list[str]:
    """The comment at the workflow's top, as its description; what is indented in it is an example."""
    said: list[str] = []
    for line in file.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            break
        said.append(line.removeprefix("#").removeprefix(" "))
    lines: list[str] = []
    for example, members in groupby(said, key=lambda line: line.startswith(" ")):
        part = "\n".join(members).strip("\n").splitlines()
        if part:
            lines += ["```text", *part, "```", ""] if example else [*part, ""]
    return lines


def _environment(job: Mapping[str, Any]) -> str:
    found = job.get("environment", "")
    return str(found.get("name", "")) if isinstance(found, Mapping) else str(found)


def _input(item: tuple[str, Mapping[str, Any]]) -> tuple[str, str, str, str]:
    name, facts = item
    default = "(required)" if facts.get("required") else code(str(facts.get("default", ""))) or "(empty)"
    return code(name), str(facts.get("type", "")), default, cell(str(facts.get("description", "")))


def _secret(item: tuple[str, Mapping[str, Any] | None]) -> tuple[str, str, str]:
    name, facts = item
    facts = facts or {}
    return code(name), "yes" if facts.get("required") else "no", cell(str(facts.get("description", "")))


def _block(text: str) -> list[str]:
    return ["```yaml", *text.splitlines(), "```", ""]
