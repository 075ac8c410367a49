"""`aegis backup run` against a real server, as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from aegis.backup.manifest import Manifest, parse_manifest
from tests.support.databases.postgres import Server
from tests.support.scan.gitrepo import HERMETIC

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 300
"""Seconds for one command on a busy machine."""
CONTENT = """
    CREATE TABLE items (id bigserial PRIMARY KEY, name text, made timestamptz DEFAULT now());
    INSERT INTO items (name) SELECT md5(n::text) FROM generate_series(1, 1000) n;
    CREATE TABLE others AS SELECT n FROM generate_series(1, 10) n;
    SELECT lo_from_bytea(4711, 'a large object');
"""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What it printed as JSON."""
        assert self.code == 0, self.err
        return json.loads(self.out)


@dataclass(frozen=True)
class Backups:
    """A policy, its store in a folder, and a database to be backed up."""

    folder: Path
    server: Server
    database: str
    environ: Mapping[str, str] = field(repr=False)

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def url(self) -> str:
        return self.server.url(self.database)

    def policy(self, text: str) -> None:
        """Of the section `backup-check`."""
        lines = "".join(f"  {line}\n" for line in text.strip("\n").splitlines())
        (self.folder / "aegis.yml").write_text(f"version: 1\nbackup-check:\n{lines}", "utf-8")

    def words(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "tests.support.databases.patient_aegis", "backup", *map(str, arguments)]

    def surroundings(self, changes: Mapping[str, str | None]) -> dict[str, str]:
        changed = {**self.environ, **changes}
        return {name: value for name, value in changed.items() if value is not None}

    def start(self, *arguments: str | Path, **changes: str | None) -> subprocess.Popen[str]:
        """Begin a command of `aegis backup`."""
        return subprocess.Popen(
            self.words(*arguments),
            cwd=self.folder,
            env=self.surroundings(changes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str | Path, **changes: str | None) -> Done:
        """Run one to its end."""
        with self.start(*arguments, **changes) as process:
            out, err = process.communicate(timeout=PATIENCE)
        assert "Traceback" not in err, err
        assert "core.crashed" not in err, err
        return Done(process.returncode, out, err)

    def taken(self, *arguments: str | Path, **changes: str | None) -> tuple[Path, Manifest]:
        """Take a backup into the folder; where it is, and its manifest."""
        document = self.run("run", "--format=json", *arguments, **changes).document
        folder = self.store / "orders" / document["backup"]
        return folder, parse_manifest((folder / "manifest.json").read_bytes())

    def left(self) -> list[str]:
        """Every file in the store, and of the temporary folder."""
        return sorted(
            str(path.relative_to(self.folder))
            for place in (self.store, self.folder / "tmp")
            for path in place.rglob("*")
            if path.is_file()
        )


@contextmanager
def backups(server: Server, folder: Path, content: str = CONTENT) -> Iterator[Backups]:
    """A policy with a store below `folder`, and a new database."""
    database = server.new_database()
    with psycopg.connect(server.url(database)) as connection:
        connection.execute(content.encode())
    for name in ("store", "tmp", "home"):
        (folder / name).mkdir()
    environ = {
        **HERMETIC,
        "PATH": f"{server.bin}:{os.environ['PATH']}",
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "AEGIS_DATABASE_URL": server.url(database),
    }
    found = Backups(folder, server, database, environ)
    found.policy("store: ./store/\ndatabases:\n  - name: orders")
    try:
        yield found
    finally:
        server.drop_database(database)


def programs(shop: Backups, script: str) -> None:
    """PostgreSQL's own, but for a pg_dump that runs `script` for each dump; the real one is `real`."""
    folder = shop.folder / "bin"
    folder.mkdir()
    for name in ("pg_dumpall", "pg_restore"):
        (folder / name).symlink_to(shop.server.bin / name)
    (folder / "pg_dump").write_text(
        f"#!/bin/sh\nreal() {{ '{shop.server.bin}/pg_dump' \"$@\"; }}\n"
        f'case " $* " in *" --format=directory "*|*" --format=custom "*) {script};; *) real "$@";; esac\n',
        "utf-8",
    )
    (folder / "pg_dump").chmod(0o755)


@contextmanager
def dumping(shop: Backups, *form: str, **changes: str) -> Iterator[subprocess.Popen[str]]:
    """A run whose pg_dump has written all of its dump, and does not end before there is a file `go`."""
    here = shop.folder
    wait = f"while [ ! -e '{here}/go' ]; do sleep 0.05; done"
    programs(shop, f"real \"$@\" || exit; echo $$ > '{here}/pid'; : > '{here}/dumped'; {wait}")
    with shop.start("run", *form, PATH=f"{here / 'bin'}:{os.environ['PATH']}", **changes) as process:
        last = time.monotonic() + PATIENCE
        while not (here / "dumped").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < last
            time.sleep(0.02)
        yield process
