"""Telling people that a model was refused: a webhook, Alertmanager, or an issue on GitHub.

What comes in is an `Alert`; what goes out are requests of bounded length, number and time. Nothing here raises: a
refusal stands whether or not somebody hears of it, and what did not arrive is logged and counted.
"""

from aegis_multimodal_ai_system.alerts.alert import Alert, Failure, Sink
from aegis_multimodal_ai_system.alerts.alerts import Alerts
from aegis_multimodal_ai_system.alerts.from_settings import alerts_of

__all__ = ["Alert", "Alerts", "Failure", "Sink", "alerts_of"]
