"""The S3 adapter against an S3 that others wrote: moto's, with and without versions. It checks no signatures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from aegis.adapters.objects.s3 import S3Store
from aegis.core.ports.credentials import AwsCredentials
from aegis.storage.transfer import read_small

NAMES = ["m/a b+c%20d.bin", "m/a.bin", "m/é~(1)&'<x>.bin", "m/z/deep/file"]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.mark.parametrize("versioned", [True, False])
def test_what_is_listed_is_read(address: str, versioned: bool) -> None:
    bucket = f"models-{versioned}".lower()
    client: Any = boto3.client(
        "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="A", aws_secret_access_key="s"
    )
    client.create_bucket(Bucket=bucket)
    if versioned:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for name in NAMES:
        client.put_object(Bucket=bucket, Key=name, Body=b"old")
        client.put_object(Bucket=bucket, Key=name, Body=name.encode())
    client.delete_object(Bucket=bucket, Key=NAMES[-1])

    store = S3Store(bucket, "us-east-1", lambda: AwsCredentials("A", "s"), endpoint=address)
    found = store.list("m/")
    assert [info.key for info in found] == sorted(NAMES[:-1])
    assert all((info.version is not None) == versioned for info in found)
    assert [read_small(store, info, 100).decode() for info in found] == [info.key for info in found]
    assert [store.head(info.key) for info in found] == list(found)
    assert store.head(NAMES[-1]) is None
    assert store.list("nothing/") == ()
    assert store.folders("") == ("m/",)
    assert store.folders("m/") == (() if not versioned else ("m/z/",))  # moto shows a folder of what was deleted
    assert b"".join(store.read(found[0], 5)) == found[0].key.encode()[5:]
