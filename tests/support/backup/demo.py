"""The scene of the demo about backups: taken, proven equal, and a flipped bit that nothing else would have noticed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.support.actions.act import commit
from tests.support.backup import shop_backups
from tests.support.databases.postgres import running

_PASS, _FAIL = 0, 1


def prove_backups(folder: Path) -> bool:
    """Play it, and say whether everything was as it must be."""
    print(
        "\n=== The shop's database: a PostgreSQL of this machine, backed up into a folder and restored from there ==="
    )
    start, keys = time.monotonic(), shop_backups.Keys.made()
    store = folder / "store"
    store.mkdir(parents=True)
    section = {"store": "store/", "databases": [shop_backups.DATABASE], "recipients": list(keys.recipients)}
    commit(folder, {"aegis.yml": yaml.safe_dump({"version": 1, "backup-check": section})})
    with running() as server:
        database = server.new_database()
        shop_backups.fill(server.url(database))
        good = _aegis(folder, {"AEGIS_DATABASE_URL": server.url(database)}, _PASS, "backup", "run")
    opened = {"AEGIS_AGE_IDENTITY": keys.identities[0]}
    good &= _aegis(folder, {}, _FAIL, "backup-check")
    good &= _aegis(folder, opened, _PASS, "backup", "verify", "latest")
    good &= _aegis(folder, {}, _PASS, "backup-check")
    _flip(store)
    good &= _aegis(folder, opened, _FAIL, "backup", "verify", "latest")
    good &= _aegis(folder, {}, _FAIL, "backup-check")
    print(f"  after {time.monotonic() - start:.0f} s")
    return good


def _flip(store: Path) -> None:
    archive = max(store.glob("shop/*/dump/*"), key=lambda file: file.stat().st_size)
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    print(f"  One bit of {archive.name} is flipped in the store.")


def _aegis(folder: Path, environ: Mapping[str, str], wanted: int, *words: str) -> bool:
    """Run a command as a reader would, and show what it says."""
    print(f"  $ aegis {' '.join(words)}")
    done = shop_backups.aegis(*words, cwd=folder, environ=environ, check=False)
    for line in (done.stdout + done.stderr).splitlines():
        print(f"  | {line}")
    return done.returncode == wanted
