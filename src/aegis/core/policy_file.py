"""Reads `aegis.yml`: bytes in, `Policy` out, or an error that names file, line and column and the nearest known key."""

from __future__ import annotations

import datetime
import difflib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import yaml
from msgspec import inspect

from aegis.core.errors import UsageError
from aegis.core.policy import Policy

MAX_BYTES = 1 << 20
"""A policy is written by people; more than 1 MiB is something else."""
MAX_DEPTH = 20

_GATE_SECTIONS = frozenset({"scan", "verify"})
_Path = tuple[str | int, ...]
_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy with where it came from."""

    policy: Policy
    origin: str
    sha256: str
    written: Mapping[str, Any]
    """The keys that the file itself sets."""


@dataclass(slots=True)
class _Document:
    """The plain value of a YAML document, and where each part of it stands (line and column from 1)."""

    marks: dict[_Path, tuple[int, int]] = field(default_factory=dict)
    keys: dict[_Path, tuple[int, int]] = field(default_factory=dict)


def parse_policy(data: bytes, *, file: str, origin: str | None = None) -> LoadedPolicy:
    """Read one policy file.

    `file` is the name for messages; `origin` (default: `file`) is what the verdict calls its source. Raises UsageError
    `core.policy_invalid` for anything that is not exactly a policy.
    """
    document = _Document()
    value = _compose(data, file, document)
    if isinstance(value, dict):
        # `scan:` with nothing below it is a section of defaults, not a missing one.
        value = {key: {} if key in _GATE_SECTIONS and part is None else part for key, part in value.items()}
    policy = _convert(value, file, document)
    return LoadedPolicy(policy, origin or file, hashlib.sha256(data).hexdigest(), value)


def merged_policy(under: LoadedPolicy, over: LoadedPolicy, *, file: str) -> Policy:
    """`over` laid over `under`, key by key: a key that `over` does not set keeps its value from `under`."""
    merged = {**under.written, **over.written}
    for key in _GATE_SECTIONS & set(merged):
        merged[key] = {**(under.written.get(key) or {}), **(over.written.get(key) or {})}
    return _convert(merged, file, _Document())


def _convert(value: Any, file: str, document: _Document) -> Policy:
    try:
        policy = msgspec.convert(value, Policy)
    except msgspec.ValidationError as error:
        raise _explain(str(error), file, document) from error
    end = policy.mode.rpartition(" ")[2]
    if policy.mode != "enforce" and not _is_day(end):
        raise _invalid(file, document.marks.get(("mode",)), f"{end!r} is no day", "YYYY-MM-DD", "name the day it ends")
    return policy


def _is_day(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _invalid(file: str, mark: tuple[int, int] | None, problem: str, expected: str, remedy: str) -> UsageError:
    place = f"{file}:{mark[0]}:{mark[1]}" if mark else file
    at = (file, *mark) if mark else None
    return UsageError("core.policy_invalid", f"{place}: {problem}", expected=expected, remedy=remedy, place=at)


def _compose(data: bytes, file: str, document: _Document) -> Any:
    schema = "see docs/schemas/aegis.v1.schema.json, or run `aegis scan --explain core.policy_invalid`"
    if len(data) > MAX_BYTES:
        raise _invalid(file, None, f"{len(data)} bytes", f"at most {MAX_BYTES} bytes of YAML", schema)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _invalid(file, None, f"byte {error.start} is not UTF-8", "YAML in UTF-8", "save it as UTF-8") from error
    try:
        _refuse_depth_and_aliases(text, file)
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else None
        raise _invalid(file, place, error.problem or "not YAML", "one YAML document", schema) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = str(error).splitlines()[0] if str(error) else "nested too deep"
        raise _invalid(file, None, problem, "one YAML document", schema) from error
    if node is None:
        raise _invalid(file, (1, 1), "the file is empty", "at least `version: 1`", schema)
    return _plain(loader, node, (), file, document)


def _refuse_depth_and_aliases(text: str, file: str) -> None:
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
            raise _invalid(file, mark, "an alias (`*name`)", "each value written out", "repeat the value in its place")
        if depth > MAX_DEPTH:
            raise _invalid(file, mark, "nested too deep", f"at most {MAX_DEPTH} levels", "remove the nesting")


def _plain(loader: Any, node: Any, path: _Path, file: str, document: _Document) -> Any:
    mark = (node.start_mark.line + 1, node.start_mark.column + 1)
    document.marks[path] = mark
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, item, (*path, i), file, document) for i, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(loader, node, file, mark)
    result: dict[str, Any] = {}
    for key, value in node.value:
        place = (key.start_mark.line + 1, key.start_mark.column + 1)
        if not isinstance(key, yaml.ScalarNode):
            raise _invalid(file, place, "a key that is no word", "a plain word as a key", "write the key as a word")
        name = str(key.value)
        if name in result:
            raise _invalid(file, place, f"the key {name!r} stands twice", "each key once", "delete one of them")
        document.keys[(*path, name)] = place
        result[name] = _plain(loader, value, (*path, name), file, document)
    return result


def _scalar(loader: Any, node: Any, file: str, mark: tuple[int, int]) -> Any:
    try:
        return loader.construct_object(node)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        problem = f"{node.value[:80]!r} is no valid value"
        raise _invalid(file, mark, problem, "a plain YAML value", "put text in quotes") from error


_AT = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>[^`]*)`")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


def _explain(message: str, file: str, document: _Document) -> UsageError:
    """Turn msgspec's message (`… - at `$.scan.allow[0]``) into a place in the file and a remedy."""
    at = _AT.search(message)
    steps = _STEP.findall(at["path"]) if at else []
    path: _Path = tuple(int(index) if index else name for name, index in steps)
    problem = message[: at.start()] if at else message
    where = ".".join(str(step) for step in path) or "the top level"
    if unknown := _UNKNOWN.search(problem):
        known = _known_keys(path)
        near = difflib.get_close_matches(unknown["key"], known, n=1, cutoff=0.5)
        remedy = f"did you mean `{near[0]}`?" if near else "delete the key"
        return _invalid(
            file,
            document.keys.get((*path, unknown["key"])),
            f"unknown key `{unknown['key']}` in {where}",
            "one of " + ", ".join(sorted(known)),
            remedy,
        )
    if path == ("mode",):
        expected = "`enforce`, or `observe until YYYY-MM-DD`"
        return _invalid(file, document.marks.get(path), "the mode is neither", expected, "name the day it ends")
    expected = f"the type that the schema gives for {where}"
    return _invalid(
        file,
        document.marks.get(path),
        f"{problem} at {where}",
        expected,
        "compare with docs/schemas/aegis.v1.schema.json",
    )


def _known_keys(path: _Path) -> list[str]:
    """The keys of the struct that stands at `path`."""
    here: inspect.Type = inspect.type_info(Policy)
    for step in path:
        here = _without_null(here)
        if isinstance(here, inspect.StructType):
            here = next(f.type for f in here.fields if f.encode_name == step)
        elif isinstance(here, inspect.VarTupleType):
            here = here.item_type
    here = _without_null(here)
    return [f.encode_name for f in here.fields] if isinstance(here, inspect.StructType) else []


def _without_null(kind: inspect.Type) -> inspect.Type:
    if isinstance(kind, inspect.UnionType):
        return next(t for t in kind.types if not isinstance(t, inspect.NoneType))
    return kind
