"""What can go wrong with writing to a store, in the same words for each kind of store."""

from __future__ import annotations

from aegis.core.errors import CouldNotDecide


def write_denied(where: str, said: str) -> CouldNotDecide:
    """The store does not let us write or remove."""
    return CouldNotDecide(
        "backup_check.write_denied",
        f"{where}: the store does not let this run write or remove ({said})",
        expected="permission to put objects, to abort uploads and, for pruning, to delete",
        remedy="Let the writer's role do this below its prefix, or name the right bucket.",
    )


def bucket_missing(where: str, said: str) -> CouldNotDecide:
    """There is nothing to write to."""
    return CouldNotDecide(
        "backup_check.bucket_missing",
        f"{where}: there is no such bucket ({said})",
        expected="a bucket that exists",
        remedy="Create it, or correct its name.",
    )


def object_exists(where: str) -> CouldNotDecide:
    """Another object has this name; it is never written over."""
    return CouldNotDecide(
        "backup_check.object_exists",
        f"{where} is there already",
        expected="a key that nobody has used",
        remedy="Look at who else writes there; each object has a name of its own, and none is ever written over.",
    )


def upload_left(where: str, why: str, left: str) -> CouldNotDecide:
    """What was begun could not be removed."""
    return CouldNotDecide(
        "backup_check.upload_left",
        f"{why}; and the parts that were sent to {where} could not be removed: {left}",
        expected="that a failed upload leaves nothing behind",
        remedy="Give the bucket a lifecycle rule AbortIncompleteMultipartUpload, and the role s3:AbortMultipartUpload.",
    )
