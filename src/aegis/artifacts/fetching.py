"""An artifact on this machine's disk: read once, hashed as it is written, and there only once it is verified.

What is kept already is not fetched again: it is hashed where it lies, or, if nothing about it has changed since that
was last done, believed (`aegis.storage.verified_cache`). Whoever hands its bytes on hashes them once more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from aegis.artifacts import streaming
from aegis.artifacts.prepared import Prepared
from aegis.artifacts.reading import Gotten, Wanted
from aegis.artifacts.trust import digest_of
from aegis.core.errors import Refused
from aegis.core.ports.objects import ObjectInfo, ObjectStore
from aegis.storage.content_store import ContentStore
from aegis.storage.hashing import Sink
from aegis.storage.verified_cache import Question, VerifiedCache, snapshot

OpenFolder = Callable[[Path], ObjectStore]
"""A folder of this machine as a store."""


def fetch(
    prepared: Prepared,
    store: ContentStore,
    cache: VerifiedCache,
    open_folder: OpenFolder,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """The folder that holds the artifact. Raises Refused or CouldNotDecide, and leaves nothing then."""
    if prepared.content is not None:
        kept = store.find(prepared.content)
        if kept is not None and _is_verified(prepared, prepared.content, kept, cache, open_folder):
            return kept

    def create(info: ObjectInfo) -> AbstractContextManager[Sink]:
        return staging.create(prepared.name_of(info))

    with store.stage() as staging:
        result = prepared.finish(streaming.read(prepared.wanted, progress, create))
        return staging.publish(result.content)


def _is_verified(prepared: Prepared, content: str, kept: Path, cache: VerifiedCache, open_folder: OpenFolder) -> bool:
    """Whether what is kept is still what was signed."""
    question = _question(prepared, content)
    if cache.holds(kept, question):
        return True
    before = snapshot(kept)
    try:
        prepared.finish(_read_kept(prepared, open_folder(kept)))
    except Refused:
        return False
    cache.remember(kept, question, before)
    return True


def _read_kept(prepared: Prepared, folder: ObjectStore) -> Gotten:
    """The digests of the kept files, under the names of the store that they came from."""
    there = {info.key: info for info in folder.list("")}
    names = {each.place: prepared.name_of(each.info) for each in prepared.wanted}
    if set(there) != set(names.values()):
        raise Refused(
            "verify.kept_copy_changed",
            "the kept copy has other files than the artifact",
            expected="the files that were verified",
            remedy="remove the folder, and find out what has written there",
        )
    local: dict[str, Wanted] = {
        each.place: replace(each, store=folder, info=there[names[each.place]]) for each in prepared.wanted
    }
    read = streaming.read(list(local.values()))
    return {place: read[each.place] for place, each in local.items()}


def _question(prepared: Prepared, content: str) -> Question:
    case = prepared.case
    trusts = [case.trust, *([case.release_trust] if case.release_trust is not None else [])]
    root = case.trust.trusted_root
    return Question(
        policy=hashlib.sha256(repr(case.artifact).encode()).hexdigest(),
        keys=hashlib.sha256("".join(map(digest_of, trusts)).encode()).hexdigest(),
        trusted_root=hashlib.sha256(root).hexdigest() if root is not None else "packaged",
        root=content,
    )
