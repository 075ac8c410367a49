"""One HTTP request that carries a secret, with the standard library alone: who is asked, what is read, what is told.

No redirect is followed, since it would carry the secret elsewhere; what is read is bounded in bytes and in time; the
secrets never stand in an answer or in the text of an error.
"""

from __future__ import annotations

import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.parse import urlsplit

TRIES = 4
RETRY_SECONDS = 10.0
"""All waits between the tries of one call together; a gate that waits longer only hides an outage."""
TIMEOUT = 20.0
"""Seconds of silence on the connection, and for one answer to arrive."""
RETRIED = frozenset({429, 500, 502, 503, 504})
"""What may be otherwise in a moment."""
MAX_ANSWER = 1_000_000
"""Bytes of a body that are read, unless a caller expects more."""
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, so that tests need neither."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    """From 0 to 1."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said."""

    status: int
    retry_after: str
    body: bytes = field(repr=False)
    location: str = field(default="", repr=False)
    """Where a redirect leads, which is not followed; it may be a secret itself."""

    def json(self) -> dict[str, Any]:
        """The JSON object of the body; empty where it is none."""
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return document if isinstance(document, dict) else {}

    @property
    def said(self) -> str:
        """The server's own words, cut short."""
        message = self.json().get("message")
        return f"{self.status} {message[:200]}" if isinstance(message, str) else str(self.status)


def is_safe(address: str) -> bool:
    """Whether secrets may be sent there: https, or this very machine; without a user, and without a fragment."""
    try:
        parts = urlsplit(address)
        host, port_is_a_number = parts.hostname, parts.port is None or parts.port > 0
    except ValueError:
        return False
    if not host or not port_is_a_number or parts.username is not None or parts.fragment or not address.isprintable():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)


def is_loopback(address: str) -> bool:
    """Whether an address is this very machine, which is reached without a proxy."""
    return urlsplit(address).hostname in _LOOPBACK


def call(
    request: urllib.request.Request,
    *,
    secrets: Sequence[str],
    timeout: float = TIMEOUT,
    clock: Clock,
    limit: int = MAX_ANSWER,
) -> tuple[str, Answer | None]:
    """The answer, or why there was none. `secrets` are replaced wherever the server echoes them.

    `limit`: bytes of the body that are read; of a longer one the rest is left.
    """
    try:
        with _opener(request.full_url).open(request, timeout=timeout) as response:
            return "", _answer(response.status, response, secrets, timeout, clock, limit)
    except urllib.error.HTTPError as error:
        with error:
            return "", _answer(error.code, error, secrets, timeout, clock, limit)
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        return _without(secrets, f"{type(reason).__name__}: {reason}"[:200]), None


def call_with_retries(
    request: urllib.request.Request,
    *,
    secrets: Sequence[str],
    timeout: float = TIMEOUT,
    clock: Clock,
    limit: int = MAX_ANSWER,
) -> tuple[str, Answer | None]:
    """The same, tried again where that may help: no connection, 429, and what a server in trouble says."""
    waited = 0.0
    for attempt in range(1, TRIES + 1):
        problem, answer = call(request, secrets=secrets, timeout=timeout, clock=clock, limit=limit)
        if answer is not None and answer.status not in RETRIED:
            break
        pause = pause_before_next(answer.retry_after if answer else "", attempt, clock.jitter())
        if attempt == TRIES or waited + pause > RETRY_SECONDS:
            break
        waited += pause
        clock.sleep(pause)
    return problem, answer


def pause_before_next(retry_after: str, attempt: int, jitter: float) -> float:
    """Seconds until the next try: what the server asks for, else 0.5, 1, 2 with up to half of it more or less."""
    if retry_after.isascii() and retry_after.isdecimal():
        return float(retry_after[:9])
    return float(2 ** (attempt - 2)) * (0.5 + jitter)


class _Refuse(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the secret to wherever it points."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


def _opener(address: str) -> urllib.request.OpenerDirector:
    """Without redirects; and without a proxy on the way to this very machine, which would see the secret."""
    return urllib.request.build_opener(_Refuse, *([urllib.request.ProxyHandler({})] if is_loopback(address) else []))


def _answer(status: int, response: Any, secrets: Sequence[str], timeout: float, clock: Clock, limit: int) -> Answer:
    """Read what came with a status, within limits: neither an endless nor a trickling answer may hold a job."""
    end = clock.now() + timeout
    read = bytearray()
    try:
        while len(read) < limit and (chunk := response.read1(limit - len(read))):
            read += chunk
            if clock.now() >= end:  # after it, since what has arrived while this machine stood still is an answer
                break
    except (OSError, HTTPException):
        read.clear()  # cut off: the status stands, its text does not
    body = bytes(read)
    for secret in secrets:
        body = body.replace(secret.encode(), b"***")
    return Answer(status, response.headers.get("Retry-After", ""), body, response.headers.get("Location", ""))


def _without(secrets: Sequence[str], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
