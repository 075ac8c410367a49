"""What a start costs before any work is done, beside its budget: `python benchmarks/imports.py`.

CPU milliseconds (user and system) of one process, the least of several runs, and how many modules it has loaded. A bare
`python -I` is in each figure, and stands in the first row.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNS = 7
COUNTED = """
import json, resource, sys
{code}
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([used.ru_utime + used.ru_stime, sorted(sys.modules)]))
"""
HEAVY = frozenset(
    {"boto3", "botocore", "oci", "sigstore", "cryptography", "obstore", "psycopg", "numpy", "github", "jinja2", "rich"}
)
"""What a start may not pay for: each is for some command only, and is imported where that needs it."""
HELP = "from aegis.cli.main import main\ntry: main([{command!r}, '--help'])\nexcept SystemExit: pass"
STARTS: tuple[tuple[str, str, int], ...] = (
    ("bare python -I", "", 40),
    *(
        (f"aegis {name} --help", HELP.format(command=name), 180)
        for name in ("scan", "verify", "canary", "backup-check")
    ),
    ("aegis all --help", HELP.format(command="all"), 180),
    (
        "the runtime's loader",
        "from aegis_multimodal_ai_system.orchestrator_verify_loader import fetch_and_prepare_model_for_load",
        120,
    ),
    (
        "the runtime's audit helper",
        "from aegis_multimodal_ai_system.orchestrator.audit_helper import record_audit_event",
        120,
    ),
    ("the runtime's token validation", "from aegis_multimodal_ai_system.api.auth import validate_oidc_token", 200),
)
"""Title, what is run, and the budget in CPU milliseconds, the interpreter's own start included."""


def start(code: str) -> tuple[float, frozenset[str]]:
    """CPU milliseconds of one start, and the modules that it loaded."""
    program = COUNTED.format(code=f"sys.path.insert(0, {str(ROOT / 'src')!r})\n{code}")
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, env={"PATH": os.defpath}
    )
    seconds, modules = json.loads(done.stdout.splitlines()[-1])
    return seconds * 1e3, frozenset(modules)


def main() -> int:
    """Measure and print; 1 where a start is over its budget or has loaded what it may not."""
    over = 0
    print("| start | CPU | budget | modules | heavy ones |\n|---|---|---|---|---|")
    for title, code, budget in STARTS:
        runs = [start(code) for _ in range(RUNS)]
        spent, modules = min(spent for spent, _ in runs), runs[0][1]
        heavy = sorted(HEAVY & modules)
        over += spent > budget or bool(heavy)
        print(f"| {title} | {spent:.0f} ms | {budget} ms | {len(modules)} | {', '.join(heavy) or 'none'} |", flush=True)
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
