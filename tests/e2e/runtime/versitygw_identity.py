"""What happens inside a network of its own: a pod's web identity, exchanged by obstore at versitygw's STS over TLS.

Started by the test as `unshare … python -m tests.e2e.runtime.versitygw_identity PROGRAM FOLDER`, as its neighbour in
`tests/e2e/verify` is, and for the same reasons. Prints one JSON object: what each attempt came to.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aegis.adapters.objects.obstore import ObstoreS3
from aegis.core.errors import AegisError
from tests.doubles import github_oidc
from tests.doubles.github_oidc import Issuer
from tests.e2e.verify.versitygw import (
    ADDRESS,
    AUDIENCE,
    REGION,
    ROOT_KEY,
    ROOT_SECRET,
    WANTED,
    certificate,
    free_port,
    network,
    prepare,
    running,
)
from tests.support.network.stores import Time
from tests.support.network.tls import loopback


def attempts(issuer: Issuer, iam: str, store: str, role: str, folder: Path) -> dict[str, str]:
    """What each attempt came to: what was read, or the code of the refusal."""
    os.environ |= {"AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": str(folder / "token")}

    def asked(ask: Callable[[ObstoreS3], Any], bucket: str = "models", **changes: Any) -> str:
        token = issuer.token(**{"audience": AUDIENCE, **changes})
        (folder / "token").write_text(token)
        clock = Time()
        try:
            return str(ask(ObstoreS3(bucket, REGION, endpoint=store, sts_endpoint=iam, clock=clock.clock())))
        except AegisError as error:
            told = "with the token" if token in str(error) else "after tries" if clock.slept else "at once"
            return f"{error.code} {told}"

    def read(of: ObstoreS3) -> str:
        info = of.head("staging/a")
        assert info is not None
        return b"".join(of.read(info)).decode()

    old = int(time.time()) - 7200
    return {
        "read": asked(read),
        "list": asked(lambda of: " ".join(info.key for info in of.list("staging/"))),
        "another bucket of the role": asked(read, "other"),
        "immutable": asked(read, sub="repo:octo@42/shop@7001:environment:staging"),
        "audience": asked(read, aud="https://cloud.oracle.com"),
        "repository": asked(read, repository_id="7002"),
        "fork": asked(read, sub="repo:mallory/shop:environment:staging", repository_id="9"),
        "environment": asked(read, environment="prod", sub="repo:octo/shop:environment:prod"),
        "expired": asked(read, exp=old, nbf=old, iat=old),
        "issuer": asked(read, iss="https://evil.example"),
        "forged": asked(read, key="mallory"),
    }


def main(program: str, folder: Path) -> None:
    network(folder)
    pem, private, thumbprint = certificate(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem, private)
    anchor, _ = loopback(folder)
    iam_port, s3_port = free_port(), free_port()
    environ = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "SSL_CERT_FILE": str(pem), "ROOT_ACCESS_KEY": ROOT_KEY,
        "ROOT_SECRET_KEY": ROOT_SECRET,
    }  # fmt: skip
    os.environ |= {"SSL_CERT_FILE": str(anchor), "AWS_CA_BUNDLE": str(anchor)}
    for name in ("iam", "objects"):
        (folder / name).mkdir()
    shared = str(folder / "private.sock")
    secure = ["--cert", str(folder / "server.pem"), "--key", str(folder / "server.key")]
    of_iam = [program, "--port", f"127.0.0.1:{iam_port}", *secure, "iam"]
    of_iam += ["--dir", str(folder / "iam"), "--private-ports", shared]
    of_s3 = [program, "--port", f"127.0.0.1:{s3_port}", "--iam-standalone-endpoint", shared]
    of_s3 += ["posix", str(folder / "objects")]
    with (
        github_oidc.serve(Issuer(github_oidc.claims(**WANTED)), at=(ADDRESS, 443), tls=tls) as issuer,
        running("iam", folder, of_iam, iam_port, environ),
        running("s3", folder, of_s3, s3_port, environ) as store,
    ):
        iam = f"https://127.0.0.1:{iam_port}"
        print(json.dumps(attempts(issuer, iam, store, prepare(iam, store, thumbprint), folder)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
