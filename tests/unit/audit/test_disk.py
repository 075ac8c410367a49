"""The log on disk: durable, whole, and its own, whoever writes and whatever breaks."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aegis.audit import disk_writer, locking
from aegis.audit import folder as folders
from aegis.audit.disk import DiskLog
from aegis.audit.disk_source import DiskSource
from aegis.audit.entry import decode, prepare, this_producer
from aegis.audit.faults import unavailable
from aegis.audit.folder import FolderSource
from aegis.audit.journal import HEADER_BYTES, pack_mark, read_record
from aegis.audit.keys import load_or_create_key
from aegis.audit.proof import verify_proof
from aegis.audit.prove import prove, read_entry
from aegis.audit.verify import verify_folder, verify_log
from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.merkle import hash_leaf
from tests.support.processes.privileges import as_nobody
from tests.support.runtime import audit_logs as logs
from tests.support.runtime.audit_logs import KEY, ORIGIN, VERIFIER, event

SMALL = 1
"""Bytes of a journal: the smallest there can be, which is full after some 110 events."""


def opened(folder: Path, **options: int) -> DiskLog:
    return DiskLog(folder, ORIGIN, KEY, **options)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that holds the lock may not run for a while on a busy machine."""
    monkeypatch.setattr(locking, "_SECONDS", 600.0)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[DiskLog]:
    with opened(tmp_path / "log", journal_bytes=SMALL) as made:
        yield made


def end_of_first(journal: bytes) -> int:
    """Where the first record ends, whose own last byte may be a zero like the unused space after it."""
    record = read_record(journal, HEADER_BYTES)
    assert record is not None
    return record.end


def refused(act: Callable[[], object], match: str) -> None:
    with pytest.raises(CouldNotDecide, match=match) as error:
        act()
    assert error.value.code == "audit.unavailable"


def numbers(folder: Path) -> list[object]:
    """What the log holds, by the events' numbers."""
    source = DiskSource(folder, VERIFIER)
    report = verify_log(source, VERIFIER)
    assert report.result == "intact", report.findings
    return [
        decode(read_entry(source, index=index, size=report.size)).event.details.get("number")
        for index in range(report.size)
    ]


def test_events_come_back_in_order(log: DiskLog, tmp_path: Path) -> None:
    receipts = [log.append(event(number)) for number in range(300)]
    assert [receipt.index for receipt in receipts] == list(range(300))
    assert numbers(tmp_path / "log") == list(range(300))
    log.checkpoint()
    for receipt in receipts[::37]:
        data = read_entry(log, index=receipt.index, size=300)
        assert hash_leaf(data) == receipt.leaf_hash
        assert decode(data).id == receipt.id
        assert verify_proof(prove(log, VERIFIER, receipt.index), data, VERIFIER).size == 300


def test_all_of_it_is_for_its_user_alone(tmp_path: Path) -> None:
    """Also what is above it and was not there: other things are put there, which ask for that."""
    before = os.umask(0)
    try:
        load_or_create_key(tmp_path / "data" / "audit.key")
        with opened(tmp_path / "other" / "audit", journal_bytes=SMALL) as log:
            for number in range(300):
                log.append(event(number))
    finally:
        os.umask(before)
    found = [path for name in ("data", "other") for path in [tmp_path / name, *(tmp_path / name).rglob("*")]]
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_dir()} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_file()} == {0o600}


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    """Its owner may let others read it."""
    (tmp_path / "log").mkdir(mode=0o750)
    opened(tmp_path / "log").close()
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o750


def test_an_empty_log(log: DiskLog, tmp_path: Path) -> None:
    assert log.checkpoint() == logs.note([])
    assert log.origin == ORIGIN
    assert log.vkey == str(VERIFIER)
    report = verify_folder(tmp_path / "log", VERIFIER, [logs.note([])])
    assert (report.result, report.size, report.findings, report.notes) == ("intact", 0, (), ())
    log.check()


def test_what_is_published_is_what_the_definition_says(tmp_path: Path) -> None:
    """Byte by byte what `publish`, which knows nothing of the log's code, writes for the same entries."""
    with opened(tmp_path / "log", journal_bytes=SMALL) as log:
        for number in range(700):
            log.append(event(number))
        note = log.checkpoint()
        entries = [read_entry(log, index=index, size=700) for index in range(700)]
    expected = logs.publish(tmp_path / "expected", entries)
    assert note == (expected / "checkpoint").read_bytes() == log.read("checkpoint")
    for path in expected.rglob("*"):
        if path.is_file():
            assert log.read(str(path.relative_to(expected))) == path.read_bytes(), path


def test_bad_events_are_refused_and_nothing_else(log: DiskLog, tmp_path: Path) -> None:
    log.append(event(0))
    with pytest.raises(Refused) as refusal:
        log.append(event(1, action="nothing"))
    assert refusal.value.code == "audit.event_invalid"
    log.append(event(2))
    assert numbers(tmp_path / "log") == [0, 2]


def test_a_log_goes_on_after_each_start(tmp_path: Path) -> None:
    for start in range(5):
        log = opened(tmp_path / "log")
        for number in range(30):
            assert log.append(event(start * 30 + number)).index == start * 30 + number
        if start % 2:
            log.close()
    assert numbers(tmp_path / "log") == list(range(150))


def test_a_closed_log_opens_again(log: DiskLog, tmp_path: Path) -> None:
    log.append(event(0))
    log.close()
    log.append(event(1))
    log.close()
    log.close()
    assert numbers(tmp_path / "log") == [0, 1]


def test_two_handles_see_each_others_entries(tmp_path: Path) -> None:
    """Also when one publishes, and puts another journal in place, while the other one sleeps."""
    first, second = (opened(tmp_path / "log", journal_bytes=SMALL) for _ in range(2))
    expected = 0
    for count in (1, 3, 200, 1, 500):
        for writer in (first, second):
            for _ in range(count):
                assert writer.append(event(expected)).index == expected
                expected += 1
    assert numbers(tmp_path / "log") == list(range(expected))


def test_threads_are_served_together(log: DiskLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[int] = []
    real = os.fdatasync

    def fdatasync(descriptor: int) -> None:
        waits.append(1)
        while len(waits) == 1 and len(log._group._queue) < 2:  # others come while it waits for the disk
            threading.Event().wait(0.001)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    with ThreadPoolExecutor(16) as pool:
        receipts = list(pool.map(log.append, map(event, range(800))))
    assert sorted(receipt.index for receipt in receipts) == list(range(800))
    assert sorted(numbers(tmp_path / "log")) == list(range(800))  # type: ignore[type-var]
    assert len(waits) < 800


def test_processes_and_threads_write_one_log(tmp_path: Path) -> None:
    """Eight processes, forked where the log is open, four threads each; all that was acknowledged is there once."""
    log = opened(tmp_path / "log", journal_bytes=SMALL)
    log.append(event(0))
    children = []
    for child in range(8):
        if (pid := os.fork()) == 0:
            status = 1
            try:
                with ThreadPoolExecutor(4) as pool:
                    list(pool.map(log.append, [event(1 + child * 60 + each) for each in range(60)]))
                status = 0
            finally:
                os._exit(status)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 8
    log.append(event(481))
    assert sorted(numbers(tmp_path / "log")) == list(range(482))  # type: ignore[type-var]


def test_a_checkpoint_extends_the_older_ones(log: DiskLog, tmp_path: Path) -> None:
    notes = []
    for number in range(40):
        log.append(event(number))
        notes.append(log.checkpoint())
    assert verify_folder(tmp_path / "log", VERIFIER, notes).result == "intact"


def two_writers(folder: Path) -> tuple[DiskLog, DiskLog]:
    """Two handles that know of each other, as two processes have them."""
    first, second = opened(folder), opened(folder)
    for number in range(2):
        first.append(event(number))
        second.append(event(number))
    return first, second


def test_one_wait_for_the_disk_serves_the_others_who_write_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for all gives those who wrote before the time to write again, and tells them by the mark."""
    first, second = two_writers(tmp_path / "log")
    monkeypatch.setattr(disk_writer, "_MOST_PAUSE", 60.0)
    state = first._writer._state
    assert state is not None
    assert state.writers == 2
    state.seconds = 60.0
    written: list[int] = []

    def sleep(_seconds: float) -> None:
        if not written:
            with second._exclusive():
                written.extend(each.index for each in second._writer.write([prepare(event(9), this_producer())]))

    monkeypatch.setattr(time, "sleep", sleep)
    assert first.append(event(8)).index == 4
    assert written == [5]
    waits: list[int] = []
    monkeypatch.setattr(os, "fdatasync", waits.append)
    second._writer.sync()
    assert not waits


def test_others_who_no_longer_write_are_not_waited_for_without_end(tmp_path: Path) -> None:
    first, second = two_writers(tmp_path / "log")
    second.close()
    for number in range(40):
        first.append(event(number))
    assert len(numbers(tmp_path / "log")) == 44


def test_entries_that_another_process_saw_on_disk_need_no_lock(tmp_path: Path) -> None:
    """The mark ends a wait also while somebody else holds the lock, stopped or not."""
    first, second = two_writers(tmp_path / "log")
    with second._exclusive():
        second._writer.write([prepare(event(9), this_producer())])
    first.append(event(8))
    other = os.open(tmp_path / "log/journal", os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    second._writer.sync()
    os.close(other)


# --- the files are changed by others


def change(folder: Path, how: str) -> None:
    journal = folder / "journal"
    if how == "removed":
        journal.unlink()
    elif how == "emptied":
        os.truncate(journal, 0)
    elif how == "linked":
        os.link(journal, folder / "other")
    elif how == "a folder":
        journal.unlink()
        journal.mkdir()
    elif how == "a link":
        journal.rename(folder / "other")
        journal.symlink_to("other")
    elif how == "replaced by another log's":
        other = opened(folder.parent / "other")
        for number in range(9):
            other.append(event(77 + number))
        (folder.parent / "other/journal").replace(journal)
    elif how == "replaced by an empty one":
        opened(folder.parent / "other")
        (folder.parent / "other/journal").replace(journal)


HOW = ["removed", "emptied", "linked", "a folder", "a link", "replaced by another log's",
       "replaced by an empty one"]  # fmt: skip


@pytest.mark.parametrize("how", HOW)
def test_a_journal_that_was_changed_while_it_was_open(tmp_path: Path, how: str) -> None:
    """T14: nothing is acknowledged any more."""
    log = opened(tmp_path / "log")
    for number in range(5):
        log.append(event(number))
    change(tmp_path / "log", how)
    for _ in range(2):
        refused(lambda: log.append(event(6)), "journal|log")
    refused(log.check, "journal|log")
    refused(log.checkpoint, "journal|log")


def test_a_journal_that_was_copied_over_goes_on(tmp_path: Path) -> None:
    """The twin: another file, the same contents."""
    log = opened(tmp_path / "log")
    log.append(event(0))
    copy = tmp_path / "copy"
    copy.write_bytes((tmp_path / "log/journal").read_bytes())
    copy.replace(tmp_path / "log/journal")
    log.append(event(1))
    assert numbers(tmp_path / "log") == [0, 1]


def test_a_folder_that_was_replaced(tmp_path: Path) -> None:
    log, other = opened(tmp_path / "log"), opened(tmp_path / "other")
    log.append(event(0))
    other.append(event(9))
    other.close()
    (tmp_path / "log").rename(tmp_path / "away")
    refused(lambda: log.append(event(1)), "log")
    (tmp_path / "other").rename(tmp_path / "log")
    refused(lambda: log.append(event(1)), "log")


@pytest.mark.parametrize("what", ["checkpoint", "tile", "journal"])
def test_what_is_missing_at_start_is_not_made_anew(tmp_path: Path, what: str) -> None:
    with opened(tmp_path / "log") as log:
        log.append(event(0))
    (tmp_path / "log" / what).rename(tmp_path / "away")
    refused(lambda: opened(tmp_path / "log"), "removed|missing|journal")


def test_a_beginning_that_was_not_finished_is_begun_again(tmp_path: Path) -> None:
    opened(tmp_path / "log")
    (tmp_path / "log/checkpoint").unlink()
    opened(tmp_path / "log").append(event(0))
    assert numbers(tmp_path / "log") == [0]


@pytest.mark.parametrize("entries", [3, 300])
def test_the_log_of_another_key_or_name_is_not_written(tmp_path: Path, entries: int) -> None:
    with opened(tmp_path / "log") as log:
        for number in range(entries):
            log.append(event(number))
    refused(lambda: DiskLog(tmp_path / "log", ORIGIN, logs.OTHER_KEY), "other keys")
    refused(lambda: DiskLog(tmp_path / "log", "other.test", KEY), "of the log")


def test_an_entry_smuggled_into_the_journal_is_never_signed(tmp_path: Path) -> None:
    """A record with a right checksum, written by one who has not the key, while a process has the log open."""
    from aegis.audit.journal import pack_record

    log = opened(tmp_path / "log")
    log.append(event(0))
    data = (tmp_path / "log/journal").read_bytes()
    end = end_of_first(data)
    forged = pack_record([logs.entry(5)], first=1, durable=1, signature=b"s" * 64, mac=logs.OTHER_KEY.mac)
    with (tmp_path / "log/journal").open("r+b") as journal:
        journal.seek(end)
        journal.write(forged)
    refused(lambda: log.append(event(1)), "holder of the log's key")
    refused(lambda: opened(tmp_path / "log"), "holder of the log's key")
    assert [each.tamper for each in verify_folder(tmp_path / "log", VERIFIER).findings] == ["T2"]


def test_an_older_checkpoint_put_back(tmp_path: Path) -> None:
    with opened(tmp_path / "log", journal_bytes=SMALL) as log:
        old = log.checkpoint()
        for number in range(300):
            log.append(event(number))
    (tmp_path / "log/checkpoint").write_bytes(old)
    refused(lambda: opened(tmp_path / "log"), "older than the journal")
    report = verify_folder(tmp_path / "log", VERIFIER)
    assert [(each.tamper, each.index) for each in report.findings] == [("T8", 0)]


def test_tiles_that_were_edited_are_not_built_upon(tmp_path: Path) -> None:
    with opened(tmp_path / "log") as log:
        log.append(event(0))
    tile = tmp_path / "log/tile/0/000.p/1"
    tile.write_bytes(b"x" * 32)
    refused(lambda: opened(tmp_path / "log"), "root hash")


# --- the disk fails


def failing(number: int, times: int = 1) -> Callable[..., int]:
    left = [times]

    def fail(*_: object) -> int:
        if left[0] > 0:
            left[0] -= 1
            raise OSError(number, os.strerror(number))
        raise AssertionError("asked again")

    return fail


def test_a_failed_wait_for_the_disk_is_final(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel reports a lost write once; what comes after it would be a lie."""
    log = opened(tmp_path / "log")
    log.append(event(0))
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", failing(errno.EIO))
        refused(lambda: log.append(event(1)), "Input/output error")
    refused(lambda: log.append(event(2)), "Input/output error")
    refused(log.check, "Input/output error")
    again = opened(tmp_path / "log")
    again.append(event(3))
    assert numbers(tmp_path / "log") in ([0, 1, 3], [0, 3])


def test_nobody_is_acknowledged_when_the_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = opened(tmp_path / "log")

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fdatasync", fail)
    with ThreadPoolExecutor(8) as pool:
        results = [pool.submit(log.append, event(number)) for number in range(64)]
    assert all(isinstance(result.exception(), CouldNotDecide) for result in results)


def appended(log: DiskLog, number: int) -> str | None:
    try:
        log.append(event(number))
    except CouldNotDecide as error:
        return error.problem
    return None


@pytest.mark.parametrize("where", ["journal", "tiles"])
def test_no_space_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Nothing is acknowledged, and the log is good; afterwards it goes on."""
    log = opened(tmp_path / "log", journal_bytes=SMALL)
    done = 0
    real = os.pwrite
    full = [True]

    def pwrite(descriptor: int, data: bytes, offset: int) -> int:
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        if full[0] and (name == "journal") == (where == "journal") and any(data):
            real(descriptor, data[:100], offset)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    while (problem := appended(log, done)) is None:
        done += 1
    assert "No space left" in problem
    assert numbers(tmp_path / "log") == list(range(done))
    refused(lambda: log.append(event(done)), "No space left")
    full[0] = False
    log.append(event(done))
    assert numbers(tmp_path / "log") == list(range(done + 1))
    assert not list((tmp_path / "log").rglob("*.new"))
    assert not list((tmp_path / "log").glob("torn-*"))


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    with opened(tmp_path / "log") as log:
        log.append(event(0))
    for path in (tmp_path / "log").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    (tmp_path / "log").chmod(0o555)

    def tried() -> str:
        assert verify_folder(tmp_path / "log", VERIFIER).size == 1
        try:
            opened(tmp_path / "log")
        except CouldNotDecide as error:
            return f"{error.code} {error.problem}"
        return "opened"

    told = as_nobody(tmp_path / "log", tried)
    (tmp_path / "log").chmod(0o755)
    assert told.startswith("audit.unavailable"), told
    assert "Permission denied" in told


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(lambda: opened(tmp_path / "file"), "file")
    refused(lambda: opened(tmp_path / "file/log"), "file")
    refused(lambda: DiskSource(tmp_path / "nothing", VERIFIER), "nothing")


# --- processes end in the middle


def test_a_stopped_process_does_not_hold_up_the_others_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(tmp_path / "log")
    monkeypatch.setattr(locking, "_SECONDS", 0.05)
    other = os.open(tmp_path / "log", os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    refused(lambda: log.append(event(0)), "locked by another process")
    os.close(other)
    log.append(event(0))
    assert numbers(tmp_path / "log") == [0]


@pytest.mark.parametrize("written", [1, 31, 32, 33, 200, 700])
def test_a_process_that_is_killed_in_the_middle_of_a_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """Another one, which has the log open, puts the half record aside, says so in the log, and goes on."""
    survivor = opened(tmp_path / "log")
    survivor.append(event(0))
    if (pid := os.fork()) == 0:
        real = os.pwrite

        def pwrite(descriptor: int, data: bytes, offset: int) -> int:
            real(descriptor, data[:written], offset)
            os.kill(os.getpid(), signal.SIGKILL)
            return 0

        monkeypatch.setattr(os, "pwrite", pwrite)
        survivor.append(event(1))
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    assert verify_folder(tmp_path / "log", VERIFIER).result == "intact"
    survivor.append(event(2))
    assert numbers(tmp_path / "log") in ([0, None, 2], [0, 1, 2])
    aside = list((tmp_path / "log").glob("torn-*"))
    assert len(aside) == (numbers(tmp_path / "log")[1] is None)
    assert all(len(path.read_bytes()) <= written for path in aside)


def test_pages_that_reached_the_disk_out_of_order(tmp_path: Path) -> None:
    """After a power cut a later record may be there and an earlier one not, where nobody was told of either."""
    log = opened(tmp_path / "log")
    log.append(event(0))
    journal = tmp_path / "log/journal"
    before = journal.read_bytes()
    end = end_of_first(before)
    for number in (1, 2):
        log.append(event(number))
    data = bytearray(journal.read_bytes())
    second = data.index(b"\xaeLR1", end + 4)
    data[end:second] = bytes(second - end)
    durable = second + 20
    data[durable : durable + 8] = (1).to_bytes(8, "big")  # the second record did not know the first one to be durable
    data[32:56] = pack_mark(1, KEY.mac)  # nor had anybody said so
    journal.write_bytes(data)
    source = DiskSource(tmp_path / "log", VERIFIER)
    assert source.findings == ()
    again = opened(tmp_path / "log")
    again.append(event(3))
    assert numbers(tmp_path / "log") == [0, None, 3]


def test_an_interrupted_leader_tells_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends the thread that writes for all, nobody waits for ever, and the log is read anew."""
    log = opened(tmp_path / "log")
    entered, go = threading.Event(), threading.Event()
    real = disk_writer.DiskWriter.write

    def write(self: disk_writer.DiskWriter, batch: list[object]) -> object:
        entered.set()
        go.wait(60)
        if len(batch) == 1:
            raise KeyboardInterrupt
        return real(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(disk_writer.DiskWriter, "write", write)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(log.append, event(0))
        assert entered.wait(60)
        others = [pool.submit(log.append, event(number)) for number in (1, 2)]
        while len(log._group._queue) < 2:
            threading.Event().wait(0.001)
        go.set()
        assert isinstance(first.exception(60), KeyboardInterrupt)
        assert sorted(other.result(60).index for other in others) == [0, 1]
    assert sorted(numbers(tmp_path / "log")) == [1, 2]  # type: ignore[type-var]


def test_reading_takes_only_the_logs_own_paths(log: DiskLog, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    for path in ("../secret", "journal", "/etc/passwd", "tile/../../secret", ""):
        assert log.read(path) is None
    (tmp_path / "log/tile/0").mkdir(parents=True)
    (tmp_path / "log/tile/0/000").symlink_to(tmp_path / "secret")
    refused(lambda: log.read("tile/0/000"), "tile/0/000")
    assert FolderSource(tmp_path / "log").read("tile/0/000/x") is None


def test_files_are_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        folders.store(tmp_path, [("tile/0/000", b"x")])
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_error_says_what_to_do() -> None:
    assert unavailable("x").remedy
