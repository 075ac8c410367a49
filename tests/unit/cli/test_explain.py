from __future__ import annotations

import pytest

from aegis.cli.main import main
from aegis.core.codes import CODES
from aegis.gates.scan.model import CLASSES


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_explained(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", code]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"{code}: {CODES[code].title}\n")
    assert CODES[code].why in shown
    assert CODES[code].remedy in shown


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_of_use_means_its_rule(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", name]) == 0
    assert capsys.readouterr().out.startswith(f"scan.{name.replace('-', '_')}: ")


@pytest.mark.parametrize(
    ("rule", "remedy"),
    [
        ("scan.runtme", "did you mean scan.runtime?"),
        ("scan.baseline", "did you mean scan.baseline_stale?"),
        ("", "`aegis explain` alone lists them all"),
        ("nonsense", "`aegis explain` alone lists them all"),
        ("%%%%", "`aegis explain` alone lists them all"),
    ],
)
def test_an_unknown_one_is_told_with_the_nearest(rule: str, remedy: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", rule]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"aegis: core.wrong_usage: there is no reason code {rule!r}")
    assert remedy in told.err


def test_without_a_code_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    assert [line.partition(": ")[0] for line in capsys.readouterr().out.splitlines()] == list(CODES)
