"""`make demo`: the example repository in two pull requests and a scheduled run, its service, backups and a rollout.

Real: the workflows of examples/consumer, the three composite actions of this tree, their start-up, the gates, git; the
API as a process with its database and audit log; a PostgreSQL that is dumped, and restored into another; tokens,
sessions, requests and signatures are made and verified by their real algorithms. Simulated: see `SIMULATED`.
"""

from __future__ import annotations

import argparse
import html
import os
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))

from aegis.startup import surroundings  # noqa: E402 - scripts run without being installed
from aegis.startup.uv import find_uv  # noqa: E402
from tests.support.actions.act import Act, Run, commit, export  # noqa: E402
from tests.support.actions.consumer import AWS_CHECK, Staged, copy, staged_cloud  # noqa: E402
from tests.support.actions.events import pull_request, schedule  # noqa: E402
from tests.support.backup.demo import prove_backups  # noqa: E402
from tests.support.canary.demo import replay_rollout  # noqa: E402
from tests.support.canary.serving_demo import serve_models  # noqa: E402

SIMULATED = """\
  - GitHub's runner is played by act, in this machine's own shell, without containers.
  - The pull requests are commits in temporary copies of examples/consumer, with hand-written event payloads.
  - `org/aegis@v1` is this work tree; `actions/checkout` is act's copy of the folder;
    `actions/upload-artifact` is a stand-in that only checks that its file is there.
  - GitHub's token service, AWS STS and S3 are servers on this machine, written for the tests: they sign and verify
    tokens, judge the role's trust policy and the session's policy, and check the signature of every request.
    aegis.yml names their addresses. Every token has the claims of the check `verify-model-signatures-aws-oidc`.
  - The models were signed just now, by a Sigstore on this machine; its trusted root is a file of the repository.
  - There is no token for GitHub's API, so nothing is sent to code scanning.
  - The check for OCI is left out here; `make test-e2e` runs it.
  - The shop's database runs on this machine, with made-up rows; its backups lie in a folder instead of a bucket.
  - The service's models lie in a folder, signed by a key that was made for the tests; its issuer of tokens is a server
    on this machine.
  - No cluster and no Prometheus run: the rollout's samples were recorded earlier, from a real Prometheus that scraped
    processes on one machine, and those of the good version are simulated.
"""
SERVICE = "src/shop_ml/service.py"
CHECKS = (".github/workflows/sdk-scan.yml", ".github/workflows/aegis.yml", AWS_CHECK)


@dataclass(frozen=True)
class Scene:
    """Something that happens, and what must come of it."""

    title: str
    line: str | None = None
    """What a pull request adds to the service; None for the day's scheduled run."""
    red: str | None = None
    """The one reason in the annotations; None for green."""
    before: Callable[[Staged], None] = Staged.upload
    """What happens in the bucket."""


SCENES = (
    Scene("A pull request that calls boto3 in the service", "import boto3", red="scan.runtime"),
    Scene("A pull request that stays with the port; the models are those that were signed", "import math"),
    Scene(
        "The scheduled run after one byte of a model in the bucket was changed",
        red="verify.file_differs",
        before=Staged.tamper,
    ),
)


def play(scene: Scene, action: Path, work: Path, served: Staged, uv: Path) -> Run:
    """Make it happen and run the workflows."""
    scene.before(served)
    places = {"aegis.yml": {"aws": served.cloud.places}}
    repository = copy(work / "shop", CHECKS, places, served.sigstore.trusted_root())
    commit(repository, {}, "The service as it is")
    if scene.line is None:
        event = schedule()
    else:
        service = (repository / SERVICE).read_text("utf-8")
        event = pull_request(repository, {SERVICE: service.replace("import json", f"{scene.line}\nimport json", 1)})
    act = Act(action, work, (uv,), served.cloud.job, served.options)
    return act.run(repository, event.name, event.payload)


def show(scene: Scene, run: Run, seconds: float) -> bool:
    """Print what a reader on GitHub would see, and say whether it is what must be."""
    print(f"\n=== {scene.title}: {'green' if run.green else 'red'} after {seconds:.0f} s ===")
    for job, result in run.jobs.items():
        print(f"  {'✓' if result == 'success' else '✗'} {job}")
    for note in run.annotations:
        place = f"{note.file}{f':{note.line}' if note.line else ''} " if note.file else ""
        print(f"  {note.level} {place}{note.message.splitlines()[0]}")
    # A summary is Markdown with every special character as an entity; people read it as GitHub shows it.
    print(textwrap.indent(html.unescape(run.summary), "  | "))
    reasons = {note.title.partition(":")[0] for note in run.errors()}
    return run.green is (scene.red is None) and reasons == ({scene.red} if scene.red else set())


def main(arguments: Sequence[str]) -> int:
    """Play all; 0 only if each was green, or red for the right reason."""
    argparse.ArgumentParser(
        prog="scripts/demo.py",
        description=__doc__.replace("`SIMULATED`", "below"),
        epilog=f"Simulated:\n{SIMULATED}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args(arguments)
    print(f"Simulated here:\n{SIMULATED}")
    good = []
    with tempfile.TemporaryDirectory(prefix="aegis-demo-") as temporary, staged_cloud() as served:
        action = export(Path(temporary) / "action")
        # many runners have it; without, each job would fetch it with pip
        uv = find_uv(ROOT, surroundings.cache_folder(os.environ), os.environ).parent
        for number, scene in enumerate(SCENES):
            work = Path(temporary) / str(number)
            work.mkdir()
            start = time.monotonic()
            run = play(scene, action, work, served, uv)
            good.append(show(scene, run, time.monotonic() - start))
            if not good[-1]:
                print(run.log[-6000:], run.stderr[-1000:], sep="\n", file=sys.stderr)
        good.append(serve_models(Path(temporary) / "service"))
        good.append(prove_backups(Path(temporary) / "backups"))
        good.append(replay_rollout())
    ends = (
        "the first and the third are red, the second is green; the service loaded what is signed, and nothing else;"
        " the backup was proven equal, and with one bit flipped it is none;"
        " the worse version would be rolled back, and the good one promoted."
    )
    print("\nThe demo " + (f"behaved: {ends}" if all(good) else "did NOT behave."))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
