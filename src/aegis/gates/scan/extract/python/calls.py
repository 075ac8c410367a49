"""Modules that a Python file names in a string: loaded at run time, or replaced by a test double."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator

from aegis.gates.scan.extract.python.context import Context
from aegis.gates.scan.extract.python.imports import Import
from aegis.gates.scan.extract.python.mask import NAME_CHAR
from aegis.gates.scan.model import Form

_LOADERS = frozenset(
    {
        "import_module", "__import__", "find_spec", "find_loader", "resolve_name", "run_module", "importorskip",
        "import_string", "import_object", "import_from_string", "try_import", "optional_import", "safe_import",
        "maybe_import", "import_optional_dependency", "get_loader", "find_module", "load_module", "locate",
        "_run_module_as_main",
    }
)  # fmt: skip
"""Functions of the standard library, pytest, Django, Werkzeug and pandas whose first argument names a module."""
_LAZY = re.compile(r"_*lazy_*(?:import|load|loader|module|importer)s?_*", re.IGNORECASE)
_LAZY_LOAD = frozenset({"lazy.load", "lazy.attach", "lazy_loader.load"})
_MODULES = frozenset({"sys.modules", "modules"})
_MODULES_METHODS = frozenset({"get", "pop", "setdefault", "__getitem__"})
_PATCHERS = re.compile(
    r"(?:.*\.)?(?:patch(?:\.(?:dict|multiple|object))?|(?:monkeypatch|mp|m)\.(?:setattr|delattr|context\.setattr))"
)
_TARGET = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+")
_MODULE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_MODULES_ARGUMENT = re.compile(r"^\s*(?:sys\s*\.\s*)?modules\s*,\s*$")
_ASSIGNED_LOADER = re.compile(
    rf"(?<!{NAME_CHAR})(\w+)[ \t]*=[ \t]*(?:importlib[ \t]*\.[ \t]*)?(?:import_module|__import__)[ \t]*(?=[\n;,)]|\Z)"
)
_LOADER_BY_NAME = re.compile(r"[\"'](?:import_module|__import__)[\"']\s*[)\]]\s*\(\s*\Z")
"""`getattr(importlib, "import_module")(`, `__builtins__["__import__"](`"""
_REACH = 80
_PACKAGE_ARGUMENT = re.compile(r'^\s*(?:name\s*=\s*)?"+\s*,\s*(?:package\s*=\s*)?$')


def loader_aliases(code: str, imported: Iterable[Import]) -> frozenset[str]:
    """Return every name by which a file calls a function that loads a module."""
    names = {one.alias for one in imported if one.alias and one.name in _LOADERS}
    if "import_module" in code or "__import__" in code:
        names |= {match[1] for match in _ASSIGNED_LOADER.finditer(code)}
    return _LOADERS | names


def module_names(context: Context, loaders: frozenset[str]) -> Iterator[tuple[Form, str]]:
    """Yield the module that a string names at run time, and how."""
    if context.opener == "[":
        if context.callee in _MODULES and context.is_first:
            yield from _dynamic(context.one.prefix)
        return
    if context.opener == "{" and context.masked.code.startswith(":", _after(context)):
        if _double_of_module(context):
            yield from _mock(context.one.value, _MODULE)
        return
    if context.opener != "(":
        return
    base, _, last = context.callee.rpartition(".")
    start = context.one.start
    if context.is_first and _LOADER_BY_NAME.search(context.masked.text, max(0, start - _REACH), start):
        yield from _dynamic(context.one.prefix)
    elif last in loaders or _LAZY.fullmatch(last) or context.callee in _LAZY_LOAD:
        yield from _loaded(context)
    elif base in _MODULES and last in _MODULES_METHODS and context.is_first:
        yield from _dynamic(context.one.prefix)
    elif _PATCHERS.fullmatch(context.callee) and (context.is_first or context.keyword == "target"):
        yield from _mock(context.one.value, _TARGET)
    elif last in ("setitem", "delitem") and _MODULES_ARGUMENT.search(context.before):
        yield from _mock(context.one.value, _MODULE)


def _after(context: Context) -> int:
    code, offset = context.masked.code, context.one.end
    while offset < len(code) and code[offset] in " \t\n":
        offset += 1
    return offset


def _loaded(context: Context) -> Iterator[tuple[Form, str]]:
    named = context.keyword in ("name", "module", "module_name", "modname", "mod_name")
    if context.is_first or named or context.callee.endswith("LazyLoader"):  # TensorFlow's takes the name last
        yield from _dynamic(context.one.prefix)
    elif _PACKAGE_ARGUMENT.search(context.before):
        relative = context.earlier()[0].prefix
        if relative.startswith("."):
            yield from _dynamic(_absolute(relative, context.one.value))


def _absolute(relative: str, package: str) -> str:
    """Resolve `..name` in a package, as `importlib.util.resolve_name` does."""
    name = relative.lstrip(".")
    parents = package.split(".")
    kept = parents[: len(parents) - (len(relative) - len(name) - 1)]
    return ".".join([*kept, name])


def _double_of_module(context: Context) -> bool:
    """Whether it is a key of `patch.dict("sys.modules", {…})` or `patch.dict(sys.modules, {…})`."""
    callee = context.outer_argument()
    return callee is not None and callee[0].endswith("patch.dict") and "sys.modules" in callee[1]


def _dynamic(value: str) -> Iterator[tuple[Form, str]]:
    match = _MODULE.match(value.replace(":", "."))
    if match:
        yield "dynamic", importable(match[0])


def _mock(value: str, shape: re.Pattern[str]) -> Iterator[tuple[Form, str]]:
    if shape.fullmatch(value):
        yield "mock", importable(value)


def importable(name: str) -> str:
    """Cut a dotted name before a keyword, so that `import <name>` is a statement."""
    parts = name.split(".")
    usable = next((i for i, part in enumerate(parts) if keyword.iskeyword(part)), len(parts))
    return ".".join(parts[:usable])
