"""What an output may replace, and what an argument may name to be read: a regular file and nothing else."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aegis.cli import files, render
from aegis.cli.audit.log import _written
from aegis.cli.backup.secrets import SOURCE, database_url
from aegis.cli.canary.serving import read_token
from aegis.cli.canary.state import StateFile
from aegis.cli.credentials import documents
from aegis.cli.files import write
from aegis.core.errors import AegisError, CouldNotDecide
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


READERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a small file": (files.read_file, "core.wrong_usage"),
    "an artifact": (lambda place: files.digests_of(place, {"sha256"}), "core.wrong_usage"),
    "a trust policy": (lambda place: documents.read(str(place)), "core.wrong_usage"),
    "Terraform's outputs": (lambda place: render._given(str(place), None), "render.outputs_unreadable"),
    "a database's address": (lambda place: database_url(place, {}, SOURCE), "core.wrong_usage"),
    "the judge's token": (read_token, "canary.token_missing"),
    "a rollout's state": (lambda place: StateFile(place, None).read(), "canary.state_invalid"),
}


@pytest.fixture(params=["pipe", "link to a pipe", "socket", "terminal"])
def waiting(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What has nothing to read, and may have for ever: whoever opens or reads it is interrupted after a minute."""
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "target"
    ends: tuple[int, ...] = ()
    if request.param == "terminal":
        ends = os.openpty()
        place = Path(os.ttyname(ends[1]))
    elif request.param == "socket":
        _socket(Path("target"))
    else:
        (_pipe if request.param == "pipe" else _link_to_a_pipe)(place)
    before = signal.signal(signal.SIGALRM, _waited)
    signal.alarm(60)
    yield place
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    for end in ends:
        os.close(end)


def _waited(*_: object) -> None:
    raise AssertionError("it was waited for")


@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_regular_file_is_not_waited_for(waiting: Path, reader: str) -> None:
    read, code = READERS[reader]
    with pytest.raises(AegisError) as caught:
        read(waiting)
    assert caught.value.code == code
    if reader != "the judge's token":
        assert re.search("it is a (pipe|socket|device)", caught.value.problem)


def test_a_link_to_a_regular_file_is_read(tmp_path: Path) -> None:
    """As Kubernetes mounts secrets."""
    (tmp_path / "there").write_bytes(b"content")
    (tmp_path / "link").symlink_to("there")
    assert files.read_file(tmp_path / "link") == b"content"


def test_what_comes_into_a_file_s_place_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the opening."""
    _pipe(tmp_path / "target")
    regular = Path(__file__).stat()
    monkeypatch.setattr(Path, "stat", lambda _: regular)
    with pytest.raises(AegisError, match="it is a pipe"):
        files.read_file(tmp_path / "target")
