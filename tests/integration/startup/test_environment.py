"""Real installs, cold, through an index of the test's own: hashes decide, whoever serves."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis.startup import surroundings
from aegis.startup.environment import environment, python_of, semgrep_core
from aegis.startup.problem import StartupProblem
from aegis.startup.uv import find_uv
from tests.support.actions.package_index import Index, download, serving

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels of uv's and scan's locks, fetched by hash."""
    folder = tmp_path_factory.mktemp("wheels")
    for name in ("uv", "scan"):
        download(ROOT / "locks" / f"{name}.txt", folder, surroundings.for_installers(os.environ))
    return folder


@pytest.fixture
def index(wheels: Path) -> Iterator[Index]:
    """An index that serves them."""
    with serving(wheels) as running:
        yield running


def machine(tmp_path: Path, index: Index, **more: str) -> dict[str, str]:
    """A runner without uv, on which our index is the only one that answers."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "AEGIS_INPUT_INDEX_URL": index.url,
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "UV_INDEX_URL": "http://127.0.0.1:9/simple",
        **more,
    }


def test_everything_comes_from_the_named_index_and_nothing_else_is_asked(index: Index, tmp_path: Path) -> None:
    place = environment("scan", ROOT, tmp_path / "cache", machine(tmp_path, index))
    assert {path.split("/")[2] for path in index.requests if path.startswith("/simple/")} == {"uv", "msgspec", "pyyaml"}
    code = "import msgspec, yaml, sys; print(msgspec.__file__)"
    done = subprocess.run([python_of(place), "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(place))


def test_a_second_gate_uses_what_the_first_built(index: Index, tmp_path: Path) -> None:
    first = environment("scan", ROOT, tmp_path / "cache", machine(tmp_path, index))
    asked = len(index.requests)
    assert environment("scan", ROOT, tmp_path / "cache", machine(tmp_path, index)) == first
    assert len(index.requests) == asked


def test_a_damaged_environment_is_built_anew(index: Index, tmp_path: Path) -> None:
    place = environment("scan", ROOT, tmp_path / "cache", machine(tmp_path, index))
    python_of(place).unlink()
    assert environment("scan", ROOT, tmp_path / "cache", machine(tmp_path, index)) == place
    assert python_of(place).is_file()


@pytest.mark.parametrize("victim", ["uv-*.whl", "msgspec-*.whl"])
def test_a_wheel_with_another_hash_is_refused(wheels: Path, tmp_path: Path, victim: str) -> None:
    served = tmp_path / "served"
    shutil.copytree(wheels, served, copy_function=os.link)
    for wheel in served.glob(victim):
        content = wheel.read_bytes()
        wheel.unlink()
        wheel.write_bytes(content + b"\0")
    with serving(served) as index, pytest.raises(StartupProblem, match=r"(?i)hash") as caught:
        environment("scan", ROOT, tmp_path / "cache", machine(tmp_path, index))
    assert caught.value.code == "core.install_failed"
    assert not list((tmp_path / "cache").glob("scan-????????"))


def test_a_missing_wheel_is_told_and_leaves_nothing(wheels: Path, tmp_path: Path) -> None:
    served = tmp_path / "served"
    shutil.copytree(wheels, served, copy_function=os.link)
    next(served.glob("[Pp]y[Yy][Aa][Mm][Ll]-*.whl")).unlink()
    with serving(served) as index, pytest.raises(StartupProblem, match=r"(?i)pyyaml"):
        environment("scan", ROOT, tmp_path / "cache", machine(tmp_path, index))
    assert not list((tmp_path / "cache").glob("scan-????????"))


def test_an_index_without_semgrep_is_an_error_only_when_it_is_asked_for(index: Index, tmp_path: Path) -> None:
    environ = machine(tmp_path, index)
    environment("scan", ROOT, tmp_path / "cache", environ)
    with pytest.raises(StartupProblem, match="semgrep"):
        semgrep_core(ROOT, tmp_path / "cache", environ)


def test_an_index_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StartupProblem, match="Installing uv with pip failed"):
        environment("scan", ROOT, tmp_path / "cache", machine(tmp_path, Index("http://127.0.0.1:9/simple")))


def test_a_password_in_the_index_url_is_in_no_error(tmp_path: Path) -> None:
    index = Index("http://bob:hunter2@127.0.0.1:9/simple")
    with pytest.raises(StartupProblem) as caught:
        environment("scan", ROOT, tmp_path / "cache", machine(tmp_path, index))
    assert "hunter2" not in str(caught.value)


def test_an_unknown_lock_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StartupProblem, match=r"locks/nothing\.txt"):
        environment("nothing", ROOT, tmp_path, {})


def test_builders_at_the_same_time_end_with_one_environment(index: Index, tmp_path: Path) -> None:
    environ = machine(tmp_path, index)
    cache = tmp_path / "cache"
    find_uv(ROOT, cache, environ)
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        places = pool.starmap(environment, [("scan", ROOT, cache, environ)] * 3)
    assert len(set(places)) == 1
    assert [place.name for place in cache.glob("scan-*")] == [places[0].name]
    subprocess.run([python_of(places[0]), "-I", "-c", "import yaml, msgspec"], check=True)


def test_the_uv_of_the_lock_is_what_runs(index: Index, tmp_path: Path) -> None:
    uv = find_uv(ROOT, tmp_path / "cache", machine(tmp_path, index))
    said = subprocess.run([uv, "--version"], capture_output=True, text=True, check=True).stdout
    assert said.split()[1] in uv.parts[-3]
