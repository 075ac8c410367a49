"""The generated reference leaves nothing out, and its column of loosenings is what the gates compare by."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.cli.main import COMMANDS, parser_of
from scripts.pages import actions, commands, policy
from scripts.pages.policy import keys, looser

ROOT = Path(__file__).resolve().parents[3]
BY_NAME = {key.name: key for key in keys()}


class TestPolicy:
    def test_every_key_of_the_schema_is_there(self) -> None:
        schema = json.loads((ROOT / "docs/schemas/aegis.v1.schema.json").read_text("utf-8"))
        assert set(BY_NAME) == set(names(schema, schema, ""))

    def test_every_key_says_what_it_is_for(self) -> None:
        assert [key.name for key in keys() if not key.docs] == []

    @pytest.mark.parametrize(
        ("name", "says"),
        [
            ("mode", "goes from `enforce` to `observe until 2026-01-01`"),
            ("waivers", "adds an entry"),
            ("scan", "leaves it out"),
            ("scan.strict", "sets `false`"),
            ("scan.providers", "takes an entry out"),
            ("scan.allow[].reason", "changes it"),
            ("verify.artifacts[].threshold", "lowers it"),
            ("verify.signers", "adds an entry"),
            ("verify.signers[].issuer", "changes it at all"),
            ("verify.load.max-bytes", "raises it"),
            ("verify.load.revoked", "takes an entry out"),
            ("canary.alpha", "lowers it"),
            ("canary.margin", "raises it"),
            ("canary.no-data", "goes from `abort` to `hold`"),
            ("canary.promote", "goes from `steps` to `full`"),
            ("backup-check.databases[].max-age", "raises it"),
            ("backup-check.databases[].tier", "names an earlier one of these"),
            ("backup-check.keep.daily", "lowers it"),
            ("evidence.retain.days", "lowers it"),
            ("version", ""),
        ],
    )
    def test_the_direction_that_is_looser(self, name: str, says: str) -> None:
        assert looser(BY_NAME[name]) == says

    def test_the_page_shows_what_stands_twice_once(self) -> None:
        page = policy.render()
        assert page.count("| `identity-pattern` |") == 1
        assert page.count("The keys are those of [") >= 8


def names(schema: Any, kind: Any, above: str) -> list[str]:
    """All keys of a JSON Schema, by their paths."""
    if "$ref" in kind:
        kind = schema["$defs"][kind["$ref"].rpartition("/")[2]]
    found = []
    for choice in kind.get("anyOf", ()):
        found += names(schema, choice, above)
    if "items" in kind:
        found += names(schema, kind["items"], f"{above}[]")
    for name, below in kind.get("properties", {}).items():
        path = f"{above}.{name}" if above else name
        found += [path, *names(schema, below, path)]
    return found


class TestCommands:
    def test_every_command_has_its_section_with_every_option(self) -> None:
        page = commands.render()
        for name in COMMANDS:
            assert f"\n## aegis {name}\n" in page
        for name, _, parser in commands._commands(parser_of(None)):
            section = page.partition(f"# {name}\n")[2].partition("\n#")[0]
            for option in parser._option_string_actions:
                assert option in {"-h", "--help"} or f"{option}" in section, name

    def test_every_argument_says_what_it_is_for(self) -> None:
        for name, _, parser in commands._commands(parser_of(None)):
            page = "\n".join(commands._section(name, "", parser))
            assert re.findall(r"^\| .* \|  \|$", page, re.MULTILINE) == [], name

    def test_no_command_says_the_same_twice(self) -> None:
        page = commands.render()
        section = page.partition("### aegis canary forecast\n")[2].partition("\n#")[0]
        assert section.count("What can be seen") + section.count("what can be seen") == 1

    @pytest.mark.parametrize("folder", ["docs", "src", "templates", "examples", "actions", "k8s", "helm", "infra"])
    def test_every_command_that_is_named_is_there(self, folder: str) -> None:
        known = {name for name, _, _ in commands._commands(parser_of(None))}
        outer = {name.rpartition(" ")[0] for name in known}
        assert [where for where, name in named(ROOT / folder) if not is_command(name, known, outer)] == []


def named(folder: Path) -> Iterator[tuple[str, str]]:
    """Each `aegis …` in code or at a prompt, with its place, as far as it can be a command's name."""
    for file in sorted(folder.rglob("*")):
        if file.suffix in {".md", ".yml", ".yaml", ".py", ".txt", ".tf"} and file.is_file():
            text = file.read_text("utf-8")
            for found in re.finditer(r"(?:`|\$ |^[ ]*(?:run: )?)(aegis(?: [a-z][a-z-]*)+)", text, re.MULTILINE):
                yield f"{file}:{text.count(chr(10), 0, found.start()) + 1}: {found[1]}", found[1]


def is_command(name: str, known: set[str], outer: set[str]) -> bool:
    """Whether a name is a command, or one with arguments behind it."""
    words = name.split()
    for end in range(2, len(words) + 1):
        above = " ".join(words[: end - 1])
        if above not in outer:
            return True
        if " ".join(words[:end]) not in known:
            return False
    return True


class TestActions:
    def test_every_action_is_there_pinned_with_every_input_and_output(self) -> None:
        page = dict(actions.pages())[ROOT / "docs/reference/actions.md"]
        assert len(actions.actions()) == 5
        for uses, file in actions.actions().items():
            described = yaml.safe_load(file.read_text("utf-8"))
            section = page.partition(f"\n## {described['name']}\n")[2].partition("\n## ")[0]
            assert section.index(f"uses: {uses}@<sha> # v") < section.index("| input |")
            for name in (*described["inputs"], *described["outputs"]):
                assert f"| `{name}` |" in section

    def test_every_input_that_a_remedy_sets_is_one(self) -> None:
        inputs = {name for file in actions.actions().values() for name in yaml.safe_load(file.read_text())["inputs"]}
        sources = [file.read_text("utf-8") for file in (ROOT / "src").rglob("*.py")]
        told = {name for source in sources for name in re.findall(r"`([a-z-]+): \$\{\{", source)}
        assert told
        assert told <= inputs

    def test_every_reusable_workflow_is_there_with_its_inputs_secrets_and_permissions(self) -> None:
        page = dict(actions.pages())[ROOT / "docs/reference/workflows.md"]
        for uses, file in actions.reusable().items():
            section = page.partition(f"\n## {file.stem}\n")[2].partition("\n## ")[0]
            called = actions._triggers(yaml.safe_load(file.read_text("utf-8")))["workflow_call"] or {}
            assert f"uses: {uses}@<sha>" in section
            for name in (*(called.get("inputs") or {}), *(called.get("secrets") or {})):
                assert f"| `{name}` |" in section
            assert "| job | permissions | environment |" in section
