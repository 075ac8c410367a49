"""Writing to an OCI Object Storage that takes nothing for granted: whole or not at all, once, and nothing is left."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from aegis.adapters.objects import part_upload
from aegis.adapters.objects.oci_writing import WritableOci
from aegis.core.errors import AegisError
from tests.doubles.oci import object_writes
from tests.doubles.oci.serving import Answer, Fault, json_answer
from tests.doubles.oci.tenancy import BUCKET, NAMESPACE, REGION, Tenancy, tenancy

MIB = 1 << 20
KEY = "staging/db/1-0/dump"
SMALL = b"a small object"
LARGE = hashlib.shake_256(b"dump").digest(5 * MIB)
"""Three parts of 2 MiB, which here stand for the 10 MiB of the smallest that OCI takes."""
GROUP = "'Default'/'verifiers'"
ALL = (
    "OBJECT_CREATE", "OBJECT_OVERWRITE", "OBJECT_DELETE", "OBJECT_VERSION_DELETE", "BUCKET_READ",
)  # fmt: skip
REQUESTS = ("PUT /n/octons/b/models/o/", "POST /n/octons/b/models/u", "uploadPartNum=", "POST /n/octons/b/models/u/")
"""Of lines, what tells PutObject, CreateMultipartUpload, UploadPart and CommitMultipartUpload."""


AS_THEY_ARE = part_upload.PART, object_writes.MIN_PART


def test_parts_are_as_large_as_oci_wants_them() -> None:
    part, least = AS_THEY_ARE
    assert part >= least


def statement(*permissions: str) -> str:
    """What lets a group write, as an administrator says it."""
    named = ", ".join(f"request.permission = '{each}'" for each in permissions)
    condition = f"all {{target.bucket.name = '{BUCKET}', any {{{named}}}}}"
    return f"Allow group {GROUP} to manage objects in compartment staging where {condition}"


@pytest.fixture
def oci(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenancy]:
    monkeypatch.setattr(part_upload, "PART", 2 * MIB)
    monkeypatch.setattr(object_writes, "MIN_PART", 2 * MIB)
    with tenancy() as running:
        running.storage.policy = (*running.storage.policy, statement(*ALL))
        yield running


def store(oci: Tenancy, timeout: float = 300.0, bucket: str = BUCKET) -> WritableOci:
    clock = oci.time.store_clock()
    return WritableOci(
        NAMESPACE, bucket, REGION, oci.signer(), endpoint=oci.storage.address, clock=clock, timeout=timeout
    )


def put(of: WritableOci, data: bytes, key: str = KEY) -> None:
    with of.create(key) as upload:
        for place in range(0, len(data), 3 * MIB):
            upload.write(memoryview(data)[place : place + 3 * MIB])


def begin(of: WritableOci, data: bytes, then: Callable[[], object]) -> None:
    """Write, and do something before the end."""
    with of.create(KEY) as upload:
        upload.write(data)
        then()


def fail(error: BaseException) -> None:
    raise error


def content(oci: Tenancy, key: str = KEY) -> bytes | None:
    version = oci.bucket.current(key)
    return version.data if version is not None else None


def refused(oci: Tenancy, do: Callable[[], object]) -> AegisError:
    """The error; no secret is in it, nor in anything that it is chained to."""
    with pytest.raises(AegisError) as caught:
        do()
    told = "".join(traceback.format_exception(caught.value))
    assert all(secret not in told for secret in oci.secrets)
    return caught.value


class TestWhole:
    @pytest.mark.parametrize("data", [b"", SMALL, LARGE[: 2 * MIB - 1]], ids=["empty", "small", "just one"])
    def test_what_is_small_goes_in_one_request(self, oci: Tenancy, data: bytes) -> None:
        put(store(oci), data)
        assert content(oci) == data
        assert len(oci.storage.requests) == 1

    @pytest.mark.parametrize("size", [2 * MIB, 2 * MIB + 1, 5 * MIB])
    def test_what_is_large_goes_in_parts(self, oci: Tenancy, size: int) -> None:
        put(store(oci), LARGE[:size])
        assert content(oci) == LARGE[:size]
        assert sum("uploadPartNum=" in each.line for each in oci.storage.requests) == -(-size // (2 * MIB))
        assert not oci.bucket.uploads

    def test_it_is_not_there_before_the_end(self, oci: Tenancy) -> None:
        of = store(oci)
        with of.create(KEY) as upload:
            upload.write(LARGE)
            assert of.head(KEY) is None
        assert of.head(KEY) is not None

    def test_names_of_every_kind(self, oci: Tenancy) -> None:
        for key in ("staging/a b+c%20d", "staging/é~(1)&'<x>", "staging/=;:@,$!"):
            put(store(oci), LARGE, key)
            assert content(oci, key) == LARGE

    def test_what_was_written_can_be_listed_and_read(self, oci: Tenancy) -> None:
        of = store(oci)
        put(of, LARGE)
        (info,) = of.list("staging/db/")
        assert b"".join(of.read(info)) == LARGE


class TestOnce:
    @pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
    def test_what_is_there_stays_as_it_is(self, oci: Tenancy, data: bytes) -> None:
        oci.bucket.put(KEY, b"the first")
        assert refused(oci, lambda: put(store(oci), data)).code == "backup_check.object_exists"
        assert content(oci) == b"the first"
        assert not oci.bucket.uploads

    @pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
    def test_what_came_meanwhile_stays_too(self, oci: Tenancy, data: bytes) -> None:
        meanwhile = partial(oci.bucket.put, KEY, b"the first")
        assert refused(oci, lambda: begin(store(oci), data, meanwhile)).code == "backup_check.object_exists"
        assert content(oci) == b"the first"
        assert not oci.bucket.uploads


class TestNothingIsLeft:
    @pytest.mark.parametrize("size", [0, 1 * MIB, 5 * MIB])
    @pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt()], ids=["own", "^C"])
    def test_when_the_producer_fails(self, oci: Tenancy, size: int, error: BaseException) -> None:
        with pytest.raises(type(error)):
            begin(store(oci), LARGE[:size], partial(fail, error))
        assert content(oci) is None
        assert not oci.bucket.uploads

    @pytest.mark.parametrize("request_", REQUESTS, ids=["put", "create", "part", "commit"])
    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            (json_answer(404, {"code": "BucketNotFound"}), "backup_check.write_denied"),
            (json_answer(401, {"code": "NotAuthenticated"}), "backup_check.write_denied"),
            (json_answer(500, {"code": "InternalServerError"}), "verify.store_failed"),
            (json_answer(409, {"code": "ConcurrentObjectUpdate"}), "verify.store_failed"),
            (Answer(307, b"", {"Location": "http://localhost:1/x"}), "verify.store_redirected"),
        ],
        ids=["404", "401", "500", "409", "redirect"],
    )
    def test_when_the_store_fails_for_good(self, oci: Tenancy, request_: str, answer: Answer, code: str) -> None:
        oci.storage.faults = [Fault(answer=answer, on=request_, times=-1)]
        of = store(oci)
        assert refused(oci, lambda: put(of, SMALL if request_.startswith("PUT") else LARGE)).code == code
        assert content(oci) is None
        assert not oci.bucket.uploads
        assert of._memory._held == 0

    def test_but_what_could_not_be_removed_is_told(self, oci: Tenancy) -> None:
        """Whoever may not delete may not abort either."""
        oci.storage.policy = (*oci.storage.policy[:-1], statement("OBJECT_CREATE", "OBJECT_OVERWRITE"))
        oci.storage.faults = [Fault(answer=json_answer(500, {}), on="uploadPartNum=", times=-1)]
        assert refused(oci, lambda: put(store(oci), LARGE)).code == "backup_check.upload_left"
        assert len(oci.bucket.uploads) == 1

    @pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
    def test_who_may_only_read(self, oci: Tenancy, data: bytes) -> None:
        oci.storage.policy = oci.storage.policy[:-1]
        assert refused(oci, lambda: put(store(oci), data)).code == "backup_check.write_denied"
        assert content(oci) is None

    def test_no_such_bucket(self, oci: Tenancy) -> None:
        assert refused(oci, lambda: put(store(oci, bucket="none"), SMALL)).code == "backup_check.write_denied"


class TestTransient:
    @pytest.mark.parametrize("request_", REQUESTS, ids=["put", "create", "part", "commit"])
    @pytest.mark.parametrize(
        "fault",
        [
            Fault(answer=json_answer(500, {"code": "InternalServerError"})),
            Fault(answer=json_answer(429, {"code": "TooManyRequests"})),
            Fault(raw=b""),
            Fault(alter=lambda _: json_answer(500, {"code": "InternalServerError"})),
            Fault(alter=lambda _: json_answer(503, {})),
        ],
        ids=["500", "429", "closed", "done and 500", "done and 503"],
    )
    def test_a_fault_that_passes(self, oci: Tenancy, request_: str, fault: Fault) -> None:
        oci.storage.faults = [Fault(answer=fault.answer, alter=fault.alter, raw=fault.raw, on=request_)]
        data = SMALL if request_.startswith("PUT") else LARGE
        put(store(oci), data)
        assert content(oci) == data
        assert len(oci.bucket.objects[KEY]) == 1
        assert not oci.bucket.uploads

    def test_another_ones_object_is_not_taken_for_ours(self, oci: Tenancy) -> None:
        def lost(_: Answer) -> Answer:
            oci.bucket.objects.pop(KEY)
            oci.bucket.put(KEY, b"of others")
            return json_answer(500, {})

        oci.storage.faults = [Fault(alter=lost, on=REQUESTS[0])]
        assert refused(oci, lambda: put(store(oci), SMALL)).code == "backup_check.object_exists"
        assert content(oci) == b"of others"

    @pytest.mark.parametrize(
        "document",
        [b"", b"[]", b'{"object": "other", "uploadId": "x"}', b'{"object": "staging/db/1-0/dump"}', b'{"uploadId": 1}'],
    )
    def test_an_upload_whose_id_nobody_knows_is_ended(self, oci: Tenancy, document: bytes) -> None:
        oci.storage.faults = [Fault(alter=lambda _: Answer(200, document), on=REQUESTS[1], times=-1)]
        assert refused(oci, lambda: put(store(oci), LARGE)).code == "verify.store_failed"
        assert content(oci) is None
        assert not oci.bucket.uploads


class TestRemoval:
    def test_one_version(self, oci: Tenancy) -> None:
        of = store(oci)
        oci.bucket.put(KEY, b"the first")
        second = oci.bucket.put(KEY, b"the second")
        info = of.head(KEY)
        assert info is not None
        assert info.version == second.version
        of.delete(info)
        assert content(oci) == b"the first"

    def test_without_versions_only_the_one_that_was_seen(self, oci: Tenancy) -> None:
        of = store(oci)
        oci.bucket.versioned = False
        oci.bucket.put(KEY, b"the first")
        info = of.head(KEY)
        assert info is not None
        oci.bucket.put(KEY, b"the second")
        assert refused(oci, lambda: of.delete(info)).code == "verify.store_changed"
        assert content(oci) == b"the second"

    def test_it_may_be_gone_already(self, oci: Tenancy) -> None:
        of = store(oci)
        oci.bucket.put(KEY, b"x")
        info = of.head(KEY)
        assert info is not None
        of.delete(info)
        of.delete(info)
        assert content(oci) is None

    def test_who_may_not(self, oci: Tenancy) -> None:
        oci.storage.policy = (*oci.storage.policy[:-1], statement("OBJECT_CREATE"))
        of = store(oci)
        oci.bucket.put(KEY, b"x")
        info = of.head(KEY)
        assert info is not None
        assert refused(oci, lambda: of.delete(info)).code == "backup_check.write_denied"
        assert content(oci) == b"x"
