"""The wheel that `pip install aegis-gates` gives: whole, and able to scan."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import aegis
from aegis.cli.main import COMMANDS
from tests.support.programs.engine import real_engine
from tests.support.scan.gitrepo import GitRepo

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def site(wheel: Path) -> Path:
    """The unpacked wheel."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(wheel.parent / "site")
    return wheel.parent / "site"


def build(target: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=600)
    (wheel,) = target.glob("*.whl")
    assert wheel.name.startswith(f"aegis_gates-{aegis.__version__}-")
    return wheel


def installed(site: Path, *arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    # -I keeps the checkout out; other packages come from the developers' environment.
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r}); from aegis.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(site), **environ}
    command = [sys.executable, "-I", "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=site, env=environment, capture_output=True, text=True, check=False, timeout=600)


def scan(site: Path, repo: GitRepo, engine: Path | None) -> subprocess.CompletedProcess[str]:
    found = {} if engine is None else {"AEGIS_SEMGREP_CORE": str(engine)}
    return installed(site, "scan", repo.root, "--strict", **found)


@pytest.mark.parametrize("package", ["aegis", "aegis_multimodal_ai_system"])
def test_the_wheel_holds_every_module_and_data_file(package: str, site: Path) -> None:
    own = ROOT / "src" / package
    tracked = {path.relative_to(own) for path in own.rglob("*") if path.suffix in {".py", ".json", ".yaml", ".mako"}}
    assert tracked <= {path.relative_to(site / package) for path in (site / package).rglob("*")}


def test_the_wheel_brings_the_templates_and_nothing_of_the_tests(site: Path) -> None:
    own = ROOT / "templates"
    held = {path.relative_to(own): path.read_bytes() for path in own.rglob("*.j2")}
    assert held
    packed = site / "aegis" / "templates"
    assert {path.relative_to(packed): path.read_bytes() for path in packed.rglob("*") if path.is_file()} == held
    info = f"aegis_gates-{aegis.__version__}.dist-info"
    assert {path.name for path in site.iterdir()} == {"aegis", "aegis_multimodal_ai_system", info}


def test_two_builds_give_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """So whoever builds the commit of a release can compare."""
    assert build(tmp_path).read_bytes() == wheel.read_bytes()


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_of_an_installed_aegis_starts(site: Path, name: str) -> None:
    done = installed(site, name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: aegis {name} ")


def test_an_installed_aegis_sets_a_repository_up(site: Path, tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "repo")
    done = installed(site, "init", repo.root, "--gates", "scan", "--repository", "octo/shop")
    assert (done.returncode, done.stderr) == (0, "")
    assert (repo.root / "aegis.yml").is_file()
    assert list((repo.root / ".github" / "workflows").glob("*.yml"))


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
