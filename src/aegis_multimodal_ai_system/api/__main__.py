"""`python -m aegis_multimodal_ai_system.api`: the service, by the environment's settings."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aegis.core.errors import AegisError, CouldNotDecide, UsageError, crashed
from aegis_multimodal_ai_system.api import logs
from aegis_multimodal_ai_system.api.logs import log

if TYPE_CHECKING:
    from aegis.audit.event import Event
    from aegis_multimodal_ai_system.runtime import Runtime

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal. 0: ended as asked; 2: wrong settings; 3: a part of it does not work."""
    options = _parser().parse_args(arguments)
    if options.openapi:
        from aegis_multimodal_ai_system.api.openapi import document_bytes

        sys.stdout.write(document_bytes().decode() + "\n")
        return 0
    logs.configure()
    try:
        _serve(options)
    except AegisError as error:
        return _ended(error)
    except Exception as error:  # a defect ends it too, and is told in the same form
        log("the service failed", logging.ERROR, error=error)
        return _ended(crashed(error))
    return 0


def _serve(options: argparse.Namespace) -> None:
    from aegis_multimodal_ai_system.api.app import make_app
    from aegis_multimodal_ai_system.api.auth import Auth
    from aegis_multimodal_ai_system.api.listener import PROBE_CONNECTIONS, call_connections, listen
    from aegis_multimodal_ai_system.api.serve import Listening, serve
    from aegis_multimodal_ai_system.runtime import Runtime

    if (options.tls_cert is None) != (options.tls_key is None):
        raise UsageError(
            "runtime.setting_invalid",
            "of --tls-cert and --tls-key one is missing",
            expected="both, or none of them",
            remedy="name the certificate's file and its key's",
        )
    runtime = Runtime.from_environment()
    try:
        settings = runtime.settings
        auth = Auth.from_file(settings.auth) if settings.auth is not None else None
        if auth is None:
            log("AEGIS_AUTH is not set: every call but health is refused", logging.WARNING)
        if options.tls_cert is None and options.host not in LOOPBACK:
            log("tokens arrive unencrypted unless something before this service ends TLS", logging.WARNING)
        runtime.database.check()  # with its tables: opening it migrates
        runtime.log.check()
        sockets = [listen(options.host, options.port, call_connections())]
        probe_port = None
        if options.probe_port is not None:
            sockets.append(listen(options.host, options.probe_port, PROBE_CONNECTIONS))
            probe_port = sockets[1].getsockname()[1]
        listening = Listening(
            certificate=options.tls_cert,
            key=options.tls_key,
            drain_seconds=options.drain_seconds,
            end_seconds=options.end_seconds,
        )
        app = make_app(runtime, auth, probe_port=probe_port)
        serve(app, sockets, listening, first=lambda: runtime.log.append(_started(runtime)))
    finally:
        runtime.close()
        log("ended")


def _started(runtime: Runtime) -> Event:
    """From here on somebody may write: who looks for a gap in the log sees when nobody could."""
    from aegis.audit.event import Event, Resource

    return Event(
        action="log.started",
        actor=runtime.actor,
        resource=Resource(kind="log", name=runtime.log.origin),
        outcome="success",
    )


def _ended(error: AegisError) -> int:
    log("the service ends", logging.ERROR, code=error.code, problem=error.problem, remedy=error.remedy)
    return error.exit_code if error.exit_code != 1 else CouldNotDecide.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m aegis_multimodal_ai_system.api",
        description="The API over models, their states and the audit log. Settings are environment variables.",
        allow_abbrev=False,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine alone)")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one, which the log names")
    parser.add_argument(
        "--probe-port",
        type=int,
        help="a second port that tells health and metrics to anyone who reaches it, and nothing else",
    )
    parser.add_argument("--tls-cert", type=Path, help="PEM file of the certificate and its chain")
    parser.add_argument("--tls-key", type=Path, help="PEM file of its key")
    parser.add_argument(
        "--drain-seconds", type=float, default=0.0, help="after SIGTERM: not ready, and still answering"
    )
    parser.add_argument("--end-seconds", type=int, default=30, help="then: for requests under way to end")
    parser.add_argument("--openapi", action="store_true", help="print the description of the API, and end")
    return parser


if __name__ == "__main__":
    sys.exit(main())
