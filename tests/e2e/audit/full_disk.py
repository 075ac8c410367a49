"""A log on a file system that runs full, inside a mount namespace: `unshare … python -m tests.e2e.audit.full_disk DIR`.

Prints JSON: what came of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from aegis.audit.disk import DiskLog
from aegis.audit.verify import verify_folder
from aegis.core.errors import CouldNotDecide
from tests.support.runtime.audit_logs import KEY, ORIGIN, VERIFIER, event


def fill(log: DiskLog, done: int) -> tuple[int, str]:
    """Append until it is refused; entries, and the refusal."""
    while done < 50_000:
        try:
            log.append(event(done))
        except CouldNotDecide as error:
            return done, f"{error.code}: {error.problem}"
        done += 1
    return done, "never"


def main(folder: Path) -> None:
    """Fill, verify, make room, go on."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=True)
    (folder / "filler").write_bytes(bytes(1 << 20))
    log = DiskLog(folder / "log", ORIGIN, KEY, journal_bytes=1)
    done, why = fill(log, 0)
    found: dict[str, object] = {"done": done, "why": why}
    found["again"] = fill(log, done)
    report = verify_folder(folder / "log", VERIFIER)
    found["full"] = [report.result, report.size]
    (folder / "filler").unlink()
    more, _ = fill(DiskLog(folder / "log", ORIGIN, KEY, journal_bytes=1), done)
    report = verify_folder(folder / "log", VERIFIER)
    found["after"] = [report.result, report.size, more]
    found["left over"] = [path.name for path in (folder / "log").rglob("*.new")] + [
        path.name for path in (folder / "log").glob("torn-*")
    ]
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
