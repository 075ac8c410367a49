"""Nothing in the environment, in a user's files or in a proxy has a say in where a store is reached."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.aws import s3 as double
from tests.doubles.aws.s3 import S3

ROOT = Path(__file__).resolve().parents[3]
READ = """
import sys
from aegis.adapters.objects.https import HttpsStore
from aegis.adapters.objects.s3 import S3Store
from aegis.core.ports.credentials import AwsCredentials
from aegis.storage.transfer import read_small

address, key, secret, token = sys.argv[1:]
store = S3Store("models", "eu-central-1", lambda: AwsCredentials(key, secret, token), endpoint=address)
(info,) = store.list("m/")
assert store.head("m/a") == info
sys.stdout.write(read_small(store, info, 100).decode())
HttpsStore(address)
for name in ("boto3", "botocore", "obstore", "urllib3", "requests", "sigstore", "pydantic"):
    assert name not in sys.modules, name
"""


ADDRESSES = (
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
)


@pytest.fixture
def trap() -> Iterator[tuple[str, list[str]]]:
    """An address where nobody may ever call, and who did."""
    callers: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    callers.append(connection.recv(200).decode("latin-1"))

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", callers


def test_a_poisoned_environment_changes_nothing(tmp_path: Path, trap: tuple[str, list[str]]) -> None:
    elsewhere, callers = trap
    (tmp_path / ".aws").mkdir()
    settings = f"region = evil-1\nendpoint_url = {elsewhere}\ncredential_process = touch {tmp_path}/ran\n"
    (tmp_path / ".aws" / "config").write_text(f"[default]\n{settings}[profile evil]\n{settings}")
    (tmp_path / ".aws" / "credentials").write_text("[default]\naws_access_key_id = x\naws_secret_access_key = y\n")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login evil password evil\n")
    (tmp_path / ".netrc").chmod(0o600)
    poison = dict.fromkeys(ADDRESSES, elsewhere)
    more = {
        "AWS_PROFILE": "evil",
        "AWS_DEFAULT_PROFILE": "evil",
        "AWS_CONFIG_FILE": str(tmp_path / ".aws" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / ".aws" / "credentials"),
        "AWS_ACCESS_KEY_ID": "evil",
        "AWS_SECRET_ACCESS_KEY": "evil",
        "AWS_SESSION_TOKEN": "evil",
        "AWS_REGION": "evil-1",
        "AWS_DEFAULT_REGION": "evil-1",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_CA_BUNDLE": str(tmp_path / "nothing.pem"),
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_S3_USE_ARN_REGION": "true",
        "NO_PROXY": "",
        "no_proxy": "",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT / "src"),
        "PATH": os.environ["PATH"],
    }
    with double.serve(S3()) as service:
        service.put("m/a", b"the artifact")
        argv = [sys.executable, "-c", READ, service.address, double.ACCESS_KEY, double.SECRET_KEY, double.TOKEN]
        done = subprocess.run(argv, env={**poison, **more}, capture_output=True, text=True, timeout=300, check=False)
        assert (done.stdout, done.stderr) == ("the artifact", "")
        assert [one.operation for one in service.asked] == ["ListObjectVersions", "HeadObject", "GetObject"]
    assert callers == []
    assert not (tmp_path / "ran").exists()
