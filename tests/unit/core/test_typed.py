"""Types that several threads ask for at once, for the first time in their process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes.forked import true_in_child

SRC = Path(__file__).resolve().parents[3] / "src"
POLICY = b"""
version: 1
verify:
  artifacts:
    - {name: m, kind: model, source: "s3://a/b/", signers: [{key: k}]}
"""
THREADS = """
import sys, threading
sys.path.insert(0, sys.argv[1])
sys.setswitchinterval(1e-6)
from aegis.core.policy_file import parse_policy
start, parsed = threading.Barrier(8), []
def parse():
    start.wait()
    parsed.append(parse_policy(sys.argv[2].encode(), file="aegis.yml").policy)
threads = [threading.Thread(target=parse) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(parsed) == 8
"""


@pytest.mark.parametrize("again", range(3))
def test_a_policy_that_many_threads_read_first(again: int) -> None:
    """Without the lock the interpreter crashes in four of five runs."""
    argv = [sys.executable, "-c", THREADS, str(SRC), POLICY.decode()]
    assert subprocess.run(argv, check=False, timeout=300).returncode == 0


def test_a_child_does_not_wait_for_its_parent_s_threads() -> None:
    from aegis.core import typed

    with typed._alone:
        assert true_in_child(lambda: typed.convert(1, int) == 1)
