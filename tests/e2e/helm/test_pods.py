"""What the chart's pods run, run: their arguments and variables as rendered, files where their volumes are mounted.

Only what a pod would have of its cluster is put in place: addresses of ports, and folders for mount points.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.support.cluster.plane import awaited
from tests.support.databases.postgres import Server, postgres
from tests.support.infra.chart_values import AWS, BACKUP, laid
from tests.support.programs.helm import ROOT, Document, rendered
from tests.support.runtime.service import started

__all__ = ["postgres"]

OWNER, SERVICE = "aegis_owner", "aegis_service"
GRANTS = (
    f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {SERVICE}",
    f"GRANT INSERT ON audit_entries, audit_nodes, audit_log, model_states TO {SERVICE}",
    f"GRANT UPDATE ON audit_log, model_states TO {SERVICE}",
)
"""Those of docs/runtime.md."""
PATIENCE = 120


@dataclass
class Release:
    """A rendered chart, with what stands around its pods."""

    folder: Path
    documents: list[Document]
    secrets: Mapping[tuple[str, str], str] = field(repr=False)
    path: str

    def one(self, kind: str, name: str) -> Document:
        """By its name; of a Job, by how its name begins."""
        (found,) = [
            each
            for each in self.documents
            if each["kind"] == kind and each["metadata"]["name"][: len(name) if kind == "Job" else None] == name
        ]
        return found

    def container(self, kind: str, name: str) -> tuple[Document, dict[str, Path]]:
        """The only container, and folders for its mounts."""
        found = self.one(kind, name)["spec"]
        pod = found["jobTemplate"]["spec"]["template"]["spec"] if kind == "CronJob" else found["template"]["spec"]
        (container,) = pod["containers"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        return container, {
            mount["mountPath"]: self._mounted(volumes[mount["name"]]) for mount in container["volumeMounts"]
        }

    def environment(self, container: Document, mounts: Mapping[str, Path]) -> dict[str, str]:
        """The variables, and nothing else but the image's PATH."""
        found = {"PATH": self.path}
        for variable in container["env"]:
            value = variable.get("value")
            if value is None:
                reference = variable["valueFrom"]["secretKeyRef"]
                value = self.secrets[reference["name"], reference["key"]]
            found[variable["name"]] = inside(value, mounts)
        return found

    def run(self, kind: str, name: str, module: str) -> subprocess.CompletedProcess[str]:
        """To its end. `module` is the image's entry point, where the pod names no command."""
        container, mounts = self.container(kind, name)
        words = container.get("command", ["", "-I", "-m", module])[1:] + container.get("args", [])
        return subprocess.run(
            [sys.executable, *(inside(word, mounts) for word in words)],
            env=self.environment(container, mounts),
            cwd="/",
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def _mounted(self, volume: Document) -> Path:
        """A folder with the volume's files; one that is shared by no other pod where it is empty."""
        place = self.folder / "mounts" / str(len(list((self.folder / "mounts").iterdir())))
        place.mkdir()
        if "configMap" in volume:
            for name, text in self.one("ConfigMap", volume["configMap"]["name"])["data"].items():
                (place / name).write_text(text)
        if "secret" in volume:
            for item in volume["secret"]["items"]:
                file = place / item["path"]
                file.write_text(self.secrets[volume["secret"]["secretName"], item["key"]])
                file.chmod(volume["secret"]["defaultMode"])  # of root, as a kubelet writes it
        if "emptyDir" in volume:
            place.chmod(0o2777)
        return place


def inside(text: str, mounts: Mapping[str, Path]) -> str:
    """Paths below mounts, as they are on this machine."""
    places = "|".join(map(re.escape, mounts))
    return re.sub(rf"(?<![\w/])({places})(?=/|$)", lambda found: str(mounts[found[1]]), text)


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """An empty one, of a role that owns it; the service's own role may do nothing yet."""
    name = postgres.new_database()
    with psycopg.connect(postgres.socket_url(name), autocommit=True) as connection:
        known = {each for (each,) in connection.execute("SELECT rolname FROM pg_roles")}
        for role in {OWNER, SERVICE} - known:
            connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'pass:{role}'".encode())
        connection.execute(f"ALTER DATABASE {name} OWNER TO {OWNER}".encode())
        connection.execute(f"ALTER SCHEMA public OWNER TO {OWNER}".encode())
        connection.execute(f"GRANT pg_read_all_data TO {SERVICE}".encode())
    yield name
    postgres.drop_database(name)


@pytest.fixture
def release(database: str, postgres: Server, tmp_path: Path) -> Release:
    """The chart with everything that pods run, on a store in a folder."""
    (tmp_path / "mounts").mkdir()
    (tmp_path / "store").mkdir()
    policy = {
        "version": 1,
        "backup-check": {"store": f"{tmp_path}/store/", "databases": [{"name": "aegis", "max-proof-age": "3d"}]},
    }
    at = f"127.0.0.1:{postgres.port}/{database}"
    values: dict[str, Any] = {
        "database": {"url": f"postgresql://{SERVICE}@{at}"},
        "migration": {"enabled": True, "databaseUrl": f"postgresql://{OWNER}@{at}"},
        "backup": {"verify": {"enabled": True}, "policy": {"files": {"aegis.backup.yml": yaml.safe_dump(policy)}}},
    }
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    secrets = {
        ("aegis-database", "password"): f"pass:{SERVICE}",
        ("aegis-database-owner", "password"): f"pass:{OWNER}",
        ("aegis-audit", "audit.key"): key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        ("aegis-cosign", "cosign.pub"): base64.b64encode(public).decode(),
    }
    path = f"{postgres.bin}:{os.environ['PATH']}"
    return Release(tmp_path, rendered(laid(AWS, BACKUP, values)), secrets, path)


def serve(release: Release) -> Any:
    """The API's pod, on free ports of this machine alone."""
    container, mounts = release.container("Deployment", "aegis")
    ports = {"--host=0.0.0.0": "--host=127.0.0.1", "--port=8080": "", "--probe-port=8081": "--probe-port=0"}
    assert set(ports) <= set(container["args"])
    arguments = [word for given in container["args"] if (word := ports.get(given, inside(given, mounts)))]
    return started(release.environment(container, mounts), *arguments, ready=False)


def migrate(release: Release, postgres: Server, database: str) -> None:
    done = release.run("Job", "aegis-migration", "")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "has the tables of this version" in done.stdout
    with psycopg.connect(postgres.socket_url(database), autocommit=True) as connection:
        for grant in GRANTS:
            connection.execute(grant.encode())


def test_the_api_waits_for_its_tables_and_is_ready_then(release: Release, postgres: Server, database: str) -> None:
    with serve(release) as early:
        assert early.process.wait(PATIENCE) == 3  # the cluster starts it again
    migrate(release, postgres, database)
    assert release.run("Job", "aegis-migration", "").returncode == 0  # it may be run again
    with serve(release) as running:
        line = running.wait_for("listening")
        running.ports = [int(port) for port in re.findall(r":(\d+)", line["addresses"])]
        assert running.ask("GET", "/healthz", role=None, port=1).status == 200
        # a part that takes longer than a second, as on a busy machine, is asked again, as a kubelet does
        awaited(
            lambda: running.ask("GET", "/readyz", role=None, port=1).status == 200,
            lambda: str(running.ask("GET", "/readyz", role=None, port=1).body),
        )
        assert b"aegis_build_info" in running.ask("GET", "/metrics", role=None, port=1).body
        assert running.ask("GET", "/v1/models", role=None).status == 401
        asked = release.one("Pod", "aegis-test")["spec"]["containers"][0]
        words = [sys.executable, *asked["command"][1:], *(_at(word, running.ports[1]) for word in asked["args"])]

        def told() -> str:
            return subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE).stdout

        awaited(lambda: told().startswith("200 "), told)
        assert running.end() == 0
    text = "".join(map(str, running.lines))
    assert "pass:" not in text


def _at(code: str, port: int) -> str:
    assert "http://aegis-probe:8081/" in code
    return code.replace("http://aegis-probe:8081/", f"http://127.0.0.1:{port}/")


def test_a_backup_is_taken_restored_and_told_by_the_three_timers(
    release: Release, postgres: Server, database: str
) -> None:
    migrate(release, postgres, database)
    never = release.run("CronJob", "aegis-backup-check", "aegis")
    assert never.returncode == 1, never.stderr
    container, _ = release.container("CronJob", "aegis-backup-check")
    assert "AEGIS_DATABASE_URL" not in {each["name"] for each in container["env"]}

    taken = release.run("CronJob", "aegis-backup", "aegis")
    assert taken.returncode == 0, taken.stderr
    proven = release.run("CronJob", "aegis-restore-validation", "aegis")
    assert proven.returncode == 0, proven.stdout + proven.stderr
    told = release.run("CronJob", "aegis-backup-check", "aegis")
    assert told.returncode == 0, told.stdout + told.stderr
    assert list((release.folder / "store" / "aegis").iterdir())
    for done in (never, taken, proven, told):
        assert "pass:" not in done.stdout + done.stderr


def test_the_images_start_what_the_chart_leaves_to_them() -> None:
    """The chart gives arguments only, so an image with another entry point would run something else."""
    text = (ROOT / "Dockerfile").read_text()
    stages = {
        part.split("\n")[0].rpartition(" ")[2]: part for part in re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]
    }
    assert re.search(r'^ENTRYPOINT \[.*"-m", "aegis_multimodal_ai_system.api"\]$', stages["service"], re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \[.*"-m", "aegis"\]$', stages["backup"], re.MULTILINE)
    assert "USER 65532:65532" in stages["base"]
    assert "USER 65532:65532" in stages["backup"]
