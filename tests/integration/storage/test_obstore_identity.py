"""Who the obstore adapter asks as, and whom it asks: a pod's identities, and surroundings that point elsewhere."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aegis.core.errors import AegisError
from tests.doubles import github_oidc
from tests.doubles.aws import s3 as double
from tests.doubles.aws import sts as sts_double
from tests.doubles.aws.s3 import S3
from tests.doubles.aws.s3_faults import FOREVER, Fault
from tests.doubles.aws.sts import Sts
from tests.doubles.github_oidc import Issuer
from tests.support.network.aws import EVERYTHING, ROLE
from tests.support.network.obstore import clear, obstore_s3, set_keys
from tests.support.network.stores import Time
from tests.support.network.tls import loopback
from tests.support.tokens.trusts import WANTED, tight

ROOT = Path(__file__).resolve().parents[3]


def told(do: Callable[[], object], *secrets: str) -> AegisError:
    """The error; no secret is in it, nor in anything that it is chained to."""
    with pytest.raises(AegisError) as caught:
        do()
    text = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__dict__)
    for secret in secrets:
        assert secret not in text
    return caught.value


@contextmanager
def answering(
    replies: Callable[[str, str], tuple[int, bytes]],
) -> Iterator[tuple[str, list[tuple[str, str, dict[str, str]]]]]:
    """A server that answers method and path; its address, and what it was asked."""
    asked: list[tuple[str, str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}))
            status, body = replies(self.command, self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_PUT(self) -> None:
            self.do_GET()

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_CONNECT(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


POD_TOKEN, BODY = "token-of-the-pod", b"what an agent says"
CREDENTIALS = json.dumps(
    {
        "Code": "Success",
        "AccessKeyId": double.ACCESS_KEY,
        "SecretAccessKey": double.SECRET_KEY,
        "Token": double.TOKEN,
        "Expiration": "2099-01-01T00:00:00Z",
    }
).encode()


@pytest.fixture
def service() -> Iterator[S3]:
    with double.serve(S3()) as running:
        running.put("m/a", b"the artifact")
        yield running


class TestWebIdentity:
    """IRSA: the service account's token, exchanged at STS for a session."""

    @pytest.fixture
    def sts(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sts]:
        anchor, tls = loopback(tmp_path)
        clear(monkeypatch)
        monkeypatch.setenv("SSL_CERT_FILE", str(anchor))
        with github_oidc.serve(Issuer(github_oidc.claims(**WANTED))) as issuer:
            providers = (sts_double.Provider(github_oidc.ISSUER, issuer.address),)
            roles = (sts_double.Role(ROLE, tight(), (EVERYTHING,)),)
            with sts_double.serve(Sts(providers=providers, roles=roles), tls=tls) as sts:
                (tmp_path / "token").write_text(issuer.token())
                monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
                monkeypatch.setenv("AWS_ROLE_ARN", sts.arn(ROLE))
                yield sts

    def test_the_session_reads(self, service: S3, sts: Sts) -> None:
        service.authorizer = sts
        store = obstore_s3(service, sts_endpoint=sts.address)
        (info,) = store.list("m/")
        assert b"".join(store.read(info)) == b"the artifact"
        assert len(sts.requests) == 1

    @pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken", "InvalidIdentityToken"])
    def test_a_token_that_is_refused(self, service: S3, sts: Sts, tmp_path: Path, code: str) -> None:
        token = (tmp_path / "token").read_text()
        sts.faults = [sts_double.Fault(code, 403 if code == "AccessDenied" else 400, f"no: {token}", times=9)]
        error = told(lambda: obstore_s3(service, sts_endpoint=sts.address).head("m/a"), token)
        assert error.code == "verify.no_credentials"
        assert code in error.problem
        assert service.asked == []

    def test_sts_in_trouble_is_waited_for(self, service: S3, sts: Sts) -> None:
        service.authorizer = sts
        sts.faults = [sts_double.Fault(times=2)]
        clock = Time()
        assert obstore_s3(service, clock, sts_endpoint=sts.address).head("m/a") is not None
        assert len(clock.slept) == 2

    def test_sts_down_is_a_fault_that_may_pass(self, service: S3, sts: Sts, tmp_path: Path) -> None:
        error = told(
            lambda: obstore_s3(service, sts_endpoint="https://127.0.0.1:9").head("m/a"),
            (tmp_path / "token").read_text(),
        )
        assert error.code == "verify.store_failed"

    def test_a_certificate_that_nobody_vouches_for(
        self, service: S3, sts: Sts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "other").mkdir()
        monkeypatch.setenv("SSL_CERT_FILE", str(loopback(tmp_path / "other")[0]))
        error = told(lambda: obstore_s3(service, sts_endpoint=sts.address).head("m/a"))
        assert error.code == "verify.store_failed"
        assert sts.requests == []

    def test_a_token_file_that_is_not_there(
        self, service: S3, sts: Sts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "nothing"))
        error = told(lambda: obstore_s3(service, sts_endpoint=sts.address).head("m/a"))
        assert error.code == "verify.no_credentials"


class TestPodAndInstance:
    @pytest.fixture(autouse=True)
    def nothing_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clear(monkeypatch)

    def test_eks_pod_identity(self, service: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "token").write_text(POD_TOKEN)
        with answering(lambda method, path: (200, CREDENTIALS)) as (agent, asked):
            monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{agent}/v1/credentials")
            monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
            # by another name than the agent's, so that only the list of direct hosts lets it through
            store = obstore_s3(service, endpoint=service.address.replace("127.0.0.1", "localhost"))
            assert store.head("m/a") is not None
        assert [(method, path) for method, path, _ in asked] == [("GET", "/v1/credentials")]
        assert asked[0][2]["authorization"] == POD_TOKEN

    def test_an_instance_by_its_second_version_only(self, service: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        def metadata(method: str, path: str) -> tuple[int, bytes]:
            if path == "/latest/api/token":
                return (200, b"t0ken") if method == "PUT" else (405, b"")
            return 200, CREDENTIALS if path.endswith("/role") else b"role"

        with answering(metadata) as (address, asked):
            monkeypatch.setenv("AWS_METADATA_ENDPOINT", address)
            assert obstore_s3(service).head("m/a") is not None
        assert all(headers["x-aws-ec2-metadata-token"] == "t0ken" for method, _, headers in asked if method == "GET")

    def test_the_first_version_is_not_asked(self, service: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_IMDSV1_FALLBACK", "true")
        with answering(lambda method, path: (403, b"no")) as (address, asked):
            monkeypatch.setenv("AWS_METADATA_ENDPOINT", address)
            assert told(lambda: obstore_s3(service).head("m/a")).code == "verify.no_credentials"
        assert {method for method, _, _ in asked} == {"PUT"}

    @pytest.mark.parametrize(
        "answer",
        [(200, b"{}"), (200, b"<html>"), (403, BODY), (500, BODY)],
        ids=["no credentials", "no JSON", "refused", "in trouble"],
    )
    def test_an_agent_without_any(
        self, service: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: tuple[int, bytes]
    ) -> None:
        (tmp_path / "token").write_text(POD_TOKEN)
        with answering(lambda method, path: answer) as (agent, _):
            monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{agent}/v1/credentials")
            monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
            error = told(lambda: obstore_s3(service).head("m/a"), BODY.decode(), POD_TOKEN)
        assert error.code in {"verify.no_credentials", "verify.store_failed"}
        assert service.asked == []

    def test_an_instance_that_answers_nonsense(self, service: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        # obstore's own code breaks off over it, which is no Exception in Python
        with answering(lambda method, path: (200, b"not a { role")) as (address, _):
            monkeypatch.setenv("AWS_METADATA_ENDPOINT", address)
            assert told(lambda: obstore_s3(service).head("m/a")).code.startswith("verify.")


class TestRedirects:
    @pytest.mark.parametrize("operation", ["HeadObject", "GetObject", "ListObjectsV2"])
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_nobody_else_is_asked_and_no_session_token_goes_there(
        self, service: S3, monkeypatch: pytest.MonkeyPatch, operation: str, status: int
    ) -> None:
        set_keys(monkeypatch, double.ACCESS_KEY, double.SECRET_KEY, double.TOKEN)
        store = obstore_s3(service)
        info = store.head("m/a")
        assert info is not None
        ask: dict[str, Callable[[], object]] = {
            "HeadObject": lambda: store.head("m/a"),
            "GetObject": lambda: list(store.read(info)),
            "ListObjectsV2": lambda: store.list("m/"),
        }
        with answering(lambda method, path: (200, b"other bytes!")) as (elsewhere, asked):
            address = elsewhere.replace("127.0.0.1", "localhost")
            service.faults = [
                Fault(operation, times=FOREVER, status=status, code="x", headers={"Location": f"{address}/x"})
            ]
            assert told(ask[operation], double.TOKEN).code == "verify.store_redirected"
        assert asked == []


READ = """
import sys
from aegis.adapters.objects.obstore import ObstoreS3
from aegis.storage.transfer import read_small

store = ObstoreS3("models", "eu-central-1", endpoint=sys.argv[1])
(info,) = store.list("m/")
assert store.head("m/a").etag == info.etag
sys.stdout.write(read_small(store, info, 100).decode())
for name in ("boto3", "botocore", "urllib3", "requests", "sigstore", "cryptography"):
    assert name not in sys.modules, name
"""
POISON = (
    "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT", "AWS_PROXY_URL", "HTTP_PROXY",
    "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy",
)  # fmt: skip


def test_only_the_keys_are_taken_from_a_poisoned_environment(tmp_path: Path) -> None:
    more = {
        "AWS_ACCESS_KEY_ID": double.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": double.SECRET_KEY,
        "AWS_SESSION_TOKEN": double.TOKEN,
        "AWS_REGION": "evil-1",
        "AWS_DEFAULT_REGION": "evil-1",
        "AWS_BUCKET": "evil",
        "AWS_BUCKET_NAME": "evil",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
        "AWS_S3_EXPRESS": "true",
        "AWS_REQUEST_PAYER": "true",
        "AWS_ALLOW_HTTP": "false",
        "AWS_TIMEOUT": "1ns",
        "AWS_PROFILE": "evil",
        "NO_PROXY": "",
        "no_proxy": "",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT / "src"),
        "PATH": os.environ["PATH"],
    }
    callers: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as trap, double.serve(S3()) as service:

        def accept() -> None:
            while True:
                try:
                    connection, _ = trap.accept()
                except OSError:
                    return
                with connection:
                    callers.append(connection.recv(200).decode("latin-1"))

        threading.Thread(target=accept, daemon=True).start()
        service.put("m/a", b"the artifact")
        poison = dict.fromkeys(POISON, f"http://127.0.0.1:{trap.getsockname()[1]}")
        argv = [sys.executable, "-c", READ, service.address]
        done = subprocess.run(argv, env={**poison, **more}, capture_output=True, text=True, timeout=300, check=False)
        assert (done.stdout, done.stderr) == ("the artifact", "")
        assert {one.operation for one in service.asked} == {"ListObjectsV2", "HeadObject", "GetObject"}
    assert callers == []
