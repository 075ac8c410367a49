"""Shell text inside makefiles, justfiles and Jenkinsfiles.

The text around it is blanked, so that every place stays what it is.
"""

from __future__ import annotations

import re

from aegis.gates.scan.extract.shell import text as shell
from aegis.gates.scan.model import Statement, Unreadable

_MAKE = re.compile(r"\$\$|\$\(shell |\$\(|\(|\)")
_VARIABLE = re.compile(r"^[ ]*(?:(?:export|override)[ ]+)*([\w]+)[ \t]*[:?]*=[ \t]*([^\n#$]+)", re.MULTILINE)
_SHELL_SPELLING = {"$$": " $", "$(shell ": "$(      ", "$(": "${"}


def makefile(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """Recipes of a makefile, and its `$(shell …)` calls."""
    if not wanted.search(source):
        return []
    kept: list[str] = []
    recipe = False
    for line in source.splitlines(keepends=True):
        continued = bool(kept) and recipe and kept[-1].rstrip("\r\n").endswith("\\")
        recipe = line.startswith("\t") or continued
        kept.append(_recipe_line(line, continued=continued) if recipe else _shell_calls(line))
    variables = ((found[1], found[2].strip()) for found in _VARIABLE.finditer(source))
    return shell.extract("".join(kept), wanted, last_line, variables)


def _recipe_line(line: str, *, continued: bool) -> str:
    """A recipe's line as the shell gets it: `$$` is `$`, make's own expansions are parameters."""
    if not continued:
        line = re.sub(r"^\t[ \t]*[@+-]+", lambda found: " " * len(found[0]), line)
    result: list[str] = []
    closers: list[str] = []
    position = 0
    for found in _MAKE.finditer(line):
        result.append(line[position : found.start()])
        position = found.end()
        text = found[0]
        if text == ")":
            result.append(closers.pop() if closers else text)
        else:
            result.append(_SHELL_SPELLING.get(text, text))
            if text != "$$":
                closers.append("}" if text == "$(" else ")")
    return "".join(result) + line[position:]


def _shell_calls(line: str) -> str:
    """The line with only its `$(shell …)` calls and `!=` commands left."""
    start = line.find("$(shell ")
    if start < 0:
        return re.sub(r"[^\r\n]", " ", line)
    return " " * start + "$(" + " " * 6 + line[start + 8 :]


def justfile(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """Recipes of a justfile: its indented lines."""
    kept = []
    for line in source.splitlines(keepends=True):
        if line[:1] not in (" ", "\t"):
            kept.append(re.sub(r"[^\r\n]", " ", line))
            continue
        line = re.sub(r"^\s+[@-]+", lambda found: " " * len(found[0]), line)
        kept.append(re.sub(r"\{\{[^}\n]*\}\}", lambda found: "${" + "_" * (len(found[0]) - 3) + "}", line))
    return shell.extract("".join(kept), wanted, last_line)


_GROOVY_STEP = re.compile(
    r"\b(?:sh|bat|powershell|pwsh)\b[ \t]*\(?[ \t]*(?:[\w\s:,]*?\bscript[ \t]*:[ \t]*)?(?P<quote>\"\"\"|'''|\"|')"
)


def jenkinsfile(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """`sh` and `bat` steps of a Jenkins pipeline."""
    kept: list[str] = []
    position = 0
    for found in _GROOVY_STEP.finditer(source):
        if found.start() < position:
            continue
        end = source.find(found["quote"], found.end())
        end = len(source) if end < 0 else end
        kept.append(re.sub(r"[^\r\n]", " ", source[position : found.end()]))
        kept.append(source[found.end() : end])
        kept.append(";" if end < len(source) else "")
        position = min(end + 1, len(source))
    return shell.extract("".join(kept), wanted, last_line)
