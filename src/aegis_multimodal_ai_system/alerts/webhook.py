"""A JSON document for each refused model, to an address that may itself be the secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from aegis.adapters.http.posting import TIMEOUT, asked, problem_of
from aegis_multimodal_ai_system.alerts.alert import Alert, line


@dataclass(frozen=True, slots=True)
class Webhook:
    """Gets the document below; any status of 200 to 299 says that it arrived. It may arrive twice."""

    address: str = field(repr=False)
    service: str = ""
    """The deployment that tells it."""
    timeout: float = TIMEOUT
    kind: ClassVar[str] = "webhook"

    def send(self, alert: Alert, repeated: int) -> str:
        """Why it did not arrive; empty where it did."""
        document = {
            "schema": "aegis.alert/v1",
            "event": "model.refused",
            "service": self.service,
            "model": line(alert.model),
            "version": None if alert.version is None else line(alert.version),
            "reason": alert.reason,
            "message": line(alert.message),
            "digest": alert.digest,
            "correlation_id": alert.correlation_id,
            "time": alert.time.isoformat(),
            "repeated": repeated,
        }
        return problem_of(*asked("POST", self.address, document, timeout=self.timeout))
