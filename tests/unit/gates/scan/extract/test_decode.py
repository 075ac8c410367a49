"""Bytes to text: as Python reads its own files, and without failing for others."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.gates.scan.extract.python.decode import declared_encoding, decode, decode_any
from aegis.gates.scan.model import Unreadable


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"import boto3", "import boto3"),
        (codecs.BOM_UTF8 + b"import boto3", "import boto3"),
        ("\u00e9".encode(), "\u00e9"),
        (b"# caf\xe9", "# caf\xe9"),
        (b"# -*- coding: utf-8 -*-\n# caf\xe9", "# -*- coding: utf-8 -*-\n# caf\xe9"),
        (b"# coding: latin-1\n\xe9", "# coding: latin-1\n\xe9"),
        (b"#!/usr/bin/python\r\n# vim: set fileencoding=cp1252 :\n\x80", None),
        (b"# coding: utf-7\nimport +AGIAbwB0AG8-3", "# coding: utf-7\nimport boto3"),
        (b"\n# coding: latin-1\n\xe9", "\n# coding: latin-1\n\xe9"),
        (b"x = 1\n# coding: ascii\n\xc3\xa9", "x = 1\n# coding: ascii\n\u00e9"),
        (codecs.BOM_UTF16_LE + "import boto3".encode("utf-16-le"), "import boto3"),
        (codecs.BOM_UTF16_BE + "import boto3".encode("utf-16-be"), "import boto3"),
        (b"a\x00b", "a\x00b"),
        (b"", ""),
    ],
)
def test_decode(data: bytes, text: str | None) -> None:
    assert decode(data) == (text if text is not None else data.decode("cp1252"))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"# coding: nonsense\n", "not a text encoding known here"),
        (b"# coding: rot13\nvzcbeg obgb3", "not a text encoding known here"),
        (b"# coding: zlib\n", "not a text encoding known here"),
        (b"# coding: ascii\n\xe9", "not what it declares to be"),
        (b"# coding: punycode\nx", "host names"),
        (b"# coding: cp037\nimport boto3", "read that way it does not"),
        (b"# coding: utf-16\nimport boto3", "utf-16"),
        (codecs.BOM_UTF8 + b"\xff", "marked as utf-8"),
    ],
)
def test_tells_what_it_cannot_decode(data: bytes, why: str) -> None:
    answer = decode(data)
    assert isinstance(answer, Unreadable)
    assert why in answer.why


def test_any_file_has_a_text() -> None:
    assert decode_any(b"caf\xe9 # coding: nonsense") == "caf\xe9 # coding: nonsense"
    assert decode_any("\u00e9".encode()) == "\u00e9"
    assert decode_any(codecs.BOM_UTF16_LE + b"a\x00") == "a"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [(b"# coding=x", "x"), (b"#!a\n# coding: y", "y"), (b"a\n# coding: z", None), (b"#\n#\n# coding: z", None)],
)
def test_declared_encoding(data: bytes, encoding: str | None) -> None:
    assert declared_encoding(data) == encoding


@given(st.binary(max_size=200), st.sampled_from([b"", b"# coding: ", b"\xff\xfe", b"\xef\xbb\xbf"]))
def test_never_raises(data: bytes, start: bytes) -> None:
    assert isinstance(decode(start + data), str | Unreadable)
    assert isinstance(decode_any(data), str)
