"""What the small HTTP server takes for a question: anything may arrive, and nothing of it may raise."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aegis.adapters.http import server as http_server
from aegis.adapters.http.server import MAX_CONNECTIONS, MAX_FIELDS, Connections, Question, Reply, parse

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


def test_one_connection_too_many_is_closed_without_a_word_and_the_others_are_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HEAD_SECONDS", "SEND_SECONDS"):
        monkeypatch.setattr(http_server, name, 600.0)

    async def crowd() -> None:
        all_ask, go_on = asyncio.Event(), asyncio.Event()
        asking = 0

        async def answer(_: Question) -> Reply:
            nonlocal asking
            asking += 1
            if asking == MAX_CONNECTIONS:
                all_ask.set()
            await go_on.wait()
            return Reply(200, b"{}")

        async def ask() -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET / HTTP/1.1\r\nHost: judge\r\n\r\n")
                return await reader.read()
            except ConnectionError:
                return b""
            finally:
                writer.close()

        connections = Connections(answer, lambda status, _: Reply(status, b"{}"))
        server = await asyncio.start_server(connections.take, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        many = [asyncio.create_task(ask()) for _ in range(MAX_CONNECTIONS)]
        await all_ask.wait()
        assert await asyncio.wait_for(ask(), 60) == b""
        go_on.set()
        for said in await asyncio.gather(*many):
            assert said.startswith(b"HTTP/1.1 200 ")
        assert (await ask()).startswith(b"HTTP/1.1 200 ")
        server.close()

    asyncio.run(crowd())


def test_at_the_end_only_what_is_being_answered_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_SECONDS", "SEND_SECONDS", "END_SECONDS"):
        monkeypatch.setattr(http_server, name, 600.0)

    async def end() -> None:
        asked, go_on = asyncio.Event(), asyncio.Event()

        async def answer(_: Question) -> Reply:
            asked.set()
            await go_on.wait()
            return Reply(200, b"{}")

        connections = Connections(answer, lambda status, _: Reply(status, b"{}"))
        server = await asyncio.start_server(connections.take, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        # who says nothing, who says half of it, and whoever asks
        silent, half, whole = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        half[1].write(b"GET / HTTP/1.1\r\n")
        whole[1].write(b"GET / HTTP/1.1\r\nHost: judge\r\n\r\n")
        await asyncio.wait_for(asked.wait(), 60)
        server.close()
        ended = asyncio.ensure_future(connections.end())
        for reader, _ in (silent, half):
            assert await asyncio.wait_for(_all_of(reader), 60) == b""
        assert not ended.done()
        go_on.set()
        await asyncio.wait_for(ended, 60)
        assert (await _all_of(whole[0])).startswith(b"HTTP/1.1 200 ")
        for _, writer in (silent, half, whole):
            writer.close()

    asyncio.run(end())


async def _all_of(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""
