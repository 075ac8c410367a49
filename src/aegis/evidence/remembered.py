"""What was found before: a store that has forgotten it was rolled back, or hides it.

Nothing that a store says can prove that it says all: whoever can remove objects can remove the newest verdict, so that
an older one seems to decide. A file of the reader's own notes the newest of each gate; what stands in it must still be
there. Object Lock keeps it from happening, this file notices it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from aegis.core import typed
from aegis.core.errors import Refused, UsageError
from aegis.evidence.layout import Entry
from aegis.signatures import strict_json

MAX_BYTES: Final = 16 << 20
"""Of the file: a line has about 200."""
_Text = Annotated[str, Meta(max_length=2048)]


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    newest: dict[_Text, _Text]


@dataclass(frozen=True, slots=True)
class Remembered:
    """The newest bundle of each gate below each place, by its key."""

    newest: Mapping[str, str]
    """From the store, the folder and the gate to the bundle's name."""


def parse(content: bytes, *, name: str) -> Remembered:
    """The file. Raises UsageError `evidence.memory_malformed`: a memory that cannot be read remembers nothing."""
    try:
        value = strict_json.parse(content, what=name, limit=MAX_BYTES)
        return Remembered(typed.convert(value, _File).newest)
    except (Refused, msgspec.ValidationError) as error:
        raise UsageError(
            "evidence.memory_malformed",
            f"{name!r}: {error.problem if isinstance(error, Refused) else error}",
            expected="the file as `aegis evidence find --remember` has written it",
            remedy="Get it back from where it is kept; without it nobody notices a store that was rolled back.",
        ) from error


def render(remembered: Remembered) -> bytes:
    """The file's bytes."""
    return (json.dumps({"version": 1, "newest": dict(sorted(remembered.newest.items()))}, indent=1) + "\n").encode()


def check(remembered: Remembered, location: str, folder: str, found: Iterable[Entry]) -> None:
    """Refuse with `evidence.rolled_back` where something newer was there once.

    `found`: the newest of each gate that is listed below `folder`, the key of what was asked about.
    """
    now = {_place(location, entry): _name(entry) for entry in found}
    for place, name in remembered.newest.items():
        # names sort by time
        if place.startswith(f"{location}/{folder}") and now.get(place, "") < name:
            raise Refused(
                "evidence.rolled_back",
                f"{place}/{name} was there, and now the newest is {now.get(place) or 'none'}",
                expected="every verdict that was there once",
                remedy="Look who can delete there, and get it back from the bucket's versions; Object Lock"
                " (evidence.retain) keeps it from happening.",
            )


def noted(remembered: Remembered, location: str, held: Iterable[Entry]) -> Remembered:
    """With the newest of these, which were verified: what anybody could have put there is not remembered."""
    newest = dict(remembered.newest)
    for entry in held:
        place = _place(location, entry)
        newest[place] = max(newest.get(place, ""), _name(entry))
    return Remembered(newest)


def _place(location: str, entry: Entry) -> str:
    return f"{location}/{entry.key.rpartition('/')[0]}"


def _name(entry: Entry) -> str:
    return entry.key.rpartition("/")[2]
