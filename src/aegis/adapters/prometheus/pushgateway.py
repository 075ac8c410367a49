"""Metrics to a Pushgateway, which keeps them for Prometheus: for jobs that end before they are scraped.

https://github.com/prometheus/pushgateway#api. One group a database, so that checks of different ones don't replace each
other's.
"""

from __future__ import annotations

import urllib.request
from urllib.parse import urlsplit

from aegis.adapters.http.call import Clock, call_with_retries
from aegis.core.errors import CouldNotDecide, UsageError

_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def check_address(address: str) -> None:
    """Refuse what is no plain address. Credentials in it would stand in the list of processes."""
    try:
        parts = urlsplit(address)
        known = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known or parts.username is not None or parts.query or parts.fragment or not address.isprintable():
        raise UsageError(
            "core.wrong_usage",
            "the Pushgateway's address is none, or holds more than scheme, host, port and path",
            expected="http://HOST:PORT or https://HOST:PORT, without a user or password",
            remedy="correct --pushgateway",
        )


def push(address: str, database: str, metrics: str, *, clock: Clock | None = None) -> None:
    """Put a database's metrics in the place of its earlier ones. CouldNotDecide `backup_check.push_failed`."""
    check_address(address)
    request = urllib.request.Request(  # noqa: S310 - http or https, as checked
        f"{address.rstrip('/')}/metrics/job/aegis_backup/database/{database}",
        data=metrics.encode(),
        method="PUT",
        headers={"Content-Type": _TYPE},
    )
    problem, answer = call_with_retries(request, secrets=(), clock=clock or Clock())
    if answer is None or answer.status not in {200, 202}:
        raise CouldNotDecide(
            "backup_check.push_failed",
            f"{address} did not take the metrics of {database}: {problem if answer is None else answer.said}",
            expected="a Pushgateway that answers 200 or 202",
            remedy="Correct the address, or look at the Pushgateway's log; an alert on absent metrics fires meanwhile.",
        )
