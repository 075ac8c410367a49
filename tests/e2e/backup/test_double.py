"""The double of S3 says to every write what versitygw says: the same requests, signed by botocore, to both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import botocore.exceptions
import pytest

from aegis.core.ports.credentials import AwsCredentials
from tests.doubles.aws import s3 as double
from tests.doubles.aws.s3 import S3, Key
from tests.e2e.backup.gateway import CREDENTIALS, serving
from tests.e2e.verify.versitygw import REGION, client

MIB = 1 << 20
BUCKET = "models"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    """A client of the double, and one of versitygw."""
    keys = Key(CREDENTIALS.access_key, CREDENTIALS.secret_key, None)
    with serving(tmp_path_factory.mktemp("gateway")) as gateway, double.serve(S3(authorizer=keys, region=REGION)) as s3:
        yield client("s3", s3.address, CREDENTIALS), gateway.s3


def said(do: Callable[[], Any]) -> str:
    """The status and the error's code; `ok` where there is none."""
    try:
        do()
    except botocore.exceptions.ClientError as error:
        answer = error.response
        return f"{answer['ResponseMetadata']['HTTPStatusCode']} {answer['Error']['Code']}"
    return "ok"


def begun(s3: Any, key: str, *parts: bytes) -> tuple[str, list[dict[str, Any]]]:
    """An upload in parts: its id, and what names its parts."""
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    told = []
    for number, part in enumerate(parts, 1):
        answer = s3.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=part)
        told.append({"PartNumber": number, "ETag": answer["ETag"]})
    return upload, told


def complete(s3: Any, key: str, upload: str, parts: list[dict[str, Any]], **more: Any) -> str:
    return said(
        lambda: s3.complete_multipart_upload(
            Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}, **more
        )
    )


def put_twice(s3: Any) -> list[str]:
    # After a deletion S3 lets it be written again ("if the current object version is a delete marker, the write
    # operation succeeds", userguide/conditional-writes.html), versitygw 1.8.0 does not: so that is not asked here.
    return [said(lambda: s3.put_object(Bucket=BUCKET, Key="twice", Body=b"x", IfNoneMatch="*")) for _ in range(2)]


def complete_on_what_is_there(s3: Any) -> list[str]:
    upload, parts = begun(s3, "there", b"x")
    s3.put_object(Bucket=BUCKET, Key="there", Body=b"the first")
    answers = [complete(s3, "there", upload, parts, IfNoneMatch="*")]
    answers.append(s3.get_object(Bucket=BUCKET, Key="there")["Body"].read().decode())
    # the refused upload still waits for its end
    answers.append(said(lambda: s3.abort_multipart_upload(Bucket=BUCKET, Key="there", UploadId=upload)))
    return answers


def complete_twice(s3: Any) -> list[str]:
    upload, parts = begun(s3, "again", b"x" * (5 * MIB), b"y")
    first = complete(s3, "again", upload, parts, IfNoneMatch="*")
    info = s3.head_object(Bucket=BUCKET, Key="again")
    return [first, str(info["ContentLength"]), info["ETag"]]


def own_words(s3: Any) -> list[str]:
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="words", Metadata={"aegis-upload": "abc"})["UploadId"]
    part = s3.upload_part(Bucket=BUCKET, Key="words", UploadId=upload, PartNumber=1, Body=b"x")
    complete(s3, "words", upload, [{"PartNumber": 1, "ETag": part["ETag"]}])
    s3.put_object(Bucket=BUCKET, Key="word", Body=b"x", Metadata={"aegis-upload": "abc"})
    return [str(s3.head_object(Bucket=BUCKET, Key=key)["Metadata"]) for key in ("words", "word")]


def abort(s3: Any) -> list[str]:
    upload, parts = begun(s3, "aborted", b"x")
    pending = [one["Key"] for one in s3.list_multipart_uploads(Bucket=BUCKET, Prefix="abort")["Uploads"]]
    aborted = said(lambda: s3.abort_multipart_upload(Bucket=BUCKET, Key="aborted", UploadId=upload))
    again = said(lambda: s3.abort_multipart_upload(Bucket=BUCKET, Key="aborted", UploadId=upload))
    left = s3.list_multipart_uploads(Bucket=BUCKET, Prefix="abort").get("Uploads", [])
    late = said(lambda: s3.upload_part(Bucket=BUCKET, Key="aborted", UploadId=upload, PartNumber=2, Body=b"x"))
    return [*pending, aborted, again, str(left), late, complete(s3, "aborted", upload, parts)]


def small_parts(s3: Any) -> list[str]:
    upload, parts = begun(s3, "small", b"x" * (5 * MIB - 1), b"y")
    return [complete(s3, "small", upload, parts)]


def wrong_parts(s3: Any) -> list[str]:
    upload, parts = begun(s3, "wrong", b"x" * (5 * MIB), b"y" * (5 * MIB))
    return [
        complete(s3, "wrong", upload, parts[::-1]),
        complete(s3, "wrong", upload, [{**parts[0], "ETag": parts[1]["ETag"]}]),
        complete(s3, "wrong", upload, [*parts, {"PartNumber": 3, "ETag": parts[1]["ETag"]}]),
        complete(s3, "another key", upload, parts),
        complete(s3, "wrong", "no-such-upload", parts),
        complete(s3, "wrong", upload, parts),
    ]


def part_numbers(s3: Any) -> list[str]:
    upload, _ = begun(s3, "numbers")
    return [
        said(lambda number=number: s3.upload_part(  # type: ignore[misc]
            Bucket=BUCKET, Key="numbers", UploadId=upload, PartNumber=number, Body=b"x"))
        for number in (10_000, 10_001, 0)
    ]  # fmt: skip


def delete(s3: Any) -> list[str]:
    version = s3.put_object(Bucket=BUCKET, Key="deleted", Body=b"x")["VersionId"]
    return [
        said(lambda: s3.delete_object(Bucket=BUCKET, Key="deleted", VersionId=version)),
        said(lambda: s3.head_object(Bucket=BUCKET, Key="deleted")),
        said(lambda: s3.delete_object(Bucket=BUCKET, Key="never there")),
    ]


def no_bucket(s3: Any) -> list[str]:
    return [
        said(lambda: s3.put_object(Bucket="nothing", Key="x", Body=b"x", IfNoneMatch="*")),
        said(lambda: s3.create_multipart_upload(Bucket="nothing", Key="x")),
    ]


EVERY = [
    put_twice, complete_on_what_is_there, complete_twice, own_words, abort, small_parts, wrong_parts, part_numbers,
    delete, no_bucket,
]  # fmt: skip


@pytest.mark.parametrize("ask", EVERY, ids=lambda ask: ask.__name__)
def test_both_say_the_same(both: tuple[Any, Any], ask: Callable[[Any], list[str]]) -> None:
    ours, theirs = (ask(s3) for s3 in both)
    assert ours == theirs


def test_wrong_keys(both: tuple[Any, Any]) -> None:
    answers = []
    for s3 in both:
        wrong = client("s3", s3.meta.endpoint_url, AwsCredentials(CREDENTIALS.access_key, "wrong"))
        answers.append(said(lambda wrong=wrong: wrong.put_object(Bucket=BUCKET, Key="x", Body=b"x")))  # type: ignore[misc]
    assert answers[0] == answers[1] == "403 SignatureDoesNotMatch"
