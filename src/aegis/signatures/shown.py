"""Text of others in our own messages."""

from __future__ import annotations

_LONGEST = 120
"""Characters: a name or an identity fits, and a message stays one line."""


def shown(text: str) -> str:
    """In quotes, cut short, and in ASCII: no control, bidirectional or look-alike character gets through."""
    return ascii(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")
