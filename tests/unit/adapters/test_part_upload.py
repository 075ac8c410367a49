"""An upload in parts that is told to stop between two of its own statements."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import pytest

from aegis.adapters.objects import part_upload
from aegis.adapters.objects.part_upload import Memory, uploading
from aegis.storage.patience import Clock, Patience


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
