"""A backup onto a file system that runs full: `unshare … python -m tests.e2e.backup.full_disk DIR`, for its mounts.

Prints JSON: what came of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path

from aegis.adapters.objects.local_writing import WritableFolder
from aegis.backup.writing import Item, write_backup
from aegis.core.errors import CouldNotDecide

MIB = 1 << 20


def item(name: str, size: int) -> Item:
    @contextmanager
    def opened() -> Iterator[Iterator[bytes]]:
        yield repeat(bytes(64 * 1024), size // (64 * 1024))

    return Item(name, opened)


def attempt(store: WritableFolder, *sizes: int) -> str:
    try:
        items = [item(f"object-{number}", size) for number, size in enumerate(sizes)]
        write_backup(store, "db/1/", items, lambda _: b"{}", workers=1)
    except CouldNotDecide as error:
        return f"{error.code}: {error.problem}"
    return "ok"


def main(folder: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=True)
    store = WritableFolder(folder)

    def left() -> list[str]:
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

    found = {"too much": attempt(store, 1 * MIB, 4 * MIB), "left": left()}
    found |= {"what fits": attempt(store, 1 * MIB, 1 * MIB), "there": left()}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
