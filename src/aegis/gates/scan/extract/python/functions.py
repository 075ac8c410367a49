"""Commands that a library gives as functions: `from sh import aws`, `sh.aws("s3")`, `from plumbum.cmd import aws`.

https://sh.readthedocs.io, https://plumbum.readthedocs.io/en/latest/local_commands.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from aegis.gates.scan.extract._place import one_line
from aegis.gates.scan.extract.python.imports import Import
from aegis.gates.scan.extract.python.mask import NAME_CHAR, Masked
from aegis.gates.scan.model import Statement

_MODULES = frozenset({"sh", "plumbum.cmd"})
_AS_MODULES = frozenset({(None, "sh"), ("plumbum", "cmd")})
_OWN_NAMES = frozenset({"*", "Command", "which", "cd", "pushd", "contrib", "bake"})


def commands_as_functions(masked: Masked, imported: Iterable[Import], wanted: re.Pattern[str]) -> Iterator[Statement]:
    """Yield the commands that are imported from such a library, or called as its attributes."""
    modules = set()
    for one in imported:
        if one.module in _MODULES and one.name not in _OWN_NAMES:
            yield from _command(masked, one.offset, one.name, one.text, wanted)
        elif (one.module, one.name) in _AS_MODULES:
            modules.add(one.alias or one.name)
    if modules:
        names = "|".join(re.escape(name) for name in sorted(modules))
        for match in re.finditer(rf"(?<!{NAME_CHAR})(?<!\.)(?:{names})[ \t]*\.[ \t]*(\w+)", masked.code):
            if match[1] not in _OWN_NAMES:
                yield from _command(masked, match.start(), match[1], match[0], wanted)


def _command(masked: Masked, offset: int, name: str, text: str, wanted: re.Pattern[str]) -> Iterator[Statement]:
    # An underscore stands for what a name of Python's cannot hold.
    program = name.replace("_", "-")
    if wanted.search(program):
        yield Statement(masked.line(offset), masked.column(offset), "command", "command", program, one_line(text))
