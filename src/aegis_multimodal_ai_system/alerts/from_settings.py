"""The sinks of a deployment."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aegis.core.errors import UsageError
from aegis_multimodal_ai_system.alerts.alert import Sink
from aegis_multimodal_ai_system.alerts.alerts import Alerts

if TYPE_CHECKING:
    from aegis_multimodal_ai_system.settings import Settings


def alerts_of(settings: Settings, *, failed: Callable[[str], object] = lambda kind: None) -> Alerts:
    """Those that the settings name; none of them is fine. Raises UsageError `runtime.setting_invalid`."""
    from aegis.adapters.http.call import is_safe
    from aegis.adapters.http.header import is_visible
    from aegis_multimodal_ai_system.alerts.alertmanager import Alertmanager
    from aegis_multimodal_ai_system.alerts.issue import Issue
    from aegis_multimodal_ai_system.alerts.webhook import Webhook

    sinks: list[Sink] = []
    if settings.alert_webhook:
        if not is_safe(settings.alert_webhook):
            raise _invalid("AEGIS_ALERT_WEBHOOK", "an https address, or http on this very machine")
        sinks.append(Webhook(settings.alert_webhook, settings.service))
    if settings.alertmanager:
        if not _is_address(settings.alertmanager):
            raise _invalid("AEGIS_ALERTMANAGER", "http(s)://host[:port] without a user, a query and a fragment")
        sinks.append(Alertmanager(settings.alertmanager, settings.service))
    if settings.alert_repository:
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}", settings.alert_repository):
            raise _invalid("AEGIS_ALERT_REPOSITORY", "owner/name")
        token = settings.alert_token
        if not token or not is_visible(token):
            raise _invalid("AEGIS_ALERT_TOKEN", "a token that may write issues of AEGIS_ALERT_REPOSITORY")
        sinks.append(Issue(settings.alert_repository, token, settings.service))
    return Alerts(sinks, failed=failed)


def _is_address(address: str) -> bool:
    """In a cluster, Alertmanager speaks plain HTTP; nothing that is sent to it is secret."""
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 - raises where it is none
    except ValueError:
        return False
    plain = address.isprintable() and " " not in address and not parts.query and not parts.fragment
    return plain and parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None


def _invalid(name: str, expected: str) -> UsageError:
    """Without the value, which may be a secret."""
    return UsageError(
        "runtime.setting_invalid",
        f"{name} is not usable",
        expected=expected,
        remedy=f"correct the variable {name} (docs/runtime.md lists them all)",
    )
