"""OCI Object Storage read over HTTP, from a double that verifies each signature: what is right, and what goes wrong."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from aegis.adapters.objects.oci import OciStore
from aegis.core.errors import CouldNotDecide, UsageError
from aegis.core.ports.objects import ObjectInfo, ObjectStore
from aegis.storage.hashing import KeepingSink
from aegis.storage.transfer import read_once
from tests.doubles.oci.serving import Answer, Fault, json_answer
from tests.doubles.oci.tenancy import Tenancy, tenancy

DATA = bytes(range(256)) * 40
KEY = "staging/model.bin"
LIST, VERSIONS, OBJECT = "/o?", "/objectversions?", "/o/"


@pytest.fixture
def oci() -> Iterator[Tenancy]:
    with tenancy() as running:
        running.bucket.put(KEY, DATA)
        running.bucket.put("staging/sub/a b+c&d=é.txt", b"odd name")
        running.bucket.put("elsewhere/x", b"x")
        yield running


def listed(oci: Tenancy, store: ObjectStore) -> ObjectInfo:
    return next(info for info in store.list("staging/") if info.key == KEY)


def read(store: ObjectStore, info: ObjectInfo, start: int = 0) -> bytes:
    return b"".join(bytes(chunk) for chunk in store.read(info, start))


def refused(oci: Tenancy, ask: Callable[[], object]) -> CouldNotDecide:
    """What the user is told; never a secret, always the place."""
    with pytest.raises(CouldNotDecide) as caught:
        ask()
    told = "".join(traceback.format_exception(caught.value))
    assert all(secret not in told for secret in oci.secrets)
    assert "oci://octons/models/staging/" in caught.value.problem
    return caught.value


def asked(oci: Tenancy, part: str) -> int:
    return sum(part in request.line for request in oci.storage.requests)


class TestListing:
    def test_every_object_below_the_prefix_by_key_with_its_version(self, oci: Tenancy) -> None:
        first, second = oci.bucket.objects[KEY][0], oci.bucket.objects["staging/sub/a b+c&d=é.txt"][0]
        assert oci.store().list("staging/") == (
            ObjectInfo(KEY, len(DATA), first.version, first.etag),
            ObjectInfo("staging/sub/a b+c&d=é.txt", 8, second.version, second.etag),
        )

    @pytest.mark.parametrize("size", [1, 2, 3, 7])
    def test_pages_are_put_together(self, oci: Tenancy, size: int) -> None:
        whole = oci.store().list("staging/")
        for number in range(5):
            oci.bucket.put(f"staging/shard-{number}", b"s")
            oci.bucket.put(f"staging/shard-{number}", b"newer")
        oci.storage.page_size = size
        found = oci.store().list("staging/")
        assert [info.key for info in found] == sorted(
            [info.key for info in whole] + [f"staging/shard-{number}" for number in range(5)]
        )
        assert all(info.version == oci.bucket.objects[info.key][-1].version for info in found)

    def test_of_several_versions_the_current_one(self, oci: Tenancy) -> None:
        newest = oci.bucket.put(KEY, b"newer")
        info = listed(oci, oci.store())
        assert (info.version, info.size, info.etag) == (newest.version, 5, newest.etag)

    def test_what_was_deleted_is_not_there(self, oci: Tenancy) -> None:
        oci.bucket.delete(KEY)
        assert [info.key for info in oci.store().list("staging/")] == ["staging/sub/a b+c&d=é.txt"]
        assert oci.store().head(KEY) is None

    def test_nothing_below_the_prefix(self, oci: Tenancy) -> None:
        assert oci.store().list("staging/none/") == ()
        assert asked(oci, VERSIONS) == 0

    def test_a_bucket_without_versions(self, oci: Tenancy) -> None:
        oci.bucket.versioned = False
        one = oci.bucket.put(KEY, DATA)
        info = listed(oci, oci.store())
        assert (info.version, info.etag) == (None, one.etag)
        assert read(oci.store(), info) == DATA

    def test_who_may_not_list_versions_holds_fast_by_etag(self, oci: Tenancy) -> None:
        oci.storage.versions_denied = True
        info = listed(oci, oci.store())
        assert info.version is None
        assert read(oci.store(), info) == DATA
        oci.bucket.put(KEY, b"x" * len(DATA))
        assert refused(oci, lambda: read(oci.store(), info)).code == "verify.store_changed"

    @pytest.mark.parametrize(
        "change",
        [
            {"objects": None},
            {"objects": "x"},
            {"objects": [7]},
            {"objects": [{"name": "elsewhere/x", "size": 1, "etag": "e"}]},
            {"objects": [{"name": "", "size": 1, "etag": "e"}]},
            {"objects": [{"name": KEY, "size": -1, "etag": "e"}]},
            {"objects": [{"name": KEY, "size": True, "etag": "e"}]},
            {"objects": [{"name": KEY, "size": "1", "etag": "e"}]},
            {"objects": [{"name": KEY, "size": 10**15, "etag": "e"}]},
            {"objects": [{"name": KEY, "size": 1}]},
            {"objects": [{"name": KEY, "size": 1, "etag": "e\r\nX: y"}]},
            {"objects": [{"name": KEY, "etag": "e"}]},
            {"objects": [{"name": KEY, "size": 1, "etag": "e"}] * 2},
            {"prefixes": ["staging/sub/"]},
            {"nextStartWith": ""},
            {"nextStartWith": 7},
            {"objects": [], "nextStartWith": "staging/z"},
        ],
        ids=str,
    )
    def test_a_listing_that_does_not_say_it_all_is_refused(self, oci: Tenancy, change: dict[str, Any]) -> None:
        def alter(answer: Answer) -> Answer:
            return json_answer(200, {**json.loads(answer.body), **change})

        oci.storage.faults.append(Fault(alter=alter, on=LIST))
        assert refused(oci, lambda: oci.store().list("staging/")).code == "verify.store_listing"
        assert asked(oci, LIST) == 1

    def test_a_listing_that_does_not_go_on(self, oci: Tenancy) -> None:
        """The same page again and again, or one from before."""
        page = {"objects": [{"name": KEY, "size": 1, "etag": "e"}], "nextStartWith": "staging/n"}
        oci.storage.faults.append(Fault(json_answer(200, page), on=LIST, times=5))
        assert refused(oci, lambda: oci.store().list("staging/")).code == "verify.store_listing"
        assert asked(oci, LIST) == 2

    @pytest.mark.parametrize(
        "change",
        [
            {"items": None},
            {"items": [{"name": KEY, "size": 1, "etag": "e", "versionId": 7}]},
            {"items": [{"name": KEY, "size": 1, "etag": "e", "versionId": ""}]},
            {"items": [{"name": KEY, "size": 1, "etag": "e", "versionId": "v", "isDeleteMarker": "no"}]},
            {"items": [{"name": KEY, "size": 1, "etag": "e", "versionId": v} for v in ("v1", "v2")]},
            {"items": [{"name": "elsewhere/x", "size": 1, "etag": "e", "versionId": "v"}]},
        ],
        ids=str,
    )
    def test_so_is_one_of_the_versions(self, oci: Tenancy, change: dict[str, Any]) -> None:
        oci.storage.faults.append(Fault(json_answer(200, {"items": [], **change}), on=VERSIONS))
        assert refused(oci, lambda: oci.store().list("staging/")).code == "verify.store_listing"

    def test_versions_that_do_not_go_on(self, oci: Tenancy) -> None:
        endless = json_answer(200, {"items": []}, **{"opc-next-page": "cA=="})
        oci.storage.faults.append(Fault(endless, on=VERSIONS, times=9))
        assert refused(oci, lambda: oci.store().list("staging/")).code == "verify.store_listing"
        assert asked(oci, VERSIONS) == 2

    @pytest.mark.parametrize(
        "body", [b"", b"<html>", b"[]", b'{"objects": [], "objects": []}', b"[" * 100_000, b"\xff"], ids=str
    )
    def test_what_is_no_listing(self, oci: Tenancy, body: bytes) -> None:
        oci.storage.faults.append(Fault(Answer(200, body), on=LIST))
        assert refused(oci, lambda: oci.store().list("staging/")).code == "verify.store_listing"

    def test_a_page_that_is_cut_off_is_asked_for_again(self, oci: Tenancy) -> None:
        oci.storage.faults.append(Fault(cut=20, on=LIST))
        assert len(oci.store().list("staging/")) == 2
        assert asked(oci, LIST) == 2

    def test_an_object_without_a_name(self, oci: Tenancy) -> None:
        page = {"objects": [{"name": "", "size": 1, "etag": "e"}]}
        oci.storage.faults.append(Fault(json_answer(200, page), on=LIST))
        with pytest.raises(CouldNotDecide) as caught:
            oci.store().list("")
        assert caught.value.code == "verify.store_listing"

    def test_versions_that_are_denied_only_half_way(self, oci: Tenancy) -> None:
        oci.storage.page_size = 1
        denied = json_answer(404, {"code": "BucketNotFound"})
        oci.storage.faults += [Fault(on=VERSIONS), Fault(denied, on=VERSIONS)]
        assert refused(oci, lambda: oci.store().list("staging/")).code == "verify.store_denied"

    def test_too_many(self, oci: Tenancy, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("aegis.adapters.objects.oci.MAX_OBJECTS", 1)
        assert refused(oci, lambda: oci.store().list("staging/")).code == "verify.too_many_objects"
        assert asked(oci, VERSIONS) == 0

    def test_too_many_versions(self, oci: Tenancy, monkeypatch: pytest.MonkeyPatch) -> None:
        oci.bucket.put(KEY, b"newer")
        monkeypatch.setattr("aegis.adapters.objects.oci.MAX_OBJECTS", 2)
        assert refused(oci, lambda: oci.store().list("staging/")).code == "verify.too_many_objects"


class TestRemoved:
    @pytest.mark.parametrize("size", [1, 2, 1000])
    def test_what_has_old_versions_only(self, oci: Tenancy, size: int) -> None:
        oci.bucket.delete(KEY)
        oci.bucket.put("staging/again", b"1")
        oci.bucket.delete("staging/again")
        oci.bucket.put("staging/again", b"2")
        oci.bucket.delete("elsewhere/x")
        oci.storage.page_size = size
        assert oci.store().removed("staging/") == (KEY,)

    def test_all_of_them(self, oci: Tenancy) -> None:
        for key in [key for key in oci.bucket.objects if key.startswith("staging/")]:
            oci.bucket.delete(key)
        assert oci.store().removed("staging/") == (KEY, "staging/sub/a b+c&d=é.txt")

    def test_nothing_where_versions_are_not_kept_or_not_told(self, oci: Tenancy) -> None:
        assert oci.store().removed("staging/") == ()
        oci.bucket.delete(KEY)
        oci.storage.versions_denied = True
        assert oci.store().removed("staging/") == ()

    def test_what_is_stored_in_the_meantime_was_not_deleted(self, oci: Tenancy) -> None:
        def alter(answer: Answer) -> Answer:
            oci.bucket.put("staging/new", b"new")
            return answer

        oci.storage.faults.append(Fault(alter=alter))  # after the first answer, whichever that is
        assert oci.store().removed("staging/") == ()

    @pytest.mark.parametrize("on", [VERSIONS, LIST])
    def test_half_an_answer_is_none(self, oci: Tenancy, on: str) -> None:
        oci.storage.faults.append(Fault(Answer(500), on=on, times=99))
        assert refused(oci, lambda: oci.store().removed("staging/")).code == "verify.store_failed"


class TestHead:
    def test_the_current_version(self, oci: Tenancy) -> None:
        one = oci.bucket.objects[KEY][0]
        assert oci.store().head(KEY) == ObjectInfo(KEY, len(DATA), one.version, one.etag)

    def test_what_is_not_there(self, oci: Tenancy) -> None:
        assert oci.store().head("staging/none") is None

    def test_what_is_there_but_may_not_be_read_is_not_taken_for_missing(self, oci: Tenancy) -> None:
        oci.storage.faults.append(Fault(Answer(404), on="HEAD"))
        assert refused(oci, lambda: oci.store().head(KEY)).code == "verify.store_denied"

    def test_a_bucket_that_is_not_there_is_no_missing_object(self, oci: Tenancy) -> None:
        with pytest.raises(CouldNotDecide) as caught:
            oci.store("none").head(KEY)
        assert caught.value.code == "verify.store_denied"

    @pytest.mark.parametrize("length", ["", "-1", "1e3"])
    def test_without_a_length(self, oci: Tenancy, length: str) -> None:
        def alter(answer: Answer) -> Answer:
            return replace(answer, headers={**answer.headers, "Content-Length": length})

        oci.storage.faults.append(Fault(alter=alter, on="HEAD", times=9))
        assert refused(oci, lambda: oci.store().head(KEY)).code == "verify.store_failed"


class TestReading:
    @pytest.mark.parametrize("start", [0, 1, 4096, len(DATA) - 1])
    def test_from_an_offset_to_the_end(self, oci: Tenancy, start: int) -> None:
        store = oci.store()
        assert read(store, listed(oci, store), start) == DATA[start:]
        assert oci.storage.requests[-1].headers["if-match"] == oci.bucket.objects[KEY][0].etag
        assert oci.storage.requests[-1].headers.get("range") == (f"bytes={start}-{len(DATA) - 1}" if start else None)

    def test_a_name_with_odd_characters(self, oci: Tenancy) -> None:
        store = oci.store()
        info = store.head("staging/sub/a b+c&d=é.txt")
        assert info is not None
        assert read(store, info) == b"odd name"

    def test_an_empty_object(self, oci: Tenancy) -> None:
        oci.bucket.put("staging/empty", b"")
        store = oci.store()
        info = store.head("staging/empty")
        assert info is not None
        assert read(store, info) == b""

    def test_the_listed_version_even_if_there_is_a_newer_one(self, oci: Tenancy) -> None:
        store = oci.store()
        info = listed(oci, store)
        oci.bucket.put(KEY, b"newer")
        assert read(store, info) == DATA

    def test_a_version_that_was_removed(self, oci: Tenancy) -> None:
        store = oci.store()
        info = listed(oci, store)
        del oci.bucket.objects[KEY]
        assert refused(oci, lambda: read(store, info)).code == "verify.store_missing"

    def test_a_transfer_that_broke_goes_on_where_it_was(self, oci: Tenancy) -> None:
        oci.storage.faults += [Fault(cut=1000, on=OBJECT), Fault(cut=2000, on=OBJECT)]
        sink = KeepingSink()
        store = oci.store()
        read_once(store, listed(oci, store), [sink], clock=oci.time.store_clock())
        assert sink.content == DATA
        spans = [request.headers.get("range") for request in oci.storage.requests if OBJECT in request.line]
        assert spans == [None, f"bytes=1000-{len(DATA) - 1}", f"bytes=3000-{len(DATA) - 1}"]

    @pytest.mark.parametrize(
        ("headers", "start", "code"),
        [
            ({"Content-Encoding": "gzip"}, 0, "verify.store_encoded"),
            ({"version-id": "v-other"}, 0, "verify.store_changed"),
            ({"version-id": ""}, 0, "verify.store_changed"),
            ({"etag": "other"}, 0, "verify.store_changed"),
            ({"etag": ""}, 0, "verify.store_changed"),
            ({"Content-Range": "bytes 0-9/10"}, 0, "verify.store_wrong_range"),
            ({"Content-Range": f"bytes 99-{len(DATA) - 1}/{len(DATA)}"}, 100, "verify.store_wrong_range"),
            ({"Content-Range": f"bytes 100-{len(DATA) - 1}/*"}, 100, "verify.store_wrong_range"),
            ({"Content-Range": ""}, 100, "verify.store_wrong_range"),
            ({"Content-Length": "5"}, 0, "verify.store_wrong_size"),
            ({"Content-Length": "99999"}, 0, "verify.store_wrong_size"),
        ],
        ids=str,
    )
    def test_what_is_not_what_was_asked_for(self, oci: Tenancy, headers: dict[str, str], start: int, code: str) -> None:
        def alter(answer: Answer) -> Answer:
            return replace(answer, headers={**answer.headers, **headers})

        store = oci.store()
        info = listed(oci, store)
        oci.storage.faults.append(Fault(alter=alter, on=OBJECT))
        assert refused(oci, lambda: read(store, info, start)).code == code

    def test_the_whole_object_instead_of_a_part(self, oci: Tenancy) -> None:
        store = oci.store()
        info = listed(oci, store)
        one = oci.bucket.objects[KEY][0]
        answer = Answer(200, DATA, {"etag": one.etag, "version-id": one.version or ""})
        oci.storage.faults.append(Fault(answer, on=OBJECT))
        assert refused(oci, lambda: read(store, info, 100)).code == "verify.store_wrong_range"

    def test_what_is_stored_compressed(self, oci: Tenancy) -> None:
        oci.bucket.put(KEY, b"\x1f\x8b", encoding="gzip")
        store = oci.store()
        assert refused(oci, lambda: store.head(KEY)).code == "verify.store_encoded"


FAULTS = [
    (Fault(json_answer(401, {"code": "NotAuthenticated"})), "verify.store_denied", 1),
    (Fault(json_answer(403, {"code": "NotAllowed"})), "verify.store_denied", 1),
    (Fault(json_answer(404, {"code": "BucketNotFound"})), "verify.store_denied", 1),
    (Fault(json_answer(404, {"code": "NamespaceNotFound"})), "verify.store_denied", 1),
    (Fault(json_answer(404, {"code": "NotAuthorizedOrNotFound"})), "verify.store_denied", 1),
    (Fault(json_answer(404, {"code": "ObjectNotFound"})), "verify.store_missing", 1),
    (Fault(json_answer(412, {"code": "IfMatchFailed"})), "verify.store_changed", 1),
    (Fault(json_answer(416, {"code": "InvalidRange"})), "verify.store_wrong_range", 1),
    (Fault(Answer(301, b"", {"Location": "http://127.0.0.1:1/"})), "verify.store_redirected", 1),
    (Fault(Answer(307, b"", {"Location": "http://127.0.0.1:1/"})), "verify.store_redirected", 1),
    (Fault(json_answer(409, {"code": "NotRestored"})), "verify.store_failed", 4),
    (Fault(json_answer(429, {"code": "TooManyRequests"})), "verify.store_failed", 4),
    (Fault(json_answer(500, {"code": "InternalServerError"})), "verify.store_failed", 4),
    (Fault(Answer(503, b"<html>")), "verify.store_failed", 4),
    (Fault(raw=b""), "verify.store_failed", 4),
    (Fault(raw=b"SSH-2.0-x\r\n"), "verify.store_failed", 4),
    (Fault(silence=60), "verify.store_slow", 4),
]


def patience_with(fault: Fault) -> float:
    """Seconds: short only where nothing comes, so that a busy machine's answer is waited for."""
    return 0.2 if fault.silence else 60.0


def asked_in_the_end(oci: Tenancy, part: str, tries: int) -> int:
    """As `asked`; what the store gave up waiting for may still be on its way to the service."""
    end = time.monotonic() + 60
    while asked(oci, part) < tries and time.monotonic() < end:
        time.sleep(0.01)
    return asked(oci, part)


@pytest.mark.parametrize(
    ("fault", "code", "tries"), FAULTS, ids=[f"{code}-{n}" for n, (_, code, _) in enumerate(FAULTS)]
)
def test_each_fault_has_its_code_and_only_what_may_pass_is_asked_again(
    oci: Tenancy, fault: Fault, code: str, tries: int
) -> None:
    store = oci.store(timeout=patience_with(fault))
    oci.storage.faults.append(replace(fault, times=9, on=LIST))
    assert refused(oci, lambda: store.list("staging/")).code == code
    assert asked_in_the_end(oci, LIST, tries) == tries
    assert oci.time.slept == [0.5, 1.0, 2.0][: tries - 1]


@pytest.mark.parametrize(
    ("fault", "code", "tries"), FAULTS, ids=[f"{code}-{n}" for n, (_, code, _) in enumerate(FAULTS)]
)
def test_reading_has_the_same_codes_and_is_asked_once(oci: Tenancy, fault: Fault, code: str, tries: int) -> None:
    info = listed(oci, oci.store())
    store = oci.store(timeout=patience_with(fault))
    oci.storage.faults.append(replace(fault, times=9, on=OBJECT))
    assert refused(oci, lambda: read(store, info)).code == code
    assert asked_in_the_end(oci, OBJECT, 1) == 1


def test_what_has_passed_is_no_fault(oci: Tenancy) -> None:
    oci.storage.faults += [Fault(Answer(503)), Fault(raw=b""), Fault(Answer(429))]
    assert len(oci.store().list("staging/")) == 2
    assert oci.time.slept == [0.5, 1.0, 2.0]


def test_a_clock_that_is_wrong(oci: Tenancy) -> None:
    store = oci.store()
    oci.domain.now = lambda: oci.time.date + 600
    error = refused(oci, lambda: store.list("staging/"))
    assert error.code == "verify.store_denied"
    assert "clock" in error.problem


class TestArguments:
    @pytest.mark.parametrize(
        ("namespace", "bucket"),
        [("", "b"), ("n", ""), ("n", "a/b"), ("n/m", "b"), ("N", "b"), ("n", "a b"), ("n", "..")],
    )
    def test_a_store_that_is_none(self, namespace: str, bucket: str) -> None:
        with pytest.raises(UsageError) as caught:
            OciStore(namespace, bucket, "eu-frankfurt-1", lambda method, url, document: {})
        assert caught.value.code == "verify.source_invalid"

    @pytest.mark.parametrize("region", ["", "evil.example/", "eu-frankfurt-1.evil", "EU-1", "eu-frankfurt-1\n", "eu"])
    def test_a_region_that_is_none(self, region: str) -> None:
        with pytest.raises(UsageError) as caught:
            OciStore("n", "b", region, lambda method, url, document: {})
        assert caught.value.code == "verify.region_invalid"

    @pytest.mark.parametrize(
        "endpoint",
        ["http://example.com", "https://u:p@example.com", "https://example.com/x", "https://example.com?x", "x", ""],
    )
    def test_an_endpoint_to_which_no_session_may_be_shown(self, endpoint: str) -> None:
        with pytest.raises(UsageError) as caught:
            OciStore("n", "b", "eu-frankfurt-1", lambda method, url, document: {}, endpoint=endpoint)
        assert caught.value.code == "verify.endpoint_invalid"

    def test_the_address_is_the_one_of_the_region(self) -> None:
        urls: list[str] = []

        def sign(method: str, url: str, document: bytes | None = None) -> dict[str, str]:
            urls.append(url)
            raise CouldNotDecide("verify.oci_unreachable", "no session", expected="one", remedy="none")

        with pytest.raises(CouldNotDecide, match="no session"):
            OciStore("octons", "models", "eu-frankfurt-1", sign).head("staging/a")
        assert urls == ["https://objectstorage.eu-frankfurt-1.oraclecloud.com/n/octons/b/models/o/staging/a"]


class TestFolders:
    @pytest.mark.parametrize("page_size", [1, 2, 1000])
    def test_those_right_below_a_prefix_by_name(self, oci: Tenancy, page_size: int) -> None:
        for name in ("staging/b/1", "staging/b/2/3", "staging/a/1", "staging/a b/1"):
            oci.bucket.put(name, b"x")
        oci.storage.page_size = page_size
        store = oci.store()
        assert store.folders("staging/") == ("staging/a b/", "staging/a/", "staging/b/", "staging/sub/")
        assert store.folders("staging/b/") == ("staging/b/2/",)
        assert store.folders("") == ("elsewhere/", "staging/")

    def test_nothing_is_no_folder(self, oci: Tenancy) -> None:
        assert oci.store().folders("nowhere/") == ()
        oci.bucket.put("gone/x", b"x")
        oci.bucket.delete("gone/x")
        assert oci.store().folders("gone/") == ()

    def test_a_thousand_are_one_request(self, oci: Tenancy) -> None:
        for number in range(1000):
            oci.bucket.put(f"many/{number:04}/a", b"")
            oci.bucket.put(f"many/{number:04}/b", b"")
        before = len(oci.storage.requests)
        assert len(oci.store().folders("many/")) == 1000
        assert len(oci.storage.requests) == before + 1

    @pytest.mark.parametrize(
        "edit",
        [
            lambda body: body | {"prefixes": ["elsewhere/"]},
            lambda body: body | {"prefixes": ["staging/sub/deeper/"]},
            lambda body: body | {"prefixes": ["staging/"]},
            lambda body: body | {"prefixes": ["staging/sub"]},
            lambda body: body | {"prefixes": [7]},
            lambda body: body | {"prefixes": "staging/sub/"},
            lambda body: {"prefixes": body["prefixes"]},
            lambda body: body | {"nextStartWith": "staging/sub/"},
            lambda body: body | {"nextStartWith": 7},
        ],
        ids=["elsewhere", "deeper", "itself", "no folder", "no text", "no list", "no objects", "circle", "no name"],
    )
    def test_a_listing_that_says_something_else_is_an_error(
        self, oci: Tenancy, edit: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> None:
        def alter(answer: Answer) -> Answer:
            return json_answer(200, edit(json.loads(answer.body)))

        oci.storage.faults.append(Fault(alter=alter, on=LIST, times=9))
        assert refused(oci, lambda: oci.store().folders("staging/")).code == "verify.store_listing"
