"""What a Prometheus sees of one process: loads, refusals, the audit log, alerts, requests.

The number of series is bounded, whatever callers send: models are those of the policy, reasons those of the registry,
versions and routes the first few; everything else is `other`. Import this module inside a function: the client library
costs a loader's start more than everything else in it.

One process, one registry: values are this process's own, so each replica is scraped by itself, and a service that runs
several worker processes behind one port would tell a different one each time. Run one worker a container.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, Info
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from aegis import __version__
from aegis.core.codes import CODES
from aegis_multimodal_ai_system.patience import Patient

OTHER: Final = "other"
MAX_VERSIONS = 32
"""Of one model, in the life of one process: releases come by the week."""
MAX_ROUTES = 64
MAX_LABEL = 100
"""Characters of a version."""
STATES = ("verified", "unverified", "quarantined", "revoked")
SINKS = ("webhook", "alertmanager", "issue")
STATES_SECONDS = 1.0
"""For the database to tell the states: then a scrape tells the rest without them."""
CONTENT_TYPE = CONTENT_TYPE_LATEST
"""Of `render`'s answer."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LOAD_SECONDS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0)
"""From a kept small model to tens of gigabytes over a slow network."""
_REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)


class Metrics:
    """The counters of one process. Safe to call from threads; nothing here raises for what it is told."""

    def __init__(self, models: Iterable[str], *, states: Callable[[], Mapping[str, str]] | None = None) -> None:
        """`models`: names of the policy's artifacts. `states`: state by model, read at each scrape; it may fail."""
        self._models = frozenset(models)
        self._versions = {name: _Few(MAX_VERSIONS) for name in (*self._models, OTHER)}
        self._routes = _Few(MAX_ROUTES)
        self.registry = CollectorRegistry()
        self._failures = Counter(
            "aegis_model_verification_failures",
            "Loads that were refused, by reason",
            ("model", "version", "reason"),
            registry=self.registry,
        )
        self._loads = Counter(
            "aegis_model_loads", "Verified models handed out", ("model", "version"), registry=self.registry
        )
        self._load_seconds = Histogram(
            "aegis_model_load_seconds",
            "From the call of the loader to the verified files",
            ("model",),
            buckets=_LOAD_SECONDS,
            registry=self.registry,
        )
        self._entries = Counter("aegis_audit_entries", "Audit entries that are durable", registry=self.registry)
        self._audit_failures = Counter(
            "aegis_audit_failures", "Audit entries that could not be written", registry=self.registry
        )
        self._alerts_failed = Counter(
            "aegis_alerts_failed", "Alerts that did not arrive, by sink", ("sink",), registry=self.registry
        )
        for sink in SINKS:  # a counter that begins at 1 shows no increase
            self._alerts_failed.labels(sink)
        self._requests = Counter(
            "aegis_http_requests", "Answered requests", ("method", "route", "status"), registry=self.registry
        )
        self._request_seconds = Histogram(
            "aegis_http_request_seconds",
            "From a request's head to the end of its answer",
            ("method", "route"),
            buckets=_REQUEST_SECONDS,
            registry=self.registry,
        )
        Info("aegis_build", "The running version", registry=self.registry).info({"version": __version__})
        if states is not None:
            self.registry.register(_States(self._models, states))

    def refused(self, model: str, reason: str, *, version: str | None = None) -> None:
        """A load that failed. `reason`: a code of the registry."""
        model = self._model(model)
        code = reason if reason in CODES else OTHER
        self._failures.labels(model, self._versions[model].known(version), code).inc()

    def loaded(self, model: str, seconds: float, *, version: str | None = None) -> None:
        """A verified model that was handed out, `seconds` after it was asked for."""
        model = self._model(model)
        self._loads.labels(model, self._versions[model].known(version)).inc()
        self._load_seconds.labels(model).observe(seconds)

    def audited(self, *, written: bool) -> None:
        """An entry of the audit log, or the failure to write one."""
        (self._entries if written else self._audit_failures).inc()

    def alert_failed(self, sink: str) -> None:
        """An alert that did not arrive. `sink`: its kind, never its address."""
        self._alerts_failed.labels(sink if sink in SINKS else OTHER).inc()

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request. `route`: the template that it matched (`/models/{name}`), never the path itself."""
        method, route = method if method in _METHODS else OTHER, self._routes.known(route)
        self._requests.labels(method, route, str(status) if 100 <= status <= 599 else OTHER).inc()
        self._request_seconds.labels(method, route).observe(seconds)

    def render(self) -> bytes:
        """All of it in Prometheus' text format, of the type `CONTENT_TYPE`."""
        return generate_latest(self.registry)

    def _model(self, name: str) -> str:
        return name if name in self._models else OTHER


class _Few:
    """The first few different texts; every later one is `other`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def known(self, text: str | None) -> str:
        if text is None:
            return "none"
        if not text.isprintable() or len(text) > MAX_LABEL:
            return OTHER
        with self._lock:
            if text not in self._seen and len(self._seen) >= self._most:
                return OTHER
            self._seen.add(text)
        return text


class _States(Collector):
    """Each model's state as the database has it, whoever changed it; nothing where the database does not answer."""

    def __init__(self, models: frozenset[str], states: Callable[[], Mapping[str, str]]) -> None:
        self._models, self._states = models, Patient(states)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily("aegis_model_state", "1 for the state that a model is in", labels=("model", "state"))
        try:
            found = self._states.begin().result(STATES_SECONDS)
        except Exception:  # a scrape must tell the rest; that there is no sample is what an alert rule sees
            found = {}
        for model in sorted(self._models & set(found)):
            for state in STATES:
                family.add_metric((model, state), float(found[model] == state))
        yield family

    def describe(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily("aegis_model_state", "1 for the state that a model is in", labels=("model", "state"))
