"""An event as the log keeps it: RFC 8785 canonical JSON, at most 65,535 bytes, without secrets.

Members: `v` (1), `id` (UUIDv7, RFC 9562), `time` (RFC 3339, UTC, nanoseconds), `action`, `actor`, `resource`,
`outcome`, `reason`, `correlation_id`, `details`, `producer`. The index is the entry's place. An entry is hashed as it
lies there; nothing is ever written anew in order to verify it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import socket
import time as clock
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final, TypeVar, get_args

import msgspec

import aegis
from aegis.audit.event import Action, Event, Outcome, Resource, ResourceKind
from aegis.audit.faults import entry_malformed, event_refused
from aegis.audit.secrets import is_secret_name, redact, redact_name
from aegis.core.actor import Actor, ActorKind
from aegis.core.errors import Refused

MAX_BYTES = 65_535
"""tlog-tiles gives an entry's length two bytes."""
MAX_NAME = 1024
"""Characters of what names someone or something; longer ones are refused or end with their digest, since a cut name is
another name."""
MAX_TEXT = 4096
"""Characters of what is said in words; longer ones are cut, and end with `…`."""
MAX_SHORT = 256
MAX_DETAILS = 64
MAX_ATTRIBUTES = 32
_MAX_INTEGER = 2**53 - 1
"""I-JSON (RFC 7493 2.2)."""
_KEY = re.compile(r"[a-z][a-z0-9_.-]{0,63}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})\.([0-9]{9})Z", re.ASCII)
_IDS = re.compile(rf"(?:{_ID.pattern}\n)*", re.ASCII)
_TIMES = re.compile(r"(?:.{10}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{9}Z\n)*", re.ASCII)
"""Of any day."""
_ID_WIDTH: Final = len("01a00000-0000-7000-8000-000000000000\n")
_TIME_WIDTH: Final = len("2000-01-01T00:00:00.000000000Z\n")
_SECOND: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1)
_ONE_SECOND: Final = timedelta(seconds=1)
ACTIONS: Final = frozenset(get_args(Action))
OUTCOMES: Final = frozenset(get_args(Outcome))
_ACTOR_KINDS: Final = frozenset(get_args(ActorKind))
_RESOURCE_KINDS: Final = frozenset(get_args(ResourceKind))
_T = TypeVar("_T", bound=str)


@dataclass(frozen=True, slots=True)
class Producer:
    """The process that recorded it."""

    version: str
    """Of this package."""
    host: str
    pid: int


@dataclass(frozen=True, slots=True)
class Entry:
    """An event with what the log gave it."""

    event: Event
    id: str
    time: int
    """Nanoseconds since 1970, UTC."""
    producer: Producer


@dataclass(frozen=True, slots=True)
class Prepared:
    """An event that is ready but for its id and time, which are given where entries get their order."""

    _head: bytes
    _middle: bytes
    _tail: bytes

    def at(self, *, id: str, time: int) -> bytes:  # noqa: A002 - the member's name
        """The entry. `time` in nanoseconds since 1970."""
        return b"".join((self._head, id.encode(), self._middle, format_time(time).encode(), self._tail))


class _Actor(msgspec.Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    attributes: dict[str, str]
    display: str
    id: str
    issuer: str
    kind: ActorKind
    subject: str


class _Producer(msgspec.Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    host: str
    pid: int
    version: str


class _Resource(msgspec.Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    kind: ResourceKind
    name: str
    sha256: str | None
    version: str | None


class Written(msgspec.Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """An entry's members, by name as RFC 8785 3.2.3 orders them."""

    action: Action
    actor: _Actor
    correlation_id: str | None
    details: dict[str, str | int | bool | None]
    id: str
    outcome: Outcome
    producer: _Producer
    reason: str | None
    resource: _Resource
    time: str
    v: int


# All names are ASCII and all numbers are integers: sorted by character, and with the shortest escapes, msgspec writes
# what RFC 8785 asks for. Structs are written in the order of their fields, which is sorted already.
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_DECODER: Final = msgspec.json.Decoder(Written)
_REMOVED: Final = "[redacted: by its name]"
_ANY_ID: Final = "00000000-0000-7000-8000-000000000000"


def encode(event: Event, *, id: str, time: int, producer: Producer) -> bytes:  # noqa: A002 - the member's name
    """The entry's bytes. Refuses with `audit.event_invalid`."""
    if not _ID.fullmatch(id):
        raise event_refused(f"the id {id[:40]!a}", expected="a UUIDv7")
    return prepare(event, producer).at(id=id, time=time)


def prepare(event: Event, producer: Producer) -> Prepared:
    """All of the work that needs neither id nor time. Refuses with `audit.event_invalid`."""
    actor, resource = event.actor, event.resource
    written = Written(
        _one_of(event.action, ACTIONS, "action"),
        _Actor(
            _attributes(actor.attributes),
            _text(actor.display, MAX_SHORT),
            _given_name(actor.id, "actor's id"),
            _given_name(actor.issuer, "actor's issuer"),
            _one_of(actor.kind, _ACTOR_KINDS, "actor's kind"),
            _given_name(actor.subject, "actor's subject"),
        ),
        _given_name(event.correlation_id, "correlation id", MAX_SHORT) if event.correlation_id else None,
        _details(event.details),
        _ANY_ID,
        _one_of(event.outcome, OUTCOMES, "outcome"),
        _Producer(producer.host, producer.pid, producer.version),
        None if event.reason is None else _text(event.reason),
        _Resource(
            _one_of(resource.kind, _RESOURCE_KINDS, "resource's kind"),
            _name(resource.name, "resource's name"),
            _digest(resource.sha256),
            None if resource.version is None else _name(resource.version, "resource's version", MAX_SHORT),
        ),
        "",
        1,
    )
    data = _ENCODER.encode(written)
    if len(data) + len("2000-01-01T00:00:00.000000000Z") > MAX_BYTES:
        raise event_refused(f"the event has {len(data)} bytes", expected=f"at most {MAX_BYTES} with its time")
    # Quotes in texts are escaped, and no member after the event's own id is called `id`, nor `time` after its time.
    head, _, rest = data.rpartition(f'"id":"{_ANY_ID}","outcome"'.encode())
    middle, _, tail = rest.rpartition(b'"time":""')
    return Prepared(head + b'"id":"', b'","outcome"' + middle + b'"time":"', b'"' + tail)


def decode(data: bytes) -> Entry:
    """The event in these bytes, if they are the only spelling of it. Refuses with `audit.entry_malformed`."""
    found = read(data)
    actor, resource = found.actor, found.resource
    return Entry(
        Event(
            action=found.action,
            actor=Actor(
                id=actor.id, kind=actor.kind, display=actor.display, issuer=actor.issuer, subject=actor.subject,
                attributes=MappingProxyType(actor.attributes),
            ),
            resource=Resource(
                kind=resource.kind, name=resource.name, sha256=resource.sha256, version=resource.version
            ),
            outcome=found.outcome,
            reason=found.reason,
            correlation_id=found.correlation_id,
            details=MappingProxyType(found.details),
        ),
        found.id,
        parse_time(found.time),
        Producer(found.producer.version, found.producer.host, found.producer.pid),
    )  # fmt: skip


def read(data: bytes) -> Written:
    """The members as they stand there. Refuses with `audit.entry_malformed`."""
    if len(data) > MAX_BYTES:
        raise entry_malformed(f"has {len(data)} bytes")
    try:
        found = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # The library's text names members and positions, never values.
        raise entry_malformed(f"is no event: {error}") from error
    if found.v != 1:
        raise entry_malformed(f"has the version {found.v}")
    if _ENCODER.encode(found) != data:
        raise entry_malformed("is not in the canonical spelling")
    if not _ID.fullmatch(found.id):
        raise entry_malformed("has an id that is no UUIDv7")
    parse_time(found.time)
    return found


def read_many(entries: Sequence[bytes]) -> list[Written] | None:
    """As `read` of each, but quicker; None where one of them is refused, and `read` says which and why."""
    lines = b"\n".join((*entries, b""))
    try:
        found = _DECODER.decode_lines(lines)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    # What is written of an event holds no line feed. There are as many of them as entries, so none stands within an
    # entry: line by line, each entry is what is written of its event.
    if len(found) != len(entries) or _ENCODER.encode_lines(found) != lines or max(map(len, entries)) > MAX_BYTES:
        return None
    times = [each.time for each in found]
    if (
        any(each.v != 1 for each in found)
        or not _is_each(_IDS, _ID_WIDTH, [each.id for each in found])
        or not _is_each(_TIMES, _TIME_WIDTH, times)
    ):
        return None
    try:
        for day in {time[:10] for time in times}:
            parse_time(f"{day}T00:00:00.000000000Z")
    except Refused:
        return None
    return found


def _is_each(lines: re.Pattern[str], width: int, texts: Sequence[str]) -> bool:
    """Whether each text alone is a line: together they are as long as so many lines, so none of them is several."""
    text = "\n".join((*texts, ""))
    return len(text) == width * len(texts) and lines.fullmatch(text) is not None


def this_producer() -> Producer:
    """The process that runs."""
    return Producer(aegis.__version__, _host(), os.getpid())


def new_id(time: int) -> str:
    """A UUIDv7 (RFC 9562 5.7) of this time, nanoseconds since 1970."""
    random = int.from_bytes(os.urandom(10), "big")
    value = (time // 1_000_000 & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | (random >> 68 & 0xFFF) << 64
    text = f"{value | 0b10 << 62 | random & 0x3FFF_FFFF_FFFF_FFFF:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def now() -> int:
    """Nanoseconds since 1970, UTC, as the clock says: a clock that is set back shows in the log."""
    return clock.time_ns()


def format_time(time: int) -> str:
    """RFC 3339 with nine digits, UTC."""
    second, nanosecond = divmod(time, _SECOND)
    return f"{_second(second)}.{nanosecond:09d}Z"


def parse_time(text: str) -> int:
    """Nanoseconds since 1970. Refuses with `audit.entry_malformed`."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise entry_malformed("has a time that is not RFC 3339 in UTC with nine digits")
    return _seconds(match[1]) * _SECOND + int(match[2])


@functools.lru_cache(maxsize=4)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@functools.lru_cache(maxsize=4)
def _seconds(text: str) -> int:
    try:
        return (datetime.fromisoformat(text) - _EPOCH) // _ONE_SECOND
    except ValueError as error:
        raise entry_malformed("has a time that no calendar has") from error


@functools.cache
def _host() -> str:
    return _text(socket.gethostname(), MAX_SHORT)


def _one_of(value: _T, known: frozenset[_T], what: str) -> _T:
    if value not in known:
        raise event_refused(f"the {what} {str(value)[:80]!a}", expected=", ".join(sorted(known)))
    return value


def _name(value: str, what: str, most: int = MAX_NAME) -> str:
    """What decides who or what it is: taken as it is, or not at all."""
    if not value or len(value) > most:
        raise event_refused(f"the {what} has {len(value)} characters", expected=f"1 to {most}")
    return _checked(value, what, redact)


def _given_name(value: str, what: str, most: int = MAX_NAME) -> str:
    """One that whoever asked has chosen, in a token or a request, so it is always taken.

    An event that is refused for it would leave what was asked unrecorded, or keep a good caller out. What cannot stand
    there as it is (too long, a credential's shape) ends with `…sha256:` and the digest of all of it.
    """
    if not value:
        raise event_refused(f"the {what} is empty", expected=f"1 to {most} characters")
    if len(value) <= most:
        with contextlib.suppress(Refused):
            return _checked(value, what, redact_name)
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    rest = f"…sha256:{digest}"
    return redact_name(value).encode("utf-8", "replace").decode()[: most - len(rest)] + rest


@functools.lru_cache(maxsize=1024)
def _checked(value: str, what: str, redacted: Callable[[str], str]) -> str:
    """The same few names stand in most events. What is refused is not kept."""
    if not _is_text(value):
        raise event_refused(f"the {what} holds half of a surrogate pair", expected="Unicode text")
    if redacted(value) != value:
        raise event_refused(f"the {what} looks like a token or a secret", expected="a name, never a credential")
    return value


def _text(value: str, most: int = MAX_TEXT) -> str:
    """What is said in words: without secrets, and cut at a length."""
    if not _is_text(value):
        value = value.encode("utf-8", "replace").decode()
    value = redact(value)
    return value if len(value) <= most else value[: most - 1] + "…"


def _is_text(value: str) -> bool:
    """Whether UTF-8 can spell it: half of a surrogate pair is no character."""
    return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)


def _digest(value: str | None) -> str | None:
    if value is not None and not _SHA256.fullmatch(value):
        raise event_refused(f"the resource's digest {value[:80]!a}", expected="SHA-256 in lower-case hex")
    return value


def _attributes(found: Mapping[str, str]) -> dict[str, str]:
    _check_names(found, MAX_ATTRIBUTES, "attribute")
    return {key: _REMOVED if is_secret_name(key) else _text(value, MAX_SHORT) for key, value in found.items()}


def _details(found: Mapping[str, str | int | bool | None]) -> dict[str, str | int | bool | None]:
    _check_names(found, MAX_DETAILS, "detail")
    return {key: _detail(key, value) for key, value in found.items()}


def _detail(key: str, value: str | int | bool | None) -> str | int | bool | None:
    if isinstance(value, str):
        return _REMOVED if is_secret_name(key) else _text(value)
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, int) or abs(value) > _MAX_INTEGER:
        raise event_refused(
            f"the detail {key} is a {type(value).__name__}", expected="text, an integer below 2^53, or a bool"
        )
    return value


def _check_names(found: Mapping[str, object], most: int, what: str) -> None:
    if len(found) > most:
        raise event_refused(f"the event has {len(found)} {what}s", expected=f"at most {most}")
    for key in found:
        if not _KEY.fullmatch(key):
            raise event_refused(
                f"the {what} {key[:80]!a}", expected="a name of a-z, 0-9, `.`, `_` and `-`, from a letter"
            )
