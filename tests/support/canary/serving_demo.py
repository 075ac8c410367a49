"""The last scene of the demo: the service loads what is signed, refuses what is not, and proves both."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.doubles.oidc_issuer import serve_issuers
from tests.support.runtime.service import Running, config_folder, environment, roles, started


def serve_models(folder: Path) -> bool:
    """Play it, and say whether everything was as it must be."""
    config, data = folder / "config", folder / "data"
    config.mkdir(parents=True)
    start = time.monotonic()
    with serve_issuers() as issuers:
        environ = environment(data, config_folder(config), AEGIS_AUTH=str(issuers.auth_file(folder)))
        with started(environ, tokens=roles(issuers)) as service:
            good = _ask(service)
            index = _index_of_refusal(service)
            good &= service.end() == 0
    good &= _aegis(environ, "audit", "verify")
    proof, entry = folder / "refusal.tlog-proof", folder / "refusal.json"
    good &= _aegis(environ, "audit", "prove", str(index), "--output", str(proof), "--entry", str(entry))
    good &= _aegis(environ, "audit", "verify", "--proof", str(proof), "--entry", str(entry))
    print(f"  after {time.monotonic() - start:.0f} s")
    return good


def _ask(service: Running) -> bool:
    print("\n=== The service: `python -m aegis_multimodal_ai_system.api`, with SQLite and its log on disk ===")
    loaded = service.ask("POST", "/v1/models/shop/prepare", role="operator")
    print(f"  POST /v1/models/shop/prepare: {loaded.status}, verified, digest {loaded.json().get('digest')}")
    refused = service.ask("POST", "/v1/models/forged/prepare", role="operator")
    print(f"  POST /v1/models/forged/prepare, a byte of it was changed: {refused.status} {refused.json().get('code')}")
    denied = service.ask("POST", "/v1/models/shop/prepare", role="reader")
    print(f"  the same by somebody who may only read: {denied.status}")
    return (loaded.status, refused.status, refused.json().get("code"), denied.status) == (
        200,
        422,
        "verify.file_differs",
        403,
    )


def _index_of_refusal(service: Running) -> int:
    """Of the entry that says who asked for the forged model."""
    entries = service.ask("GET", "/v1/audit/entries", role="reader").json()["entries"]
    (found,) = [each for each in entries if each["entry"]["action"] == "model.load.refused"]
    entry = found["entry"]
    print(f"  audit log, entry {found['index']}: {entry['action']} by {entry['actor']['id']}: {entry['reason']}")
    return int(found["index"])


def _aegis(environ: dict[str, str], *words: str) -> bool:
    """Run a command as a reader would, and show what it says."""
    print(f"  $ aegis {' '.join(Path(word).name for word in words)}")
    source = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-m", "aegis", *words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": source, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    for line in (done.stdout + done.stderr).splitlines():
        print(f"  | {line}")
    return done.returncode == 0
