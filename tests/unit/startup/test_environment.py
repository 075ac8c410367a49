"""Builders of one environment that meet; what is built for real stands in tests/integration/startup."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aegis.startup import environment as environments
from aegis.startup.environment import environment, python_of


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An action with one lock, whose environments a stand-in builds."""
    lock = tmp_path / "action" / "locks" / "scan.txt"
    lock.parent.mkdir(parents=True)
    lock.write_text("msgspec==1\n", "utf-8")
    monkeypatch.setattr(environments, "find_uv", lambda *_: Path("uv"))
    monkeypatch.setattr(environments, "_build", lambda uv, lock, place, *_: built(place, "ours"))
    return tmp_path / "action"


def built(place: Path, by: str) -> None:
    python_of(place).parent.mkdir(parents=True)
    python_of(place).touch()
    (place / "pyvenv.cfg").touch()
    (place / "by").write_text(by, "utf-8")


def test_one_that_is_there_is_taken_and_what_is_left_of_one_is_built_anew(root: Path, tmp_path: Path) -> None:
    place = environment("scan", root, tmp_path / "cache", {})
    (place / "by").write_text("before", "utf-8")
    assert environment("scan", root, tmp_path / "cache", {}) == place
    assert (place / "by").read_text("utf-8") == "before"
    python_of(place).unlink()
    assert environment("scan", root, tmp_path / "cache", {}) == place
    assert (place / "by").read_text("utf-8") == "ours"


def test_one_that_another_builder_finishes_between_two_looks_stays(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gate may run in it by now."""
    expected = environment("scan", root, tmp_path / "elsewhere", {}).name

    def then_it_is_there(look: Callable[..., Any]) -> Callable[..., Any]:
        def looked(place: Path, *given: Any, **named: Any) -> Any:
            answer = look(place, *given, **named)
            if place == tmp_path / "cache" / expected and not place.is_dir():
                built(place, "another")
            return answer

        return looked

    monkeypatch.setattr(environments, "_usable", then_it_is_there(environments._usable))
    monkeypatch.setattr(Path, "exists", then_it_is_there(Path.exists))
    place = environment("scan", root, tmp_path / "cache", {})
    assert (place.name, (place / "by").read_text("utf-8")) == (expected, "another")
