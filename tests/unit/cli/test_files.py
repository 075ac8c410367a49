"""What an output may replace: a regular file and nothing else, whoever runs it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from aegis.cli.audit.log import _written
from aegis.cli.files import write
from aegis.core.errors import CouldNotDecide
from aegis.core.in_the_way import in_the_way


def _pipe(place: Path) -> None:
    os.mkfifo(place)


def _socket(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(place))


def _link(place: Path) -> None:
    (place.parent / "other").write_text("of others")
    place.symlink_to("other")


def _link_to_a_pipe(place: Path) -> None:
    os.mkfifo(place.parent / "other")
    place.symlink_to("other")


def _link_to_nothing(place: Path) -> None:
    place.symlink_to("nowhere")


def _folder(place: Path) -> None:
    place.mkdir()


def _export(target: Path, content: bytes) -> None:
    with _written(target) as file:
        file.write(content)


@pytest.fixture(params=[_pipe, _socket, _link, _link_to_a_pipe, _link_to_nothing, _folder])
def special(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # a socket's address is short
    make: Callable[[Path], None] = request.param
    make(Path("target").absolute() if make is not _socket else Path("target"))
    return tmp_path / "target"


@pytest.mark.parametrize("put", [write, _export])
def test_what_is_no_regular_file_is_left_as_it_is(special: Path, put: Callable[[Path, bytes], None]) -> None:
    before = {path: (path.lstat().st_ino, path.lstat().st_mode) for path in special.parent.iterdir()}
    with pytest.raises(CouldNotDecide) as caught:
        put(special, b"new")
    assert caught.value.code == "core.output_unwritable"
    assert (in_the_way(special) or "?") in caught.value.problem
    assert {path: (path.lstat().st_ino, path.lstat().st_mode) for path in special.parent.iterdir()} == before


@pytest.mark.parametrize("device", ["/dev/null", "/dev/full"])
def test_a_device_is_in_the_way(device: str) -> None:
    """Only looked at: who runs this as root and errs would replace it."""
    assert in_the_way(Path(device)) == "a device"


@pytest.mark.parametrize("put", [write, _export])
def test_a_regular_file_is_replaced_and_a_missing_one_made(tmp_path: Path, put: Callable[[Path, bytes], None]) -> None:
    for _ in range(2):
        put(tmp_path / "target", b"new")
        assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("target", b"new")]
