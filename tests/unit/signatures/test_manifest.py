from __future__ import annotations

import contextlib
import copy
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aegis.core.errors import Refused
from aegis.signatures.models.manifest import Hashed, Manifest, Shard, check_digests, check_listing, read_manifest
from tests.support.signing.models import document, hashed, hashed_all, resource, statement

FILES = {"config.json": b"{}", "d/weights.bin": b"0123456789", "tokenizer.model": b"t"}


def whole(files: dict[str, bytes] = FILES, **serialization: Any) -> dict[str, Any]:
    return document([resource(name, files[name]) for name in sorted(files)], **serialization)


def sharded(files: dict[str, bytes] = FILES, size: Any = 4, *, label: str | None = None) -> dict[str, Any]:
    resources = [
        resource(f"{name}:{at}:{min(at + 4, len(content))}", content[at : at + 4], label=label)
        for name, content in sorted(files.items())
        for at in range(0, len(content), 4)
    ]
    return document(resources, method="shards", shard_size=size)


def read(value: dict[str, Any], ignores: tuple[str, ...] = (), **options: Any) -> Manifest:
    return read_manifest(statement(value), allowed_ignores=ignores, **options)


def code(value: dict[str, Any], ignores: tuple[str, ...] = ()) -> str:
    with pytest.raises(Refused) as refused:
        read(value, ignores)
    return refused.value.code


def changed(value: dict[str, Any], change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    value = copy.deepcopy(value)
    change(value)
    return value


# --- reading ----------------------------------------------------------------------------------------------------------


def test_whole_files() -> None:
    manifest = read(whole())
    assert manifest.name == "model"
    assert [file.name for file in manifest.files] == sorted(FILES)
    assert manifest.files[1].shards == (Shard(0, None, hashlib.sha256(b"0123456789").digest()),)
    assert (manifest.files[1].size, manifest.algorithm, manifest.shard_size) == (None, "sha256", 0)
    joined = b"".join(hashlib.sha256(FILES[name]).digest() for name in sorted(FILES))
    assert manifest.root == hashlib.sha256(joined).digest()


@pytest.mark.parametrize("size", [4, 4.0])
@pytest.mark.parametrize("label", ["sha256", "sha256-sharded-4"])
def test_shards_with_both_spellings_of_algorithm_and_size(size: float, label: str) -> None:
    manifest = read(sharded(size=size, label=label))
    weights = manifest.files[1]
    assert [(shard.start, shard.end) for shard in weights.shards] == [(0, 4), (4, 8), (8, 10)]
    assert weights.digests == tuple(hashlib.sha256(piece).digest() for piece in (b"0123", b"4567", b"89"))
    assert (weights.size, manifest.shard_size) == (10, 4)


def test_blake2b() -> None:
    value = document([resource("a", b"x", algorithm="blake2b")], hash_type="blake2b")
    manifest = read(value)
    assert (manifest.algorithm, manifest.files[0].digests) == ("blake2b", (hashlib.blake2b(b"x").digest(),))


def test_resources_in_the_order_of_the_specification_and_in_that_of_model_signing() -> None:
    # `-` sorts before `/`, so whole names and parts of names sort differently.
    by_name = document([resource("a-b", b"1"), resource("a/b", b"2")])
    by_parts = document([resource("a/b", b"2"), resource("a-b", b"1")])
    assert read(by_name).files == read(by_parts).files
    assert read(by_name).content == read(by_parts).content
    assert read(by_name).root != read(by_parts).root
    content = b"x" * 44
    shards = [resource(f"a:{at}:{at + 4}", content[at : at + 4], label="sha256") for at in range(0, 44, 4)]
    for order in (shards, sorted(shards, key=lambda each: each["name"])):
        assert read(document(order, method="shards", shard_size=4)).files[0].size == 44


def test_a_file_whose_name_looks_like_a_range_of_another() -> None:
    value = document([resource("ab:0:4", b"1234"), resource("ab:0:4:0:4", b"5678")], method="shards", shard_size=4)
    assert [file.name for file in read(value).files] == ["ab", "ab:0:4"]


def test_unknown_fields_of_a_resource_are_ignored() -> None:
    assert read(document([resource("a", b"1") | {"annotations": {}}])).files[0].name == "a"


def test_symlinks_that_the_signer_followed_are_files_here() -> None:
    assert read(whole(allow_symlinks=True)).files == read(whole()).files


def test_content_binds_names_which_the_root_digest_does_not() -> None:
    renamed = whole({name.replace("config", "adapter"): content for name, content in FILES.items()})
    assert read(renamed).root == read(whole()).root
    assert read(renamed).content != read(whole()).content
    assert read(sharded()).content != read(whole()).content
    longer, shorter = (
        read(document([resource(name, b"x")], method="shards", shard_size=4)) for name in ("a:0:4", "a:0:3")
    )
    assert longer.content != shorter.content


@pytest.mark.parametrize("kind", ["https://slsa.dev/provenance/v1", "https://model_signing/signature/v1.0/", "x"])
def test_another_predicate_is_refused(kind: str) -> None:
    assert code(whole() | {"predicateType": kind}) == "verify.wrong_predicate"


def test_the_format_of_model_signing_0_2_is_refused_with_its_own_reason() -> None:
    old = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "a", "digest": {"sha256": "ab" * 32}}],
        "predicateType": "https://model_signing/Digests/v0.1",
        "predicate": {"unused": "Unused, just passed due to API"},
    }
    assert code(old) == "verify.manifest_outdated"


def test_an_empty_manifest_is_refused() -> None:
    assert code(document([])) == "verify.manifest_empty"


@pytest.mark.parametrize("name", ["blake3", "md5", "sha1", "sha512", "blake2", "SHA256", ""])
def test_digests_that_are_not_computed_are_refused(name: str) -> None:
    assert code(whole(hash_type=name)) == "verify.manifest_algorithm"


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.update(_type="https://in-toto.io/Statement/v0.1"),
        lambda it: it["subject"].append(it["subject"][0]),
        lambda it: it["predicate"].update(extra=1),
        lambda it: it["predicate"].pop("serialization"),
        lambda it: it["predicate"].update(serialization=[]),
        lambda it: it["predicate"].pop("resources"),
        lambda it: it["predicate"].update(resources={}),
        lambda it: it["predicate"]["serialization"].update(extra=1),
        lambda it: it["predicate"]["serialization"].pop("method"),
        lambda it: it["predicate"]["serialization"].update(method="tensors"),
        lambda it: it["predicate"]["serialization"].update(method=["files"]),
        lambda it: it["predicate"]["serialization"].pop("hash_type"),
        lambda it: it["predicate"]["serialization"].pop("allow_symlinks"),
        lambda it: it["predicate"]["serialization"].update(allow_symlinks="false"),
        lambda it: it["predicate"]["serialization"].update(shard_size=4),
        lambda it: it["predicate"]["serialization"].update(shard_size=None),
        lambda it: it["predicate"]["serialization"].update(ignore_paths=".git"),
        lambda it: it["predicate"]["serialization"].update(ignore_paths=[1]),
        lambda it: it["predicate"]["serialization"].update(ignore_paths=None),
        lambda it: it["predicate"]["resources"].append("a"),
        lambda it: it["predicate"]["resources"].reverse(),
        lambda it: it["predicate"]["resources"][0].pop("name"),
        lambda it: it["predicate"]["resources"][0].update(name=""),
        lambda it: it["predicate"]["resources"][0].update(name=1),
        lambda it: it["predicate"]["resources"][0].update(algorithm=["sha256"]),
        lambda it: it["predicate"]["resources"][0].pop("algorithm"),
        lambda it: it["predicate"]["resources"][0].update(algorithm="sha512"),
        lambda it: it["predicate"]["resources"][0].update(algorithm="sha256-sharded-4"),
        lambda it: it["predicate"]["resources"][0].update(digest="ab"),
        lambda it: it["predicate"]["resources"][0].update(digest="AB" * 32),
        lambda it: it["predicate"]["resources"][0].update(digest=None),
    ],
)
def test_what_is_no_manifest_is_refused(change: Callable[[dict[str, Any]], Any]) -> None:
    assert code(changed(whole(), change)) == "verify.manifest_malformed"


@pytest.mark.parametrize("size", [0, -4, True, "4", None, 4.5, 1e300, 2**60])
def test_shard_sizes_that_are_no_bytes_are_refused(size: Any) -> None:
    assert code(sharded(size=size)) == "verify.manifest_malformed"


def test_a_shard_size_makes_no_method() -> None:
    assert code(changed(sharded(), lambda it: it["predicate"]["serialization"].update(method="tensors"))) == (
        "verify.manifest_malformed"
    )


@pytest.mark.parametrize("name", ["a", "a:0", "a:0:4:", "a:00:4", "a:0:04", "a:-1:4", "a:0x0:4", "a: 0:4", "a:0:٤"])
def test_shards_without_a_range_are_refused(name: str) -> None:
    value = document([resource(name, b"1234")], method="shards", shard_size=4)
    assert code(value) == "verify.manifest_malformed"


@pytest.mark.parametrize(
    "ranges",
    [
        [(4, 8)],
        [(0, 4), (8, 12)],
        [(0, 4), (4, 6), (6, 8)],
        [(0, 3), (3, 7)],
        [(0, 5)],
        [(0, 8)],
        [(0, 4), (2, 6)],
        [(0, 4), (4, 4)],
        [(4, 2)],
        [(0, 3), (0, 4)],
    ],
)
def test_shards_with_gaps_overlaps_or_other_sizes_are_refused(ranges: list[tuple[int, int]]) -> None:
    resources = [resource(f"a:{start}:{end}", bytes(start)) for start, end in ranges]
    assert code(document(resources, method="shards", shard_size=4)) == "verify.manifest_inconsistent"


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it["subject"][0].update(digest={"sha256": "00" * 32}),
        lambda it: it["subject"][0].update(digest={"sha512": "00" * 64}),
        lambda it: it["subject"][0]["digest"].update(sha512="00" * 64),
        lambda it: it["predicate"]["resources"][0].update(digest="00" * 32),
        lambda it: it["predicate"]["resources"].pop(),
    ],
)
def test_a_root_digest_of_other_files_is_refused(change: Callable[[dict[str, Any]], Any]) -> None:
    assert code(changed(whole(), change)) == "verify.manifest_inconsistent"


@pytest.mark.parametrize(
    "names",
    [["a", "a"], ["a", "b", "a"], ["A.bin", "a.bin"], ["ne\u0301", "n\u00e9"], ["a", "a/b"], ["D/a", "d/b"]],
)
def test_two_names_for_one_file_are_refused(names: list[str]) -> None:
    value = document([resource(name, name.encode()) for name in names])
    assert code(value) == "verify.duplicate_name"


def test_the_same_shard_twice_is_refused() -> None:
    value = document([resource("a:0:4", b"1234"), resource("a:0:4", b"5678")], method="shards", shard_size=4)
    assert code(value) == "verify.duplicate_name"


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "./a", "a//b", "C:/x", "a\\b", "a\nb", "NUL", "a/../b", "d/"])
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    assert code(document([resource(name, b"x")])) == "verify.unsafe_name"
    value = document([resource(f"{name}:0:1", b"x")], method="shards", shard_size=4)
    assert code(value) == "verify.unsafe_name"


# --- what the signer left out -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [".", "", "/", "..", "*", "cache", "d", "d/weights.bin", "/model.sig", "../model.sig"])
def test_what_the_policy_does_not_let_the_signer_leave_out_is_refused(path: str) -> None:
    assert code(whole(ignore_paths=[path])) == "verify.ignored_paths"
    assert code(whole(ignore_paths=[".git", path]), ("cache/x", "cach")) == "verify.ignored_paths"


def test_what_every_signer_leaves_out_may_stand_there_without_effect() -> None:
    usual = [".git", ".gitattributes", ".github", ".gitignore", "model.sig"]
    manifest = read(whole(ignore_paths=usual))
    assert manifest.ignored == ()
    for name in (".git/config", ".gitattributes", ".github/workflows/x.yml", ".gitignore"):
        with pytest.raises(Refused) as refused:
            check_listing(manifest, [*FILES, name])
        assert refused.value.code == "verify.file_unsigned"
    check_listing(manifest, [*FILES, "model.sig"])


def test_what_the_policy_lets_the_signer_leave_out() -> None:
    manifest = read(whole(ignore_paths=["cache", ".git", "README.md"]), ("cache/", ".git", "logs", "README.md"))
    assert manifest.ignored == (".git", "README.md", "cache")
    check_listing(manifest, [*FILES, "cache/a", "cache/d/b", ".git/HEAD", "README.md"])
    for name in ("cached", "d/cache", "cache.py", "logs/x"):
        with pytest.raises(Refused, match="nobody signed"):
            check_listing(manifest, [*FILES, name])


def test_another_name_of_the_signature() -> None:
    value = whole(ignore_paths=["my.sig"])
    assert code(value) == "verify.ignored_paths"
    manifest = read(value, signatures=("my.sig",))
    check_listing(manifest, [*FILES, "my.sig"], signatures=("my.sig",))
    with pytest.raises(Refused, match="nobody signed"):
        check_listing(manifest, [*FILES, "my.sig", "model.sig"], signatures=("my.sig",))


# --- the files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [whole(), sharded()])
def test_exactly_these_files(value: dict[str, Any]) -> None:
    manifest = read(value)
    check_listing(manifest, list(FILES))
    check_listing(manifest, [*FILES, "model.sig"])
    for left_out in FILES:
        with pytest.raises(Refused) as refused:
            check_listing(manifest, [name for name in FILES if name != left_out])
        assert refused.value.code == "verify.file_missing"
        assert left_out in refused.value.problem


@pytest.mark.parametrize(
    "name",
    [
        "x.pkl", "x.py", "__init__.py", "lib.so", ".hidden", ".git/hooks/post-checkout", ".github/x", ".gitattributes",
        ".gitignore", "d/.git/x", "d/model.sig", "model.sig.py", "empty",
    ],
)  # fmt: skip
def test_a_file_that_nobody_signed_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refused:
        check_listing(read(whole()), [*FILES, name])
    assert refused.value.code == "verify.file_unsigned"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CONFIG.JSON", "verify.duplicate_name"),
        ("config.json", "verify.duplicate_name"),
        ("D/x", "verify.duplicate_name"),
        ("config.json/x", "verify.duplicate_name"),
        ("../x", "verify.unsafe_name"),
        ("empty-folder/", "verify.unsafe_name"),
        ("a\nb", "verify.unsafe_name"),
    ],
)
def test_a_listing_with_names_that_cannot_be_is_refused(name: str, expected: str) -> None:
    with pytest.raises(Refused) as refused:
        check_listing(read(whole()), [*FILES, name])
    assert refused.value.code == expected


def test_a_signed_file_is_needed_even_if_it_is_called_like_a_signature() -> None:
    manifest = read(whole({**FILES, "z.sig": b"1"}), signatures=("z.sig",))
    with pytest.raises(Refused, match=r"'z.sig' is not there"):
        check_listing(manifest, list(FILES), signatures=("z.sig",))


def test_files_of_two_models_in_one_folder() -> None:
    other = {**FILES, "config.json": b"{1}"}
    manifest = read(whole())
    check_listing(manifest, list(other))
    with pytest.raises(Refused) as refused:
        check_digests(manifest, hashed_all(other))
    assert refused.value.code == "verify.file_differs"


@pytest.mark.parametrize("shard_size", [0, 4])
def test_the_bytes_that_were_signed_pass_and_others_do_not(shard_size: int) -> None:
    manifest = read(sharded() if shard_size else whole())
    right = hashed_all(FILES, shard_size=shard_size)
    check_digests(manifest, right)
    cut = "verify.file_truncated" if shard_size else "verify.file_differs"
    attacks = {
        b"012345678x": "verify.file_differs",
        b"x123456789": "verify.file_differs",
        b"0123456789x": "verify.file_differs",
        b"0123456789" + bytes(4): "verify.file_differs",
        b"012345678": cut,
        b"01234567": cut,
        b"": cut,
        bytes(10): "verify.file_differs",
    }
    for content, expected in attacks.items():
        with pytest.raises(Refused, match="d/weights") as refused:
            check_digests(manifest, right | {"d/weights.bin": hashed(content, shard_size=shard_size)})
        assert refused.value.code == expected


def test_a_file_that_was_not_read_is_refused() -> None:
    for name in FILES:
        read_files = hashed_all(FILES)
        del read_files[name]
        with pytest.raises(Refused) as refused:
            check_digests(read(whole()), read_files)
        assert refused.value.code == "verify.file_missing"


def test_refusals_say_where_and_how_many() -> None:
    manifest = read(sharded())
    with pytest.raises(Refused, match=r"'config\.json' is not there, and 2 more\n"):
        check_listing(manifest, [])
    with pytest.raises(Refused, match=r"nobody signed 'x'\n"):
        check_listing(manifest, [*FILES, "x"])
    wrong = hashed(b"0123456x89", shard_size=4)
    with pytest.raises(Refused, match=r"'d/weights\.bin' has other bytes from byte 4 on\n"):
        check_digests(manifest, hashed_all(FILES, shard_size=4) | {"d/weights.bin": wrong})
    with pytest.raises(Refused, match=r"'config\.json' has other bytes\n"):
        check_digests(read(whole()), hashed_all({**FILES, "config.json": b"[]"}))
    with pytest.raises(Refused, match=r"what the policy lets it: nothing\n"):
        read(whole(ignore_paths=["x"]))
    with pytest.raises(Refused, match=r"what the policy lets it: 'a', 'b'\n"):
        read(whole(ignore_paths=["x"]), ("b", "a"))


def test_a_file_that_goes_on_behind_what_was_signed() -> None:
    manifest = read(sharded())
    right = hashed_all(FILES, shard_size=4)
    longer = Hashed(11, right["d/weights.bin"].digests)
    with pytest.raises(Refused, match="has 11 bytes") as refused:
        check_digests(manifest, right | {"d/weights.bin": longer})
    assert refused.value.code == "verify.file_differs"


def test_shards_that_a_reader_did_not_take_or_took_twice_are_refused() -> None:
    manifest = read(sharded())
    right = hashed_all(FILES, shard_size=4)
    digests = right["d/weights.bin"].digests
    for wrong in (digests[:2], (), (*digests, digests[0]), digests[::-1]):
        with pytest.raises(Refused) as refused:
            check_digests(manifest, right | {"d/weights.bin": Hashed(10, wrong)})
        assert refused.value.code == "verify.file_differs"


# --- properties -------------------------------------------------------------------------------------------------------

NAME = st.lists(st.text(st.sampled_from("abcdefgh模.-_"), min_size=1, max_size=4), min_size=1, max_size=3).map("/".join)
MODEL = st.dictionaries(NAME, st.binary(min_size=1, max_size=20), min_size=1, max_size=5)


def readable(files: dict[str, bytes]) -> Manifest:
    try:
        return read(whole(files))
    except Refused:
        assume(False)
        raise


@given(MODEL, st.data())
def test_any_file_that_is_changed_renamed_added_or_gone_is_refused(
    files: dict[str, bytes], data: st.DataObject
) -> None:
    manifest = readable(files)
    check_listing(manifest, list(files))
    check_digests(manifest, hashed_all(files))
    name = data.draw(st.sampled_from(sorted(files)))
    other = data.draw(NAME)
    assume(other not in files)
    with pytest.raises(Refused):
        check_listing(manifest, [each for each in files if each != name])
    with pytest.raises(Refused):
        check_listing(manifest, [*files, other])
    with pytest.raises(Refused):
        check_listing(manifest, [other if each == name else each for each in files])
    content = data.draw(st.binary(max_size=20))
    assume(content != files[name])
    with pytest.raises(Refused):
        check_digests(manifest, hashed_all({**files, name: content}))


@given(MODEL, st.data())
def test_a_single_change_of_a_signed_name_or_digest_is_seen(files: dict[str, bytes], data: st.DataObject) -> None:
    manifest = readable(files)
    value = whole(files)
    each = data.draw(st.sampled_from(value["predicate"]["resources"]))
    field = data.draw(st.sampled_from(["name", "digest"]))
    at = data.draw(st.integers(0, len(each[field]) - 1))
    character = data.draw(st.sampled_from("0123456789abcdefghxyz./"))
    assume(each[field][at] != character)
    each[field] = each[field][:at] + character + each[field][at + 1 :]
    with contextlib.suppress(Refused):
        # Another name with the same root digest: another model, whose files are not these.
        other = read(value)
        assert other.content != manifest.content
        with pytest.raises(Refused):
            check_listing(other, list(files))
    if field == "digest":
        assert code(value) in {"verify.manifest_inconsistent", "verify.manifest_malformed"}


@given(MODEL, st.data())
def test_the_order_of_a_listing_does_not_matter(files: dict[str, bytes], data: st.DataObject) -> None:
    check_listing(readable(files), data.draw(st.permutations(list(files))))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_a_spoiled_manifest_gives_nothing_but_refusals(data: st.DataObject) -> None:
    value = data.draw(st.sampled_from([whole(), sharded(), whole(ignore_paths=[".git"])]))
    value = json.loads(json.dumps(value))
    part: Any = value
    while isinstance(part, dict | list) and part:
        key = data.draw(st.sampled_from(sorted(part) if isinstance(part, dict) else range(len(part))))
        if not isinstance(part[key], dict | list) or data.draw(st.booleans()):
            part[key] = data.draw(JSON)
            break
        part = part[key]
    with contextlib.suppress(Refused):
        read(value, ("cache",))
