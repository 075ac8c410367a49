"""Requests to an ASGI application in this process, as a server would hand them over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of a problem."""
        assert self.headers["content-type"] == "application/problem+json", self
        return str(self.json()["code"])


@dataclass
class Client:
    """Asks one application."""

    app: Callable[..., Coroutine[Any, Any, None]]
    headers: Headers = ()
    """Of each request."""
    port: int = 80
    scheme: str = "http"
    stall: bool = False
    """Bodies never end."""
    asked: list[Answer] = field(default_factory=list)

    async def ask(
        self, method: str, target: str, *, body: bytes | Sequence[bytes] = b"", headers: Headers = ()
    ) -> Answer:
        """One request; `target` as it stands in the request line."""
        pieces = [body] if isinstance(body, bytes) else list(body)
        sent = [*self.headers, *headers]
        given = {name.lower() for name, _ in sent}
        if any(pieces) and not given & {"content-length", "transfer-encoding"}:
            sent.append(("content-length", str(sum(map(len, pieces)))))
        raw, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": self.scheme,
            "path": unquote(raw),
            "raw_path": raw.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "root_path": "",
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in sent],
            "client": ("192.0.2.7", 1234),
            "server": ("127.0.0.1", self.port),
            "state": {},
        }
        got: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if self.stall and not pieces:
                await asyncio.Event().wait()
            piece = pieces.pop(0) if pieces else b""
            return {"type": "http.request", "body": piece, "more_body": bool(pieces) or self.stall}

        async def send(message: dict[str, Any]) -> None:
            got.append(message)

        await self.app(scope, receive, send)
        start, *rest = got
        assert start["type"] == "http.response.start"
        answer = Answer(
            start["status"],
            {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]},
            b"".join(message.get("body", b"") for message in rest),
        )
        self.asked.append(answer)
        return answer


@asynccontextmanager
async def lifespan(app: Callable[..., Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Between the application's start and its end."""
    inbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    outbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    task = asyncio.create_task(
        app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, inbox.get, outbox.put)
    )
    await inbox.put({"type": "lifespan.startup"})
    assert (await outbox.get())["type"] == "lifespan.startup.complete"
    try:
        yield
    finally:
        await inbox.put({"type": "lifespan.shutdown"})
        assert (await outbox.get())["type"] == "lifespan.shutdown.complete"
        await task
