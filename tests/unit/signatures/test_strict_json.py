from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.errors import Refused
from aegis.signatures import strict_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"a":1,"a":1}', "'a' twice"),
        (b'{"a":1,"\\u0061":2}', "'a' twice"),
        (b'{"x":{"b":[{"c":1,"c":2}]}}', "'c' twice"),
        (b"NaN", "NaN"),
        (b"[Infinity]", "Infinity"),
        (b'{"a":-Infinity}', "-Infinity"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"{}{}", "Extra data"),
        (b"{} x", "Extra data"),
        (b"{}\x00", "Extra data"),
        (b"", "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b'{"a":1,}', "not JSON"),
        (b'{"a":01}', "not JSON"),
        (b'"a\nb"', "not JSON"),
        (b"// c\n{}", "not JSON"),
        (b'"\xff"', "UTF-8 at byte 1"),
        (b'"\xc0\x80"', "UTF-8"),
        (b'"\xed\xa0\x80"', "UTF-8"),
        ('{"a":1}'.encode("utf-16"), "UTF-8"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\udfff":1}', "surrogate"),
        (b'["\\udc00\\ud800"]', "surrogate"),
        (b"1" * 33, "33 characters"),
        (b"-" + b"9" * 5000, "5001 characters"),
        (b"1e999", "no double"),
        (b"0." + b"1" * 40, "no double"),
        (b"[" * 33 + b"]" * 33, "deeper than 32"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "deeper than 32"),
        (b"[" * 200_000, "deeper than 32"),
        (b"[" * 200_000 + b"]" * 200_000, "deeper than 32"),
    ],
)
def test_what_two_readers_may_read_differently_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(Refused, match=says) as error:
        strict_json.parse(data, what="the bundle 'x'")
    assert error.value.code == "verify.bundle_malformed"
    assert error.value.problem.startswith("the bundle 'x' ")
    assert len(error.value.problem) < 300


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": [1, -2.5e3, true, null, "\\u00e9\\ud83d\\ude00"]}\n', {"a": [1, -2500.0, True, None, "é😀"]}),
        (b" 18446744073709551615 ", 2**64 - 1),
        (b"[" * 32 + b"]" * 32, json.loads("[" * 32 + "]" * 32)),
        (b'{"a":{"a":1}}', {"a": {"a": 1}}),
        (b'"\xc3\xa9"', "é"),
    ],
)
def test_clear_documents(data: bytes, value: Any) -> None:
    assert strict_json.parse(data, what="x") == value


def test_size_is_judged_before_anything_is_parsed() -> None:
    with pytest.raises(Refused, match="1048577 bytes") as error:
        strict_json.parse(b"[" + b" " * (1 << 20), what="x")
    assert error.value.code == "verify.bundle_too_large"


def test_limit_of_the_caller() -> None:
    data = json.dumps(["x" * 100] * 20_000).encode()
    assert len(strict_json.parse(data, what="x", limit=4 << 20)) == 20_000
    with pytest.raises(Refused):
        strict_json.parse(data, what="x")


def test_a_doubled_name_among_many_costs_no_quadratic_time() -> None:
    names = ",".join(f'"{number}":0' for number in range(80_000))
    started = time.process_time()
    with pytest.raises(Refused, match="twice"):
        strict_json.parse(f'{{{names},"79999":0}}'.encode(), what="x")
    assert time.process_time() - started < 5


def test_names_in_messages_are_escaped_and_cut() -> None:
    name = "\\u001b[31m::error::\\u202e" + "x" * 1000
    with pytest.raises(Refused) as error:
        strict_json.parse(f'{{"{name}":1,"{name}":1}}'.encode(), what="x")
    assert error.value.problem.isascii()
    assert error.value.problem.isprintable()
    assert len(error.value.problem) < 250


@given(VALUES)
def test_what_python_writes_is_read_back(value: Any) -> None:
    assert strict_json.parse(json.dumps(value).encode(), what="x") == value
    assert strict_json.parse(json.dumps(value, ensure_ascii=False).encode(), what="x") == value


@given(st.binary(max_size=60) | st.text(alphabet='[]{}",:\\u0d8\x00e+-.1 ', max_size=60).map(str.encode))
def test_only_refusals_leave_it(data: bytes) -> None:
    with contextlib.suppress(Refused):
        strict_json.parse(data, what="x")
