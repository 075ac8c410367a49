"""200 flipped bits and 200 cuts in backups of every form: none gets as far as a program that reads it."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis.adapters.objects.local import LocalStore
from aegis.backup.fetching import fetch, find
from aegis.core.errors import Refused
from tests.support.backup.shop import shop
from tests.support.backup.way import PASS, Shelf, Stored, dumped, fails
from tests.support.databases.postgres import Server, running

EACH = 34
"""Of each kind in each of six forms."""
WHOLE_WAY = 2
"""Of them, by the command."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def database(server: Server) -> str:
    return shop(server)


def damaged(data: bytes, chance: random.Random, how: str) -> bytes:
    if how == "cut":
        return data[: chance.randrange(len(data))]
    changed = bytearray(data)
    changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def fetched(shelf: Shelf, stored: Stored) -> None:
    store = LocalStore(shelf.folder)
    with tempfile.TemporaryDirectory() as target:
        fetch(store, find(store, f"{stored.folder.relative_to(shelf.folder)}/"), Path(target))


@pytest.mark.parametrize("compression", ["gzip", "zstd", "lz4"])
@pytest.mark.parametrize("form", ["directory", "stream"])
def test_every_flipped_bit_and_every_cut_is_refused(
    server: Server, database: str, tmp_path: Path, form: str, compression: str
) -> None:
    """At places in proportion to the files' sizes; so most are in rows, where pg_restore takes them for others."""
    chance = random.Random(f"{form} {compression}")
    shelf = Shelf(tmp_path / "store")
    stored = shelf.take(server, database, stream=form == "stream")
    stored.archive(dumped(server, database, f"--compress={compression}"))
    assert shelf.drill() == PASS
    fetched(shelf, stored)
    objects = stored.objects()
    for number in range(2 * EACH):
        (chosen,) = chance.choices(objects, [each.stat().st_size for each in objects])
        whole = chosen.read_bytes()
        chosen.write_bytes(damaged(whole, chance, ("flip", "cut")[number % 2]))
        if number < 2 * WHOLE_WAY:
            assert shelf.drill() == fails("object_damaged")
        else:
            with pytest.raises(Refused) as caught:
                fetched(shelf, stored)
            assert caught.value.code == "backup_check.object_damaged"
        chosen.write_bytes(whole)
    fetched(shelf, stored)
