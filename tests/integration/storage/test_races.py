"""A writer that exchanges files as quickly as it can, while they are listed, read and published."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from aegis.adapters.objects.local import LocalStore
from aegis.core.errors import AegisError
from aegis.storage.content_store import ContentStore
from aegis.storage.hashing import HashingSink
from aegis.storage.transfer import read_once
from aegis.storage.verified_cache import Question, VerifiedCache, snapshot

TRIES = 1000
GOOD = b"good" * 4000
EVIL = b"evil" * 4000
GOOD_DIGEST = hashlib.sha256(GOOD).hexdigest()


def by_content(path: Path, other: Path) -> Iterator[None]:
    """The content is overwritten in place, and written back."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        while True:
            os.pwrite(descriptor, EVIL, 0)
            yield
            os.pwrite(descriptor, GOOD, 0)
            yield
    finally:
        os.close(descriptor)


def by_rename(path: Path, other: Path) -> Iterator[None]:
    """Another file is put in its place."""
    while True:
        for content in (EVIL, GOOD):
            (path.parent.parent / "new").write_bytes(content)
            (path.parent.parent / "new").rename(path)
            yield


def by_link(path: Path, other: Path) -> Iterator[None]:
    """Its folder is exchanged for a link to another one, and back."""
    folder, aside = path.parent, path.parent.parent / "aside"
    while True:
        folder.rename(aside)
        folder.symlink_to(other)
        yield
        folder.unlink()
        aside.rename(folder)
        yield


@contextmanager
def racing(steps: Iterator[None]) -> Iterator[None]:
    """Take the steps in another thread, as quickly as it goes."""
    over = threading.Event()

    def run() -> None:
        for _ in steps:
            if over.is_set():
                break

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


WRITERS = [by_content, by_rename, by_link]


@pytest.mark.parametrize("writer", WRITERS)
def test_what_is_published_is_what_was_hashed(tmp_path: Path, writer: Callable[[Path, Path], Iterator[None]]) -> None:
    path, other = tmp_path / "repository" / "model" / "a.bin", tmp_path / "other"
    path.parent.mkdir(parents=True)
    other.mkdir()
    path.write_bytes(GOOD)
    (other / "a.bin").write_bytes(EVIL)
    store, kept = LocalStore(path.parent.parent), ContentStore(tmp_path / "kept")
    accepted = refused = 0
    with racing(writer(path, other)):
        for _ in range(TRIES):
            with suppress(AegisError), kept.stage() as staging:
                refused += 1
                (info,) = store.list("model/")
                hashing = HashingSink()
                with staging.create("a.bin") as file:
                    read_once(store, info, [hashing, file])
                if hashing.digests["sha256"].hex() == GOOD_DIGEST:
                    published = staging.publish(GOOD_DIGEST)
                    refused -= 1
                    accepted += 1
                    assert (published / "a.bin").read_bytes() == GOOD
    assert accepted + refused == TRIES
    assert refused


@pytest.mark.parametrize("writer", WRITERS)
def test_a_hit_of_the_cache_is_never_about_other_bytes(
    tmp_path: Path, writer: Callable[[Path, Path], Iterator[None]]
) -> None:
    path, other = tmp_path / "repository" / "model" / "a.bin", tmp_path / "other"
    path.parent.mkdir(parents=True)
    other.mkdir()
    path.write_bytes(GOOD)
    (other / "a.bin").write_bytes(EVIL)
    cache, question = VerifiedCache(tmp_path / "cache"), Question("p", "k", "t", GOOD_DIGEST)
    steps = writer(path, other)
    for _ in range(30):
        with suppress(AegisError, FileNotFoundError):
            before = snapshot(path.parent)
            if path.read_bytes() == GOOD:
                cache.remember(path.parent, question, before)
        next(steps)
        if cache.holds(path.parent, question):
            assert path.read_bytes() == GOOD
