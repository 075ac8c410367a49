"""The service as an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from aegis.core.errors import AegisError
from aegis_multimodal_ai_system.api.denials import WINDOW, Denials
from aegis_multimodal_ai_system.api.edge import Edge, context_of, path_unknown
from aegis_multimodal_ai_system.api.logs import log
from aegis_multimodal_ai_system.api.problems import answer_of
from aegis_multimodal_ai_system.api.readiness import Readiness
from aegis_multimodal_ai_system.api.refusals import refused, undecided
from aegis_multimodal_ai_system.api.routes import routes_of
from aegis_multimodal_ai_system.api.service import Limits, Prepare, Service
from aegis_multimodal_ai_system.orchestrator_verify_loader import fetch_and_prepare_model_for_load

if TYPE_CHECKING:
    from aegis_multimodal_ai_system.api.auth import Auth
    from aegis_multimodal_ai_system.runtime import Runtime


def make_app(
    runtime: Runtime,
    auth: Auth | None,
    *,
    limits: Limits | None = None,
    probe_port: int | None = None,
    prepare: Prepare = fetch_and_prepare_model_for_load,
) -> Starlette:
    """All routes over one runtime; `app.state.service` is its `Service`.

    Without `auth` every call but health is refused. The runtime stays its caller's to close.
    """
    limits = limits or Limits()
    service = Service(
        runtime=runtime,
        auth=auth,
        limits=limits,
        denials=Denials(lambda event: runtime.log.append(event)),
        readiness=Readiness(
            {
                "auth": lambda: _has(auth),
                "policy": runtime.check_policy,
                "database": lambda: runtime.database.check(),
                "audit": lambda: runtime.log.check(),
            },
            seconds=limits.part_seconds,
        ),
        prepare=prepare,
        probe_port=probe_port,
    )
    app = Starlette(
        routes=routes_of(service),
        middleware=[
            Middleware(
                Edge,
                answered=runtime.metrics.answered,
                max_in_flight=limits.in_flight,
                probe_port=probe_port,
            )
        ],
        exception_handlers={HTTPException: _unrouted},
        lifespan=lambda app: _life(service),
    )
    app.router.redirect_slashes = False  # a path with a slash more is another path
    app.state.service = service
    return app


async def _unrouted(request: Request, error: Exception) -> Response:
    """A path or method that no operation has."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these alone
    context = context_of(request.scope)
    allowed = (error.headers or {}).get("Allow", "")
    told: AegisError = path_unknown()
    headers = {"Connection": "close"}
    if error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(allowed.split(", ")))
        told = refused(
            "runtime.api_method_refused", f"{request.method[:20]!a} is not allowed here", expected=headers["Allow"]
        )
    context.code = told.code
    return answer_of(told, context.correlation_id, headers)


@contextlib.asynccontextmanager
async def _life(service: Service) -> AsyncIterator[None]:
    """Counts of denied calls are recorded as their minutes pass, and at the end."""

    async def flushing() -> None:
        while True:
            await asyncio.sleep(WINDOW)
            await _flush(service, everything=False)

    task = asyncio.create_task(flushing())
    try:
        yield
    finally:
        task.cancel()
        await _flush(service, everything=True)


async def _flush(service: Service, *, everything: bool) -> None:
    try:
        await service.calls.run(lambda: service.denials.flush(everything=everything), service.limits.call_seconds)
    except AegisError as error:
        log("denied calls have no entry", code=error.code)


def _has(auth: Auth | None) -> None:
    if auth is None:
        raise undecided("runtime.api_auth_unset", "this service trusts no issuer", expected="a file at AEGIS_AUTH")
