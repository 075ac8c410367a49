"""YAML as a tree with places: every mapping entry and list element with its path, the way down kept as keys.

PyYAML's node graph has marks for everything. Aliases are followed once per place that uses them (a small budget stops
"billion laughs"), duplicate keys are all seen: whichever a tool takes, its value was read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NODES = 400_000
"""Nodes visited in one file, aliases unfolded. Large real files stay below 100,000."""
_DEPTH = 200
_SHELL_OPTION = re.compile(r"-[a-z]*c[a-z]*")


class BrokenYamlError(Exception):
    """The text is not YAML, or is made to be endless."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line
        self.why = why


@dataclass(frozen=True, slots=True)
class Scalar:
    """One scalar value and the keys that lead to it; `"[]"` stands for an element of a list."""

    path: tuple[str, ...]
    value: str
    line: int
    """From 1: the line where its text starts, which for a block scalar is the line after its `|`."""
    column: int
    block: bool
    """A literal or folded block, so that its lines are lines of the file."""
    node: ScalarNode
    siblings: MappingNode | None
    """The mapping that it stands in."""


def scalars(source: str) -> Iterator[Scalar]:
    """Every scalar value of every document in `source`."""
    budget = [_NODES]
    try:
        for root in yaml.compose_all(source, Loader=_LOADER):
            if root is not None:
                yield from _walk(root, (), None, budget, 0)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise BrokenYamlError(mark.line + 1 if mark else 1, f"not valid YAML: {problem}") from error
    except (RecursionError, ValueError) as error:
        raise BrokenYamlError(1, f"YAML that cannot be read: {error}") from error


def _walk(
    node: Node, path: tuple[str, ...], siblings: MappingNode | None, budget: list[int], depth: int
) -> Iterator[Scalar]:
    """The scalars below `node`."""
    budget[0] -= 1
    if budget[0] < 0 or depth > _DEPTH:
        raise BrokenYamlError(node.start_mark.line + 1, "YAML whose aliases or nesting never seem to end")
    if isinstance(node, ScalarNode):
        yield _scalar(node, path, siblings)
    elif isinstance(node, SequenceNode):
        for child in node.value:
            yield from _walk(child, (*path, "[]"), siblings, budget, depth + 1)
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode):
                below = path if key.value == "<<" else (*path, str(key.value))
                yield from _walk(value, below, node, budget, depth + 1)


def _scalar(node: ScalarNode, path: tuple[str, ...], siblings: MappingNode | None) -> Scalar:
    """A scalar with the place of its first character."""
    block = node.style in ("|", ">")
    line = node.start_mark.line + (2 if block else 1)
    column = 1 if block else node.start_mark.column + (2 if node.style in ("'", '"') else 1)
    return Scalar(path, str(node.value), line, column, block, node, siblings)


def sibling(scalar: Scalar, key: str) -> str | None:
    """The scalar at `key` in the mapping that `scalar` stands in."""
    if scalar.siblings is None:
        return None
    for name, value in scalar.siblings.value:
        if isinstance(name, ScalarNode) and name.value == key and isinstance(value, ScalarNode):
            return str(value.value)
    return None


def elements(scalar: Scalar, key: str) -> list[ScalarNode]:
    """The scalars of the list at `key` in the mapping that `scalar` stands in."""
    for name, value in scalar.siblings.value if scalar.siblings is not None else ():
        if isinstance(name, ScalarNode) and name.value == key and isinstance(value, SequenceNode):
            return [element for element in value.value if isinstance(element, ScalarNode)]
    return []


def start(node: ScalarNode) -> tuple[int, int]:
    """Line and column of a scalar's first character."""
    placed = _scalar(node, (), None)
    return placed.line, placed.column


def script_of(words: list[ScalarNode]) -> ScalarNode | None:
    """The shell text in a list of words: what follows `-c`, after a shell's name or alone."""
    for index, word in enumerate(words[:-1]):
        if _SHELL_OPTION.fullmatch(str(word.value)):
            before = str(words[index - 1].value) if index else "sh"
            return words[index + 1] if before.endswith("sh") or before.startswith("-") else None
    return None
