"""Maven's and Gradle's dependency files. A name is `group:artifact`."""

from __future__ import annotations

import re
import tomllib
from xml.parsers import expat

from aegis.gates.scan.extract.manifests import _toml
from aegis.gates.scan.extract.manifests._entry import Entries
from aegis.gates.scan.model import Statement, Unreadable

_HOLDERS = frozenset(("dependency", "plugin", "extension", "exclusion", "parent"))


def pom(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """pom.xml: dependencies (managed ones too), plugins, extensions and the parent; not exclusions.

    A document type is refused: it may define entities that rewrite what stands here.
    """
    entries = Entries(source, wanted, "maven")
    if "<!DOCTYPE" in source or "<!ENTITY" in source:
        if wanted.search(source):
            entries.unreadable(0, "a pom with a document type, which may rewrite its names")
        return entries.result()
    reader = _PomReader()
    try:
        reader.read(source)
    except expat.ExpatError as error:
        if wanted.search(source):
            entries.unreadable(0, f"not well-formed XML: {error}")
        return entries.result()
    for line, column, group, artifact in reader.found:
        entries.add(entries.places.start_of(line) + column, f"{group}:{artifact}", f"{group}:{artifact}")
    return entries.result()


class _PomReader:
    """Collects group and artifact of each holder, with the place of its groupId."""

    def __init__(self) -> None:
        self.found: list[tuple[int, int, str, str]] = []
        self.properties: dict[str, str] = {}
        self._path: list[str] = []
        self._text: list[str] = []
        self._fields: list[dict[str, str]] = []
        self._place: list[tuple[int, int]] = []

    def read(self, source: str) -> None:
        """Read the whole text."""
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text.append
        self._parser.Parse(re.sub(r"^\s*<\?xml[^>]*\?>", _blank, source.lstrip("\ufeff")), True)
        self.found = [
            (line, column, self._resolve(group), self._resolve(artifact))
            for line, column, group, artifact in self.found
        ]

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        name = name.rpartition(" ")[2]
        self._path.append(name)
        self._text.clear()
        if name in _HOLDERS:
            self._fields.append({})
            self._place.append((self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber))

    def _end(self, name: str) -> None:
        name = self._path.pop()
        text = "".join(self._text).strip()
        parent = self._path[-1] if self._path else ""
        if name in _HOLDERS:
            fields, place = self._fields.pop(), self._place.pop()
            if name != "exclusion" and "artifactId" in fields:
                group = fields.get("groupId", "org.apache.maven.plugins" if name == "plugin" else "")
                self.found.append((*place, group, fields["artifactId"]))
        elif name in ("groupId", "artifactId") and parent in _HOLDERS:
            self._fields[-1][name] = text
            if name == "groupId":
                self._place[-1] = (
                    self._parser.CurrentLineNumber,
                    max(0, self._parser.CurrentColumnNumber - len(text) - 9),
                )
        elif parent == "properties":
            self.properties[name] = text
        self._text.clear()

    def _resolve(self, text: str) -> str:
        """`text` with the properties of the same file in place of `${name}`."""
        return re.sub(r"\$\{([^}]+)\}", lambda found: self.properties.get(found[1], found[0]), text)


def _blank(found: re.Match[str]) -> str:
    """As many characters without meaning: the text is a string already, so its declared encoding must not count."""
    return re.sub(r"[^\r\n]", " ", found[0])


_COORDINATES = re.compile(r"""(["'])([A-Za-z][\w.-]*\.[\w.-]+|[a-z][\w-]*):([A-Za-z0-9][\w.-]*)(?::[^"'\n]*)?\1""")
_NAMED = re.compile(
    r"""\bgroup\s*[:=]\s*(["'])([\w.-]+)\1\s*,\s*(?:name|module)\s*[:=]\s*(["'])([\w.-]+)\3"""
    r"""|\b(?:compile|implementation|api|runtimeOnly)\s*\(\s*(["'])([\w.-]+\.[\w.-]+)\5\s*,\s*(["'])([\w.-]+)\7"""
)
_COMMENT = re.compile(r"""("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|//[^\n]*|/\*[\s\S]*?\*/""")


def gradle(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """build.gradle and build.gradle.kts: coordinates in strings and named arguments, not in comments and excludes."""
    entries = Entries(source, wanted, "maven")
    code = _COMMENT.sub(lambda found: found[0] if found[1] else _blank(found), source)
    for found in _COORDINATES.finditer(code):
        if not _excluded(code, found.start()):
            entries.add(found.start(), f"{found[2]}:{found[3]}", found[0])
    for found in _NAMED.finditer(code):
        if not _excluded(code, found.start()):
            group, artifact = (found[2], found[4]) if found[2] else (found[6], found[8])
            entries.add(found.start(), f"{group}:{artifact}", found[0])
    return entries.result()


def _excluded(code: str, offset: int) -> bool:
    """Whether the coordinates at `offset` are an argument of `exclude`."""
    return bool(re.search(r"\bexclude\b[\s(]*$", code[max(0, offset - 40) : offset]))


def gradle_lock(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """gradle.lockfile: `group:artifact:version=configurations`, direct or not."""
    entries = Entries(source, wanted, "maven")
    for found in re.finditer(r"(?m)^([\w.-]+:[\w.-]+):[^\s=]+=", source):
        entries.add(found.start(), found[1], found[1], direct=False)
    return entries.result()


def version_catalog(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """Gradle's libs.versions.toml: `module`, `group` with `name`, or `group:artifact:version`."""
    entries = Entries(source, wanted, "maven")
    try:
        tomllib.loads(source.lstrip("\ufeff"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        if wanted.search(source):
            entries.unreadable(0, f"not valid TOML: {error}")
        return entries.result()
    groups: dict[tuple[str, ...], str] = {}
    for item in _toml.items(source):
        if item.value is None or item.path[:1] not in (("libraries",), ("plugins",)):
            continue
        if item.path[-1] == "group":
            groups[item.path[:-1]] = item.value
        elif item.path[-1] == "name" and len(item.path) > 2:
            group = groups.get(item.path[:-1], "")
            entries.add(item.offset, f"{group}:{item.value}", f"{group}:{item.value}")
        elif item.path[-1] == "module" or len(item.path) == 2:
            parts = item.value.split(":")
            if len(parts) > 1:
                entries.add(item.offset, ":".join(parts[:2]), item.value)
    return entries.result()
