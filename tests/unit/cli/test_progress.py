from __future__ import annotations

import io
import sys

import pytest

from aegis.cli.progress import LONG, LONG_BYTES, bytes_bar, progress_bar


class Terminal(io.StringIO):
    """A standard error that somebody watches."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def on_a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


def test_a_workflow_s_log_gets_none_even_where_its_runner_has_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command after a bar's control characters is none: annotations would be lost."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with bytes_bar("downloading") as told:
        assert told is None
    assert terminal.getvalue() == ""


def test_nobody_watches(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.progress", None)  # importing it would fail
    with progress_bar("scan") as told:
        assert told is None
    assert capsys.readouterr().err == ""


def test_rich_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no dependency of a gate."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    with progress_bar("scan") as told:
        assert told is None


@pytest.mark.parametrize(("total", "shown"), [(LONG, True), (LONG - 1, False)])
def test_a_bar_for_long_work_only(total: int, shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar("scan") as told:
        assert told is not None
        told(total // 2, total)
    assert ("scan" in terminal.getvalue()) == shown


@pytest.mark.parametrize(("total", "shown"), [(LONG_BYTES, True), (LONG_BYTES - 1, False), (0, False)])
def test_a_bar_of_bytes_for_many_only(total: int, shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with bytes_bar("downloading") as told:
        assert told is not None
        told(total // 2, total)
    assert ("downloading" in terminal.getvalue()) == shown
    assert ("33.6 MB" in terminal.getvalue()) == shown


def test_nobody_watches_bytes() -> None:
    with bytes_bar("downloading") as told:
        assert told is None
