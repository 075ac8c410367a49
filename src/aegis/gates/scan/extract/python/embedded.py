"""Code inside string literals: Python that is executed or written to a file, and shell lines that run or install it."""

from __future__ import annotations

import re
import textwrap
import warnings

from aegis.gates.scan.extract.python.context import Context
from aegis.gates.scan.extract.python.strings import HOLE

_EXECUTING = frozenset({"exec", "eval", "compile", "run_source", "runsource", "run_code", "timeit", "repeat"})
_NAME = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_ALIAS = rf"{_NAME}(?:[ \t]+as[ \t]+\w+)?"
_IMPORT = re.compile(
    rf"(?:^|;)[ \t]*(?:import[ \t]+{_ALIAS}(?:[ \t]*,[ \t]*{_ALIAS})*"
    rf"|from[ \t]+{_NAME}[ \t]+import[ \t]*(?:\*|\(|{_ALIAS}(?:[ \t]*,[ \t]*{_ALIAS})*))[ \t]*(?=$|[;#(\\]|\w)",
    re.MULTILINE,
)
_WHOLE_IMPORT = re.compile(
    rf"\s*(?:import[ \t]+{_ALIAS}(?:[ \t]*,[ \t]*{_ALIAS})*|from[ \t]+{_NAME}[ \t]+import[ \t]*"
    rf"(?:\*|\([^()]*\)|{_ALIAS}(?:[ \t]*,[ \t]*{_ALIAS})*))[ \t]*(?:$|[;#])",
    re.MULTILINE,
)
_PYTHON_SCRIPT = re.compile(r"\s*#!.*\bpython|\s*#.*coding[:=]")
_SHELL_SCRIPT = re.compile(r"\s*#!.*\b(?:ba|z|k|da)?sh\b")
_SHELL_LINE = re.compile(
    r"^[ \t]*(?:[$!%>][ \t]*|RUN[ \t]+)?(?P<line>(?:.*(?:&&|;|\|)[ \t]*)?(?:sudo[ \t]+)?"
    r"(?:(?:python|pypy)[\d.]*(?:[ \t]+-\w+)*[ \t]+-c[ \t].*"
    r"|(?:(?:\S*python[\d.]*[ \t]+-m[ \t]+)?pip[\d.]*|uv(?:[ \t]+pip)?)[ \t]+(?:install|add)[ \t].*))$",
    re.MULTILINE,
)
_TEMPLATE_FIELD = re.compile(rf"\{{\{{.*?\}}\}}|\$\{{\w+\}}|%\(\w+\)[sdr]|%[sdr](?!\w)|\{{\w*\}}|{HOLE}")
_LONGEST_PARSED = 200_000
"""Characters of a string that are given to Python's own parser: longer ones are data."""


def python_code(context: Context) -> str | None:
    """Return the Python code that a string is, if it is some with an import in it."""
    value = textwrap.dedent(context.one.value)
    last = context.callee.rpartition(".")[2]
    if context.opener == "(" and context.is_first and last in _EXECUTING:
        return value
    if "import" not in value or not _IMPORT.search(value):
        return None
    if _WHOLE_IMPORT.match(value) or _PYTHON_SCRIPT.match(value) or _parses(value):
        return value
    return None


def shell_code(context: Context) -> str | None:
    """Return the shell lines of a string that run Python code or install a distribution, each in its place."""
    value = context.one.value
    if _SHELL_SCRIPT.match(value):
        return value
    lines = [(value.count("\n", 0, match.start("line")), match["line"]) for match in _SHELL_LINE.finditer(value)]
    text = ""
    for number, line in lines:
        text += "\n" * (number - text.count("\n")) + line
    return text or None


def _parses(value: str) -> bool:
    """Whether Python accepts a text, once templates' fields are filled in."""
    import ast

    if len(value) > _LONGEST_PARSED:
        return False
    candidates = {value, _TEMPLATE_FIELD.sub("_", value), value.replace("{{", "{").replace("}}", "}")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for candidate in candidates:
            try:
                ast.parse(candidate)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            return True
    return False
