"""What a use is, apart from where it stands.

The *content* fingerprint says what is used: SHA-256 over the class, the provider, the surface and what the statement
says. It holds no line, no path and no count, so it survives blank lines, reformatting, a moved function and a renamed
file, and another SDK on the same line has another one. Equal statements have equal fingerprints in every file; they
are told apart by *counting* them (a multiset), never by numbering them across files, because a number would shift
when somebody adds an equal statement elsewhere. Baselines and comparisons with a base commit count.

The *place* fingerprint names one finding for those who must mean exactly one: suppressions, waivers, reports. It adds
the path and the position among equal statements of that file (in reading order, from 0). It survives every edit of the
file that keeps the statement, and not a rename: an exception that was granted to one file is not inherited by another.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence

from aegis.gates.scan.model import Class, Statement, Use

_SEPARATORS = re.compile(r"[-_.]+")
_TAG = re.compile(r"(?::[^:/@]*)?(?:@.*)?$")


def content_fingerprint(use: Use) -> str:
    """What is used: 64 hexadecimal digits."""
    return _digest("aegis-use/v1", use.use_class, use.entry.provider, use.statement.surface, said(use.statement))


def place_fingerprints(uses: Sequence[Use]) -> list[str]:
    """One for each use, in the same order. `uses` must hold all uses of each file that it holds any of."""
    contents = [content_fingerprint(use) for use in uses]
    order = sorted(range(len(uses)), key=lambda at: _position(uses[at]))
    seen: Counter[tuple[str, str]] = Counter()
    found = [""] * len(uses)
    for at in order:
        key = uses[at].path, contents[at]
        found[at] = _digest("aegis-place/v1", contents[at], uses[at].path, str(seen[key]))
        seen[key] += 1
    return found


def rule_of(use_class: Class) -> str:
    """The reason code of a class of use."""
    return "scan." + use_class.replace("-", "_")


def said(statement: Statement) -> str:
    """What a statement says, free of layout; of a declared dependency, image or action: free of its version too.

    An upgrade brings in nothing new, and bots upgrade every week.
    """
    if statement.surface == "image":
        return _TAG.sub("", statement.name.strip())
    if statement.surface == "pypi":
        # https://packaging.python.org/en/latest/specifications/name-normalization/
        return _SEPARATORS.sub("-", statement.name.strip()).lower()
    if statement.form in ("manifest", "action"):
        return statement.name.strip()
    return " ".join(statement.text.split()).rstrip("; ")


def _position(use: Use) -> tuple[str, int, int]:
    return use.path, use.statement.line, use.statement.column


def _digest(*facts: str) -> str:
    """SHA-256 of a list of texts; JSON keeps them apart and can hold any, surrogates too."""
    return hashlib.sha256(json.dumps(facts).encode("ascii")).hexdigest()
