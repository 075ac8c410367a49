"""Logs as JSON lines: one object a line, for machines first.

Nothing that came from outside can end a line or begin another (everything but ASCII is escaped), and what looks like a
token or a password in an address is cut out of whatever any library logs.
"""

from __future__ import annotations

import datetime
import json
import logging
import sys
import traceback
from collections.abc import Mapping
from typing import IO, Any

from aegis.audit.secrets import redact

LOGGER = "aegis.api"
FACTS = "facts"
"""The name under `extra` of a mapping that goes into the line."""
_LONGEST = 2000
"""Characters of one text."""


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Time (UTC, RFC 3339), level, logger, message, the facts, and of an exception its type and places."""
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _clean(record.getMessage()),
        }
        facts = getattr(record, FACTS, {})
        line |= {name: _clean(value) if isinstance(value, str) else value for name, value in facts.items()}
        if record.exc_info and record.exc_info[1] is not None:
            # its text may hold anything, a password in an address for one
            line["exception"] = type(record.exc_info[1]).__name__
            line["places"] = [
                f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(record.exc_info[2])[-20:]
            ]
        return json.dumps(line)


def configure(stream: IO[str] | None = None, level: int = logging.INFO) -> None:
    """Send every logger's lines to one stream (standard error), uvicorn's as well."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("aegis", "uvicorn"):
        logging.getLogger(name).setLevel(level)
    logging.raiseExceptions = False  # a full disk or closed pipe behind standard error must not print tracebacks there


def log(
    message: str, level: int = logging.INFO, *, error: Exception | None = None, **facts: str | float | None
) -> None:
    """One line of this service. Of an error, its type and places."""
    told: Mapping[str, str | float] = {name: value for name, value in facts.items() if value is not None}
    logging.getLogger(LOGGER).log(level, message, exc_info=error, extra={FACTS: told})


def _clean(text: str) -> str:
    cut = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return redact(cut)
