"""Something of each kind to be signed, and how it is spoiled."""

from __future__ import annotations

from pathlib import Path

from tests.support.signing import models

_MODEL = {"config.json": b"{}\n", "weights/a.bin": bytes(range(256)) * 40, ".gitattributes": b"*.bin binary\n"}
_FILE = b"weights\n" * 999


def write(kind: str, folder: Path) -> Path:
    """The artifact of a kind, below a folder."""
    if kind == "model":
        return models.write(folder / "fraud", _MODEL)
    place = folder / "weights.bin"
    place.write_bytes(_FILE)
    return place


def spoil(artifact: Path) -> None:
    """One bit is another."""
    place = artifact / "weights" / "a.bin" if artifact.is_dir() else artifact
    content = bytearray(place.read_bytes())
    content[1000] ^= 1
    place.write_bytes(content)
