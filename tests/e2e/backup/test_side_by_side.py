"""Two runs of the same backup at once, of a database in which nothing moves: each is whole, or not there at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.backup.shop import shop
from tests.support.backup.way import PASS, Shelf
from tests.support.databases.postgres import running

ROOT = Path(__file__).resolve().parents[3]
AT_ONCE = 3


def test_none_takes_anything_from_another(tmp_path: Path) -> None:
    """They may have the same snapshot's name, second and place in the log, and so the same id."""
    shelf = Shelf(tmp_path / "store")
    shelf.folder.mkdir()
    with running() as server:
        name = shop(server)
        runs = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.support.databases.patient_aegis",
                 "backup", "run", "--policy", shelf.written(), "--jobs", "1"],
                cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                env={
                    "PATH": f"{server.bin}:{os.environ['PATH']}", "HOME": str(tmp_path),
                    "AEGIS_DATABASE_URL": server.url(name), "PYTHONPATH": str(ROOT / "src"),
                },
            )
            for _ in range(AT_ONCE)
        ]  # fmt: skip
        said = [each.communicate(timeout=300) for each in runs]
    codes = [each.returncode for each in runs]
    assert set(codes) <= {0, 3}, said
    for code, (_, err) in zip(codes, said, strict=True):
        # where two withdraw at once what they have stored, a third may miss the folder that it writes to
        in_the_way = any(each in err for each in ("backup_check.object_exists", "verify.store_missing"))
        assert (code == 0) != in_the_way, err
    assert len(shelf.backups()) == codes.count(0)
    for stored in shelf.backups():
        told = {each.name for each in stored.manifest.objects}
        assert {str(each.relative_to(stored.folder)) for each in stored.objects()} == told
    if shelf.backups():
        assert shelf.drill(tier="full") == PASS
