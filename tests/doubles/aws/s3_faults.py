"""What an S3 does that is broken, in trouble, or not what it seems."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.doubles.aws.s3 import S3

FOREVER = 1_000_000


@dataclass
class Fault:
    """Meets the next requests of an operation, before or on the way of their answers."""

    operation: str = "GetObject"
    """`GetObject`, `HeadObject`, `ListObjectVersions`, `ListObjectsV2`, `GetBucketLocation`, `PutObject`, …"""
    key: str | None = None
    """None: any."""
    times: int = 1
    after: int = 0
    """So many requests go well before it."""
    status: int = 0
    """An error with this status, and `code` in its document, instead of doing it."""
    code: str = "InternalError"
    headers: Mapping[str, str | None] = field(default_factory=dict)
    """Instead of the right ones; None leaves one out."""
    edit: Callable[[bytes], bytes] | None = None
    """What becomes of the body; Content-Length follows it unless `headers` say otherwise."""
    cut: int | None = None
    """The connection breaks after so many bytes of the body, whatever Content-Length says."""
    done: bool = False
    """It is done all the same, though the answer says otherwise."""
    drop: bool = False
    """The connection breaks without an answer."""
    silence: float = 0.0
    """Seconds without a word before the answer."""
    trickle: float = 0.0
    """Seconds between two bytes of the body."""
    meanwhile: Callable[[S3], object] | None = None
    """What happens in the store before the request is answered, e.g. that an object is replaced."""

    def meets(self, operation: str, key: str) -> bool:
        """Whether this request is met. Counts it."""
        if operation != self.operation or self.key not in {None, key}:
            return False
        if self.after:
            self.after -= 1
            return False
        self.times -= 1
        return self.times >= 0
