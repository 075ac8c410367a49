"""What an operation of the service is: the route table, the documents and the tests are made of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from aegis.core.actor import Actor
from aegis_multimodal_ai_system.api.access import RoleName
from aegis_multimodal_ai_system.api.service import Service

TEXT = "text/plain"
BYTES = "application/octet-stream"
"""Media types of plain answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request that may be answered: read, and allowed."""

    service: Service
    actor: Actor
    path: Mapping[str, str]
    """The template's parameters."""
    body: Any
    """Of the operation's type, where it has one."""
    query: Any
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Plain:
    """An answer that is no JSON of ours."""

    content: bytes
    media_type: str
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one resource."""

    id: str
    method: Literal["GET", "POST"]
    path: str
    """A template; Starlette's `{name:path}` may hold slashes."""
    summary: str
    role: RoleName | None
    """None: anyone who reaches the port."""
    handle: Callable[[Call], msgspec.Struct | Plain]
    """Blocks; runs in a thread of its own."""
    answer: type[msgspec.Struct] | tuple[str, ...]
    """Its type, or the media types of a `Plain` answer."""
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    problems: tuple[int, ...] = ()
    """Statuses of its refusals, beside those of all operations."""
    long: bool = False
    """It may take as long as a download."""
    probe: bool = False
    """It is answered on the port for probes too, to anyone."""
    inline: bool = False
    """It never blocks, and needs no thread."""

    @property
    def writes(self) -> bool:
        """Whether denied calls are recorded."""
        return self.method == "POST"
