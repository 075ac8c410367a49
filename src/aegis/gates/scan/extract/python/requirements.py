"""Distributions that a Python file asks for: the arguments of `setup()`, whatever the file is called."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aegis.gates.scan.extract.python.context import Context
from aegis.gates.scan.extract.python.strings import HOLE

_KEYWORD = r"(?:install_requires|setup_requires|tests_require|extras_require)"
_GIVEN = re.compile(rf"(?<!\w){_KEYWORD}\s*=\s*\Z")
_GIVEN_BY_NAME = re.compile(rf"(?<!\w){_KEYWORD}\s*=\s*([^\W\d]\w*)")
_ASSIGNED = re.compile(r"(?<![\w.])([^\W\d]\w*)\s*(?::[^=\n]*)?\+?=\s*\Z")
_NEAR = 160
"""Characters before a bracket in which a name is looked for."""
_DEEPEST = 3
"""Brackets around a requirement: `extras_require={"x": ["boto3"]}` has two."""


def required(context: Context) -> Iterator[tuple[str, str]]:
    """Yield the distributions that a string asks for, each with its requirement."""
    if "_require" not in context.masked.code or not _is_given(context):
        return
    from aegis.gates.scan.extract.manifests.python import requirement_name

    for line in context.one.value.split("\n"):
        name = requirement_name(line.partition(HOLE)[0].rstrip())
        if name:
            yield name, line.replace(HOLE, "…")


def _is_given(context: Context) -> bool:
    """Whether a string stands in what such an argument is given, by itself or by a variable's name."""
    code = context.masked.code
    if code[context.one.end : context.one.end + _NEAR].lstrip().startswith(":") and context.opener == "{":
        return False  # an extra's name
    place = context.one.start
    names: set[str] | None = None
    for _ in range(_DEEPEST + 1):
        before = code[max(0, place - _NEAR) : place]
        if _GIVEN.search(before):
            return True
        if assigned := _ASSIGNED.search(before):
            names = set(_GIVEN_BY_NAME.findall(code)) if names is None else names
            if assigned[1] in names:
                return True
        place = context.masked.bracket(place)
        if place < 0:
            return False
    return False
