"""docs/reference/commands.md: every command with its arguments, from the parsers themselves."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from aegis.cli.main import parser_of
from aegis.core.verdict import EXIT_ERROR, EXIT_FAIL, EXIT_PASS, EXIT_USAGE
from scripts.pages.tables import cell, code, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "commands.md"


def render() -> str:
    """The page."""
    lines = [
        "# Commands",
        "",
        f"Exit codes of all: {EXIT_PASS} pass, {EXIT_FAIL} refused, {EXIT_USAGE} wrong arguments or policy,",
        f"{EXIT_ERROR} could not decide. `aegis COMMAND --help` prints the same on a terminal.",
        "",
        "This page is generated from the commands' own parsers; `make docs` writes it anew.",
        "",
    ]
    for name, says, parser in _commands(parser_of(None)):
        lines += _section(name, says, parser)
    return "\n".join(lines).rstrip("\n") + "\n"


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Each command below a parser, with what it says of itself, outer ones first."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {each.dest: each.help or "" for each in action._choices_actions}
            for name, below in action.choices.items():
                yield below.prog, helps.get(name, ""), below
                yield from _commands(below)


def _section(name: str, says: str, parser: argparse.ArgumentParser) -> list[str]:
    arguments = [
        each for each in parser._actions if not isinstance(each, argparse._HelpAction | argparse._SubParsersAction)
    ]
    has_below = any(isinstance(each, argparse._SubParsersAction) for each in parser._actions)
    depth = "#" * min(4, len(name.split()))
    said = [_sentence(says)] if says else []
    if parser.description and parser.description != says:
        described = cell(parser.description)
        said = [described] if says and described.startswith(said[0]) else [*said, described]
    lines = [f"{depth} {name}", "", " ".join(said), ""]
    rows = [(code(_written(each)), _default(each), _meaning(each, parser)) for each in arguments]
    lines += table(("argument", "default", "meaning"), rows)
    if not rows and not has_below:
        lines += ["It takes no arguments.", ""]
    return lines


def _sentence(text: str) -> str:
    text = cell(text)
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _written(action: argparse.Action) -> str:
    value = action.metavar or (
        "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()
    )
    shown = " ".join(value) if isinstance(value, tuple) else value
    if not action.option_strings:
        return f"[{shown}]" if action.nargs in {"?", "*"} else shown
    name = ", ".join(action.option_strings)
    return name if action.nargs == 0 else f"{name} {shown}"


def _default(action: argparse.Action) -> str:
    if action.required:
        return "(required)"
    if action.nargs == 0 or action.default in (None, argparse.SUPPRESS, "", [], ()):
        return ""
    return code(
        ", ".join(map(str, action.default)) if isinstance(action.default, list | tuple) else str(action.default)
    )


def _meaning(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    if action.help in (None, argparse.SUPPRESS):
        return ""
    return cell(parser._get_formatter()._expand_help(action))
