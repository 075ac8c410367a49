from __future__ import annotations

import contextlib
import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aegis.core.errors import Refused
from aegis.signatures.models.names import check_name, check_names

PART = st.text(st.sampled_from("abcXYZ019_-+@,ßéж模 .") | st.characters(), min_size=1, max_size=8)
NAME = st.lists(PART, min_size=1, max_size=4).map("/".join)
PLAIN = st.lists(st.text("abcXYZßéжΣ模ﬁ-", min_size=1, max_size=4), min_size=1, max_size=3).map("/".join)


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "a/b/c.bin",
        ".git/config",
        ".gitattributes",
        "..hidden",
        "a..b/...c",
        "模型.bin",
        "name with spaces.txt",
        " leading",
        "console.txt",
        "aux_head.bin",
        "com10",
        "weights.bin:0:8",
        "né.bin",
        "👩‍💻.txt",
        "x" * 255,
        "/".join(["y" * 127] * 8),
    ],
)
def test_plain_names_pass(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "empty"),
        ("/etc/passwd", "absolute"),
        ("//host/share", "absolute"),
        ("../x", "'..'"),
        ("a/../../x", "'..'"),
        ("a/..", "'..'"),
        ("./a", "'.'"),
        ("a/./b", "'.'"),
        (".", "'.'"),
        ("a//b", "empty part"),
        ("a/", "empty part"),
        ("a\\b", "backslash"),
        ("..\\x", "backslash"),
        ("C:/x", "drive"),
        ("c:x", "drive"),
        ("a/C:evil", "drive"),
        ("a\0b", "U+0000"),
        ("a\nb", "U+000A"),
        ("a\rb", "U+000D"),
        ("a\x1b[31m", "U+001B"),
        ("a\x7f", "U+007F"),
        ("a\x85b", "U+0085"),
        ("a\u2028b", "U+2028"),
        ("exe\u202egnp.py", "U+202E"),
        ("model.bin.", "dot or space"),
        ("model.bin ", "dot or space"),
        ("a /b", "dot or space"),
        ("...", "dot or space"),
        ("NUL", "device"),
        ("a/con.txt", "device"),
        ("Aux.tar.gz", "device"),
        ("com1", "device"),
        ("LPT¹.bin", "device"),
        ("con .txt", "device"),
        ("x" * 256, "255"),
        ("é" * 128, "255"),
        ("/".join(["y" * 128] * 8), "1024"),
        ("a\udcffb", "not UTF-8"),
        ("\ud800", "not UTF-8"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(name: str, says: str) -> None:
    with pytest.raises(Refused) as refused:
        check_name(name)
    assert refused.value.code == "verify.unsafe_name"
    assert says in refused.value.problem
    assert refused.value.problem.isascii()
    assert refused.value.problem.isprintable()


@given(NAME)
def test_a_name_that_passes_stays_in_its_folder_on_every_system(name: str) -> None:
    with contextlib.suppress(Refused):
        check_name(name)
        posix, windows = PurePosixPath(name), PureWindowsPath(name)
        assert not posix.is_absolute()
        assert not windows.drive
        assert not windows.root
        assert "/".join(posix.parts) == "/".join(windows.parts) == name
        assert ".." not in posix.parts
        assert not any(unicodedata.category(character) == "Cc" for character in name)
        assert len(name.encode()) <= 1024


@pytest.mark.parametrize(
    "names",
    [
        ["a", "a"],
        ["a", "b", "a"],
        ["Model.bin", "model.bin"],
        ["straße", "STRASSE"],
        ["n\u00e9.bin", "ne\u0301.bin"],
        ["N\u00c9.bin", "ne\u0301.bin"],
        ["\u212b", "\u00e5"],
        ["a", "a/b"],
        ["a/b", "A"],
        ["Dir/a", "dir/b"],
        ["d\u00e9/a", "de\u0301/b"],
        ["ΣΑΣ", "σας"],
    ],
)
def test_names_that_are_one_file_somewhere_are_refused(names: list[str]) -> None:
    for order in (names, names[::-1]):
        with pytest.raises(Refused) as refused:
            check_names(order)
        assert refused.value.code == "verify.duplicate_name"


def test_an_unsafe_name_is_refused_among_others() -> None:
    with pytest.raises(Refused) as refused:
        check_names(["a", "b/../c"])
    assert refused.value.code == "verify.unsafe_name"


def test_files_side_by_side_pass() -> None:
    check_names([])
    check_names(["a", "b", "d/a", "d/b", "d/e/a", "ab", "a.b", ".git/config"])


def passes(names: list[str]) -> bool:
    try:
        check_names(names)
    except Refused:
        return False
    return True


@given(st.lists(NAME, max_size=6), st.data())
def test_the_order_does_not_matter(names: list[str], data: st.DataObject) -> None:
    assert passes(names) == passes(data.draw(st.permutations(names)))


@given(st.lists(PLAIN, min_size=1, max_size=4, unique=True), st.data())
def test_a_twin_of_any_name_is_refused(names: list[str], data: st.DataObject) -> None:
    assume(passes(names))
    name = data.draw(st.sampled_from(names))
    twin = data.draw(
        st.sampled_from(
            [name, name.upper(), name.lower(), unicodedata.normalize("NFD", name), f"{name}/x", name.swapcase()]
        )
    )
    with contextlib.suppress(Refused):
        check_name(twin)
        # swapcase is no case folding for every script: only twins by Unicode's own caseless match are claimed.
        if (
            unicodedata.normalize("NFD", twin).casefold() == unicodedata.normalize("NFD", name).casefold()
            or "/x" in twin
        ):
            with pytest.raises(Refused) as refused:
                check_names([*names, twin])
            assert refused.value.code == "verify.duplicate_name"
