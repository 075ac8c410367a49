"""Prometheus' Alertmanager, by its API v2: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml.

A refusal is an event, not a condition that somebody measures: the alert says itself when it ends, and is told again
while loads go on to be refused. That a model is fine again is what the metrics say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from aegis.adapters.http.posting import TIMEOUT, asked, problem_of
from aegis_multimodal_ai_system.alerts.alert import Alert, line
from aegis_multimodal_ai_system.alerts.alerts import QUIET

LASTS = timedelta(seconds=3 * QUIET)
"""Longer than the time in which the same is not told again, so that it does not flap while loads are refused."""


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """One of them. A cluster of several gets it from the first, by gossip."""

    address: str
    """`http(s)://host[:port][/path]`."""
    service: str = ""
    timeout: float = TIMEOUT
    kind: ClassVar[str] = "alertmanager"

    def send(self, alert: Alert, repeated: int) -> str:
        """Why it did not arrive; empty where it did."""
        labels = {
            "alertname": "AegisModelRefused",
            "severity": "critical",
            "service": self.service,
            "model": line(alert.model),
            "version": line(alert.version or ""),
            "reason": alert.reason,
        }
        annotations = {
            "summary": f"Model {line(alert.model)} was refused ({alert.reason})",
            "description": line(alert.message),
            "digest": alert.digest or "",
            "correlation_id": alert.correlation_id,
            "repeated": str(repeated),
        }
        start = alert.time.astimezone(UTC)
        document = [
            {
                # Alertmanager drops labels without a value, and takes no empty ones.
                "labels": {name: value for name, value in labels.items() if value},
                "annotations": annotations,
                "startsAt": _stamp(start),
                "endsAt": _stamp(start + LASTS),
            }
        ]
        address = f"{self.address.rstrip('/')}/api/v2/alerts"
        return problem_of(*asked("POST", address, document, timeout=self.timeout))


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
