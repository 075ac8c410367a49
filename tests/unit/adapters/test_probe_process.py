from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.acceptance.running import Ended
from aegis.adapters.probe_process import Output, run
from aegis.core.errors import CouldNotDecide


def started(program: str, tmp_path: Path, seconds: float = 120) -> Ended:
    return run([sys.executable, "-c", program], folder=tmp_path, environ=dict(os.environ), seconds=seconds)


@pytest.mark.parametrize(
    ("program", "how", "code"),
    [
        ("pass", "exited", 0),
        ("raise SystemExit(7)", "exited", 7),
        ("import os; os.kill(os.getpid(), 9)", "killed", 9),
        ("import os; os.close(1); os.close(2)", "exited", 0),
    ],
    ids=["0", "7", "killed", "silent"],
)
def test_how_it_ended(program: str, how: str, code: int, tmp_path: Path) -> None:
    ended = started(program, tmp_path)
    assert (ended.how, ended.code) == (how, code)


def test_what_it_says_on_both(tmp_path: Path) -> None:
    ended = started("import sys; print('out', flush=True); print('err', file=sys.stderr)", tmp_path)
    assert ended.output == b"out\nerr\n"


def test_it_has_no_input(tmp_path: Path) -> None:
    assert started("import sys; print(repr(sys.stdin.read()))", tmp_path).output == b"''\n"


def test_one_that_outlives_it_is_not_waited_for_and_ended(tmp_path: Path) -> None:
    """It holds the output open, which never ends then."""
    ended = started("import subprocess; print(subprocess.Popen(['sleep', '600']).pid)", tmp_path)
    assert (ended.how, ended.code) == ("exited", 0)
    end = time.monotonic() + 60
    while _runs(int(ended.output)):  # a signal that was sent is not yet one that has come
        assert time.monotonic() < end
        time.sleep(0.02)


def test_out_of_time_also_where_it_does_not_listen(tmp_path: Path) -> None:
    program = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
    words = [sys.executable, "-c", program]
    assert run(words, folder=tmp_path, environ=dict(os.environ), seconds=0.5, grace=0.5).how == "timed-out"


def test_a_program_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CouldNotDecide, match="no-such-program cannot be started") as broken:
        run(["no-such-program"], folder=tmp_path, environ=dict(os.environ), seconds=60)
    assert broken.value.code == "acceptance.probe_broken"


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(CouldNotDecide, match="cannot be started"):
        run(["true"], folder=tmp_path / "none", environ={}, seconds=60)


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(2, 60))
@settings(max_examples=200, deadline=None)
def test_output_is_whole_or_its_two_ends(parts: list[bytes], limit: int) -> None:
    output = Output(limit)
    for part in parts:
        output.add(part)
    whole, kept = b"".join(parts), output.content()
    if len(whole) <= 2 * (limit // 2):
        assert kept == whole
        return
    head, told, tail = kept.partition(b"[... left out ...]\n")
    assert told
    assert whole.startswith(head)
    assert whole.endswith(tail)
    assert head == b"" or head.endswith(b"\n")
    assert len(head) + len(tail) <= limit


def _runs(process: int) -> bool:
    """Whether it does; one that ended and that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the second where it goes between the opening and the reading
        return False
