"""A backup out of its store: what is downloaded is what the manifest says, or nothing is made of it."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import msgspec
import pytest

from aegis.backup.fetching import Found, check_signature, fetch, fetch_unlisted, find
from aegis.backup.manifest import Encryption, Manifest, StoredObject, backup_id, dump_manifest
from aegis.core.errors import AegisError, CouldNotDecide, Refused
from aegis.signatures.keys.public import load_public_key
from aegis.signatures.types import KeySigner, Trust
from tests.doubles.objects import Bucket, denied
from tests.support.backup.inventories import SNAPSHOT, manifest
from tests.support.signing import signing

FOLDER = f"backups/shop/{backup_id(SNAPSHOT)}/"
CONTENT = {"dump/1234.dat.zst": b"rows" * 5000, "dump/toc.dat": b"contents", "globals.sql": b"roles"}


def stored(content: dict[str, bytes] = CONTENT) -> tuple[Bucket, Manifest]:
    """A whole backup in a bucket."""
    objects = tuple(
        StoredObject(name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())
        for name, data in sorted(content.items())
    )
    encrypted = any(name.endswith(".age") for name in content)
    to = Encryption(recipients=(f"age1{'q' * 58}",)) if encrypted else None
    made = msgspec.structs.replace(manifest(), objects=objects, encryption=to)
    bucket = Bucket()
    bucket.put({f"{FOLDER}{name}": data for name, data in content.items()})
    bucket.put({f"{FOLDER}manifest.json": dump_manifest(made)})
    return bucket, made


def code_of(error: pytest.ExceptionInfo[AegisError]) -> str:
    return error.value.code


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_object_is_read_once_and_is_there(tmp_path: Path) -> None:
    bucket, made = stored()
    found = find(bucket, FOLDER)
    assert found == Found(FOLDER, made, hashlib.sha256(dump_manifest(made)).hexdigest(), ())
    assert found.size == sum(map(len, CONTENT.values()))
    told: list[tuple[int, int]] = []
    fetch(bucket, found, tmp_path, progress=lambda done, total: told.append((done, total)))
    assert files(tmp_path) == CONTENT
    assert all(bucket.given[f"{FOLDER}{name}"] == len(data) for name, data in CONTENT.items())
    assert told[-1] == (found.size, found.size)


def test_all_may_read_what_lies_in_the_private_folder(tmp_path: Path) -> None:
    """So that no sandbox of another user needs a copy."""
    bucket, _ = stored()
    before = os.umask(0o077)
    try:
        fetch(bucket, find(bucket, FOLDER), tmp_path)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {"dump": 0o755, "1234.dat.zst": 0o644, "toc.dat": 0o644, "globals.sql": 0o644}


def test_only_some_objects(tmp_path: Path) -> None:
    bucket, _ = stored()
    fetch(bucket, find(bucket, FOLDER), tmp_path, only={"dump/toc.dat"})
    assert files(tmp_path) == {"dump/toc.dat": CONTENT["dump/toc.dat"]}
    assert not bucket.given[f"{FOLDER}globals.sql"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"dump/toc.dat": b"contentS"}, "dump/toc.dat has the SHA-256"),
        ({"dump/toc.dat": b"content"}, "dump/toc.dat has 7 bytes"),
        ({"dump/toc.dat": b"contents!"}, "dump/toc.dat has 9 bytes"),
        ({"dump/toc.dat": None}, "no longer has dump/toc.dat"),
    ],
    ids=["flipped", "cut", "longer", "gone"],
)
def test_an_object_that_is_another_one(change: dict[str, bytes | None], told: str, tmp_path: Path) -> None:
    bucket, _ = stored()
    for name, data in change.items():
        if data is None:
            del bucket.objects[f"{FOLDER}{name}"]
        else:
            bucket.put({f"{FOLDER}{name}": data})
    with pytest.raises(Refused, match=told) as caught:
        fetch(bucket, find(bucket, FOLDER), tmp_path)
    assert code_of(caught) == "backup_check.object_damaged"


def test_what_is_damaged_is_never_decrypted(tmp_path: Path) -> None:
    content = {"dump/toc.dat.age": b"age-encryption.org/v1"}
    bucket, _ = stored(content)
    bucket.put({f"{FOLDER}dump/toc.dat.age": b"age-encryption.org/v2"})
    asked: list[Path] = []
    with pytest.raises(Refused):
        fetch(bucket, find(bucket, FOLDER), tmp_path, decrypt=lambda source, target: asked.append(source))
    assert asked == []


def test_encrypted_objects_leave_their_content_alone(tmp_path: Path) -> None:
    bucket, _ = stored({"dump/toc.dat.age": b"tnetnoc", "globals.sql.age": b"seLor"})

    def decrypt(source: Path, target: Path) -> None:
        target.touch(0o600)
        target.write_bytes(source.read_bytes()[::-1])

    fetch(bucket, find(bucket, FOLDER), tmp_path, decrypt=decrypt)
    assert files(tmp_path) == {"dump/toc.dat": b"content", "globals.sql": b"roLes"}
    assert stat.S_IMODE((tmp_path / "dump/toc.dat").stat().st_mode) == 0o644


def test_a_disk_that_is_too_small_is_told_before(tmp_path: Path) -> None:
    bucket, _ = stored()
    with pytest.raises(CouldNotDecide, match="the backup has 200") as caught:
        fetch(bucket, find(bucket, FOLDER), tmp_path, free_disk=1 << 60)
    assert code_of(caught) == "backup_check.engine_exhausted"
    assert files(tmp_path) == {}
    assert not bucket.given[f"{FOLDER}dump/toc.dat"]


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket, _ = stored()
    found = find(bucket, FOLDER)

    def full(descriptor: int, data: memoryview) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(CouldNotDecide, match="No space left") as caught:
        fetch(bucket, found, tmp_path)
    monkeypatch.undo()
    assert code_of(caught) == "verify.disk_failed"


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    bucket, _ = stored()
    (tmp_path / "globals.sql").write_bytes(b"mine")
    with pytest.raises(CouldNotDecide) as caught:
        fetch(bucket, find(bucket, FOLDER), tmp_path)
    assert code_of(caught) == "verify.disk_failed"
    assert (tmp_path / "globals.sql").read_bytes() == b"mine"


def test_a_store_that_says_no(tmp_path: Path) -> None:
    bucket, _ = stored()
    found = find(bucket, FOLDER)
    bucket.fault = denied()
    for ask in (lambda: find(bucket, FOLDER), lambda: fetch(bucket, found, tmp_path)):
        with pytest.raises(CouldNotDecide) as caught:
            ask()
        assert code_of(caught) == "verify.store_denied"


def test_without_a_manifest_there_is_no_backup() -> None:
    bucket, _ = stored()
    del bucket.objects[f"{FOLDER}manifest.json"]
    with pytest.raises(Refused) as caught:
        find(bucket, FOLDER)
    assert code_of(caught) == "backup_check.no_backup"


def test_a_manifest_of_another_backup_is_not_believed() -> None:
    """Whole and well signed as it is: an old backup, put in the place of a new one."""
    bucket, made = stored()
    other = FOLDER.replace("20261126", "20261127")
    bucket.put({f"{other}manifest.json": dump_manifest(made)})
    with pytest.raises(Refused) as caught:
        find(bucket, other)
    assert code_of(caught) == "backup_check.manifest_invalid"
    copied = "elsewhere/copy/"  # a person's copy has a name of its own
    bucket.put({f"{copied}manifest.json": dump_manifest(made)})
    assert find(bucket, copied).manifest == made


KEYS = [signing.private("ecdsa-p256"), signing.private("ed25519")]


@pytest.mark.parametrize("key", KEYS, ids=["ecdsa", "ed25519"])
def test_who_must_have_signed(key: signing.Private) -> None:
    bucket, made = stored()
    data = dump_manifest(made)
    trust = Trust(signers=(KeySigner("ops.pub", load_public_key(signing.pem(key), name="ops.pub")),), now=signing.NOW)
    with pytest.raises(Refused) as caught:
        find(bucket, FOLDER, trust)
    assert code_of(caught) == "verify.unsigned"
    bundle = signing.dump(signing.message_bundle(key, data))
    bucket.put({f"{FOLDER}manifest.sigstore.json": bundle})
    assert find(bucket, FOLDER, trust).signed_by == ("ops.pub",)
    signature = bucket.head(f"{FOLDER}manifest.sigstore.json")
    with pytest.raises(Refused):
        check_signature(bucket, signature, data + b" ", trust)
    bucket.put({f"{FOLDER}manifest.json": dump_manifest(msgspec.structs.replace(made, tool="another"))})
    with pytest.raises(Refused) as caught:
        find(bucket, FOLDER, trust)
    assert code_of(caught).startswith("verify.")


def test_a_signature_that_is_too_large_is_not_read() -> None:
    bucket, _ = stored()
    bucket.put({f"{FOLDER}manifest.sigstore.json": b"{" * ((1 << 20) + 1)})
    key = load_public_key(signing.pem(KEYS[0]), name="ops.pub")
    with pytest.raises(Refused) as caught:
        find(bucket, FOLDER, Trust(signers=(KeySigner("ops.pub", key),), now=signing.NOW))
    assert code_of(caught) == "verify.bundle_too_large"
    assert not bucket.given[f"{FOLDER}manifest.sigstore.json"]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("dumps/shop.dump", {"dump": b"custom"}),
        ("dumps/folder/", {"dump/toc.dat": b"toc", "dump/1.dat.gz": b"rows"}),
    ],
)
def test_an_archive_that_no_manifest_lists(key: str, expected: dict[str, bytes], tmp_path: Path) -> None:
    bucket = Bucket()
    bucket.put({"dumps/shop.dump": b"custom", "dumps/folder/toc.dat": b"toc", "dumps/folder/1.dat.gz": b"rows"})
    assert fetch_unlisted(bucket, key, tmp_path) == tmp_path / "dump"
    assert files(tmp_path) == expected


@pytest.mark.parametrize("name", ["../evil", "a/b", ".hidden", "a b", "", "-" * 200])
def test_names_that_lead_elsewhere(name: str, tmp_path: Path) -> None:
    bucket = Bucket()
    bucket.put({"dumps/toc.dat": b"toc", f"dumps/{name}": b"x"})
    with pytest.raises(Refused) as caught:
        fetch_unlisted(bucket, "dumps/", tmp_path)
    assert code_of(caught) == "backup_check.no_backup"
    assert files(tmp_path) == {}


def test_an_archive_that_is_not_there(tmp_path: Path) -> None:
    for key in ("dumps/", "dumps/shop.dump"):
        with pytest.raises(Refused) as caught:
            fetch_unlisted(Bucket(), key, tmp_path)
        assert code_of(caught) == "backup_check.no_backup"
