"""What restores have shown: one small JSON object each, beside the backups, which only who restores may write.

The key says of which backup, when and with which outcome, so that most are never read. What is read back is believed as
far as the rights to write there go, and no further: only one reading is possible, and it must fit its key.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from aegis.backup.drill import DrillOutcome, DrillResult, Equality, Phase
from aegis.backup.inventory import Count, Sha256
from aegis.backup.layout import databases_folder, is_backup_id
from aegis.backup.listing import side_by_side
from aegis.backup.manifest import Time, time_text
from aegis.core.errors import Refused
from aegis.core.policy import Tier
from aegis.core.ports.objects import FolderStore, ObjectInfo, ObjectStore
from aegis.core.ports.writing import WritableStore
from aegis.signatures import strict_json
from aegis.storage.hashing import KeepingSink
from aegis.storage.transfer import read_once

SCHEMA: Final = "aegis-backup-record/v1"
MAX_BYTES: Final = 1 << 20
"""Of one record; 1,000 questions with the longest names are half of it."""
Word: TypeAlias = Literal["PASS", "FAIL", "UNKNOWN"]
"""An outcome in a key; UNKNOWN is COULD NOT VERIFY."""
_WORDS: Final[dict[DrillOutcome, Word]] = {"PASS": "PASS", "FAIL": "FAIL", "COULD NOT VERIFY": "UNKNOWN"}
_KEY: Final = re.compile(r"([^/]{1,64})/([0-9]{8}T[0-9]{6}Z)-(PASS|FAIL|UNKNOWN)\.json")
_TIME: Final = "%Y%m%dT%H%M%SZ"

_Name = Annotated[str, Meta(min_length=1, max_length=500)]
_Text = Annotated[str, Meta(max_length=500)]
_Seconds = Annotated[float, Meta(ge=0, le=1e9)]
_Code = Annotated[str, Meta(pattern=r"\A[a-z_]{1,40}\.[a-z0-9_]{1,80}\Z")]


class Differences(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often one rule found a difference; never which rows."""

    rule: _Code
    count: Count


class Question(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A smoke question, and whether its answer was `true`."""

    name: _Name
    ok: bool


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One restore of one backup."""

    schema: Literal["aegis-backup-record/v1"] = SCHEMA
    database: _Name
    """Its name in the policy."""
    backup: Annotated[str, Meta(max_length=64)]
    manifest_sha256: Sha256 | None
    """Of the manifest's bytes; None where it could not be read."""
    outcome: DrillOutcome
    reason: _Code
    tier: Tier
    equality: Equality
    differences: Annotated[tuple[Differences, ...], Meta(max_length=100)]
    smoke: Annotated[tuple[Question, ...], Meta(max_length=1000)]
    seconds: dict[Phase, _Seconds]
    """Of each phase that was reached."""
    size: Count
    """Bytes of the backup's objects."""
    snapshot_time: Time | None
    engine: _Text
    isolated: bool
    started: Time
    finished: Time
    tool: _Name
    actor: _Text
    run_url: _Text

    @property
    def restore_seconds(self) -> float:
        """What a person waits for in an emergency (RTO): all phases but the comparison, which nobody waits for then."""
        return sum(seconds for phase, seconds in self.seconds.items() if phase != "compare")

    @property
    def finished_at(self) -> datetime:
        """When the restore had shown what it shows, by the clock of the machine that restored."""
        return datetime.fromisoformat(self.finished)


@dataclass(frozen=True, slots=True)
class Entry:
    """A record by its key alone."""

    backup: str
    time: datetime
    word: Word
    info: ObjectInfo


def record_of(
    result: DrillResult,
    *,
    database: str,
    backup: str,
    manifest_sha256: str | None,
    snapshot_time: str | None,
    started: datetime,
    finished: datetime,
    tool: str,
    actor: str,
    run_url: str,
) -> Record:
    """The record of a restore. Empty texts for digest and time mean that the manifest could not be read."""
    counts = Counter(difference.rule for difference in result.differences)
    return Record(
        database=database,
        backup=backup,
        manifest_sha256=manifest_sha256 or None,
        outcome=result.outcome,
        reason=result.reason,
        tier=result.tier,
        equality=result.equality,
        differences=tuple(Differences(rule=rule, count=count) for rule, count in sorted(counts.items())),
        smoke=tuple(Question(name=answer.name, ok=answer.ok) for answer in result.smoke),
        seconds={phase: round(seconds, 3) for phase, seconds in result.seconds.items()},
        size=result.size,
        snapshot_time=snapshot_time or None,
        engine=result.engine,
        isolated=result.isolated,
        started=time_text(started),
        finished=time_text(finished),
        tool=tool,
        actor=actor,
        run_url=run_url,
    )


def dump_record(record: Record) -> bytes:
    """The one text of it. Refuses what `parse_record` would not read back."""
    data = msgspec.json.encode(record, order="sorted")
    parse_record(data)
    return data


def parse_record(data: bytes) -> Record:
    """Of a record's bytes. Refused `backup_check.record_invalid`."""
    try:
        value = strict_json.parse(data, what="the record", limit=MAX_BYTES)
        record = msgspec.convert(value, Record, strict=True)
    except Refused as error:
        raise _invalid(error.problem) from error
    except msgspec.ValidationError as error:
        raise _invalid(f"the record: {error}") from error
    if not is_backup_id(record.backup):
        raise _invalid(f"the record is of a backup {record.backup!r}, which is no backup's id")
    for time in (record.started, record.finished, *([record.snapshot_time] if record.snapshot_time else ())):
        try:
            datetime.fromisoformat(time)
        except ValueError as error:
            raise _invalid(f"the record has the time {time!r}, which never was") from error
    return record


def record_key(prefix: str, record: Record) -> str:
    """Where it lies: `<prefix><database>/<backup>/<time>-<outcome>.json`."""
    time = record.finished_at.astimezone(UTC).strftime(_TIME)
    return f"{databases_folder(prefix, record.database)}{record.backup}/{time}-{_WORDS[record.outcome]}.json"


def write_record(store: WritableStore, prefix: str, record: Record) -> str:
    """Add a record; its key. Nothing is ever written over: `backup_check.object_exists`."""
    key = record_key(prefix, record)
    with store.create(key) as upload:
        upload.write(dump_record(record))
    return key


def entries_of(store: FolderStore, prefix: str, name: str) -> tuple[Entry, ...]:
    """All records of a database by their keys, newest first. What has no record's key is left out.

    Of one second, nobody knows which was the later: FAIL stands before PASS, so that it counts.
    """
    above = databases_folder(prefix, name)
    if above not in store.folders(prefix):
        return ()  # some stores give an error for a folder that nobody has written to yet
    found = []
    for info in store.list(above):
        parts = _KEY.fullmatch(info.key[len(above) :])
        time = _time(parts[2]) if parts is not None and is_backup_id(parts[1]) else None
        if parts is not None and time is not None:
            word: Word = "PASS" if parts[3] == "PASS" else "FAIL" if parts[3] == "FAIL" else "UNKNOWN"
            found.append(Entry(parts[1], time, word, info))
    return tuple(sorted(found, key=lambda entry: (entry.time, entry.word != "PASS", entry.info.key), reverse=True))


def read_record(store: ObjectStore, name: str, entry: Entry) -> Record:
    """One record. Refused `backup_check.record_invalid`, also where it says something else than its key."""
    where = f"{store.location}/{entry.info.key}"
    if entry.info.size > MAX_BYTES:
        raise _invalid(f"{where} has {entry.info.size} bytes")
    kept = KeepingSink()
    read_once(store, entry.info, [kept])
    try:
        record = parse_record(kept.content)
    except Refused as error:
        raise _invalid(f"{where}: {error.problem}") from error
    said = (record.database, record.backup, _WORDS[record.outcome], record.finished_at.replace(microsecond=0))
    if said != (name, entry.backup, entry.word, entry.time):
        raise _invalid(f"{where} is a record of another restore")
    return record


def records_of(store: FolderStore, prefix: str, name: str, *, limit: int) -> tuple[Record, ...]:
    """The newest records of a database, newest first. One that is damaged is left out: nothing is decided by these."""
    return read_records(store, name, entries_of(store, prefix, name)[:limit])


def read_records(store: ObjectStore, name: str, entries: Sequence[Entry]) -> tuple[Record, ...]:
    """These records, without those that are damaged."""

    def one(entry: Entry) -> Record | None:
        try:
            return read_record(store, name, entry)
        except Refused:
            return None

    return tuple(record for record in side_by_side(entries, one, store.location) if record is not None)


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


def _invalid(problem: str) -> Refused:
    return Refused(
        "backup_check.record_invalid",
        problem,
        expected=f"a record of schema {SCHEMA!r} as a restore writes it, of at most {MAX_BYTES} bytes",
        remedy="Verify the backup again, and look for who wrote this record.",
    )
