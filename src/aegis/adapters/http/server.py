"""A small HTTP/1.1 server for questions without a body: everything about it is bounded.

One request a connection (RFC 9112): the head must be here within seconds and is at most some kilobytes long, an answer
is JSON or plain text of a known length, and then the connection ends. What is more than the server takes is closed
without a word.
"""

from __future__ import annotations

import asyncio
import re
import signal
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from aegis.core.errors import UsageError

MAX_HEAD: Final = 8 << 10
"""Bytes of a request line and all headers."""
MAX_FIELDS: Final = 16
"""Parameters of a query."""
HEAD_SECONDS: Final = 5.0
"""For a head to arrive, and for TLS to be agreed on."""
SEND_SECONDS: Final = 5.0
"""For an answer to be taken."""
END_SECONDS: Final = 10.0
"""For what is being answered when the server is to end."""
MAX_CONNECTIONS: Final = 64
_REQUEST: Final = re.compile(r"(?P<method>[A-Z]{1,16}) (?P<target>/[!-~]*) HTTP/1\.[01]")
_HEADER: Final = re.compile(r"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(?P<value>[ -~\t\x80-\xff]*?)[ \t]*")
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_.-]+)*/?")
_REASONS: Final = {200: "OK", 400: "Bad Request", 405: "Method Not Allowed", 431: "Request Header Fields Too Large"}


@dataclass(frozen=True, slots=True)
class Question:
    """A GET."""

    path: str
    query: tuple[tuple[str, str], ...]
    """Names and values in their order; a name may stand twice."""
    headers: Mapping[str, str] = field(repr=False)
    """By lower-case names; may hold a secret."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered."""

    status: int
    body: bytes
    kind: str = "application/json"
    """Media type."""
    headers: tuple[tuple[str, str], ...] = ()


Answer = Callable[[Question], Awaitable[Reply]]
Refuse = Callable[[int, str], Reply]
"""A reply to what is no question, by its status and what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where."""

    host: str
    port: int
    """0: a free one."""
    certificate: Path | None = None
    """PEM files of the certificate with its chain, and of its key; None for both: plain HTTP."""
    key: Path | None = None

    def tls(self) -> ssl.SSLContext | None:
        """Raises UsageError `canary.listen_refused`."""
        if self.certificate is None or self.key is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
        except (OSError, ssl.SSLError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise _refused(
                f"the certificate {str(self.certificate)!r} and its key cannot be used: {reason}",
                "PEM files of a certificate and its key without a password",
                "correct --tls-cert and --tls-key",
            ) from error
        return context


def serve(answer: Answer, refuse: Refuse, listening: Listening, *, ready: Callable[[str], None]) -> None:
    """Until SIGTERM or SIGINT, and until what is being answered then has its answer.

    `ready` is told the address once it listens. Raises UsageError `canary.listen_refused`.
    `answer` must end by itself; an exception of it ends the connection without an answer.
    """
    context = listening.tls()
    asyncio.run(_serve(Connections(answer, refuse), listening, context, ready))


async def _serve(
    connections: Connections, listening: Listening, context: ssl.SSLContext | None, ready: Callable[[str], None]
) -> None:
    try:
        server = await asyncio.start_server(
            connections.take,
            listening.host,
            listening.port,
            limit=MAX_HEAD,
            ssl=context,
            ssl_handshake_timeout=HEAD_SECONDS if context is not None else None,
        )
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise _refused(
            f"cannot listen on {listening.host!r} port {listening.port}: {reason}",
            "an address of this machine and a free port",
            "choose another --host or --port",
        ) from error
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    host, port = server.sockets[0].getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    ready(f"{'https' if context is not None else 'http'}://{shown}:{port}")
    await stop.wait()
    server.close()
    await connections.end()


class Connections:
    """Those that are open now; used by one event loop."""

    def __init__(self, answer: Answer, refuse: Refuse) -> None:
        self._answer, self._refuse = answer, refuse
        self._open: set[asyncio.Task[None]] = set()
        self._asked: set[asyncio.Task[None]] = set()
        """Those of them whose head is here."""

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its first byte to its end."""
        task = asyncio.current_task()
        if task is None or len(self._open) >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        self._open.add(task)
        try:
            reply = await self._reply(reader, task)
            if reply is not None:
                writer.write(_written(reply))
                async with asyncio.timeout(SEND_SECONDS):
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
        except (OSError, TimeoutError, ssl.SSLError):  # whoever asked has gone, or does not listen
            pass
        finally:
            writer.transport.abort()
            self._open.discard(task)
            self._asked.discard(task)

    async def end(self) -> None:
        """What is being answered gets its answer, within `END_SECONDS`; who has asked nothing yet is not waited for."""
        for task in self._open - self._asked:
            task.cancel()
        if self._asked:
            await asyncio.wait(self._asked, timeout=END_SECONDS)

    async def _reply(self, reader: asyncio.StreamReader, task: asyncio.Task[None]) -> Reply | None:
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return self._refuse(431, f"the request's head has more than {MAX_HEAD} bytes")
        except asyncio.IncompleteReadError:
            return None
        self._asked.add(task)
        question = parse(head)
        if isinstance(question, Question):
            return await self._answer(question)
        return self._refuse(*question)


def parse(head: bytes) -> Question | tuple[int, str]:
    """What is asked by a head, which ends with an empty line; or the status and reason for which it is no question."""
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    request = _REQUEST.fullmatch(first)
    if request is None:
        return 400, "the request line is none of HTTP/1.1 with a path"
    headers: dict[str, str] = {}
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            return 400, "a header line is none"
        name = header["name"].lower()
        if name in headers and name in {"host", "authorization", "content-length", "transfer-encoding"}:
            return 400, f"the header {name} stands twice"
        headers[name] = header["value"]
    if request["method"] != "GET":
        return 405, "only GET is answered"
    if "transfer-encoding" in headers or headers.get("content-length", "0") != "0":
        return 400, "the request has a body"
    path, _, query = request["target"].partition("?")
    if _PATH.fullmatch(path) is None:
        return 400, "the path has characters that no path here has"
    try:
        fields = parse_qsl(
            query, keep_blank_values=True, strict_parsing=True, max_num_fields=MAX_FIELDS, errors="strict"
        )
    except ValueError:  # of UnicodeDecodeError, too
        fields = []
        if query:
            return 400, f"the query is none of name=value, or has more than {MAX_FIELDS} parameters"
    return Question(path, tuple(fields), headers)


def _written(reply: Reply) -> bytes:
    headers = [
        ("Content-Type", reply.kind),
        ("Content-Length", str(len(reply.body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Connection", "close"),
        *reply.headers,
    ]
    lines = [
        f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, '')}",
        *(f"{name}: {text}" for name, text in headers),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + reply.body


def _no_password() -> str:
    """For an encrypted key: never ask the terminal."""
    raise ValueError("a password is asked for")


def _refused(problem: str, expected: str, remedy: str) -> UsageError:
    return UsageError("canary.listen_refused", problem, expected=expected, remedy=remedy)
