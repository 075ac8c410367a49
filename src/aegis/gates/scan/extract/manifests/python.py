"""Python's dependency files: what a project asks pip, uv, poetry, pdm, pipenv, hatch or conda to install."""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
from collections.abc import Iterator

from aegis.gates.scan.extract.manifests import _json, _toml
from aegis.gates.scan.extract.manifests._entry import Entries
from aegis.gates.scan.model import Statement, Unreadable

_NAME = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)")
_REQUIREMENT = re.compile(
    r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\]\s*)?(?:$|[<>=!~;@(#,]|\s+(?:--|\\))"
)
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9][A-Za-z0-9._-]*)")
_WHEEL = re.compile(r"/([A-Za-z0-9][A-Za-z0-9._]*?)-\d[^/]*\.(?:whl|tar\.gz|zip)(?:$|[#?])")
_OPTION = re.compile(r"\s*(?:-e|--editable)[ \t=]+")


def requirement_name(text: str) -> str | None:
    """The distribution that a requirement (PEP 508, or a URL that names it) asks for; None if it names none."""
    found = _REQUIREMENT.match(text)
    if found:
        return found[1]
    for pattern in (_EGG, _WHEEL):
        url = pattern.search(text)
        if url:
            return url[1]
    return None


def requirements(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """Pip's requirements and constraints files (hashes, continuations, editable installs, URLs)."""
    entries = Entries(source, wanted, "pypi")
    offset = 0
    logical, start = "", 0
    for line in source.splitlines(keepends=True):
        if not logical:
            start = offset
        offset += len(line)
        body = line.rstrip("\r\n")
        if body.lstrip().startswith("#") and not logical:
            continue
        if body.endswith("\\"):
            # pip joins the lines without a space, so a name may go on in the next one.
            logical += body[:-1]
            continue
        _requirement_line(entries, logical + body, start)
        logical = ""
    if logical:
        _requirement_line(entries, logical, start)
    return entries.result()


def _requirement_line(entries: Entries, text: str, start: int) -> None:
    """One logical line of a requirements file."""
    text = re.sub(r"(^|\s)#.*$", "", text.lstrip("\ufeff") if start == 0 else text)
    option = _OPTION.match(text)
    lead = option.end() if option else len(text) - len(text.lstrip())
    body = text[lead:]
    if not body or (body.startswith("-") and not option):
        return
    name = requirement_name(body)
    if name:
        entries.add(start + lead, name, re.split(r"\s+--hash", body)[0])
    elif entries.wanted.search(body):
        entries.unreadable(start, f"a requirement that names no distribution: {body.strip()[:80]!r}")


def pyproject(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """pyproject.toml: PEP 621 and 735 tables, build requirements, and those of poetry, pdm, hatch and uv."""
    entries = Entries(source, wanted, "pypi")
    if not _valid_toml(entries):
        return entries.result()
    for item in _toml.items(source):
        _pyproject_item(entries, item)
    return entries.result()


def _pyproject_item(entries: Entries, item: _toml.Item) -> None:
    """One key or string of pyproject.toml, if it stands where a requirement stands."""
    path = item.path
    if item.value is not None and _is_requirement_list(path):
        name = requirement_name(item.value)
        if name:
            entries.add(item.offset, name, item.value)
    elif item.value is None and len(path) > 2:
        name = _named_by_key(path)
        if name and name.lower() != "python":
            entries.add(item.offset, name, name)


def _is_requirement_list(path: tuple[str, ...]) -> bool:
    """Whether the strings of the array at `path` are requirements."""
    if path in (("project", "dependencies"), ("build-system", "requires")):
        return True
    if path[:2] == ("project", "optional-dependencies") or (path[:1] == ("dependency-groups",) and len(path) == 2):
        return True
    if path[:1] != ("tool",):
        return False
    return (
        (path[1:2] == ("pdm",) and "dev-dependencies" in path)
        or (path[1:2] == ("hatch",) and path[-1] in ("dependencies", "extra-dependencies", "require"))
        or (
            path[1:2] == ("uv",)
            and path[-1]
            in ("dev-dependencies", "constraint-dependencies", "override-dependencies", "requirements", "requires")
        )
        or (path[1:2] == ("setuptools",) and path[-1] in ("install_requires", "dependencies"))
        or (path[1:2] == ("flit",) and path[-1] in ("requires",))
        or path[1:4] == ("flit", "metadata", "requires-extra")
        or (path[1:2] == ("tox",) and path[-1] in ("deps",))
        or path[-2:] == ("mypy", "additional_dependencies")
    )


def _named_by_key(path: tuple[str, ...]) -> str | None:
    """The distribution whose name is a key at `path`: poetry, pixi and uv's sources write it so."""
    if path[:2] == ("tool", "poetry"):
        if len(path) == 4 and path[2] in ("dependencies", "dev-dependencies"):
            return path[3]
        if len(path) == 6 and path[2] == "group" and path[4] == "dependencies":
            return path[5]
    if path[:2] == ("tool", "pixi") and len(path) > 3 and path[-2] in ("dependencies", "pypi-dependencies"):
        return path[-1]
    return None


_SCRIPT = re.compile(r"^# /// script[ \t]*\r?\n(?:#(?: [^\n]*)?\r?(?:\n|\Z))*", re.MULTILINE)
_COMMENT = re.compile(r"^# ?", re.MULTILINE)


def inline_script(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """The metadata block of a script (PEP 723), which tools look for wherever in the text it stands."""
    entries = Entries(source, wanted, "pypi")
    for block in _SCRIPT.finditer(source):
        # As long as it was, so that places stay.
        text = _COMMENT.sub(lambda found: " " * len(found[0]), block[0].partition("\n")[2])
        start = block.end() - len(text)
        for item in _toml.items(text):
            name = requirement_name(item.value) if item.value and _is_script_requirement(item.path) else None
            if name:
                entries.add(start + item.offset, name, item.value or name)
    return entries.result()


def _is_script_requirement(path: tuple[str, ...]) -> bool:
    return path == ("dependencies",) or _is_requirement_list(path)


def pipfile(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """Pipfile: every table but its settings lists distributions by key."""
    entries = Entries(source, wanted, "pypi")
    if _valid_toml(entries):
        for item in _toml.items(source):
            if (
                item.value is None
                and len(item.path) == 2
                and item.path[0] not in ("requires", "scripts", "pipenv", "source")
            ):
                entries.add(item.offset, item.path[1], item.path[1])
    return entries.result()


def toml_lock(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """poetry.lock, uv.lock, pdm.lock and pylock.toml (PEP 751): packages are entries that nobody marks as direct."""
    entries = Entries(source, wanted, "pypi")
    for item in _toml.items(source):
        if item.value is not None and item.path in (("package", "name"), ("packages", "name")):
            entries.add(item.offset, item.value, item.value, direct=False)
    if not entries.found and wanted.search(source) and not re.search(r"(?m)^\[\[packages?\]\]", source):
        entries.unreadable(0, "a lock file without a package table")
    return entries.result()


def pipfile_lock(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """Pipfile.lock; what the project asked for itself has `index` or `markers` no more than others do: all indirect."""
    entries = Entries(source, wanted, "pypi")
    if _json.valid_json(entries):
        for item in _json.items(source):
            if item.value is None and len(item.path) == 2 and item.path[0] != "_meta":
                entries.add(item.offset, item.path[1], item.path[1], direct=False)
    return entries.result()


def home_assistant(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """`requirements` of an integration's manifest.json. Other manifests of that name have no such list."""
    entries = Entries(source, wanted, "pypi")
    if _json.valid_json(entries):
        for item in _json.items(source):
            if item.value is not None and item.path == ("requirements",):
                name = requirement_name(item.value)
                if name:
                    entries.add(item.offset, name, item.value)
    return entries.result()


_CFG_KEYS = frozenset(("install_requires", "setup_requires", "tests_require", "requires", "dependencies"))
_CFG_SECTION = re.compile(r"\[([^\]]+)\]")
_CFG_KEY = re.compile(r"([A-Za-z0-9_.-]+)[ \t]*[=:][ \t]*")


def setup_cfg(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """setup.cfg of setuptools: `[options]` and `[options.extras_require]`."""
    entries = Entries(source, wanted, "pypi")
    try:
        configparser.RawConfigParser(strict=False).read_string(source)
    except configparser.Error as error:
        if wanted.search(source):
            entries.unreadable(0, f"not an INI file: {str(error).splitlines()[0]}")
        return entries.result()
    for section, key, offset, text in ini_lines(source):
        of_setuptools = (section == "options" and key in _CFG_KEYS) or section == "options.extras_require"
        if of_setuptools or (section.startswith(("tox:", "testenv")) and key in ("deps", "requires")):
            _required(entries, text, offset)
    return entries.result()


def ini_lines(source: str) -> Iterator[tuple[str, str, int, str]]:
    """Each line of a value in an INI file: its section, its key, its offset, and its text."""
    section, key, offset = "", "", 0
    for line in source.splitlines(keepends=True):
        body = line.rstrip("\r\n")
        header = _CFG_SECTION.match(body)
        found = None if body[:1].isspace() else _CFG_KEY.match(body)
        if header:
            section, key = header[1].strip(), ""
        elif body.strip() and not body.lstrip().startswith(("#", ";")):
            lead = found.end() if found else len(body) - len(body.lstrip())
            key = found[1].lower() if found else key
            yield section, key, offset + lead, body[lead:]
        offset += len(line)


def _required(entries: Entries, text: str, offset: int) -> None:
    """The requirement on one line, `;`-separated lists excepted: setuptools takes one a line."""
    name = requirement_name(text)
    if name:
        entries.add(offset, name, text)


def setup_py(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """setup.py: requirement strings anywhere in a file that calls setup().

    The lists are often built up in variables, so every string that is a requirement of a wanted name counts, except
    those that are only compared, or the names of packages and modules to pack.
    """
    entries = Entries(source, wanted, "pypi")
    if not wanted.search(source):
        return []
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        entries.unreadable(getattr(error, "lineno", None) or 0, "setup.py is not valid Python here")
        return entries.result()
    lines = source.split("\n")
    for text, line, column in _requirement_strings(tree):
        name = requirement_name(text)
        if name and _REQUIREMENT.match(text) and entries.wanted.search(name):
            column = len(lines[line - 1].encode()[:column].decode(errors="replace"))
            entries.add(entries.places.start_of(line) + column, name, text)
    return entries.result()


_NOT_REQUIREMENTS = frozenset(
    ("name", "packages", "py_modules", "keywords", "description", "long_description", "author", "url", "classifiers",
     "entry_points", "scripts", "package_data", "package_dir", "license", "version", "author_email", "project_urls")
)  # fmt: skip


def _requirement_strings(tree: ast.AST) -> list[tuple[str, int, int]]:
    """String constants that may be requirements, with line and byte column."""
    found: list[tuple[str, int, int]] = []
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.JoinedStr, ast.Expr)) and not isinstance(getattr(node, "value", None), ast.Call):
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for index, text in enumerate(node.value.split("\n")):
                found.append((text, node.lineno + index, node.col_offset if index == 0 else 0))
        for name, value in ast.iter_fields(node):
            if isinstance(node, ast.Dict) and name == "keys":
                continue
            if isinstance(node, ast.keyword) and node.arg in _NOT_REQUIREMENTS:
                continue
            pending.extend(
                child for child in (value if isinstance(value, list) else [value]) if isinstance(child, ast.AST)
            )
    return found


_CONDA_LINE = re.compile(r"(?P<lead>[ \t]*-[ \t]+)(?P<quote>[\"']?)(?:[\w./-]+::)?(?P<spec>[A-Za-z0-9][^\"'#\n]*)")


def conda(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """Conda's environment.yml and meta.yaml: list elements below `dependencies` or `requirements`."""
    entries = Entries(source, wanted, "pypi")
    inside, offset = False, 0
    for line in source.splitlines(keepends=True):
        if re.match(r"[A-Za-z_]+:", line):
            inside = bool(re.match(r"(?:dependencies|requirements|test)\s*:", line))
        found = _CONDA_LINE.match(line) if inside else None
        if found:
            name = _NAME.match(found["spec"])
            if name and not found["spec"].rstrip().endswith(":"):
                entries.add(offset + found.end("quote"), name[1], found["spec"])
        offset += len(line)
    return entries.result()


def _valid_toml(entries: Entries) -> bool:
    """Whether the text is TOML; says so if it is not and could hide something."""
    try:
        tomllib.loads(entries.source.lstrip("\ufeff"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        if entries.wanted.search(entries.source):
            entries.unreadable(0, f"not valid TOML: {error}")
        return False
    return True
