"""`aegis audit`: each command over a log on disk and one in PostgreSQL, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aegis.adapters.postgres.audit_log import PostgresLog
from aegis.audit.disk import DiskLog
from aegis.audit.entry import decode
from tests.integration.database.logs import ORIGIN, VERIFIER, append_many, as_owner, event, key
from tests.integration.verify.command import Command, Done
from tests.support.databases.postgres import Server

VKEY = str(VERIFIER)
SETTINGS = ("AEGIS_DATA", "AEGIS_AUDIT", "AEGIS_AUDIT_KEY", "AEGIS_AUDIT_ORIGIN", "AEGIS_SERVICE", "DATABASE_URL")
NASTY = "evil\x1b[2J\n::error::x\u202e"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "audit.key"
    file.write_bytes(key().private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    file.chmod(0o600)
    return file


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AEGIS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("AEGIS_AUDIT_KEY", str(key_file))
    monkeypatch.setenv("AEGIS_AUDIT_ORIGIN", ORIGIN)


@pytest.fixture
def aegis(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@dataclass
class Place:
    """Where the log is; the environment says so, too."""

    open: Callable[[], DiskLog | PostgresLog]
    url: str | None
    folder: Path

    def record(self, count: int, name: str = "model") -> bytes:
        """The checkpoint afterwards."""
        with closing(self.open()) as log:
            if isinstance(log, PostgresLog):
                append_many(log, count, name)
            else:
                for number in range(count):
                    log.append(event(f"{name}-{number}"))
            return log.checkpoint()


@pytest.fixture(params=["disk", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    folder = tmp_path / "data" / "audit"
    if request.param == "disk":
        yield Place(lambda: DiskLog(folder, ORIGIN, key()), None, folder)
        return
    url: str = request.getfixturevalue("log_url")
    monkeypatch.setenv("DATABASE_URL", url)
    yield Place(lambda: PostgresLog(url, ORIGIN, key()), url, folder)


def test_tail_shows_the_newest_for_people_without_their_control_characters(place: Place, aegis: Command) -> None:
    place.record(12)
    with closing(place.open()) as log:
        log.append(replace(event(NASTY), reason=NASTY))
    done = aegis("audit", "tail", "--lines", "3").ends(
        0, "10  20", "11  20", "success model.load.verified model:model-11 by test"
    )
    assert len(done.out.splitlines()) == 3
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out
    assert r"model:evil\x1b[2J\n::error::x\u202e by test" in done.out
    as_json = aegis("audit", "tail", "--lines", "2", "--format", "json").ends(0)
    assert [json.loads(line)["resource"]["name"] for line in as_json.out.splitlines()] == ["model-11", NASTY]
    assert "\x1b" not in as_json.out
    assert len(aegis("audit", "tail", "--lines", "100").ends(0).out.splitlines()) == 13
    assert aegis("audit", "tail", "--lines", "0").ends(0).out == ""


def test_verify_accepts_what_its_key_signed(place: Place, aegis: Command, tmp_path: Path) -> None:
    old = tmp_path / "old.checkpoint"
    old.write_bytes(place.record(3))
    place.record(4)
    aegis("audit", "verify").ends(0, f"intact: 7 entries of {ORIGIN}, root hash ", f"key: {VKEY}\n")
    aegis("audit", "verify", "--key", VKEY, "--against", old).ends(0, "intact: 7")
    vkey = tmp_path / "vkey"
    vkey.write_text(f"{VKEY}\n")
    aegis("audit", "verify", "--key", vkey).ends(0, "intact: 7")


def test_verify_says_what_was_done_and_where(place: Place, aegis: Command) -> None:
    place.record(8)
    if place.url:
        as_owner(place.url, "DELETE FROM audit_entries WHERE index = 5")
        aegis("audit", "verify").ends(1, "audit.tampered", "at entry 5", "T3 entry removed")
    else:
        bundle = place.folder / "tile/entries/000.p/8"
        data = bytearray(bundle.read_bytes())
        data[-1] ^= 1
        bundle.chmod(0o644)
        bundle.write_bytes(data)
        aegis("audit", "verify").ends(1, "audit.tampered", "at entry 7")


def test_verify_knows_its_key(place: Place, aegis: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place.record(2)
    other = VKEY.replace(ORIGIN, "other.example/log")
    aegis("audit", "verify", "--key", other).ends(2, "core.wrong_usage")
    from aegis.audit.keys import verifier_of

    aegis("audit", "verify", "--key", str(verifier_of(key(1), ORIGIN))).ends(1, "T13")
    aegis("audit", "verify", "--key", str(verifier_of(key(), "other.example/log"))).ends(1, "T12")
    monkeypatch.setenv("AEGIS_AUDIT_KEY", str(tmp_path / "none.key"))
    aegis("audit", "verify").ends(2, "no key is named")
    assert not (tmp_path / "none.key").exists()
    aegis("audit", "verify", "--key", tmp_path / "none.key").ends(2, "is no file and no verifier key")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"no+vkey", b"-----BEGIN nonsense", b"x" * 20_000])
def test_a_key_that_is_none(place: Place, aegis: Command, tmp_path: Path, content: bytes) -> None:
    place.record(1)
    file = tmp_path / "bad.key"
    file.write_bytes(content)
    file.chmod(0o600)
    done = aegis("audit", "verify", "--key", file)
    assert done.code in {1, 2, 3}
    done.ends(done.code)


def test_verify_against_what_is_no_checkpoint_or_of_another_log(place: Place, aegis: Command, tmp_path: Path) -> None:
    place.record(2)
    file = tmp_path / "checkpoint"
    for content in (b"", b"\xff", b"text\n", b"x" * 100_000):
        file.write_bytes(content)
        done = aegis("audit", "verify", "--against", file)
        assert done.code in {1, 2}
        done.ends(done.code)
    aegis("audit", "verify", "--against", tmp_path / "none").ends(2, "cannot be read")
    with closing(DiskLog(tmp_path / "of-another", "other.example/log", key())) as other:
        other.append(event())
        file.write_bytes(other.checkpoint())
    aegis("audit", "verify", "--against", file).ends(1, "audit.checkpoint_invalid", "other.example/log")


def test_a_proof_convinces_without_the_log(
    place: Place, aegis: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.record(9)
    proof, entry = tmp_path / "4.tlog-proof", tmp_path / "4.json"
    aegis("audit", "prove", "4", "--output", proof, "--entry", entry).ends(0)
    assert decode(entry.read_bytes()).event.resource.name == "model-4"
    assert aegis("audit", "prove", "4").ends(0).out.startswith("c2sp.org/tlog-proof@v1\nindex 4\n")
    monkeypatch.setenv("AEGIS_DATA", str(tmp_path / "elsewhere"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    check = ("audit", "verify", "--key", VKEY, "--proof", proof, "--entry", entry)
    aegis(*check).ends(0, f"proven: it is entry 4 of 9 in {ORIGIN}")
    entry.write_bytes(entry.read_bytes().replace(b"model-4", b"model-5"))
    aegis(*check).ends(1, "audit.proof_invalid")
    proof.write_bytes(b"nonsense")
    aegis(*check).ends(1, "audit.proof_invalid")
    aegis("audit", "verify", "--key", VKEY, "--proof", proof).ends(2, "both or none")


@pytest.mark.parametrize("index", ["9", "999999999999999999"])
def test_no_proof_of_what_is_not_there(place: Place, aegis: Command, tmp_path: Path, index: str) -> None:
    place.record(9)
    aegis("audit", "prove", index, "--output", tmp_path / "proof").ends(1, "audit.proof_invalid")
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize("form", ["json", "ocsf", "ecs", "cloudevents"])
def test_export_writes_a_line_an_entry(place: Place, aegis: Command, tmp_path: Path, form: str) -> None:
    place.record(300)
    out = tmp_path / "events.jsonl"
    aegis("audit", "export", "--format", form, "--output", out).ends(0)
    lines = out.read_bytes().splitlines()
    assert len(lines) == 300
    assert all(isinstance(json.loads(line), dict) for line in lines)
    assert b"model-299" in lines[-1]
    some = aegis("audit", "export", "--format", form, "--from", "255").ends(0)
    assert some.out.encode().splitlines() == lines[255:]
    assert aegis("audit", "export", "--from", "300").ends(0).out == ""


def test_an_export_that_fails_leaves_no_file(place: Place, aegis: Command, tmp_path: Path) -> None:
    place.record(3)
    aegis("audit", "export", "--output", tmp_path / "none" / "events").ends(3, "core.output_unwritable")
    if place.url:
        as_owner(place.url, "UPDATE audit_entries SET entry = 'no event' WHERE index = 2")
        aegis("audit", "export", "--output", tmp_path / "events").ends(1, "audit.entry_malformed", "entry 2")
        aegis("audit", "tail", "--format", "json").ends(1, "audit.entry_malformed")
        aegis("audit", "tail").ends(0, "2  is no event", "model-1")
        as_owner(place.url, "DELETE FROM audit_entries WHERE index = 2")
        aegis("audit", "export", "--output", tmp_path / "events").ends(3, "audit.unavailable", "2 of 3 entries")
    assert sorted(path.name for path in tmp_path.iterdir() if "events" in path.name) == []


def test_a_checkpoint_is_printed_or_written(place: Place, aegis: Command, tmp_path: Path) -> None:
    note = place.record(5)
    assert aegis("audit", "checkpoint").ends(0).out.encode() == note
    aegis("audit", "checkpoint", "--output", tmp_path / "checkpoint").ends(0)
    assert (tmp_path / "checkpoint").read_bytes() == note
    from aegis.audit.keys import verifier_of

    aegis("audit", "checkpoint", "--key", str(verifier_of(key(1), ORIGIN))).ends(1, "audit.checkpoint_invalid")


def test_a_checkpoint_that_does_not_continue_the_published_one_is_not_given(
    place: Place, aegis: Command, tmp_path: Path
) -> None:
    """A log that was put back or rewritten is noticed by whoever publishes it next."""
    old, other = tmp_path / "old", tmp_path / "other"
    old.write_bytes(place.record(3))
    note = place.record(2)
    assert aegis("audit", "checkpoint", "--after", old, "--key", VKEY).ends(0).out.encode() == note
    with closing(DiskLog(tmp_path / "rewritten", ORIGIN, key())) as rewritten:
        rewritten.append(event())
        other.write_bytes(rewritten.checkpoint())
    done = aegis("audit", "checkpoint", "--after", other, "--output", tmp_path / "new")
    done.ends(1, "audit.checkpoint_invalid", "does not continue the one of 1")
    assert not (tmp_path / "new").exists()
    aegis("audit", "checkpoint", "--after", tmp_path / "nothing").ends(2)


def test_what_is_wrong_at_first_sight_is_told_by_every_command(place: Place, aegis: Command, tmp_path: Path) -> None:
    note = place.record(5)
    if place.url:
        as_owner(place.url, "INSERT INTO audit_entries VALUES (5, 'x')", "INSERT INTO audit_nodes VALUES (1, 0, 'x')")
        kinds = ["T4", "T18"]
    else:
        (place.folder / "journal").unlink()
        kinds = ["T14"]
    aegis("audit", "verify").ends(1, "audit.tampered", *kinds)
    for arguments in (("tail",), ("export",), ("checkpoint",), ("prove", "3", "--output", tmp_path / "proof")):
        done = aegis("audit", *arguments)
        assert done.code == 0
        assert all(f": {kind} " in done.err for kind in kinds)
        assert done.err.startswith("warning: the log at entry ")
    assert aegis("audit", "checkpoint").out.encode() == note


def test_a_restore_is_recorded_and_told_apart(
    place: Place, aegis: Command, tmp_path: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the dump of another database, or the copy of the folder, of 4 entries."""
    lost = tmp_path / "lost"
    place.record(4)
    back = put_aside(place, tmp_path, postgres)
    lost.write_bytes(place.record(3, "lost"))
    aegis("audit", "restored", "--checkpoint", lost).ends(1, "audit.nothing_lost")
    back(monkeypatch)
    aegis("audit", "verify", "--against", lost).ends(1, "audit.tampered", "T8", "at entry 4")
    aegis("audit", "restored", "--checkpoint", lost).ends(0, "recorded as entry 4")
    aegis("audit", "verify", "--against", lost).ends(0, "restored: 5 entries", "restored: entry 4 says")
    assert "database.restored" in aegis("audit", "tail", "--lines", "1").out


def put_aside(place: Place, tmp_path: Path, postgres: Server) -> Callable[[pytest.MonkeyPatch], None]:
    import shutil

    if place.url is None:
        shutil.copytree(place.folder, tmp_path / "backup")

        def folder_back(_: pytest.MonkeyPatch) -> None:
            shutil.rmtree(place.folder)
            shutil.copytree(tmp_path / "backup", place.folder)

        return folder_back
    name = postgres.new_database(place.url.rpartition("/")[2])
    return lambda monkeypatch: monkeypatch.setenv("DATABASE_URL", postgres.url(name))


def test_only_a_checkpoint_of_this_log_is_recorded_as_lost(place: Place, aegis: Command, tmp_path: Path) -> None:
    place.record(2)
    file = tmp_path / "checkpoint"
    file.write_bytes(b"nonsense")
    aegis("audit", "restored", "--checkpoint", file).ends(2, "core.wrong_usage")
    with closing(DiskLog(tmp_path / "other", ORIGIN, key(1))) as other:
        for _ in range(5):
            other.append(event())
        file.write_bytes(other.checkpoint())
    aegis("audit", "restored", "--checkpoint", file).ends(1, "audit.checkpoint_invalid")
    aegis("audit", "restored").ends(2)
    aegis("audit", "verify").ends(0, "intact: 2 entries")


@pytest.mark.parametrize("command", ["tail", "verify", "prove", "export", "checkpoint"])
def test_a_log_that_is_not_there(aegis: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    more = ("0",) if command == "prove" else ()
    aegis("audit", command, *more).ends(2, "is no folder")
    aegis("audit", command, *more, "--log", tmp_path / ("x" * 300)).ends(2, "is no folder")
    empty = tmp_path / "empty"
    empty.mkdir()
    done: Done = aegis("audit", command, *more, "--log", empty)
    assert done.code in {1, 3}
    done.ends(done.code)
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2secret@127.0.0.1:1/none")
    gone = aegis("audit", command, *more).ends(3, "audit.unavailable", "127.0.0.1:1")
    assert "hunter2secret" not in gone.said
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2secret@[/none")
    assert "hunter2secret" not in aegis("audit", command, *more).ends(2, "runtime.database_url_invalid").said


@pytest.mark.parametrize(
    "arguments",
    [("tail", "--lines", "-1"), ("tail", "--lines", "1" * 30), ("tail", "--lines", "100001"), ("prove",),
     ("prove", "x"), ("prove", "\u0661"), ("export", "--format", "xml"), ("verify", "--nonsense"), (), ("nothing",)],
)  # fmt: skip
def test_wrong_usage(aegis: Command, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "data" / "audit").mkdir(parents=True)
    aegis("audit", *arguments).ends(2)
