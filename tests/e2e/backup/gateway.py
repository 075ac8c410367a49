"""A versitygw, an S3 that nobody here wrote, with a bucket `models`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aegis.core.ports.credentials import AwsCredentials
from tests.e2e.verify.versitygw import ROOT_KEY, ROOT_SECRET, client, free_port, running
from tests.support.programs.gomod import program

ROOT = Path(__file__).resolve().parents[3]
CREDENTIALS = AwsCredentials(ROOT_KEY, ROOT_SECRET)


@dataclass(frozen=True)
class Gateway:
    """A running one, and a client of others for it."""

    address: str
    s3: Any

    def pending(self, prefix: str) -> list[str]:
        """Keys of uploads that wait for their end."""
        found = self.s3.list_multipart_uploads(Bucket="models", Prefix=prefix).get("Uploads", [])
        return [one["Key"] for one in found]


@contextmanager
def serving(folder: Path) -> Iterator[Gateway]:
    """Until the block ends; with versions."""
    port = free_port()
    for name in ("objects", "versions"):
        (folder / name).mkdir()
    binary = program(ROOT / "tests/e2e/tools/versitygw", "1.8.0")
    arguments = [str(binary), "--port", f"127.0.0.1:{port}", "posix", "--versioning-dir", str(folder / "versions")]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "ROOT_ACCESS_KEY": ROOT_KEY}
    environ["ROOT_SECRET_KEY"] = ROOT_SECRET
    with running("s3", folder, [*arguments, str(folder / "objects")], port, environ) as address:
        s3 = client("s3", address, CREDENTIALS)
        s3.create_bucket(Bucket="models")
        s3.put_bucket_versioning(Bucket="models", VersioningConfiguration={"Status": "Enabled"})
        yield Gateway(address, s3)
