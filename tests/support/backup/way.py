"""Backups on a shelf, how they are broken there, and what comes of their restore."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import msgspec

from aegis.adapters.objects.local_writing import WritableFolder
from aegis.backup.drill import DrillResult
from aegis.backup.layout import RECORDS
from aegis.backup.manifest import DUMP, Manifest, StoredObject, backup_id, dump_manifest, parse_manifest, time_text
from aegis.backup.records import record_of, write_record
from aegis.cli.main import main
from aegis.core.policy import Tier
from tests.support.databases.postgres import Server, binaries

NAME = "shop"


@dataclass(frozen=True)
class Told:
    """What a drill came to."""

    outcome: str
    code: str


PASS = Told("PASS", "")


def fails(code: str) -> Told:
    return Told("FAIL", f"backup_check.{code}")


def undecided(code: str) -> Told:
    return Told("COULD NOT VERIFY", f"backup_check.{code}")


@dataclass(frozen=True)
class Stored:
    """One backup in a folder, as somebody may change it there."""

    folder: Path

    @property
    def manifest(self) -> Manifest:
        return parse_manifest((self.folder / "manifest.json").read_bytes())

    def objects(self) -> list[Path]:
        """Its files but the manifest, by name."""
        return sorted(each for each in self.folder.rglob("*") if each.is_file() and each.name != "manifest.json")

    def data(self) -> Path:
        """The largest file of the archive."""
        archive = [each for each in self.objects() if each.relative_to(self.folder).parts[0] == DUMP]
        return max((each for each in archive if each.name != "toc.dat"), key=lambda each: each.stat().st_size)

    def change(self, path: Path, how: Callable[[bytes], bytes]) -> None:
        path.write_bytes(how(path.read_bytes()))

    def at(self, time: datetime) -> Stored:
        """The same as of another moment: its manifest, its id and its folder say so."""
        snapshot = msgspec.structs.replace(
            self.manifest.snapshot, time=time_text(time), dump_began=time_text(time), dump_ended=time_text(time)
        )
        self.told(snapshot=snapshot, id=backup_id(snapshot))
        moved = self.folder.with_name(backup_id(snapshot))
        self.folder.rename(moved)
        return Stored(moved)

    def archive(self, made: Callable[[Path, str], object]) -> None:
        """Another archive in the place of its own, of which the manifest says that it is the right one."""
        place = self.folder / DUMP
        if place.is_dir():
            shutil.rmtree(place)
            made(place, "d")
        else:
            place.unlink()
            made(place, "c")
        self.told()

    def told(self, **changes: object) -> None:
        """Write the manifest anew: of what lies there now, and with these members changed."""
        objects = tuple(
            StoredObject(
                name=str(each.relative_to(self.folder)),
                size=each.stat().st_size,
                sha256=hashlib.sha256(each.read_bytes()).hexdigest(),
            )
            for each in self.objects()
        )
        changed = msgspec.structs.replace(self.manifest, objects=objects, **changes)
        (self.folder / "manifest.json").write_bytes(dump_manifest(changed))


class RefusedError(Exception):
    """`aegis backup` has given another exit code than 0, and no answer."""

    def __init__(self, exit_code: int, code: str, said: str) -> None:
        super().__init__(said)
        self.exit_code, self.code = exit_code, code


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def reason(self) -> str:
        """The first code that it named."""
        return self.err.partition("aegis: ")[2].partition(":")[0]


def command(*argv: str | Path, programs: Path, environ: Mapping[str, str] | None = None) -> Ran:
    """`aegis …` in this process, where PostgreSQL's programs are those of a folder."""
    around = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": os.environ.get("HOME", "/"), **(environ or {})}
    out, err = io.StringIO(), io.StringIO()
    with patch.dict(os.environ, around, clear=True), redirect_stdout(out), redirect_stderr(err):
        code = main([str(word) for word in argv])
    return Ran(code, out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class Shelf:
    """A store of this machine, and the policy that names it."""

    folder: Path
    policy: Mapping[str, str] = field(default_factory=dict)
    """Lines that are added to the policy: of `backup-check` itself (``), or of the database."""

    def copy(self, to: Path) -> Shelf:
        """Another store with the same backups."""
        shutil.copytree(self.folder, to)
        return replace(self, folder=to)

    def of(self, place: str, lines: str) -> Shelf:
        """The same store under a policy that says more."""
        return replace(self, policy={**self.policy, place: lines})

    def backups(self) -> list[Stored]:
        """Those with a manifest, the oldest first."""
        return [Stored(each.parent) for each in sorted(self.folder.glob(f"{NAME}/*/manifest.json"))]

    def newest(self) -> Stored:
        return self.backups()[-1]

    def take(
        self,
        server: Server,
        database: str,
        *,
        url: str = "",
        stream: bool = False,
        programs: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Stored:
        """`aegis backup run`, with the server's own programs or those of a folder."""
        ran = self.attempt(server, database, url=url, stream=stream, programs=programs, environ=environ)
        if ran.code != 0:
            raise RefusedError(ran.code, ran.reason, ran.err)
        return self.newest()

    def attempt(
        self,
        server: Server,
        database: str,
        *,
        url: str = "",
        stream: bool = False,
        programs: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Ran:
        """The same, whatever comes of it."""
        self.folder.mkdir(exist_ok=True)
        return command(
            *("backup", "run", "--policy", str(self.written()), "--jobs", "2", *(["--stream"] if stream else [])),
            programs=programs or server.bin,
            environ={"AEGIS_DATABASE_URL": url or server.url(database), **(environ or {})},
        )

    def written(self) -> Path:
        """The policy's file."""
        file = self.folder.with_name(f"{self.folder.name}.yml")
        file.write_text(
            "version: 1\nbackup-check:\n"
            f"  store: {self.folder}/\n{self.policy.get('', '')}  databases:\n    - name: {NAME}\n"
            + self.policy.get("database", ""),
            "utf-8",
        )
        return file

    def drill(
        self, *, tier: Tier = "proof", programs: Path | None = None, environ: Mapping[str, str] | None = None
    ) -> Told:
        """`aegis backup verify latest`; what it found, `aegis backup check` believes."""
        engine = programs or binaries()
        ran = command(
            *("backup", "verify", "--policy", self.written(), "--tier", tier, "--format", "json", "--jobs", "2"),
            *("--engine", engine),
            programs=engine,
            environ=environ,
        )
        if not ran.out:
            raise RefusedError(ran.code, ran.reason, ran.err)
        found = json.loads(ran.out)
        assert ran.code == {"PASS": 0, "FAIL": 1, "COULD NOT VERIFY": 3}[found["outcome"]], ran.err
        if found["outcome"] == "PASS":
            return PASS
        if found["outcome"] == "FAIL":  # what could not be verified changes nothing
            assert self.check()[0] == 1
        return Told(found["outcome"], found["reason"])

    def prove(self, *backups: Stored) -> None:
        """Write down that their restores were equal, as who restores does it."""
        for stored in backups:
            result = DrillResult(
                outcome="PASS",
                reason="backup_check.proven",
                tier="proof",
                equality="equal",
                seconds={"restore": 1.0},
                manifest_sha256=hashlib.sha256((stored.folder / "manifest.json").read_bytes()).hexdigest(),
                snapshot_time=stored.manifest.snapshot.time,
            )
            record = record_of(
                result,
                database=NAME,
                backup=stored.manifest.id,
                manifest_sha256=result.manifest_sha256,
                snapshot_time=result.snapshot_time,
                started=datetime.now(UTC),
                finished=datetime.now(UTC),
                tool="aegis 1.0.0",
                actor="",
                run_url="",
            )
            write_record(WritableFolder(self.folder), RECORDS, record)

    def check(self, *options: str) -> tuple[int, set[str]]:
        """`aegis backup check`: its exit code and all reasons that it gives."""
        ran = command("backup", "check", "--policy", self.written(), *options, programs=Path("/usr/bin"))
        return ran.code, {f"backup_check.{code}" for code in re.findall(r"backup_check\.([a-z_]+)", ran.out + ran.err)}


def surroundings() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


def dumped(server: Server, database: str, *options: str) -> Callable[[Path, str], object]:
    """A dump by pg_dump itself, in the form of the place that it is for."""

    def made(place: Path, form: str) -> None:
        subprocess.run(
            [server.bin / "pg_dump", f"-F{form}", "-f", place, *options, server.socket_url(database)],
            check=True, timeout=120, env={**surroundings(), "LC_ALL": "C"},
        )  # fmt: skip

    return made


def programs(folder: Path, real: Path, **instead: str) -> Path:
    """PostgreSQL's programs, some of which do something else: lines of a shell, in which `$real` is what they replace.

    What asks for a version gets that of the real one. All of them lie in one folder, as an engine needs them.
    """
    shutil.copytree(real.parent, folder)
    for name, lines in instead.items():
        place = folder / "bin" / name
        place.rename(place.with_name(f"{name}.real"))
        place.write_text(
            f'#!/bin/bash\nreal="$(dirname "$0")/{name}.real"\n'
            f'case "$1" in --version|-V) exec "$real" --version;; esac\n{lines}\n',
            "utf-8",
        )
        place.chmod(0o755)
    return folder / "bin"
