"""`aegis backup run` into versitygw: in bounded memory, in real parts, and nothing is left of one that was stopped."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest

from aegis.adapters.objects import part_upload
from aegis.backup.manifest import Manifest, parse_manifest
from tests.e2e.backup.gateway import Gateway, serving
from tests.e2e.verify.versitygw import REGION, ROOT_KEY, ROOT_SECRET
from tests.support.backup.backing_up import PATIENCE, Backups, backups, dumping
from tests.support.databases.postgres import DEFAULT_MAJOR, Server, running

MIB = 1 << 20
MOST = 200 * 1024
"""KiB of memory that the process may have; those of PostgreSQL have their own."""
LARGE = "CREATE TABLE big AS SELECT n, md5(n::text) || md5((-n)::text) AS word FROM generate_series(1, 1500000) n"
"""About 60 MB of archive, of which no compression makes much less."""
RECIPIENTS = [str(pyrage.x25519.Identity.generate().to_public()) for _ in range(2)]
FORMS = pytest.mark.parametrize("form", [pytest.param((), id="directory"), pytest.param(("--stream",), id="stream")])
MEASURED = """
import re, sys
from pathlib import Path
from aegis.cli.main import main
from tests.support.databases.patient_aegis import patient
with patient():
    code = main(sys.argv[1:])
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1], file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(tmp_path_factory.mktemp("gateway")) as found:
        yield found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(DEFAULT_MAJOR) as found:
        yield found


@pytest.fixture(scope="module")
def large(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backups]:
    with backups(server, tmp_path_factory.mktemp("large"), LARGE) as found:
        yield found


def policy(shop: Backups, gateway: Gateway, prefix: str, recipients: list[str]) -> None:
    shop.policy(
        f"store: s3://models/{prefix}/\n"
        f"aws: {{region: {REGION}, s3-endpoint: '{gateway.address}'}}\n"
        f"recipients: [{', '.join(recipients)}]\n"
        "databases:\n  - name: orders"
    )


KEYS = {"AWS_ACCESS_KEY_ID": ROOT_KEY, "AWS_SECRET_ACCESS_KEY": ROOT_SECRET, "AWS_EC2_METADATA_DISABLED": "true"}


def stored(gateway: Gateway, prefix: str) -> list[str]:
    """Keys, without those that are deleted."""
    return [one["Key"] for one in gateway.s3.list_objects_v2(Bucket="models", Prefix=f"{prefix}/").get("Contents", [])]


def manifest_of(gateway: Gateway, prefix: str) -> tuple[str, Manifest]:
    (key,) = [key for key in stored(gateway, prefix) if key.endswith("/manifest.json")]
    return key.removesuffix("manifest.json"), parse_manifest(
        gateway.s3.get_object(Bucket="models", Key=key)["Body"].read()
    )


@FORMS
@pytest.mark.parametrize("recipients", [[], RECIPIENTS], ids=["plain", "encrypted"])
def test_all_of_it_is_there_in_bounded_memory(
    large: Backups, gateway: Gateway, form: tuple[str, ...], recipients: list[str]
) -> None:
    prefix = f"whole-{len(form)}{len(recipients)}"
    policy(large, gateway, prefix, recipients)
    with subprocess.Popen(
        [sys.executable, "-c", MEASURED, "backup", "run", *form],
        cwd=large.folder,
        env=large.surroundings(KEYS),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        on_disk = 0
        while process.poll() is None:
            on_disk = max(on_disk, used(large.folder / "tmp"))
        assert process.stderr is not None
        said = process.stderr.read()
    assert process.returncode == 0, said
    assert int(said.splitlines()[-1]) < MOST
    folder, manifest = manifest_of(gateway, prefix)
    size = 0
    for each in manifest.objects:
        data = gateway.s3.get_object(Bucket="models", Key=folder + each.name)["Body"].read()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (each.size, each.sha256)
        size += each.size
    assert size > 2 * part_upload.PART
    assert on_disk < (MIB if form else 1.1 * size)
    assert gateway.pending(prefix) == []
    assert {key.removeprefix(folder) for key in stored(gateway, prefix)} == {
        "manifest.json", *(each.name for each in manifest.objects)
    }  # fmt: skip


def used(folder: Path) -> int:
    """Bytes of the files in a folder, in which files and folders come and go."""
    size = 0
    for root, _, files in os.walk(folder):
        for name in files:
            try:
                size += os.lstat(f"{root}/{name}").st_size
            except FileNotFoundError:
                continue
    return size


@FORMS
@pytest.mark.parametrize("victim", ["run", "pg_dump"])
def test_one_that_is_stopped_leaves_nothing(
    server: Server, gateway: Gateway, tmp_path: Path, form: tuple[str, ...], victim: str
) -> None:
    """After the last byte of pg_dump: of a stream, the first parts are in the store by then."""
    prefix = f"stopped-{len(form)}-{victim}"
    with backups(server, tmp_path, LARGE) as shop:
        policy(shop, gateway, prefix, [])
        with dumping(shop, *form, **KEYS) as process:
            if form:
                assert gateway.pending(prefix) != []
            if victim == "run":
                process.send_signal(signal.SIGTERM)
            else:
                os.kill(int((shop.folder / "pid").read_text()), signal.SIGKILL)
            _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 3, said
        assert "Traceback" not in said
        assert gateway.pending(prefix) == []
        assert stored(gateway, prefix) == []
        assert used(shop.folder / "tmp") == 0


def test_a_name_that_somebody_else_took_is_left_alone(large: Backups, gateway: Gateway) -> None:
    policy(large, gateway, "taken", [])
    with dumping(large, "--stream", **KEYS) as process:
        (begun,) = gateway.pending("taken")
        other = begun.removesuffix("dump") + "manifest.json"
        gateway.s3.put_object(Bucket="models", Key=other, Body=b"of others")
        (large.folder / "go").touch()
        _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, "backup_check.object_exists" in said) == (3, True)
    assert stored(gateway, "taken") == [other]
    assert gateway.s3.get_object(Bucket="models", Key=other)["Body"].read() == b"of others"
