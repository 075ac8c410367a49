"""A checkpoint that is kept elsewhere: what makes a rewrite with the key, or an older state, show."""

from __future__ import annotations

from aegis.audit.checkpoint import open_checkpoint
from aegis.audit.faults import checkpoint_invalid
from aegis.audit.keys import Verifier
from aegis.audit.log import Source
from aegis.audit.prove import consistency, head_of
from aegis.core.merkle import is_consistent


def checkpoint_to_publish(log: Source, verifier: Verifier, last: bytes | None = None) -> bytes:
    """The log's checkpoint, for a job's summary or an object store.

    `last`, the one that was published before, must be continued by it: a log that was put back or rewritten is noticed
    by whoever publishes it next. Refuses with `audit.checkpoint_invalid`; raises `audit.unavailable`.
    """
    note, head = head_of(log, verifier)
    if last is not None:
        before = open_checkpoint(last, verifier)
        if before.size > head.size or not is_consistent(
            old=before.size, old_root=before.root, new=head.size, new_root=head.root,
            hashes=consistency(log, old=before.size, new=head.size),
        ):  # fmt: skip
            raise checkpoint_invalid(
                f"the checkpoint of {head.size} entries does not continue the one of {before.size} that was published",
                expected="the same entries, and more after them",
            )
    return note
