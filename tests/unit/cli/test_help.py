"""Help and version need no extra: somebody who has just installed the package asks for them first."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator

import pytest

from aegis.cli.main import COMMANDS, parser_of

BARE = """
import sys
from importlib.abc import MetaPathFinder

class Bare(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in {*sys.stdlib_module_names, "aegis", "msgspec", "yaml", "_yaml"}:
            raise ModuleNotFoundError(f"No module named {top!r}", name=top)

sys.meta_path.insert(0, Bare())
from aegis.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
"""A program in whose environment nothing is installed but what every gate needs."""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)], ids=" ".join
)
def test_it_is_told_without_any_extra(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BARE, *arguments],
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(("usage: aegis", "aegis "))


def _options(parser: argparse.ArgumentParser, name: str = "aegis") -> Iterator[tuple[str, argparse.Action]]:
    """Each option of each command, with its whole name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from _options(below, f"{name} {word}")
        elif action.option_strings:
            yield f"{name} {action.option_strings[0]}", action


def test_what_may_be_repeated_says_so() -> None:
    several = {name: action.help or "" for name, action in _options(parser_of(None)) if _may_be_repeated(action)}
    assert several
    said = ("may be repeated", "one for each")
    assert [name for name, text in several.items() if not any(each in text for each in said)] == []


def _may_be_repeated(action: argparse.Action) -> bool:
    return isinstance(action, argparse._AppendAction)
