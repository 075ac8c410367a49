"""The whole way with every major whose programs may be used, in both forms; and what one major is to another."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.adapters.postgres.tools import FLOORS
from tests.support.backup.shop import run, shop
from tests.support.backup.way import PASS, Shelf, undecided
from tests.support.databases.postgres import binaries, majors, running
from tests.support.programs.debian import postgres_with_icu

MAJORS = [major for major in majors() if major >= 15]
"""The wheel of 14 has known holes, and is refused."""


@pytest.mark.parametrize("major", MAJORS)
def test_a_backup_of_each_is_equal(major: int, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "store")
    with running(major) as server:
        name = shop(server)
        for stream in (False, True):
            stored = shelf.take(server, name, stream=stream)
            assert stored.manifest.database.major == major
            assert shelf.drill(tier="full", programs=binaries(major)) == PASS
    other = MAJORS[MAJORS.index(major) - 1]
    assert shelf.drill(programs=binaries(other)) == undecided("engine_lacks")


def test_a_collation_of_icu_is_missed_before_the_restore(tmp_path: Path) -> None:
    """Debian's server has ICU, the wheel's has not: tables would be lost one by one."""
    with running(15, of=postgres_with_icu(15)) as server:
        name = server.new_database("template0")
        with_icu = f"CREATE DATABASE {name}_icu TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' LOCALE 'C'"
        for statement, database in ((with_icu, name), ("CREATE TABLE t AS SELECT 'ä' AS a", f"{name}_icu")):
            run(server, database, statement)
        for database, expected in ((name, PASS), (f"{name}_icu", undecided("engine_lacks"))):
            shelf = Shelf(tmp_path / database)
            shelf.take(server, database, programs=binaries(15))
            assert shelf.drill(programs=binaries(15)) == expected


def test_the_floor_is_that_of_the_newest_known_hole() -> None:
    assert {major: FLOORS[major] for major in MAJORS} == {15: 19, 16: 15, 17: 11, 18: 6}
