from __future__ import annotations

from pathlib import Path

import pytest

from aegis.cli.scan.options import ScanOptions


def test_without_inputs_the_action_is_strict_and_uploads() -> None:
    options = ScanOptions.from_inputs({"GITHUB_WORKSPACE": "/w"})
    assert (options.strict, options.upload, options.github) == (True, True, True)
    assert (options.path, options.base, options.policy, options.output) == ("/w", None, None, None)


@pytest.mark.parametrize(
    ("value", "strict"), [("", True), ("true", True), ("TRUE", True), ("no", True), ("False", True), ("false", False)]
)
def test_only_a_plain_false_is_not_strict(value: str, strict: bool) -> None:
    assert ScanOptions.from_inputs({"AEGIS_INPUT_STRICT": value}).strict is strict


def test_inputs_are_read_relative_to_the_workspace() -> None:
    names = {"PATH": "service", "BASE": "main", "POLICY": "ci/aegis.yml", "OUTPUT": "out", "UPLOAD": "never"}
    environ = {"GITHUB_WORKSPACE": "/w", **{f"AEGIS_INPUT_{name}": value for name, value in names.items()}}
    options = ScanOptions.from_inputs(environ)
    assert (options.path, options.output) == ("/w/service", Path("/w/out"))
    assert (options.base, options.policy, options.upload) == ("main", "ci/aegis.yml", False)
