"""Files in which developers' tools are told what to install and to run: tox, pre-commit."""

from __future__ import annotations

import re

from aegis.gates.scan.extract import _yaml
from aegis.gates.scan.extract._lines import in_scalar, moved
from aegis.gates.scan.extract.manifests._entry import Entries
from aegis.gates.scan.extract.manifests.python import ini_lines, requirement_name
from aegis.gates.scan.extract.shell import text as shell
from aegis.gates.scan.model import Statement, Unreadable

_FACTOR = re.compile(r"[\w!{},.-]+:[ \t]+")
"""`py312: boto3`: https://tox.wiki/en/latest/config.html#conditional-settings"""
_NPM = re.compile(r"(@?[\w./-]+)(?:@|$)")
_MAY_FAIL = re.compile(r"[-!]+")


def tox(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """tox.ini: `deps` and `requires` of every section, and the commands."""
    entries = Entries(source, wanted, "pypi")
    for _, key, offset, text in ini_lines(source):
        factor = _FACTOR.match(text)
        start = factor.end() if factor else 0
        if key in ("deps", "requires"):
            name = requirement_name(text[start:])
            if name:
                entries.add(offset + start, name, text[start:])
        elif key.startswith("commands") and wanted.search(text):
            mark = _MAY_FAIL.match(text, start)
            start = mark.end() if mark else start
            line, column = entries.places.at(offset + start)
            entries.found.extend(moved(shell.extract(text[start:], wanted), line, column))
    return entries.result()


def pre_commit(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """.pre-commit-config.yaml: what hooks need installed, and the commands of local ones."""
    if not wanted.search(source):
        return []
    entries, lines = Entries(source, wanted, "pypi"), source.splitlines()
    try:
        for scalar in _yaml.scalars(source):
            keys = [key for key in scalar.path if key != "[]"]
            if not keys or not wanted.search(scalar.value):
                continue
            offset = entries.places.start_of(scalar.line) + scalar.column - 1
            if keys[-1] == "entry":
                entries.found.extend(in_scalar(shell.extract(scalar.value, wanted), scalar, lines))
            elif keys[-1] == "additional_dependencies":
                _dependency(entries, scalar.value, offset)
    except _yaml.BrokenYamlError as error:
        entries.found.append(Unreadable(error.line, error.why))
    return entries.result()


def _dependency(entries: Entries, text: str, offset: int) -> None:
    """A package of whatever language the hook is in, which its repository knows and this file need not say."""
    name = requirement_name(text)
    if name:
        entries.add(offset, name, text)
    package = _NPM.match(text)
    if package:
        entries.add(offset, package[1], text, surface="npm")
