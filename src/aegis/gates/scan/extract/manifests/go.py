"""Go's dependency files (https://go.dev/ref/mod#go-mod-file)."""

from __future__ import annotations

import re

from aegis.gates.scan.extract.manifests._entry import Entries
from aegis.gates.scan.model import Statement, Unreadable

_DIRECTIVE = re.compile(r"[ \t]*(require|replace|exclude|tool|retract|module|go|toolchain|godebug|ignore)\b[ \t]*")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"|`([^`]*)`|([^\s"`()]+)')


def go_mod(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """go.mod and go.work: `require` (direct unless marked `// indirect`), the new side of `replace`, and `tool`."""
    entries = Entries(source, wanted, "go")
    block, offset = "", 0
    for line in source.splitlines(keepends=True):
        code, _, comment = line.partition("//")
        indirect = comment.strip().split(";")[0].strip() == "indirect"
        start = 0
        if block and code.strip() == ")":
            block = ""
        else:
            found = None if block else _DIRECTIVE.match(code)
            directive = found[1] if found else block
            start = found.end() if found else 0
            if code[start:].strip() == "(":
                block = directive
            elif directive in ("require", "replace", "tool"):
                _module(entries, directive, code, start, offset, direct=not indirect)
        offset += len(line)
    return entries.result()


def _module(entries: Entries, directive: str, code: str, start: int, offset: int, *, direct: bool) -> None:
    """The module that one line of go.mod brings in."""
    if directive == "replace":
        start = code.find("=>", start) + 2
        if start < 2:
            return
    found = _STRING.search(code, start)
    if found:
        name = next(group for group in found.groups() if group is not None)
        entries.add(offset + found.start(), name, code, direct=direct)


def go_sum(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """go.sum: hashes of everything in the module graph, which says nothing of what is asked for."""
    entries = Entries(source, wanted, "go")
    seen: set[str] = set()
    offset = 0
    for line in source.splitlines(keepends=True):
        name = line.split(" ", 1)[0]
        if name not in seen:
            seen.add(name)
            entries.add(offset, name, name, direct=False)
        offset += len(line)
    return entries.result()
