"""An upload in parts that is told to stop between two of its own statements, or whose answers are lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping

import pytest

from aegis.adapters.objects import part_upload
from aegis.adapters.objects.part_upload import Memory, uploading
from aegis.core.errors import CouldNotDecide
from aegis.storage.patience import Clock, Patience
from tests.support.network.stores import Time


class Bucket:
    """Fulfils `aegis.adapters.objects.part_upload.PartStore`."""

    def __init__(self) -> None:
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.aborted = 0

    def where(self, key: str) -> str:
        return f"memory://{key}"

    def put(self, key: str, own: str, content: memoryview) -> None:
        raise AssertionError("it is larger than a part")

    def start(self, key: str, own: str) -> str:
        self.uploads["one"] = {}
        return "one"

    def send(self, key: str, upload: str, number: int, content: memoryview) -> str:
        self.uploads[upload][number] = bytes(content)
        return str(number)

    def complete(self, key: str, upload: str, etags: Mapping[int, str]) -> None:
        raise AssertionError("it was told to stop")

    def abort(self, key: str, upload: str) -> None:
        self.uploads.pop(upload, None)
        self.aborted += 1

    def sweep(self, key: str, but: str) -> None:
        for upload in self.uploads.keys() - {but}:
            self.abort(key, upload)

    def is_own(self, key: str, own: str) -> bool:
        return False


@pytest.mark.parametrize("begun", [False, True], ids=["before", "after"])
def test_a_signal_while_a_part_is_begun_leaves_no_upload(monkeypatch: pytest.MonkeyPatch, begun: bool) -> None:
    really: Callable[[threading.Thread], None] = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if begun:
            really(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(part_upload, "PART", 10)
    monkeypatch.setattr(threading.Thread, "start", start)
    bucket = Bucket()
    with pytest.raises(KeyboardInterrupt), uploading(bucket, "dump", Memory(), Patience(), Clock()) as upload:
        upload.write(bytes(11))
    assert (bucket.uploads, bucket.aborted > 0) == ({}, True)


class Lossy(Bucket):
    """Begins each upload, and takes its parts; which answers are lost is in its script."""

    def __init__(self, starts: list[str], sweeps: list[str]) -> None:
        super().__init__()
        self.starts, self.sweeps = iter(starts), iter(sweeps)
        self.made: dict[int, bytes] = {}

    def start(self, key: str, own: str) -> str:
        upload = str(len(self.uploads) + self.aborted)
        self.uploads[upload] = {}
        self.lose(self.starts)
        return upload

    def sweep(self, key: str, but: str) -> None:
        self.lose(self.sweeps)
        super().sweep(key, but)

    def lose(self, script: Iterator[str]) -> None:
        if code := next(script, ""):
            raise CouldNotDecide(code, "it is lost", expected="an answer", remedy="ask again")

    def complete(self, key: str, upload: str, etags: Mapping[int, str]) -> None:
        self.made = self.uploads.pop(upload)


CUT, DENIED = "verify.store_cut", "backup_check.write_denied"


@pytest.mark.parametrize(
    ("starts", "sweeps", "left"),
    [
        ([CUT], [], 0),
        ([CUT], [CUT], 0),
        ([CUT], [CUT, CUT], 0),
        ([CUT, CUT], [CUT, CUT], 0),
        # who may not ask which there are cannot end them, and backs up all the same
        ([CUT], [DENIED, DENIED], 1),
    ],
    ids=str,
)
def test_an_upload_whose_id_was_lost_is_ended(
    monkeypatch: pytest.MonkeyPatch, starts: list[str], sweeps: list[str], left: int
) -> None:
    """By whichever attempt hears which there are."""
    monkeypatch.setattr(part_upload, "PART", 10)
    bucket = Lossy(starts, sweeps)
    with uploading(bucket, "dump", Memory(), Patience(), Time().clock()) as upload:
        upload.write(bytes(range(25)))
    assert b"".join(bucket.made[number] for number in sorted(bucket.made)) == bytes(range(25))
    assert len(bucket.uploads) == left
