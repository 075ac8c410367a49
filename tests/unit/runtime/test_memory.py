"""How much memory is left: of machines and groups written down by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_multimodal_ai_system.memory import available_memory

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
