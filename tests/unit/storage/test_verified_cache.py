from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from aegis.core.errors import AegisError, Refused
from aegis.storage import verified_cache
from aegis.storage.verified_cache import GRAIN, MAX_AGE, Question, VerifiedCache, snapshot

QUESTION = Question(policy="p" * 64, keys="k" * 64, trusted_root="t" * 64, root="r" * 64)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "weights").mkdir(parents=True)
    (folder / "config.json").write_bytes(b"{}")
    (folder / "weights" / "a.bin").write_bytes(b"aaaa")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def remembered(root: Path, model: Path, now: Callable[[], float] = time.time) -> VerifiedCache:
    cache = VerifiedCache(root, now=now)
    assert cache.remember(model, QUESTION, snapshot(model))
    return cache


def test_an_unchanged_folder_is_a_hit(root: Path, model: Path) -> None:
    assert not VerifiedCache(root).holds(model, QUESTION)
    remembered(root, model)
    assert VerifiedCache(root).holds(model, QUESTION)
    assert oct(root.stat().st_mode)[-3:] == "700"


@pytest.mark.parametrize("part", ["policy", "keys", "trusted_root", "root"])
def test_another_policy_key_set_trusted_root_or_digest_is_a_miss(root: Path, model: Path, part: str) -> None:
    cache = remembered(root, model)
    assert not cache.holds(model, replace(QUESTION, **{part: "0" * 64}))


def test_parts_of_a_question_do_not_run_into_each_other(root: Path, model: Path) -> None:
    cache = remembered(root, model)
    assert not cache.holds(model, replace(QUESTION, policy="p" * 63, keys="p" + "k" * 64))


def same_size_and_time(model: Path) -> None:
    path = model / "weights" / "a.bin"
    before = path.stat()
    path.write_bytes(b"bbbb")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def another_in_its_place(model: Path) -> None:
    path = model / "weights" / "a.bin"
    shutil.copy2(path, model.parent / "copy")
    (model.parent / "copy").rename(path)


def through_an_open_descriptor(model: Path) -> None:
    with (model / "weights" / "a.bin").open("r+b", buffering=0) as file:
        file.write(b"b")


CHANGES: dict[str, Callable[[Path], object]] = {
    "same size and mtime": same_size_and_time,
    "another file with all of its times": another_in_its_place,
    "through a descriptor": through_an_open_descriptor,
    "an added file": lambda model: (model / "extra.py").write_bytes(b""),
    "an added empty folder": lambda model: (model / "weights" / "empty").mkdir(),
    "a removed file": lambda model: (model / "config.json").unlink(),
    "a renamed file": lambda model: (model / "config.json").rename(model / "Config.json"),
    "another mode": lambda model: (model / "config.json").chmod(0o755),
    "a link": lambda model: (model / "link").symlink_to("config.json"),
    "a hard link": lambda model: (model.parent / "second").hardlink_to(model / "config.json"),
    "a moved folder": lambda model: (model / "weights").rename(model / "w"),
    "times set back": lambda model: os.utime(model / "config.json", ns=(0, 0)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_any_change_is_a_miss(root: Path, model: Path, change: Callable[[Path], object]) -> None:
    cache = remembered(root, model)
    change(model)
    assert not cache.holds(model, QUESTION)


def test_a_copy_elsewhere_is_a_miss(root: Path, model: Path) -> None:
    cache = remembered(root, model)
    copy = model.parent / "copy"
    shutil.copytree(model, copy)
    assert not cache.holds(copy, QUESTION)
    shutil.rmtree(model)
    copy.rename(model)
    assert not cache.holds(model, QUESTION)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_while_it_was_hashed_is_not_remembered(
    root: Path, model: Path, change: Callable[[Path], object]
) -> None:
    before = snapshot(model)
    change(model)
    cache = VerifiedCache(root)
    with suppress(Refused):  # what may not be in a folder at all
        assert not cache.remember(model, QUESTION, before)
    assert not cache.holds(model, QUESTION)


def test_a_snapshot_waits_until_a_later_change_must_show(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    class Still:
        """A clock that stands at the moment of the change, however long the machine takes until it is looked at."""

        @staticmethod
        def time() -> float:
            return (model / "config.json").stat().st_ctime_ns / 1e9 + GRAIN / 2

    (model / "config.json").write_bytes(b"[]")
    with monkeypatch.context() as patch:
        patch.setattr(verified_cache, "time", Still)
        assert not snapshot(model, sleep=slept.append).settled
    assert slept == [GRAIN]
    (model / "config.json").write_bytes(b"{}")
    assert snapshot(model).settled


def test_a_change_in_the_future_is_never_remembered(root: Path, model: Path) -> None:
    os.utime(model / "config.json", (time.time() + 3600,) * 2)
    assert not VerifiedCache(root).remember(model, QUESTION, snapshot(model))


@pytest.mark.parametrize("mode", [0o664, 0o666])
def test_what_others_may_write_is_never_remembered(root: Path, model: Path, mode: int) -> None:
    (model / "config.json").chmod(mode)
    assert not VerifiedCache(root).remember(model, QUESTION, snapshot(model))


def test_it_is_forgotten_in_time(root: Path, model: Path) -> None:
    begun = time.time()
    remembered(root, model, now=lambda: begun)
    assert VerifiedCache(root, now=lambda: begun + MAX_AGE).holds(model, QUESTION)
    assert not VerifiedCache(root, now=lambda: begun + MAX_AGE + 1).holds(model, QUESTION)
    assert not VerifiedCache(root, now=lambda: begun - 1).holds(model, QUESTION)


class TestTheCacheItself:
    @pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
    def test_a_folder_that_others_can_enter_is_a_miss(self, root: Path, model: Path, mode: int) -> None:
        cache = remembered(root, model)
        root.chmod(mode)
        assert not cache.holds(model, QUESTION)
        with pytest.raises(AegisError) as caught:
            cache.remember(model, QUESTION, snapshot(model))
        assert caught.value.code == "verify.not_private"

    @pytest.mark.parametrize("mode", [0o644, 0o620, 0o604])
    def test_an_entry_that_others_can_reach_is_a_miss(self, root: Path, model: Path, mode: int) -> None:
        cache = remembered(root, model)
        self.entry(root).chmod(mode)
        assert not cache.holds(model, QUESTION)

    def test_an_entry_with_a_second_name_or_behind_a_link_is_a_miss(self, root: Path, model: Path) -> None:
        cache = remembered(root, model)
        entry = self.entry(root)
        second = root.parent / "second"
        second.hardlink_to(entry)
        assert not cache.holds(model, QUESTION)
        entry.unlink()
        entry.symlink_to(second)
        assert not cache.holds(model, QUESTION)
        entry.unlink()
        second.rename(entry)
        assert cache.holds(model, QUESTION)

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"[]",
            b"null",
            b"{}",
            b'{"at":"x"}',
            b'{"at":1e999}',
            b'{"at":NaN}',
            b"[" * 5000,
            b"\xff",
            b"x" * 9999,
        ],
    )
    def test_an_entry_that_is_broken_is_a_miss(self, root: Path, model: Path, content: bytes) -> None:
        cache = remembered(root, model)
        self.entry(root).write_bytes(content)
        assert not cache.holds(model, QUESTION)

    def test_each_part_of_an_entry_counts(self, root: Path, model: Path) -> None:
        cache = remembered(root, model)
        entry = json.loads(self.entry(root).read_bytes())
        assert set(entry) == {"version", "asked", "state", "at", "user"}
        for part, value in {"version": 2, "asked": [], "state": "0" * 64, "user": os.geteuid() + 1, "more": 1}.items():
            self.entry(root).write_text(json.dumps({**entry, part: value}))
            assert not cache.holds(model, QUESTION)
        self.entry(root).write_text(json.dumps(entry))
        assert cache.holds(model, QUESTION)

    def test_an_entry_of_another_folder_does_not_count(self, root: Path, model: Path) -> None:
        cache = remembered(root, model)
        other = model.parent / "other"
        other.mkdir()
        (other / "x").write_bytes(b"x")
        assert cache.remember(other, QUESTION, snapshot(other))
        one, two = sorted(root.iterdir())
        content = one.read_bytes()
        one.write_bytes(two.read_bytes())
        two.write_bytes(content)
        assert not cache.holds(model, QUESTION)
        assert not cache.holds(other, QUESTION)

    def test_a_cache_that_cannot_be_written_costs_time_only(self, root: Path, model: Path) -> None:
        root.write_bytes(b"")
        assert not VerifiedCache(root).holds(model, QUESTION)

    @staticmethod
    def entry(root: Path) -> Path:
        (entry,) = root.iterdir()
        return entry
