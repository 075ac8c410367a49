"""What a cluster asks: alive, ready, metrics; and the service's own description."""

from __future__ import annotations

from aegis_multimodal_ai_system.api.answers import Alive, Ready
from aegis_multimodal_ai_system.api.operations import Call, Plain


def alive(call: Call) -> Alive:
    """Asks nobody: a process whose database is down must not be restarted for it."""
    return Alive()


def ready(call: Call) -> Ready:
    """Names what is missing by its reason code; details are in the log, since anyone may ask."""
    checks = dict(call.service.readiness.look())
    if call.service.stopping:
        checks["stopping"] = "runtime.api_stopping"
    good = all(outcome == "ok" for outcome in checks.values())
    return Ready(status="ready" if good else "not ready", checks=checks)


def metrics(call: Call) -> Plain:
    """In Prometheus' text format."""
    from aegis_multimodal_ai_system.metrics import CONTENT_TYPE

    return Plain(call.service.runtime.metrics.render(), CONTENT_TYPE)


def description(call: Call) -> Plain:
    """OpenAPI 3.1."""
    from aegis_multimodal_ai_system.api.openapi import document_bytes

    return Plain(document_bytes(), "application/json")
