"""A backup in a process of its own, for tests that end it: `python -m tests.support.backup.child S3 BIN SNAPSHOT`.

It streams the database to the double at the address S3, says `sent` when the store has a part of it, and then goes on
only when its standard input says so; ended by a signal, it prints what came of it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aegis.adapters.objects import part_upload
from aegis.adapters.objects.s3_writing import WritableS3
from aegis.adapters.postgres.dump import Dumper
from aegis.adapters.postgres.tools import tools_at
from aegis.backup.writing import Item, write_backup
from aegis.cli.interruption import Stopped, stop_on_signals
from aegis.core.errors import AegisError
from tests.support.databases.patient_aegis import patient
from tests.support.network.s3 import CREDENTIALS

MIB = 1 << 20


def main(address: str, url: str, folder: str, snapshot: str) -> None:
    stop_on_signals()
    part_upload.PART = 5 * MIB
    dumper = Dumper(tools=tools_at(Path(folder)), url=url)

    @contextmanager
    def opened() -> Iterator[Iterator[bytes]]:
        def given(chunks: Iterator[bytes]) -> Iterator[bytes]:
            size = 0
            told = False
            for chunk in chunks:
                yield chunk
                size += len(chunk)
                if size > 6 * MIB and not told:
                    told = True
                    print("sent", flush=True)
                    os.set_blocking(0, False)
                    while sys.stdin.read(1) != "g":
                        yield b""

        with dumper.stream(snapshot=snapshot) as chunks:
            yield given(chunks)

    store = WritableS3("models", "eu-central-1", lambda: CREDENTIALS, endpoint=address)
    try:
        write_backup(store, "db/1/", [Item("dump", opened)], lambda _: b"{}")
        print("done", flush=True)
    except Stopped as stopped:
        print(stopped.reason.code, flush=True)
    except AegisError as error:
        print(error.code, str(error), flush=True)


if __name__ == "__main__":
    with patient():
        main(sys.argv[1], os.environ.pop("DATABASE_URL"), sys.argv[2], sys.argv[3])
