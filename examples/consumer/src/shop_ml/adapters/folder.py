"""The object store over a folder."""

from __future__ import annotations

from pathlib import Path


class FolderObjects:
    """One folder; keys are relative paths."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, key: str) -> bytes:
        """The object's bytes; KeyError if there is none."""
        try:
            return (self._folder / key).read_bytes()
        except FileNotFoundError as error:
            raise KeyError(key) from error
