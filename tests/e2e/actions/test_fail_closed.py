"""The proof that no gate is green by accident: each action, and each way to lose its answer.

Every cell is a run of the real action by act on a repository that passes without the fault. The gate works to its end,
and says pass where the fault lets it; then the fault takes the answer away. What must be true afterwards, in each cell:
the job is red, a step after it that deploys does not run, the outputs say that nothing was decided, and no report is
left that a step which always runs could keep or sign: neither the gate's own nor those of an earlier run.
"""

from __future__ import annotations

import datetime
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from aegis.startup import surroundings, tier0
from aegis.startup.environment import environment
from tests.doubles.shelf import ShelfStore
from tests.e2e.actions.canary.conftest import deploying
from tests.e2e.actions.conftest import CLEAN, Stage, patient, told
from tests.e2e.actions.watched import WARM
from tests.support.actions import events
from tests.support.actions.act import ROOT, Act, Run, export
from tests.support.backup import shelves
from tests.support.signing.signing import dump, message_bundle, pem, private

LOCKS = {"scan": "scan", "verify": "keyless", "canary": "canary", "backup-check": "backup-check", "all": "backup-check"}
TOOL = b"a tool\n"
VERIFY = {"artifacts": [{"name": "tool", "kind": "file", "source": "bin/tool", "signers": [{"key": "keys/tool.pub"}]}]}
BACKUPS = {"store": "store/", "databases": [{"name": "shop"}]}
ROLLOUT = {
    "prometheus": {"url": "http://127.0.0.1:9090"},
    "rollout": {"namespace": "shop", "name": "web"},
    "metrics": [{"preset": "http"}],
}
LAUNCH = '''\
"""The real launcher, with a fault that a test plants."""

import os
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from aegis.cli.gate_run import GateRun
from aegis.cli.main import main
from aegis.report import write

fault = os.environ["FAULT"]
verdict = Path(os.environ["AEGIS_INPUT_OUTPUT"], "verdict.json")
write_all, look = write.write_all, GateRun.look


def killed(told, folder, root=None):
    files = write_all(told, folder, root)
    if folder == verdict.parent:  # not that of one of all gates
        os.kill(os.getpid(), signal.SIGKILL)
    return files


def stopped(run):
    GateRun.look = look
    os.kill(os.getppid(), signal.SIGTERM)
    while True:  # until the launcher hands it on
        threading.Event().wait(0.05)


if fault == "killed":
    write.write_all = killed
if fault == "stopped":
    GateRun.look = stopped
code = main(sys.argv[1:])
if fault in ("empty", "corrupt", "silent"):
    content = verdict.read_bytes()
    assert code == 0 and b'"result": "pass"' in content
    if fault == "silent":
        verdict.unlink()
    else:
        verdict.write_bytes(content[: len(content) // 2 if fault == "corrupt" else 0])
sys.exit(code)
'''
STALE = """\
      - name: A run of yesterday left its reports
        run: |
          mkdir -p "$FOLDER"
          for name in verdict.json predicate.json subjects.txt; do
            printf '{"result": "pass"}' > "out/$name"
            test "$FOLDER" = out || cp "out/$name" "$FOLDER/"
          done
"""
FULL = """\
      - name: The disk is full
        run: |
          mkdir out
          mount -t tmpfs -o size=64k none out
          head -c 1M /dev/zero > out/filler || true
"""
LEFT = """\
      - name: Deploy
        run: echo "deployed anyway"
      - name: Look what is left
        if: ${{ always() }}
        run: |
          for name in verdict.json verdict.sarif summary.md predicate.json subjects.txt; do
            find out -name "$name" -exec echo "left: {}" \\;
          done
          ! mountpoint -q out || umount out
"""
REASONS = {
    "killed": "core.no_verdict",
    "empty": "core.no_verdict",
    "corrupt": "core.no_verdict",
    "silent": "core.no_verdict",
    "stopped": "core.interrupted",
    "full": "core.no_verdict",
}
"""Each way to lose an answer: the gate is killed; its verdict is empty, is cut, or is missing beside exit code 0; it is
told to stop; or it cannot write one. And the reason that the job gives."""
SAYS = {
    "killed": "ended by signal 9 and its verdict says 'pass'",
    "empty": "its verdict says '(unreadable)'",
    "corrupt": "its verdict says '(unreadable)'",
    "silent": "ended with exit code 0 and wrote no verdict",
    "stopped": "SIGTERM",
    "full": "ended with exit code 3 and wrote no verdict",
}


def scanned() -> dict[str, str | bytes]:
    """A service without an SDK."""
    return {}


def signed() -> dict[str, str | bytes]:
    """A file of the repository that is signed."""
    key = private("ecdsa-p256", 0)
    bundle = dump(message_bundle(key, TOOL))
    return {
        "aegis.yml": yaml.safe_dump({"version": 1, "verify": VERIFY}),
        "bin/tool": TOOL,
        "bin/tool.sigstore.json": bundle,
        "keys/tool.pub": pem(key),
    }


def backed_up() -> dict[str, str | bytes]:
    """A folder of fresh backups, of which the newest was proven."""
    store = ShelfStore()
    now = datetime.datetime.now(datetime.UTC)
    manifest = shelves.back_up(store, now - datetime.timedelta(hours=2))
    shelves.restore(store, manifest, now - datetime.timedelta(hours=1))
    files = {key.replace(shelves.PREFIX, "store/", 1): versions[-1][1] for key, versions in store.versions.items()}
    return {"aegis.yml": yaml.safe_dump({"version": 1, "backup-check": BACKUPS}), **files}


def all_of_them() -> dict[str, str | bytes]:
    """A policy that names every gate."""
    policy = yaml.safe_load(CLEAN["aegis.yml"])
    policy |= {"verify": VERIFY, "canary": ROLLOUT, "backup-check": BACKUPS}
    return {**signed(), **backed_up(), "aegis.yml": yaml.safe_dump(policy)}


FILES: Mapping[str, Callable[[], dict[str, str | bytes]]] = {
    "scan": scanned,
    "verify": signed,
    "backup-check": backed_up,
    "all": all_of_them,
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The action with a launcher that loses the gate's answer."""
    return export(tmp_path_factory.mktemp("action"), {"src/aegis/startup/launch.py": LAUNCH, **patient()})


@contextmanager
def consumer(gate: str, fault: str, folder: Path, action: Path, uv: Path) -> Iterator[Stage]:
    """A repository that the gate passes, and its job."""
    place = environment(LOCKS[gate], ROOT, surroundings.cache_folder(os.environ), os.environ)
    installed = folder / "installed"
    installed.mkdir()
    (installed / place.name).symlink_to(place)
    act = Act(action, folder / "runner", (uv,), {"INSTALLED": str(installed)})
    uses, inputs, env = f"org/aegis/actions/{gate}@v1", {"output": "out", "upload": "never"}, {"FAULT": fault}
    # the root action has a folder for each gate's own verdict
    env["FOLDER"] = "out/scan" if gate == "all" else "out"
    with ExitStack() as stack:
        if gate == "canary":
            deploy = stack.enter_context(deploying(folder, act))
            del inputs["upload"]
            env |= {name: f"${{{{ secrets.{name} }}}}" for name in deploy.given}
            files: dict[str, str | bytes] = {"aegis.yml": deploy.policy()}
            act = deploy.surrounded()
        else:
            act.work.mkdir()
            files = FILES[gate]()
        if fault == "full":
            # a file system of its own, which ends with the run
            act = replace(act, within=("unshare", "--user", "--map-root-user", "--mount"))
        before = WARM + (FULL if fault == "full" else STALE)
        stage = Stage(folder, act, "org/aegis@v1" if gate == "all" else uses, inputs, env, before, LEFT)
        stage.adopt(files)
        yield stage
    # pytest keeps the folders of three runs, and a runner's are large
    shutil.rmtree(act.work, ignore_errors=True)


def run(stage: Stage) -> Run:
    """The job's run for a push that changes nothing that matters."""
    return stage.run(events.push(stage.repository, {"README.md": "A shop.\n"}))


@pytest.mark.parametrize("gate", LOCKS)
def test_without_a_fault_each_is_green(gate: str, tmp_path: Path, faulty: Path, uv_folder: Path) -> None:
    """So that what makes the cells red is the fault."""
    with consumer(gate, "none", tmp_path, faulty, uv_folder) as stage:
        done = run(stage)
    assert done.green, done.log[-6000:]
    assert told(done).startswith("pass ")
    assert "deployed anyway" in done.log


@pytest.mark.parametrize("fault", REASONS)
@pytest.mark.parametrize("gate", LOCKS)
def test_a_lost_answer_is_red(gate: str, fault: str, tmp_path: Path, faulty: Path, uv_folder: Path) -> None:
    with consumer(gate, fault, tmp_path, faulty, uv_folder) as stage:
        done = run(stage)
    assert not done.green, done.log[-6000:]
    assert told(done) == f"error {REASONS[fault]}", done.log[-6000:]
    assert any(SAYS[fault] in note.message for note in done.errors()), done.annotations
    assert "deployed anyway" not in done.log
    left = {line.removeprefix("left: ") for line in done.log.splitlines() if line.startswith("left: ")}
    if fault != "stopped":
        assert left == set()
        return
    # here a verdict could be written, and it says that nothing was decided
    assert "out/verdict.json" in left
    assert '"result": "error"' in done.log
    assert '"reason": "core.interrupted"' in done.log
    assert '"result": "pass"' not in done.log


def test_no_cell_of_the_grid_is_empty() -> None:
    """Every action stands there with every fault; one that is added later must, too."""
    assert LOCKS.keys() == tier0.INPUTS.keys()
    assert REASONS.keys() == SAYS.keys() == {"killed", "empty", "corrupt", "silent", "stopped", "full"}
    marks: list[pytest.Mark] = vars(test_a_lost_answer_is_red)["pytestmark"]
    assert {mark.args[0]: set(mark.args[1]) for mark in marks} == {"gate": set(LOCKS), "fault": set(REASONS)}
