"""YAML that people write, read strictly: bytes in, a msgspec struct out, or an error with file, line and column.

One document, each key once and known, nothing by reference, nothing nested too deep. An error about an unknown key
names the nearest known one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec
import yaml
from msgspec import inspect

from aegis.core import typed
from aegis.core.errors import UsageError

MAX_BYTES = 1 << 20
"""A file of settings is written by people; more than 1 MiB is something else."""
MAX_DEPTH = 20

Path = tuple[str | int, ...]
"""Where a value stands: keys, and indices of lists."""
Mark = tuple[int, int]
"""Line and column from 1."""
Struct = TypeVar("Struct")
_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of file is called in errors."""

    code: str
    """Of each UsageError."""
    reference: str
    """What a whole one can be compared with, or what explains it, e.g. "the policy that `aegis init` writes"."""
    least: str = ""
    """What an empty file lacks."""


@dataclass(frozen=True, slots=True)
class Document:
    """The plain value of a YAML document, and where each part of it stands."""

    file: str
    kind: Kind
    marks: dict[Path, Mark] = field(default_factory=dict)
    keys: dict[Path, Mark] = field(default_factory=dict)
    """Where each key is written; `marks` has where its value begins."""

    def invalid(self, mark: Mark | None, problem: str, expected: str, remedy: str) -> UsageError:
        """An error about this file, at a place of it."""
        place = f"{self.file}:{mark[0]}:{mark[1]}" if mark else self.file
        at = (self.file, *mark) if mark else None
        return UsageError(self.kind.code, f"{place}: {problem}", expected=expected, remedy=remedy, place=at)


def compose(data: bytes, document: Document) -> Any:
    """The plain value of the one document in `data`, whose places are kept in `document`."""
    reference = f"see {document.kind.reference}"
    if len(data) > MAX_BYTES:
        raise document.invalid(None, f"{len(data)} bytes", f"at most {MAX_BYTES} bytes of YAML", reference)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"byte {error.start} is not UTF-8"
        raise document.invalid(None, problem, "YAML in UTF-8", "save it as UTF-8") from error
    try:
        _refuse_depth_and_aliases(text, document)
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else None
        if mark and text[mark.index : mark.index + 1] == "\t":
            raise document.invalid(place, "a tab", "spaces", "indent with spaces") from error
        problem = error.problem or "not YAML"
        if problem.startswith("but "):  # the second half of a sentence
            problem = f"{error.context} {problem}"
        raise document.invalid(place, problem, "one YAML document", reference) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = str(error).splitlines()[0] if str(error) else "nested too deep"
        raise document.invalid(None, problem, "one YAML document", reference) from error
    if node is None:
        raise document.invalid((1, 1), "the file is empty", document.kind.least, reference)
    return _plain(loader, node, (), document)


def convert(
    value: Any,
    struct: type[Struct],
    document: Document,
    *,
    explained: Mapping[Path, tuple[str, str, str]] = MappingProxyType({}),
) -> Struct:
    """The value as a struct. `explained`: problem, expected and remedy of a path whose type says too little."""
    try:
        return typed.convert(value, struct)
    except msgspec.ValidationError as error:
        raise _explain(str(error), struct, document, explained) from error


def _refuse_depth_and_aliases(text: str, document: Document) -> None:
    """Look at the flat event stream first: libyaml composes by recursion and crashes on deep nesting."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        place = event.start_mark
        mark = (place.line + 1, place.column + 1) if place else (1, 1)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            raise document.invalid(
                mark, "an alias (`*name`)", "each value written out", "repeat the value in its place"
            )
        if depth > MAX_DEPTH:
            raise document.invalid(mark, "nested too deep", f"at most {MAX_DEPTH} levels", "remove the nesting")


def _plain(loader: Any, node: Any, path: Path, document: Document) -> Any:
    mark = (node.start_mark.line + 1, node.start_mark.column + 1)
    document.marks[path] = mark
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, item, (*path, i), document) for i, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(loader, node, document, mark)
    result: dict[str, Any] = {}
    for key, value in node.value:
        place = (key.start_mark.line + 1, key.start_mark.column + 1)
        if not isinstance(key, yaml.ScalarNode):
            raise document.invalid(place, "a key that is no word", "a plain word as a key", "write the key as a word")
        name = str(key.value)
        if name in result:
            raise document.invalid(place, f"the key {name!r} stands twice", "each key once", "delete one of them")
        document.keys[(*path, name)] = place
        result[name] = _plain(loader, value, (*path, name), document)
    return result


def _scalar(loader: Any, node: Any, document: Document, mark: Mark) -> Any:
    try:
        return loader.construct_object(node)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        problem = f"{node.value[:80]!r} is no valid value"
        raise document.invalid(mark, problem, "a plain YAML value", "put text in quotes") from error


_AT = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>[^`]*)`")
_WRONG = re.compile(r"Expected (?P<form>.*?)(?:, got (?P<got>.*))?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field (?P<key>`[^`]*`)")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


def _explain(
    message: str, struct: type[Any], document: Document, explained: Mapping[Path, tuple[str, str, str]]
) -> UsageError:
    """Turn msgspec's message (`… - at `$.scan.allow[0]``) into a place in the file and a remedy."""
    at = _AT.search(message)
    # inside a mapping of free keys msgspec says `[...]` and no more: the mapping is the place then
    steps = _STEP.findall(at["path"].partition("[...]")[0]) if at else []
    path: Path = tuple(int(index) if index else name for name, index in steps)
    problem = message[: at.start()] if at else message
    where = ".".join(str(step) for step in path) or "the top level"
    if unknown := _UNKNOWN.search(problem):
        known = _known_keys(struct, path)
        near = difflib.get_close_matches(unknown["key"], known, n=1, cutoff=0.5)
        remedy = f"did you mean `{near[0]}`?" if near else "delete the key"
        return document.invalid(
            document.keys.get((*path, unknown["key"])),
            f"unknown key `{unknown['key']}` in {where}",
            _one_of(known),
            remedy,
        )
    if path in explained:
        return document.invalid(document.marks.get(path), *explained[path])
    within = f"a value in {where}" if at and "[...]" in at["path"] else where
    return document.invalid(document.marks.get(path), *_said(problem, within, _type_at(struct, path)))


def _said(problem: str, where: str, kind: inspect.Type) -> tuple[str, str, str]:
    """Problem, expected and remedy, of msgspec's words about a value."""
    if wrong := _WRONG.fullmatch(problem):
        is_there = f"is {wrong['got']}" if wrong["got"] else "does not fit"
        return f"{where} {is_there}", wrong["form"], "correct the value"
    if missing := _MISSING.fullmatch(problem):
        return f"missing required field {missing['key']} in {where}", f"{missing['key']} with a value", "add the key"
    kinds = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    words = [str(value) for each in kinds if isinstance(each, inspect.LiteralType) for value in each.values]
    day = any(isinstance(each, inspect.DateType) for each in kinds)
    expected = _one_of(words) if words else "a day, YYYY-MM-DD" if day else "another value"
    return f"{problem} at {where}", expected, "correct the value"


def _one_of(words: Iterable[str]) -> str:
    known = sorted(words)
    return known[0] if len(known) == 1 else "one of " + ", ".join(known)


def _known_keys(struct: type[Any], path: Path) -> list[str]:
    """The keys of the struct that stands at `path`."""
    here = _without_null(_type_at(struct, path))
    return [f.encode_name for f in here.fields] if isinstance(here, inspect.StructType) else []


def _type_at(struct: type[Any], path: Path) -> inspect.Type:
    """Of what stands at `path`."""
    here: inspect.Type = inspect.type_info(struct)
    for step in path:
        here = _without_null(here)
        if isinstance(here, inspect.StructType):
            here = next(f.type for f in here.fields if f.encode_name == step)
        elif isinstance(here, inspect.VarTupleType):
            here = here.item_type
    return here


def _without_null(kind: inspect.Type) -> inspect.Type:
    if isinstance(kind, inspect.UnionType):
        return next(t for t in kind.types if not isinstance(t, inspect.NoneType))
    return kind
