"""Trees and proofs against RFC 6962's own definition, and against an implementation that nobody here wrote."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.audit.bundle import entries_of, framed
from aegis.audit.checkpoint import open_checkpoint
from aegis.audit.growth import Growth, load_growth
from aegis.audit.paths import bundle_path, is_path, tile_path
from aegis.audit.proof import parse_proof, verify_proof, write_proof
from aegis.audit.prove import consistency, inclusion, prove, read_entry
from aegis.audit.tree import Tree, load_tree
from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.merkle import hash_leaf, is_consistent, root_of_proof
from tests.doubles.sigstore import merkle
from tests.support.runtime import audit_logs as logs
from tests.support.runtime.audit_logs import VERIFIER, note

MOST = 70_003
LEAVES = [merkle.leaf_hash(b"%d" % number) for number in range(MOST)]
GROWN = Growth()
for _number in range(MOST):
    GROWN.add(b"%d" % _number)


class Resources(dict[str, bytes]):
    """A source in memory."""

    def read(self, path: str) -> bytes | None:
        return self.get(path)


ALL = Resources(GROWN.resources())


def resources(size: int) -> Resources:
    """What a log of this size publishes; full tiles stand for the partial ones that are gone."""
    growth = Growth()
    for number in range(size):
        growth.add(b"%d" % number)
    return Resources(growth.resources())


def test_the_root_is_that_of_the_definition() -> None:
    tree = Tree()
    for size in range(1, 600):
        tree.add(LEAVES[size - 1])
        assert tree.root() == merkle.root_hash(LEAVES[:size]), size


def test_a_large_tree() -> None:
    assert GROWN.tree.root() == merkle.root_hash(LEAVES)
    assert sum(path.startswith("tile/0/") for path in ALL) == 274
    assert len(ALL["tile/1/000"]) == 8192
    assert set(ALL) >= {"tile/0/273.p/115", "tile/entries/273.p/115", "tile/1/001.p/17", "tile/2/000.p/1"}


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, MOST])
def test_a_tree_is_loaded_from_its_tiles(size: int) -> None:
    """Also from the tiles of a larger log: full ones serve for partial ones."""
    expected = merkle.root_hash(LEAVES[:size]) if size else logs.root([])
    assert load_tree(ALL, size).root() == expected
    again = load_growth(ALL, size, expected)
    again.add(b"%d" % size)
    assert again.tree.root() == merkle.root_hash([*LEAVES[:size], merkle.leaf_hash(b"%d" % size)])


def test_a_tree_with_missing_or_other_tiles_is_not_loaded() -> None:
    source = resources(300)
    root = merkle.root_hash(LEAVES[:300])
    for path, data in list(source.items()):
        for other in (None, data[:-1], bytes([data[-1] ^ 1]).join([data[:-1], b""])):
            if path in {"tile/0/000", "tile/entries/000"}:
                continue  # not needed to go on
            changed = Resources(
                {**source, path: other} if other is not None else {k: v for k, v in source.items() if k != path}
            )
            with pytest.raises(CouldNotDecide) as error:
                load_growth(changed, 300, root)
            assert error.value.code == "audit.unavailable"


@given(st.integers(1, 300), st.data())
@settings(max_examples=60)
def test_proofs_of_any_tree(size: int, data: st.DataObject) -> None:
    """Equal to the definition's paths; consistency by its definition of both roots."""
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    leaves, root = LEAVES[:size], merkle.root_hash(LEAVES[:size])
    path = inclusion(ALL, index=index, size=size)
    assert path == merkle.path(index, leaves)
    assert root_of_proof(b"%d" % index, index=index, size=size, hashes=path) == root
    hashes = consistency(ALL, old=old, new=size)
    old_root = merkle.root_hash(leaves[:old]) if old else logs.root([])
    assert is_consistent(old=old, old_root=old_root, new=size, new_root=root, hashes=hashes)
    assert not is_consistent(old=old, old_root=b"x" * 32, new=size, new_root=root, hashes=hashes)
    assert old == 0 or not is_consistent(old=old, old_root=old_root, new=size, new_root=b"x" * 32, hashes=hashes)
    assert not is_consistent(old=old, old_root=old_root, new=size, new_root=root, hashes=[*hashes, b"x" * 32])
    if hashes:
        assert not is_consistent(old=old, old_root=old_root, new=size, new_root=root, hashes=hashes[:-1])


@given(st.integers(1, 64), st.data())
@settings(max_examples=30)
def test_pymerkle_reads_the_same_tree(size: int, data: st.DataObject) -> None:
    from pymerkle import InmemoryTree

    other = InmemoryTree(algorithm="sha256")
    for number in range(size):
        other.append_entry(b"%d" % number)
    assert other.get_state() == merkle.root_hash(LEAVES[:size]) == load_tree(ALL, size).root()
    old = data.draw(st.integers(1, size))
    assert other.get_state(old) == load_tree(ALL, old).root()


def test_proofs_of_a_large_tree() -> None:
    root = GROWN.tree.root()
    for index in (0, 255, 256, 65_535, 65_536, MOST - 1):
        hashes = inclusion(ALL, index=index, size=MOST)
        assert root_of_proof(b"%d" % index, index=index, size=MOST, hashes=hashes) == root
        assert read_entry(ALL, index=index, size=MOST) == b"%d" % index
    for old in (1, 256, 65_535, 65_536, 65_537, MOST - 1):
        old_root = merkle.root_hash(LEAVES[:old])
        hashes = consistency(ALL, old=old, new=MOST)
        assert is_consistent(old=old, old_root=old_root, new=MOST, new_root=root, hashes=hashes)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_no_proof_of_what_is_not_there(index: int, size: int) -> None:
    with pytest.raises(Refused) as refusal:
        inclusion(ALL, index=index, size=size)
    assert refusal.value.code == "audit.proof_invalid"
    with pytest.raises(Refused, match="the size"):
        consistency(ALL, old=size + 1, new=size)


ENTRIES = logs.entries(300)


@pytest.fixture(scope="module")
def log() -> Resources:
    growth = Growth()
    for each in ENTRIES:
        growth.add(each)
    return Resources({**dict(growth.resources()), "checkpoint": note(ENTRIES)})


@pytest.fixture(scope="module")
def proof(log: Resources) -> bytes:
    return prove(log, VERIFIER, 270)


def test_an_offline_proof(proof: bytes) -> None:
    lines = proof.split(b"\n")
    assert lines[:2] == [b"c2sp.org/tlog-proof@v1", b"index 270"]
    assert b"\n\n" + note(ENTRIES) in proof
    assert verify_proof(proof, ENTRIES[270], VERIFIER).size == 300
    extra = proof.replace(b"\nindex", b"\nextra " + base64.b64encode(b"anything") + b"\nindex")
    assert verify_proof(extra, ENTRIES[270], VERIFIER).size == 300


def test_a_log_of_one_entry_needs_no_hashes() -> None:
    proof = write_proof(0, [], note(ENTRIES[:1]))
    assert verify_proof(proof, ENTRIES[0], VERIFIER).size == 1


PROOFS: Mapping[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "other version": lambda data: data.replace(b"@v1", b"@v2"),
    "no index": lambda data: data.replace(b"index 270\n", b""),
    "other index": lambda data: data.replace(b"index 270", b"index 271"),
    "index with a zero": lambda data: data.replace(b"index 270", b"index 0270"),
    "index too large": lambda data: data.replace(b"index 270", b"index 300"),
    "hash left out": lambda data: b"\n".join(data.split(b"\n")[:2] + data.split(b"\n")[3:]),
    "hash more": lambda data: data.replace(b"\n\n", b"\n" + base64.b64encode(b"x" * 32) + b"\n\n", 1),
    "hash too short": lambda data: data.replace(b"\n\n", b"\n" + base64.b64encode(b"x" * 31) + b"\n\n", 1),
    "hash not canonical": lambda data: data.replace(b"=\n", b"\n", 1),
    "too many": lambda data: data.replace(b"\n\n", (b"\n" + base64.b64encode(b"x" * 32)) * 60 + b"\n\n", 1),
    "extra twice": lambda data: data.replace(b"\nindex", b"\nextra AAAA\nextra AAAA\nindex"),
    "not ASCII": lambda data: data.replace(b"index", "índex".encode()),
    "no checkpoint": lambda data: data.partition(b"\n\n")[0],
    "long": lambda data: data + b"x" * 70_000,
    "other checkpoint": lambda data: data.partition(b"\n\n")[0] + b"\n\n" + note(ENTRIES[:299]),
    "other key": lambda data: data.partition(b"\n\n")[0] + b"\n\n" + note(ENTRIES, key=logs.OTHER_KEY),
    "other log": lambda data: data.partition(b"\n\n")[0] + b"\n\n" + note(ENTRIES, origin="other.test"),
    "CRLF": lambda data: data.replace(b"\n", b"\r\n"),
}


@pytest.mark.parametrize("change", PROOFS)
def test_other_proofs_are_refused(change: str, proof: bytes) -> None:
    with pytest.raises(Refused) as refusal:
        verify_proof(PROOFS[change](proof), ENTRIES[270], VERIFIER)
    assert refusal.value.code in {"audit.proof_invalid", "audit.checkpoint_invalid"}


def test_another_entry_is_not_proven(proof: bytes) -> None:
    with pytest.raises(Refused) as refusal:
        verify_proof(proof, ENTRIES[271], VERIFIER)
    assert refusal.value.code == "audit.proof_invalid"


@given(st.binary(max_size=200))
def test_any_bytes_are_no_proof(data: bytes) -> None:
    for given_bytes in (data, b"c2sp.org/tlog-proof@v1\n" + data):
        with pytest.raises(Refused):
            verify_proof(given_bytes, b"", VERIFIER)


@given(st.integers(0, 2**62), st.lists(st.binary(min_size=32, max_size=32), max_size=64))
def test_what_is_written_is_read(index: int, hashes: list[bytes]) -> None:
    found = parse_proof(write_proof(index, hashes, b"checkpoint"))
    assert (found.index, list(found.hashes), found.checkpoint) == (index, hashes, b"checkpoint")


def test_no_proof_out_of_an_edited_log(log: Resources) -> None:
    changed = Resources({**log, "tile/entries/001.p/44": log["tile/entries/001.p/44"].replace(b"success", b"failure")})
    with pytest.raises(Refused) as refusal:
        prove(changed, VERIFIER, 270)
    assert refusal.value.code == "audit.proof_invalid"
    for path in ("checkpoint", "tile/entries/001.p/44", "tile/1/000.p/1"):
        with pytest.raises(CouldNotDecide):
            prove(Resources({key: value for key, value in log.items() if key != path}), VERIFIER, 270)


@pytest.mark.parametrize("index", [270, 299])
def test_a_bundle_that_ends_early_has_no_such_entry(log: Resources, index: int) -> None:
    changed = Resources({**log, "tile/entries/001.p/44": log["tile/entries/001.p/44"][:5_000]})
    with pytest.raises(CouldNotDecide, match="ends before"):
        read_entry(changed, index=index, size=300)


def test_paths() -> None:
    assert tile_path(0, 1_234_067) == "tile/0/x001/x234/067"
    assert bundle_path(999, 17) == "tile/entries/999.p/17"
    assert bundle_path(1000) == "tile/entries/x001/000"


@given(st.integers(0, 63), st.integers(0, 10**15), st.integers(1, 256))
def test_every_path_of_ours_is_one(level: int, number: int, width: int) -> None:
    assert is_path(tile_path(level, number, width))
    assert is_path(bundle_path(number, width))


@pytest.mark.parametrize(
    "path",
    ["", "/checkpoint", "checkpoint/", "../checkpoint", "tile/64/000", "tile/00/000", "tile/0/00", "tile/0/000.p/0",
     "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/x00/000", "tile/0/../000", "tile/entries/000/000",
     "tile/0/x001/x234", "journal", "tile/0/\u0660\u0660\u0660", "tile/0/000\n"],
)  # fmt: skip
def test_what_is_no_path(path: str) -> None:
    assert not is_path(path)


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_bundles(given_entries: list[bytes]) -> None:
    data = b"".join(map(framed, given_entries))
    assert list(entries_of(data)) == given_entries
    for cut in range(1, min(len(data), 3)):
        with pytest.raises(Refused) as refusal:
            list(entries_of(data[:-cut])) if given_entries[-1] else list(entries_of(data[:-1]))
        assert refusal.value.code == "audit.entry_malformed"


NOTES: Mapping[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "not UTF-8": lambda data: data.replace(b"log.test", b"log\xff"),
    "no signature": lambda data: data.partition(b"\n\n")[0] + b"\n\n",
    "no blank line": lambda data: data.replace(b"\n\n", b"\n"),
    "size with a zero": lambda data: data.replace(b"\n300\n", b"\n0300\n"),
    "size with a sign": lambda data: data.replace(b"\n300\n", b"\n+300\n"),
    "short root": lambda data: data.replace(base64.b64encode(logs.root(ENTRIES)), base64.b64encode(b"x" * 31)),
    "hyphen": lambda data: data.replace("—".encode(), b"-"),
    "more text": lambda data: data.replace(b"\n\n", b"\nmore\n\n"),
    "other size": lambda data: data.replace(b"\n300\n", b"\n301\n"),
    "other origin": lambda data: data.replace(b"log.test", b"log.best", 1),
    "other name": lambda data: data.replace("— log.test".encode(), "— log.best".encode()),
    "cut signature": lambda data: data[:-5] + b"\n",
    "CRLF": lambda data: data.replace(b"\n", b"\r\n"),
}


@pytest.mark.parametrize("change", NOTES)
def test_other_checkpoints_are_refused(change: str) -> None:
    assert open_checkpoint(note(ENTRIES), VERIFIER).size == 300
    with pytest.raises(Refused) as refusal:
        open_checkpoint(NOTES[change](note(ENTRIES)), VERIFIER)
    assert refusal.value.code == "audit.checkpoint_invalid"


def test_witnesses_sign_beside_the_log() -> None:
    text, _, signature = note(ENTRIES).partition(b"\n\n")
    witness = "— witness.test AAAAAAAAAAAAAAAA\n".encode()
    assert open_checkpoint(text + b"\n\n" + witness + signature + witness, VERIFIER).size == 300


def test_a_wrong_signature_spoils_the_note() -> None:
    """Signed-note: where a known key's signature fails, the note is refused, whatever else it carries."""
    wrong = note(ENTRIES[:299]).partition(b"\n\n")[2]
    for both in (note(ENTRIES) + wrong, note(ENTRIES).replace(b"\n\n", b"\n\n" + wrong)):
        with pytest.raises(Refused, match="does not hold"):
            open_checkpoint(both, VERIFIER)


def test_leaf_hashes() -> None:
    assert Growth().add(b"x") == hash_leaf(b"x") == merkle.leaf_hash(b"x")
