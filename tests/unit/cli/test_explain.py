from __future__ import annotations

import pytest

from aegis.cli import explain
from aegis.cli.main import main
from aegis.core.codes import CODES
from aegis.core.errors import UsageError
from aegis.gates.scan.model import CLASSES


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_explained(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain.run(code) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"{code}: {CODES[code].title}\n")
    assert CODES[code].why in shown
    assert CODES[code].remedy in shown


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_of_use_means_its_rule(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain.run(name) == 0
    assert capsys.readouterr().out.startswith(f"scan.{name.replace('-', '_')}: ")


@pytest.mark.parametrize(
    ("rule", "remedy"),
    [
        ("scan.runtme", "did you mean scan.runtime?"),
        ("scan.baseline", "did you mean scan.baseline_stale?"),
        ("", "see docs/reasons.md"),
        ("nonsense", "see docs/reasons.md"),
        ("%%%%", "see docs/reasons.md"),
    ],
)
def test_an_unknown_one_is_told_with_the_nearest(rule: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        explain.run(rule)
    assert repr(rule) in caught.value.problem
    assert caught.value.remedy == remedy


def test_it_needs_no_repository(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "/nonexistent", "--explain", "scan.runtime"]) == 0
    assert capsys.readouterr().err == ""
