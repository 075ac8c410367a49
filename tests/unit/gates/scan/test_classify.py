from __future__ import annotations

import pytest

from aegis.gates.scan.classify import class_of
from aegis.gates.scan.model import CLASSES, Class, Entry, Form, Statement


def classified(form: Form, kind: str = "sdk", *, in_test: bool = False) -> Class:
    entry = Entry("aws", "python", "boto3", kind)  # type: ignore[arg-type]
    return class_of(Statement(1, 1, "python", form, "boto3", "import boto3"), entry, in_test=in_test)


@pytest.mark.parametrize(
    ("form", "kind", "code", "test"),
    [
        ("import", "sdk", "runtime", "test"),
        ("reference", "sdk", "runtime", "test"),
        ("type-only", "sdk", "type-only", "test"),
        ("import", "stub", "type-only", "test"),
        ("import", "wrapper", "wrapper", "test"),
        ("import", "shared", "runtime", "test"),
        ("mock", "sdk", "test", "test"),
        ("dynamic", "sdk", "dynamic", "dynamic"),
        ("dynamic", "wrapper", "wrapper", "wrapper"),
        ("embedded", "sdk", "embedded", "embedded"),
        ("command", "sdk", "cli", "cli"),
        ("manifest", "sdk", "manifest", "manifest"),
        ("manifest", "wrapper", "manifest", "manifest"),
        ("manifest", "stub", "manifest", "manifest"),
        ("image", "sdk", "image", "image"),
        ("action", "sdk", "ci", "ci"),
        ("scheme", "wrapper", "wrapper", "wrapper"),
    ],
)
def test_classes(form: Form, kind: str, code: Class, test: Class) -> None:
    assert classified(form, kind) == code
    assert classified(form, kind, in_test=True) == test
    assert {code, test} <= set(CLASSES)
