"""What happens inside a network of its own: GitHub's issuer under its real name, versitygw's IAM, STS and S3.

Started by the test as `unshare … python -m tests.e2e.verify.versitygw PROGRAM FOLDER`, since versitygw takes no issuer
on loopback and checks its certificate. Prints one JSON object: what each attempt of the product came to.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from aegis.adapters.aws import botocore_sts
from aegis.adapters.aws.role import Exchange, RoleCredentials
from aegis.adapters.github.oidc import minter_of
from aegis.adapters.http.call import Clock
from aegis.core.errors import AegisError
from aegis.core.ports.credentials import AwsCredentials
from aegis.identity.policy_document import parse_policy
from aegis.identity.role import parse_role
from aegis.identity.session_policy import ReadNeed, session_policy
from aegis.identity.trust_policy import TrustedJob, aws_trust_policy
from tests.doubles import github_oidc
from tests.doubles.github_oidc import Issuer
from tests.support.network.ports import free_port as free_port

ADDRESS = "198.18.0.1"
"""For benchmarks (RFC 2544): neither loopback nor private, and nobody's."""
HOST = github_oidc.ISSUER.removeprefix("https://")
ROOT_KEY, ROOT_SECRET = "e2e-root", "e2e-root-secret"
REGION = "us-east-1"
AUDIENCE = "sts.amazonaws.com"
JOB = TrustedJob(
    repository="octo/shop", owner_id="42", repository_id="7001", workflow=".github/workflows/verify.yml",
    environment="staging", refs=("refs/heads/main",),
)  # fmt: skip
WANTED = {"sub": "repo:octo/shop:environment:staging", "environment": "staging"}
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


def network(folder: Path) -> None:
    """An interface, and GitHub's name on it."""
    for command in (["link", "set", "lo", "up"], ["addr", "add", f"{ADDRESS}/32", "dev", "lo"]):
        subprocess.run(["ip", *command], check=True)
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{ADDRESS} {HOST}\n")
    subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True)


def certificate(folder: Path) -> tuple[Path, Path, str]:
    """Of the issuer, signed by itself: certificate, key, and the thumbprint that a provider lists."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName(HOST)])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer of a test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "issuer.pem", folder / "issuer.key"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem, private, hashlib.sha1(made.public_bytes(serialization.Encoding.DER)).hexdigest()


@contextmanager
def running(name: str, folder: Path, arguments: list[str], port: int, environ: dict[str, str]) -> Iterator[str]:
    """A server until the block ends; ready when it takes connections."""
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(arguments, cwd=folder, env=environ, stdout=log, stderr=log)
        try:
            end = time.monotonic() + 120
            while True:
                assert process.poll() is None, (folder / f"{name}.log").read_text()
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=60).close()
                    break
                except OSError:
                    assert time.monotonic() < end, f"{name} does not listen"
                    time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=120)


def client(service: str, endpoint: str, credentials: AwsCredentials) -> Any:
    return botocore.session.Session().create_client(
        service,
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.token,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def prepare(iam: str, store: str, thumbprint: str) -> str:
    """The provider, a role that trusts JOB and may do everything, and two buckets. Gives the role's ARN."""
    root = AwsCredentials(ROOT_KEY, ROOT_SECRET)
    admin, objects = client("iam", iam, root), client("s3", store, root)
    provider = admin.create_open_id_connect_provider(
        Url=github_oidc.ISSUER, ClientIDList=[AUDIENCE], ThumbprintList=[thumbprint]
    )["OpenIDConnectProviderArn"]
    trust = aws_trust_policy(JOB, account=provider.split(":")[4])
    role = admin.create_role(RoleName="aegis-verify", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    admin.put_role_policy(RoleName="aegis-verify", PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
    for bucket in ("models", "other"):
        objects.create_bucket(Bucket=bucket)
        for key in ("staging/a", "staging/b", "production/a"):
            objects.put_object(Bucket=bucket, Key=key, Body=f"{bucket}/{key}".encode())
    return str(role["Arn"])


def attempts(issuer: Issuer, iam: str, store: str, role: str) -> dict[str, str]:
    """What each attempt came to: `ok`, what was read, or the code of the refusal."""
    trust = parse_policy(json.dumps(aws_trust_policy(JOB, account=role.split(":")[4])), name="trust.json")
    exchange = Exchange(
        role=parse_role(role),
        region=REGION,
        session_name="aegis-verify-9001-1",
        session_policy=session_policy([ReadNeed("models", ("staging/",))]),
        endpoint=iam,
        trust=trust,
    )
    minter = minter_of(issuer.environ, {}, mask=lambda value: None)

    def exchanged(mint: Callable[[], str]) -> str:
        slept: list[float] = []
        try:
            RoleCredentials(exchange, mint, mask=lambda value: None, clock=Clock(sleep=slept.append))()
        except AegisError as error:
            return f"{error.code} {'after tries' if slept else 'at once'}: {error.problem}"
        return "ok"

    answers = {"minted": exchanged(lambda: minter.mint(AUDIENCE))}
    tokens: dict[str, dict[str, Any]] = {
        "immutable": {"sub": "repo:octo@42/shop@7001:environment:staging"},
        "audience": {"aud": "https://cloud.oracle.com"},
        "repository": {"repository_id": "7002"},
        "fork": {"sub": "repo:mallory/shop:environment:staging", "repository_id": "9"},
        "environment": {"environment": "prod", "sub": "repo:octo/shop:environment:prod"},
        "ref": {"ref": "refs/heads/dev"},
        "workflow": {"job_workflow_ref": "octo/shop/.github/workflows/evil.yml@refs/heads/main"},
        "expired": {"exp": int(time.time()) - 3600, "nbf": int(time.time()) - 7200, "iat": int(time.time()) - 7200},
        "issuer": {"iss": "https://evil.example"},
    }
    for name, changes in tokens.items():
        token = issuer.token(**{"audience": AUDIENCE, **changes})
        answers[name] = exchanged(partial(str, token))
    forged = issuer.token(AUDIENCE, key="mallory")
    answers["forged"] = exchanged(lambda: forged)

    credentials = RoleCredentials(exchange, lambda: minter.mint(AUDIENCE), mask=lambda value: None)()
    objects = client("s3", store, credentials)

    def asked(call: Callable[[], Any]) -> str:
        try:
            return str(call())
        except Exception as error:
            return str(getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__))

    def listed(bucket: str, **prefix: str) -> str:
        found = objects.list_objects_v2(Bucket=bucket, **prefix)
        return " ".join(one["Key"] for one in found["Contents"])

    def read(bucket: str, key: str) -> str:
        return str(objects.get_object(Bucket=bucket, Key=key)["Body"].read().decode())

    return answers | {
        "read inside": asked(lambda: read("models", "staging/a")),
        "read outside the prefix": asked(lambda: read("models", "production/a")),
        "read another bucket": asked(lambda: read("other", "staging/a")),
        "list inside": asked(lambda: listed("models", Prefix="staging/")),
        "list all": asked(lambda: listed("models")),
        "list outside": asked(lambda: listed("models", Prefix="production/")),
        "write": asked(lambda: objects.put_object(Bucket="models", Key="staging/c", Body=b"x")),
        "delete": asked(lambda: objects.delete_object(Bucket="models", Key="staging/a")),
        "without the session token": asked(
            lambda: client("s3", store, AwsCredentials(credentials.access_key, credentials.secret_key)).get_object(
                Bucket="models", Key="staging/a"
            )
        ),
    }


def main(program: str, folder: Path) -> None:
    # on a busy machine an answer may take longer than a gate waits before it asks again, which tests tell apart
    botocore_sts.READ_SECONDS = botocore_sts.CONNECT_SECONDS = 60.0
    network(folder)
    pem, private, thumbprint = certificate(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem, private)
    iam_port, s3_port = free_port(), free_port()
    environ = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "SSL_CERT_FILE": str(pem), "ROOT_ACCESS_KEY": ROOT_KEY,
        "ROOT_SECRET_KEY": ROOT_SECRET,
    }  # fmt: skip
    for name in ("iam", "objects"):
        (folder / name).mkdir()
    shared = str(folder / "private.sock")
    of_iam = [program, "--port", f"127.0.0.1:{iam_port}", "iam"]
    of_iam += ["--dir", str(folder / "iam"), "--private-ports", shared]
    of_s3 = [program, "--port", f"127.0.0.1:{s3_port}", "--iam-standalone-endpoint", shared]
    of_s3 += ["posix", str(folder / "objects")]
    with (
        github_oidc.serve(Issuer(), at=(ADDRESS, 443), tls=tls),
        github_oidc.serve(Issuer(github_oidc.claims(**WANTED))) as tokens,
        running("iam", folder, of_iam, iam_port, environ) as iam,
        running("s3", folder, of_s3, s3_port, environ) as store,
    ):
        print(json.dumps(attempts(tokens, iam, store, prepare(iam, store, thumbprint))))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
