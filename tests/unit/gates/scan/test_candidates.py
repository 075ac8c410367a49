# ruff: noqa: RUF001 - letters that look like others are what is tested
"""Which lines make a file a candidate: no way to write a token may pass, and little else should."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.ports.repository import Line
from aegis.gates.scan import candidates as subject
from aegis.gates.scan.candidates import Candidate, candidates, prefilters, wanted_names
from aegis.gates.scan.catalogue import load

CATALOGUE = load()
PATTERN = re.compile("|".join(prefilters(CATALOGUE)).encode(), re.MULTILINE)
ROOTS = st.sampled_from(CATALOGUE.roots)


def found(text: str | bytes, path: str = "svc.txt", number: int = 7) -> list[Candidate]:
    """What git's search and the second look make of one line."""
    data = text if isinstance(text, bytes) else text.encode()
    return candidates([Line(path, number, data)], CATALOGUE) if PATTERN.search(data) else []


def foldings() -> dict[str, list[str]]:
    """Every character that may stand in a Python name and is folded to one ASCII letter, digit or `_`."""
    by_letter: dict[str, list[str]] = {}
    for number in range(0x80, sys.maxunicode + 1):
        char = chr(number)
        folded = unicodedata.normalize("NFKC", char)
        if folded.isascii() and (folded.isalnum() or folded == "_") and len(folded) == 1 and f"a{char}".isidentifier():
            by_letter.setdefault(folded, []).append(char)
    return by_letter


FOLDINGS = foldings()


def test_every_character_that_folds_is_searched_for() -> None:
    pattern = re.compile(subject._COMPATIBLE.encode())
    for number in range(0x80, sys.maxunicode + 1):
        char = chr(number)
        folded = unicodedata.normalize("NFKC", char)
        if folded != char and f"a{char}".isidentifier() and any(c.isascii() and c.isalnum() for c in folded):
            assert pattern.search(char.encode("utf-8", "surrogatepass")), f"U+{number:04X}"


@pytest.mark.parametrize("encoding", ["latin-1", "iso8859-15", "cp1252"])
def test_every_byte_that_folds_is_searched_for(encoding: str) -> None:
    for char in "ªº":
        assert found(f"import b{char}to3".replace("bª", "bo").encode(encoding)) or char == "ª"
    assert found("import bºtº3".encode(encoding))
    assert found("import ªmªzon".encode(encoding))


@given(ROOTS, st.data())
def test_a_root_in_other_letters_is_found(root: str, data: st.DataObject) -> None:
    spelled = "".join(data.draw(st.sampled_from([c, *FOLDINGS.get(c, [])])) if c.isalnum() else c for c in root)
    assert found(f"import {spelled}") or found(f"  {spelled},")


@given(ROOTS, st.data())
def test_a_root_in_escapes_is_found(root: str, data: st.DataObject) -> None:
    kinds = ["{}", "\\x{:02x}", "\\u{:04x}", "\\u{{{:x}}}", "\\U{:08x}", "\\{:03o}", "\\uuu{:04x}"]
    parts = []
    for char in root:
        kind = data.draw(st.sampled_from(kinds))
        parts.append(char if kind == "{}" else kind.format(ord(char)))
    assert found('"' + "".join(parts) + '"')


@given(ROOTS, st.data())
def test_a_root_in_two_strings_is_found(root: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(root) - 1))
    joint = data.draw(st.sampled_from(["+", " + ", " ", "", "+ r", " b"]))
    quote = data.draw(st.sampled_from("\"'`"))
    assert found(f"load({quote}{root[:cut]}{quote}{joint}{quote}{root[cut:]}{quote})")


@given(ROOTS)
def test_a_root_in_utf_16_is_found(root: str) -> None:
    for encoding in ("utf-16-le", "utf-16-be", "utf-16"):
        assert found(f"import {root}".encode(encoding))


@given(ROOTS, st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\n"), max_size=20))
def test_a_root_at_the_start_of_a_word_is_found(root: str, before: str) -> None:
    if not before or not (before[-1].isascii() and before[-1].isalnum()):
        assert found(f"{before}{root}")


@pytest.mark.parametrize("command", CATALOGUE.command_roots)
def test_a_command_is_found(command: str) -> None:
    for line in (f"{command} x", f"/usr/bin/{command} x", f"x=$({command} y)", f'"{command}"', f"cd /\\n{command} x"):
        assert found(line), line


@pytest.mark.parametrize(
    "line",
    [
        "# coding: utf-7",
        "# -*- coding: unicode_escape -*-",
        "# vim: set fileencoding=cp037 :",
        b"\xff\xfei\x00",
        b"\xfe\xff\x00i",
        b"\xef\xbb\xbf\xff\xfe",
        "version https://git-lfs.github.com/spec/v1",
        "bun-lockfile-format-v0",
        'require("a\\',
        "importlib.import_module('bo\\\r",
    ],
)
def test_what_says_nothing_about_other_lines_has_the_whole_file_read(line: str | bytes) -> None:
    assert found(line, "svc.py") == [Candidate("svc.py", None)]


@pytest.mark.parametrize(
    "line",
    [
        "# coding: utf-8",
        "# -*- coding: UTF-8 -*-",
        "# coding=latin-1",
        "# coding: iso-8859-15",
        "coding: none",
        "print('café from ’somewhere’ \\u2019')",
        "x = '\\x41\\x42' + 'text' 'text'",
        "echo one \\",
        "naïve ™ ﬁne ２",
        "the same, sampled, ebook, awsome-less",
    ],
)
def test_what_only_looks_odd_is_no_candidate(line: str) -> None:
    assert found(line, "svc.py") == []


@pytest.mark.parametrize("line", ["# import boto3", "    # see boto3", "x = boto3.client", "from .boto3 import y"])
def test_python_that_uses_nothing_is_passed_over(line: str) -> None:
    assert found(line, "svc.py") == []
    assert found(line, "svc.js") != []


@pytest.mark.parametrize(
    "line", ["import boto3", "  boto3,", "boto3", "x; import boto3", 'f("boto3")', '#"""; import boto3']
)
def test_python_that_may_use_something_is_read(line: str) -> None:
    assert found(line, "svc.py") == [Candidate("svc.py", 7)]


def test_a_file_is_read_down_to_its_last_candidate_line() -> None:
    lines = [Line("a.py", n, b"import boto3") for n in (3, 9, 5)] + [Line("b.py", 2, b"import boto3")]
    assert candidates(lines, CATALOGUE) == [Candidate("a.py", 9), Candidate("b.py", 2)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_cut_line_has_the_whole_file_read(order: tuple[int, int]) -> None:
    lines = [Line("a.js", 1, b"x = 1", truncated=True), Line("a.js", 9, b"require('aws-sdk')")]
    assert candidates([lines[i] for i in order], CATALOGUE) == [Candidate("a.js", None)]


def test_every_name_of_the_catalogue_is_wanted() -> None:
    wanted = wanted_names(CATALOGUE)
    for surface in ("python", "npm", "go", "java", "pypi", "command", "scheme"):
        for entry in CATALOGUE.entries(surface):
            assert wanted.search(entry.literal.rstrip("*")), entry
    assert not wanted.search("requests")
