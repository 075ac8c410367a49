"""npm's dependency files: package.json and the locks of npm, yarn, pnpm and Bun."""

from __future__ import annotations

import itertools
import re

from aegis.gates.scan.extract._lines import moved
from aegis.gates.scan.extract.javascript.specifier import package_path
from aegis.gates.scan.extract.manifests import _json
from aegis.gates.scan.extract.manifests._entry import Entries
from aegis.gates.scan.extract.shell import text as shell
from aegis.gates.scan.model import Statement, Unreadable

_SECTIONS = frozenset(
    ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies", "bundleDependencies",
     "bundledDependencies", "overrides", "resolutions", "peerDependenciesMeta", "dependenciesMeta")
)  # fmt: skip
_ALIAS = re.compile(r"npm:((?:@[^/@\s]+/)?[^/@\s]+)")
_SELECTOR = re.compile(r"(?:@[^/@\s]+/)?[^/@\s*>]+")


def package_json(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """package.json: dependencies, overrides, resolutions, `npm:` aliases, `imports`, and the commands of `scripts`."""
    entries = Entries(source, wanted, "npm")
    if not _json.valid_json(entries):
        return entries.result()
    for item in _json.items(source):
        if item.path[:1] == ("scripts",) and item.value:
            line, column = entries.places.at(item.offset + 1)
            entries.found.extend(moved(shell.extract(item.value, wanted), line, column, one_line=True))
        if item.path[:1] == ("imports",) and item.value is not None:
            entries.add(item.offset, package_path(item.value), item.value)
        section = _section(item.path)
        if section is None:
            continue
        if item.value is None:
            for name in _names_of_key(item.path[-1]):
                entries.add(item.offset, name, item.path[-1])
        else:
            _value(entries, item, section)
    return entries.result()


def _section(path: tuple[str, ...]) -> str | None:
    """The dependency section that `path` stands in, also below `pnpm` and `workspaces.catalog`."""
    if path[:1] == ("pnpm",) and len(path) > 2 and path[1] in ("overrides", "peerDependencyRules"):
        return path[1]
    if "catalog" in path[:2] or "catalogs" in path[:2]:
        return "catalog"
    if path and path[0] in _SECTIONS and (len(path) > 1 or path[0].startswith("bundle")):
        return path[0]
    return None


def _value(entries: Entries, item: _json.Item, section: str) -> None:
    """A version, an alias (`npm:other@1`), or an element of a list of names."""
    value = item.value or ""
    alias = _ALIAS.match(value)
    if alias:
        entries.add(item.offset, alias[1], f"{item.path[-1]}: {value}")
    elif section.startswith("bundle"):
        entries.add(item.offset, value, value)


def _names_of_key(key: str) -> list[str]:
    """The packages a key names: one, or the path of a yarn resolution (`a/**/b`) or a pnpm override (`a>b`)."""
    return [found for found in _SELECTOR.findall(key) if found not in (".", "**")]


_MODULES = "node_modules/"


def package_lock(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """package-lock.json, versions 1 to 3. Direct is what the root package lists; version 1 does not tell."""
    entries = Entries(source, wanted, "npm")
    if not wanted.search(source):
        return []
    if not _json.valid_json(entries):
        return entries.result()
    for item in _json.items(source):
        path = item.path
        if path[:1] == ("packages",) and item.value is None and len(path) == 2 and _MODULES in path[1]:
            name = path[1].rpartition(_MODULES)[2]
            entries.add(item.offset, name, name, direct=False)
        elif path[:1] == ("packages",) and len(path) == 4 and _MODULES not in path[1] and path[2] in _SECTIONS:
            _direct(entries, item)
        elif path[:1] == ("dependencies",) and item.value is None and path[-2:-1] == ("dependencies",):
            entries.add(item.offset, path[-1], path[-1], direct=False)
        elif path[:1] == ("packages",) and item.value is not None and len(path) == 3 and path[2] == "name":
            entries.add(item.offset, item.value, item.value, direct=False)
    return entries.result()


def _direct(entries: Entries, item: _json.Item) -> None:
    """An entry of the root package's own sections inside a lock."""
    if item.value is None:
        entries.add(item.offset, item.path[-1], item.path[-1])
        return
    alias = _ALIAS.match(item.value)
    if alias:
        entries.add(item.offset, alias[1], f"{item.path[-1]}: {item.value}")


_YARN_HEADER = re.compile(r'(?m)^(?:"[^"\n]+"|[^\s#"][^\n]*?)(?:,[^\n]*)?:[ \t]*\r?$')
_YARN_SPEC = re.compile(r'(?:^|[,"]\s*)((?:@[^/@\s"]+/)?[^/@\s",]+)@([^,"]+)')


def yarn_lock(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """yarn.lock, classic and berry: headers name packages and aliases; nothing tells which ones are direct."""
    entries = Entries(source, wanted, "npm")
    for header in _YARN_HEADER.finditer(source):
        for spec in _YARN_SPEC.finditer(header[0]):
            alias = _ALIAS.match(spec[2])
            name = alias[1] if alias else spec[1]
            entries.add(header.start(), name, name, direct=False)
    return entries.result()


_PNPM_SECTION = re.compile(r"(?m)^([A-Za-z][\w]*):[ \t]*\r?$")
_PNPM_KEY = re.compile(r"""(?m)^([ ]+)(['"]?)/?((?:@[^/@\s'"]+/)?[^/@\s'":(]+)(?:[@/][^\n]*?)?\2:""")


def pnpm_lock(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """pnpm-lock.yaml: `importers` (and, in older ones, the top level) hold what was asked for, `packages` the rest."""
    entries = Entries(source, wanted, "npm")
    marks = [(found.start(), found[1]) for found in _PNPM_SECTION.finditer(source)]
    marks.append((len(source), ""))
    for (start, section), (end, _) in itertools.pairwise(marks):
        direct = section in ("importers", "catalogs", "overrides") or section in _SECTIONS
        if direct or section in ("packages", "snapshots"):
            for key in _PNPM_KEY.finditer(source, start, end):
                if direct or len(key[1]) == 2:
                    entries.add(key.start(3), key[3], key[3], direct=direct)
    if not entries.found and wanted.search(source) and not any(name for _, name in marks):
        entries.unreadable(0, "a pnpm lock without any section")
    return entries.result()


def pnpm_workspace(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """pnpm-workspace.yaml: catalogs and overrides."""
    entries = Entries(source, wanted, "npm")
    inside, offset = False, 0
    for line in source.splitlines(keepends=True):
        top = re.match(r"(\w+):", line)
        if top:
            inside = top[1] in ("catalog", "catalogs", "overrides")
        key = re.match(r"""[ ]+['"]?((?:@[^/@\s'"]+/)?[^/@\s'":]+)['"]?\s*:\s*['"]?(\S*)""", line) if inside else None
        if key:
            alias = _ALIAS.match(key[2])
            entries.add(offset + key.start(1), alias[1] if alias else key[1], line)
        offset += len(line)
    return entries.result()


_BUN_OWN = frozenset(("overrides", "catalog", "catalogs"))
_IDENT = re.compile(r"((?:@[^/@\s]+/)?[^/@\s]+)@")


def bun_lock(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """bun.lock: `workspaces` repeat each package.json, `packages` hold all. https://bun.sh/reference/bun/BunLockFile"""
    entries = Entries(_strict_json(source), wanted, "npm")
    if not _json.valid_json(entries):
        return entries.result()
    for item in _json.items(entries.source):
        path = item.path
        if path[0] in _BUN_OWN or (path[0] == "workspaces" and len(path) == 4 and path[2] in _SECTIONS):
            for name in _names_of_key(path[-1]) if item.value is None else ():
                entries.add(item.offset, name, path[-1])
            _value(entries, item, path[0])
        elif path[0] == "packages" and len(path) == 2 and (ident := _IDENT.match(item.value or "")):
            entries.add(item.offset, ident[1], ident[1], direct=False)
    return entries.result()


def bun_lockb(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """bun.lockb, which is binary: its strings stand in one another's bytes, so that no search is sure of a name."""
    return [
        Unreadable(1, "Bun's binary lock, which only Bun reads; `bun install --save-text-lockfile` writes bun.lock")
    ]


_COMMENT = re.compile(r'("(?:[^"\\\n]|\\.)*+")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING_COMMA = re.compile(r'("(?:[^"\\\n]|\\.)*+")|,(?=\s*[}\]])')


def _without_comments(source: str) -> str:
    """JSON with spaces in the place of its comments."""
    return _COMMENT.sub(lambda found: found[1] or re.sub(r"[^\n]", " ", found[0]), source)


def _strict_json(source: str) -> str:
    """JSON with spaces in the place of its comments and of commas behind a last element."""
    return _TRAILING_COMMA.sub(lambda found: found[1] or " ", _without_comments(source))


def deno(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """deno.json(c) and import maps: what the names in `imports` and `scopes` stand for. JSON with comments."""
    entries = Entries(source, wanted, "npm")
    for item in _json.items(_without_comments(source)):
        if item.value is not None and item.path[:1] in (("imports",), ("scopes",)):
            entries.add(item.offset, package_path(item.value), item.value)
    return entries.result()
