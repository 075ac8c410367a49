"""How much memory is left: of machines and groups written down by hand."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_multimodal_ai_system.memory import Promises, available_memory
from tests.support.processes.forked import true_in_child

MIB = 1 << 20


def tree(root: Path, **files: object) -> Path:
    for name, content in {"proc/meminfo": f"MemTotal: 1 kB\nMemAvailable:    {1000 * 1024} kB\n", **files}.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return root


def group(folder: str, limit: object, used: int, cache: int = 0) -> dict[str, object]:
    return {
        f"{folder}/memory.max": limit,
        f"{folder}/memory.current": used,
        f"{folder}/memory.stat": f"anon 5\ninactive_file {cache}\nactive_file 7",
    }


def test_without_groups_it_is_the_machine_s(tmp_path: Path) -> None:
    assert available_memory(tree(tmp_path)) == 1000 * MIB


def test_a_group_s_limit(tmp_path: Path) -> None:
    """As in a container, which sees its own group at the top; page cache can be dropped."""
    files = {"proc/self/cgroup": "0::/", **group("sys/fs/cgroup", 500 * MIB, 300 * MIB, 100 * MIB)}
    assert available_memory(tree(tmp_path, **files)) == 300 * MIB


def test_the_tightest_of_all_groups_above(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/a/b",
        **group("sys/fs/cgroup/a/b", "max", 1),
        **group("sys/fs/cgroup/a", 400 * MIB, 350 * MIB),
    }
    assert available_memory(tree(tmp_path, **files)) == 50 * MIB


def test_version_1(tmp_path: Path) -> None:
    """The path is the host's and not there: the group at the top is meant."""
    files = {
        "proc/self/cgroup": "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n0::/",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": 200 * MIB,
        "sys/fs/cgroup/memory/memory.usage_in_bytes": 150 * MIB,
        "sys/fs/cgroup/memory/memory.stat": f"inactive_file 3\ntotal_inactive_file {10 * MIB}",
    }
    assert available_memory(tree(tmp_path, **files)) == 60 * MIB


def test_version_1_without_a_limit(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "4:memory:/",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": 9223372036854771712,
        "sys/fs/cgroup/memory/memory.usage_in_bytes": 150 * MIB,
    }
    assert available_memory(tree(tmp_path, **files)) == 1000 * MIB


def test_a_group_over_its_limit_has_nothing_left(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/", **group("sys/fs/cgroup", 100, 200)}
    assert available_memory(tree(tmp_path, **files)) == 0


@pytest.mark.parametrize("content", ["", "MemAvailable: many kB", "MemFree: 5 kB"], ids=["empty", "no number", "other"])
def test_where_it_cannot_be_told_there_is_none(content: str, tmp_path: Path) -> None:
    assert available_memory(tree(tmp_path, **{"proc/meminfo": content})) == 0


@pytest.mark.parametrize("line", ["", "nonsense", "0::/../../etc", "0::"], ids=["empty", "nonsense", "dots", "nothing"])
def test_lines_that_mean_nothing(line: str, tmp_path: Path) -> None:
    assert available_memory(tree(tmp_path, **{"proc/self/cgroup": line})) == 1000 * MIB


def test_of_this_machine() -> None:
    assert available_memory() > 0


@dataclass
class Written:
    """A file's memory."""

    written: int


def test_two_loads_do_not_count_on_the_same_memory() -> None:
    promises = Promises()
    with promises.make(60, lambda: 100) as first:
        assert first is not None
        with promises.make(41, lambda: 100) as second:
            assert second is None
        with promises.make(40, lambda: 100) as second:
            assert second is not None
    with promises.make(100, lambda: 100) as third:
        assert third is not None, "what has ended takes nothing"


def test_what_is_written_counts_once() -> None:
    """It is no longer free, so it is no longer promised."""
    promises = Promises()
    with promises.make(60, lambda: 100) as first:
        assert first is not None
        first.take(Written(30))
        first.take(Written(20))
        assert first.left == 10
        with promises.make(40, lambda: 50) as second:
            assert second is not None
        with promises.make(41, lambda: 50) as second:
            assert second is None
        first.begin()
        assert first.left == 60


def test_a_promise_grows_where_there_is_room_and_never_shrinks() -> None:
    promises = Promises()
    with promises.make(10, lambda: 10) as first:
        assert first is not None
        assert not promises.grow(first, 11, lambda: 10)
        assert promises.grow(first, 5, lambda: 0)
        assert first.left == 10
        assert promises.grow(first, 11, lambda: 11)
        assert first.left == 11


def test_a_child_has_promised_nothing() -> None:
    promises = Promises()
    with promises.make(60, lambda: 60), promises._lock:

        def makes() -> bool:
            with promises.make(60, lambda: 60) as own:
                return own is not None

        assert true_in_child(makes)


@given(st.lists(st.integers(0, 50), max_size=8))
def test_together_they_never_promise_more_than_there_is(sizes: list[int]) -> None:
    promises = Promises()
    with ExitStack() as loads:
        made = [loads.enter_context(promises.make(size, lambda: 100)) for size in sizes]
        assert sum(each.left for each in made if each is not None) <= 100
    assert promises._made == []
