"""Run a gate in its environment, and be red whenever it does not say by a fresh verdict what its exit code claims.

A gate that is killed, crashes, prints garbage or ends with 0 and no verdict has not answered: exit code 3.
"""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from aegis.startup import surroundings
from aegis.startup.choice import SINGLE
from aegis.startup.environment import python_of
from aegis.startup.memory import close_memory
from aegis.startup.problem import COULD_NOT_DECIDE, MISCONFIGURED, StartupProblem

_CLAIMS = {0: ("pass",), 1: ("fail",), MISCONFIGURED: ("error",), COULD_NOT_DECIDE: ("error",)}
"""What verdict.json must say beside each exit code."""
REPORTS = ("verdict.json", "verdict.sarif", "summary.md", "predicate.json", "subjects.txt", "shard.json")
"""What a gate writes. A later step may sign or upload any of it, so none of an earlier run may be left."""
_GRACE_SECONDS = 6.0
"""A gate has 5 s to write its verdict once it is told to stop; GitHub kills the step about 10 s after the first signal.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-cancellation
"""
_LOOK_SECONDS = 1.0
"""The gate is waited for so long at a time: Python runs no handler of a signal that came just before a wait."""


def run(gate: str, place: Path, cache: Path, environ: Mapping[str, str]) -> int:
    """Run the gate and give back its exit code, or raise `StartupProblem` if it is not backed by a verdict.

    Our own memory is closed first: we have the secrets that the gate has, and it may run a dump's SQL as this user.
    """
    close_memory()
    folder = _fresh_output(gate, cache, environ)
    env = {**surroundings.for_gates(environ), "AEGIS_INPUT_OUTPUT": str(folder)}
    launcher = Path(__file__).with_name("launch.py")
    code, told = _run_forwarding([str(python_of(place)), "-I", "-X", "utf8", str(launcher), gate, "--github"], env)
    said = _result(folder / "verdict.json")
    if said is not None and said in _CLAIMS.get(code, ()):
        return code
    if code == MISCONFIGURED and said is None:
        # wrong usage may leave nothing to write a verdict about; the command has said what is wrong
        return code
    _clear(gate, folder)
    raise _unbacked(code, said, told)


def _fresh_output(gate: str, cache: Path, environ: Mapping[str, str]) -> Path:
    """The folder for the reports, in which nothing of an earlier run is left."""
    wanted = environ.get("AEGIS_INPUT_OUTPUT", "")
    try:
        if not wanted:
            cache.mkdir(parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(dir=cache, prefix=f"verdict-{gate}-"))
        folder = Path(environ.get("GITHUB_WORKSPACE") or Path.cwd()) / wanted
        folder.mkdir(parents=True, exist_ok=True)
        if (stuck := _clear(gate, folder)) is not None:
            raise stuck
    except OSError as refused:
        raise StartupProblem(
            "core.output_unwritable",
            f"The output folder {wanted!r} cannot be used: {refused.strerror}.",
            expected="a folder that can be made and written",
            remedy="Correct `with: output:` in the workflow, or leave it out.",
            exit_code=MISCONFIGURED,
        ) from refused
    return folder


def _clear(gate: str, folder: Path) -> OSError | None:
    """Take the reports away that nothing backs; what one of them would not go for.

    A later step that always runs may sign or upload them.
    """
    stuck: OSError | None = None
    # each gate's own verdict has a folder below that of the common one
    for place in (folder, *(folder / each for each in SINGLE)) if gate == "all" else (folder,):
        # a link, which a change may have brought along, is refused when the reports are written
        for name in REPORTS if not place.is_symlink() else ():
            try:
                (place / name).unlink(missing_ok=True)
            except OSError as error:
                stuck = stuck or error
    return stuck


def _run_forwarding(argv: list[str], env: Mapping[str, str]) -> tuple[int, int | None]:
    """The exit code, and the first signal to stop that came meanwhile."""
    relay = _Relay()
    with relay.listening(), subprocess.Popen(argv, env=dict(env)) as child:
        relay.attach(child)
        while True:
            with suppress(subprocess.TimeoutExpired):
                return child.wait(_LOOK_SECONDS), relay.told


class _Relay:
    """Hands every signal to stop on to the gate, and ends it for good if it does not heed the first."""

    def __init__(self) -> None:
        self.told: int | None = None
        """The first signal."""
        self._child: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._killer: threading.Timer | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen from before the gate is there, so that no signal falls between."""
        before = {number: signal.signal(number, self._receive) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            if self._killer is not None:
                self._killer.cancel()
            for number, handler in before.items():
                signal.signal(number, handler)

    def attach(self, child: subprocess.Popen[bytes]) -> None:
        """The gate is there: whatever came before goes to it now."""
        self._child = child
        for number in self._early:
            self._forward(child, number)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self.told = self.told or number
        if self._child is None:
            self._early.append(number)
        else:
            self._forward(self._child, number)

    def _forward(self, child: subprocess.Popen[bytes], number: int) -> None:
        child.send_signal(number)
        if self._killer is None:
            self._killer = threading.Timer(_GRACE_SECONDS, child.kill)
            self._killer.daemon = True
            self._killer.start()


def _result(verdict: Path) -> str | None:
    """What verdict.json says, if it is there and is one."""
    try:
        found = json.loads(verdict.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        return "(unreadable)"
    result = found.get("result") if isinstance(found, dict) else None
    return result if isinstance(result, str) else "(unreadable)"


def _unbacked(code: int, said: str | None, told: int | None) -> StartupProblem:
    ended = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    wrote = "wrote no verdict" if said is None else f"its verdict says {said!r}"
    if told is not None:  # e.g. while it was still importing, or when it had its answer already
        return StartupProblem(
            "core.interrupted",
            f"Stopped by {signal.Signals(told).name}: the gate {ended} and {wrote}.",
            expected="time to finish",
            remedy="Run it again.",
        )
    return StartupProblem(
        "core.no_verdict",
        f"The gate {ended} and {wrote}.",
        expected="exit code 0, 1, 2 or 3 with a fresh verdict.json that says the same",
        remedy="Run it again; report it with the job's log if it happens twice.",
    )
