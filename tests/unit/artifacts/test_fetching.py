"""Fetching: one reading, published only when verified, and kept copies that are never just believed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aegis.adapters.objects.local import LocalStore
from aegis.artifacts.fetching import fetch
from aegis.artifacts.preparing import case_of, prepare_one
from aegis.core.errors import CouldNotDecide, Refused
from aegis.storage.content_store import ContentStore
from aegis.storage.verified_cache import VerifiedCache
from tests.doubles.objects import Bucket, denied
from tests.support.signing.verifying import (
    MODEL,
    content_of,
    file_artifact,
    model_artifact,
    opener,
    policy,
    refusal_of,
    request,
    sha256,
    signed_file,
    signed_model,
)


class Machine:
    """One runner with a bucket, and a folder that keeps artifacts."""

    def __init__(self, folder: Path) -> None:
        self.bucket = Bucket()
        self.bucket.put(signed_model())
        self.bucket.put(signed_file("tool.bin", b"tool"))
        self.folder = folder / "kept"
        self.opened = 0

    def fetch(self, name: str = "model") -> Path:
        asked = policy(model_artifact(), file_artifact())
        artifact = next(each for each in asked.artifacts if each.name == name)
        prepared = prepare_one(case_of(artifact, request(asked), opener(self.bucket)))
        return fetch(prepared, ContentStore(self.folder), VerifiedCache(self.folder / ".verified"), self._open)

    def _open(self, place: Path) -> LocalStore:
        self.opened += 1
        return LocalStore(place)

    def kept(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.exists() else []

    def given(self) -> int:
        return sum(self.bucket.given[f"m/{name}"] for name in MODEL)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def writable(place: Path) -> None:
    for folder, _, files in os.walk(place):
        Path(folder).chmod(0o700)
        for name in files:
            Path(folder, name).chmod(0o600)


def test_a_model_lies_there_as_it_was_signed_and_was_read_once(machine: Machine) -> None:
    place = machine.fetch()
    assert place == machine.folder / f"sha256-{content_of(MODEL)}"
    there = {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert there == dict(MODEL)
    assert machine.given() == sum(map(len, MODEL.values()))
    assert not [path for path in place.rglob("*") if path.stat().st_mode & 0o222]


def test_a_file_lies_there_under_its_own_name(machine: Machine) -> None:
    assert (machine.fetch("tool") / "tool.bin").read_bytes() == b"tool"
    assert machine.fetch("tool").name == f"sha256-{sha256(b'tool')}"


def test_what_is_kept_is_hashed_once_and_then_believed(machine: Machine) -> None:
    place, given = machine.fetch(), machine.given()
    assert machine.opened == 0
    assert [machine.fetch(), machine.fetch()] == [place, place]
    assert (machine.opened, machine.given()) == (1, given)


@pytest.mark.parametrize("name", MODEL)
def test_a_changed_byte_is_nowhere_afterwards(machine: Machine, name: str) -> None:
    machine.bucket.put({f"m/{name}": b"x" + MODEL[name][1:]})
    assert refusal_of(machine.fetch, Refused).code == "verify.file_differs"
    assert machine.kept() == []


def test_a_store_that_breaks_leaves_nothing(machine: Machine) -> None:
    machine.bucket.faults["m/weights/a.bin"] = denied()
    assert refusal_of(machine.fetch, CouldNotDecide).code == "verify.store_denied"
    assert machine.kept() == []


@pytest.mark.parametrize("remembered", [False, True])
def test_a_kept_copy_that_was_changed_is_not_given_out(machine: Machine, remembered: bool) -> None:
    place = machine.fetch()
    if remembered:
        machine.fetch()
    writable(place)
    (place / "config.json").write_bytes(b"[]\n")
    assert refusal_of(machine.fetch, CouldNotDecide).code == "verify.kept_copy_changed"


def test_a_kept_copy_with_another_file_is_not_given_out(machine: Machine) -> None:
    place = machine.fetch()
    writable(place)
    (place / "evil.py").write_bytes(b"x")
    assert refusal_of(machine.fetch, CouldNotDecide).code == "verify.kept_copy_changed"


def test_the_signature_is_asked_for_each_time(machine: Machine) -> None:
    machine.fetch()
    del machine.bucket.objects["m/model.sig"]
    assert refusal_of(machine.fetch, Refused).code == "verify.unsigned"
