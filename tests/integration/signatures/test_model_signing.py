"""OpenSSF's own model_signing as a second opinion: both read what the other signs, and where it accepts more.

The hostile cases are accepted by model_signing 1.1.1 (asserted for each) and refused here with a reason.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import model_signing
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from aegis.core.errors import Refused
from aegis.signatures.formats.bundle import parse_bundle
from aegis.signatures.keys.public import load_public_key
from aegis.signatures.lock import Lock, accept
from aegis.signatures.lock import check as check_lock
from aegis.signatures.models.manifest import Manifest, check_digests, check_listing, read_manifest
from aegis.signatures.models.sign import key_hint, model_statement
from aegis.signatures.release import Release, parse_release, release_statement
from aegis.signatures.release import check as check_release
from aegis.signatures.statement import parse_statement
from aegis.signatures.types import KeySigner, Trust
from aegis.signatures.verify import verify_envelopes
from tests.support.signing import signing
from tests.support.signing.models import document, hashed, hashed_all, names_in, resource, write

# Its constructors have no types.
Hashing: Any = model_signing.hashing.Config
Signing: Any = model_signing.signing.Config
Verifying: Any = model_signing.verifying.Config

SIGNATURE = "model.sig"
FILES = {"config.json": b"{}", "d/weights.bin": b"0123456789" * 10, "d-1.txt": b"x", "模型.bin": b"y", ".hidden": b"z"}
KINDS = ("ecdsa-p256", "ecdsa-p384", "ecdsa-p521")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "model", FILES)


class Keys:
    """One key pair, in files for model_signing and in memory for us."""

    def __init__(self, folder: Path, kind: str = "ecdsa-p256") -> None:
        self.key = signing.private(kind)
        self.private, self.public = folder / "key.pem", folder / "key.pub"
        self.private.write_bytes(signing.private_pem(self.key))
        self.public.write_text(signing.pem(self.key))

    def sign(self, payload: bytes) -> bytes:
        """A bundle as model_signing reads it."""
        assert isinstance(self.key, ec.EllipticCurvePrivateKey)
        bundle = signing.envelope_bundle(self.key, payload)
        public = load_public_key(signing.pem(self.key), name="key.pub")
        bundle["verificationMaterial"]["publicKey"]["hint"] = key_hint(public)
        return signing.dump(bundle)

    @property
    def trust(self) -> Trust:
        key = load_public_key(signing.pem(self.key), name="key.pub")
        return Trust(signers=(KeySigner("key.pub", key),), now=signing.NOW)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


def ours(keys: Keys, folder: Path, ignores: tuple[str, ...] = ()) -> Manifest:
    """The whole way: signature, statement, manifest, listing, digests."""
    data = (folder / SIGNATURE).read_bytes()
    _, envelopes = verify_envelopes([parse_bundle(data, name=SIGNATURE)], keys.trust)
    (envelope,) = envelopes
    manifest = read_manifest(parse_statement(envelope), allowed_ignores=ignores, signatures=(SIGNATURE,))
    check_listing(manifest, names_in(folder), signatures=(SIGNATURE,))
    check_digests(
        manifest,
        {
            file.name: hashed(
                (folder / file.name).read_bytes(), algorithm=manifest.algorithm, shard_size=manifest.shard_size
            )
            for file in manifest.files
        },
    )
    return manifest


def theirs(keys: Keys, folder: Path, *, git: bool = True, ignore_unsigned: bool = False) -> None:
    """model_signing's answer: ValueError and others if it refuses."""
    config = Verifying().use_elliptic_key_verifier(public_key=keys.public)
    if not git:
        hashing = Hashing().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)
        config = config.set_hashing_config(hashing)
    config.set_ignore_unsigned_files(ignore_unsigned).verify(folder, folder / SIGNATURE)


def they_sign(keys: Keys, folder: Path, hashing: Any = None) -> None:
    hashing = (hashing or Hashing()).set_ignored_paths(paths=[folder / SIGNATURE])
    config = Signing().use_elliptic_key_signer(private_key=keys.private)
    config.set_hashing_config(hashing).sign(folder, folder / SIGNATURE)


# --- both directions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_whole_files_that_model_signing_signed(tmp_path: Path, folder: Path, kind: str) -> None:
    keys = Keys(tmp_path, kind)
    they_sign(keys, folder)
    theirs(keys, folder)
    manifest = ours(keys, folder)
    assert [file.name for file in manifest.files] == sorted(FILES)
    assert manifest.name == "model"


@pytest.mark.parametrize("size", [1, 7, 10, 100, 1000])
def test_shards_that_model_signing_signed(keys: Keys, folder: Path, size: int) -> None:
    they_sign(keys, folder, Hashing().use_shard_serialization(shard_size=size))
    manifest = ours(keys, folder)
    assert manifest.shard_size == size
    assert {file.name: file.size for file in manifest.files} == {name: len(data) for name, data in FILES.items()}


def test_blake2b_that_model_signing_signed(keys: Keys, folder: Path) -> None:
    they_sign(keys, folder, Hashing().use_file_serialization(hashing_algorithm="blake2"))
    assert ours(keys, folder).algorithm == "blake2b"


def test_blake3_that_model_signing_signed_has_its_own_reason(keys: Keys, folder: Path) -> None:
    they_sign(keys, folder, Hashing().use_file_serialization(hashing_algorithm="blake3"))
    theirs(keys, folder)
    with pytest.raises(Refused) as refused:
        ours(keys, folder)
    assert refused.value.code == "verify.manifest_algorithm"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0, 7, 1000])
def test_what_we_sign_is_accepted_by_model_signing(tmp_path: Path, folder: Path, size: int, kind: str) -> None:
    keys = Keys(tmp_path, kind)
    payload = model_statement("model", hashed_all(FILES, shard_size=size), shard_size=size, ignore_paths=(SIGNATURE,))
    (folder / SIGNATURE).write_bytes(keys.sign(payload))
    ours(keys, folder)
    theirs(keys, folder)
    (folder / "d/weights.bin").write_bytes(b"0123456789" * 9 + b"012345678x")
    with pytest.raises(ValueError, match="mismatch"):
        theirs(keys, folder)
    with pytest.raises(Refused):
        ours(keys, folder)


@pytest.mark.parametrize("kind", KINDS)
def test_the_hint_is_the_one_that_model_signing_writes(tmp_path: Path, folder: Path, kind: str) -> None:
    keys = Keys(tmp_path, kind)
    they_sign(keys, folder)
    written = parse_bundle((folder / SIGNATURE).read_bytes(), name=SIGNATURE).key_hint
    assert written == key_hint(load_public_key(signing.pem(keys.key), name="key.pub"))


def test_the_files_of_git_that_we_sign_are_accepted_if_model_signing_looks_at_them(keys: Keys, folder: Path) -> None:
    files = {**FILES, ".gitattributes": b"* -text", ".github/x.yml": b"on: push"}
    write(folder, files)
    payload = model_statement("model", hashed_all(files), ignore_paths=(SIGNATURE,))
    (folder / SIGNATURE).write_bytes(keys.sign(payload))
    ours(keys, folder)
    theirs(keys, folder, git=False)


def test_the_same_root_digest_as_model_signing(keys: Keys, folder: Path) -> None:
    # These names sort the same by name and by parts.
    (folder / "d-1.txt").unlink()
    they_sign(keys, folder)
    files = {name: content for name, content in FILES.items() if name != "d-1.txt"}
    value = json.loads(model_statement("model", hashed_all(files)))
    assert ours(keys, folder).root.hex() == value["subject"][0]["digest"]["sha256"]


@pytest.mark.parametrize(
    ("attack", "code"),
    [
        (lambda it: (it / "config.json").write_bytes(b"[]"), "verify.file_differs"),
        (lambda it: (it / "config.json").write_bytes(b""), "verify.file_differs"),
        (lambda it: (it / "config.json").unlink(), "verify.file_missing"),
        (lambda it: (it / "x.pkl").write_bytes(b"x"), "verify.file_unsigned"),
        (lambda it: (it / "d/__init__.py").write_bytes(b""), "verify.file_unsigned"),
        (lambda it: (it / "config.json").rename(it / "other.json"), "verify.file_missing"),
    ],
)
def test_both_refuse(keys: Keys, folder: Path, attack: Callable[[Path], object], code: str) -> None:
    they_sign(keys, folder)
    attack(folder)
    with pytest.raises(ValueError, match="mismatch"):
        theirs(keys, folder)
    with pytest.raises(Refused) as refused:
        ours(keys, folder)
    assert refused.value.code == code


# --- what model_signing accepts and we refuse -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [".git/hooks/post-checkout", ".git/payload.pkl", ".github/workflows/x.yml", ".gitattributes", ".gitignore"],
)
def test_unsigned_files_among_those_of_git(keys: Keys, folder: Path, name: str) -> None:
    they_sign(keys, folder)
    write(folder, {name: b"evil"})
    theirs(keys, folder)
    with pytest.raises(Refused) as refused:
        ours(keys, folder)
    assert refused.value.code == "verify.file_unsigned"
    # The policy, not the signer, may leave it out.
    ours(keys, folder, ignores=(name.partition("/")[0],))


def of(files: Mapping[str, bytes], **serialization: Any) -> dict[str, Any]:
    return document([resource(name, content) for name, content in sorted(files.items())], **serialization)


def shards(*names: str, content: bytes = b"0123") -> dict[str, Any]:
    label = "sha256-sharded-4"
    return document([resource(name, content, label=label) for name in names], method="shards", shard_size=4)


def with_predicate(value: dict[str, Any], **fields: Any) -> dict[str, Any]:
    value["predicate"].update(fields)
    return value


def with_resource(value: dict[str, Any], **fields: Any) -> dict[str, Any]:
    value["predicate"]["resources"][0].update(fields)
    return value


def reordered(files: Mapping[str, bytes], **serialization: Any) -> dict[str, Any]:
    return document([resource(name, files[name]) for name in sorted(files, reverse=True)], **serialization)


def outdated(files: Mapping[str, bytes]) -> dict[str, Any]:
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in digests.items()],
        "predicateType": "https://model_signing/Digests/v0.1",
        "predicate": {},
    }


ONE = {"a": b"1"}
TWO = {"a": b"1", "b": b"2"}
IGNORE = {"ignore_paths": [SIGNATURE]}

HOSTILE: dict[str, tuple[Mapping[str, bytes], dict[str, Any] | bytes, str]] = {
    # what lies there, what is signed, and why it is refused
    "left out by the signer": (
        {**ONE, "cache/evil.pkl": b"x"}, of(ONE, ignore_paths=[SIGNATURE, "cache"]), "verify.ignored_paths",
    ),
    "everything left out": (
        {"evil.pkl": b"x"}, document([], ignore_paths=["."]), "verify.ignored_paths",
    ),
    "left out as a path of git": (
        {**ONE, ".git/evil.py": b"x"}, of(ONE, ignore_paths=[SIGNATURE, ".git"]), "verify.file_unsigned",
    ),
    "no file signed": ({}, document([], **IGNORE), "verify.manifest_empty"),
    "a name twice, the last one true": (
        ONE, document([resource("a", b"evil"), resource("a", b"1")], **IGNORE), "verify.duplicate_name",
    ),
    "a dot before a name": (ONE, of({"./a": b"1"}, **IGNORE), "verify.unsafe_name"),
    "two slashes": ({"d/a": b"1"}, of({"d//a": b"1"}, **IGNORE), "verify.unsafe_name"),
    "a slash at the end": (ONE, of({"a/": b"1"}, **IGNORE), "verify.unsafe_name"),
    "a dot between": ({"d/a": b"1"}, of({"d/./a": b"1"}, **IGNORE), "verify.unsafe_name"),
    "case twins": ({"A": b"1", "a": b"2"}, of({"A": b"1", "a": b"2"}, **IGNORE), "verify.duplicate_name"),
    "composition twins": (
        {"n\u00e9": b"1", "ne\u0301": b"2"}, of({"n\u00e9": b"1", "ne\u0301": b"2"}, **IGNORE), "verify.duplicate_name",
    ),
    "a backslash": ({"d\\a": b"1"}, of({"d\\a": b"1"}, **IGNORE), "verify.unsafe_name"),
    "a drive": ({"C:a": b"1"}, of({"C:a": b"1"}, **IGNORE), "verify.unsafe_name"),
    "a device": ({"NUL": b"1"}, of({"NUL": b"1"}, **IGNORE), "verify.unsafe_name"),
    "a dot at the end": ({"a.": b"1"}, of({"a.": b"1"}, **IGNORE), "verify.unsafe_name"),
    "a line feed": ({"a\n::set-output name=x::1": b"1"}, of({"a\n::set-output name=x::1": b"1"}, **IGNORE),
                    "verify.unsafe_name"),
    "an escape": ({"a\x1b[2J": b"1"}, of({"a\x1b[2J": b"1"}, **IGNORE), "verify.unsafe_name"),
    "text turned around": ({"a\u202egnp.py": b"1"}, of({"a\u202egnp.py": b"1"}, **IGNORE), "verify.unsafe_name"),
    "an order of its own": (TWO, reordered(TWO, **IGNORE), "verify.manifest_malformed"),
    "digits in uppercase": (
        {"a": b"2"}, with_resource(of({"a": b"2"}, **IGNORE), digest=hashlib.sha256(b"2").hexdigest().upper()),
        "verify.manifest_malformed",
    ),
    "white space in a digest": (
        ONE, with_resource(of(ONE, **IGNORE), digest=" ".join(hashlib.sha256(b"1").hexdigest()[at : at + 2]
                                                              for at in range(0, 64, 2))),
        "verify.manifest_malformed",
    ),
    "a field nobody knows": (ONE, with_predicate(of(ONE, **IGNORE), revoked=True), "verify.manifest_malformed"),
    "a shard size for whole files": (ONE, of(ONE, shard_size=4, **IGNORE), "verify.manifest_malformed"),
    "offsets with zeros before": ({"a": b"0123"}, shards("a:00:04"), "verify.manifest_malformed"),
    "offsets with a sign": ({"a": b"0123"}, shards("a:+0:+4"), "verify.manifest_malformed"),
    "offsets with white space": ({"a": b"0123"}, shards("a: 0:4 "), "verify.manifest_malformed"),
    "offsets in other digits": ({"a": b"0123"}, shards("a:0:\u0664"), "verify.manifest_malformed"),
    "a shard twice": ({"a": b"0123"}, shards("a:0:4", "a:0:4"), "verify.duplicate_name"),
    "an empty file beside shards": ({"a": b"0123", "__init__.py": b""}, shards("a:0:4"), "verify.file_unsigned"),
    "a digest of the root that nobody looks at": (
        ONE, of(ONE, **IGNORE) | {"subject": [{"name": "model", "digest": {
            **of(ONE)["subject"][0]["digest"], "sha512": "00" * 64}}]}, "verify.manifest_inconsistent",
    ),
    "the format without files left out": (ONE, outdated(ONE), "verify.manifest_outdated"),
    "a key twice in JSON": (
        ONE, json.dumps(of(ONE, **IGNORE)).replace('"predicate":', '"predicate": {}, "predicate":').encode(),
        "verify.statement_malformed",
    ),
    "half a surrogate pair": (
        ONE, json.dumps(of(ONE, **IGNORE)).replace('"name": "model"', '"name": "\\ud800"').encode(),
        "verify.statement_malformed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_model_that_model_signing_accepts(keys: Keys, tmp_path: Path, case: str) -> None:
    files, signed, code = HOSTILE[case]
    folder = tmp_path / "hostile"
    folder.mkdir()
    write(folder, files)
    payload = signed if isinstance(signed, bytes) else json.dumps(signed).encode()
    # The signature lies beside the folder for model_signing, since not every hostile manifest leaves it out.
    signature = keys.sign(payload)
    beside = tmp_path / "beside.sig"
    beside.write_bytes(signature)
    Verifying().use_elliptic_key_verifier(public_key=keys.public).verify(folder, beside)
    (folder / SIGNATURE).write_bytes(signature)
    with pytest.raises(Refused) as refused:
        ours(keys, folder)
    assert refused.value.code == code


def test_a_name_outside_of_the_folder(keys: Keys, tmp_path: Path) -> None:
    write(tmp_path, {"outside": b"1"})
    folder = write(tmp_path / "inside", {"a": b"2"})
    value = document([resource("../outside", b"1")], **IGNORE)
    (folder / SIGNATURE).write_bytes(keys.sign(json.dumps(value).encode()))
    theirs(keys, folder, ignore_unsigned=True)
    with pytest.raises(Refused) as refused:
        ours(keys, folder)
    assert refused.value.code == "verify.unsafe_name"


# --- what only a release statement tells ------------------------------------------------------------------------------

UNTIL = signing.NOW + datetime.timedelta(days=30)


def released(keys: Keys, name: str, version: str, model: Manifest) -> Release:
    """A release as it comes out of its own signed statement."""
    release = Release(name=name, version=version, root=model.content.hex(), not_after=UNTIL)
    assert isinstance(keys.key, ec.EllipticCurvePrivateKey)
    data = signing.dump(signing.envelope_bundle(keys.key, release_statement(release)))
    _, (envelope,) = verify_envelopes([parse_bundle(data, name="release.sigstore.json")], keys.trust)
    return parse_release(parse_statement(envelope))


def test_a_model_in_the_place_of_another_or_of_its_own_successor(keys: Keys, tmp_path: Path) -> None:
    bert, old, new = (write(tmp_path / name, {"weights.bin": name.encode()}) for name in ("bert", "llama-1", "llama-2"))
    for folder in (bert, old, new):
        they_sign(keys, folder)
    first = released(keys, "llama", "1.0", ours(keys, old))
    second = released(keys, "llama", "2.0", ours(keys, new))
    lock = accept(accept(Lock(), first, signing.NOW.date()), second, signing.NOW.date())
    place = old.rename(tmp_path / "llama")

    theirs(keys, place)
    content = ours(keys, place).content.hex()
    check_release(first, name="llama", root=content, now=signing.NOW)
    with pytest.raises(Refused) as refused:
        check_lock(lock, first)
    assert refused.value.code == "verify.rollback"
    with pytest.raises(Refused) as refused:
        check_release(second, name="llama", root=content, now=signing.NOW)
    assert refused.value.code == "verify.release_digest"

    theirs(keys, bert)
    other = released(keys, "bert", "3.0", ours(keys, bert))
    with pytest.raises(Refused) as refused:
        check_release(other, name="llama", root=ours(keys, bert).content.hex(), now=signing.NOW)
    assert refused.value.code == "verify.release_name"
    with pytest.raises(Refused) as refused:
        check_release(second, name="llama", root=content, now=UNTIL + datetime.timedelta(days=1))
    assert refused.value.code == "verify.release_digest"
    with pytest.raises(Refused) as refused:
        check_release(first, name="llama", root=content, now=UNTIL + datetime.timedelta(days=1))
    assert refused.value.code == "verify.release_expired"


def test_the_same_files_under_other_names(keys: Keys, tmp_path: Path) -> None:
    """The root digest of the specification is the same for both."""
    one = write(tmp_path / "one", {"a.py": b"1", "b.py": b"2"})
    two = write(tmp_path / "two", {"b.py": b"1", "c.py": b"2"})
    they_sign(keys, one)
    they_sign(keys, two)
    first, second = ours(keys, one), ours(keys, two)
    assert first.root == second.root
    with pytest.raises(Refused) as refused:
        check_release(released(keys, "m", "1", first), name="m", root=second.content.hex(), now=signing.NOW)
    assert refused.value.code == "verify.release_digest"
