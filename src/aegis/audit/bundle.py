"""Bundles of entries: each with its length before it, in two bytes, the larger first (C2SP tlog-tiles)."""

from __future__ import annotations

from collections.abc import Iterator

from aegis.audit.faults import entry_malformed

LENGTH_BYTES = 2


def framed(entry: bytes) -> bytes:
    """An entry as a bundle holds it."""
    return len(entry).to_bytes(LENGTH_BYTES, "big") + entry


def entries_of(bundle: bytes) -> Iterator[bytes]:
    """The entries, in order. Refuses with `audit.entry_malformed` where the last one is cut off."""
    at, end = 0, len(bundle)
    while at < end:
        start = at + LENGTH_BYTES
        at = start + (bundle[at] << 8 | bundle[at + 1]) if start <= end else start
        if at > end:
            raise entry_malformed(f"at byte {start - LENGTH_BYTES} of its bundle is cut off")
        yield bundle[start:at]
