"""One process of the service, from its sockets to its end.

SIGTERM: readiness is false at once, while what a load balancer still sends is answered for the drain time. Then the
sockets close, requests under way may end within a bound, counts of denied calls are recorded, and the log is closed. A
second signal ends the drain time; a third, the waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from uvicorn import Config, Server

from aegis.core.errors import UsageError
from aegis_multimodal_ai_system.api.connection import MAX_HEAD, Connection
from aegis_multimodal_ai_system.api.listener import Loop
from aegis_multimodal_ai_system.api.logs import log

if TYPE_CHECKING:
    from starlette.applications import Starlette


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """How."""

    certificate: Path | None
    key: Path | None
    drain_seconds: float
    end_seconds: int
    """For requests under way."""


def serve(
    app: Starlette, sockets: Sequence[socket.socket], listening: Listening, *, first: Callable[[], object]
) -> None:
    """Until a signal. The sockets are closed at the end. `first`: done once nothing stands in the way of a start."""
    config = Config(
        app,
        http=Connection,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # nothing is decided by the caller's address, so nobody need be believed about it
        server_header=False,
        h11_max_incomplete_event_size=MAX_HEAD,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=listening.end_seconds,
        ssl_certfile=listening.certificate,
        ssl_keyfile=listening.key,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            "runtime.api_certificate_invalid",
            f"the certificate and key cannot be used: {getattr(error, 'strerror', None) or type(error).__name__}",
            expected="PEM files of a certificate and its key without a password",
            remedy="correct --tls-cert and --tls-key",
        ) from error
    first()
    server = _Draining(config, app, listening.drain_seconds)
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(server.serve(sockets=list(sockets)))


class _Draining(Server):
    """uvicorn's server, which would close its sockets with the signal, before anyone can ask whether it is ready."""

    def __init__(self, config: Config, app: Starlette, drain_seconds: float) -> None:
        super().__init__(config)
        self._service = app.state.service
        self._drain_seconds = drain_seconds
        self._drain: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say so when it is listening."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        log("listening", addresses=", ".join(_address(one) for one in sockets or ()))

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Without raising the signal again at the end: an end that was asked for is exit code 0."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called in the main thread, between two steps of the loop."""
        if self.should_exit:
            self.force_exit = True
        elif self._service.stopping or sig == signal.SIGINT or self._drain_seconds <= 0 or self._loop is None:
            self._service.stopping = True
            self.should_exit = True
        else:
            self._service.stopping = True
            self._loop.call_soon_threadsafe(self._start_drain)

    def _start_drain(self) -> None:
        log("stopping", drain_seconds=self._drain_seconds)
        assert self._loop is not None  # noqa: S101 - it runs on it
        self._drain = self._loop.call_later(self._drain_seconds, self._end_drain)

    def _end_drain(self) -> None:
        self.should_exit = True


def _address(one: socket.socket) -> str:
    host, port = one.getsockname()[:2]
    return f"{host}:{port}"
