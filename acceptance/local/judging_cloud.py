"""GitHub's issuer under its real name, and an IAM, STS and S3 that nobody here wrote: versitygw's.

versitygw takes no issuer on loopback and checks its certificate, so both run in a network of their own, where the name
leads to the issuer. Whoever uses them is outside: the sockets to listen on are made there, and handed in.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from acceptance.local.commands import ROOT
from aegis.core.ports.credentials import AwsCredentials
from aegis.identity.trust_policy import TrustedJob, aws_trust_policy
from tests.doubles import github_oidc
from tests.doubles.github_oidc import BEARER, PATH, Issuer
from tests.e2e.verify.versitygw import (
    ADDRESS,
    AUDIENCE,
    EVERYTHING,
    ROOT_KEY,
    ROOT_SECRET,
    certificate,
    client,
    free_port,
    network,
    running,
)
from tests.support.programs.gomod import program

ENVIRONMENT, BUCKET, ROLE = "staging", "octo-models-staging", "aegis-verify"
_DOORS = ("iam", "s3", "tokens")
_END_SECONDS = 300
VERSION = "1.8.0"


@dataclass(slots=True)
class JudgingCloud:
    """As it is seen from outside."""

    addresses: dict[str, str]
    """Of `iam` (STS too), `s3` and `tokens`."""
    role: str
    """Its ARN."""
    minted: tuple[str, ...] = ()
    """All tokens that jobs got; known when it has ended."""

    @property
    def job(self) -> dict[str, str]:
        """What GitHub's runner adds to the environment of a job with `id-token: write`."""
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.addresses['tokens']}{PATH}?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": BEARER,
        }

    def put(self, files: dict[str, bytes], prefix: str = "") -> None:
        """Upload, as the account's owner."""
        objects = client("s3", self.addresses["s3"], AwsCredentials(ROOT_KEY, ROOT_SECRET))
        for name, content in files.items():
            objects.put_object(Bucket=BUCKET, Key=prefix + name, Body=content)


@contextmanager
def judging_cloud(workflow: str, *, trusted: str = "octo/shop") -> Iterator[JudgingCloud]:
    """Until the block ends: jobs of `workflow` in octo/shop get tokens; the role trusts the repository `trusted`."""
    binary = program(ROOT / "tests/e2e/tools/versitygw", VERSION)
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in _DOORS]
    addresses = {
        name: f"http://127.0.0.1:{door.getsockname()[1]}" for name, door in zip(_DOORS, listening, strict=True)
    }
    with tempfile.TemporaryDirectory(prefix="cloud-") as folder:
        descriptors = [door.fileno() for door in listening]
        command = ["unshare", "--user", "--map-root-user", "--net", "--mount", sys.executable, "-m", __name__]
        process = subprocess.Popen(
            [*command, str(binary), folder, workflow, trusted, *map(str, descriptors)],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": folder, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=descriptors,
            text=True,
        )
        for door in listening:
            door.close()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            told = process.stdout.readline()
            if not told:
                logs = "".join(file.read_text(errors="replace")[-2000:] for file in Path(folder).glob("*.log"))
                raise RuntimeError(f"the cloud did not start: {logs}")
            made = JudgingCloud(addresses, json.loads(told)["role"])
            yield made
            process.stdin.close()
            made.minted = tuple(json.loads(process.stdout.readline())["minted"])
        finally:
            process.stdin.close()  # it ends what it has started
            process.wait(_END_SECONDS)


def main(binary: str, place: str, workflow: str, trusted: str, *descriptors: str) -> None:
    """Inside: run all of it until standard input ends."""
    folder = Path(place)
    network(folder)
    certificate_file, private, thumbprint = certificate(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate_file, private)
    ports = {"iam": free_port(), "s3": free_port()}
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": place,
        "SSL_CERT_FILE": str(certificate_file),
        "ROOT_ACCESS_KEY": ROOT_KEY,
        "ROOT_SECRET_KEY": ROOT_SECRET,
    }
    for name in ("iam", "objects"):
        (folder / name).mkdir()
    shared = str(folder / "private.sock")
    of_iam = [binary, "--port", f"127.0.0.1:{ports['iam']}", "iam", "--dir", str(folder / "iam")]
    of_s3 = [binary, "--port", f"127.0.0.1:{ports['s3']}", "--iam-standalone-endpoint", shared]
    claims = github_oidc.claims(
        sub=f"repo:octo/shop:environment:{ENVIRONMENT}",
        environment=ENVIRONMENT,
        workflow_ref=f"octo/shop/{workflow}@refs/heads/main",
        job_workflow_ref=f"octo/shop/{workflow}@refs/heads/main",
    )
    with (
        github_oidc.serve(Issuer(claims), at=(ADDRESS, 443), tls=tls),
        github_oidc.serve(Issuer(claims)) as tokens,
        running("iam", folder, [*of_iam, "--private-ports", shared], ports["iam"], environ) as iam,
        running("s3", folder, [*of_s3, "posix", str(folder / "objects")], ports["s3"], environ) as store,
    ):
        role = _prepared(iam, store, thumbprint, workflow, trusted)
        inner = [ports["iam"], ports["s3"], int(tokens.address.rpartition(":")[2])]
        for descriptor, port in zip(descriptors, inner, strict=True):
            door = socket.socket(fileno=int(descriptor))
            threading.Thread(target=_lead, args=(door, port), daemon=True).start()
        print(json.dumps({"role": role}), flush=True)
        sys.stdin.read()
        print(json.dumps({"minted": tokens.minted}), flush=True)


def _prepared(iam: str, store: str, thumbprint: str, workflow: str, trusted: str) -> str:
    """The account: GitHub's provider, the bucket, and a role that may do everything for one job. Gives its ARN."""
    root = AwsCredentials(ROOT_KEY, ROOT_SECRET)
    admin: Any = client("iam", iam, root)
    provider = admin.create_open_id_connect_provider(
        Url=github_oidc.ISSUER, ClientIDList=[AUDIENCE], ThumbprintList=[thumbprint]
    )["OpenIDConnectProviderArn"]
    job = TrustedJob(
        repository="octo/shop", owner_id="42", repository_id="7001", workflow=workflow, environment=ENVIRONMENT
    )
    if trusted != job.repository:
        job = replace(job, repository=trusted, owner_id="43", repository_id="7002")
    trust = aws_trust_policy(job, account=provider.split(":")[4])
    role = admin.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    admin.put_role_policy(RoleName=ROLE, PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
    client("s3", store, root).create_bucket(Bucket=BUCKET)
    return str(role["Arn"])


def _lead(door: socket.socket, port: int) -> None:
    """Each connection from outside to a port of this network."""
    while True:
        near, _ = door.accept()
        far = socket.create_connection(("127.0.0.1", port))
        for source, target in ((near, far), (far, near)):
            threading.Thread(target=_copy, args=(source, target), daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main(*sys.argv[1:])
