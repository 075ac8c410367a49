"""What can go wrong with a store, in the same words for each kind of store.

`where` is an address such as `s3://bucket/key`; `said` is what the store answered, cut short, without any secret.
"""

from __future__ import annotations

from aegis.core.errors import CouldNotDecide, UsageError

_AGAIN = "Run it again; if it happens again, look at the store's own logs."
_ALLOW = "Let the role read this place: list the bucket with its versions, get objects and object versions, decrypt."
_CHANGED = "Run it again when nothing is being uploaded; turn versioning on, so that old versions stay readable."
_DISTRUST = "Treat the store, or what stands before it, as compromised until you know why it answers so."


def denied(where: str, said: str) -> CouldNotDecide:
    """The store knows us not, or not well enough."""
    return _fault("verify.store_denied", f"{where}: access denied ({said})", "permission to read it", _ALLOW)


def missing(where: str, said: str = "not found") -> CouldNotDecide:
    """What must be there is not: a bucket, an object, a version."""
    return _fault(
        "verify.store_missing",
        f"{where}: {said}",
        "the object that was named or listed",
        "Upload it, or correct its name.",
    )


def failed(where: str, said: str) -> CouldNotDecide:
    """No answer, or one of a server in trouble. Transient."""
    return _fault("verify.store_failed", f"{where}: {said}", "an answer from the store", _AGAIN)


def slow(where: str, said: str) -> CouldNotDecide:
    """Silence, or a trickle. Transient."""
    return _fault("verify.store_slow", f"{where}: {said}", "an answer in time", _AGAIN)


def redirected(where: str, to: str) -> CouldNotDecide:
    """The store points elsewhere, to where credentials were never meant to go."""
    return _fault(
        "verify.store_redirected",
        f"{where}: the store points to {to}",
        "an answer from the store itself",
        "Correct region and endpoint; redirects are never followed.",
    )


def wrong_range(where: str, got: str, asked: str) -> CouldNotDecide:
    """Other bytes than those that were asked for."""
    return _fault("verify.store_wrong_range", f"{where}: the store sent {got}", asked, _DISTRUST)


def wrong_size(where: str, got: str, listed: int) -> CouldNotDecide:
    """The listing and the object disagree on the size."""
    return _fault("verify.store_wrong_size", f"{where}: {got}", f"{listed} bytes, as listed", _CHANGED)


def cut(where: str, done: int, size: int) -> CouldNotDecide:
    """The transfer ended early. Transient."""
    return _fault("verify.store_cut", f"{where}: the transfer ended after {done} bytes", f"{size} bytes", _AGAIN)


def changed(where: str, said: str) -> CouldNotDecide:
    """Another version than the one that was listed."""
    return _fault("verify.store_changed", f"{where}: {said}", "the version that was listed", _CHANGED)


def encoded(where: str, encoding: str) -> CouldNotDecide:
    """What is stored is not what others would see: they decompress it."""
    return _fault(
        "verify.store_encoded",
        f"{where}: Content-Encoding is {encoding[:40]!r}",
        "the artifact's own bytes",
        "Upload it without Content-Encoding.",
    )


def bad_listing(where: str, said: str) -> CouldNotDecide:
    """A listing that is not whole proves nothing about what is there."""
    return _fault("verify.store_listing", f"{where}: {said}", "the whole listing, each object once", _AGAIN)


def too_many(where: str, limit: int) -> CouldNotDecide:
    """A listing without an end."""
    return _fault(
        "verify.too_many_objects", f"{where}: more than {limit} objects", f"at most {limit}", "Name a longer prefix."
    )


def cannot_list(where: str) -> UsageError:
    """Plain HTTPS has no listings."""
    return UsageError(
        "verify.source_unlistable",
        f"{where}: plain HTTPS cannot say what lies below an address",
        expected="a single file",
        remedy="Name one file, or keep the model in a bucket or in the repository.",
    )


def forked(where: str, library: str) -> CouldNotDecide:
    """A child of a process whose threads had begun to ask the store."""
    return _fault(
        "verify.store_forked",
        f"{where}: {library} was used by the process that this one was forked from",
        "a process that has asked no store before it forks",
        "Fork before the first load, or start processes anew (`spawn`, `forkserver`).",
    )


def _fault(code: str, problem: str, expected: str, remedy: str) -> CouldNotDecide:
    return CouldNotDecide(code, problem, expected=expected, remedy=remedy)
