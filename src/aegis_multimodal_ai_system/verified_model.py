"""What the loader gives out: open files whose bytes are those that were signed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

if TYPE_CHECKING:
    from aegis.artifacts.result import Result


@dataclass(eq=False, slots=True)
class VerifiedFile:
    """One file of a model, open for reading only."""

    name: str
    """In the model, with `/` between folders."""
    size: int
    """Bytes."""
    _descriptor: int

    def fileno(self) -> int:
        """Its descriptor, which stays the model's own. ValueError once it is closed."""
        if self._descriptor < 0:
            raise ValueError(f"{self.name!r} is closed")
        return self._descriptor

    @property
    def path(self) -> str:
        """A path for libraries that want one (mmap works): good in this process while the model is open."""
        return f"/proc/self/fd/{self.fileno()}"

    def open(self) -> BinaryIO:
        """The file from its beginning, with a place of its own; the caller closes it."""
        return open(self.path, "rb")  # noqa: PTH123 - no path of the file system; it is handed out

    def __del__(self) -> None:
        self.close()  # memory that nobody can name any more would stay as long as the process

    def close(self) -> None:
        """Give the descriptor back; twice is fine."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            with suppress(OSError):
                os.close(descriptor)


@dataclass(eq=False, slots=True, kw_only=True)
class VerifiedModel:
    """A model that is what the policy asks for. Close it when its bytes are no longer needed."""

    name: str
    digest: str
    """SHA-256 (hex) over its files' names and bytes, the one that releases bind (`Result.content`)."""
    version: str | None
    """Of its release statement; None where the policy asks for none."""
    signer: str
    """Who signed it, for people."""
    files: Mapping[str, VerifiedFile]
    result: Result
    """All that is known of it."""
    formats: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Of each file that holds weights, by its content."""
    sealed: bool = True
    """Whether nobody can change the bytes any more, not even this process."""
    _let_go: Callable[[], None] | None = None

    def close(self) -> None:
        """Give all descriptors back; twice is fine."""
        for file in self.files.values():
            file.close()
        let_go, self._let_go = self._let_go, None
        if let_go is not None:
            let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
