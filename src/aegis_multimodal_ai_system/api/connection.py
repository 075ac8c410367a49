"""HTTP connections of uvicorn, with the bound that it leaves out: for a head to arrive.

What is no HTTP at all is answered as a problem too, since no application ever sees it.
"""

from __future__ import annotations

import asyncio
import sys
import uuid

import h11
import msgspec
from uvicorn.protocols.http.h11_impl import H11Protocol

from aegis.core.errors import AegisError
from aegis_multimodal_ai_system.api.edge import MAX_HEADER_BYTES
from aegis_multimodal_ai_system.api.logs import log
from aegis_multimodal_ai_system.api.problems import MEDIA_TYPE, problem_of
from aegis_multimodal_ai_system.api.refusals import malformed, refused

HEAD_SECONDS = 10.0
"""For a request's head, from the connection or the answer before; a trickle does not prolong it."""
MAX_HEAD = MAX_HEADER_BYTES + (8 << 10)
"""Bytes of a head that are kept: the edge refuses what is larger than its own bound."""


class Connection(H11Protocol):
    """One connection."""

    head_seconds = HEAD_SECONDS
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Its first head is awaited from now on."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """The timer goes with it."""
        self._stop_watching()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """The head has arrived, or is still awaited."""
        super().handle_events()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn while it handles h11's error, which knows the status."""
        status = getattr(sys.exception(), "error_status_hint", 400)
        if status == 431:
            error: AegisError = refused(
                "runtime.api_headers_too_large",
                f"the request's head has more than {MAX_HEAD} bytes",
                expected=f"headers of at most {MAX_HEADER_BYTES} bytes",
            )
        else:
            error = malformed("the request is no HTTP/1.1", expected="a request as RFC 9112 describes it")
        self._refuse(error)

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._stop_watching()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self._too_slow)

    def on_response_complete(self) -> None:
        """The next head is awaited from now on."""
        super().on_response_complete()
        self._watch()

    def _stop_watching(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self._refuse(
                refused(
                    "runtime.api_too_slow",
                    f"no whole request within {self.head_seconds:g} s",
                    expected="the request's head in that time",
                )
            )

    def _refuse(self, error: AegisError) -> None:
        problem = problem_of(error, str(uuid.uuid4()))
        log("refused", correlation_id=problem.correlation_id, code=error.code, client=self.client and self.client[0])
        content = msgspec.json.encode(problem)
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(content)).encode()),
            (b"connection", b"close"),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"x-request-id", problem.correlation_id.encode()),
        ]
        try:
            for event in (
                h11.Response(status_code=problem.status, headers=headers),
                h11.Data(data=content),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:
            pass  # an answer is under way already
        self.transport.close()
