"""docs/reference/policy.md: every key of `aegis.yml`, from the types and from the comparison of policies themselves.

What a key is for stands below it in `aegis.core.policy`. In which direction a change of it is looser is tried out: two
policies that differ in this key alone are handed to `aegis.core.loosening`.
"""

from __future__ import annotations

import ast
import copy
import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, inspect

from aegis.core import policy as types
from aegis.core.loosening import loosenings
from aegis.core.policy import Policy
from scripts.pages.tables import cell, code, table

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "policy.md"
_WORDS = (
    "first", "second", "1h", "2h", "1d", "30s", "a/", "b/", "https://one.example", "https://two.example",
    "arn:aws:iam::123456789012:role/one", "arn:aws:iam::123456789012:role/two", "eu-west-1", "eu-west-2",
    "123456789012", "210987654321",
    "a" * 64, "b" * 64, "a" * 40, "b" * 40, "org/one", "org/two", "PROMETHEUS_ONE", "PROMETHEUS_TWO",
    "enforce", "observe until 2026-01-01", "observe until 2026-02-01",
)  # fmt: skip
"""Of each kind of text two, in their order where there is one."""
_HEAD = """\
# Policy: every key of aegis.yml

The file's schema for editors is docs/schemas/aegis.v1.schema.json. An unknown key is an error. A key of a list's entry
is written with `[]`, e.g. `verify.artifacts[].name`.

The last column says which change of the key alone is a loosening: its owners review it, in a change of the policy's
own files and nothing else, and with `extends` it may not be done at all. Without an entry there, a key may change
either way. The column is tried out, not written: `scripts/pages/policy.py` hands pairs of policies to the comparison
that the gates use.

This page is generated from `aegis.core.policy`; `make docs` writes it anew.
"""
_KINDS = {
    types.Duration: "duration, e.g. `26h`",
    types.Span: "duration, e.g. `90s`",
    types.Https: "address",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the file."""

    path: tuple[str, ...]
    """Names as they stand in the file; `[]` for an entry of a list."""
    field: inspect.Field
    docs: str

    @property
    def name(self) -> str:
        """As people write it."""
        return ".".join(self.path).replace(".[]", "[]")


def keys() -> tuple[Key, ...]:
    """All keys, a section before what is in it."""
    return tuple(_keys(Policy, ()))


def _keys(struct: type, above: tuple[str, ...]) -> Iterator[Key]:
    told = _docstrings().get(struct.__name__, {})
    for field in cast("inspect.StructType", inspect.type_info(struct)).fields:
        path = (*above, field.encode_name)
        yield Key(path, field, told.get(field.name, ""))
        below, entry = _struct(field.type)
        if below is not None:
            yield from _keys(below, (*path, "[]") if entry else path)


@cache
def _docstrings() -> dict[str, dict[str, str]]:
    """Class → field → what stands below it; of a class itself under the empty name."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(Path(types.__file__).read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            own = found.setdefault(node.name, {"": ast.get_docstring(node) or ""})
            for field, after in zip(node.body, node.body[1:], strict=False):
                match field, after:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                        own[name] = text
    return found


def _plain(kind: inspect.Type) -> inspect.Type:
    """Without `or null`."""
    if isinstance(kind, inspect.UnionType):
        others = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
        return others[0]
    return kind


def _struct(kind: inspect.Type) -> tuple[type | None, bool]:
    """The section behind a key, and whether the key holds a list of it."""
    kind = _plain(kind)
    if isinstance(kind, inspect.VarTupleType):
        below, _ = _struct(kind.item_type)
        return below, True
    return (kind.cls, False) if isinstance(kind, inspect.StructType) else (None, False)


# --- what a value may be ----------------------------------------------------------------------------------------------
def _written(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.UnionType):
        return " or ".join(_written(each) for each in kind.types if not isinstance(each, inspect.NoneType))
    if isinstance(kind, inspect.VarTupleType):
        return f"list of {_written(kind.item_type)}"
    if isinstance(kind, inspect.LiteralType):
        return ", ".join(code(str(value)) for value in _in_order(kind))
    if isinstance(kind, inspect.StrType):
        return next((name for each, name in _KINDS.items() if _pattern(each) == kind.pattern), "text")
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        return _number(kind)
    if isinstance(kind, inspect.DictType):
        return "mapping of texts"
    names: dict[type[inspect.Type], str] = {
        inspect.StructType: "section",
        inspect.BoolType: "`true` or `false`",
        inspect.DateType: "day, e.g. `2026-12-31`",
    }
    return names[type(kind)]


@cache
def _declared() -> dict[frozenset[Any], tuple[Any, ...]]:
    """Words of each type in the order in which it names them, which msgspec does not keep."""
    return {frozenset(get_args(each)): get_args(each) for each in vars(types).values() if get_origin(each) is Literal}


def _in_order(kind: inspect.LiteralType) -> Sequence[Any]:
    return _declared().get(frozenset(kind.values), tuple(kind.values))


def _pattern(kind: object) -> str | None:
    info = inspect.type_info(kind)
    return info.pattern if isinstance(info, inspect.StrType) else None


def _number(kind: inspect.IntType | inspect.FloatType) -> str:
    low = f"from {kind.ge}" if kind.ge is not None else f"above {kind.gt}" if kind.gt is not None else ""
    high = f"to {kind.le}" if kind.le is not None else f"below {kind.lt}" if kind.lt is not None else ""
    name = "whole number" if isinstance(kind, inspect.IntType) else "number"
    return " ".join(filter(None, (name, low, high)))


def _default(field: inspect.Field) -> str:
    if field.required:
        return "(required)"
    value = field.default if field.default is not NODEFAULT else field.default_factory()
    if value is None or value in ((), {}) or isinstance(value, msgspec.Struct):
        return ""
    if isinstance(value, bool):
        return code(str(value).lower())
    return code(", ".join(map(str, value)) if isinstance(value, tuple) else str(value))


# --- in which direction a change is looser ----------------------------------------------------------------------------
def looser(key: Key) -> str:
    """What a change of this key alone does when it loosens the policy; empty where none does."""
    found = list(dict.fromkeys(_ways(key)))
    if {"changes it", "leaves it out", "sets it"} <= set(found):
        return "changes it at all"
    return ", ".join(found)


def _ways(key: Key) -> Iterator[str]:
    kind = _plain(key.field.type)
    one, other = _sample(kind, 0), _sample(kind, 1)
    if isinstance(kind, inspect.VarTupleType):
        if _loosens(key, one, [*one, *other]):
            yield "adds an entry"
        if _loosens(key, [*one, *other], one):
            yield "takes an entry out"
    elif isinstance(kind, inspect.BoolType):
        yield from (f"sets `{str(after).lower()}`" for after in (True, False) if _loosens(key, not after, after))
    elif isinstance(kind, inspect.LiteralType):
        yield from _words(key, _in_order(kind))
    elif not isinstance(kind, inspect.StructType):
        up, down = _loosens(key, one, other), _loosens(key, other, one)
        ordered = isinstance(kind, inspect.IntType | inspect.FloatType) or one == "1h"
        if up and down:
            yield "changes it"
        elif up:
            yield "raises it" if ordered else f"goes from `{one}` to `{other}`"
        elif down:
            yield "lowers it" if ordered else f"goes from `{other}` to `{one}`"
    if _optional(key.field):
        in_list = isinstance(kind, inspect.VarTupleType)
        if _loosens(key, one, None) and not (in_list and _loosens(key, [*one, *other], one)):
            yield "leaves it out"
        if _loosens(key, None, one) and not (in_list and _loosens(key, one, [*one, *other])):
            yield "sets it"


def _optional(field: inspect.Field) -> bool:
    """Whether a key that is left out means something of its own, rather than a default like any other value."""
    return not field.required and field.default in (None, ())


def _words(key: Key, values: Sequence[Any]) -> Iterator[str]:
    pairs = [(a, b) for a in values for b in values if a != b]
    found = [(a, b) for a, b in pairs if _loosens(key, a, b)]
    places = {value: place for place, value in enumerate(values)}
    if found and found == pairs:
        yield "changes it"
    elif len(values) > 2 and set(found) == {(a, b) for a, b in pairs if places[a] > places[b]}:
        yield "names an earlier one of these"
    else:
        yield from (f"goes from `{a}` to `{b}`" for a, b in found)


def _loosens(key: Key, before: Any, after: Any) -> bool:
    """Whether the comparison objects. None stands for a key that is left out."""
    return bool(loosenings(_policy(key, before), _policy(key, after)))


def _policy(key: Key, value: Any) -> Policy:
    document = copy.deepcopy(_whole())
    if key.path[:2] == ("verify", "signers"):
        document["verify"]["artifacts"][0]["signers"] = []  # these count where an artifact names none of its own
    place: Any = document
    for name in key.path[:-1]:
        place = place[0] if name == "[]" else place[name]
    if value is None:
        del place[key.path[-1]]
    else:
        place[key.path[-1]] = value
    return msgspec.convert(document, Policy)


@cache
def _whole() -> Any:
    """A policy in which every key is set."""
    return _sample(inspect.type_info(Policy), 0)


def _sample(kind: inspect.Type, which: int) -> Any:
    """A valid value; with `which` 1 another one, which is greater where there is an order."""
    kind = _plain(kind)
    match kind:
        case inspect.StructType():
            return {field.encode_name: _sample(field.type, which) for field in kind.fields}
        case inspect.VarTupleType():
            return [_sample(kind.item_type, which)]
        case inspect.DictType():
            return {"claim": ("first", "second")[which]}
        case inspect.LiteralType():
            return kind.values[min(which, len(kind.values) - 1)]
        case inspect.BoolType():
            return bool(which)
        case inspect.DateType():
            return datetime.date(2026, 1, 1 + which)
        case inspect.IntType():
            return (kind.ge or 0) + which
        case inspect.FloatType():
            return (kind.ge if kind.ge is not None else kind.gt or 0.0) + 0.05 * (1 + which)
        case inspect.StrType():
            fit = [
                word for word in _WORDS if re.search(kind.pattern or "", word) and len(word) >= (kind.min_length or 0)
            ]
            return fit[which]
        case _:
            raise TypeError(f"no sample of {kind}")


# --- the page ---------------------------------------------------------------------------------------------------------
def render() -> str:
    """The page."""
    lines = [_HEAD]
    rows: dict[str, list[tuple[str, str, str, str, str]]] = {}
    titles: dict[str, str] = {"": _docstrings()["Policy"][""]}
    for key in keys():
        below, entry = _struct(key.field.type)
        if below is not None:
            titles[f"{key.name}[]" if entry else key.name] = _docstrings()[below.__name__][""]
        holder = ".".join(key.path[:-1]).replace(".[]", "[]")
        rows.setdefault(holder, []).append(
            (code(key.path[-1]), _written(key.field.type), _default(key.field), cell(key.docs), looser(key))
        )
    shown: dict[tuple[tuple[str, str, str, str, str], ...], str] = {}
    for holder, own in rows.items():
        lines += [f"## {holder or 'The file'}", "", cell(titles[holder]), ""]
        if (same := shown.setdefault(tuple(own), holder)) != holder:
            lines += [f"The keys are those of [{same}](#{re.sub(r'[^a-z-]', '', same)}).", ""]
        else:
            lines += table(("key", "value", "default", "what for", "looser when a change"), own)
    return "\n".join(lines).rstrip("\n") + "\n"
