"""Values of the chart, filled into a file that people wrote: single texts change, and no other byte.

A YAML library that writes the whole document anew keeps its comments, but not its quotes, its indents or its line
breaks; so the places of the old texts are looked up, and only these are exchanged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from aegis.core.errors import UsageError
from aegis.core.strict_yaml import Document, Kind, compose

_KIND = Kind("render.values_unfit", "helm/values.yaml", "the values of helm/values.aws.yaml")


def read(data: bytes, *, file: str) -> Any:
    """The plain value of a values file. UsageError `render.values_unfit`."""
    return compose(data, Document(file, _KIND))


def filled(data: bytes, changes: Mapping[str, str], *, file: str) -> bytes:
    """The same file with these texts, by keys joined by dots. UsageError `render.values_unfit`.

    Filling twice gives the same bytes.
    """
    before = read(data, file=file)
    text = data.decode("utf-8")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pieces: list[tuple[int, int, str]] = []
    for key, value in changes.items():
        node = _node(root, key, file)
        # JSON's strings are YAML's, for all that a value may be made of
        pieces.append((node.start_mark.index, node.end_mark.index, json.dumps(value, ensure_ascii=False)))
    for start, end, piece in sorted(pieces, reverse=True):
        text = text[:start] + piece + text[end:]
    result = text.encode()
    expected = before
    for key, value in changes.items():
        expected = _with(expected, key.split("."), value)
    if read(result, file=file) != expected:
        raise _unfit(file, None, "it is written in a way in which single values cannot be exchanged")
    return result


def _node(root: Any, key: str, file: str) -> Any:
    node = root
    for name in key.split("."):
        if not isinstance(node, yaml.MappingNode):
            raise _unfit(file, node, f"{key} is not there")
        node = next((value for at, value in node.value if at.value == name), None)
        if node is None:
            raise _unfit(file, None, f"{key} is not there")
    # what is written as a block or folded begins and ends in different lines
    if (
        not isinstance(node, yaml.ScalarNode)
        or node.start_mark.line != node.end_mark.line
        or node.start_mark.index == node.end_mark.index
    ):
        raise _unfit(file, node, f"{key} is no text in one line")
    return node


def _with(value: Mapping[str, Any], keys: list[str], text: str) -> dict[str, Any]:
    """A copy in which one text is another."""
    first, *others = keys
    return {**value, first: _with(value[first], others, text) if others else text}


def _unfit(file: str, node: Any, problem: str) -> UsageError:
    place = f"{file}:{node.start_mark.line + 1}" if node is not None else file
    return UsageError(
        "render.values_unfit",
        f"{place}: {problem}",
        expected='a key with a text in one line, e.g. bucket: ""',
        remedy="write the key into the file, as helm/values.aws.yaml and helm/values.oci.yaml have it",
    )
