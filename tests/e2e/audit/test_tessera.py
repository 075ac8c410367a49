"""What others say of our logs: Tessera's `fsck`, which shares no code with this repository.

fsck v1.0.4 ends with 0 whatever it finds where `--ui=false` is given, and waits for ever with `--N=1`: its last words
decide.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aegis.audit.checkpoint import note_of, sign_head
from aegis.audit.disk import DiskLog
from aegis.audit.folder import FolderSource
from aegis.audit.growth import Growth
from aegis.audit.verify import verify_log
from tests.support.programs.gomod import program
from tests.support.runtime import audit_logs as logs
from tests.support.runtime.audit_logs import KEY, ORIGIN, VERIFIER, event, put

ROOT = Path(__file__).resolve().parents[3]
VERSION = "1.0.4"


@pytest.fixture(scope="session")
def fsck(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], str]:
    """What the tool says of a folder."""
    binary = program(ROOT / "tests/e2e/tools/tessera-fsck", VERSION)
    built = subprocess.run(
        ["go", "version", "-m", binary], capture_output=True, text=True, check=True, timeout=180
    ).stdout
    assert f"github.com/transparency-dev/tessera\tv{VERSION}" in built
    key = tmp_path_factory.mktemp("key") / "vkey"
    key.write_text(f"{VERIFIER}\n")

    def run(folder: Path) -> str:
        ran = subprocess.run(
            [str(binary), f"--storage_url=file://{folder}/", f"--public_key={key}", "--ui=false", "--N=4"],
            capture_output=True, text=True, check=False, timeout=180,
        )  # fmt: skip
        return ran.stdout + ran.stderr

    return run


def accepts(said: str) -> bool:
    return "Successfully fsck'd" in said


def grown(folder: Path, count: int) -> Path:
    """A published log, by the code that `DiskLog` publishes with, without a wait for the disk at each entry."""
    growth = Growth()
    for number in range(count):
        growth.add(logs.entry(number))
    for path, data in growth.resources():
        put(folder, path, data)
    root = growth.tree.root()
    put(folder, "checkpoint", note_of(VERIFIER, count, root, sign_head(KEY, ORIGIN, count, root)))
    return folder


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 511, 512, 513, 65_536, 70_003])
def test_logs_of_many_sizes(tmp_path: Path, fsck: Callable[[Path], str], count: int) -> None:
    said = fsck(grown(tmp_path, count))
    assert accepts(said), said
    assert verify_log(FolderSource(tmp_path), VERIFIER).result == "intact"


def test_a_log_that_was_written_entry_by_entry(tmp_path: Path, fsck: Callable[[Path], str]) -> None:
    """With all that lies beside the published files, and after some checkpoints and restarts."""
    for start in range(3):
        with DiskLog(tmp_path / "log", ORIGIN, KEY, journal_bytes=1) as log:
            for number in range(150):
                log.append(event(start * 150 + number))
    said = fsck(tmp_path / "log")
    assert accepts(said), said


def test_an_empty_log(tmp_path: Path, fsck: Callable[[Path], str]) -> None:
    DiskLog(tmp_path / "log", ORIGIN, KEY).close()
    said = fsck(tmp_path / "log")
    assert accepts(said), said


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


TAMPERED: dict[str, Callable[[Path], object]] = {
    "an entry": lambda folder: flip(folder / "tile/entries/001", 100),
    "a leaf hash": lambda folder: flip(folder / "tile/0/001", 100),
    "a node": lambda folder: flip(folder / "tile/1/000.p/2", 10),
    "the size": lambda folder: put(
        folder, "checkpoint", (folder / "checkpoint").read_bytes().replace(b"\n600\n", b"\n599\n")
    ),
    "a bundle missing": lambda folder: (folder / "tile/entries/000").unlink(),
    "other key": lambda folder: put(folder, "checkpoint", logs.note(logs.entries(600), key=logs.OTHER_KEY)),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return grown(tmp_path_factory.mktemp("good"), 600)


@pytest.mark.parametrize("what", TAMPERED)
def test_both_refuse_what_was_tampered_with(tmp_path: Path, good: Path, fsck: Callable[[Path], str], what: str) -> None:
    """Its acceptance above means something: it says no where something is wrong."""
    shutil.copytree(good, tmp_path / "log")
    TAMPERED[what](tmp_path / "log")
    said = fsck(tmp_path / "log")
    assert not accepts(said), said
    assert verify_log(FolderSource(tmp_path / "log"), VERIFIER).result == "tampered"
