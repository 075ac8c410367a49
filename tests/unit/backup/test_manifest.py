"""What is read of a manifest is what was written, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from aegis.backup.manifest import MAX_BYTES, backup_id, dump_manifest, parse_manifest, time_text
from aegis.core.errors import CouldNotDecide, Refused
from tests.support.backup.inventories import SNAPSHOT, manifest

ELSEWHERE = ("/etc/passwd", "../x", "a/../b", "a//b", "a/", ".", "a\\b", "a\0b", "a\nb", "ä", "a/b/c/d/e", "", "a?b")
RESERVED = ("manifest.json", "manifest.sigstore.json")
VALID = dump_manifest(manifest())
RECIPIENTS = ("age1" + "a" * 58, "age1" + "c" * 58)


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    value = json.loads(VALID)
    change(value)
    return json.dumps(value).encode()


def test_it_reads_back() -> None:
    assert parse_manifest(VALID) == manifest()
    assert dump_manifest(parse_manifest(VALID)) == VALID


def test_its_text_is_sorted_and_compact() -> None:
    value = json.loads(VALID)
    assert json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == VALID


def test_its_id_sorts_by_time_and_place() -> None:
    assert manifest().id == backup_id(SNAPSHOT) == "20261126T003413Z-0000001A016B3748"


def encrypted(*recipients: str) -> bytes:
    value = json.loads(VALID)
    value["encryption"] = {"recipients": recipients}
    for each in value["objects"]:
        each["name"] += ".age"
    return json.dumps(value).encode()


def test_who_can_read_the_objects_stands_in_it() -> None:
    read = parse_manifest(encrypted(*RECIPIENTS))
    assert read.encryption is not None
    assert read.encryption.recipients == RECIPIENTS
    assert parse_manifest(dump_manifest(read)) == read


@pytest.mark.parametrize(
    "recipients",
    [
        pytest.param((), id="nobody"),
        pytest.param(RECIPIENTS[::-1], id="not sorted"),
        pytest.param((RECIPIENTS[0],) * 2, id="one twice"),
        pytest.param(("age1" + "b" * 58,), id="no bech32"),
        pytest.param(("AGE-SECRET-KEY-1" + "Q" * 58,), id="an identity"),
        pytest.param((RECIPIENTS[0] + "\n",), id="a line end"),
    ],
)
def test_recipients_that_are_none_are_refused(recipients: tuple[str, ...]) -> None:
    with pytest.raises(Refused) as caught:
        parse_manifest(encrypted(*recipients))
    assert caught.value.code == "backup_check.manifest_invalid"


def test_times_are_of_utc() -> None:
    noon = datetime(2026, 11, 26, 12, tzinfo=timezone(timedelta(hours=5)))
    assert time_text(noon) == time_text(noon.astimezone(UTC)) == "2026-11-26T07:00:00.000000Z"


def _set(*path: str | int, value: object) -> Callable[[dict[str, Any]], object]:
    def change(into: Any) -> None:
        for step in path[:-1]:
            into = into[step]
        into[path[-1]] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_set("extra", value=1), id="unknown name"),
        pytest.param(_set("tables", 0, "extra", value=1), id="unknown name of a table"),
        pytest.param(_set("snapshot", "extra", value=1), id="unknown name of the snapshot"),
        pytest.param(lambda value: value.pop("sequences"), id="name missing"),
        pytest.param(_set("schema", value="aegis-verdict/v1"), id="other schema"),
        pytest.param(_set("hash_version", value=0), id="older checksums"),
        pytest.param(_set("checksums", value="none"), id="unknown checksums"),
        pytest.param(_set("id", value="20261126T003413Z-0000001A016B3749"), id="id of another snapshot"),
        pytest.param(_set("id", value="../../elsewhere"), id="id that leads elsewhere"),
        pytest.param(_set("snapshot", "id", value="x' --"), id="snapshot that isn't one"),
        pytest.param(_set("snapshot", "time", value="2026-11-26T00:34:13+00:00"), id="time in another form"),
        pytest.param(_set("snapshot", "dump_ended", value="2026-13-26T00:34:13.000001Z"), id="time that never was"),
        pytest.param(_set("objects", value=[]), id="no objects"),
        pytest.param(_set("objects", 0, "size", value=-1), id="negative size"),
        pytest.param(_set("objects", 0, "size", value=1 << 53), id="size beyond what JSON holds"),
        pytest.param(_set("objects", 0, "size", value=1.5), id="size that is no integer"),
        pytest.param(_set("encryption", value={"recipients": [RECIPIENTS[0]]}), id="plain objects of a recipient"),
        pytest.param(_set("objects", 0, "name", value="dump/1234.dat.zst.age"), id="encrypted for nobody"),
        pytest.param(_set("objects", 0, "sha256", value="A" * 64), id="digest in capitals"),
        pytest.param(_set("objects", 0, "sha256", value="a" * 64 + "\n"), id="digest with a line end"),
        *(
            pytest.param(_set("objects", 0, "name", value=name), id=f"object {name!a}")
            for name in (*ELSEWHERE, *RESERVED)
        ),
        pytest.param(lambda value: value["objects"].reverse(), id="objects not sorted"),
        pytest.param(lambda value: value["objects"].insert(0, value["objects"][0]), id="an object twice"),
        pytest.param(lambda value: value["tables"].append(value["tables"][0]), id="a table twice"),
        pytest.param(lambda value: value["sequences"].append(value["sequences"][0]), id="a sequence twice"),
        pytest.param(lambda value: value["matviews"].append(value["matviews"][0]), id="a view twice"),
        pytest.param(lambda value: value["extensions"].append(value["extensions"][0]), id="an extension twice"),
        pytest.param(lambda value: value["roles"].append(value["roles"][0]), id="a role twice"),
        pytest.param(lambda value: value["tables"][0]["columns"].reverse(), id="columns not sorted"),
        pytest.param(_set("tables", 0, "hash", value="0x1"), id="hash that is no decimal"),
        pytest.param(_set("tables", 0, "hash", value="-0"), id="hash in two ways"),
        pytest.param(_set("tables", 0, "hash", value="1" + "0" * 60), id="hash beyond any sum"),
        pytest.param(_set("tables", 0, "hash", value=5), id="hash as a number"),
        pytest.param(_set("tables", 0, "rows", value="3"), id="rows as text"),
        pytest.param(_set("tables", 0, "kind", value="view"), id="unknown kind"),
        pytest.param(_set("tables", 0, "name", value=""), id="empty name"),
        pytest.param(_set("tables", 0, "name", value="x" * 300), id="name too long"),
        pytest.param(_set("tables", 0, "columns", 0, "rule", value="md5"), id="unknown rule"),
        pytest.param(_set("roles", 0, "password", value="md5…"), id="a password"),
        pytest.param(_set("dump", "compression", value="zstd:1 --no-sync"), id="options in the compression"),
    ],
)
def test_anything_else_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(Refused) as caught:
        parse_manifest(changed(change))
    assert caught.value.code == "backup_check.manifest_invalid"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(VALID[:-1], id="cut"),
        pytest.param(VALID + b"{}", id="two documents"),
        pytest.param(b'{"id":"a",' + VALID[1:], id="a name twice"),
        pytest.param(b"\xef\xbb\xbf" + VALID, id="byte order mark"),
        pytest.param(VALID.replace(b"users", b"us\xffrs"), id="not UTF-8"),
        pytest.param(b"[" * 100 + b"]" * 100, id="too deep"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b" " * (MAX_BYTES + 1), id="too large"),
    ],
)
def test_what_has_no_one_reading_is_refused(data: bytes) -> None:
    with pytest.raises(Refused) as caught:
        parse_manifest(data)
    assert caught.value.code == "backup_check.manifest_invalid"


@pytest.mark.parametrize("change", [_set("schema", value="aegis-backup/v2"), _set("hash_version", value=2)])
def test_one_of_a_later_version_is_told_apart_from_a_damaged_one(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(CouldNotDecide) as caught:
        parse_manifest(changed(change))
    assert caught.value.code == "backup_check.manifest_newer"


def test_what_could_not_be_read_back_is_not_written() -> None:
    twice = manifest().tables * 2
    with pytest.raises(Refused, match="tables"):
        dump_manifest(msgspec.structs.replace(manifest(), tables=twice))


def test_names_of_any_characters_are_kept() -> None:
    name = 'it\'s "quoted"\n%s ünïcode 💾'
    (table,) = manifest().tables
    odd = msgspec.structs.replace(manifest(), tables=(msgspec.structs.replace(table, name=name),))
    assert parse_manifest(dump_manifest(odd)).tables[0].name == name
