"""Writing to an S3 that takes nothing for granted: whole or not at all, once, and nothing left behind."""

from __future__ import annotations

import hashlib
import re
import threading
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from aegis.adapters.objects import part_upload
from aegis.adapters.objects.part_upload import MAX_PARTS, PART, part_size
from aegis.adapters.objects.s3_writing import WritableS3
from aegis.core.errors import AegisError
from aegis.core.ports.credentials import AwsCredentials
from tests.doubles.aws import s3 as double
from tests.doubles.aws.s3 import S3, Key
from tests.doubles.aws.s3_faults import FOREVER, Fault
from tests.support.network.s3 import CREDENTIALS
from tests.support.network.stores import Time

MIB = 1 << 20
KEY = "db/1-0/dump"
SMALL = b"a small object"
LARGE = hashlib.shake_256(b"dump").digest(13 * MIB)
"""Three parts of 5 MiB, the smallest that S3 takes."""
SILENT = 600.0
"""Seconds without an answer: longer than anybody waits, and than this process may stand still."""
WRITES = ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload")


@pytest.fixture
def service() -> Iterator[S3]:
    with double.serve(S3()) as running:
        yield running


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_upload, "PART", 5 * MIB)


def store(service: S3, source: Callable[[], AwsCredentials] = lambda: CREDENTIALS, **more: Any) -> WritableS3:
    more.setdefault("clock", Time().clock())
    return WritableS3("models", service.region, source, endpoint=service.address, **more)


def hurried(service: S3) -> WritableS3:
    """One that waits for an answer as short as it may where all others than the silent one come."""
    return store(service, timeout=1)


def put(of: WritableS3, data: bytes, key: str = KEY, step: int = 3 * MIB) -> None:
    with of.create(key) as upload:
        for place in range(0, len(data), step):
            upload.write(memoryview(data)[place : place + step])


def begin(of: WritableS3, data: bytes, then: Callable[[], object]) -> None:
    """Write, and do something before the end."""
    with of.create(KEY) as upload:
        upload.write(data)
        then()


def fail(error: BaseException) -> None:
    raise error


def content(service: S3, key: str = KEY) -> bytes | None:
    version = service.current("models", key)
    return version.data if version is not None else None


def refused(do: Callable[[], object]) -> AegisError:
    """The error; no secret is in it, nor in anything that it is chained to."""
    with pytest.raises(AegisError) as caught:
        do()
    text = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__dict__)
    assert double.SECRET_KEY not in text
    assert double.TOKEN not in text
    return caught.value


def operations(service: S3) -> list[str]:
    return [asked.operation for asked in service.asked]


class TestWhole:
    @pytest.mark.parametrize("data", [b"", SMALL, LARGE[: 5 * MIB - 1]], ids=["empty", "small", "just one"])
    def test_what_is_small_goes_in_one_request(self, service: S3, data: bytes) -> None:
        put(store(service), data)
        assert content(service) == data
        assert operations(service) == ["PutObject"]

    @pytest.mark.parametrize("size", [5 * MIB, 5 * MIB + 1, 10 * MIB, 13 * MIB])
    @pytest.mark.parametrize("step", [1 * MIB, 7 * MIB, 64 * MIB])
    def test_what_is_large_goes_in_parts(self, service: S3, size: int, step: int) -> None:
        put(store(service), LARGE[:size], step=step)
        assert content(service) == LARGE[:size]
        assert operations(service).count("UploadPart") == -(-size // (5 * MIB))
        assert not service.uploads

    def test_it_is_not_there_before_the_end(self, service: S3) -> None:
        of = store(service)
        with of.create(KEY) as upload:
            upload.write(LARGE)
            assert of.head(KEY) is None
        assert of.head(KEY) is not None

    def test_what_the_caller_does_with_its_buffer_afterwards_does_not_matter(self, service: S3) -> None:
        buffer = bytearray(LARGE)
        with store(service).create(KEY) as upload:
            upload.write(memoryview(buffer))
            buffer[:] = bytes(len(buffer))
        assert content(service) == LARGE

    def test_names_of_every_kind(self, service: S3) -> None:
        for key in ("a b+c%20d", "é~(1)&'<x>", "=;:@,$!"):
            put(store(service), LARGE, key)
            assert content(service, key) == LARGE

    def test_several_at_once_share_the_memory(self, service: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(part_upload, "MEMORY", 10 * MIB)
        of = store(service)
        held: list[int] = []
        taken, given = of._memory.take, of._memory.give

        def take(size: int) -> None:
            taken(size)
            held.append(of._memory._held)

        monkeypatch.setattr(of._memory, "take", take)
        monkeypatch.setattr(of._memory, "give", given)
        threads = [threading.Thread(target=put, args=(of, LARGE, f"k{n}")) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(content(service, f"k{n}") == LARGE for n in range(4))
        assert max(held) <= 10 * MIB
        assert of._memory._held == 0

    def test_a_part_larger_than_the_memory_goes_alone(self, service: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(part_upload, "MEMORY", 1 * MIB)
        put(store(service), LARGE)
        assert content(service) == LARGE


class TestPartSizes:
    @pytest.fixture(autouse=True)
    def as_they_are(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(part_upload, "PART", PART)

    def test_the_number_of_parts_never_binds(self) -> None:
        sizes = [part_size(number) for number in range(1, MAX_PARTS + 1)]
        assert sizes[0] >= 5 * MIB
        total, number = 0, 0
        while total < 5 << 40:
            total += sizes[number]
            number += 1
        assert number < MAX_PARTS
        assert sizes[number - 1] <= 5 << 30

    def test_and_the_first_gigabytes_are_sent_in_small_ones(self) -> None:
        assert {part_size(number) for number in range(1, 641)} == {16 * MIB}  # 10 GiB


class TestOnce:
    @pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
    def test_what_is_there_stays_as_it_is(self, service: S3, data: bytes) -> None:
        service.put(KEY, b"the first")
        assert refused(lambda: put(store(service), data)).code == "backup_check.object_exists"
        assert content(service) == b"the first"
        assert not service.uploads

    @pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
    def test_what_came_meanwhile_stays_too(self, service: S3, data: bytes) -> None:
        meanwhile = partial(service.put, KEY, b"the first")
        assert refused(lambda: begin(store(service), data, meanwhile)).code == "backup_check.object_exists"
        assert content(service) == b"the first"
        assert not service.uploads

    def test_what_was_deleted_is_not_there(self, service: S3) -> None:
        service.put(KEY, b"the first")
        service.delete(KEY)
        put(store(service), SMALL)
        assert content(service) == SMALL


class TestNothingIsLeft:
    @pytest.mark.parametrize("size", [0, 1 * MIB, 13 * MIB])
    @pytest.mark.parametrize(
        "error", [RuntimeError("no"), KeyboardInterrupt(), SystemExit(1)], ids=["own", "^C", "exit"]
    )
    def test_when_the_producer_fails(self, service: S3, size: int, error: BaseException) -> None:
        with pytest.raises(type(error)):
            begin(store(service), LARGE[:size], partial(fail, error))
        assert content(service) is None
        assert not service.uploads

    @pytest.mark.parametrize(
        "operation", ["PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"]
    )
    @pytest.mark.parametrize(
        ("fault", "code"),
        [
            (Fault(status=403, code="AccessDenied"), "backup_check.write_denied"),
            (Fault(status=400, code="ExpiredToken"), "backup_check.write_denied"),
            (Fault(status=404, code="NoSuchBucket"), "backup_check.bucket_missing"),
            (Fault(status=500), "verify.store_failed"),
            (Fault(status=503, code="SlowDown"), "verify.store_failed"),
            (Fault(drop=True), "verify.store_failed"),
            (Fault(silence=SILENT, drop=True), "verify.store_slow"),
            (Fault(status=307, headers={"Location": "http://localhost:1/x"}), "verify.store_redirected"),
        ],
        ids=["403", "expired", "404", "500", "503", "cut", "silent", "redirect"],
    )  # fmt: skip
    def test_when_the_store_fails_for_good(self, service: S3, operation: str, fault: Fault, code: str) -> None:
        fault.operation, fault.times = operation, FOREVER
        service.faults = [fault]
        of = hurried(service) if fault.silence else store(service)
        data = SMALL if operation == "PutObject" else LARGE
        assert refused(lambda: put(of, data)).code == code
        assert content(service) is None
        assert not service.uploads
        assert of._memory._held == 0

    def test_but_what_could_not_be_removed_is_told(self, service: S3) -> None:
        service.faults = [
            Fault("UploadPart", status=403, code="AccessDenied", times=FOREVER),
            Fault("AbortMultipartUpload", status=403, code="AccessDenied", times=FOREVER),
        ]
        error = refused(lambda: put(store(service), LARGE))
        assert error.code == "backup_check.upload_left"
        assert "AbortIncompleteMultipartUpload" in error.remedy
        assert len(service.uploads) == 1

    def test_no_such_bucket(self, service: S3) -> None:
        for data in (SMALL, LARGE):
            of = WritableS3("nothing", service.region, lambda: CREDENTIALS, endpoint=service.address)
            assert refused(lambda data=data, of=of: put(of, data)).code == "backup_check.bucket_missing"  # type: ignore[misc]

    def test_who_may_not_write(self, service: S3) -> None:
        service.authorizer = Key(denied=frozenset({"s3:PutObject"}))
        for data in (SMALL, LARGE):
            assert refused(lambda data=data: put(store(service), data)).code == "backup_check.write_denied"  # type: ignore[misc]

    def test_wrong_keys(self, service: S3) -> None:
        wrong = AwsCredentials(double.ACCESS_KEY, "wrong", double.TOKEN)
        assert refused(lambda: put(store(service, lambda: wrong), SMALL)).code == "backup_check.write_denied"


class TestTransient:
    @pytest.mark.parametrize("operation", WRITES)
    @pytest.mark.parametrize("done", [False, True], ids=["not done", "done"])
    @pytest.mark.parametrize("how", ["500", "drop", "slow", "cut"])
    def test_a_fault_that_passes(self, service: S3, operation: str, done: bool, how: str) -> None:
        faults = {
            "500": Fault(operation, status=500, done=done),
            "drop": Fault(operation, drop=True, done=done),
            "slow": Fault(operation, drop=True, silence=SILENT, done=done),
            "cut": Fault(operation, status=0 if done else 500, done=done, cut=20),
        }
        service.faults = [faults[how]]
        of = hurried(service) if how == "slow" else store(service)
        if operation == "AbortMultipartUpload":
            with pytest.raises(RuntimeError):
                begin(of, LARGE, partial(fail, RuntimeError()))
            assert content(service) is None
        else:
            data = SMALL if operation == "PutObject" else LARGE
            put(of, data)
            assert content(service) == data
            assert len(service.buckets["models"][KEY]) == 1
        assert not service.uploads

    @pytest.mark.parametrize("operation", ["PutObject", "CompleteMultipartUpload"])
    def test_another_ones_object_is_not_taken_for_ours(self, service: S3, operation: str) -> None:
        """The answer is lost, and nothing was done; meanwhile somebody else has put something there."""
        service.faults = [Fault(operation, drop=True, meanwhile=lambda s3: s3.put(KEY, b"of others"))]
        data = SMALL if operation == "PutObject" else LARGE
        assert refused(lambda: put(store(service), data)).code == "backup_check.object_exists"
        assert content(service) == b"of others"
        assert not service.uploads

    def test_success_that_turns_into_an_error(self, service: S3) -> None:
        """S3 says 200 before it is done with joining parts, and may still fail."""
        late = b"<Error><Code>InternalError</Code></Error>"
        service.faults = [Fault("CompleteMultipartUpload", status=200, edit=lambda body: late, times=FOREVER)]
        error = refused(lambda: put(store(service), LARGE))
        assert (error.code, "200 InternalError" in error.problem) == ("verify.store_failed", True)
        assert content(service) is None
        assert not service.uploads

    @pytest.mark.parametrize(
        ("operation", "body"),
        [
            ("CreateMultipartUpload", b"<InitiateMultipartUploadResult/>"),
            ("CreateMultipartUpload", b"no document"),
            ("CreateMultipartUpload", b"<Other><UploadId>x</UploadId></Other>"),
            ("CompleteMultipartUpload", b""),
            ("CompleteMultipartUpload", b"<!DOCTYPE x><CompleteMultipartUploadResult/>"),
        ],
        ids=["no id", "no xml", "another document", "nothing", "document type"],
    )
    def test_an_answer_that_says_nothing(self, service: S3, operation: str, body: bytes) -> None:
        service.faults = [Fault(operation, status=200, edit=lambda _: body, times=FOREVER)]
        assert refused(lambda: put(store(service), LARGE)).code == "verify.store_failed"
        assert content(service) is None
        assert not service.uploads

    def test_a_part_without_an_etag(self, service: S3) -> None:
        service.faults = [Fault("UploadPart", headers={"ETag": None}, times=FOREVER)]
        assert "no ETag" in refused(lambda: put(store(service), LARGE)).problem
        assert not service.uploads

    def test_a_refusal_that_comes_before_all_was_read(self) -> None:
        """Servers answer and close at once; what they said is told, not that the wire broke."""
        import socket

        with socket.create_server(("127.0.0.1", 0)) as server:

            def answer() -> None:
                while True:
                    try:
                        client, _ = server.accept()
                    except OSError:
                        return
                    with client:
                        client.recv(1000)
                        client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                        client.shutdown(socket.SHUT_WR)
                        client.recv(1000)

            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            address = f"http://127.0.0.1:{server.getsockname()[1]}"
            of = WritableS3("models", "eu-central-1", lambda: CREDENTIALS, endpoint=address, clock=Time().clock())
            assert refused(lambda: put(of, LARGE[: 4 * MIB])).code == "backup_check.write_denied"
            server.shutdown(socket.SHUT_RDWR)


class TestSigned:
    def test_content_that_changes_on_its_way_is_refused(self, service: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        from aegis.adapters.objects import store_http

        send = store_http._send
        monkeypatch.setattr(store_http, "_send", lambda to, data: send(to, bytes(data).replace(b"small", b"SMALL")))
        assert refused(lambda: put(store(service), SMALL)).code == "verify.store_failed"
        assert content(service) is None

    def test_each_part_is_signed_anew_with_what_the_source_gives(self, service: S3) -> None:
        asked: list[int] = []

        def source() -> AwsCredentials:
            asked.append(1)
            return CREDENTIALS

        put(store(service, source), LARGE)
        assert len(asked) == len(operations(service)) == 5


class TestDelete:
    def test_a_version_is_gone_for_good(self, service: S3) -> None:
        of = store(service)
        put(of, SMALL)
        (info,) = of.list("db/")
        of.delete(info)
        assert KEY not in service.buckets["models"]
        of.delete(info)

    def test_without_versions(self) -> None:
        with double.serve(S3(versioned=False)) as service:
            of = store(service)
            put(of, SMALL)
            (info,) = of.list("db/")
            assert info.version is None
            of.delete(info)
            of.delete(info)
            assert of.list("db/") == ()

    def test_who_may_not(self, service: S3) -> None:
        of = store(service)
        put(of, SMALL)
        (info,) = of.list("db/")
        service.authorizer = Key(denied=frozenset({"s3:DeleteObjectVersion"}))
        assert refused(lambda: of.delete(info)).code == "backup_check.write_denied"
        assert content(service) == SMALL

    def test_a_fault_that_passes(self, service: S3) -> None:
        of = store(service)
        put(of, SMALL)
        (info,) = of.list("db/")
        service.faults = [Fault("DeleteObject", drop=True, done=True)]
        of.delete(info)
        assert content(service) is None


def test_an_upload_is_known_by_a_word_that_nobody_can_guess(service: S3) -> None:
    put(store(service), SMALL, "a")
    put(store(service), LARGE, "b")
    words = [service.buckets["models"][key][0].meta["x-amz-meta-aegis-upload"] for key in "ab"]
    assert all(re.fullmatch("[0-9a-f]{32}", word) for word in words)
    assert len(set(words)) == 2
