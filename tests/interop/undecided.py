"""How signing must end where it cannot be done."""

from __future__ import annotations

from pathlib import Path

from tests.interop import artifacts
from tests.interop.clients import Job, Ran


def nothing_is_written(job: Job, folder: Path, kind: str, tool: str) -> Ran:
    """Have something signed that cannot be: it fails, and leaves no signature."""
    artifact = artifacts.write(kind, folder)
    before = sorted(folder.rglob("*"))
    done = job.sign(tool, kind, artifact, folder / "signature.json")
    assert done.returncode != 0, done.stdout
    assert not (folder / "signature.json").exists()
    if tool == "aegis":  # others may leave caches
        assert sorted(folder.rglob("*")) == before
    return done


def could_not_decide(job: Job, folder: Path, kind: str, code: str, *words: str) -> None:
    """So it is by us, with a reason and without an answer."""
    done = nothing_is_written(job, folder, kind, "aegis")
    assert done.returncode == 3, done.stderr
    for word in (code, *words):
        assert word in done.stderr, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
