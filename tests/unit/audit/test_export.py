"""Exports, judged by what the published schemas ask for."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from aegis.audit.checkpoint import open_checkpoint
from aegis.audit.disk import DiskLog
from aegis.audit.disk_source import DiskSource
from aegis.audit.entry import Entry, decode, encode
from aegis.audit.event import Action, Outcome, Resource
from aegis.audit.export import FORMATS, Place
from aegis.audit.publish import checkpoint_to_publish
from aegis.core.errors import Refused
from tests.support.runtime import audit_logs as logs
from tests.support.runtime.audit_logs import KEY, ORIGIN, VERIFIER, event

PLACE = Place(ORIGIN, 41, b"\xab" * 32)
TEXT = {"type": "string", "minLength": 1}
WHOLE = {"type": "integer"}


def schema(required: dict[str, Any], optional: dict[str, Any] | None = None, *, closed: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "properties": {**required, **(optional or {})}, "required": [*required]}
    if closed:
        found["additionalProperties"] = False
    return found


OCSF = schema(
    # https://schema.ocsf.io/1.3.0/classes/api_activity: what is required, and the types of what else is used
    {
        "activity_id": {"enum": [0, 1, 2, 3, 4, 99]},
        "actor": schema(
            {},
            {
                "user": schema(
                    {},
                    {"uid": TEXT, "name": {"type": "string"}, "type_id": {"enum": [0, 1, 2, 3, 99]}, "type": TEXT},
                    closed=True,
                ),
                "idp": schema({"name": TEXT}, closed=True),
            },
            closed=True,
        )
        | {"minProperties": 1},
        "api": schema(
            {"operation": TEXT}, {"service": schema({}, {"name": TEXT, "version": TEXT}, closed=True)}, closed=True
        ),
        "category_uid": {"const": 6},
        "class_uid": {"const": 6003},
        "metadata": schema(
            {
                "product": schema({"vendor_name": TEXT}, {"name": TEXT, "version": TEXT}, closed=True),
                "version": {"const": "1.3.0"},
            },
            {"uid": TEXT, "sequence": WHOLE, "log_name": TEXT, "correlation_uid": TEXT},
            closed=True,
        ),
        "severity_id": {"enum": [0, 1, 2, 3, 4, 5, 6, 99]},
        "src_endpoint": schema({}, {"hostname": TEXT}, closed=True) | {"minProperties": 1},
        "time": {"type": "integer", "minimum": 1_500_000_000_000, "maximum": 4_000_000_000_000},
        "type_uid": {"enum": [600300, 600301, 600302, 600303, 600304, 600399]},
    },
    {
        "activity_name": TEXT,
        "category_name": {"const": "Application Activity"},
        "class_name": {"const": "API Activity"},
        "resources": {
            "type": "array",
            "items": schema({}, {"type": TEXT, "name": TEXT, "uid": TEXT, "version": TEXT}, closed=True),
        },
        "severity": TEXT,
        "status": {"enum": ["Unknown", "Success", "Failure", "Other"]},
        "status_id": {"enum": [0, 1, 2, 99]},
        "status_detail": TEXT,
        "type_name": TEXT,
        "unmapped": {"type": "object"},
    },
    closed=True,
)
ECS = schema(
    # https://www.elastic.co/guide/en/ecs/8.11/ecs-allowed-values-event-category.html and its neighbours
    {
        "@timestamp": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$"},
        "ecs": schema({"version": {"const": "8.11.0"}}, closed=True),
        "event": schema(
            {
                "kind": {"enum": ["alert", "asset", "enrichment", "event", "metric", "state", "signal"]},
                "category": {
                    "type": "array",
                    "items": {
                        "enum": [
                            "api",
                            "authentication",
                            "configuration",
                            "database",
                            "driver",
                            "email",
                            "file",
                            "host",
                            "iam",
                            "intrusion_detection",
                            "library",
                            "malware",
                            "network",
                            "package",
                            "process",
                            "registry",
                            "session",
                            "threat",
                            "vulnerability",
                            "web",
                        ]
                    },
                },
                "type": {
                    "type": "array",
                    "items": {
                        "enum": [
                            "access",
                            "admin",
                            "allowed",
                            "change",
                            "connection",
                            "creation",
                            "deletion",
                            "denied",
                            "end",
                            "error",
                            "group",
                            "indicator",
                            "info",
                            "installation",
                            "protocol",
                            "start",
                            "user",
                        ]
                    },
                },
                "outcome": {"enum": ["failure", "success", "unknown"]},
                "action": TEXT,
                "id": TEXT,
                "sequence": WHOLE,
                "hash": TEXT,
                "provider": TEXT,
                "dataset": TEXT,
            },
            {"reason": TEXT},
            closed=True,
        ),
        "user": schema({"id": TEXT, "name": {"type": "string"}, "domain": TEXT}, closed=True),
    },
    {
        "host": schema({"hostname": TEXT}, closed=True),
        "process": schema({"pid": WHOLE}, closed=True),
        "service": schema({"name": TEXT, "version": TEXT}, closed=True),
        "log": schema({"logger": TEXT}, closed=True),
        "trace": schema({"id": TEXT}, closed=True),
        "aegis": {"type": "object"},
    },
    closed=True,
)
CLOUDEVENTS = schema(
    # https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/cloudevents.json
    {"id": TEXT, "source": TEXT, "specversion": {"const": "1.0"}, "type": TEXT},
    {
        "datacontenttype": TEXT,
        "dataschema": TEXT,
        "subject": TEXT,
        "data": {},
        "data_base64": {"type": "string"},
        "time": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$"},
        "sequence": TEXT,
    },
) | {"propertyNames": {"pattern": "^[a-z0-9_]{1,20}$"}}
SCHEMAS = {"ocsf": OCSF, "ecs": ECS, "cloudevents": CLOUDEVENTS}


def made(**changes: object) -> Entry:
    data = encode(
        event(3, **changes), id="01a00000-0000-7000-8000-000000000000", time=logs.START, producer=logs.PRODUCER
    )
    return decode(data)


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("action", get_args(Action))
def test_every_action_is_what_the_schema_asks_for(name: str, action: str) -> None:
    validator = Draft202012Validator(SCHEMAS[name])
    for outcome in get_args(Outcome):
        for reason, version in (("runtime.format_pickle", "1"), (None, None)):
            resource = Resource(kind="model", name="m", sha256=None if version is None else "ab" * 32, version=version)
            entry = made(action=action, outcome=outcome, reason=reason, correlation_id=reason, resource=resource)
            found = FORMATS[name](entry, PLACE)
            validator.validate(json.loads(json.dumps(found)))
            text = json.dumps(found)
            for kept in (
                entry.id,
                "ab" * 32,
                action,
                outcome,
                "repo:org/app:environment:prod",
                '"number": 3',
                "host.test",
            ):
                assert kept in text, kept


def test_ocsf_numbers_fit_each_other() -> None:
    for action in get_args(Action):
        found = FORMATS["ocsf"](made(action=action), PLACE)
        assert found["type_uid"] == found["class_uid"] * 100 + found["activity_id"]
        assert found["time"] == 1_700_000_000_000
        assert found["metadata"]["sequence"] == 41


def test_refusals_are_failures() -> None:
    refused = made(action="model.load.refused", outcome="refused", reason="runtime.format_pickle")
    assert FORMATS["ocsf"](refused, PLACE)["status_id"] == 2
    assert FORMATS["ocsf"](refused, PLACE)["status_detail"] == "runtime.format_pickle"
    assert FORMATS["ecs"](refused, PLACE)["event"]["outcome"] == "failure"
    assert FORMATS["cloudevents"](refused, PLACE)["data"]["outcome"] == "refused"


def test_checkpoints_to_publish(tmp_path: Any) -> None:
    log, other = (DiskLog(tmp_path / name, ORIGIN, KEY) for name in ("log", "other"))

    def published(name: str, last: bytes | None = None) -> bytes:
        return checkpoint_to_publish(DiskSource(tmp_path / name, VERIFIER), VERIFIER, last)

    log.append(event(0))
    first = published("log")
    log.append(event(1))
    second = published("log", first)
    assert open_checkpoint(second, VERIFIER).size == 2
    for number in range(3):
        other.append(event(number))
    DiskLog(tmp_path / "new", ORIGIN, KEY)
    for last in (second, published("other")):
        with pytest.raises(Refused) as refusal:
            published("new", last)
        assert refusal.value.code == "audit.checkpoint_invalid"
    with pytest.raises(Refused, match="does not continue"):
        published("other", second)
