"""What the small HTTP server takes for a question: anything may arrive, and nothing of it may raise."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aegis.adapters.http_server import MAX_FIELDS, Question, parse

PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"


@given(st.binary(max_size=300))
@example(b"GET /?a=%ff HTTP/1.1\r\n\r\n")
@example(b"GET /?a=%00 HTTP/1.1\r\n\r\n")
@example(b"GET /?=&= HTTP/1.0\r\n\r\n")
@settings(deadline=None, max_examples=300)
def test_whatever_arrives_is_a_question_or_refused(data: bytes) -> None:
    for head in (data, b"GET /" + data + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n" + data + b"\r\n\r\n"):
        found = parse(head)
        assert isinstance(found, Question) or found[0] in {400, 405}


@given(
    st.lists(st.text(PLAIN, min_size=1, max_size=8), max_size=4),
    st.lists(st.tuples(st.text(PLAIN, min_size=1, max_size=8), st.text(max_size=20)), max_size=MAX_FIELDS),
)
@settings(deadline=None, max_examples=200)
def test_what_was_asked_is_what_is_understood(path: list[str], fields: list[tuple[str, str]]) -> None:
    encodable = [(name, value) for name, value in fields if value.isprintable()]
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in encodable)
    target = "/" + "/".join(path) + ("?" + query if query else "")
    found = parse(f"GET {target} HTTP/1.1\r\nHost: judge\r\nX-One: 1\r\n\r\n".encode())
    assert found == Question("/" + "/".join(path), tuple(encodable), {"host": "judge", "x-one": "1"})


@pytest.mark.parametrize("header", ["Host", "AUTHORIZATION", "content-length"])
def test_a_header_that_decides_something_stands_once(header: str) -> None:
    found = parse(f"GET / HTTP/1.1\r\n{header}: 0\r\n{header.swapcase()}: 0\r\n\r\n".encode())
    assert found == (400, f"the header {header.lower()} stands twice")


def test_a_secret_is_not_shown() -> None:
    found = parse(b"GET / HTTP/1.1\r\nAuthorization: Bearer a-secret-token\r\n\r\n")
    assert isinstance(found, Question)
    assert found.headers["authorization"] == "Bearer a-secret-token"
    assert "a-secret-token" not in repr(found)
