"""Each way to tamper with a log has its name and place; what looks like it and is none has not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from aegis.audit.disk import DiskLog
from aegis.audit.findings import Report
from aegis.audit.folder import FolderSource
from aegis.audit.journal import pack_mark
from aegis.audit.verify import verify_folder, verify_log
from aegis.core.errors import CouldNotDecide
from tests.support.runtime import audit_logs as logs
from tests.support.runtime.audit_logs import KEY, ORIGIN, SECOND, VERIFIER, bundle, entry, event, note, publish, put

COUNT = 600
GOOD = logs.entries(COUNT)
NEWER = [entry(number) for number in range(COUNT, COUNT + 5)]
OTHER = entry(9_999)
"""An event that nobody recorded."""


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(tmp_path_factory.mktemp("good"), GOOD)


@pytest.fixture(params=["published", "journal newer"])
def folder(good: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """In the state after a checkpoint, and in that of a running service: some entries are in the journal only."""
    shutil.copytree(good, tmp_path / "log")
    if request.param == "journal newer":
        logs.journal(tmp_path / "log", GOOD, NEWER)
    return tmp_path / "log"


def verified(folder: Path, against: Sequence[bytes] = ()) -> Report:
    if (folder / "journal").exists():
        return verify_folder(folder, VERIFIER, against)
    return verify_log(FolderSource(folder), VERIFIER, against)


def found(folder: Path, against: Sequence[bytes] = ()) -> tuple[str, int]:
    report = verified(folder, against)
    assert report.result == "tampered"
    refusal = report.refusal()
    assert refusal is not None
    assert refusal.code == "audit.tampered"
    first = report.findings[0]
    assert first.name in refusal.problem
    return first.tamper, first.index


def rewrite(folder: Path, changed: Sequence[bytes], *, bundles_only: bool = True) -> None:
    """Put other entries in place of the old ones, as far as the number of bundles and their paths allow."""
    if bundles_only:
        for number in range(0, COUNT, 256):
            part = changed[number : number + 256] if number + 256 < COUNT else changed[number:]
            suffix = "" if number + 256 <= COUNT else f".p/{COUNT - number}"
            put(folder, f"tile/entries/{number // 256:03d}{suffix}", bundle(part))
    else:
        shutil.rmtree(folder / "tile")
        publish(folder, changed, (folder / "checkpoint").read_bytes())


def test_a_log_that_nobody_touched(folder: Path) -> None:
    report = verified(folder, [note(GOOD[:size]) for size in (0, 1, 255, 256, 257, 511, 512, 599, 600)])
    size = COUNT + len(NEWER) if (folder / "journal").exists() else COUNT
    assert (report.result, report.size, report.findings, report.notes) == ("intact", size, (), ())
    assert report.refusal() is None


PLACES = [0, 1, 100, 254, 255, 256, 511, 512, 598, 599]
Change = Callable[[int], list[bytes]]


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


CHANGES: dict[str, Change] = {
    "T1": lambda at: [*GOOD[:at], flipped(GOOD[at]), *GOOD[at + 1 :]],
    "T2": lambda at: [*GOOD[:at], GOOD[at].replace(b"success", b"failure"), *GOOD[at + 1 :]],
    "T3": lambda at: [*GOOD[:at], *GOOD[at + 1 :]],
    "T4": lambda at: [*GOOD[:at], OTHER, *GOOD[at:]],
    "T5": lambda at: [*GOOD[:at], GOOD[at + 1], GOOD[at], *GOOD[at + 2 :]],
    "T6": lambda at: [*GOOD[: at + 1], GOOD[at], *GOOD[at + 1 :]],
}


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("at", [0, 1, 100, 254, 255, 256, 511, 512, 598])
def test_entries_changed(folder: Path, kind: str, at: int) -> None:
    """All other entries are as they were; bundles take up what is inserted and removed, as an editor would do it."""
    rewrite(folder, CHANGES[kind](at))
    assert found(folder) == (kind, at + 1 if kind == "T6" else at)


@pytest.mark.parametrize("kind", CHANGES)
def test_entries_changed_in_one_bundle(folder: Path, kind: str) -> None:
    """Only the bundle is written anew, with one entry more or less in it."""
    path = folder / "tile/entries/001"
    changed = CHANGES[kind](300)
    path.write_bytes(bundle(changed[256 : 512 + len(changed) - COUNT]))
    assert found(folder) == (kind, 301 if kind == "T6" else 300)


def test_an_entry_overwritten_by_another_one(folder: Path) -> None:
    rewrite(folder, [*GOOD[:300], GOOD[20], *GOOD[301:]])
    assert found(folder)[1] == 300


@pytest.mark.parametrize("left", [0, 1, 255, 256, 300, 512, 599])
def test_end_cut_off(folder: Path, left: int) -> None:
    """T7: with the tiles, and without."""
    checkpoint = (folder / "checkpoint").read_bytes()
    for path in sorted((folder / "tile/entries").rglob("*")):
        path.unlink() if path.is_file() else None
    shutil.copytree(publish(folder.parent / "short", GOOD[:left]), folder, dirs_exist_ok=True)
    if left % 256:
        number = left // 256
        width = min(COUNT - number * 256, 256)
        target = f"tile/entries/{number:03d}" + ("" if width == 256 else f".p/{width}")
        put(folder, target, bundle(GOOD[number * 256 : left]))
    put(folder, "checkpoint", checkpoint)
    assert found(folder) == ("T7", left)
    shutil.rmtree(folder / "tile/0")
    shutil.rmtree(folder / "tile/1")
    assert found(folder) == ("T7", left)


def test_an_older_log_is_no_log_that_was_cut(tmp_path: Path) -> None:
    """T7's twin: the end is missing together with the checkpoint, and nobody has published a newer one."""
    assert verified(publish(tmp_path, GOOD[:300]), [note(GOOD[:200])]).result == "intact"


def test_put_back_to_an_older_state(tmp_path: Path) -> None:
    """T8: everything is consistent, and only what was published elsewhere tells."""
    publish(tmp_path, GOOD[:300])
    assert verified(tmp_path).result == "intact"
    assert found(tmp_path, [note(GOOD[:100]), note(GOOD)]) == ("T8", 300)


def test_rewritten_without_the_key(folder: Path) -> None:
    """T9: entries and tiles fit each other; the checkpoint is the old one, or its text is new."""
    changed = [*GOOD[:400], OTHER, *GOOD[401:]]
    old = (folder / "checkpoint").read_bytes()
    publish(folder, changed, old)
    assert found(folder) == ("T9", 0)
    assert found(folder, [note(GOOD[:256]), note(GOOD[:390])]) == ("T9", 390)
    text, signature = note(changed).split(b"\n\n")[0], old.split(b"\n\n")[1]
    put(folder, "checkpoint", text + b"\n\n" + signature)
    assert found(folder, [note(GOOD[:256])]) == ("T9", 256)


@pytest.mark.parametrize("what", ["signature", "text"])
def test_a_checkpoint_that_nobody_signed(folder: Path, what: str) -> None:
    """T9: size and root hash are right, so only the signature tells; also where a newer head is in the journal."""
    text, signature = (folder / "checkpoint").read_bytes().split(b"\n\n")
    if what == "text":
        put(folder, "checkpoint", text + b"\nan extension\n\n" + signature)
    else:
        put(folder, "checkpoint", text + b"\n\n" + signature[:-6] + b"AAA==\n"[:6])
    assert found(folder) == ("T9", 0)


def test_a_bundle_rewritten_with_its_tile(folder: Path) -> None:
    changed = [*GOOD[:300], OTHER, *GOOD[301:]]
    publish(folder.parent / "other", changed)
    for path in ("tile/entries/001", "tile/0/001"):
        put(folder, path, (folder.parent / "other" / path).read_bytes())
    assert found(folder) == ("T9", 256)


def test_rewritten_with_the_key(tmp_path: Path) -> None:
    """T10: all of it is signed, and a checkpoint of before says otherwise."""
    publish(tmp_path, [entry(9_999, time=logs.START), *GOOD[1:]])
    assert verified(tmp_path).result == "intact"
    assert found(tmp_path, [note(GOOD[:500])]) == ("T10", 0)


def test_two_logs_under_one_name(tmp_path: Path) -> None:
    """T11: others were shown another continuation of the same beginning."""
    publish(tmp_path, [*GOOD[:400], entry(9_999)])
    assert found(tmp_path, [note(GOOD[:256]), note(GOOD[:400]), note(GOOD[:401])]) == ("T11", 400)
    assert verified(tmp_path, [note(GOOD[:256]), note(GOOD[:400])]).result == "intact"


def test_checkpoint_of_another_log(folder: Path) -> None:
    put(folder, "checkpoint", note(GOOD, origin="other.test/log"))
    assert found(folder) == ("T12", 0)


@pytest.mark.parametrize("signed_as", ["", "other.test/log"])
def test_other_key(folder: Path, signed_as: str) -> None:
    put(folder, "checkpoint", note(GOOD, key=logs.OTHER_KEY, signed_as=signed_as))
    assert found(folder, [note(GOOD[:300])]) == ("T13", 300)


def test_files_removed(folder: Path) -> None:
    for path, kind, index in [
        ("tile/entries/001", "T14", 256), ("tile/0/001", "T14", 256), ("tile/1/000.p/2", "T14", 0),
        ("checkpoint", "T14", 0),
    ]:  # fmt: skip
        kept = (folder / path).read_bytes()
        (folder / path).unlink()
        assert found(folder) == (kind, index), path
        put(folder, path, kept)
    assert verified(folder).result == "intact"


def test_partial_tiles_may_go_when_full_ones_are_there(tmp_path: Path) -> None:
    """T14's twin: tlog-tiles lets a log delete them, and a reader of an older checkpoint takes the full ones."""
    publish(tmp_path, GOOD[:512], note(GOOD[:300]))
    (tmp_path / "tile/1/000.p/1").write_bytes((tmp_path / "tile/1/000.p/2").read_bytes()[:32])
    assert verified(tmp_path).result == "intact"


@pytest.mark.parametrize("at", [0, 255, 256, 599])
def test_tile_edited(folder: Path, at: int) -> None:
    """T15: the entries are right, and the tile is not."""
    path = folder / ("tile/0/002.p/88" if at >= 512 else f"tile/0/{at // 256:03d}")
    data = bytearray(path.read_bytes())
    data[at % 256 * 32] ^= 1
    path.write_bytes(data)
    assert found(folder) == ("T15", at)


def test_tile_of_a_higher_level_edited(folder: Path) -> None:
    path = folder / "tile/1/000.p/2"
    path.write_bytes(path.read_bytes()[:32] + b"x" * 32)
    assert found(folder) == ("T15", 256)


@pytest.mark.parametrize(("back", "result"), [(9, "intact"), (3_600, "tampered")])
@pytest.mark.parametrize("at", [1, 300])
def test_clock_set_back(tmp_path: Path, back: int, result: str, at: int) -> None:
    """T17; the clocks of hosts that write to one log may differ by seconds."""
    changed = entry(at, time=logs.START + (at - 1 - back) * SECOND)
    publish(tmp_path, [*GOOD[:at], changed, *GOOD[at + 1 :]])
    report = verified(tmp_path)
    assert report.result == result
    assert [(each.tamper, each.index) for each in report.findings] == ([("T17", at)] if result == "tampered" else [])


@pytest.mark.parametrize("extra", [b"x", bundle([OTHER]), b"\0\0"])
def test_bytes_after_a_bundle(folder: Path, extra: bytes) -> None:
    for path, end in [("tile/entries/002.p/88", 600), ("tile/entries/000", 256)]:
        kept = (folder / path).read_bytes()
        put(folder, path, kept + extra)
        assert found(folder) == ("T18", end)
        put(folder, path, kept)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A log as a process leaves it that was killed: 10 entries published, 5 in the journal."""
    log = DiskLog(tmp_path / "log", ORIGIN, KEY)
    for number in range(15):
        log.append(event(number))
        if number == 9:
            log.checkpoint()
    return tmp_path / "log"


def journal(folder: Path, changed: bytes) -> tuple[str, int]:
    put(folder, "journal", changed)
    report = verify_folder(folder, VERIFIER)
    return report.findings[0].tamper, report.findings[0].index


def test_the_journal_counts(written: Path) -> None:
    report = verify_folder(written, VERIFIER)
    assert (report.result, report.size, report.notes) == ("intact", 15, ())


def test_a_bit_flipped_in_the_journal(written: Path) -> None:
    """What a later record says was on disk was not torn."""
    data = (written / "journal").read_bytes()
    at = data.index(b'"number":12')
    assert journal(written, data[:at] + flipped(data[at:])) == ("T1", 12)
    report = verify_folder(written, VERIFIER)
    assert report.size == 12


def test_a_journal_edited_with_its_checksum(written: Path) -> None:
    import struct
    import zlib

    data = bytearray((written / "journal").read_bytes())
    at = data.index(b'"number":12')
    data[at : at + 11] = b'"number":77'
    start = data.rindex(b"\xaeLR1", 0, at)
    end = data.index(b"\xaeLR1", at)
    plain = data[start : start + 28] + b"\0" * 4
    data[start + 28 : start + 32] = struct.pack(">I", zlib.crc32(data[start + 32 : end], zlib.crc32(plain)))
    assert journal(written, bytes(data)) == ("T2", 12)


def test_journal_removed_or_put_back(written: Path) -> None:
    data = (written / "journal").read_bytes()
    (written / "journal").unlink()
    report = verify_folder(written, VERIFIER)
    assert [(each.tamper, each.index) for each in report.findings] == [("T14", 10)]
    (written / "journal").symlink_to("/dev/zero")
    with pytest.raises(Exception, match="journal"):
        verify_folder(written, VERIFIER)
    (written / "journal").unlink()
    at = data.index(b'"number":5')
    assert journal(written, data[: data.rindex(b"\xaeLR1", 0, at)].ljust(len(data), b"\0")) == ("T7", 10)
    assert journal(written, b"") == ("T1", 10)


@pytest.mark.parametrize(("old", "kind"), [(b'"number":3', "T2"), (b'"v":1', "T1")])
def test_a_published_entry_edited_in_the_journal(tmp_path: Path, old: bytes, kind: str) -> None:
    """With a right checksum, where nobody reads it any more but a service that starts, which refuses it."""
    forged = [*GOOD[:3], GOOD[3].replace(old, old[:-1] + b"7"), *GOOD[4:10]]
    publish(tmp_path, GOOD[:10])
    assert verified(logs.journal(tmp_path, [], GOOD[:12])).result == "intact"
    logs.journal(tmp_path, [], [*forged, *GOOD[10:12]])
    assert found(tmp_path) == (kind, 3)


def test_a_journal_that_is_not_read_is_told(tmp_path: Path) -> None:
    """Whatever keeps it from being read: what is published may be sound, and is not all."""
    publish(tmp_path, GOOD[:256], note(GOOD[:10]))
    for path in ("tile/0/000", "tile/entries/000"):
        assert (tmp_path / path).exists()
    put(tmp_path, "tile/0/000", (tmp_path / "tile/0/000").read_bytes() + b"x")
    logs.journal(tmp_path, GOOD[:10], GOOD[10:12])
    assert found(tmp_path) == ("T14", 0)


@pytest.mark.parametrize(
    ("last", "how", "found"),
    [(1, "zeroed", ("T7", 14)), (1, "edited", ("T1", 14)), (1, "half", ("T1", 14)), (5, "zeroed", ("T7", 10)),
     (4, "zeroed", ("T7", 11))],
)  # fmt: skip
def test_the_last_acknowledged_entries_were_not_torn(
    written: Path, last: int, how: str, found: tuple[str, int]
) -> None:
    """No later record says that they were on disk; the mark does, without the key, too."""
    data = (written / "journal").read_bytes()
    start = len(data)
    for _ in range(last):
        start = data.rindex(b"\xaeLR1", 0, start)
    if how == "edited":
        changed = data[: start + 60] + flipped(data[start + 60 :])
    else:
        changed = data[: start + (100 if how == "half" else 0)].ljust(len(data), b"\0")
    assert journal(written, changed) == found
    with pytest.raises(CouldNotDecide, match="15 entries were on disk"):
        DiskLog(written, ORIGIN, KEY)


@pytest.mark.parametrize("mark", [b"\0" * 24, pack_mark(14, KEY.mac)[:8], pack_mark(14, logs.OTHER_KEY.mac)])
def test_a_mark_that_was_set_back(written: Path, mark: bytes) -> None:
    """By one who has not the key, to take an entry away: the service notices when it starts."""
    data = (written / "journal").read_bytes()
    start = data.rindex(b"\xaeLR1")
    put(written, "journal", (data[:32] + mark + data[32 + len(mark) : start]).ljust(len(data), b"\0"))
    with pytest.raises(CouldNotDecide, match="mark of what is on disk") as refusal:
        DiskLog(written, ORIGIN, KEY)
    assert refusal.value.code == "audit.unavailable"


@pytest.mark.parametrize("cut", [1, 20, 40, 300])
def test_a_torn_write_is_no_tampering(written: Path, cut: int) -> None:
    """T16: the last write never reached the disk whole."""
    data = (written / "journal").read_bytes()
    start = data.rindex(b"\xaeLR1")
    mark = pack_mark(14, KEY.mac)  # no process has said that the last entry is on disk
    put(written, "journal", data[:32] + mark + data[56 : start + cut] + b"\0" * (len(data) - start - cut))
    report = verify_folder(written, VERIFIER)
    assert (report.result, report.size) == ("intact", 14)
    assert "torn write" in report.notes[0]
    log = DiskLog(written, ORIGIN, KEY)
    assert log.append(event(99)).index == 15
    log.close()
    report = verify_folder(written, VERIFIER)
    assert (report.result, report.size) == ("intact", 16)
    assert "torn-1" in report.notes[0]
    assert b'"action":"log.torn"' in b"".join(path.read_bytes() for path in (written / "tile/entries").rglob("16"))


def restored(lost: Sequence[bytes], at: int, since: int | None = None) -> bytes:
    details = {"lost_size": len(lost), "lost_root": logs.root(lost).hex()}
    if since is not None:
        details["restored_size"] = since
    return entry(at, action="database.restored", details=details)


def test_a_recorded_restore_is_no_tampering(tmp_path: Path) -> None:
    publish(tmp_path, [*GOOD[:300], restored(GOOD[:450], 300), OTHER])
    report = verified(tmp_path, [note(GOOD[:200]), note(GOOD[:400]), note(GOOD[:450])])
    assert (report.result, report.restored, report.findings) == ("restored", (300,), ())
    assert report.refusal() is None
    assert verified(tmp_path, [note(GOOD[:300])]).result == "intact"


def test_a_restore_may_be_recorded_after_the_service_wrote_on(tmp_path: Path) -> None:
    """Also past the size of what was lost: it excuses that, and of its beginnings those after the recorded size."""
    on = [entry(10_000 + at, time=logs.START + at * SECOND) for at in range(300, 460)]
    publish(tmp_path, [*GOOD[:300], *on, restored(GOOD[:450], 460, since=460), restored(GOOD[:440], 461, since=460)])
    report = verified(tmp_path, [note(GOOD[:200]), note(GOOD[:440]), note(GOOD[:450])])
    assert (report.result, report.restored, report.findings) == ("restored", (460, 461), ())
    assert found(tmp_path, [note(GOOD[:200]), note(GOOD[:400]), note(GOOD[:450])]) == ("T11", 200)
    publish(tmp_path, [*GOOD[:300], restored(GOOD[:440], 300, since=300), restored(GOOD[:450], 301, since=300)])
    assert verified(tmp_path, [note(GOOD[:301]), note(GOOD[:450])]).result == "restored"


def test_a_restore_excuses_only_what_it_names(tmp_path: Path) -> None:
    publish(tmp_path, [*GOOD[:300], restored(GOOD[:450], 300), OTHER])
    assert found(tmp_path, [note(GOOD[:200]), note(GOOD[:451])]) == ("T8", 302)
    assert found(tmp_path, [note([*GOOD[:449], OTHER])]) == ("T8", 302)
    assert found(tmp_path, [note([OTHER, *GOOD[1:300]])]) == ("T10", 0)


def test_published_checkpoints_must_be_this_logs(folder: Path) -> None:
    for other in (note(GOOD[:10], key=logs.OTHER_KEY), note(GOOD[:10], origin="other.test/log"), b"no note"):
        with pytest.raises(Exception, match="checkpoint") as refusal:
            verified(folder, [other])
        assert getattr(refusal.value, "code", "") == "audit.checkpoint_invalid"


def test_entries_that_are_no_events_are_told(tmp_path: Path) -> None:
    """The key signed them: perhaps a newer version wrote them. Nothing was changed."""
    publish(tmp_path, [*GOOD[:5], b"{}", GOOD[6].replace(b":", b": ", 1)])
    report = verified(tmp_path)
    assert report.result == "intact"
    assert [text.split()[:2] for text in report.notes] == [["entry", "5"], ["entry", "6"]]


def test_several_processes_verify_the_same(folder: Path) -> None:
    publish(folder.parent / "long", (long := logs.entries(33_000)))
    told: list[tuple[int, int]] = []
    report = verify_log(
        FolderSource(folder.parent / "long"), VERIFIER, [note(long[:32_900])],
        jobs=2, progress=lambda done, of: told.append((done, of)),
    )  # fmt: skip
    assert told == [(128, 129), (129, 129)]
    assert (report.result, report.size) == ("intact", 33_000)
