"""`make demo`: the consumer example in two pull requests, a red one and a green one, through both actions.

Real: the workflows of examples/consumer, both composite actions of this tree, their start-up, the gate, git.
Simulated: see `SIMULATED`.
"""

from __future__ import annotations

import html
import shutil
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))

from tests.support.act import Act, Run, commit, export  # noqa: E402 - scripts run without being installed
from tests.support.events import pull_request  # noqa: E402

SIMULATED = """\
  - GitHub's runner is played by act, in this machine's own shell, without containers.
  - The pull requests are commits in temporary copies of examples/consumer, with hand-written event payloads.
  - `org/aegis@v1` is this work tree; `actions/checkout` is act's copy of the folder;
    `actions/upload-artifact` is a stand-in that only checks that its file is there.
  - There is no token, so nothing is sent to code scanning.
"""
SERVICE = "src/shop_ml/service.py"


@dataclass(frozen=True)
class Change:
    """One pull request and what must come of it."""

    title: str
    line: str
    green: bool


CHANGES = (
    Change("A pull request that calls boto3 in the service", "import boto3", green=False),
    Change("A pull request that stays with the port", "import math", green=True),
)


def play(change: Change, action: Path, work: Path) -> Run:
    """Make the pull request and run its workflows."""
    repository = work / "shop"
    shutil.copytree(ROOT / "examples" / "consumer", repository)
    commit(repository, {}, "The service as it is")
    service = (repository / SERVICE).read_text("utf-8")
    changed = service.replace("import json", f"{change.line}\nimport json", 1)
    event = pull_request(repository, {SERVICE: changed})
    return Act(action, work).run(repository, event.name, event.payload)


def show(change: Change, run: Run, seconds: float) -> bool:
    """Print what a reader of the pull request would see, and whether it is what must be."""
    print(f"\n=== {change.title}: {'green' if run.green else 'red'} after {seconds:.0f} s ===")
    for note in run.annotations:
        print(f"  {note.level} {note.file}{f':{note.line}' if note.line else ''} {note.message.splitlines()[0]}")
    # A summary is Markdown with every special character as an entity; people read it as GitHub shows it.
    print(textwrap.indent(html.unescape(run.summary), "  | "))
    on_line = any(note.file == SERVICE for note in run.errors())
    return run.green is change.green and on_line is not change.green


def main() -> int:
    """Play both; 0 only if the first was red for the right reason and the second green."""
    print(f"Simulated here:\n{SIMULATED}")
    good = []
    with tempfile.TemporaryDirectory(prefix="aegis-demo-") as temporary:
        action = export(Path(temporary) / "action")
        for number, change in enumerate(CHANGES):
            work = Path(temporary) / str(number)
            work.mkdir()
            start = time.monotonic()
            run = play(change, action, work)
            good.append(show(change, run, time.monotonic() - start))
            if not good[-1]:
                print(run.log[-6000:], run.stderr[-1000:], sep="\n", file=sys.stderr)
    print("\nThe demo " + ("behaved: the first is red, the second is green." if all(good) else "did NOT behave."))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
