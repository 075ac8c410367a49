"""From how a name is used, and where, to the class that the policy decides on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aegis.gates.scan.model import Class, Entry, Form, Statement

_BY_FORM: Final[Mapping[Form, Class]] = {
    "import": "runtime",
    "reference": "runtime",
    "type-only": "type-only",
    "dynamic": "dynamic",
    "mock": "test",
    "embedded": "embedded",
    "command": "cli",
    "manifest": "manifest",
    "image": "image",
    "action": "ci",
    "scheme": "wrapper",
}
_TEST_FORMS: Final = frozenset({"import", "reference", "type-only", "mock"})
"""What becomes `test` in test code. A command or a string of code does the same wherever it stands."""


def class_of(statement: Statement, entry: Entry, *, in_test: bool) -> Class:
    """The class of one use."""
    if statement.form in _TEST_FORMS and in_test:
        return "test"
    if entry.kind == "wrapper" and statement.form != "manifest":
        return "wrapper"
    if entry.kind == "stub" and statement.form == "import":
        return "type-only"
    return _BY_FORM[statement.form]
