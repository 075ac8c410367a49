"""SIGKILL, as by the kernel for lack of memory, in the middle of a backup and of a restore: no plain content stays."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.backup.backing_up import PATIENCE, Backups, backups, dumping
from tests.support.databases.postgres import Server, running


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        yield started


@pytest.fixture
def shop(server: Server, tmp_path: Path) -> Iterator[Backups]:
    with backups(server, tmp_path) as found:
        yield found


def awaited(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def gone(pid: int) -> bool:
    """Or dead, and nobody has waited for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("form", [(), ("--stream",)], ids=["folder", "stream"])
def test_a_run_that_is_killed_leaves_neither_its_dump_nor_pg_dump(shop: Backups, form: tuple[str, ...]) -> None:
    with dumping(shop, *form) as process:
        pid = int((shop.folder / "pid").read_text())
        assert not gone(pid)
        assert form or list((shop.folder / "tmp").rglob("toc.dat"))
        process.kill()
    assert awaited(lambda: gone(pid))
    assert awaited(lambda: not list((shop.folder / "tmp").iterdir()))


def test_a_restore_that_is_killed_leaves_neither_its_dump_nor_pg_restore(shop: Backups, server: Server) -> None:
    here = shop.folder
    shop.taken()
    (here / "bin").mkdir()
    for name in ("pg_dump", "pg_dumpall"):
        (here / "bin" / name).symlink_to(server.bin / name)
    (here / "bin" / "pg_restore").write_text(
        f"#!/bin/sh\ncase \" $* \" in *--dbname*) echo $$ > '{here}/new'; mv '{here}/new' '{here}/pid'; sleep 1000;; "
        f"*) exec '{server.bin}/pg_restore' \"$@\";; esac\n"
    )
    (here / "bin" / "pg_restore").chmod(0o755)
    target = server.new_database("template0")
    surroundings = {"PATH": f"{here / 'bin'}:{os.environ['PATH']}", "AEGIS_DATABASE_URL": server.url(target)}
    with shop.start("restore", "latest", **surroundings) as process:
        assert awaited(lambda: (here / "pid").exists() or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        pid = int((here / "pid").read_text())
        assert list((here / "tmp").rglob("toc.dat"))
        process.kill()
    assert awaited(lambda: gone(pid))
    assert awaited(lambda: not list((here / "tmp").iterdir()))
