"""What is encrypted on its way is what was given, or does not end well."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path

import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.adapters.age import Identities, decrypt_file, encrypted, parse_identities, parse_recipients
from aegis.adapters.objects.local_writing import WritableFolder
from aegis.backup.writing import Item, write_backup
from aegis.core.errors import AegisError, CouldNotDecide, Refused, UsageError
from tests.support.databases.patient_aegis import patient

MIB = 1 << 20
KEYS = tuple(pyrage.x25519.Identity.generate() for _ in range(3))
RECIPIENTS = tuple(str(key.to_public()) for key in KEYS[:2])
FIRST, SECOND, STRANGER = (parse_identities(str(key), what="it") for key in KEYS)


def item(*chunks: bytes, then: Callable[[], object] = lambda: None) -> Item:
    @contextmanager
    def opened() -> Iterator[Iterator[bytes]]:
        def given() -> Iterator[bytes]:
            yield from chunks
            then()

        yield given()

    return Item("dump", opened)


def sent(of: Item) -> bytes:
    with of.open() as chunks:
        return b"".join(chunks)


def opened(data: bytes, identities: Identities, folder: Path) -> bytes:
    source, target = folder / "source", folder / "target"
    source.write_bytes(data)
    target.unlink(missing_ok=True)
    decrypt_file(source, target, identities, what="dump.age")
    return target.read_bytes()


@settings(deadline=None, max_examples=25)
@given(chunks=st.lists(st.binary(max_size=200_000), max_size=8))
def test_what_comes_back_is_what_was_given(tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes]) -> None:
    of = encrypted(item(*chunks), RECIPIENTS)
    assert of.name == "dump.age"
    data = sent(of)
    folder = tmp_path_factory.mktemp("age")
    for identities in (FIRST, SECOND):
        assert opened(data, identities, folder) == b"".join(chunks)


def test_another_program_reads_it() -> None:
    assert (
        pyrage.decrypt(sent(encrypted(item(b"x" * MIB * 3, b"", b"y"), RECIPIENTS)), [KEYS[0]]) == b"x" * MIB * 3 + b"y"
    )


def test_each_time_by_another_key() -> None:
    assert sent(encrypted(item(b"x"), RECIPIENTS)) != sent(encrypted(item(b"x"), RECIPIENTS))


def test_who_is_no_recipient_cannot_open_it(tmp_path: Path) -> None:
    with pytest.raises(CouldNotDecide) as caught:
        opened(sent(encrypted(item(b"x"), RECIPIENTS)), STRANGER, tmp_path)
    assert caught.value.code == "backup_check.identity_missing"
    assert STRANGER.recipients[0] in caught.value.problem


@pytest.mark.parametrize("at", [0, 30, 150, 400, 70_000, 200_000, -1])
@pytest.mark.parametrize("how", ["flip", "cut", "more"])
def test_what_was_changed_is_refused(tmp_path: Path, at: int, how: str) -> None:
    data = bytearray(sent(encrypted(item(b"x" * 300_000), RECIPIENTS)))
    if how == "flip":
        data[at] ^= 1
    elif how == "cut":
        del data[at:]
    else:
        data += b"more"
    with pytest.raises(AegisError) as caught:
        opened(bytes(data), FIRST, tmp_path)
    # a flip in the line of the one recipient leaves a file for the other
    assert caught.value.code in {"backup_check.object_damaged", "backup_check.identity_missing"}
    if how != "flip":
        assert isinstance(caught.value, Refused)


def test_a_full_disk_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(sent(encrypted(item(b"x" * MIB * 3), RECIPIENTS)))
    full = Path("/dev/full")

    class Full(type(tmp_path)):  # type: ignore[misc] # the one class of paths that may be derived from
        def open(self, *arguments: object, **more: object) -> object:
            return full.open("wb", buffering=0)

    with pytest.raises(CouldNotDecide) as caught:
        decrypt_file(tmp_path / "source", Full(tmp_path / "target"), FIRST, what="dump.age")
    assert caught.value.code not in {"backup_check.object_damaged", "backup_check.identity_missing"}


def test_a_producer_s_bad_end_is_told_as_it_is() -> None:
    def fail() -> None:
        raise CouldNotDecide("backup_check.dump_failed", "no", expected="yes", remedy="again")

    with pytest.raises(CouldNotDecide, match="no"):
        sent(encrypted(item(b"x" * MIB, then=fail), RECIPIENTS))


def test_one_that_waits_lets_its_reader_look_around() -> None:
    over = threading.Event()
    with encrypted(item(b"", b"", b"x", then=lambda: over.wait(300)), RECIPIENTS).open() as chunks:
        while next(chunks):
            continue
        over.set()


def test_nobody_who_takes_more_ends_it() -> None:
    before = encrypting()
    with patient(), encrypted(Item("dump", endless), RECIPIENTS).open() as chunks:
        assert next(filter(None, chunks))
        assert encrypting() - before
    assert not encrypting() - before


def encrypting() -> set[threading.Thread]:
    """The threads that do."""
    return {thread for thread in threading.enumerate() if thread.name == "aegis-age"}


@contextmanager
def endless() -> Iterator[Iterator[bytes]]:
    yield repeat(b"x" * MIB)


def test_of_a_failed_backup_nothing_is_left(tmp_path: Path) -> None:
    def fail() -> None:
        raise CouldNotDecide("backup_check.dump_failed", "no", expected="yes", remedy="again")

    items = [encrypted(item(b"x"), RECIPIENTS), encrypted(Item("endless", endless), RECIPIENTS)]
    items.append(encrypted(Item("failing", item(b"x" * 20 * MIB, then=fail).open), RECIPIENTS))
    with patient(), pytest.raises(CouldNotDecide, match="no"):
        write_backup(WritableFolder(tmp_path), "db/1/", items, lambda _: b"{}")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


class TestKeys:
    def test_recipients_are_sorted_and_each_stands_once(self) -> None:
        assert parse_recipients([*RECIPIENTS, *RECIPIENTS]) == tuple(sorted(RECIPIENTS))
        assert parse_recipients([]) == ()

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("", id="nothing"),
            pytest.param("age1" + "q" * 58, id="a wrong checksum"),
            pytest.param(RECIPIENTS[0].upper(), id="capitals"),
            pytest.param(RECIPIENTS[0] + " ", id="a space"),
            pytest.param("ssh-ed25519 AAAA", id="a key of SSH"),
            pytest.param(str(KEYS[0]), id="a secret key"),
        ],
    )
    def test_what_is_no_recipient(self, text: str) -> None:
        with pytest.raises(UsageError) as caught:
            parse_recipients([RECIPIENTS[0], text])
        assert caught.value.code == "backup_check.recipient_invalid"
        assert str(KEYS[0]) not in str(caught.value)

    def test_identities_stand_between_comments(self) -> None:
        found = parse_identities(f"# a\n\n{KEYS[0]}\r\n{KEYS[1]}", what="it")
        assert found.recipients == RECIPIENTS
        assert str(KEYS[0]) not in repr(found)

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("", id="nothing"),
            pytest.param("# only a comment\n", id="a comment"),
            pytest.param(RECIPIENTS[0], id="a public key"),
            pytest.param(f"{KEYS[0]}\n{str(KEYS[1])[:-3]}", id="a cut one"),
        ],
    )
    def test_what_is_no_identity(self, text: str) -> None:
        with pytest.raises(UsageError) as caught:
            parse_identities(text, what="the file")
        assert caught.value.code == "backup_check.identity_invalid"
        assert "AGE-SECRET-KEY-1" + str(KEYS[1])[16:20] not in str(caught.value)
