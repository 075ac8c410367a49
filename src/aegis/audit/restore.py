"""After a backup was put back: the log says itself which published checkpoints it no longer continues.

Whoever keeps such a checkpoint would otherwise see tampering. The entry does not hide it: it names what was lost, and
who recorded that.
"""

from __future__ import annotations

from collections.abc import Sequence

from aegis.audit.checkpoint import open_checkpoint
from aegis.audit.event import Event, Resource
from aegis.audit.keys import Verifier
from aegis.audit.log import AuditLog, Receipt
from aegis.audit.prove import consistency
from aegis.core.actor import Actor
from aegis.core.errors import Refused
from aegis.core.merkle import is_consistent
from aegis.core.note import Checkpoint


def record_restore(log: AuditLog, verifier: Verifier, lost: Sequence[bytes], actor: Actor) -> Sequence[Receipt]:
    """Record each checkpoint (a signed note of this log, kept elsewhere) that the log does not continue.

    Refuses with `audit.checkpoint_invalid` what this log's key has not signed, and with `audit.nothing_lost` what the
    log still continues; nothing is recorded then. Raises CouldNotDecide `audit.unavailable`.
    """
    heads = [open_checkpoint(note, verifier) for note in lost]
    now = open_checkpoint(log.checkpoint(), verifier)
    for head in heads:
        if _continues(log, head, now):
            raise Refused(
                "audit.nothing_lost",
                f"the log of {now.size} entries continues the checkpoint of {head.size} entries",
                expected="a checkpoint that was published before the restore, of entries that are gone",
                remedy="Nothing has to be recorded: `aegis audit verify --against` accepts this checkpoint.",
            )
    return [
        log.append(
            Event(
                action="database.restored",
                actor=actor,
                resource=Resource(kind="database", name=verifier.origin),
                outcome="success",
                details={"lost_size": head.size, "lost_root": head.root.hex(), "restored_size": now.size},
            )
        )
        for head in heads
    ]


def _continues(log: AuditLog, old: Checkpoint, new: Checkpoint) -> bool:
    if old.size > new.size:
        return False
    proof = consistency(log, old=old.size, new=new.size)
    return is_consistent(old=old.size, old_root=old.root, new=new.size, new_root=new.root, hashes=proof)
