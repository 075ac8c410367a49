"""What may stand in a header; by itself, since clients that speak HTTP in ways of their own ask it, too."""

from __future__ import annotations


def is_visible(text: str) -> bool:
    """Whether a secret may stand in a header as it is: visible ASCII alone, without a space or the end of a line."""
    return text.isascii() and text.isprintable() and " " not in text
