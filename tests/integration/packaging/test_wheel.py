"""The wheel that `pip install aegis-gates` gives: whole, and able to scan."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import aegis
from tests.support.engine import real_engine
from tests.support.gitrepo import GitRepo

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel."""
    built = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = built.glob("*.whl")
    assert wheel.name.startswith(f"aegis_gates-{aegis.__version__}-")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(built / "site")
    return built / "site"


def scan(site: Path, repo: GitRepo, engine: Path | None) -> subprocess.CompletedProcess[str]:
    # -I keeps the checkout out; msgspec and PyYAML come from the developers' environment.
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r}); from aegis.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(site)}
    if engine is not None:
        environment["AEGIS_SEMGREP_CORE"] = str(engine)
    command = [sys.executable, "-I", "-c", code, "scan", str(repo.root), "--strict"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("package", ["aegis", "aegis_multimodal_ai_system"])
def test_the_wheel_holds_every_module_and_data_file(package: str, site: Path) -> None:
    own = ROOT / "src" / package
    tracked = {path.relative_to(own) for path in own.rglob("*") if path.suffix in {".py", ".json", ".yaml", ".mako"}}
    assert tracked <= {path.relative_to(site / package) for path in (site / package).rglob("*")}


def test_an_installed_aegis_scans(site: Path, tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "repo")
    repo.commit({"a.py": "import boto3\n"})
    done = scan(site, repo, real_engine())
    assert (done.returncode, done.stderr) == (1, "")
    assert "a.py:1:1: scan.runtime" in done.stdout


def test_without_semgrep_an_installed_aegis_says_what_to_install(site: Path, tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "repo")
    repo.commit({"a.py": "import boto3\n"})
    done = scan(site, repo, None)
    assert done.returncode == 3
    assert "pip install 'aegis-gates[semgrep]'" in done.stdout
