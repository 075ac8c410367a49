"""A large stream into a store, in a process of its own: `python -m tests.e2e.backup.uploading ADDRESS FOLDER MIB`.

Prints the most memory that the process had, in KiB, before and after, and the digest that was written down.
`ru_maxrss` would be that of the process that started this one, if that was more.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aegis.adapters.objects.s3_writing import WritableS3
from aegis.backup.writing import Item, write_backup
from tests.e2e.backup.gateway import CREDENTIALS
from tests.e2e.verify.versitygw import REGION

MIB = 1 << 20
PATTERN = hashlib.shake_256(b"stream").digest(MIB)


def chunks(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield number.to_bytes(8) + PATTERN[8:]


def most() -> int:
    """The high water mark of this process's memory."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    assert found is not None
    return int(found[1])


def main(address: str, folder: str, count: int) -> None:
    @contextmanager
    def opened() -> Iterator[Iterator[bytes]]:
        yield chunks(count)

    before = most()
    items = [Item("dump", opened), Item("other", opened)] if count < 1024 else [Item("dump", opened)]
    store = WritableS3("models", REGION, lambda: CREDENTIALS, endpoint=address)
    objects = write_backup(store, folder, items, lambda _: b"{}")
    print(json.dumps({"before": before, "after": most(), "sha256": objects[0].sha256, "size": objects[0].size}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
