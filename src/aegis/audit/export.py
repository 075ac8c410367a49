"""Entries for the tools that others watch with: OCSF, Elastic Common Schema, CloudEvents.

Each export names the log, the entry's index and its leaf hash, so that whoever sees it can ask for the proof.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from aegis.audit.entry import Entry, format_time
from aegis.audit.event import Action

_OCSF_VERSION = "1.3.0"
_ECS_VERSION = "8.11.0"
_CREATE, _READ, _UPDATE, _DELETE, _OTHER = 1, 2, 3, 4, 99
_OCSF_ACTIVITIES: Mapping[Action, int] = MappingProxyType(
    {
        "log.started": _CREATE, "log.torn": _OTHER, "model.load.requested": _READ, "model.load.verified": _READ,
        "model.load.refused": _READ, "model.quarantined": _UPDATE, "model.released": _UPDATE, "model.revoked": _UPDATE,
        "api.denied": _OTHER, "database.restored": _UPDATE, "backup.created": _CREATE, "backup.drilled": _READ,
        "backup.pruned": _DELETE,
    }
)  # fmt: skip
_ACTIVITY_NAMES = {_CREATE: "Create", _READ: "Read", _UPDATE: "Update", _DELETE: "Delete", _OTHER: "Other"}
_OCSF_STATUS = {
    "success": (1, "Success"),
    "failure": (2, "Failure"),
    "refused": (2, "Failure"),
    "unknown": (0, "Unknown"),
}
_ECS_TYPES: Mapping[int, str] = MappingProxyType(
    {_CREATE: "creation", _READ: "access", _UPDATE: "change", _DELETE: "deletion", _OTHER: "info"}
)
_API_ACTIVITY, _APPLICATION = 6003, 6
_INFORMATIONAL, _MEDIUM = 1, 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry stands."""

    origin: str
    """The log's name."""
    index: int
    leaf_hash: bytes


def ocsf(entry: Entry, place: Place) -> dict[str, Any]:
    """Open Cybersecurity Schema Framework 1.3, class API Activity (6003): https://schema.ocsf.io/1.3.0/classes/api_activity."""
    event = entry.event
    activity = _OCSF_ACTIVITIES[event.action]
    status, status_name = _OCSF_STATUS[event.outcome]
    severe = event.outcome in {"refused", "failure"} or event.action in {"log.torn", "database.restored"}
    found: dict[str, Any] = {
        "activity_id": activity,
        "activity_name": _ACTIVITY_NAMES[activity],
        "actor": {"user": {"uid": event.actor.id, "name": event.actor.display, "type_id": 99, "type": event.actor.kind},
                  "idp": {"name": event.actor.issuer}},
        "api": {"operation": event.action, "service": {"name": "aegis", "version": entry.producer.version}},
        "category_name": "Application Activity",
        "category_uid": _APPLICATION,
        "class_name": "API Activity",
        "class_uid": _API_ACTIVITY,
        "metadata": {
            "version": _OCSF_VERSION, "uid": entry.id, "sequence": place.index, "log_name": place.origin,
            "product": {"name": "Aegis", "vendor_name": "Aegis", "version": entry.producer.version},
        },
        "resources": [_without_none({"type": event.resource.kind, "name": event.resource.name,
                                     "uid": event.resource.sha256, "version": event.resource.version})],
        "severity": "Medium" if severe else "Informational",
        "severity_id": _MEDIUM if severe else _INFORMATIONAL,
        "src_endpoint": {"hostname": entry.producer.host},
        "status": status_name,
        "status_id": status,
        "time": entry.time // 1_000_000,
        "type_name": f"API Activity: {_ACTIVITY_NAMES[activity]}",
        "type_uid": _API_ACTIVITY * 100 + activity,
        "unmapped": _unmapped(entry, place),
    }  # fmt: skip
    if event.reason is not None:
        found["status_detail"] = event.reason
    if event.correlation_id is not None:
        found["metadata"]["correlation_uid"] = event.correlation_id
    return found


def ecs(entry: Entry, place: Place) -> dict[str, Any]:
    """Elastic Common Schema 8.11: https://www.elastic.co/guide/en/ecs/8.11/ecs-field-reference.html."""
    event = entry.event
    found: dict[str, Any] = {
        "@timestamp": format_time(entry.time),
        "ecs": {"version": _ECS_VERSION},
        "event": _without_none({
            "kind": "event", "category": ["configuration"] if event.action.startswith("model.") else ["database"],
            "type": [_ECS_TYPES[_OCSF_ACTIVITIES[event.action]]], "action": event.action, "id": entry.id,
            "outcome": "failure" if event.outcome == "refused" else event.outcome, "reason": event.reason,
            "sequence": place.index, "hash": place.leaf_hash.hex(), "provider": "aegis", "dataset": "aegis.audit",
        }),
        "user": {"id": event.actor.id, "name": event.actor.display, "domain": event.actor.issuer},
        "host": {"hostname": entry.producer.host},
        "process": {"pid": entry.producer.pid},
        "service": {"name": "aegis", "version": entry.producer.version},
        "log": {"logger": place.origin},
        "aegis": {"resource": _without_none({
            "kind": event.resource.kind, "name": event.resource.name, "sha256": event.resource.sha256,
            "version": event.resource.version}), "details": dict(event.details), "outcome": event.outcome,
            "actor": {"kind": event.actor.kind, "subject": event.actor.subject,
                      "attributes": dict(event.actor.attributes)}},
    }  # fmt: skip
    if event.correlation_id is not None:
        found["trace"] = {"id": event.correlation_id}
    return found


def cloudevents(entry: Entry, place: Place) -> dict[str, Any]:
    """CloudEvents 1.0 in JSON: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md."""
    event = entry.event
    return {
        "specversion": "1.0",
        "id": entry.id,
        "source": f"//{place.origin}",
        "type": f"dev.aegis.{event.action}",
        "subject": f"{event.resource.kind}/{event.resource.name}",
        "time": format_time(entry.time),
        "datacontenttype": "application/json",
        "sequence": f"{place.index:020d}",
        "data": {
            "actor": {"id": event.actor.id, "kind": event.actor.kind, "display": event.actor.display,
                      "issuer": event.actor.issuer, "subject": event.actor.subject,
                      "attributes": dict(event.actor.attributes)},
            "resource": {"kind": event.resource.kind, "name": event.resource.name, "sha256": event.resource.sha256,
                         "version": event.resource.version},
            "outcome": event.outcome, "reason": event.reason, "correlation_id": event.correlation_id,
            "details": dict(event.details), "leaf_hash": place.leaf_hash.hex(),
            "producer": {"version": entry.producer.version, "host": entry.producer.host, "pid": entry.producer.pid},
        },
    }  # fmt: skip


FORMATS: Mapping[str, Callable[[Entry, Place], dict[str, Any]]] = MappingProxyType(
    {"ocsf": ocsf, "ecs": ecs, "cloudevents": cloudevents}
)
"""By the name that a user gives."""


def _unmapped(entry: Entry, place: Place) -> dict[str, Any]:
    event = entry.event
    return {
        "details": dict(event.details), "outcome": event.outcome, "leaf_hash": place.leaf_hash.hex(),
        "pid": entry.producer.pid, "subject": event.actor.subject, "attributes": dict(event.actor.attributes),
    }  # fmt: skip


def _without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
