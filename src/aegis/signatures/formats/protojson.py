"""Protocol Buffers messages in JSON, read as strictly as their writers write them.

https://protobuf.dev/programming-guides/json/: names in lowerCamelCase, bytes in standard base64 with padding, 64-bit
integers as strings or numbers; a field that is absent or null has its default. What that page lets parsers take
beside this (names as in the .proto file, URL-safe base64, enums by number) no signer writes, and it would give one
bundle several spellings. Unknown fields are refused, as by the parsers of Go and Java, which cosign is built on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aegis.core.encoding import base64_bytes
from aegis.core.errors import Refused
from aegis.signatures.shown import shown
from aegis.signatures.strict_json import malformed

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_MAX_INT64 = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Message:
    """One message. Every method refuses with `verify.bundle_malformed`."""

    fields: Mapping[str, Any]
    what: str
    """The document, for people."""
    path: str = ""
    """Where in the document, e.g. `verificationMaterial.tlogEntries[0]`."""

    def has(self, name: str) -> bool:
        """Whether the field is there; in JSON, null means that it is not."""
        return self.fields.get(name) is not None

    def only(self, *names: str) -> Message:
        """The message itself, which may hold no other fields than these."""
        for name in self.fields:
            if name not in names:
                where = self.path or "its top level"
                raise malformed(self.what, f"has the unknown field {shown(name)} in {where}", expected=", ".join(names))
        return self

    def text(self, name: str) -> str:
        """A string; absent, it is empty."""
        value = self.fields.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.wrong(name, "a string")
        return value

    def data(self, name: str) -> bytes:
        """Bytes; absent, they are empty."""
        return _data(self.text(name), self, name)

    def required_data(self, name: str) -> bytes:
        """Bytes that mean nothing when empty."""
        value = self.data(name)
        if not value:
            raise self.wrong(name, "base64 of at least one byte")
        return value

    def number(self, name: str) -> int:
        """An int64 that is not negative; absent, it is 0."""
        value = self.fields.get(name)
        if value is None:
            return 0
        if isinstance(value, str) and _DECIMAL.fullmatch(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_INT64:
            raise self.wrong(name, "a whole number from 0 to 2^63-1, as a string or number")
        return value

    def message(self, name: str, *names: str) -> Message:
        """The message in a field, which may hold just these fields; absent, it is empty."""
        value = self.fields.get(name)
        return self._message({} if value is None else value, name, names)

    def messages(self, name: str, *names: str, most: int) -> tuple[Message, ...]:
        """Several messages."""
        return tuple(self._message(item, f"{name}[{at}]", names) for at, item in enumerate(self._list(name, most)))

    def list_of_data(self, name: str, *, most: int) -> tuple[bytes, ...]:
        """Several byte strings."""
        items = self._list(name, most)
        if not all(isinstance(item, str) for item in items):
            raise self.wrong(name, "a list of base64")
        return tuple(_data(item, self, name) for item in items)

    def wrong(self, name: str, expected: str) -> Refused:
        """The refusal of a field. Its value may hold anything, so only its place is shown."""
        return malformed(self.what, f"has a wrong value in {self._path(name)}", expected=expected)

    def _list(self, name: str, most: int) -> list[Any]:
        value = self.fields.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(name, "a list")
        if len(value) > most:
            raise malformed(self.what, f"has {len(value)} members in {self._path(name)}", expected=f"at most {most}")
        return value

    def _message(self, value: Any, name: str, names: tuple[str, ...]) -> Message:
        if not isinstance(value, dict):
            raise self.wrong(name, "an object")
        return Message(value, self.what, self._path(name)).only(*names)

    def _path(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name


def _data(text: str, message: Message, name: str) -> bytes:
    try:
        return base64_bytes(text)
    except ValueError as error:
        raise message.wrong(name, "standard base64 with padding, in its canonical form") from error
