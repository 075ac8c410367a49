"""What stands in the way of a restore, or of a question, and should not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis.cli.backup import audit as backup_audit
from aegis.core.errors import CouldNotDecide
from tests.support.backup.shop import shop
from tests.support.backup.way import Ran, Shelf, command
from tests.support.databases.postgres import Server, binaries, running

DEAD = "postgresql://x:y@127.0.0.1:1/z"
OTHERS = "version: 1\nscan:\n  baseline: base.json\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def healthy(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    shelf = Shelf(tmp_path_factory.mktemp("ways-out") / "store")
    shelf.take(server, shop(server))
    return shelf


@pytest.fixture
def shelf(healthy: Shelf, tmp_path: Path) -> Shelf:
    return healthy.copy(tmp_path / "store")


def restore(shelf: Shelf, server: Server, **environ: str) -> Ran:
    return command(
        "backup", "restore", "--policy", shelf.written(), "latest", programs=binaries(),
        environ={"AEGIS_DATABASE_URL": server.url(server.new_database("template0")), **environ},
    )  # fmt: skip


class TestTheLogIsLost:
    """The audit log lies in the database that is to be restored."""

    def test_the_remedy_says_the_way_out_and_it_is_one(self, shelf: Shelf, server: Server, tmp_path: Path) -> None:
        ran = restore(shelf, server, AEGIS_AUDIT="postgresql", AEGIS_DATA=str(tmp_path / "keys"), DATABASE_URL=DEAD)
        assert (ran.code, ran.reason) == (3, "audit.unavailable")
        assert "AEGIS_AUDIT=disk and AEGIS_DATA=FOLDER" in ran.err
        ran = restore(shelf, server, AEGIS_AUDIT="disk", AEGIS_DATA=str(tmp_path / "data"), DATABASE_URL=DEAD)
        assert ran.code == 0, ran
        assert ran.out.startswith("PASS: FULL, equality equal")
        ran = restore(shelf, server, DATABASE_URL=DEAD)
        assert ran.code == 0, ran

    def test_what_a_restore_has_shown_is_said_though_it_cannot_be_recorded(
        self, shelf: Shelf, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, begun: bool = False, **__: object) -> None:
            if not begun:  # what could not be recorded before it began is not done
                raise CouldNotDecide("audit.unavailable", "it is away", expected="a log", remedy="Look for it.")

        monkeypatch.setattr(backup_audit.BackupAudit, "record", fail)
        ran = restore(shelf, server, AEGIS_AUDIT="disk", AEGIS_DATA=str(tmp_path / "data"))
        assert ran.out.startswith("PASS: FULL, equality equal")
        assert (ran.code, "audit.unavailable" in ran.err) == (3, True)


class TestAPolicyOfOtherGates:
    """The usual file is there, and is about something else."""

    def rehearsed(self, shelf: Shelf, *words: str, **environ: str) -> Ran:
        address = f"{shelf.newest().folder}/"
        return command("backup", "restore", address, "--throwaway", *words, programs=binaries(), environ=environ)

    def test_it_counts_as_none(self, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        Path("aegis.yml").write_text(OTHERS)
        ran = self.rehearsed(shelf)
        assert ran.code == 0, ran
        assert "no policy names signers" in ran.err

    def test_one_that_was_named_must_say_something(
        self, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("aegis.yml").write_text(OTHERS)
        for words, environ in ((["--policy", "aegis.yml"], {}), ([], {"AEGIS_POLICY": "aegis.yml"})):
            ran = self.rehearsed(shelf, *words, **environ)
            assert (ran.code, ran.reason) == (2, "core.policy_missing")

    def test_one_that_cannot_be_read_is_not_passed_over(
        self, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("aegis.yml").write_text("version: 1\nbackup-check: {store: 7}\n")
        assert self.rehearsed(shelf).code == 2


class TestAnIdThatIsNotThere:
    """Nothing was restored, so no failure is written down."""

    GONE = "20250101T000000Z-0000000000000000"

    @pytest.mark.parametrize("parts", [0, 2])
    def test_it_is_told_and_not_recorded(self, shelf: Shelf, parts: int) -> None:
        beside = shelf.newest().folder.parent / self.GONE
        for number in range(parts):
            beside.mkdir(exist_ok=True)
            (beside / f"part{number}").write_text("x")
        ran = command("backup", "verify", self.GONE, "--policy", shelf.written(), programs=binaries())
        assert (ran.code, ran.reason) == (1, "backup_check.no_backup")
        assert "there is no complete backup of this id" in ran.err
        assert not [json.loads(path.read_text()) for path in shelf.folder.glob("_records/**/*.json")]
