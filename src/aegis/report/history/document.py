"""`report.json`: the same facts for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import date, datetime, timedelta
from typing import Any, Final

import msgspec

from aegis.report.history.collected import Collected, Past
from aegis.report.history.facts import Answer, History
from aegis.report.json_report import encode

SCHEMA: Final = "aegis.report/v1"


def render(history: History, found: Collected, sources: Sequence[str]) -> bytes:
    """Times are RFC 3339 in UTC, ages and durations seconds, null is unknown."""
    return encode(
        {
            "schema": SCHEMA,
            "generated": found.now.isoformat(),
            "since": found.since.isoformat() if found.since is not None else None,
            "complete": found.complete and not history.unclear,
            "sources": list(sources),
            "read": len(found.pasts),
            "copies": found.twice,
            "older": found.older,
            "unread": _plain(found.unread),
            "unclear": list(history.unclear),
            "notes": list(found.notes),
            "gates": _plain(history.gates),
            "databases": _plain(history.databases),
            "artifacts": _plain(history.artifacts),
            "exceptions": _plain(history.exemptions),
            "rollouts": _plain(history.rollouts),
            "answers": _plain(history.answers),
        }
    )


def _plain(value: Any) -> Any:
    """Dataclasses and structs as objects. Of a verdict only what finds it again: the whole is in its own file."""
    match value:
        case Past():
            source = value.verdict.source
            return {
                "place": value.place,
                "sha256": value.sha256,
                "finished": value.finished.isoformat(),
                "commit": source.commit,
                "event": source.event,
                "actor": source.actor,
                "run_url": source.run_url,
            }
        case Answer():
            return {
                "repository": value.repository,
                "gate": value.gate,
                "result": value.result,
                "reason": value.reason,
                "decision": value.decision,
                "observe": value.observe,
                "verdict": _plain(value.past),
            }
        case datetime() | date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case list() | tuple():
            return [_plain(each) for each in value]
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case msgspec.Struct():
            return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
        case str() | int() | float() | None:
            return value
        case _:
            members = {each.name: getattr(value, each.name) for each in fields(value)}
            return {("verdict" if name == "past" else name): _plain(each) for name, each in members.items()}
