"""The S3 adapter and the transfer over an S3 that checks signatures, and that breaks in every way that is known."""

from __future__ import annotations

import datetime
import gzip
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from aegis.adapters.objects import s3 as objects_s3
from aegis.adapters.objects.s3 import S3Store
from aegis.adapters.objects.store_http import Reply, whole
from aegis.core.errors import AegisError, CouldNotDecide, UsageError
from aegis.core.ports.credentials import AwsCredentials
from aegis.core.ports.objects import ObjectInfo, ObjectStore
from aegis.storage.hashing import KeepingSink, Sink
from aegis.storage.patience import Patience
from aegis.storage.transfer import read_all, read_once
from tests.doubles.aws import s3 as double
from tests.doubles.aws.s3 import S3, Key
from tests.doubles.aws.s3_faults import FOREVER, Fault
from tests.support.network.s3 import CREDENTIALS, s3_store
from tests.support.network.stores import Time

DATA = bytes(range(256)) * 1000
NAMES = ["m/a b+c%20d.bin", "m/a.bin", "m/é~(1)&'<x>.bin", "m/z/deep/file"]


@pytest.fixture
def service() -> Iterator[S3]:
    with double.serve(S3()) as running:
        for name in NAMES:
            running.put(name, DATA)
        running.put("other", b"other")
        yield running


def read(store: ObjectStore, info: ObjectInfo, clock: Time | None = None) -> bytes:
    kept = KeepingSink()
    read_once(store, info, [kept], clock=(clock or Time()).clock())
    return kept.content


def head(store: S3Store, key: str = "m/a.bin") -> ObjectInfo:
    info = store.head(key)
    assert info is not None
    return info


def told(do: Callable[[], object]) -> AegisError:
    """The error; no secret is in it, nor in anything that it is chained to."""
    with pytest.raises(AegisError) as caught:
        do()
    text = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__dict__)
    assert double.SECRET_KEY not in text
    assert double.TOKEN not in text
    return caught.value


@dataclass(frozen=True)
class Within(Key):
    """May read and list below one prefix only, as the session policy of a run allows."""

    prefix: str = "m/"

    def allowed(self, access_key: str, action: str, resource_arn: str, context: Mapping[str, str]) -> bool:
        if action.startswith("s3:List"):
            return action not in self.denied and context.get("s3:prefix", "").startswith(self.prefix)
        return action not in self.denied and resource_arn.startswith(f"arn:aws:s3:::models/{self.prefix}")


class TestList:
    @pytest.mark.parametrize("page_size", [1, 2, 3, 1000])
    def test_all_pages_with_their_versions(self, service: S3, page_size: int) -> None:
        service.page_size = page_size
        found = s3_store(service).list("m/")
        assert [info.key for info in found] == sorted(NAMES)
        assert all(info.size == len(DATA) and info.version and info.etag for info in found)
        assert [read(s3_store(service), info) for info in found] == [DATA] * len(NAMES)

    @pytest.mark.parametrize("page_size", [1, 2, 3, 1000])
    def test_old_versions_and_deleted_objects_are_not_there(self, service: S3, page_size: int) -> None:
        service.page_size = page_size
        newest = service.put("m/a.bin", b"new")
        service.delete("m/z/deep/file")
        found = {info.key: info for info in s3_store(service).list("m/")}
        assert sorted(found) == sorted(set(NAMES) - {"m/z/deep/file"})
        assert found["m/a.bin"].version == newest
        assert found["m/a.bin"].size == 3

    @pytest.mark.parametrize("page_size", [1, 2, 1000])
    def test_without_the_permission_to_list_versions_there_are_none(self, service: S3, page_size: int) -> None:
        service.page_size = page_size
        service.authorizer = Key(denied=frozenset({"s3:ListBucketVersions"}))
        found = s3_store(service).list("m/")
        assert [(info.key, info.version) for info in found] == [(key, None) for key in sorted(NAMES)]
        assert read(s3_store(service), found[0]) == DATA

    def test_a_bucket_without_versions_has_none(self) -> None:
        with double.serve(S3(versioned=False)) as service:
            service.put("a", DATA)
            (info,) = s3_store(service).list("")
            assert info.version is None
            assert read(s3_store(service), info) == DATA
            assert s3_store(service).head("a") == info

    def test_nothing_below_a_prefix(self, service: S3) -> None:
        assert s3_store(service).list("nothing/") == ()

    @pytest.mark.parametrize(
        "edit",
        {
            "truncated without a token": lambda body: body.replace(b"false</IsTruncated>", b"true</IsTruncated>"),
            "cut in the middle": lambda body: body[: len(body) // 2],
            "empty": lambda body: b"",
            "no XML": lambda body: b"OK",
            "another document": lambda body: b"<html/>",
            "a document type": lambda body: b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + body.split(b"\n", 1)[1],
            "another prefix": lambda body: body.replace(b"<Prefix>m/</Prefix>", b"<Prefix>n/</Prefix>"),
            "a key elsewhere": lambda body: body.replace(b"<Key>m/a.bin", b"<Key>n/a.bin"),
            "a key twice": lambda body: body.replace(b"<Key>m/z/deep/file", b"<Key>m/a.bin"),
            "a key that is no text": lambda body: body.replace(b"<Key>m/a.bin", b"<Key>m/%ff.bin"),
            "a negative size": lambda body: body.replace(b"<Size>256000", b"<Size>-1", 1),
            "a size in words": lambda body: body.replace(b"<Size>256000", b"<Size>many", 1),
            "no size": lambda body: body.replace(b"<Size>256000</Size>", b"", 1),
            "two sizes": lambda body: body.replace(b"<Size>256000</Size>", b"<Size>1</Size><Size>256000</Size>", 1),
            "no ETag": lambda body: body.replace(b"<ETag>", b"<Etag>").replace(b"</ETag>", b"</Etag>"),
            "no end": lambda body: body.replace(b"<IsTruncated>false</IsTruncated>", b""),
            "an unclear end": lambda body: body.replace(b"<IsTruncated>false", b"<IsTruncated>no"),
            "another encoding": lambda body: body.replace(b"<EncodingType>url", b"<EncodingType>rot13"),
        }.items(),
        ids=lambda item: item[0],
    )
    @pytest.mark.parametrize("operation", ["ListObjectVersions", "ListObjectsV2"])
    def test_a_listing_that_is_not_whole_is_an_error(
        self, service: S3, operation: str, edit: tuple[str, Callable[[bytes], bytes]]
    ) -> None:
        if operation == "ListObjectsV2":
            service.authorizer = Key(denied=frozenset({"s3:ListBucketVersions"}))
        change = edit[1]
        if edit[0] == "a key twice":
            # In a listing of versions, the same version twice; a key may well stand twice there.
            name = service.buckets["models"]["m/a.bin"][0].id.encode()
            other = service.buckets["models"]["m/z/deep/file"][0].id.encode()
            change = lambda body: edit[1](body).replace(other, name)  # noqa: E731 - as the others
        service.faults = [Fault(operation, times=FOREVER, edit=change)]
        assert told(lambda: s3_store(service).list("m/")).code == "verify.store_listing"

    def test_two_latest_versions_of_one_key_are_an_error(self, service: S3) -> None:
        service.put("m/a.bin", b"new")
        service.faults = [
            Fault("ListObjectVersions", edit=lambda body: body.replace(b"<IsLatest>false", b"<IsLatest>true"))
        ]
        assert told(lambda: s3_store(service).list("m/")).code == "verify.store_listing"

    @pytest.mark.parametrize("operation", ["ListObjectVersions", "ListObjectsV2"])
    def test_a_listing_that_repeats_its_page_is_an_error(self, service: S3, operation: str) -> None:
        if operation == "ListObjectsV2":
            service.authorizer = Key(denied=frozenset({"s3:ListBucketVersions"}))
        service.page_size = 2
        pages: list[bytes] = []

        def again(body: bytes) -> bytes:
            pages.append(body)
            return pages[0]

        service.faults = [Fault(operation, times=FOREVER, edit=again)]
        assert told(lambda: s3_store(service).list("m/")).code == "verify.store_listing"
        assert len(pages) == 2

    def test_so_is_one_that_repeats_what_was_deleted(self, service: S3) -> None:
        service.page_size = 1
        service.delete(min(NAMES))
        pages: list[bytes] = []

        def again(body: bytes) -> bytes:
            pages.append(body)
            return pages[0]

        service.faults = [Fault("ListObjectVersions", times=10, edit=again)]
        assert told(lambda: s3_store(service).list("m/")).code == "verify.store_listing"
        assert len(pages) == 2

    def test_a_listing_without_an_end_is_an_error(self, service: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(objects_s3, "MAX_OBJECTS", 3)
        assert told(lambda: s3_store(service).list("m/")).code == "verify.too_many_objects"

    def test_a_page_that_is_cut_off_is_asked_for_again(self, service: S3) -> None:
        service.faults = [Fault("ListObjectVersions", times=2, cut=100)]
        assert len(s3_store(service).list("m/")) == len(NAMES)

    def test_a_page_that_is_always_cut_off_is_an_error(self, service: S3) -> None:
        service.faults = [Fault("ListObjectVersions", times=FOREVER, cut=100)]
        clock = Time()
        assert told(lambda: s3_store(service, clock).list("m/")).code == "verify.store_cut"
        assert len(clock.slept) == 3

    @pytest.mark.parametrize("code", ["AccessDenied", "NoSuchBucket"])
    def test_what_may_not_be_listed_is_an_error(self, service: S3, code: str) -> None:
        if code == "AccessDenied":
            service.authorizer = Key(denied=frozenset({"s3:ListBucketVersions", "s3:ListBucket"}))
        else:
            service.buckets.clear()
        expected = {"AccessDenied": "verify.store_denied", "NoSuchBucket": "verify.store_missing"}[code]
        error = told(lambda: s3_store(service).list("m/"))
        assert error.code == expected
        assert code in error.problem


class TestFolders:
    @pytest.mark.parametrize("page_size", [1, 2, 1000])
    def test_those_right_below_a_prefix_by_name(self, service: S3, page_size: int) -> None:
        for name in ("m/b c%/1", "m/b/1", "m/b/2/3", "m/gone/1"):
            service.put(name, b"x")
        service.delete("m/gone/1")
        service.page_size = page_size
        assert s3_store(service).folders("m/") == ("m/b c%/", "m/b/", "m/z/")
        assert s3_store(service).folders("m/b/") == ("m/b/2/",)
        assert s3_store(service).folders("") == ("m/",)

    def test_nothing_is_no_folder(self, service: S3) -> None:
        assert s3_store(service).folders("nothing/") == ()

    def test_a_thousand_are_one_request(self, service: S3) -> None:
        for number in range(1000):
            service.put(f"many/{number:04}/a", b"")
            service.put(f"many/{number:04}/b", b"")
        before = len(service.asked)
        assert len(s3_store(service).folders("many/")) == 1000
        assert len(service.asked) == before + 1

    def test_a_role_that_may_not_list_is_told(self, service: S3) -> None:
        service.authorizer = Within(prefix="other/")
        assert told(lambda: s3_store(service).folders("m/")).code == "verify.store_denied"

    @pytest.mark.parametrize(
        "edit",
        {
            "of objects": lambda body: body.replace(b"<Delimiter>%2F</Delimiter>", b"").replace(
                b"<Delimiter>/</Delimiter>", b""
            ),
            "elsewhere": lambda body: body.replace(b"<Prefix>m/z/<", b"<Prefix>n/z/<"),
            "deeper": lambda body: body.replace(b"<Prefix>m/z/<", b"<Prefix>m/z/deep/<"),
            "itself": lambda body: body.replace(b"<Prefix>m/z/<", b"<Prefix>m/<"),
            "no folder": lambda body: body.replace(b"<Prefix>m/z/<", b"<Prefix>m/z<"),
            "without a name": lambda body: body.replace(b"<Prefix>m/z/<", b"<Prefix>m//<"),
            "goes on, but not where": lambda body: body.replace(b"false</IsTruncated>", b"true</IsTruncated>"),
            "another prefix": lambda body: body.replace(b"<Prefix>m/</Prefix>", b"<Prefix>n/</Prefix>"),
            "in a circle": lambda body: body.replace(
                b"false</IsTruncated>", b"true</IsTruncated><NextContinuationToken>bQ==</NextContinuationToken>"
            ),
        }.items(),
        ids=lambda item: item[0],
    )
    def test_a_listing_that_says_something_else_is_an_error(
        self, service: S3, edit: tuple[str, Callable[[bytes], bytes]]
    ) -> None:
        service.faults = [Fault("ListObjectsV2", times=FOREVER, edit=edit[1])]
        assert told(lambda: s3_store(service).folders("m/")).code == "verify.store_listing"


class TestHead:
    def test_the_version_that_is_current(self, service: S3) -> None:
        version = service.put("m/a.bin", b"new")
        info = head(s3_store(service))
        assert (info.key, info.size, info.version) == ("m/a.bin", 3, version)
        assert info in s3_store(service).list("m/")

    def test_none_where_there_is_none(self, service: S3) -> None:
        service.delete("other")
        assert s3_store(service).head("m/nothing") is None
        assert s3_store(service).head("other") is None

    @pytest.mark.parametrize("also", [frozenset(), frozenset({"s3:ListBucketVersions"})])
    def test_where_only_a_listing_says_that_there_is_none(self, service: S3, also: frozenset[str]) -> None:
        service.authorizer = Within(denied=also)
        service.delete("m/z/deep/file")
        assert s3_store(service).head("m/nothing") is None
        assert s3_store(service).head("m/z/deep/file") is None
        assert told(lambda: s3_store(service).head("elsewhere")).code == "verify.store_denied"

    def test_one_that_is_there_but_may_not_be_read_is_an_error(self, service: S3) -> None:
        service.authorizer = Key(denied=frozenset({"s3:GetObject"}))
        assert told(lambda: s3_store(service).head("m/a.bin")).code == "verify.store_denied"

    def test_a_bucket_in_another_region(self, service: S3) -> None:
        store = S3Store("models", "us-east-1", lambda: CREDENTIALS, endpoint=service.address, clock=Time().clock())
        assert told(lambda: store.list("m/")).code == "verify.store_redirected"

    def test_without_a_length_it_is_an_error(self, service: S3) -> None:
        service.faults = [Fault("HeadObject", times=FOREVER, headers={"Content-Length": None})]
        assert told(lambda: s3_store(service).head("m/a.bin")).code == "verify.store_failed"


@pytest.mark.parametrize("cut", [0, 1, 255, 65_536, 255_999])
def test_a_transfer_goes_on_where_it_broke(service: S3, cut: int) -> None:
    info = head(s3_store(service))
    service.faults = [Fault(cut=cut)]
    assert read(s3_store(service), info) == DATA
    assert service.sent == len(DATA)
    asked = [one for one in service.asked if one.operation == "GetObject"]
    assert [one.range for one in asked] == [None, f"bytes={cut}-{len(DATA) - 1}" if cut else None]
    assert all(one.query == {"versionId": info.version} and one.match == info.etag for one in asked)


def test_a_transfer_that_always_breaks_is_an_error(service: S3) -> None:
    info = head(s3_store(service))
    service.faults = [Fault(times=FOREVER, cut=100)]
    error = told(lambda: read(s3_store(service), info))
    assert error.code == "verify.store_cut"
    assert "ended after 400 bytes" in error.problem or "ended after 100 bytes" in error.problem


GZIP = {"Content-Encoding": "gzip"}
RANGE = "bytes 5-255999/256000"


@pytest.mark.parametrize(
    ("fault", "code"),
    {
        "403": (Fault(status=403, code="AccessDenied"), "verify.store_denied"),
        "401": (Fault(status=401, code="Unauthorized"), "verify.store_denied"),
        "404": (Fault(status=404, code="NoSuchKey"), "verify.store_missing"),
        "no such version": (Fault(status=404, code="NoSuchVersion"), "verify.store_missing"),
        "expired": (Fault(status=400, code="ExpiredToken"), "verify.store_denied"),
        "redirect 307": (
            Fault(status=307, code="TemporaryRedirect", headers={"Location": "http://localhost:1/x"}),
            "verify.store_redirected",
        ),
        "redirect 301": (Fault(status=301, code="PermanentRedirect"), "verify.store_redirected"),
        "redirect 302 without code": (
            Fault(status=302, code="", headers={"Location": "https://evil.example/"}),
            "verify.store_redirected",
        ),
        "304": (Fault(status=304, code=""), "verify.store_redirected"),
        "412": (Fault(status=412, code="PreconditionFailed"), "verify.store_changed"),
        "416": (Fault(status=416, code="InvalidRange"), "verify.store_wrong_range"),
        "gzip": (Fault(headers=GZIP, edit=gzip.compress), "verify.store_encoded"),
        "said to be gzip": (Fault(headers=GZIP), "verify.store_encoded"),
        "0 bytes": (Fault(edit=lambda body: b""), "verify.store_wrong_size"),
        "shorter": (Fault(edit=lambda body: body[:-1]), "verify.store_wrong_size"),
        "longer": (Fault(edit=lambda body: body + b"x"), "verify.store_wrong_size"),
        "no length": (Fault(headers={"Content-Length": None}), "verify.store_wrong_size"),
        "no version": (Fault(headers={"x-amz-version-id": None}), "verify.store_changed"),
        "another version": (Fault(headers={"x-amz-version-id": "v9"}), "verify.store_changed"),
        "another ETag": (Fault(headers={"ETag": '"x"'}), "verify.store_changed"),
        "no ETag": (Fault(headers={"ETag": None}), "verify.store_changed"),
        "a part that nobody asked for": (Fault(headers={"Content-Range": RANGE}), "verify.store_wrong_range"),
        "500s": (Fault(times=FOREVER, status=500), "verify.store_failed"),
        "503s": (Fault(times=FOREVER, status=503, code="SlowDown"), "verify.store_failed"),
        "400": (Fault(times=FOREVER, status=400, code="InvalidRequest"), "verify.store_failed"),
    }.values(),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_fault_has_its_code_and_gives_no_byte(service: S3, fault: Fault, code: str) -> None:
    info = head(s3_store(service))
    service.faults = [fault]
    kept, clock = KeepingSink(), Time()
    error = told(lambda: read_once(s3_store(service), info, [kept], clock=clock.clock()))
    assert error.code == code
    assert kept.content == b""
    assert "s3://models/m/a.bin" in error.problem
    assert len(clock.slept) == (3 if code == "verify.store_failed" else 0)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(after=1, headers={"Content-Range": "bytes 0-255999/256000"}), "verify.store_wrong_range"),
        (Fault(after=1, headers={"Content-Range": "bytes 1000-255998/256000"}), "verify.store_wrong_range"),
        (Fault(after=1, headers={"Content-Range": "bytes 1000-255999/256001"}), "verify.store_wrong_range"),
        (Fault(after=1, headers={"Content-Range": "bytes 1000-255999/*"}), "verify.store_wrong_range"),
        (Fault(after=1, headers={"Content-Range": None}), "verify.store_wrong_range"),
        (Fault(after=1, edit=lambda body: body[1:]), "verify.store_wrong_size"),
        (Fault(after=1, meanwhile=lambda s3: s3.buckets["models"].pop("m/a.bin")), "verify.store_missing"),
    ],
)
def test_going_on_elsewhere_is_an_error(service: S3, fault: Fault, code: str) -> None:
    info = head(s3_store(service))
    service.faults = [fault, Fault(cut=1000)]
    assert told(lambda: read(s3_store(service), info)).code == code


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_fault_that_passes_is_waited_for(service: S3, status: int) -> None:
    info, clock = head(s3_store(service)), Time()
    service.faults = [Fault(times=3, status=status), Fault("HeadObject", times=3, status=status)]
    assert read(s3_store(service), info, clock) == DATA
    assert head(s3_store(service, clock)) == info
    assert clock.slept == [0.5, 1.0, 2.0] * 2


class TestVersions:
    def test_what_was_listed_is_read_though_another_was_uploaded_since(self, service: S3) -> None:
        info = head(s3_store(service))
        service.put("m/a.bin", b"x" * len(DATA))
        assert read(s3_store(service), info) == DATA

    def test_also_when_the_transfer_breaks(self, service: S3) -> None:
        info = head(s3_store(service))
        replaced = Fault(after=1, meanwhile=lambda s3: s3.put("m/a.bin", b"x" * len(DATA)))
        service.faults = [replaced, Fault(cut=1000)]
        assert read(s3_store(service), info) == DATA

    def test_without_versions_a_change_is_an_error_and_never_a_mixture(self) -> None:
        with double.serve(S3(versioned=False)) as service:
            service.put("m/a.bin", DATA)
            info = head(s3_store(service))
            replaced = Fault(after=1, meanwhile=lambda s3: s3.put("m/a.bin", b"x" * len(DATA)))
            service.faults = [replaced, Fault(cut=1000)]
            assert told(lambda: read(s3_store(service), info)).code == "verify.store_changed"

    def test_an_object_that_others_would_decompress_is_an_error(self, service: S3) -> None:
        service.put("m/a.bin", gzip.compress(DATA), encoding="gzip")
        (info,) = s3_store(service).list("m/a.bin")
        assert told(lambda: read(s3_store(service), info)).code == "verify.store_encoded"
        assert told(lambda: s3_store(service).head("m/a.bin")).code == "verify.store_encoded"


class TestTime:
    def test_silence_is_an_error(self, service: S3) -> None:
        info = head(s3_store(service))
        service.faults = [Fault(times=FOREVER, silence=60)]
        error = told(lambda: read(s3_store(service, timeout=0.1), info))
        assert error.code == "verify.store_slow"
        assert "0.1 s" in error.problem

    def test_silence_that_passes_is_waited_for(self, service: S3) -> None:
        info = head(s3_store(service))
        service.faults = [Fault(silence=60)]
        assert read(s3_store(service, timeout=2.0), info) == DATA

    def test_a_trickle_ends_with_the_time_for_everything(self, service: S3) -> None:
        infos = s3_store(service).list("m/")
        service.faults = [Fault(times=FOREVER, trickle=0.05)]

        @contextmanager
        def sinks(info: ObjectInfo) -> Iterator[Sequence[Sink]]:
            yield []

        error = told(lambda: read_all(s3_store(service), infos, sinks, patience=Patience(total=0.5)))
        assert error.code == "verify.store_slow"

    def test_a_listing_that_trickles_is_an_error(self) -> None:
        def body() -> Iterator[bytes]:
            while True:
                time.sleep(0.02)
                yield b"x"

        reply = Reply(200, {}, body())
        assert told(lambda: whole(reply, 1000, "s3://models/", seconds=0.1)).code == "verify.store_slow"
        assert told(lambda: whole(reply, 3, "s3://models/")).code == "verify.store_failed"

    def test_nobody_there(self, service: S3) -> None:
        store = s3_store(service, endpoint="http://127.0.0.1:1")
        assert told(lambda: store.head("m/a.bin")).code == "verify.store_failed"


class TestCredentials:
    def test_they_are_asked_for_again_so_that_they_never_end(self, service: S3) -> None:
        given = iter([CREDENTIALS, replace(CREDENTIALS, access_key="OLD"), CREDENTIALS])
        store = s3_store(service, source=lambda: next(given))
        assert head(store)
        assert told(lambda: store.head("m/a.bin")).code == "verify.store_denied"

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"access_key": "ASIAOTHER"}, "InvalidAccessKeyId"),
            ({"secret_key": "other"}, "SignatureDoesNotMatch"),
            ({"token": "other"}, "InvalidToken"),
            ({"token": None}, "InvalidToken"),
        ],
    )
    def test_wrong_ones_are_told_by_s3s_word(self, service: S3, wrong: dict[str, str | None], said: str) -> None:
        credentials = replace(CREDENTIALS, **wrong)  # type: ignore[arg-type] # a mixture by design
        error = told(lambda: s3_store(service, source=lambda: credentials).list(""))
        assert error.code == "verify.store_denied"
        assert said in error.problem

    @pytest.mark.parametrize("part", ["access_key", "secret_key", "token"])
    @pytest.mark.parametrize("value", ["a b", "a\nb", "a\r\nX: y", "é", ""])
    def test_ones_that_cannot_be_sent_are_refused_before_they_are(self, service: S3, part: str, value: str) -> None:
        credentials = replace(CREDENTIALS, **{part: value})  # type: ignore[arg-type] # one of the texts
        if part == "token" and not value:
            return
        assert told(lambda: s3_store(service, source=lambda: credentials).list("")).code == "verify.store_denied"
        assert service.asked == []

    def test_a_source_that_fails_is_told(self, service: S3) -> None:
        def source() -> AwsCredentials:
            raise CouldNotDecide("verify.role_denied", "no", expected="yes", remedy="ask")

        assert told(lambda: s3_store(service, source=source).list("")).code == "verify.role_denied"

    def test_a_clock_that_is_wrong(self, service: S3) -> None:
        def utc() -> datetime.datetime:
            return datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)

        error = told(lambda: s3_store(service, utc=utc).list(""))
        assert error.code == "verify.store_denied"
        assert "RequestTimeTooSkewed" in error.problem

    def test_nothing_shows_them(self, service: S3) -> None:
        assert double.SECRET_KEY not in repr(vars(s3_store(service))) + repr(CREDENTIALS)


class TestPlace:
    @pytest.mark.parametrize(
        ("bucket", "region", "address"),
        [
            ("models", "eu-central-1", "https://models.s3.eu-central-1.amazonaws.com"),
            ("my.models", "eu-central-1", "https://s3.eu-central-1.amazonaws.com"),
            ("models", "cn-north-1", "https://models.s3.cn-north-1.amazonaws.com.cn"),
            ("models", "us-gov-west-1", "https://models.s3.us-gov-west-1.amazonaws.com"),
        ],
    )
    def test_of_aws(self, bucket: str, region: str, address: str) -> None:
        assert S3Store(bucket, region, lambda: CREDENTIALS)._origin.address == address

    @pytest.mark.parametrize(
        "endpoint",
        [
            "",
            "s3.example",
            "http://s3.example",
            "https://user:x@s3.example",
            "https://s3.example/path",
            "https://s3.example?x",
            "https://s3.example/#x",
            "ftp://s3.example",
            "s3://models",
            "https://s3.example\n",
        ],
    )
    def test_an_endpoint_is_an_origin(self, endpoint: str) -> None:
        error = told(lambda: S3Store("models", "eu-central-1", lambda: CREDENTIALS, endpoint=endpoint))
        assert isinstance(error, UsageError)
        assert error.code == "verify.endpoint_invalid"

    @pytest.mark.parametrize("region", ["", "EU", "eu_central_1", "eu-central-1.evil.example/", "x"])
    def test_a_region_is_a_region(self, region: str) -> None:
        assert told(lambda: S3Store("models", region, lambda: CREDENTIALS)).code == "verify.region_invalid"

    @pytest.mark.parametrize("bucket", ["", "a/b", "evil.example/x", "Models", "a?b"])
    def test_a_bucket_is_a_bucket(self, bucket: str) -> None:
        assert told(lambda: S3Store(bucket, "eu-central-1", lambda: CREDENTIALS)).code == "verify.source_invalid"


class TestConnections:
    def test_one_connection_serves_many_requests(self, service: S3) -> None:
        store = s3_store(service)
        for info in store.list("m/"):
            assert read(store, info) == DATA
        assert len(store._origin._idle) == 1

    def test_one_that_the_server_has_closed_is_made_again(self, service: S3) -> None:
        clock = Time()
        store = s3_store(service, clock)
        assert head(store)
        for connection in store._origin._idle:
            assert connection.sock is not None
            connection.sock.close()
        assert head(store)
        assert clock.slept == []

    def test_one_that_was_left_early_is_not_used_again(self, service: S3) -> None:
        service.put("large", bytes(5_000_000))
        store = s3_store(service)
        info = head(store, "large")
        reading = store.read(info)
        next(reading)
        reading.close()  # type: ignore[attr-defined] # a generator
        # What is left in it would be read as the next answer.
        assert store._origin._idle == []
        assert read(store, head(store)) == DATA
