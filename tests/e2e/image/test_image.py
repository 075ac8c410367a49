"""The service's image: the Dockerfile built by a real engine on bases made anew, and started as a cluster starts it."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import re
import secrets
import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pyrage
import pytest
import yaml
from packaging.requirements import Requirement

from tests.support.canary.judging import Service
from tests.support.databases.postgres import Server, postgres
from tests.support.infra.chart_values import AWS, BACKUP, laid
from tests.support.infra.images import DOCKERFILE, ROOT, Engine, Image, bases
from tests.support.programs.helm import Document, rendered
from tests.support.runtime.service import config_folder, started

__all__ = ["postgres"]

ENTRYPOINT = ["/usr/bin/python3", "-I", "-X", "utf8", "-m", "aegis_multimodal_ai_system.api"]
pytestmark = pytest.mark.xdist_group("image")
"""It is built once."""
SHELLS = ("sh", "bash", "dash", "busybox", "apt", "apt-get", "dpkg", "pip", "pip3", "uv", "perl", "curl", "wget")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("engine"))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def image(engine: Engine) -> Image:
    return engine.build("service")


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    return config_folder(tmp_path)


def test_the_bases_are_pinned_by_digest() -> None:
    assert len(bases()) == 2
    for base in bases():
        assert re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", base)


def test_it_says_what_a_cluster_must_know(image: Image) -> None:
    assert image.config["User"] == "65532:65532"
    assert image.config["Entrypoint"] == ENTRYPOINT
    assert image.config["Cmd"] == ["--host", "0.0.0.0", "--port", "8080", "--probe-port", "8081"]
    assert sorted(image.config["ExposedPorts"]) == ["8080/tcp", "8081/tcp"]


def test_nothing_in_it_is_for_an_intruder(image: Image) -> None:
    """No shell, no installer, nothing that gives rights, nothing that its user may write but its own folder."""
    writable, rights = [], []
    for place, folders, files in os.walk(image.root):
        for name in (*folders, *files):
            path = Path(place, name)
            found = path.lstat()
            if stat.S_ISLNK(found.st_mode):
                continue
            if found.st_mode & (stat.S_ISUID | stat.S_ISGID):
                rights.append(path)
            sticky = found.st_mode & stat.S_ISVTX  # /tmp: whoever makes a file there owns it
            if found.st_uid == 65532 or (found.st_mode & stat.S_IWOTH and not sticky):
                writable.append("/" + str(path.relative_to(image.root)))
    assert rights == []
    assert writable == ["/var/lib/aegis"]
    for folder in ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin"):
        assert not {*SHELLS} & {one.name for one in (image.root / folder).glob("*")}


def test_it_holds_what_the_lock_names_and_nothing_else(image: Image) -> None:
    lock = (ROOT / "locks" / "runtime.txt").read_text("utf-8")
    wanted = [Requirement(line.rstrip(" \\")) for line in lock.splitlines() if re.match(r"^[a-z0-9]", line)]
    locked = {(one.name, str(one.specifier)[2:]) for one in wanted if one.marker is None or one.marker.evaluate()}
    found = importlib.metadata.distributions(path=[str(image.root / "usr/lib/python3/dist-packages")])
    held = {(re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(), one.version) for one in found}
    assert held == locked


def test_every_library_finds_what_it_needs(image: Image, mounted: Path) -> None:
    """Of the base's libraries one may be missing that the machine of whoever builds has."""
    code = """
import importlib, json, pathlib
names = ["cryptography.hazmat.bindings._rust", "psycopg", "psycopg_binary._psycopg", "obstore", "safetensors", "numpy",
         "sqlalchemy", "rfc3161_client._rust", "yaml._yaml", "msgspec._core", "sigstore", "botocore.session", "uvicorn"]
for name in names: importlib.import_module(name)
import psycopg; psycopg.pq.version()
print(json.dumps(len(names)))
"""
    ran = image.run(mounted, "/usr/bin/python3", "-I", "-c", code)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "13\n", "")


def test_its_bytecode_is_used(image: Image, mounted: Path) -> None:
    """Made by another build of the same minor version; without it each start would compile some thousand files."""
    code = "import sys, aegis.core.errors as e, sqlalchemy as s; sys.exit(not (e.__cached__ and s.__cached__))"
    ran = image.run(mounted, "/usr/bin/python3", "-I", "-v", "-c", code)
    assert ran.returncode == 0
    for module in ("aegis.core.errors", "sqlalchemy"):
        path = module.replace(".", "/")
        assert re.search(rf"matches /usr/lib/python3/dist-packages/{path}(/__init__)?\.py", ran.stderr)
    assert not re.search(r"code object from '?/usr/lib/python3/dist-packages/\S*\.py\b", ran.stderr)


def test_it_serves_as_nobody_on_a_root_that_cannot_be_written(image: Image, mounted: Path) -> None:
    program = image.command(mounted, *image.config["Entrypoint"])
    environ = {**image.environ, "AEGIS_POLICY": "/home/aegis.yml"}
    with started(environ, "--host", "127.0.0.1", "--probe-port", "0", program=program) as running:
        assert running.ask("GET", "/healthz", role=None, port=1).status == 200
        # of the four only the issuers are missing, which nobody gave it
        expected = {"auth": "runtime.api_auth_unset", "policy": "ok", "database": "ok", "audit": "ok"}
        assert running.ready(port=1, **expected) == expected
        told = running.ask("GET", "/metrics", role=None, port=1)
        assert b"aegis_build_info" in told.body
        assert running.ask("GET", "/v1/models", role=None).status == 401
        status = Path(f"/proc/{running.process.pid}/status").read_text("utf-8")
        assert re.search(r"^Uid:\t65532\t65532\t65532\t65532$", status, re.MULTILINE)
        assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
        assert running.end() == 0
    assert running.told("ended")


@pytest.mark.parametrize(("model", "loaded"), [("shop", True), ("forged", False)])
def test_its_loader_takes_what_is_signed_and_refuses_what_is_not(
    image: Image, mounted: Path, model: str, loaded: bool
) -> None:
    code = f"""
from aegis_multimodal_ai_system.orchestrator_verify_loader import fetch_and_prepare_model_for_load as load
with load({model!r}) as model: print(sorted(model.files))
"""
    ran = image.run(mounted, "/usr/bin/python3", "-I", "-c", code, AEGIS_POLICY="/home/aegis.yml")
    assert (ran.returncode == 0) is loaded
    assert ("config.json" in ran.stdout) is loaded
    assert ("ModelRefused" in ran.stderr) is not loaded


def test_the_judge_is_ready_as_the_shipped_rollout_starts_it(engine: Engine, tmp_path: Path) -> None:
    image = engine.build("judge")
    text = (ROOT / "k8s/argo-rollouts/example-rollout.yaml").read_text("utf-8")
    shipped = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(text)}
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    tmp_path.chmod(0o755)
    (mounted / "aegis.yml").write_text(shipped["ConfigMap", "aegis-canary-policy"]["data"]["aegis.yml"])
    (container,) = shipped["Deployment", "aegis-canary-judge"]["spec"]["template"]["spec"]["containers"]
    changed = {"--policy=/etc/aegis/aegis.yml": "--policy=/home/aegis.yml", "--port=8080": "--port=0"}
    changed["--host=0.0.0.0"] = "--host=127.0.0.1"
    assert set(changed) <= set(container["args"])
    words = [*image.config["Entrypoint"], *(changed.get(word, word) for word in container["args"])]
    process = subprocess.Popen(
        image.command(mounted, *words),
        env=image.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.startswith("listening on "), said + process.communicate()[1]
        service = Service(said.removeprefix("listening on ").strip(), process)
        assert service.get("/readyz").status == 200
        assert service.get("/v1/rollouts/aegis/another?uid=1&revision=2&canary=a&stable=b").status == 404
    finally:
        process.kill()
        process.communicate()
    assert not {*SHELLS} & {one.name for one in (image.root / "usr/bin").iterdir()}


KEEPER = "aegis_keeper"
"""Who dumps: a role that may read all and change nothing."""


@dataclass(frozen=True, slots=True)
class Timers:
    """The chart's CronJobs of backups, and the image that they start."""

    image: Image
    documents: list[Document]
    secrets: Mapping[str, str] = field(repr=False)
    """By the names of the Secrets, which have one key each here."""
    policy: Path
    """Where a pod has /etc/aegis/policy; in the image it is /home."""
    store: Path
    """/run, for pods that share a volume."""

    def run(self, name: str) -> subprocess.CompletedProcess[str]:
        """The pod's only container, to its end: its words after the image's, its variables over the image's."""
        (job,) = [each for each in self.documents if (each["kind"], each["metadata"]["name"]) == ("CronJob", name)]
        (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        assert "command" not in container
        variables = {
            each["name"]: each["value"].replace("/etc/aegis/policy", "/home")
            if "value" in each
            else self.secrets[each["valueFrom"]["secretKeyRef"]["name"]]
            for each in container["env"]
        }
        words = [*self.image.config["Entrypoint"], *container["args"]]
        return self.image.run(self.policy, *words, store=self.store, **variables)


@pytest.fixture(scope="module")
def backup(engine: Engine) -> Image:
    return engine.build("backup")


@pytest.fixture
def timers(backup: Image, postgres: Server, tmp_path: Path) -> Iterator[Timers]:
    """With a small database, whose dumps are encrypted into a folder."""
    database, password = postgres.new_database(), secrets.token_hex(16)
    with psycopg.connect(postgres.socket_url(database), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {KEEPER} LOGIN PASSWORD '{password}' IN ROLE pg_read_all_data".encode())
        connection.execute(
            b"CREATE TABLE orders (id bigint PRIMARY KEY, note xml);"
            b"INSERT INTO orders SELECT n, xmlelement(name note, n) FROM generate_series(1, 1000) n"
        )
    keys = [pyrage.x25519.Identity.generate() for _ in range(2)]
    recipients = [str(key.to_public()) for key in keys]
    databases = [{"name": "aegis", "max-age": "1d", "max-proof-age": "3d"}]
    policy = {
        "version": 1, "backup-check": {"store": "/run/", "databases": databases, "recipients": recipients},
    }  # fmt: skip
    values = {
        "database": {"url": f"postgresql://{KEEPER}@127.0.0.1:{postgres.port}/{database}"},
        "backup": {
            "verify": {"enabled": True, "identitySecret": {"name": "age"}},
            "policy": {"files": {"aegis.backup.yml": yaml.safe_dump(policy)}},
        },
    }
    documents = rendered(laid(AWS, BACKUP, values))
    mounted, store = tmp_path / "policy", tmp_path / "store"
    mounted.mkdir()
    (mounted / "aegis.backup.yml").write_text(yaml.safe_dump(policy), "utf-8")
    store.mkdir()
    os.chown(store, 65532, 65532)
    tmp_path.chmod(0o755)
    yield Timers(backup, documents, {"aegis-database": password, "age": str(keys[0])}, mounted, store)
    postgres.drop_database(database)
    with psycopg.connect(postgres.socket_url(), autocommit=True) as connection:
        connection.execute(f"DROP ROLE {KEEPER}".encode())


def test_the_image_of_backups_does_what_the_charts_timers_ask_of_it(timers: Timers) -> None:
    """Dumps, restores on a server of its own as nobody, and tells how old the proof is."""
    never = timers.run("aegis-backup-check")
    assert (never.returncode, "backup_check.no_backup" in never.stdout) == (1, True), never.stdout + never.stderr
    for name in ("aegis-backup", "aegis-restore-validation", "aegis-backup-check"):
        done = timers.run(name)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        assert not [secret for secret in timers.secrets.values() if secret in done.stdout + done.stderr]
    for file in (timers.store / "aegis").rglob("dump/*"):
        assert file.read_bytes().startswith(b"age-encryption.org/v1\n")


def test_a_timer_whose_password_is_wrong_says_so_and_leaves_nothing(timers: Timers) -> None:
    wrong = dataclasses.replace(timers, secrets={**timers.secrets, "aegis-database": "another"})
    done = wrong.run("aegis-backup")
    assert (done.returncode, "backup_check.database_unavailable" in done.stderr) == (3, True), done.stdout + done.stderr
    assert not [*timers.store.rglob("manifest*")]


def test_the_image_of_backups_says_what_a_cluster_must_know(backup: Image) -> None:
    assert backup.config["User"] == "65532:65532"
    assert backup.config["Entrypoint"] == ["/usr/local/bin/python3", "-I", "-X", "utf8", "-m", "aegis"]
    assert backup.config["WorkingDir"] == "/tmp"


def test_two_builds_of_one_commit_are_equal(engine: Engine, image: Image) -> None:
    """Names, modes, links and bytes of what is laid over the base; the engine gives all of it one time."""
    again = engine.build("service-packages")
    assert _tree(again.root / "packages") == _tree(image.root / "usr/lib/python3/dist-packages")


def _tree(root: Path) -> dict[str, tuple[int, bytes | str | None]]:
    found: dict[str, tuple[int, bytes | str | None]] = {}
    for path in root.rglob("*"):
        content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(root))] = (path.lstat().st_mode, content)
    return found


def test_what_is_copied_is_what_the_build_may_see(engine: Engine) -> None:
    """`.dockerignore` lets nothing else through: a file beside the Dockerfile cannot get into an image by accident."""
    seen = engine.build("seen", "FROM scratch AS seen\nCOPY . /seen/\n")
    names = {path.relative_to(seen.root / "seen") for path in (seen.root / "seen").rglob("*") if path.is_file()}
    assert {name.parts[0] for name in names} == {"LICENSE", "locks", "src", "scripts"}
    assert {name.name for name in names if name.parts[0] == "scripts"} == {
        "finish_packages.py",
        "postgresql_programs.py",
    }
    assert not [name for name in names if "__pycache__" in name.parts]


def test_the_program_of_the_dockerfile_is_the_documented_one() -> None:
    text = DOCKERFILE.read_text("utf-8")
    assert json.loads(re.findall(r"(?m)^ENTRYPOINT (.+)$", text)[-1]) == ENTRYPOINT
