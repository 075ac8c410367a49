"""The obstore adapter over an S3 that checks signatures, and that breaks in every way that is known."""

from __future__ import annotations

import asyncio
import gzip
import signal
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import pytest

from aegis.adapters.objects import obstore as objects_obstore
from aegis.adapters.objects.obstore import ObstoreS3
from aegis.core.errors import AegisError
from aegis.core.ports.objects import ObjectInfo, ObjectStore
from aegis.storage.hashing import KeepingSink
from aegis.storage.patience import Patience
from aegis.storage.transfer import read_once
from tests.doubles.aws import s3 as double
from tests.doubles.aws.s3 import S3, Key
from tests.doubles.aws.s3_faults import FOREVER, Fault
from tests.support.network.obstore import clear, obstore_s3, set_keys
from tests.support.network.stores import Time
from tests.support.processes.forked import true_in_child

DATA = bytes(range(256)) * 4000
SIZE = len(DATA)
NAMES = ["m/%2e%2e/x", "m/a b+c%20d.bin", "m/a.bin", "m/star*q?#[]{}^|\\`.x", "m/z/deep/file", "m/é~(1)&'<x>.bin"]
GZIP = {"Content-Encoding": "gzip"}
EDITS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "truncated without a token": (
        lambda body: body.replace(b"NextContinuationToken", b"Token"),
        "verify.store_listing",
    ),
    "the last page is missing": (
        lambda body: body.replace(b">true<", b">false<").replace(b"NextContinuationToken", b"Token"),
        "verify.store_listing",
    ),
    "cut in the middle": (lambda body: body[: len(body) // 2], "verify.store_listing"),
    "empty": (lambda body: b"", "verify.store_listing"),
    "no XML": (lambda body: b"OK", "verify.store_listing"),
    "another document": (lambda body: b"<html/>", "verify.store_missing"),
    "an error": (lambda body: b"<Error><Code>InternalError</Code></Error>", "verify.store_missing"),
    "a key elsewhere": (lambda body: body.replace(b"<Key>m/a.bin", b"<Key>n/a.bin"), "verify.store_listing"),
    "a key twice": (lambda body: body.replace(b"<Key>m/z/deep/file", b"<Key>m/a.bin"), "verify.store_listing"),
    "a key that leads up": (lambda body: body.replace(b"m/z/deep", b"m/../deep"), "verify.store_listing"),
    "a key with an empty part": (lambda body: body.replace(b"m/z/deep", b"m//deep"), "verify.store_listing"),
    "a negative size": (lambda body: body.replace(b"<Size>1024000", b"<Size>-1", 1), "verify.store_listing"),
    "a size in words": (lambda body: body.replace(b"<Size>1024000", b"<Size>many", 1), "verify.store_listing"),
    "no size": (lambda body: body.replace(b"<Size>1024000</Size>", b"", 1), "verify.store_listing"),
    "two sizes": (lambda body: body.replace(b"<Size>", b"<Size>1</Size><Size>", 1), "verify.store_listing"),
    "no ETag": (lambda body: body.replace(b"ETag>", b"Etag>"), "verify.store_listing"),
}
FAULTS = {
    "403": (Fault(status=403, code="AccessDenied"), "verify.store_denied"),
    "401": (Fault(status=401, code="Unauthorized"), "verify.store_denied"),
    "404": (Fault(status=404, code="NoSuchKey"), "verify.store_missing"),
    "no such version": (Fault(status=404, code="NoSuchVersion"), "verify.store_missing"),
    "expired": (Fault(status=400, code="ExpiredToken"), "verify.store_denied"),
    "redirect to another host": (
        Fault(status=307, code="TemporaryRedirect", headers={"Location": "http://localhost:1/x"}),
        "verify.store_redirected",
    ),
    "redirect without an address": (Fault(status=301, code="PermanentRedirect"), "verify.store_redirected"),
    "redirect to a name": (
        Fault(status=302, code="", headers={"Location": "https://evil.example/"}),
        "verify.store_redirected",
    ),
    "412": (Fault(status=412, code="PreconditionFailed"), "verify.store_changed"),
    "416": (Fault(status=416, code="InvalidRange"), "verify.store_wrong_range"),
    "gzip": (Fault(headers=GZIP, edit=gzip.compress), "verify.store_encoded"),
    "said to be gzip": (Fault(headers=GZIP), "verify.store_encoded"),
    "0 bytes": (Fault(edit=lambda body: b""), "verify.store_wrong_size"),
    "shorter": (Fault(edit=lambda body: body[:-1]), "verify.store_wrong_size"),
    "longer": (Fault(edit=lambda body: body + b"x"), "verify.store_wrong_size"),
    "no version": (Fault(headers={"x-amz-version-id": None}), "verify.store_changed"),
    "another version": (Fault(headers={"x-amz-version-id": "v9"}), "verify.store_changed"),
    "another ETag": (Fault(headers={"ETag": '"x"'}), "verify.store_changed"),
    "no ETag": (Fault(headers={"ETag": None}), "verify.store_changed"),
    "no length": (Fault(times=FOREVER, headers={"Content-Length": None}), "verify.store_failed"),
    "500s": (Fault(times=FOREVER, status=500), "verify.store_failed"),
    "503s": (Fault(times=FOREVER, status=503, code="SlowDown"), "verify.store_failed"),
    "400": (Fault(times=FOREVER, status=400, code="InvalidRequest"), "verify.store_failed"),
}


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch, double.ACCESS_KEY, double.SECRET_KEY, double.TOKEN)


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


def head(store: ObstoreS3, key: str = "m/a.bin") -> ObjectInfo:
    info = store.head(key)
    assert info is not None
    return info


def told(do: Callable[[], object]) -> AegisError:
    """The error; no secret and none of obstore's own texts is in it, nor in anything that it is chained to."""
    with pytest.raises(AegisError) as caught:
        do()
    text = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__dict__)
    for secret in (double.SECRET_KEY, double.TOKEN, "Debug source", "RetryError"):
        assert secret not in text
    return caught.value


@dataclass(frozen=True)
class Within(Key):
    """May read and list below one prefix only."""

    prefix: str = "m/"

    def allowed(self, access_key: str, action: str, resource_arn: str, context: Mapping[str, str]) -> bool:
        if action.startswith("s3:List"):
            return action not in self.denied and context.get("s3:prefix", "").startswith(self.prefix)
        return action not in self.denied and resource_arn.startswith(f"arn:aws:s3:::models/{self.prefix}")


class TestList:
    @pytest.mark.parametrize("page_size", [1, 2, 3, 1000])
    def test_all_pages(self, service: S3, page_size: int) -> None:
        service.page_size = page_size
        found = obstore_s3(service).list("m/")
        assert [info.key for info in found] == sorted(NAMES)
        assert all(info.size == SIZE and info.etag and info.version is None for info in found)
        assert [read(obstore_s3(service), info) for info in found] == [DATA] * len(NAMES)

    def test_a_prefix_that_ends_within_a_name(self, service: S3) -> None:
        assert [info.key for info in obstore_s3(service).list("m/a")] == ["m/a b+c%20d.bin", "m/a.bin"]
        assert [info.key for info in obstore_s3(service).list("")] == [*sorted(NAMES), "other"]

    def test_it_needs_no_permission_to_list_versions(self, service: S3) -> None:
        service.authorizer = Within(denied=frozenset({"s3:ListBucketVersions"}))
        assert len(obstore_s3(service).list("m/")) == len(NAMES)

    def test_deleted_objects_are_not_there(self, service: S3) -> None:
        service.delete("m/z/deep/file")
        assert [info.key for info in obstore_s3(service).list("m/")] == sorted(set(NAMES) - {"m/z/deep/file"})

    def test_nothing_is_an_error_since_it_may_be_an_answer_that_was_no_listing(self, service: S3) -> None:
        assert told(lambda: obstore_s3(service).list("nothing/")).code == "verify.store_missing"

    def test_the_marker_of_the_folder_itself_is_listed_as_it_is(self, service: S3) -> None:
        service.put("m/", b"")
        assert "m/" in {info.key for info in obstore_s3(service).list("m/")}

    def test_the_marker_of_a_folder_below_cannot_be_read(self, service: S3) -> None:
        service.put("m/zz/", b"")
        found = {info.key: info for info in obstore_s3(service).list("m/")}
        assert told(lambda: read(obstore_s3(service), found["m/zz"])).code == "verify.store_missing"

    @pytest.mark.parametrize("name", [*EDITS])
    def test_a_listing_that_is_not_whole_is_an_error(self, service: S3, name: str) -> None:
        service.page_size = 4 if name in {"truncated without a token", "the last page is missing"} else 1000
        edit, code = EDITS[name]
        service.faults = [Fault("ListObjectsV2", edit=edit)]
        assert told(lambda: obstore_s3(service).list("m/")).code == code

    def test_a_listing_that_repeats_its_page_is_an_error(self, service: S3) -> None:
        service.page_size = 2
        pages: list[bytes] = []

        def again(body: bytes) -> bytes:
            pages.append(body)
            return pages[0]

        service.faults = [Fault("ListObjectsV2", times=FOREVER, edit=again)]
        assert told(lambda: obstore_s3(service).list("m/")).code == "verify.store_listing"

    def test_a_listing_of_endless_empty_pages_ends_with_the_time_for_it(self, service: S3) -> None:
        service.page_size = 1
        bare = b"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>bS9h</NextContinuationToken>"
        service.faults = [Fault("ListObjectsV2", times=FOREVER, edit=lambda body: bare + b"</ListBucketResult>")]
        store = obstore_s3(service, list_seconds=0.3)
        assert told(lambda: store.list("m/")).code == "verify.store_slow"

    def test_a_listing_without_an_end_is_an_error(self, service: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(objects_obstore, "MAX_OBJECTS", 3)
        assert told(lambda: obstore_s3(service).list("m/")).code == "verify.too_many_objects"

    def test_a_page_that_fails_is_asked_for_again(self, service: S3) -> None:
        service.faults = [Fault("ListObjectsV2", times=2, status=503, code="SlowDown")]
        assert len(obstore_s3(service).list("m/")) == len(NAMES)

    def test_a_page_that_always_fails_is_an_error(self, service: S3) -> None:
        service.faults = [Fault("ListObjectsV2", times=FOREVER, cut=100)]
        clock = Time()
        assert told(lambda: obstore_s3(service, clock).list("m/")).code == "verify.store_failed"
        assert len(clock.slept) == 3

    @pytest.mark.parametrize("code", ["AccessDenied", "NoSuchBucket"])
    def test_what_may_not_be_listed_is_an_error(self, service: S3, code: str) -> None:
        if code == "AccessDenied":
            service.authorizer = Key(denied=frozenset({"s3:ListBucket"}))
        else:
            service.buckets.clear()
        expected = {"AccessDenied": "verify.store_denied", "NoSuchBucket": "verify.store_missing"}[code]
        error = told(lambda: obstore_s3(service).list("m/"))
        assert error.code == expected
        assert code in error.problem

    def test_it_works_inside_an_event_loop(self, service: S3) -> None:
        async def called() -> int:
            return len(obstore_s3(service).list("m/"))

        assert asyncio.run(called()) == len(NAMES)


class TestHead:
    def test_the_version_that_is_current(self, service: S3) -> None:
        version = service.put("m/a.bin", b"new")
        info = head(obstore_s3(service))
        assert (info.key, info.size, info.version) == ("m/a.bin", 3, version)
        assert info.etag == next(each.etag for each in obstore_s3(service).list("m/a.bin"))

    def test_a_bucket_without_versions_has_none(self) -> None:
        with double.serve(S3(versioned=False)) as service:
            service.put("a", DATA)
            assert head(obstore_s3(service), "a").version is None

    def test_none_where_there_is_none(self, service: S3) -> None:
        service.delete("other")
        assert obstore_s3(service).head("m/nothing") is None
        assert obstore_s3(service).head("other") is None

    def test_where_only_a_listing_says_that_there_is_none(self, service: S3) -> None:
        service.authorizer = Within()
        service.delete("m/z/deep/file")
        assert obstore_s3(service).head("m/nothing") is None
        assert obstore_s3(service).head("m/z/deep/file") is None
        assert told(lambda: obstore_s3(service).head("elsewhere")).code == "verify.store_denied"

    def test_one_that_is_there_but_may_not_be_read_is_an_error(self, service: S3) -> None:
        service.authorizer = Key(denied=frozenset({"s3:GetObject"}))
        assert told(lambda: obstore_s3(service).head("m/a.bin")).code == "verify.store_denied"

    @pytest.mark.parametrize("header", ["Content-Length", "ETag and version"])
    def test_without_what_tells_a_whole_object_it_is_an_error(self, service: S3, header: str) -> None:
        missing = ["ETag", "x-amz-version-id"] if header == "ETag and version" else [header]
        service.faults = [Fault("HeadObject", times=FOREVER, headers=dict.fromkeys(missing))]
        assert told(lambda: obstore_s3(service).head("m/a.bin")).code == "verify.store_failed"

    def test_a_bucket_in_another_region(self, service: S3) -> None:
        store = ObstoreS3("models", "us-east-1", endpoint=service.address, clock=Time().clock())
        assert told(lambda: store.list("m/")).code == "verify.store_redirected"

    @pytest.mark.parametrize("key", ["m/../other", "m//a.bin", "m/\n"])
    def test_a_name_that_obstore_would_read_otherwise_is_an_error(self, service: S3, key: str) -> None:
        assert told(lambda: obstore_s3(service).head(key)).code == "verify.store_failed"
        assert service.asked == []


@pytest.mark.parametrize("cut", [0, 1, 255, 65_536, SIZE - 1])
def test_a_transfer_goes_on_where_it_broke(service: S3, cut: int) -> None:
    info = head(obstore_s3(service))
    service.faults = [Fault(cut=cut)]
    assert read(obstore_s3(service), info) == DATA
    asked = [one for one in service.asked if one.operation == "GetObject"]
    assert len(asked) == 2
    assert all(one.query == {"versionId": info.version} and one.match == info.etag for one in asked)


def test_a_transfer_that_breaks_late_goes_on_with_a_range(service: S3) -> None:
    info = head(obstore_s3(service))
    service.faults = [Fault(cut=SIZE - 1)]
    assert read(obstore_s3(service), info) == DATA
    assert [one.range for one in service.asked if one.operation == "GetObject"][1] is not None


def test_a_transfer_that_always_breaks_is_an_error(service: S3) -> None:
    info = head(obstore_s3(service))
    service.faults = [Fault(times=FOREVER, cut=100)]
    clock = Time()
    assert told(lambda: read(obstore_s3(service), info, clock)).code in {"verify.store_cut", "verify.store_failed"}
    assert len(clock.slept) == 3


@pytest.mark.parametrize("name", [*FAULTS])
def test_each_fault_has_its_code_and_gives_no_byte(service: S3, name: str) -> None:
    fault, code = FAULTS[name]
    info = head(obstore_s3(service))
    service.faults = [replace(fault)]
    kept, clock = KeepingSink(), Time()
    error = told(lambda: read_once(obstore_s3(service), info, [kept], clock=clock.clock()))
    assert error.code == code
    assert kept.content == b""
    assert "s3://models/m/a.bin" in error.problem
    assert len(clock.slept) == (3 if code == "verify.store_failed" else 0)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(headers={"Content-Range": f"bytes 0-{SIZE - 1}/{SIZE}"}), "verify.store_wrong_range"),
        (Fault(headers={"Content-Range": f"bytes 5-{SIZE - 2}/{SIZE}"}), "verify.store_wrong_range"),
        (Fault(headers={"Content-Range": f"bytes 5-{SIZE - 1}/{SIZE + 1}"}), "verify.store_wrong_range"),
        (Fault(headers={"Content-Range": f"bytes 5-{SIZE - 1}/*"}), "verify.store_wrong_range"),
        (Fault(headers={"Content-Range": None}), "verify.store_wrong_range"),
        (Fault(edit=lambda body: body[1:]), "verify.store_cut"),
        (Fault(meanwhile=lambda s3: s3.buckets["models"].pop("m/a.bin")), "verify.store_missing"),
    ],
    ids=["from the start", "without its end", "of more", "of unknown size", "unnamed", "too short", "deleted"],
)
def test_going_on_elsewhere_is_an_error(service: S3, fault: Fault, code: str) -> None:
    store = obstore_s3(service)
    info = head(store)
    service.faults = [replace(fault)]
    assert told(lambda: list(store.read(info, 5))).code == code


def test_a_store_that_ignores_the_range_is_an_error(service: S3) -> None:
    store = obstore_s3(service)
    info = head(store)
    service.faults = [Fault(status=200, code="x")]
    assert told(lambda: list(store.read(info, 5))).code == "verify.store_wrong_range"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_fault_that_passes_is_waited_for(service: S3, status: int) -> None:
    info, clock = head(obstore_s3(service)), Time()
    service.faults = [Fault(times=3, status=status), Fault("HeadObject", times=3, status=status)]
    assert read(obstore_s3(service), info, clock) == DATA
    assert head(obstore_s3(service, clock)) == info
    assert clock.slept == [0.5, 1.0, 2.0] * 2


class TestVersions:
    def test_what_was_seen_is_read_though_another_was_uploaded_since(self, service: S3) -> None:
        info = head(obstore_s3(service))
        service.put("m/a.bin", b"x" * SIZE)
        assert read(obstore_s3(service), info) == DATA

    def test_what_was_listed_has_no_version_so_that_a_change_is_an_error(self, service: S3) -> None:
        (info,) = obstore_s3(service).list("m/a.bin")
        service.put("m/a.bin", b"x" * SIZE)
        assert told(lambda: read(obstore_s3(service), info)).code == "verify.store_changed"

    def test_also_in_the_middle_of_a_transfer(self, service: S3) -> None:
        (info,) = obstore_s3(service).list("m/a.bin")
        replaced = Fault(after=1, meanwhile=lambda s3: s3.put("m/a.bin", b"x" * SIZE))
        service.faults = [replaced, Fault(cut=SIZE - 1)]
        assert told(lambda: read(obstore_s3(service), info)).code == "verify.store_changed"

    def test_an_object_that_others_would_decompress_is_an_error(self, service: S3) -> None:
        service.put("m/a.bin", gzip.compress(DATA), encoding="gzip")
        (info,) = obstore_s3(service).list("m/a.bin")
        assert told(lambda: read(obstore_s3(service), info)).code == "verify.store_encoded"
        assert told(lambda: obstore_s3(service).head("m/a.bin")).code == "verify.store_encoded"


class TestTime:
    def test_silence_is_an_error(self, service: S3) -> None:
        info = head(obstore_s3(service))
        service.faults = [Fault(times=FOREVER, silence=60)]
        assert told(lambda: read(obstore_s3(service, timeout=0.1), info)).code == "verify.store_slow"

    def test_silence_that_passes_is_waited_for(self, service: S3) -> None:
        info = head(obstore_s3(service))
        service.faults = [Fault(silence=60)]
        assert read(obstore_s3(service, timeout=2.0), info) == DATA

    def test_a_trickle_ends_with_the_time_for_everything(self, service: S3) -> None:
        info = head(obstore_s3(service))
        service.faults = [Fault(times=FOREVER, trickle=0.05)]
        store = obstore_s3(service, patience=Patience(total=0.5))
        assert told(lambda: list(store.read(info))).code == "verify.store_slow"

    def test_nobody_there(self, service: S3) -> None:
        store = obstore_s3(service, endpoint="http://127.0.0.1:9")
        assert told(lambda: store.head("m/a.bin")).code == "verify.store_failed"


class TestCredentials:
    @pytest.mark.parametrize("name", ["wrong secret", "wrong token", "unknown key"])
    def test_wrong_ones_are_refused(self, service: S3, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        wrong = {
            "wrong secret": (double.ACCESS_KEY, "x" * 40, double.TOKEN),
            "wrong token": (double.ACCESS_KEY, double.SECRET_KEY, "x"),
            "unknown key": ("AKIAX", double.SECRET_KEY, double.TOKEN),
        }[name]
        set_keys(monkeypatch, *wrong)
        assert told(lambda: obstore_s3(service).list("m/")).code == "verify.store_denied"
        info = ObjectInfo("m/a.bin", SIZE, None, '"x"')
        assert told(lambda: list(obstore_s3(service).read(info))).code == "verify.store_denied"

    @pytest.mark.parametrize("value", ["AKIA\nX", "AKIA X", "AKIÄ"], ids=["a line feed", "a space", "an umlaut"])
    @pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
    def test_what_is_no_key_is_told_without_it(
        self, service: S3, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(name, value)
        error = told(lambda: obstore_s3(service))
        assert error.code == "verify.no_credentials"
        assert name in error.problem
        assert value not in str(error)

    def test_half_of_a_key_is_none(self, service: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        clear(monkeypatch)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", double.ACCESS_KEY)
        assert told(lambda: obstore_s3(service)).code == "verify.no_credentials"

    def test_none_at_all(self, service: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        clear(monkeypatch)
        assert told(lambda: obstore_s3(service).head("m/a.bin")).code == "verify.no_credentials"
        assert told(lambda: obstore_s3(service).list("m/")).code == "verify.no_credentials"
        info = ObjectInfo("m/a.bin", SIZE, None, '"x"')
        assert told(lambda: list(obstore_s3(service).read(info))).code == "verify.no_credentials"
        assert service.asked == []


def test_a_child_that_was_forked_is_told_and_does_not_wait(service: S3) -> None:
    """obstore's threads stay in the parent; without a word the child would wait for them for ever."""
    store = obstore_s3(service)
    head(store)

    def asks() -> bool:
        signal.alarm(30)
        codes = []
        for ask in (lambda: store.head("other"), lambda: store.list("m/"), lambda: obstore_s3(service).head("other")):
            try:
                ask()
            except AegisError as error:
                codes.append(error.code)
        return codes == ["verify.store_forked"] * 3

    assert true_in_child(asks)
    assert head(store, "other").size == 5
